//! The fast f32 kernels. Feature maps here are `[B, H, W, C]` slices.

#![allow(clippy::inline_always, reason = "an inlined body takes on its caller's instruction set")]
#![allow(clippy::needless_range_loop, reason = "tiles are filled across two axes at once")]

pub(super) mod activation;
mod amx;
pub(super) mod attention;
pub(super) mod bf16;
mod cache;
mod converted;
pub(super) mod convolution;
pub(super) mod gemm;
mod kernel;
mod lanes;
pub(super) mod norm;
pub(super) mod normed;
pub(super) mod pack;
mod prefetch;
pub(super) mod scratch;
mod shared;
pub(super) mod simd;
pub(super) mod softmax;
mod strips;
mod transpose;
pub(super) mod weights;
mod widen;
mod winograd;

/// Work on fewer values than this is not worth handing to other threads.
const PARALLEL_VALUES: usize = 1 << 15;
