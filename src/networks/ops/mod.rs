//! The operations the networks are made of.
//!
//! Each has one meaning and two ways: on a CPU in f32 kernels of our own, elsewhere candle's own
//! operations. The networks do not know which ran.
//!
//! Feature maps are logically `[B, C, H, W]`. On a CPU their memory is channels last, a permuted view
//! of `[B, H, W, C]`, which the kernels read and give without copying; any other layout is accepted.

mod attention;
mod bands;
mod convolution;
mod cpu;
mod elementwise;
mod linear;
mod norm;
mod normed;
pub mod threads;
mod weights;

pub use attention::{Mask, attention, softmax_in_parts};
pub use bands::in_bands;
pub use convolution::{Conv2d, Padding};
pub use cpu::bf16::{Precision, matrix_precision, set_matrix_precision};
pub use cpu::convolution::Added;
pub use cpu::norm::GroupStatistics;
pub use cpu::scratch::release_buffers;
#[doc(hidden)]
pub use cpu::simd::{Level, limit};
pub use elementwise::{
    concat_channels, crop, for_pictures, from_tokens, geglu, gelu, gelu_tanh, quick_gelu, silu, to_tokens,
};
pub use linear::Linear;
pub use norm::{GroupNorm, LayerNorm, NormSilu};
pub use normed::{GatedFeedForward, normed_linears};

use candle_core::{CpuStorage, DType, Result, Storage, Tensor};

/// Whether our kernels take this tensor.
fn is_fast(x: &Tensor) -> bool {
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

/// `[B, C, H, W]` as contiguous `[B, H, W, C]`; free when the memory is channels last already.
fn channels_last(x: &Tensor) -> Result<Tensor> {
    x.permute((0, 2, 3, 1))?.contiguous()
}

/// A feature map from channels-last values.
fn feature_map(
    values: Vec<f32>,
    [batch, channels, height, width]: [usize; 4],
    like: &Tensor,
) -> Result<Tensor> {
    Tensor::from_vec(values, (batch, height, width, channels), like.device())?.permute((0, 3, 1, 2))
}

/// A bias as plain values, if our kernels are to use it.
fn plain_values(bias: &Tensor) -> Result<Vec<f32>> {
    bias.to_dtype(DType::F32)?.flatten_all()?.to_vec1()
}
