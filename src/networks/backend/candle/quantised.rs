//! Matrices of block-quantised weights.

use std::borrow::Cow;
use std::sync::Arc;

use candle_core::quantized::{GgmlDType, QMatMul, QStorage, QTensor};
use candle_core::{DType, Device, Module, Result, Tensor};

use crate::weights::BlockFormat;

/// A matrix `[O, I]` whose weights stay in their blocks on the device.
#[derive(Clone, Debug)]
pub(in crate::networks::backend) struct QuantisedMatrix(Arc<QTensor>);

/// candle's name of a format; `None` where it has no kernels for it.
fn ggml(format: BlockFormat) -> Option<GgmlDType> {
    Some(match format {
        BlockFormat::Q4_0 => GgmlDType::Q4_0,
        BlockFormat::Q4_1 => GgmlDType::Q4_1,
        BlockFormat::Q5_0 => GgmlDType::Q5_0,
        BlockFormat::Q5_1 => GgmlDType::Q5_1,
        BlockFormat::Q8_0 => GgmlDType::Q8_0,
        BlockFormat::Q2K => GgmlDType::Q2K,
        BlockFormat::Q3K => GgmlDType::Q3K,
        BlockFormat::Q4K => GgmlDType::Q4K,
        BlockFormat::Q5K => GgmlDType::Q5K,
        BlockFormat::Q6K => GgmlDType::Q6K,
        BlockFormat::F8E4m3 | BlockFormat::F8E5m2 | BlockFormat::Iq4Nl | BlockFormat::Iq4Xs => return None,
    })
}

impl QuantisedMatrix {
    /// Uploads blocks; `None` where candle cannot keep this format, or rows are not whole blocks.
    pub(in crate::networks::backend) fn new(
        format: BlockFormat,
        bytes: &[u8],
        [outputs, inputs]: [usize; 2],
        device: &Device,
    ) -> Result<Option<Self>> {
        let Some(dtype) = ggml(format).filter(|dtype| inputs.is_multiple_of(dtype.block_size())) else {
            return Ok(None);
        };
        let storage = QStorage::from_data(Cow::Borrowed(bytes), device, dtype)?;
        Ok(Some(Self(Arc::new(QTensor::new(storage, (outputs, inputs))?))))
    }

    /// `[N, I] → [N, O]`, in the format of `x`.
    ///
    /// On NVIDIA's GPUs the blocks are decoded for each product, which reads each weight once more: candle's kernels
    /// that multiply blocks round the activations to eight bits, too few for these networks, and with the thousands of
    /// tokens of a picture the product takes far longer than the decoding. On Apple's the kernels multiply the blocks
    /// by activations in f32.
    pub(in crate::networks::backend) fn multiply(&self, x: &Tensor) -> Result<Tensor> {
        let Self(blocks) = self;
        if x.device().is_metal() {
            let blocks = QMatMul::QTensor(blocks.clone());
            return blocks.forward(&x.to_dtype(DType::F32)?.contiguous()?)?.to_dtype(x.dtype());
        }
        let weights = match x.dtype() {
            DType::F16 => blocks.dequantize_f16(x.device())?,
            dtype => blocks.dequantize(x.device())?.to_dtype(dtype)?,
        };
        x.matmul(&weights.t()?)
    }
}
