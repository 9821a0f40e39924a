//! Stored values that are no finite numbers.

use super::{BlockFormat, WeightDtype, WeightView};

/// Whether a tensor holds NaN or infinity; in blocks, whether one of their scales is such a value.
pub fn holds_non_finite(view: WeightView<'_>) -> bool {
    let bytes = view.bytes;
    let any_half =
        |exponent: u16| bytemuck::cast_slice::<u8, u16>(bytes).iter().any(|bits| bits & exponent == exponent);
    let found = match view.dtype {
        WeightDtype::F64 => bytemuck::cast_slice::<u8, f64>(bytes).iter().any(|value| !value.is_finite()),
        WeightDtype::F32 => bytemuck::cast_slice::<u8, f32>(bytes).iter().any(|value| !value.is_finite()),
        WeightDtype::F16 => any_half(0x7c00),
        WeightDtype::Bf16 => any_half(0x7f80),
        // The only NaN of e4m3, of either sign; it has no infinities.
        WeightDtype::Block(BlockFormat::F8E4m3) => bytes.iter().any(|byte| byte & 0x7f == 0x7f),
        WeightDtype::Block(BlockFormat::F8E5m2) => bytes.iter().any(|byte| byte & 0x7c == 0x7c),
        WeightDtype::Block(format) => {
            let scales = format.f16_scales();
            bytes.chunks_exact(format.bytes()).any(|block| {
                let exponent = |place: &usize| u16::from_le_bytes([block[*place], block[place + 1]]) & 0x7c00;
                scales.iter().any(|place| exponent(place) == 0x7c00)
            })
        }
    };
    found || view.scales.iter().any(|scale| !scale.is_finite())
}

#[cfg(test)]
mod tests {
    use super::super::StoredTensor;
    use super::*;

    #[test]
    fn a_value_that_is_no_number_is_found_in_every_format() {
        let holds = |dtype, values: usize, bytes: &[u8]| {
            holds_non_finite(StoredTensor::copied(dtype, &[values], bytes).view())
        };
        for (dtype, whole, broken) in [
            (WeightDtype::F64, f64::MAX.to_le_bytes().to_vec(), f64::NAN.to_le_bytes().to_vec()),
            (WeightDtype::F32, f32::MIN.to_le_bytes().to_vec(), f32::NEG_INFINITY.to_le_bytes().to_vec()),
            (WeightDtype::F16, vec![0xff, 0xfb], vec![0x00, 0xfc]),
            (WeightDtype::Bf16, vec![0x7f, 0x7f], vec![0xc0, 0x7f]),
            (WeightDtype::Block(BlockFormat::F8E4m3), vec![0xfe], vec![0xff]),
            (WeightDtype::Block(BlockFormat::F8E5m2), vec![0xfb], vec![0x7c]),
        ] {
            assert!(!holds(dtype, 1, &whole) && holds(dtype, 1, &broken), "{}", dtype.name());
        }
        for format in BlockFormat::ALL {
            for place in format.f16_scales() {
                // All ones but for the scales: what is no scale says nothing.
                let mut bytes = vec![0xff; format.bytes()];
                for place in format.f16_scales() {
                    bytes[*place..place + 2].copy_from_slice(&[0xff, 0x7b]);
                }
                let dtype = WeightDtype::Block(format);
                assert!(!holds(dtype, format.values(), &bytes), "{}", format.name());
                bytes[place + 1] = 0x7c;
                assert!(holds(dtype, format.values(), &bytes), "{} {place}", format.name());
            }
        }
        let eight = StoredTensor::copied(WeightDtype::Block(BlockFormat::F8E4m3), &[1], &[0]);
        assert!(holds_non_finite(eight.with_scales(vec![f32::NAN]).view()));
    }
}
