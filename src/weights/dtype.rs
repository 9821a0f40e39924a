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
}

impl WeightDtype {
    /// As people write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::F64 => "f64",
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
        }
    }

    /// Bytes of a tensor of this shape, its last dimension being the one whose values follow each other; `None` if
    /// there is no such tensor.
    pub fn bytes_of(self, shape: &[usize]) -> Option<usize> {
        let values = shape.iter().try_fold(1_usize, |product, edge| product.checked_mul(*edge))?;
        values.checked_mul(match self {
            Self::F64 => 8,
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        })
    }
}
