//! The decoding of any format of blocks.

use super::super::isa::multiversioned;
use super::{k_quants, short_blocks, tabled};
use crate::weights::BlockFormat;

/// The blocks of `bytes`, one after another, as f32 values.
///
/// # Panics
/// If there are not as many blocks of values as of bytes.
pub fn decode_blocks(format: BlockFormat, bytes: &[u8], values: &mut [f32]) {
    // SAFETY: no instructions are asked for.
    unsafe { decode_columns::<1, false>(format, bytes, values) }
}

/// Blocks of `width` columns, byte beside byte (`[bytes, width]`), as f32 values `[values, width]`.
///
/// # Panics
/// If the width is not that of a panel, or there are not as many blocks of values as of bytes.
pub(in super::super) fn decode_panel(
    isa: super::super::Isa,
    format: BlockFormat,
    width: usize,
    bytes: &[u8],
    values: &mut [f32],
) {
    match width {
        32 => decode_full_panel(isa, format, bytes, values),
        // At most one panel of a matrix: not worth code for every instruction set.
        // SAFETY: no instructions are asked for.
        16 => unsafe { decode_columns::<16, false>(format, bytes, values) },
        _ => panic!("a panel of {width} columns"),
    }
}

multiversioned! {
    fn decode_full_panel<const FMA: bool>(isa: Isa, format: BlockFormat, bytes: &[u8], values: &mut [f32]) {
        // SAFETY: this body is compiled for AVX2 where `FMA` is set on x86-64, and chosen by an `Isa` that has it.
        unsafe { decode_columns::<32, FMA>(format, bytes, values) }
    }
}

/// # Safety
/// With `AVX2`, on x86-64, the caller is compiled for its instructions and runs on a processor that has them.
#[inline(always)]
unsafe fn decode_columns<const W: usize, const AVX2: bool>(
    format: BlockFormat,
    bytes: &[u8],
    values: &mut [f32],
) {
    assert_eq!(values.len() % (format.values() * W), 0, "whole blocks");
    assert_eq!(bytes.len(), format.bytes_of(values.len()), "as many blocks as values");
    let (bytes, values) = (bytes.as_chunks::<W>().0, values.as_chunks_mut::<W>().0);
    match format {
        BlockFormat::F8E4m3 => short_blocks::f8_e4m3(bytes, values),
        BlockFormat::F8E5m2 => short_blocks::f8_e5m2(bytes, values),
        BlockFormat::Q4_0 => each::<W, 18, 32>(bytes, values, short_blocks::q4_0),
        BlockFormat::Q4_1 => each::<W, 20, 32>(bytes, values, short_blocks::q4_1),
        BlockFormat::Q5_0 => each::<W, 22, 32>(bytes, values, short_blocks::q5_0),
        BlockFormat::Q5_1 => each::<W, 24, 32>(bytes, values, short_blocks::q5_1),
        BlockFormat::Q8_0 => each::<W, 34, 32>(bytes, values, short_blocks::q8_0),
        BlockFormat::Q2K => each::<W, 84, 256>(bytes, values, k_quants::q2_k),
        BlockFormat::Q3K => each::<W, 110, 256>(bytes, values, k_quants::q3_k),
        BlockFormat::Q4K => each::<W, 144, 256>(bytes, values, k_quants::q4_k),
        BlockFormat::Q5K => each::<W, 176, 256>(bytes, values, k_quants::q5_k),
        BlockFormat::Q6K => each::<W, 210, 256>(bytes, values, k_quants::q6_k),
        BlockFormat::Iq4Nl => each::<W, 18, 32>(bytes, values, |block, out| {
            // SAFETY: the caller's promise.
            unsafe { tabled::iq4_nl::<W, AVX2>(block, out) }
        }),
        BlockFormat::Iq4Xs => each::<W, 136, 256>(bytes, values, |block, out| {
            // SAFETY: the caller's promise.
            unsafe { tabled::iq4_xs::<W, AVX2>(block, out) }
        }),
    }
}

/// Decodes blocks of constant sizes, so that no index in one is checked.
#[inline(always)]
fn each<const W: usize, const BYTES: usize, const VALUES: usize>(
    bytes: &[[u8; W]],
    values: &mut [[f32; W]],
    decode: impl Fn(&[[u8; W]; BYTES], &mut [[f32; W]; VALUES]),
) {
    for (bytes, values) in bytes.as_chunks().0.iter().zip(values.as_chunks_mut().0) {
        decode(bytes, values);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::super::super::Isa;
    use super::*;

    fn decoded(format: BlockFormat, bytes: &[u8]) -> Vec<f32> {
        let mut values = vec![0.0; bytes.len() / format.bytes() * format.values()];
        decode_blocks(format, bytes, &mut values);
        values
    }

    fn same(a: f32, b: f32) -> bool {
        a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()
    }

    #[test]
    fn every_block_is_decoded_as_the_reference_decodes_it() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/quantised/blocks.safetensors");
        let file = std::fs::read(path).unwrap();
        let tensors = safetensors::SafeTensors::deserialize(&file).unwrap();
        for format in BlockFormat::ALL {
            // The fixture writes all names in capitals.
            let name = format.name().to_uppercase();
            let bytes = tensors.tensor(&name).unwrap();
            let wanted = tensors.tensor(&format!("{name}.values")).unwrap();
            let (wanted, _) = wanted.data().as_chunks::<4>();
            let found = decoded(format, bytes.data());
            assert_eq!(found.len(), wanted.len());
            for (i, (found, wanted)) in found.iter().zip(wanted).enumerate() {
                let wanted = f32::from_le_bytes(*wanted);
                let (block, value) = (i / format.values(), i % format.values());
                assert!(same(*found, wanted), "{name} block {block} value {value}: {found} for {wanted}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// Whatever the bytes, on every instruction set: the columns of a panel are decoded as each alone.
        #[test]
        fn a_panel_is_decoded_like_its_columns(
            format in prop::sample::select(&BlockFormat::ALL[..]),
            width in prop::sample::select(&[16_usize, 32][..]),
            blocks in 1_usize..4,
            seed in any::<u64>(),
        ) {
            let mut state = seed;
            let mut byte = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 56) as u8
            };
            let columns: Vec<Vec<u8>> =
                (0..width).map(|_| (0..blocks * format.bytes()).map(|_| byte()).collect()).collect();
            let panel: Vec<u8> =
                (0..blocks * format.bytes()).flat_map(|j| columns.iter().map(move |column| column[j])).collect();
            let wanted: Vec<Vec<f32>> = columns.iter().map(|column| decoded(format, column)).collect();
            for isa in Isa::available() {
                let mut found = vec![f32::NAN; blocks * format.values() * width];
                decode_panel(isa, format, width, &panel, &mut found);
                for (i, found) in found.iter().enumerate() {
                    prop_assert!(same(*found, wanted[i % width][i / width]), "{isa:?} {format:?} {i}");
                }
            }
        }
    }
}
