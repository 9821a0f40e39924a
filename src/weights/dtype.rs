//! The number formats of stored weights.

/// The number format of a stored tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WeightDtype {
    /// IEEE 754's binary64.
    F64,
    /// IEEE 754's binary32.
    F32,
    /// IEEE 754's binary16.
    F16,
    /// The upper half of an f32.
    Bf16,
    /// Eight bits: four of exponent, three of mantissa, no infinities (e4m3fn).
    F8E4m3,
    /// Eight bits: five of exponent, two of mantissa.
    F8E5m2,
    /// GGML's blocks of 32 values of 4 bits, with a scale.
    Q4_0,
    /// GGML's blocks of 32 values of 4 bits, with a scale and a least value.
    Q4_1,
    /// GGML's blocks of 32 values of 5 bits, with a scale.
    Q5_0,
    /// GGML's blocks of 32 values of 5 bits, with a scale and a least value.
    Q5_1,
    /// GGML's blocks of 32 values of 8 bits, with a scale.
    Q8_0,
    /// GGML's blocks of 256 values of 2 bits, with scales of their parts.
    Q2K,
    /// GGML's blocks of 256 values of 3 bits, with scales of their parts.
    Q3K,
    /// GGML's blocks of 256 values of 4 bits, with scales of their parts.
    Q4K,
    /// GGML's blocks of 256 values of 5 bits, with scales of their parts.
    Q5K,
    /// GGML's blocks of 256 values of 6 bits, with scales of their parts.
    Q6K,
    /// GGML's blocks of 32 of a table's 16 values, with a scale.
    Iq4Nl,
    /// GGML's blocks of 256 of a table's 16 values, with scales of their parts.
    Iq4Xs,
}

impl WeightDtype {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::F64,
        Self::F32,
        Self::F16,
        Self::Bf16,
        Self::F8E4m3,
        Self::F8E5m2,
        Self::Q4_0,
        Self::Q4_1,
        Self::Q5_0,
        Self::Q5_1,
        Self::Q8_0,
        Self::Q2K,
        Self::Q3K,
        Self::Q4K,
        Self::Q5K,
        Self::Q6K,
        Self::Iq4Nl,
        Self::Iq4Xs,
    ];

    /// As people write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::F64 => "f64",
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::F8E4m3 => "f8_e4m3",
            Self::F8E5m2 => "f8_e5m2",
            Self::Q4_0 => "Q4_0",
            Self::Q4_1 => "Q4_1",
            Self::Q5_0 => "Q5_0",
            Self::Q5_1 => "Q5_1",
            Self::Q8_0 => "Q8_0",
            Self::Q2K => "Q2_K",
            Self::Q3K => "Q3_K",
            Self::Q4K => "Q4_K",
            Self::Q5K => "Q5_K",
            Self::Q6K => "Q6_K",
            Self::Iq4Nl => "IQ4_NL",
            Self::Iq4Xs => "IQ4_XS",
        }
    }

    /// The values of a block, which are stored together; 1 where each stands alone.
    pub fn block_values(self) -> usize {
        match self {
            Self::F64 | Self::F32 | Self::F16 | Self::Bf16 | Self::F8E4m3 | Self::F8E5m2 => 1,
            Self::Q4_0 | Self::Q4_1 | Self::Q5_0 | Self::Q5_1 | Self::Q8_0 | Self::Iq4Nl => 32,
            Self::Q2K | Self::Q3K | Self::Q4K | Self::Q5K | Self::Q6K | Self::Iq4Xs => 256,
        }
    }

    /// The bytes of a block. Source of GGML's: `ggml-common.h`, <https://github.com/ggml-org/ggml>.
    pub fn block_bytes(self) -> usize {
        match self {
            Self::F64 => 8,
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::F8E4m3 | Self::F8E5m2 => 1,
            Self::Q4_0 | Self::Iq4Nl => 18,
            Self::Q4_1 => 20,
            Self::Q5_0 => 22,
            Self::Q5_1 => 24,
            Self::Q8_0 => 34,
            Self::Q2K => 84,
            Self::Q3K => 110,
            Self::Q4K => 144,
            Self::Q5K => 176,
            Self::Q6K => 210,
            Self::Iq4Xs => 136,
        }
    }

    /// Bytes of a tensor of this shape, its last dimension being the one whose values follow each other; `None` if
    /// there is no such tensor: its size is beyond all memory, or its rows are not whole blocks.
    pub fn bytes_of(self, shape: &[usize]) -> Option<usize> {
        if !shape.last().copied().unwrap_or(1).is_multiple_of(self.block_values()) {
            return None;
        }
        let values = shape.iter().try_fold(1_usize, |product, edge| product.checked_mul(*edge))?;
        (values / self.block_values()).checked_mul(self.block_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_whole_blocks() {
        assert_eq!(WeightDtype::F16.bytes_of(&[2, 3]), Some(12));
        assert_eq!(WeightDtype::F8E4m3.bytes_of(&[]), Some(1));
        assert_eq!(WeightDtype::Q8_0.bytes_of(&[3, 64]), Some(3 * 2 * 34));
        assert_eq!(WeightDtype::Q4K.bytes_of(&[2, 512]), Some(2 * 2 * 144));
        assert_eq!(WeightDtype::Q4K.bytes_of(&[256, 32]), None);
        assert_eq!(WeightDtype::Q4_0.bytes_of(&[]), None);
        assert_eq!(WeightDtype::Q4_0.bytes_of(&[usize::MAX, 32]), None);
        assert_eq!(WeightDtype::F64.bytes_of(&[usize::MAX / 4]), None);
    }
}
