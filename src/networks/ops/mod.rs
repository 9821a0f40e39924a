//! The operations that networks are made of.
//!
//! Each is computed by the crate's own kernels for f32 values on the CPU (**native**), and elsewhere by the library that
//! holds the tensors, in [`backend`](super::backend). The networks do not depend on which one runs.
//!
//! Feature maps are logically `[B, C, H, W]`. On the CPU their memory is channels-last, a permuted view of `[B, H, W,
//! C]`, which the kernels read and write without copying; any other layout is accepted.

mod attention;
mod attention_weights;
mod convolution;
mod elementwise;
mod embedding;
mod gated;
mod linear;
mod modulation;
mod norm;
mod operation;
mod pre_norm;
mod relative_attention;
mod rms_norm;
mod rotary;
mod weights;

pub use attention::{Mask, attention};
pub use attention_weights::attention_weights;
pub use convolution::{Conv2d, Epilogue, Padding};
pub use elementwise::{
    concat_channels, crop, expand_batch, from_tokens, geglu, gelu, gelu_tanh, quick_gelu, relu, silu,
    to_tokens,
};
pub use embedding::Embedding;
pub use gated::{gelu_tanh_gated, silu_gated};
pub use linear::Linear;
pub use modulation::{Modulation, add_scaled};
pub use norm::{GroupNorm, GroupStatistics, LayerNorm, NormSilu};
pub use operation::Operation;
pub use pre_norm::{GatedFeedForward, normed_linears};
pub use relative_attention::{RelativeBias, attention_with_relative_bias};
pub use rms_norm::RmsNorm;
pub use rotary::{RotaryEmbedding, RotaryPairs};
pub(super) use weights::tensor;

use super::Runtime;
use crate::networks::backend::{DType, Result, Tensor};

/// Whether the native backend computes with this tensor on this runtime.
fn is_native(runtime: &Runtime, x: &Tensor) -> bool {
    runtime.is_on_processor() && is_plain(x)
}

/// Whether a tensor holds f32 values in main memory, which the kernels can take.
fn is_plain(x: &Tensor) -> bool {
    x.device().is_cpu() && x.dtype() == DType::F32
}

/// Runs `f` over the values of a CPU tensor, made contiguous if it is not.
fn with_values<R>(x: &Tensor, f: impl FnOnce(&[f32]) -> R) -> Result<R> {
    x.with_values(f)
}

/// `[B, C, H, W]` as contiguous `[B, H, W, C]`; no copy if the memory is channels-last already.
fn channels_last(x: &Tensor) -> Result<Tensor> {
    x.permute([0, 2, 3, 1])?.contiguous()
}

/// A feature map `[B, C, H, W]` from channels-last values, on the device of `like`.
fn feature_map(
    values: Vec<f32>,
    [batch, channels, height, width]: [usize; 4],
    like: &Tensor,
) -> Result<Tensor> {
    Tensor::from_vec(values, (batch, height, width, channels), like.device())?.permute([0, 3, 1, 2])
}

/// A tensor's values in f32, for the kernels.
fn plain_values(x: &Tensor) -> Result<Vec<f32>> {
    x.to_dtype(DType::F32)?.to_values()
}
