//! The arithmetic of a processor on plain slices: matrix products, convolutions, attention, norms.
//!
//! Nothing here knows a tensor library, a network or a device. The vocabulary is that of BLAS and oneDNN:
//!
//! - A **GEMM** multiplies a **left-hand side** (LHS, the activations, rows) with a **right-hand side** (RHS, the
//!   weights, columns). Both are **packed** first: the RHS once, into **panels** of 32 columns; the LHS, where the RHS's
//!   operand format wants it, at each call. Number formats are decided there and nowhere else.
//! - A **micro-kernel** computes one **register tile**: a few rows times a panel. What is added to a product on its way
//!   to memory (bias, residual) is its **epilogue**; what the input of a convolution goes through is its **prologue**.
//! - Feature maps are `[B, H, W, C]` (channels last).
//!
//! Everything that steers the arithmetic and is not an operand is a [`KernelContext`]: instruction set, threads, scratch
//! memory, precision. There are no switches for the whole process.
//!
//! `unsafe` stands in this module for three reasons: instructions that were detected at run time, pointers in the
//! micro-kernels, and results that several threads write, each its own part.

#![allow(unsafe_code, reason = "see above")]
#![deny(unsafe_op_in_unsafe_fn)]
#![deny(clippy::undocumented_unsafe_blocks)]
#![allow(clippy::inline_always, reason = "an inlined body takes on its caller's instruction set")]
#![allow(clippy::needless_range_loop, reason = "tiles are filled across two axes at once")]

pub mod activation;
pub mod attention;
mod context;
pub mod convolution;
pub mod dequantise;
mod disjoint_output;
mod elementary;
pub mod gemm;
mod isa;
pub mod norm;
pub mod pre_norm;
pub mod rotary;
mod scratch;
mod threads;
mod transpose;

pub use context::{KernelContext, Precision};
pub use isa::Isa;
pub use threads::available_threads;

/// Work on fewer values than this is not worth handing to other threads.
const PARALLEL_VALUES: usize = 1 << 15;
