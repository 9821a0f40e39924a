//! Convolutions over `[B, H, W, C]`, without the im2col copy: as one packed product whose left rows
//! overlap in the padded picture, or by Winograd's transform.

use rayon::prelude::*;

use super::super::threads;
use super::gemm::{Rows, Weights};
use super::norm::Affine;
use super::pack::{Place, Stored};
use super::{PARALLEL_VALUES, winograd};

/// Winograd pays from this many tiles of 4×4 results on (measured; below, its 36 products are thinner
/// than a register tile, and the weights' transform weighs more).
const WINOGRAD_TILES: usize = 4;
/// The same where the direct product is one of pairs of bf16 values, twice as fast as Winograd's of f32.
const WINOGRAD_TILES_FOR_PAIRS: usize = 48;
/// Fewer input channels than a vector has lanes leave Winograd's transforms half empty.
const WINOGRAD_CHANNELS: usize = 16;

/// A convolution's sizes.
#[derive(Clone, Copy)]
pub(in super::super) struct Geometry {
    pub(in super::super) c_in: usize,
    pub(in super::super) c_out: usize,
    /// Edge of the kernel.
    pub(in super::super) kernel: usize,
    pub(in super::super) stride: usize,
    /// Pixels of zeros before the first row and column, and after the last.
    pub(in super::super) padding: [usize; 2],
}

/// One convolution's weights; depth: kernel rows, kernel columns, input channels.
pub(in super::super) struct Convolution {
    geometry: Geometry,
    weights: Weights,
}

/// A batch of pictures, `[B, H, W, C]`.
#[derive(Clone, Copy)]
pub(in super::super) struct Batch<'a> {
    pub(in super::super) values: &'a [f32],
    pub(in super::super) pictures: usize,
    pub(in super::super) height: usize,
    pub(in super::super) width: usize,
    /// Whether each pixel is doubled in both directions first.
    pub(in super::super) upsample: bool,
    /// What the pixels go through first; not together with `upsample`.
    pub(in super::super) norm: Option<&'a Affine>,
}

impl Batch<'_> {
    /// Height and width the convolution sees.
    pub(super) fn doubled_size(&self) -> [usize; 2] {
        let shift = usize::from(self.upsample);
        [self.height << shift, self.width << shift]
    }
}

impl Geometry {
    /// Height and width of the result for an input of this size.
    fn output_size(&self, size: [usize; 2]) -> [usize; 2] {
        size.map(|edge| (edge + self.padding[0] + self.padding[1] - self.kernel) / self.stride + 1)
    }

    /// `[B, C_out, H', W']` for pictures of this number, height and width.
    pub(in super::super) fn output_shape(
        &self,
        [pictures, height, width]: [usize; 3],
        upsample: bool,
    ) -> [usize; 4] {
        let shift = usize::from(upsample);
        let [height, width] = self.output_size([height << shift, width << shift]);
        [pictures, self.c_out, height, width]
    }
}

impl Convolution {
    /// [`Geometry::output_shape`].
    pub(in super::super) fn output_shape(&self, pictures: [usize; 3], upsample: bool) -> [usize; 4] {
        self.geometry.output_shape(pictures, upsample)
    }

    /// Packs weights `[C_out, C_in, k, k]` and bias.
    pub(in super::super) fn new(geometry: Geometry, stored: Stored<'_>, bias: Option<&[f32]>) -> Self {
        let Geometry { c_in, c_out, kernel, .. } = geometry;
        let taps = kernel * kernel;
        // (tap, input channel) of the product's depth in `[C_out, C_in, k, k]`.
        let place = Place { row: |k: usize| (k % c_in) * taps + k / c_in, column_stride: c_in * taps };
        let weights = Weights::new([taps * c_in, c_out], bias, stored, &place, c_in.is_multiple_of(2));
        Self { geometry, weights }
    }

    /// Whether Winograd's way is the faster for a batch of this result, `[B, C_out, H', W']`.
    fn suits_winograd(&self, [pictures, _, height, width]: [usize; 4]) -> bool {
        let Geometry { c_in, kernel, stride, padding, .. } = self.geometry;
        let tiles = pictures * height.div_ceil(winograd::OUT) * width.div_ceil(winograd::OUT);
        let least = if self.weights.matrix.is_paired() { WINOGRAD_TILES_FOR_PAIRS } else { WINOGRAD_TILES };
        (kernel, stride, padding) == (3, 1, [1, 1]) && c_in >= WINOGRAD_CHANNELS && tiles >= least
    }

    /// The convolution of each picture, plus `residual` (of the result's size): the values
    /// `[B, H', W', C_out]`.
    pub(in super::super) fn forward(&self, x: Batch<'_>, residual: Option<&[f32]>) -> Vec<f32> {
        let Geometry { c_in, kernel, stride, .. } = self.geometry;
        let shape = self.geometry.output_shape([x.pictures, x.height, x.width], x.upsample);
        let [_, _, out_height, out_width] = shape;
        let len = shape.iter().product();
        if len == 0 || x.values.is_empty() {
            return vec![0.0; len];
        }
        if self.suits_winograd(shape) {
            winograd::convolve(&self.weights, x, residual)
        } else if kernel == 1 && stride == 1 && !x.upsample && x.norm.is_none() {
            let pixels = x.pictures * x.height * x.width;
            self.weights.multiply(Rows::plain(x.values, pixels, c_in), residual)
        } else {
            let (padded, [height, width]) = self.padded(x);
            let line = width * c_in;
            let rows = Rows {
                values: &padded,
                pictures: x.pictures,
                picture_stride: height * line,
                lines: out_height,
                line_stride: stride * line,
                length: out_width,
                row_stride: stride * c_in,
                // One kernel row's inputs lie side by side.
                segments: kernel,
                segment_stride: line,
            };
            self.weights.multiply(rows, residual)
        }
    }

    /// The pictures with their border of zeros, doubled if asked: `[B, H + pad, W + pad, C_in]`, with
    /// the padded height and width.
    fn padded(&self, x: Batch<'_>) -> (Vec<f32>, [usize; 2]) {
        let shift = usize::from(x.upsample);
        let [inner_height, inner_width] = x.doubled_size();
        let Geometry { c_in, padding: [before, after], .. } = self.geometry;
        let [height, width] = [inner_height + before + after, inner_width + before + after];
        let mut padded = vec![0.0; x.pictures * height * width * c_in];
        let fill = |(line, to): (usize, &mut [f32])| {
            let (picture, y) = (line / height, (line % height).wrapping_sub(before));
            if y >= inner_height {
                return;
            }
            let line_in = x.width * c_in;
            let from = &x.values[(picture * x.height + (y >> shift)) * line_in..][..line_in];
            let to = &mut to[before * c_in..][..inner_width * c_in];
            match x.norm {
                Some(norm) => norm.apply(picture, from, to),
                None if x.upsample => {
                    for (to, from) in to.chunks_exact_mut(2 * c_in).zip(from.chunks_exact(c_in)) {
                        to[..c_in].copy_from_slice(from);
                        to[c_in..].copy_from_slice(from);
                    }
                }
                None => to.copy_from_slice(from),
            }
        };
        if padded.len() < 4 * PARALLEL_VALUES || threads::count() == 1 {
            padded.chunks_exact_mut(width * c_in).enumerate().for_each(fill);
        } else {
            padded.par_chunks_exact_mut(width * c_in).enumerate().for_each(fill);
        }
        (padded, [height, width])
    }
}
