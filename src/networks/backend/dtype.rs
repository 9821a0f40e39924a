//! Number formats of tensors.

/// The format of a tensor's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DType {
    /// Indices.
    U32,
    /// bfloat16.
    BF16,
    /// IEEE half precision.
    F16,
    /// 32-bit floating point.
    F32,
    /// 64-bit floating point, which references are computed in.
    F64,
}

impl DType {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::U32 => "u32",
            Self::BF16 => "bf16",
            Self::F16 => "f16",
            Self::F32 => "f32",
            Self::F64 => "f64",
        }
    }

    /// Bytes of a value.
    pub fn size_in_bytes(self) -> usize {
        match self {
            Self::BF16 | Self::F16 => 2,
            Self::U32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    pub(in crate::networks) fn candle(self) -> candle_core::DType {
        match self {
            Self::U32 => candle_core::DType::U32,
            Self::BF16 => candle_core::DType::BF16,
            Self::F16 => candle_core::DType::F16,
            Self::F32 => candle_core::DType::F32,
            Self::F64 => candle_core::DType::F64,
        }
    }

    /// candle's other formats are of integers, which no operation gives.
    pub(super) fn of_candle(dtype: candle_core::DType) -> Self {
        match dtype {
            candle_core::DType::BF16 => Self::BF16,
            candle_core::DType::F16 => Self::F16,
            candle_core::DType::F32 => Self::F32,
            candle_core::DType::F64 => Self::F64,
            _ => Self::U32,
        }
    }
}

/// A Rust type whose values tensors are made of.
pub trait Number: candle_core::WithDType {}

impl Number for u32 {}
impl Number for half::bf16 {}
impl Number for half::f16 {}
impl Number for f32 {}
impl Number for f64 {}
