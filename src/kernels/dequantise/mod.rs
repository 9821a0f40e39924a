//! Stored number formats as f32 values: one decode routine for each, called for a panel just before it is multiplied.
//!
//! Formats whose values stand alone are in `values`. Those of GGML are **blocks**: integers of 32 or 256 neighbours along
//! the depth, with their scales. A decode routine takes the same block of several columns at once, byte beside byte, so
//! that a vector holds one byte of each column; with one column it reads a file's own bytes.

mod blocks;
mod columns;
mod k_quants;
mod short_blocks;
mod tabled;
mod values;

pub use blocks::decode_blocks;
pub(super) use blocks::decode_panel;
pub(super) use values::{
    Bf16, F16, F32, LANES, Lane, StoredValues, bf16_bits, decode_bf16, decode_f16, lane,
};
