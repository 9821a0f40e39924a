//! The number formats of stored weights.

use super::BlockFormat;

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
    /// Blocks of a quantised format, or of an eight-bit floating-point one.
    Block(BlockFormat),
}

impl WeightDtype {
    /// As people write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::F64 => "f64",
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::Block(format) => format.name(),
        }
    }

    /// The values of a block, which are stored together; 1 where each stands alone.
    pub fn block_values(self) -> usize {
        match self {
            Self::F64 | Self::F32 | Self::F16 | Self::Bf16 => 1,
            Self::Block(format) => format.values(),
        }
    }

    /// The bytes of a block.
    pub fn block_bytes(self) -> usize {
        match self {
            Self::F64 => 8,
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::Block(format) => format.bytes(),
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
        assert_eq!(WeightDtype::Block(BlockFormat::F8E4m3).bytes_of(&[]), Some(1));
        assert_eq!(WeightDtype::Block(BlockFormat::Q8_0).bytes_of(&[3, 64]), Some(3 * 2 * 34));
        assert_eq!(WeightDtype::Block(BlockFormat::Q4K).bytes_of(&[2, 512]), Some(2 * 2 * 144));
        assert_eq!(WeightDtype::Block(BlockFormat::Q4K).bytes_of(&[256, 32]), None);
        assert_eq!(WeightDtype::Block(BlockFormat::Q4_0).bytes_of(&[]), None);
        assert_eq!(WeightDtype::Block(BlockFormat::Q4_0).bytes_of(&[usize::MAX, 32]), None);
        assert_eq!(WeightDtype::F64.bytes_of(&[usize::MAX / 4]), None);
    }
}
