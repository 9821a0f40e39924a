//! What takes several of candle's operations, or choices between them.

pub(super) mod attention;
pub(super) mod convolution;
#[cfg(feature = "cuda")]
mod cuda;
pub(super) mod norm;
pub(super) mod quantised;
