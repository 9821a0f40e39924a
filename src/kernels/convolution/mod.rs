//! Convolutions over `[B, H, W, C]`, without the im2col copy: as one GEMM whose LHS rows overlap in the padded image, or by
//! Winograd's transform.

mod feature_map;
mod winograd;

use super::KernelContext;
use super::activation::add_assign;
use super::gemm::{
    self, LhsView, MatrixLayout, OperandFormat, PackedFormat, PackedWeights, RowLayout, WeightData,
};
use super::{PARALLEL_VALUES, Precision};

pub use feature_map::{Epilogue, FeatureMap, Prologue};

/// Winograd's transform pays from this many tiles of 4×4 results on: below, its 36 products are thinner than a register
/// tile, and the weights' transform weighs more.
const WINOGRAD_TILES: usize = 4;
/// Fewer input channels than a vector has lanes leave Winograd's transforms half empty.
const WINOGRAD_CHANNELS: usize = 16;

/// A convolution's sizes.
#[derive(Clone, Copy, Debug)]
pub struct Geometry {
    /// Input channels.
    pub c_in: usize,
    /// Output channels.
    pub c_out: usize,
    /// Edge of the kernel.
    pub kernel: usize,
    /// Stride in both directions.
    pub stride: usize,
    /// Zeros before the first row and column, and after the last.
    pub padding: [usize; 2],
}

impl Geometry {
    /// `[B, H', W', C_out]` for images of this number, height and width.
    pub fn output_shape(&self, [images, height, width]: [usize; 3]) -> [usize; 4] {
        let [height, width] = [height, width]
            .map(|edge| (edge + self.padding[0] + self.padding[1] - self.kernel) / self.stride + 1);
        [images, height, width, self.c_out]
    }

    /// Whether Winograd's transform is for this kind of layer. It needs 4/9 of the multiplications (25/36 of those in
    /// doubled images), so it is the faster way in bf16 too, whose products take half the time.
    fn suits_winograd(&self) -> bool {
        (self.kernel, self.stride, self.padding) == (3, 1, [1, 1]) && self.c_in >= WINOGRAD_CHANNELS
    }

    /// The format of the weights: of GEMMs the context's, where the rows of the LHS allow it.
    fn packed_format(&self, ctx: &KernelContext) -> PackedFormat {
        match ctx.precision() {
            Precision::Full => PackedFormat::AsStored,
            Precision::Bf16 if self.suits_winograd() => PackedFormat::TwoBytes,
            // Pixels begin at multiples of the channels.
            Precision::Bf16 => match OperandFormat::for_depth(ctx.precision(), self.c_in) {
                OperandFormat::F32 => PackedFormat::TwoBytes,
                OperandFormat::Bf16Pairs => PackedFormat::Bf16Pairs,
            },
        }
    }
}

/// A convolution's weights; depth: kernel rows, kernel columns, input channels.
pub struct Convolution {
    geometry: Geometry,
    weights: PackedWeights,
}

impl Convolution {
    /// Packs weights `[C_out, C_in, k, k]` and bias `[C_out]`.
    ///
    /// # Panics
    /// If there are fewer weights.
    pub fn new(ctx: &KernelContext, geometry: Geometry, data: WeightData<'_>, bias: Option<&[f32]>) -> Self {
        let Geometry { c_in, c_out, kernel, .. } = geometry;
        let taps = kernel * kernel;
        let layout =
            MatrixLayout { row: |k: usize| (k % c_in) * taps + k / c_in, column_stride: c_in * taps };
        let format = geometry.packed_format(ctx);
        let weights = PackedWeights::with_format(ctx, [taps * c_in, c_out], bias, data, &layout, format);
        Self { geometry, weights }
    }

    /// [`Geometry::output_shape`] for a feature map with its prologue.
    pub fn output_shape(&self, x: &FeatureMap<'_>) -> [usize; 4] {
        let [height, width] = x.size();
        self.geometry.output_shape([x.images, height, width])
    }

    /// The convolution of each image plus the epilogue: `[B, H', W', C_out]`.
    ///
    /// # Panics
    /// If sizes do not fit.
    pub fn forward(&self, ctx: &KernelContext, x: FeatureMap<'_>, epilogue: Epilogue<'_>) -> Vec<f32> {
        let shape = self.output_shape(&x);
        let len = shape.iter().product();
        if len == 0 || x.values.is_empty() {
            return vec![0.0; len];
        }
        assert_eq!(
            x.values.len(),
            x.images * x.height * x.width * self.geometry.c_in,
            "a feature map's size"
        );
        let [images, height, width, _] = shape;
        let bias = self.bias_with(ctx, epilogue, images);
        let tiles = images * height.div_ceil(winograd::OUT) * width.div_ceil(winograd::OUT);
        if self.geometry.suits_winograd() && tiles >= WINOGRAD_TILES {
            return winograd::convolve(ctx, self.weights.rhs(), &bias, x, epilogue.residual());
        }
        // A GEMM has one bias for all rows; where images differ, these are few pixels, multiplied one image at a time.
        let columns = gemm::packed_columns(self.geometry.c_out);
        let together = images / (bias.len() / columns);
        let [pixels_in, pixels_out] = [x.values.len(), len].map(|values| values / images * together);
        let mut results = Vec::with_capacity(len);
        for (index, bias) in bias.chunks_exact(columns).enumerate() {
            let values = &x.values[index * pixels_in..][..pixels_in];
            let residual = epilogue.residual().map(|all| &all[index * pixels_out..][..pixels_out]);
            let epilogue = gemm::Epilogue { accumulate: false, bias, residual };
            let x = FeatureMap { values, images: together, ..x };
            let result = self.multiply(ctx, x, index * together, shape, epilogue);
            if together == images {
                return result;
            }
            results.extend(result);
        }
        results
    }

    /// The bias with what is added to every pixel, a value for each packed column: one row for all images or for each.
    fn bias_with(&self, ctx: &KernelContext, epilogue: Epilogue<'_>, images: usize) -> Vec<f32> {
        let (c_out, columns) = (self.geometry.c_out, gemm::packed_columns(self.geometry.c_out));
        let mut bias = self.weights.bias().to_vec();
        bias.resize(columns, 0.0);
        let Some(channels) = epilogue.channels() else { return bias };
        assert!(
            channels.len() == c_out || channels.len() == images * c_out,
            "a vector for all images or for each"
        );
        let mut rows = bias.repeat(channels.len() / c_out);
        for (row, channels) in rows.chunks_exact_mut(columns).zip(channels.chunks_exact(c_out)) {
            add_assign(ctx.isa(), &mut row[..c_out], channels);
        }
        rows
    }

    /// [`Self::forward`] as one GEMM, of images from `first` on.
    fn multiply(
        &self,
        ctx: &KernelContext,
        x: FeatureMap<'_>,
        first: usize,
        [_, out_height, out_width, _]: [usize; 4],
        epilogue: gemm::Epilogue<'_>,
    ) -> Vec<f32> {
        let Geometry { c_in, kernel, stride, padding, .. } = self.geometry;
        if (kernel, stride, padding) == (1, 1, [0, 0]) && matches!(x.prologue, Prologue::None) {
            let lhs = LhsView::plain(x.values, x.images * x.height * x.width, c_in);
            return self.weights.multiply_with(ctx, lhs, epilogue);
        }
        let [height, width] = x.size().map(|edge| edge + padding[0] + padding[1]);
        let line = width * c_in;
        let mut padded = ctx.scratch(x.images * height * line);
        let share = padded.len() >= 4 * PARALLEL_VALUES;
        ctx.threads().for_each_chunk(share, &mut padded, line, |index, to| {
            self.pad_line(ctx, x, [first, index / height], index % height, to);
        });
        let layout = RowLayout {
            images: x.images,
            image_stride: height * line,
            lines: out_height,
            line_stride: stride * line,
            length: out_width,
            row_stride: stride * c_in,
            // The inputs of one kernel row lie side by side.
            segments: kernel,
            segment_stride: line,
        };
        self.weights.multiply_with(ctx, LhsView { values: &padded, layout }, epilogue)
    }

    /// Line `y` of a padded image after its prologue; `image` counts in `x`, which begins with the `first` of the batch.
    fn pad_line(
        &self,
        ctx: &KernelContext,
        x: FeatureMap<'_>,
        [first, image]: [usize; 2],
        y: usize,
        to: &mut [f32],
    ) {
        let Geometry { c_in, padding: [before, _], .. } = self.geometry;
        let [inner_height, inner_width] = x.size();
        let y = y.wrapping_sub(before);
        if y >= inner_height {
            to.fill(0.0);
            return;
        }
        let (border, to) = to.split_at_mut(before * c_in);
        let (to, border_after) = to.split_at_mut(inner_width * c_in);
        border.fill(0.0);
        border_after.fill(0.0);
        let line = x.line();
        let from = &x.values[(image * x.height + (y >> usize::from(x.is_doubled()))) * line..][..line];
        match x.prologue {
            Prologue::None => to.copy_from_slice(from),
            Prologue::Norm(norm) => norm.apply(ctx.isa(), first + image, from, to),
            Prologue::Doubling => {
                for (to, from) in to.chunks_exact_mut(2 * c_in).zip(from.chunks_exact(c_in)) {
                    to[..c_in].copy_from_slice(from);
                    to[c_in..].copy_from_slice(from);
                }
            }
        }
    }
}
