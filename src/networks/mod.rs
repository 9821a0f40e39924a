//! The neural networks as plain modules over candle's tensors, and the operations they are made of.
//!
//! Each network is built from [`Parameters`] and the configuration of its part, in the layout of Hugging Face's
//! diffusers and transformers.

pub mod autoencoder;
mod blocks;
pub mod clip;
mod cross_attention;
mod error;
pub mod mmdit;
pub mod ops;
mod parameters;
pub mod qwen3;
mod runtime;
pub mod t5;
mod transformer;
pub mod unet;

pub use crate::kernels::{Isa, KernelContext, Precision, available_threads};
pub use error::NetworkError;
pub use parameters::Parameters;
pub use runtime::Runtime;
