//! Blocks of 32 values with one scale, and eight-bit floating-point values.

use super::columns::{halves, per_column, rows};
use super::values::f16_value;

/// Values of a half: byte `k` of a block's four-bit values holds value `k` below and value `k + 16` above.
const HALF: usize = 16;

/// Values from both halves of the bytes `from` on, each from its four bits and its number.
#[inline(always)]
fn nibbles<const W: usize, const BYTES: usize>(
    block: &[[u8; W]; BYTES],
    from: usize,
    out: &mut [[f32; W]; 32],
    value: impl Fn(u8, usize, usize) -> f32,
) {
    let (below, above) = out.split_at_mut(HALF);
    rows(below, |k, n| value(block[from + k][n] & 15, k, n));
    rows(above, |k, n| value(block[from + k][n] >> 4, HALF + k, n));
}

/// A fifth bit, in its place: bit `k` of the four bytes `from` on.
#[inline(always)]
fn fifth<const W: usize, const BYTES: usize>(
    block: &[[u8; W]; BYTES],
    from: usize,
    k: usize,
    n: usize,
) -> u8 {
    ((block[from + k / 8][n] >> (k % 8)) & 1) << 4
}

#[inline(always)]
pub(super) fn q4_0<const W: usize>(block: &[[u8; W]; 18], out: &mut [[f32; W]; 32]) {
    let d: [f32; W] = halves([&block[0], &block[1]]);
    nibbles(block, 2, out, |q, _, n| d[n] * f32::from(q.cast_signed() - 8));
}

#[inline(always)]
pub(super) fn q4_1<const W: usize>(block: &[[u8; W]; 20], out: &mut [[f32; W]; 32]) {
    let d: [f32; W] = halves([&block[0], &block[1]]);
    let m: [f32; W] = halves([&block[2], &block[3]]);
    nibbles(block, 4, out, |q, _, n| d[n] * f32::from(q) + m[n]);
}

#[inline(always)]
pub(super) fn q5_0<const W: usize>(block: &[[u8; W]; 22], out: &mut [[f32; W]; 32]) {
    let d: [f32; W] = halves([&block[0], &block[1]]);
    nibbles(block, 6, out, |q, k, n| d[n] * f32::from((q | fifth(block, 2, k, n)).cast_signed() - 16));
}

#[inline(always)]
pub(super) fn q5_1<const W: usize>(block: &[[u8; W]; 24], out: &mut [[f32; W]; 32]) {
    let d: [f32; W] = halves([&block[0], &block[1]]);
    let m: [f32; W] = halves([&block[2], &block[3]]);
    nibbles(block, 8, out, |q, k, n| d[n] * f32::from(q | fifth(block, 4, k, n)) + m[n]);
}

#[inline(always)]
pub(super) fn q8_0<const W: usize>(block: &[[u8; W]; 34], out: &mut [[f32; W]; 32]) {
    let d: [f32; W] = halves([&block[0], &block[1]]);
    rows(out, |k, n| d[n] * f32::from(block[2 + k][n].cast_signed()));
}

#[inline(always)]
pub(super) fn f8_e5m2<const W: usize>(bytes: &[[u8; W]], out: &mut [[f32; W]]) {
    for (bytes, out) in bytes.iter().zip(out) {
        *out = per_column(|n| f16_value(u16::from(bytes[n]) << 8));
    }
}

#[inline(always)]
pub(super) fn f8_e4m3<const W: usize>(bytes: &[[u8; W]], out: &mut [[f32; W]]) {
    /// The exponents' bias differs by 120.
    const BIAS: u32 = 120 << 23;
    for (bytes, out) in bytes.iter().zip(out) {
        *out = per_column(|n| {
            let (magnitude, sign) = (u32::from(bytes[n] & 0x7f), u32::from(bytes[n] & 0x80) << 24);
            let shifted = magnitude << 20;
            // Subnormal numbers: as if the leading one were there, and without it again.
            let small = f32::from_bits(shifted + BIAS + (1 << 23)) - f32::from_bits(BIAS + (1 << 23));
            let value = if shifted < 1 << 23 { small.to_bits() } else { shifted + BIAS };
            f32::from_bits(sign | if magnitude == 0x7f { f32::NAN.to_bits() } else { value })
        });
    }
}
