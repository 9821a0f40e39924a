//! The number formats of quantised weights and of eight-bit floating-point ones.

/// A number format that stores consecutive values in blocks of a fixed size.
///
/// The layouts of GGML's blocks are those of its C structures (`ggml-common.h`); the eight-bit floating-point formats are
/// blocks of one value. Sources: <https://github.com/ggml-org/ggml>; Micikevicius et al. 2022,
/// <https://arxiv.org/abs/2209.05433>.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BlockFormat {
    /// Four bits of exponent, three of mantissa, no infinities.
    F8E4m3,
    /// Five bits of exponent, two of mantissa: the upper half of an f16 value.
    F8E5m2,
    /// 4 bits, scale.
    Q4_0,
    /// 4 bits, scale and least value.
    Q4_1,
    /// 5 bits, scale.
    Q5_0,
    /// 5 bits, scale and least value.
    Q5_1,
    /// 8 bits, scale.
    Q8_0,
    /// 2 bits, a scale and a least value for 16 values.
    Q2K,
    /// 3 bits, a scale for 16 values.
    Q3K,
    /// 4 bits, a scale and a least value for 32 values.
    Q4K,
    /// 5 bits, a scale and a least value for 32 values.
    Q5K,
    /// 6 bits, a scale for 16 values.
    Q6K,
    /// 4 bits by a table, scale.
    Iq4Nl,
    /// 4 bits by a table, a scale for 32 values.
    Iq4Xs,
}

impl BlockFormat {
    /// All of them.
    pub const ALL: [Self; 14] = [
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

    /// Where in a block its f16 scales and offsets are, bytes (ggml's `ggml-common.h`).
    pub fn f16_scales(self) -> &'static [usize] {
        match self {
            Self::F8E4m3 | Self::F8E5m2 => &[],
            Self::Q4_0 | Self::Q5_0 | Self::Q8_0 | Self::Iq4Nl | Self::Iq4Xs => &[0],
            Self::Q4_1 | Self::Q5_1 | Self::Q4K | Self::Q5K => &[0, 2],
            Self::Q2K => &[80, 82],
            Self::Q3K => &[108],
            Self::Q6K => &[208],
        }
    }

    /// As people write it.
    pub fn name(self) -> &'static str {
        match self {
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

    /// Values of a block.
    pub fn values(self) -> usize {
        match self {
            Self::F8E4m3 | Self::F8E5m2 => 1,
            Self::Q4_0 | Self::Q4_1 | Self::Q5_0 | Self::Q5_1 | Self::Q8_0 | Self::Iq4Nl => 32,
            Self::Q2K | Self::Q3K | Self::Q4K | Self::Q5K | Self::Q6K | Self::Iq4Xs => 256,
        }
    }

    /// Bytes of a block.
    pub fn bytes(self) -> usize {
        match self {
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

    /// The bytes of `values` values.
    ///
    /// # Panics
    /// If they are not whole blocks.
    pub fn bytes_of(self, values: usize) -> usize {
        assert!(values.is_multiple_of(self.values()), "whole blocks");
        values / self.values() * self.bytes()
    }
}
