//! The neural networks as plain modules over candle, and the fast operations under them.

pub mod ops;
