//! Values of several columns at once, a vector of them.

use super::values::f16_value;

/// Rows of values, each of its number and its column.
#[inline(always)]
pub(super) fn rows<const W: usize>(values: &mut [[f32; W]], value: impl Fn(usize, usize) -> f32) {
    for (k, row) in values.iter_mut().enumerate() {
        for n in 0..W {
            row[n] = value(k, n);
        }
    }
}

/// A number for each column.
#[inline(always)]
pub(super) fn per_column<const W: usize>(value: impl Fn(usize) -> f32) -> [f32; W] {
    let mut values = [0.0; W];
    for n in 0..W {
        values[n] = value(n);
    }
    values
}

/// The f16 values whose bytes are these two.
#[inline(always)]
pub(super) fn halves<const W: usize>([low, high]: [&[u8; W]; 2]) -> [f32; W] {
    per_column(|n| f16_value(u16::from_le_bytes([low[n], high[n]])))
}
