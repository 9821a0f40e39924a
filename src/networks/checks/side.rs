//! One side of a check: made-up inputs on its device.

use half::{bf16, f16};

use super::NumberFormat;
use crate::networks::Runtime;
use crate::networks::backend::{Device, Result, Tensor};
use crate::weights::{BlockFormat, StoredTensor, WeightDtype};

/// The device or its reference, and the number format of the inputs.
pub(super) struct Side<'a> {
    pub(super) runtime: &'a Runtime,
    pub(super) format: NumberFormat,
}

/// Values in −1..1 that depend on their number and on `salt` only.
fn made_up(count: usize, salt: u32) -> impl Iterator<Item = f32> {
    let mut state = salt.wrapping_mul(2_654_435_761).wrapping_add(1);
    (0..count).map(move |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 8_388_608.0 - 1.0
    })
}

impl Side<'_> {
    fn rounded(&self, value: f32) -> f32 {
        match self.format {
            NumberFormat::F32 => value,
            NumberFormat::F16 => f16::from_f32(value).to_f32(),
            NumberFormat::Bf16 => bf16::from_f32(value).to_f32(),
        }
    }

    /// Activations of up to `size`.
    pub(super) fn scaled(&self, shape: &[usize], size: f32, salt: u32) -> Result<Tensor> {
        let values: Vec<f32> =
            made_up(shape.iter().product(), salt).map(|value| self.rounded(value * size)).collect();
        let tensor = Tensor::from_vec(values, shape, &Device::Cpu)?;
        tensor.to_dtype(self.runtime.dtype())?.to_device(self.runtime.device())
    }

    /// Activations in −1..1.
    pub(super) fn tensor(&self, shape: &[usize], salt: u32) -> Result<Tensor> {
        self.scaled(shape, 1.0, salt)
    }

    /// A feature map whose memory is channels-last, as the kernels leave it.
    pub(super) fn feature_map(&self, [b, c, h, w]: [usize; 4], salt: u32) -> Result<Tensor> {
        self.tensor(&[b, h, w, c], salt)?.permute([0, 3, 1, 2])
    }

    /// A weight `[O, ..]` in the format, as a file would hold it, of a size that leaves activations about as they are.
    pub(super) fn weight(&self, shape: &[usize], salt: u32) -> StoredTensor {
        let inputs: usize = shape.iter().skip(1).product();
        self.stored(shape, (3.0 / inputs.max(1) as f32).sqrt(), salt)
    }

    /// A bias, `[O]`.
    pub(super) fn bias(&self, length: usize, salt: u32) -> StoredTensor {
        self.stored(&[length], 1.0, salt)
    }

    fn stored(&self, shape: &[usize], size: f32, salt: u32) -> StoredTensor {
        let values: Vec<f32> =
            made_up(shape.iter().product(), salt).map(|value| self.rounded(value * size)).collect();
        let halves = |bits: &dyn Fn(f32) -> u16, dtype| {
            let bits: Vec<u16> = values.iter().map(|value| bits(*value)).collect();
            StoredTensor::copied(dtype, shape, bytemuck::cast_slice(&bits))
        };
        match self.format {
            NumberFormat::F32 => StoredTensor::from_f32(shape, &values),
            NumberFormat::F16 => halves(&|value| f16::from_f32(value).to_bits(), WeightDtype::F16),
            NumberFormat::Bf16 => halves(&|value| bf16::from_f32(value).to_bits(), WeightDtype::Bf16),
        }
    }
}

/// A block-quantised weight of made-up bytes, with scales of a usual size.
pub(super) fn made_up_blocks(format: BlockFormat, shape: [usize; 2], salt: u32) -> StoredTensor {
    let dtype = WeightDtype::Block(format);
    let bytes = dtype.bytes_of(&shape).unwrap_or_default();
    let mut state = salt.wrapping_mul(2_654_435_761).wrapping_add(1);
    let mut blocks: Vec<u8> = (0..bytes)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect();
    let scales = format.f16_scales();
    for block in blocks.chunks_exact_mut(format.bytes()) {
        for at in scales {
            let scale = f16::from_f32((f32::from(block[*at]) - 127.0) / 65_536.0);
            block[*at..at + 2].copy_from_slice(&scale.to_le_bytes());
        }
        if scales.is_empty() {
            // No infinities: the highest exponents are left out.
            for byte in block {
                *byte &= 0xbf;
            }
        }
    }
    StoredTensor::copied(dtype, &shape, &blocks)
}
