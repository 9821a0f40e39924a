//! The operations that networks are made of.
//!
//! Each has two backends that compute the same: the crate's own kernels for f32 values on the CPU (**native**), and
//! candle's operations elsewhere. The networks do not depend on which one runs.
//!
//! Feature maps are logically `[B, C, H, W]`. On the CPU their memory is channels-last, a permuted view of `[B, H, W,
//! C]`, which the kernels read and write without copying; any other layout is accepted.

mod attention;
mod convolution;
mod elementwise;
mod embedding;
mod gated;
mod linear;
mod modulation;
mod norm;
mod pre_norm;
mod relative_attention;
mod rms_norm;
mod rotary;
mod weights;

pub use attention::{Mask, attention};
pub use convolution::{Conv2d, Epilogue, Padding};
pub use elementwise::{
    concat_channels, crop, expand_batch, from_tokens, geglu, gelu, gelu_tanh, quick_gelu, silu, to_tokens,
};
pub use embedding::Embedding;
pub use gated::{gelu_tanh_gated, silu_gated};
pub use linear::Linear;
pub use modulation::{Modulation, add_scaled};
pub use norm::{GroupNorm, GroupStatistics, LayerNorm, NormSilu};
pub use pre_norm::{GatedFeedForward, normed_linears};
pub use relative_attention::{RelativeBias, attention_with_relative_bias};
pub use rms_norm::RmsNorm;
pub use rotary::{RotaryEmbedding, RotaryPairs};
pub(super) use weights::tensor;

use candle_core::{CpuStorage, DType, Result, Storage, Tensor};

/// Whether the native backend computes with this tensor.
fn is_native(x: &Tensor) -> bool {
    x.device().is_cpu() && x.dtype() == DType::F32
}

/// Runs `f` over the values of a CPU tensor, made contiguous if it is not.
fn with_values<R>(x: &Tensor, f: impl FnOnce(&[f32]) -> R) -> Result<R> {
    let x = x.contiguous()?;
    let (storage, layout) = x.storage_and_layout();
    let Storage::Cpu(CpuStorage::F32(values)) = &*storage else {
        return Err(candle_core::Error::Msg(format!("expected f32 on the CPU, found {:?}", x.dtype())));
    };
    let (from, to) = layout.contiguous_offsets().unwrap_or((0, 0));
    Ok(f(&values[from..to]))
}

/// `[B, C, H, W]` as contiguous `[B, H, W, C]`; no copy if the memory is channels-last already.
fn channels_last(x: &Tensor) -> Result<Tensor> {
    x.permute((0, 2, 3, 1))?.contiguous()
}

/// A feature map `[B, C, H, W]` from channels-last values, on the device of `like`.
fn feature_map(
    values: Vec<f32>,
    [batch, channels, height, width]: [usize; 4],
    like: &Tensor,
) -> Result<Tensor> {
    Tensor::from_vec(values, (batch, height, width, channels), like.device())?.permute((0, 3, 1, 2))
}

/// A tensor's values in f32, for the kernels.
fn plain_values(x: &Tensor) -> Result<Vec<f32>> {
    x.to_dtype(DType::F32)?.flatten_all()?.to_vec1()
}
