//! What the networks compute with: tensors, and the libraries that hold their values and compute on them.
//!
//! [`Tensor`] is the value type of the [operations](super::ops) and of the networks. Which library has its values is a
//! variant that only this module sees; today that is candle, for main memory and for the GPUs that it knows. One more
//! is a variant of [`Tensor`] and of [`Device`], and what the compiler then asks for in this module: the operations
//! and the networks name no library. `networks::meaning` alone does, whose networks candle-transformers builds.

mod arithmetic;
mod candle;
mod device;
mod dtype;
mod error;
mod fused;
mod matrix;
mod shape;
mod tensor;

pub use device::{Device, Gpu};
pub use dtype::{DType, Number};
pub use error::{Error, Failure, Result};
pub(super) use fused::{attention, attention_weights, group_norm, relative_attention};
pub use matrix::Matrix;
pub use shape::{D, Dim, Size, Sizes};
pub use tensor::Tensor;
