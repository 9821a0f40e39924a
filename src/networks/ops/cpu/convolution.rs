//! Convolutions over `[B, H, W, C]`, without the im2col copy: as one packed product whose left rows
//! overlap in the padded picture, or by Winograd's transform.

use std::mem::MaybeUninit;

use super::super::threads;
use super::activation::add_assign;
use super::bf16::convert;
use super::gemm::Rows;
use super::norm::Affine;
use super::pack::{Form, Place, Stored};
use super::scratch::{Scratch, written};
use super::weights::Weights;
use super::{PARALLEL_VALUES, amx, winograd};

/// Winograd pays from this many tiles of 4×4 results on (measured; below, its 36 products are thinner
/// than a register tile, and the weights' transform weighs more).
const WINOGRAD_TILES: usize = 4;
/// The same where the direct product is one of pairs of bf16 values, twice as fast as Winograd's of f32.
const WINOGRAD_TILES_FOR_PAIRS: usize = 48;
/// The same where tile registers multiply split values, and how many channels it then needs.
const WINOGRAD_TILES_WITH_AMX: usize = 96;
const WINOGRAD_CHANNELS_WITH_AMX: usize = 128;
/// Fewer input channels than a vector has lanes leave Winograd's transforms half empty.
const WINOGRAD_CHANNELS: usize = 16;

/// Places of the lines converted at once for tile registers: most of the second-level cache of processors that have them.
const BAND_PLACES: usize = 420_000;
/// Each band converts lines that its neighbours convert too.
const LEAST_LINES: usize = 2;

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

/// What is added to a convolution's result `[B, O, H', W']`: tensors, or their values as they lie channels last.
#[derive(Clone, Copy)]
pub enum Added<T> {
    /// Nothing but the bias.
    Nothing,
    /// A feature map of its shape.
    Residual(T),
    /// A vector `[1, O]` at every pixel.
    Channels(T),
}

impl<T> Added<T> {
    pub(super) fn residual(self) -> Option<T> {
        if let Self::Residual(residual) = self { Some(residual) } else { None }
    }
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
        let (tiles_wanted, channels_wanted) = match (self.weights.matrix.is_paired(), amx::is_in_use()) {
            (true, true) => return false,
            (true, false) => (WINOGRAD_TILES_FOR_PAIRS, WINOGRAD_CHANNELS),
            (false, true) => (WINOGRAD_TILES_WITH_AMX, WINOGRAD_CHANNELS_WITH_AMX),
            (false, false) => (WINOGRAD_TILES, WINOGRAD_CHANNELS),
        };
        (kernel, stride, padding) == (3, 1, [1, 1]) && c_in >= channels_wanted && tiles >= tiles_wanted
    }

    /// The convolution of each picture, plus what is `added`: the values `[B, H', W', C_out]`.
    pub(in super::super) fn forward(&self, x: Batch<'_>, added: Added<&[f32]>) -> Vec<f32> {
        let shape = self.geometry.output_shape([x.pictures, x.height, x.width], x.upsample);
        let len = shape.iter().product();
        if len == 0 || x.values.is_empty() {
            return vec![0.0; len];
        }
        if self.suits_winograd(shape) {
            return winograd::convolve(&self.weights, x, added);
        }
        let mut out = self.multiply(x, added.residual(), shape);
        if let Added::Channels(channels) = added {
            for pixel in out.chunks_exact_mut(channels.len()) {
                add_assign(pixel, channels);
            }
        }
        out
    }

    /// [`Self::forward`] as a matrix product.
    fn multiply(&self, x: Batch<'_>, residual: Option<&[f32]>, shape: [usize; 4]) -> Vec<f32> {
        let Geometry { c_in, kernel, stride, .. } = self.geometry;
        let [_, _, out_height, out_width] = shape;
        if let Some((form, lines)) = self.bands(x, shape) {
            self.forward_in_bands(x, residual, shape, (form, lines))
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
                form: Form::F32,
            };
            self.weights.multiply(rows, residual)
        }
    }

    /// Height and width of a picture with its border of zeros, doubled if asked.
    fn padded_size(&self, x: Batch<'_>) -> [usize; 2] {
        let [before, after] = self.geometry.padding;
        x.doubled_size().map(|edge| edge + before + after)
    }

    /// In what form, and how many pictures and lines of each at once, if lines are to be converted for tile registers
    /// by the thread that is about to multiply them: they are still in its second-level cache then.
    fn bands(&self, x: Batch<'_>, [pictures, _, height, width]: [usize; 4]) -> Option<(Form, [usize; 2])> {
        let Geometry { c_in, kernel, stride, .. } = self.geometry;
        if !amx::is_in_use() || kernel == 1 {
            return None;
        }
        let form = self.weights.form(pictures * height * width, c_in.is_multiple_of(2));
        let [padded_height, padded_width] = self.padded_size(x);
        let line = form.places(padded_width * c_in);
        let lines = ((BAND_PLACES / line).saturating_sub(kernel - 1) / stride).max(LEAST_LINES).min(height);
        // Weights are read once for each band: small pictures share one.
        let together = if lines < height { 1 } else { (BAND_PLACES / (padded_height * line)).max(1) };
        let bands = pictures.div_ceil(together) * height.div_ceil(lines);
        let enough = threads::count() == 1 || bands >= 2 * threads::count();
        (form != Form::F32 && enough).then_some((form, [together, lines]))
    }

    fn forward_in_bands(
        &self,
        x: Batch<'_>,
        residual: Option<&[f32]>,
        shape: [usize; 4],
        (form, [together, lines]): (Form, [usize; 2]),
    ) -> Vec<f32> {
        let Geometry { c_in, kernel, stride, .. } = self.geometry;
        let [_, c_out, height, width] = shape;
        let (line_in, line_out) = (self.padded_size(x)[1] * c_in, width * c_out);
        let run =
            |(picture, first, residual, out): (usize, usize, Option<&[f32]>, &mut [MaybeUninit<f32>])| {
                // Lines of one picture, or whole pictures.
                let lines = height.min(out.len() / line_out);
                let pictures = out.len() / (lines * line_out);
                let lines_in = (lines - 1) * stride + kernel;
                let mut exact = Scratch::new(line_in);
                let values = pictures * lines_in * line_in;
                let mut places = Scratch::new(form.places(values));
                let form = form.of(values);
                for line in 0..pictures * lines_in {
                    let y = first * stride + line % lines_in;
                    self.pad_line(x, picture + line / lines_in, y, &mut exact);
                    convert(&exact, form, &mut places, line * line_in / 2);
                }
                let rows = Rows {
                    values: &places,
                    pictures,
                    picture_stride: lines_in * line_in / 2,
                    lines,
                    line_stride: stride * line_in / 2,
                    length: width,
                    row_stride: stride * c_in / 2,
                    segments: kernel,
                    segment_stride: line_in / 2,
                    form,
                };
                self.weights.multiply_converted(rows, residual, out);
            };
        let write = |out: &mut [MaybeUninit<f32>]| {
            let mut bands = Vec::new();
            for (some, out) in out.chunks_mut(together * height * line_out).enumerate() {
                let picture = some * together;
                for (band, out) in out.chunks_mut(together * lines * line_out).enumerate() {
                    let first = (picture * height + band * lines) * line_out;
                    let residual = residual.map(|residual| &residual[first..first + out.len()]);
                    bands.push((picture, band * lines, residual, out));
                }
            }
            threads::for_each(true, bands.into_iter(), run);
        };
        #[expect(unsafe_code, reason = "see `written`")]
        // SAFETY: every line of every picture is in a band, whose product writes its values.
        unsafe {
            written(shape.iter().product(), write)
        }
    }

    /// The pictures with their border of zeros, doubled if asked: `[B, H + pad, W + pad, C_in]`, with
    /// the padded height and width.
    fn padded(&self, x: Batch<'_>) -> (Vec<f32>, [usize; 2]) {
        let [height, width] = self.padded_size(x);
        let line = width * self.geometry.c_in;
        let mut padded = vec![0.0; x.pictures * height * line];
        let fill = |index: usize, to: &mut [f32]| self.pad_line(x, index / height, index % height, to);
        let share = padded.len() >= 4 * PARALLEL_VALUES;
        threads::for_each_chunk(share, &mut padded, line, fill);
        (padded, [height, width])
    }

    /// Line `y` of a padded picture.
    fn pad_line(&self, x: Batch<'_>, picture: usize, y: usize, to: &mut [f32]) {
        let shift = usize::from(x.upsample);
        let [inner_height, inner_width] = x.doubled_size();
        let Geometry { c_in, padding: [before, _], .. } = self.geometry;
        let y = y.wrapping_sub(before);
        if y >= inner_height {
            to.fill(0.0);
            return;
        }
        let (border, to) = to.split_at_mut(before * c_in);
        let (to, border_after) = to.split_at_mut(inner_width * c_in);
        border.fill(0.0);
        border_after.fill(0.0);
        let line_in = x.width * c_in;
        let from = &x.values[(picture * x.height + (y >> shift)) * line_in..][..line_in];
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
    }
}
