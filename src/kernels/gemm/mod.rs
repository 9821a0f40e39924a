//! Matrix products with a packed right-hand side.
//!
//! Why not the `gemm` crate: it packs both sides at every call, and its result needs another pass for bias and residual.
//! The loops are Goto & van de Geijn's (2008): a block of LHS rows stays in the second-level cache, a panel of the RHS
//! comes from there row after row, the sums stay in registers.

mod driver;
mod lhs;
mod micro_kernel;
mod operand_format;
mod packed_rhs;
mod prefetch;
mod weights;

pub(super) use driver::{Epilogue, gemm, gemm_into};
pub use lhs::{LhsView, RowLayout};
pub(super) use micro_kernel::{MicroKernel, PanelView};
pub(super) use operand_format::{OperandFormat, PANEL};
pub use packed_rhs::{MatrixLayout, WeightData};
pub(super) use packed_rhs::{PackedFormat, PackedRhs, Panels, RhsView, packed_columns};
pub use weights::PackedWeights;
