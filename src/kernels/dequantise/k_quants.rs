//! Blocks of 256 values, with scales of their parts.

use super::columns::{halves, per_column, rows};

/// Values with a scale of their own: 32, or half of that.
const PART: usize = 32;

/// Scales and least values of a part of `q4_k` and `q5_k`: numbers of six bits in twelve bytes from the fourth on.
#[inline(always)]
fn scales_of_part<const W: usize, const BYTES: usize>(
    block: &[[u8; W]; BYTES],
    d: &[f32; W],
    least: &[f32; W],
    part: usize,
) -> [[f32; W]; 2] {
    let [first, second] = [&block[4 + part], &block[8 + part]];
    if part < 4 {
        let scales = per_column(|n| d[n] * f32::from(first[n] & 63));
        return [scales, per_column(|n| least[n] * f32::from(second[n] & 63))];
    }
    // The upper two bits are those that earlier numbers leave.
    let earlier = &block[part];
    let scales = per_column(|n| d[n] * f32::from(second[n] & 15 | earlier[n] >> 6 << 4));
    [scales, per_column(|n| least[n] * f32::from(second[n] >> 4 | first[n] >> 6 << 4))]
}

/// The halves of a part.
#[inline(always)]
fn part_of<const W: usize>(out: &mut [[f32; W]; 256], part: usize) -> [&mut [[f32; W]]; 2] {
    let (first, second) = out[part * PART..][..PART].split_at_mut(PART / 2);
    [first, second]
}

#[inline(always)]
pub(super) fn q2_k<const W: usize>(block: &[[u8; W]; 84], out: &mut [[f32; W]; 256]) {
    let d: [f32; W] = halves([&block[80], &block[81]]);
    let least: [f32; W] = halves([&block[82], &block[83]]);
    for part in 0..8 {
        let (from, shift) = (16 + part / 4 * PART, part % 4 * 2);
        for (half, out) in part_of(out, part).into_iter().enumerate() {
            let scales = &block[2 * part + half];
            let scale: [f32; W] = per_column(|n| d[n] * f32::from(scales[n] & 15));
            let m: [f32; W] = per_column(|n| least[n] * f32::from(scales[n] >> 4));
            let from = from + half * PART / 2;
            rows(out, |k, n| scale[n] * f32::from((block[from + k][n] >> shift) & 3) - m[n]);
        }
    }
}

#[inline(always)]
pub(super) fn q3_k<const W: usize>(block: &[[u8; W]; 110], out: &mut [[f32; W]; 256]) {
    /// Where the bits above, the bits below and the scales begin.
    const ABOVE: usize = 0;
    const BELOW: usize = 32;
    const SCALES: usize = 96;
    let d: [f32; W] = halves([&block[108], &block[109]]);
    for part in 0..8 {
        let (from, shift) = (BELOW + part / 4 * PART, part % 4 * 2);
        for (half, out) in part_of(out, part).into_iter().enumerate() {
            let number = 2 * part + half;
            let scale: [f32; W] = per_column(|n| {
                let low = block[SCALES + number % 8][n] >> (number / 8 * 4) & 15;
                let high = block[SCALES + 8 + number % 4][n] >> (number / 4 * 2) & 3;
                d[n] * f32::from((low | high << 4).cast_signed() - 32)
            });
            let half = half * PART / 2;
            rows(out, |k, n| {
                let low = block[from + half + k][n] >> shift & 3;
                // The offset is there where the bit is not.
                let high = block[ABOVE + half + k][n] >> part & 1;
                scale[n] * f32::from((low | high << 2).cast_signed() - 4)
            });
        }
    }
}

#[inline(always)]
pub(super) fn q4_k<const W: usize>(block: &[[u8; W]; 144], out: &mut [[f32; W]; 256]) {
    let d: [f32; W] = halves([&block[0], &block[1]]);
    let least: [f32; W] = halves([&block[2], &block[3]]);
    for (part, out) in out.as_chunks_mut::<PART>().0.iter_mut().enumerate() {
        let [scale, m] = scales_of_part(block, &d, &least, part);
        let (from, shift) = (16 + part / 2 * PART, part % 2 * 4);
        rows(out, |k, n| scale[n] * f32::from(block[from + k][n] >> shift & 15) - m[n]);
    }
}

#[inline(always)]
pub(super) fn q5_k<const W: usize>(block: &[[u8; W]; 176], out: &mut [[f32; W]; 256]) {
    let d: [f32; W] = halves([&block[0], &block[1]]);
    let least: [f32; W] = halves([&block[2], &block[3]]);
    for (part, out) in out.as_chunks_mut::<PART>().0.iter_mut().enumerate() {
        let [scale, m] = scales_of_part(block, &d, &least, part);
        let (from, shift) = (48 + part / 2 * PART, part % 2 * 4);
        rows(out, |k, n| {
            let fifth = (block[16 + k][n] >> part & 1) << 4;
            scale[n] * f32::from(block[from + k][n] >> shift & 15 | fifth) - m[n]
        });
    }
}

#[inline(always)]
pub(super) fn q6_k<const W: usize>(block: &[[u8; W]; 210], out: &mut [[f32; W]; 256]) {
    /// Where the two bits above and the scales begin.
    const ABOVE: usize = 128;
    const SCALES: usize = 192;
    let d: [f32; W] = halves([&block[208], &block[209]]);
    for part in 0..8 {
        let (eighth, quarter) = (part / 4, part % 4);
        let (low, low_shift) = (eighth * 2 * PART + quarter % 2 * PART, quarter / 2 * 4);
        let (high, high_shift) = (ABOVE + eighth * PART, quarter * 2);
        for (half, out) in part_of(out, part).into_iter().enumerate() {
            let scales = &block[SCALES + 2 * part + half];
            let scale: [f32; W] = per_column(|n| d[n] * f32::from(scales[n].cast_signed()));
            let half = half * PART / 2;
            rows(out, |k, n| {
                let low = block[low + half + k][n] >> low_shift & 15;
                let high = block[high + half + k][n] >> high_shift & 3;
                scale[n] * f32::from((low | high << 4).cast_signed() - 32)
            });
        }
    }
}
