//! Two-dimensional convolution.

use std::sync::{Mutex, OnceLock, PoisonError};

use candle_core::{Result, Tensor};

use super::cpu::convolution::{Batch, Convolution, Geometry};
use super::weights::{is_packable, with_weight};
use super::{channels_last, feature_map, with_values};

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
    Fast(Fast),
    Plain { weight: Tensor, bias: Option<Tensor> },
}

/// The processor's kernel, prepared by the first call where the pictures' size decides its form.
struct Fast {
    geometry: Geometry,
    kernel: OnceLock<Convolution>,
    /// The weights as they are stored, until then.
    raw: Mutex<Option<Tensor>>,
    bias: Option<Vec<f32>>,
}

impl Fast {
    /// The kernel for a batch of this result, `[B, O, H', W']`.
    fn prepared(&self, result: [usize; 4]) -> Result<&Convolution> {
        if let Some(kernel) = self.kernel.get() {
            return Ok(kernel);
        }
        let mut raw = self.raw.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(weight) = raw.take() {
            let prepare = |raw: &[f32]| Convolution::new(self.geometry, raw, self.bias.as_deref(), result);
            let kernel = with_weight(&weight, prepare)?;
            return Ok(self.kernel.get_or_init(|| kernel));
        }
        self.kernel.get().ok_or_else(|| candle_core::Error::Msg("a convolution has no weights".to_owned()))
    }
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
    /// `weight`: `[O, I, k, k]`, `bias`: `[O]`. On a CPU 16-bit weights too are packed for f32 products.
    pub fn new(weight: &Tensor, bias: Option<&Tensor>, stride: usize, padding: Padding) -> Result<Self> {
        let (channels_out, channels_in, size, _) = weight.dims4()?;
        let kernel = if is_packable(weight) {
            let padding = padding.before_and_after();
            let geometry = Geometry { c_in: channels_in, c_out: channels_out, kernel: size, stride, padding };
            let fast = Fast {
                geometry,
                kernel: OnceLock::new(),
                raw: Mutex::new(Some(weight.clone())),
                bias: bias.map(super::plain_values).transpose()?,
            };
            // Any result has the same form: it need not wait for one, nor hold the weights twice.
            if !geometry.has_choice() {
                fast.prepared([0; 4])?;
            }
            Kernel::Fast(fast)
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
        self.run(x, false, None)
    }

    /// The convolution plus `residual` of its shape.
    pub fn forward_add(&self, x: &Tensor, residual: &Tensor) -> Result<Tensor> {
        self.run(x, false, Some(residual))
    }

    /// The convolution of `x` doubled by repeating each pixel.
    pub fn forward_upsampled(&self, x: &Tensor) -> Result<Tensor> {
        self.run(x, true, None)
    }

    fn run(&self, x: &Tensor, upsample: bool, residual: Option<&Tensor>) -> Result<Tensor> {
        let (batch, channels, height, width) = x.dims4()?;
        if channels != self.channels_in {
            let message = format!("a convolution of {} channels got {channels}", self.channels_in);
            return Err(candle_core::Error::Msg(message));
        }
        match &self.kernel {
            Kernel::Fast(fast) => {
                let result = fast.geometry.output_shape([batch, height, width], upsample);
                let kernel = fast.prepared(result)?;
                let fits = |r: &Tensor| r.dims() == result;
                if let Some(residual) = residual.filter(|r| !fits(r)) {
                    let message = format!("a residual of {:?} does not fit a convolution", residual.dims());
                    return Err(candle_core::Error::Msg(message));
                }
                let run = |residual: Option<&[f32]>| {
                    with_values(&channels_last(x)?, |values| {
                        kernel.forward(Batch { values, pictures: batch, height, width, upsample }, residual)
                    })
                };
                let (out, [out_height, out_width]) = match residual {
                    Some(residual) => with_values(&channels_last(residual)?, |r| run(Some(r)))??,
                    None => run(None)?,
                };
                feature_map(out, [batch, self.channels_out, out_height, out_width], x)
            }
            Kernel::Plain { weight, bias } => {
                let mut x = x.contiguous()?;
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
                match residual {
                    Some(residual) => out + residual,
                    None => Ok(out),
                }
            }
        }
    }
}
