//! Two-dimensional convolution.

use candle_core::{Result, Tensor};

use super::cpu::convolution::{Added, Batch, Convolution, Geometry};
use super::cpu::pack::Stored;
use super::weights::{is_packable, with_weight};
use super::{NormSilu, channels_last, feature_map, plain_values, with_values};

/// Zeros around the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// So many pixels on every side.
    Same(usize),
    /// One row below and one column to the right: the VAE encoder's downsampling.
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

enum Kernel {
    Fast(Convolution),
    Plain { weight: Tensor, bias: Option<Tensor> },
}

/// What is done to a feature map on its way into a convolution.
#[derive(Clone, Copy)]
enum Before<'a> {
    Nothing,
    /// Each pixel is repeated in both directions.
    Doubling,
    Norm(NormSilu<'a>),
}

/// A convolution with its weights.
pub struct Conv2d {
    kernel: Kernel,
    channels_in: usize,
    channels_out: usize,
    stride: usize,
    padding: Padding,
}

impl Conv2d {
    /// `weight`: `[O, I, k, k]`, `bias`: `[O]`. On a CPU 16-bit weights are kept so, for products in f32.
    pub fn new(weight: &Tensor, bias: Option<&Tensor>, stride: usize, padding: Padding) -> Result<Self> {
        let (channels_out, channels_in, size, _) = weight.dims4()?;
        let kernel = if is_packable(weight) {
            let padding = padding.before_and_after();
            let geometry = Geometry { c_in: channels_in, c_out: channels_out, kernel: size, stride, padding };
            let bias = bias.map(plain_values).transpose()?;
            let pack = |stored: Stored<'_>| Convolution::new(geometry, stored, bias.as_deref());
            Kernel::Fast(with_weight(weight, pack)?)
        } else {
            Kernel::Plain { weight: weight.clone(), bias: bias.cloned() }
        };
        Ok(Self { kernel, channels_in, channels_out, stride, padding })
    }

    /// Channels in and out.
    pub fn channels(&self) -> [usize; 2] {
        [self.channels_in, self.channels_out]
    }

    /// `[B, I, H, W] → [B, O, H', W']`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.run(x, Before::Nothing, Added::Nothing)
    }

    /// The convolution plus `residual` of its shape.
    pub fn forward_add(&self, x: &Tensor, residual: &Tensor) -> Result<Tensor> {
        self.run(x, Before::Nothing, Added::Residual(residual))
    }

    /// The convolution of `x` doubled by repeating each pixel.
    pub fn forward_upsampled(&self, x: &Tensor) -> Result<Tensor> {
        self.run(x, Before::Doubling, Added::Nothing)
    }

    /// The convolution of the normed `x`, plus what is `added`. On a CPU the normed map takes no memory.
    pub fn forward_normed(&self, x: &Tensor, norm: NormSilu<'_>, added: Added<&Tensor>) -> Result<Tensor> {
        self.run(x, Before::Norm(norm), added)
    }

    fn run(&self, x: &Tensor, before: Before<'_>, added: Added<&Tensor>) -> Result<Tensor> {
        let (batch, channels, height, width) = x.dims4()?;
        if channels != self.channels_in {
            let message = format!("a convolution of {} channels got {channels}", self.channels_in);
            return Err(candle_core::Error::Msg(message));
        }
        if let Added::Channels(vector) = added
            && vector.dims() != [1, self.channels_out]
        {
            let message =
                format!("a vector of {:?} does not go with {} channels", vector.dims(), self.channels_out);
            return Err(candle_core::Error::Msg(message));
        }
        let upsample = matches!(before, Before::Doubling);
        match &self.kernel {
            Kernel::Fast(fast) => {
                let result = fast.output_shape([batch, height, width], upsample);
                if let Added::Residual(residual) = added
                    && residual.dims() != result
                {
                    let message = format!("a residual of {:?} does not fit a convolution", residual.dims());
                    return Err(candle_core::Error::Msg(message));
                }
                let x = channels_last(x)?;
                let norm = match before {
                    Before::Norm(norm) => norm.affine(&x.permute((0, 3, 1, 2))?)?,
                    _ => None,
                };
                let run = |added: Added<&[f32]>| {
                    with_values(&x, |values| {
                        let norm = norm.as_ref();
                        let batch = Batch { values, pictures: batch, height, width, upsample, norm };
                        fast.forward(batch, added)
                    })
                };
                let out = match added {
                    Added::Residual(residual) => {
                        with_values(&channels_last(residual)?, |residual| run(Added::Residual(residual)))??
                    }
                    Added::Channels(vector) => run(Added::Channels(&plain_values(vector)?))?,
                    Added::Nothing => run(Added::Nothing)?,
                };
                feature_map(out, result, &x)
            }
            Kernel::Plain { weight, bias } => {
                let mut x = match before {
                    Before::Norm(norm) => norm.forward(x)?,
                    _ => x.contiguous()?,
                };
                if upsample {
                    x = x.upsample_nearest2d(2 * height, 2 * width)?;
                }
                let padding = match self.padding {
                    Padding::Same(pixels) => pixels,
                    Padding::BottomRight => {
                        x = x.pad_with_zeros(2, 0, 1)?.pad_with_zeros(3, 0, 1)?;
                        0
                    }
                };
                let mut out = x.conv2d(weight, padding, self.stride, 1, 1)?;
                if let Some(bias) = bias {
                    out = out.broadcast_add(&bias.reshape((1, (), 1, 1))?)?;
                }
                match added {
                    Added::Residual(residual) => out + residual,
                    Added::Channels(vector) => out.broadcast_add(&vector.reshape((1, (), 1, 1))?),
                    Added::Nothing => Ok(out),
                }
            }
        }
    }
}
