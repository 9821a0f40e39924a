//! Matrices of weights on a device.

use super::candle::quantised::QuantisedMatrix;
use super::tensor::Values;
use super::{Device, Result, Tensor};
use crate::weights::BlockFormat;

/// The weights of a linear layer, `[O, I]`.
#[derive(Clone, Debug)]
pub struct Matrix(Weights);

#[derive(Clone, Debug)]
enum Weights {
    /// Values in the format of the activations.
    Plain(Tensor),
    /// Blocks, as they are in the file.
    Candle(QuantisedMatrix),
}

impl Matrix {
    /// Values `[O, I]`.
    pub fn plain(weights: Tensor) -> Self {
        Self(Weights::Plain(weights))
    }

    /// Block-quantised weights `[O, I]`, uploaded as they are; `None` where the library of the device has no kernels
    /// for their format, or rows are not whole blocks.
    ///
    /// # Errors
    /// The device's.
    pub fn quantised(
        format: BlockFormat,
        bytes: &[u8],
        shape: [usize; 2],
        device: &Device,
    ) -> Result<Option<Self>> {
        let kept = QuantisedMatrix::new(format, bytes, shape, &device.candle())?;
        Ok(kept.map(|kept| Self(Weights::Candle(kept))))
    }

    /// `x·Wᵀ`: `[N, I] → [N, O]`.
    ///
    /// # Errors
    /// If the widths differ.
    pub fn multiply(&self, x: &Tensor) -> Result<Tensor> {
        match &self.0 {
            Weights::Plain(weights) => x.matmul(&weights.transpose(0, 1)?),
            Weights::Candle(blocks) => {
                let Values::Candle(x) = &x.0;
                Ok(blocks.multiply(x)?.into())
            }
        }
    }
}
