//! What runs on NVIDIA's GPUs and candle has no kernel or no switch for.
//!
//! `unsafe` stands here because nothing checks what a kernel does with the memory it is given.

#![allow(unsafe_code, reason = "see above")]
#![deny(clippy::undocumented_unsafe_blocks)]

mod attention;
#[cfg(feature = "cudnn")]
mod convolution;

pub(super) use attention::attention;
#[cfg(feature = "cudnn")]
pub(super) use convolution::conv2d;
