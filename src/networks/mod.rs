//! The neural networks as plain modules over candle, and the fast operations under them.
//!
//! Each network is built from a [`candle_nn::VarBuilder`] and the configuration file beside its
//! weights, in the layout of Hugging Face's diffusers and transformers.

pub mod autoencoder;
mod blocks;
pub mod clip;
mod cross_attention;
mod error;
pub mod ops;
mod transformer;
pub mod unet;

pub use error::NetworkError;
