//! The neural networks as plain modules over tensors, the operations they are made of, and the libraries that hold the
//! tensors and compute.
//!
//! Each network is built from [`Parameters`] and the configuration of its part, in the layout of Hugging Face's
//! diffusers and transformers.

pub mod autoencoder;
pub mod backend;
mod blocks;
pub mod checks;
pub mod clip;
mod compute_device;
mod cross_attention;
mod error;
pub mod meaning;
pub mod mmdit;
pub mod ops;
mod parameters;
pub mod qwen3;
mod runtime;
pub mod t5;
pub mod tiny_decoder;
mod token_maps;
mod transformer;
pub mod unet;

pub use crate::kernels::{Isa, KernelContext, Precision, available_threads};
pub use compute_device::{ComputeDevice, PlainProcessor};
pub use error::NetworkError;
pub use parameters::Parameters;
pub use runtime::Runtime;
pub use token_maps::{JointTokens, TokenMaps};
