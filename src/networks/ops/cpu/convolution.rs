//! Convolutions over `[B, H, W, C]` without im2col where it can be avoided.

use std::sync::{Mutex, OnceLock, PoisonError};

use super::activation::add_assign;
use super::gemm::{Matrix, product};
use super::winograd::{self, Picture};

/// Winograd's weights take four times the memory: only layers up to this many input × output
/// channels get them. Stable Diffusion's layers of 32×32 latents and larger are below.
const WINOGRAD_CHANNEL_PAIRS: usize = 1920 * 640;
/// Winograd pays from this many output pixels on (measured; fewer tiles leave its products too thin).
const WINOGRAD_PIXELS: usize = 64;

/// Weights in the form the first call chose; every form takes pictures of any size.
enum Form {
    /// `[36][C_in][C_out]`.
    Winograd(Vec<f32>),
    /// `[k·k·C_in][C_out]`, kernel rows first.
    Taps(Vec<f32>),
}

/// One convolution's weights and sizes.
pub(in super::super) struct Convolution {
    /// `[C_out, C_in, k, k]`, until a form is chosen.
    raw: Mutex<Vec<f32>>,
    form: OnceLock<Form>,
    bias: Vec<f32>,
    c_in: usize,
    c_out: usize,
    kernel: usize,
    stride: usize,
    /// Pixels of zeros before the first row and column, and after the last.
    padding: [usize; 2],
}

/// A batch of pictures, `[B, H, W, C]`.
#[derive(Clone, Copy)]
pub(in super::super) struct Batch<'a> {
    pub(in super::super) values: &'a [f32],
    pub(in super::super) pictures: usize,
    pub(in super::super) height: usize,
    pub(in super::super) width: usize,
}

impl Convolution {
    pub(in super::super) fn new(
        raw: Vec<f32>,
        bias: Option<Vec<f32>>,
        [c_out, c_in, kernel]: [usize; 3],
        stride: usize,
        padding: [usize; 2],
    ) -> Self {
        let bias = bias.unwrap_or_else(|| vec![0.0; c_out]);
        Self { raw: Mutex::new(raw), form: OnceLock::new(), bias, c_in, c_out, kernel, stride, padding }
    }

    /// Height and width of the result for an input of this size.
    pub(in super::super) fn output_size(&self, height: usize, width: usize) -> [usize; 2] {
        [height, width].map(|edge| (edge + self.padding[0] + self.padding[1] - self.kernel) / self.stride + 1)
    }

    fn form(&self, pixels: usize) -> &Form {
        self.form.get_or_init(|| {
            let raw = std::mem::take(&mut *self.raw.lock().unwrap_or_else(PoisonError::into_inner));
            let is_plain_3x3 = self.kernel == 3 && self.stride == 1 && self.padding == [1, 1];
            let pays = pixels >= WINOGRAD_PIXELS
                && self.c_in >= 16
                && self.c_out >= 16
                && self.c_in * self.c_out <= WINOGRAD_CHANNEL_PAIRS;
            if is_plain_3x3 && pays {
                Form::Winograd(winograd::transform_weights(&raw, self.c_out, self.c_in))
            } else {
                Form::Taps(taps(&raw, self.c_out, self.c_in, self.kernel))
            }
        })
    }

    /// The convolution of each picture, doubled by repetition first if `upsample`, plus `residual`
    /// (of the result's size): `[B, H', W', C_out]`.
    pub(in super::super) fn forward(
        &self,
        x: Batch<'_>,
        upsample: bool,
        residual: Option<&[f32]>,
    ) -> Vec<f32> {
        let shift = usize::from(upsample);
        let [out_height, out_width] = self.output_size(x.height << shift, x.width << shift);
        let picture_in = x.height * x.width * self.c_in;
        let picture_out = out_height * out_width * self.c_out;
        let mut out = vec![0.0; x.pictures * picture_out];
        if out.is_empty() || picture_in == 0 {
            return out;
        }
        let form = self.form(out_height * out_width);
        if self.kernel == 1 && self.stride == 1 && !upsample {
            let Form::Taps(weights) = form else { unreachable!("a 1×1 convolution has no other form") };
            self.product_with_bias(x.values, self.c_in, weights, x.pictures * x.height * x.width, &mut out);
        } else {
            for (input, out) in x.values.chunks_exact(picture_in).zip(out.chunks_exact_mut(picture_out)) {
                let picture = Picture { input, height: x.height, width: x.width, upsample };
                match form {
                    Form::Winograd(weights) => winograd::convolve(picture, weights, &self.bias, out),
                    Form::Taps(weights) if self.stride == 1 => self.shifted(picture, weights, out_width, out),
                    Form::Taps(weights) => self.gathered(picture, weights, out_width, out),
                }
            }
        }
        if let Some(residual) = residual {
            add_assign(&mut out, residual);
        }
        out
    }

    /// `out = rows · weights + bias`.
    fn product_with_bias(
        &self,
        rows: &[f32],
        row_stride: usize,
        weights: &[f32],
        count: usize,
        out: &mut [f32],
    ) {
        for out in out.chunks_exact_mut(self.c_out) {
            out.copy_from_slice(&self.bias);
        }
        let k = weights.len() / self.c_out;
        let (lhs, rhs) = (Matrix::rows(rows, row_stride), Matrix::rows(weights, self.c_out));
        product([count, self.c_out, k], lhs, rhs, out, self.c_out, true, true);
    }

    /// The picture with its border of zeros, doubled if asked: `[H + pad, W + pad, C_in]`.
    fn padded(&self, picture: Picture<'_>) -> (Vec<f32>, usize) {
        let shift = usize::from(picture.upsample);
        let (height, width) = (picture.height << shift, picture.width << shift);
        let [before, after] = self.padding;
        let row = (width + before + after) * self.c_in;
        let mut padded = vec![0.0; (height + before + after) * row];
        for y in 0..height {
            let from =
                &picture.input[(y >> shift) * picture.width * self.c_in..][..picture.width * self.c_in];
            let to = &mut padded[(y + before) * row + before * self.c_in..][..width * self.c_in];
            if picture.upsample {
                for (to, from) in to.chunks_exact_mut(2 * self.c_in).zip(from.chunks_exact(self.c_in)) {
                    to[..self.c_in].copy_from_slice(from);
                    to[self.c_in..].copy_from_slice(from);
                }
            } else {
                to.copy_from_slice(from);
            }
        }
        (padded, row)
    }

    /// Stride 1: for each kernel row one product whose left rows overlap, `C_in` apart.
    fn shifted(&self, picture: Picture<'_>, weights: &[f32], out_width: usize, out: &mut [f32]) {
        let (padded, row) = self.padded(picture);
        let padded_width = row / self.c_in;
        let out_height = out.len() / (out_width * self.c_out);
        let k = self.kernel * self.c_in;
        // Results for the padded width; the last columns of each row are of no use.
        let count = (out_height - 1) * padded_width + out_width;
        let mut wide = vec![0.0; out_height * padded_width * self.c_out];
        for ky in 0..self.kernel {
            let lhs = Matrix::rows(&padded[ky * row..], self.c_in);
            let rhs = Matrix::rows(&weights[ky * k * self.c_out..][..k * self.c_out], self.c_out);
            product([count, self.c_out, k], lhs, rhs, &mut wide, self.c_out, ky > 0, true);
        }
        let rows =
            wide.chunks_exact(padded_width * self.c_out).zip(out.chunks_exact_mut(out_width * self.c_out));
        for (wide, out) in rows {
            out.copy_from_slice(&wide[..out.len()]);
            for out in out.chunks_exact_mut(self.c_out) {
                add_assign(out, &self.bias);
            }
        }
    }

    /// Any stride: the input of each output pixel is gathered into a row.
    fn gathered(&self, picture: Picture<'_>, weights: &[f32], out_width: usize, out: &mut [f32]) {
        let (padded, row) = self.padded(picture);
        let out_height = out.len() / (out_width * self.c_out);
        let k = self.kernel * self.c_in;
        let mut gathered = Vec::with_capacity(out_height * out_width * self.kernel * k);
        for y in 0..out_height {
            for x in 0..out_width {
                for ky in 0..self.kernel {
                    let from = (y * self.stride + ky) * row + x * self.stride * self.c_in;
                    gathered.extend_from_slice(&padded[from..from + k]);
                }
            }
        }
        self.product_with_bias(&gathered, self.kernel * k, weights, out_height * out_width, out);
    }
}

/// `[C_out, C_in, k, k]` to `[k·k·C_in][C_out]`.
fn taps(raw: &[f32], c_out: usize, c_in: usize, kernel: usize) -> Vec<f32> {
    let taps = kernel * kernel;
    let mut ordered = vec![0.0; raw.len()];
    for o in 0..c_out {
        for i in 0..c_in {
            for tap in 0..taps {
                ordered[(tap * c_in + i) * c_out + o] = raw[(o * c_in + i) * taps + tap];
            }
        }
    }
    ordered
}
