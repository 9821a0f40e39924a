//! Two-dimensional convolution.

use super::super::Runtime;
use super::weights::{f32_values, packs, tensor, with_values_of};
use super::{NormSilu, Operation, channels_last, feature_map, plain_values, with_values};
use crate::kernels::convolution::{self as kernels, Convolution, FeatureMap, Geometry};
use crate::kernels::gemm::WeightData;
use crate::networks::backend::{self, Result, Tensor};
use crate::weights::StoredTensor;

/// Zero padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// This number of pixels on every side.
    Same(usize),
    /// One row below and one column to the right, as in the VAE encoder's downsampling.
    BottomRight,
}

impl Padding {
    fn before_and_after(self) -> [usize; 2] {
        match self {
            Self::Same(pixels) => [pixels, pixels],
            Self::BottomRight => [0, 1],
        }
    }
}

enum Backend {
    Native(Convolution),
    Other { weight: Tensor, bias: Option<Tensor> },
}

/// Operation on the input of a convolution; fused on the CPU.
#[derive(Clone, Copy)]
enum Prologue<'a> {
    None,
    /// Nearest-neighbour upsampling by 2.
    Doubling,
    Norm(NormSilu<'a>),
}

/// Term added to a convolution's output `[B, O, H', W']` besides its bias; fused on the CPU.
#[derive(Clone, Copy)]
pub enum Epilogue<'a> {
    /// Nothing.
    None,
    /// A feature map of the output's shape.
    Residual(&'a Tensor),
    /// A vector added at every pixel: `[1, O]` for all images, or `[B, O]`, one for each.
    Channels(&'a Tensor),
}

/// A two-dimensional convolution.
pub struct Conv2d {
    runtime: Runtime,
    backend: Backend,
    channels_in: usize,
    channels_out: usize,
    stride: usize,
    padding: Padding,
}

impl Conv2d {
    /// `weight`: `[O, I, k, k]`, `bias`: `[O]`. On the CPU 16-bit weights keep their dtype, for products in f32;
    /// block-quantised ones become f16, or f32 if they exceed its range.
    ///
    /// # Errors
    /// If the weight does not have four dimensions.
    pub fn new(
        runtime: &Runtime,
        weight: &StoredTensor,
        bias: Option<&StoredTensor>,
        stride: usize,
        padding: Padding,
    ) -> Result<Self> {
        let &[channels_out, channels_in, size, _] = weight.shape() else {
            let found = weight.shape();
            return Err(backend::Error::Msg(format!(
                "a convolution's weight cannot have the shape {found:?}"
            )));
        };
        let backend = if packs(runtime) {
            let padding = padding.before_and_after();
            let geometry = Geometry { c_in: channels_in, c_out: channels_out, kernel: size, stride, padding };
            let bias = bias.map(|bias| f32_values(bias.view()));
            let pack =
                |data: WeightData<'_>| Convolution::new(runtime.kernels(), geometry, data, bias.as_deref());
            Backend::Native(with_values_of(weight.view(), pack))
        } else {
            let bias = bias.map(|bias| tensor(runtime, bias)).transpose()?;
            Backend::Other { weight: tensor(runtime, weight)?, bias }
        };
        Ok(Self { runtime: runtime.clone(), backend, channels_in, channels_out, stride, padding })
    }

    /// Input and output channels, I and O.
    pub fn channels(&self) -> [usize; 2] {
        [self.channels_in, self.channels_out]
    }

    /// `[B, I, H, W] → [B, O, H', W']`.
    ///
    /// # Errors
    /// If `x` does not have I channels. The other forms also fail if the added term does not fit the output.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.run(x, Prologue::None, Epilogue::None)
    }

    /// The convolution plus `residual`, `[B, O, H', W']`.
    pub fn forward_add(&self, x: &Tensor, residual: &Tensor) -> Result<Tensor> {
        self.run(x, Prologue::None, Epilogue::Residual(residual))
    }

    /// The convolution of `x` after nearest-neighbour upsampling by 2.
    pub fn forward_upsampled(&self, x: &Tensor) -> Result<Tensor> {
        self.run(x, Prologue::Doubling, Epilogue::None)
    }

    /// The convolution of the normalised `x`, plus the epilogue. On the CPU the normalised feature map is never stored.
    pub fn forward_normed(&self, x: &Tensor, norm: NormSilu<'_>, epilogue: Epilogue<'_>) -> Result<Tensor> {
        self.run(x, Prologue::Norm(norm), epilogue)
    }

    fn run(&self, x: &Tensor, prologue: Prologue<'_>, epilogue: Epilogue<'_>) -> Result<Tensor> {
        let (batch, channels, height, width) = x.dims4()?;
        if channels != self.channels_in {
            let message = format!("a convolution of {} channels got {channels}", self.channels_in);
            return Err(backend::Error::Msg(message));
        }
        if let Epilogue::Channels(vector) = epilogue
            && !matches!(vector.dims(), &[rows, width] if width == self.channels_out && (rows == 1 || rows == batch))
        {
            let (found, channels) = (vector.dims(), self.channels_out);
            let message =
                format!("a vector of {found:?} does not go with {channels} channels of {batch} images");
            return Err(backend::Error::Msg(message));
        }
        match &self.backend {
            Backend::Native(convolution) => {
                let x = channels_last(x)?;
                let norm = match prologue {
                    Prologue::Norm(norm) => norm.affine(&x.permute([0, 3, 1, 2])?)?,
                    _ => None,
                };
                let prologue = match (prologue, &norm) {
                    (Prologue::None, _) => kernels::Prologue::None,
                    (Prologue::Doubling, _) => kernels::Prologue::Doubling,
                    (Prologue::Norm(_), Some(norm)) => kernels::Prologue::Norm(norm),
                    (Prologue::Norm(_), None) => {
                        let message = format!("a native convolution's norm does not take {:?}", x.dtype());
                        return Err(backend::Error::Msg(message));
                    }
                };
                let empty = FeatureMap { values: &[], images: batch, height, width, prologue };
                let [b, h, w, c] = convolution.output_shape(&empty);
                let result = [b, c, h, w];
                if let Epilogue::Residual(residual) = epilogue
                    && residual.dims() != result
                {
                    let message = format!("a residual of {:?} does not fit a convolution", residual.dims());
                    return Err(backend::Error::Msg(message));
                }
                let run = |epilogue: kernels::Epilogue<'_>| {
                    with_values(&x, |values| {
                        convolution.forward(self.runtime.kernels(), FeatureMap { values, ..empty }, epilogue)
                    })
                };
                let out = match epilogue {
                    Epilogue::Residual(residual) => with_values(&channels_last(residual)?, |residual| {
                        run(kernels::Epilogue::Residual(residual))
                    })??,
                    Epilogue::Channels(vector) => run(kernels::Epilogue::Channels(&plain_values(vector)?))?,
                    Epilogue::None => run(kernels::Epilogue::None)?,
                };
                feature_map(out, result, &x)
            }
            Backend::Other { weight, bias } => {
                let mut x = match prologue {
                    Prologue::Norm(norm) => norm.forward(x)?,
                    _ => x.contiguous()?,
                };
                if matches!(prologue, Prologue::Doubling) {
                    x = x.resized(2 * height, 2 * width)?;
                }
                let padding = match self.padding {
                    Padding::Same(pixels) => pixels,
                    Padding::BottomRight => {
                        x = x.pad_with_zeros(2, 0, 1)?.pad_with_zeros(3, 0, 1)?;
                        0
                    }
                };
                let mut out = x.conv2d(weight, padding, self.stride)?;
                if let Some(bias) = bias {
                    out = out.broadcast_add(&bias.reshape((1, (), 1, 1))?)?;
                }
                let out = match epilogue {
                    Epilogue::Residual(residual) => (out + residual)?,
                    Epilogue::Channels(vector) => {
                        out.broadcast_add(&vector.reshape(((), self.channels_out, 1, 1))?)?
                    }
                    Epilogue::None => out,
                };
                self.runtime.computed(Operation::Convolution, out)
            }
        }
    }
}
