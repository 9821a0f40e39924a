//! What takes several of candle's operations, or choices between them.

pub(super) mod attention;
pub(super) mod convolution;
#[cfg(feature = "cuda")]
mod cuda;
pub(super) mod norm;
#[cfg(any(feature = "cuda", test))]
mod one_pass;
pub(super) mod quantised;
