//! Convolutions, and feature maps as they lie in memory.

use super::side::Side;
use super::tolerance::Sums;
use super::{Case, Operation};
use crate::networks::backend::{self, Result};
use crate::networks::ops::{
    Conv2d, Epilogue, GroupNorm, NormSilu, Padding, concat_channels, crop, expand_batch, from_tokens,
    to_tokens,
};

/// By how much more f32 loses in the transforms of Winograd's convolutions of 3×3.
const WINOGRAD: f64 = 16.0;

/// What surrounds a convolution.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Around {
    Nothing,
    Doubling,
    /// Group norm and SiLU before, and the vector of the timestep after it.
    NormAndChannels,
    /// Group norm and SiLU before, and the skipped map after it.
    NormAndResidual,
}

#[derive(Clone, Copy)]
struct Shape {
    images: usize,
    inputs: usize,
    outputs: usize,
    size: [usize; 2],
    kernel: usize,
    stride: usize,
    padding: Padding,
}

impl Shape {
    /// 3×3 with a pixel of padding.
    const fn of(images: usize, inputs: usize, outputs: usize, size: [usize; 2]) -> Self {
        Self { images, inputs, outputs, size, kernel: 3, stride: 1, padding: Padding::Same(1) }
    }

    const fn halving(self, padding: Padding) -> Self {
        Self { stride: 2, padding, ..self }
    }

    const fn pointwise(self) -> Self {
        Self { kernel: 1, padding: Padding::Same(0), ..self }
    }

    fn case(self, around: Around) -> Case {
        let Self { images, inputs, outputs, size: [height, width], kernel, stride, padding } = self;
        let mut words =
            format!("{kernel}×{kernel}, {inputs} → {outputs} channels, {images} × {height}×{width}");
        if stride > 1 {
            words += ", stride 2";
        }
        if padding == Padding::BottomRight {
            words += ", padded below and right";
        }
        words += match around {
            Around::Nothing => "",
            Around::Doubling => ", after upsampling",
            Around::NormAndChannels => ", after a norm, plus a vector",
            Around::NormAndResidual => ", after a norm, plus a map",
        };
        let growth = if kernel == 3 && stride == 1 { WINOGRAD } else { 1.0 };
        // The products and the bias, and with a norm its four and the added term.
        let roundings = if matches!(around, Around::Nothing | Around::Doubling) { 2 } else { 6 };
        let sums = Sums::of_products(inputs * kernel * kernel, roundings).growing(growth);
        Case::new(Operation::Convolution, words, sums, move |side| self.compute(side, around))
    }

    fn compute(self, side: &Side<'_>, around: Around) -> Result<backend::Tensor> {
        let Self { images, inputs, outputs, size: [height, width], kernel, stride, padding } = self;
        let runtime = side.runtime;
        let weight = side.weight(&[outputs, inputs, kernel, kernel], 1);
        let conv = Conv2d::new(runtime, &weight, Some(&side.bias(outputs, 2)), stride, padding)?;
        let x = side.feature_map([images, inputs, height, width], 3)?;
        let norm = GroupNorm::new(
            runtime,
            &side.tensor(&[inputs], 4)?,
            &side.tensor(&[inputs], 5)?,
            if inputs.is_multiple_of(32) { 32 } else { 1 },
            1e-5,
        )?;
        let norm = NormSilu::new(&norm, None);
        match around {
            Around::Nothing => conv.forward(&x),
            Around::Doubling => conv.forward_upsampled(&x),
            Around::NormAndChannels => {
                conv.forward_normed(&x, norm, Epilogue::Channels(&side.tensor(&[images, outputs], 6)?))
            }
            Around::NormAndResidual => {
                let skipped = side.feature_map([images, outputs, height, width], 7)?;
                conv.forward_normed(&x, norm, Epilogue::Residual(&skipped))
            }
        }
    }
}

pub(super) fn cases() -> Vec<Case> {
    let quick = [
        (Shape::of(1, 4, 64, [33, 21]), Around::Nothing),
        (Shape::of(2, 48, 40, [17, 23]), Around::Nothing),
        (Shape::of(1, 40, 48, [19, 31]).halving(Padding::Same(1)), Around::Nothing),
        (Shape::of(1, 32, 32, [17, 20]).halving(Padding::BottomRight), Around::Nothing),
        (Shape::of(2, 64, 96, [13, 9]).pointwise(), Around::Nothing),
        (Shape::of(1, 32, 48, [11, 14]), Around::Doubling),
        (Shape::of(2, 64, 32, [16, 15]), Around::NormAndChannels),
        (Shape::of(2, 64, 64, [16, 15]), Around::NormAndResidual),
    ];
    let large = [
        // The levels of a UNet, at 264 × 248 pixels and 512² pixels.
        (Shape::of(2, 320, 320, [33, 31]), Around::NormAndChannels),
        (Shape::of(1, 640, 640, [32, 32]).halving(Padding::Same(1)), Around::Nothing),
        (Shape::of(1, 1280, 1280, [8, 8]), Around::NormAndResidual),
        (Shape::of(1, 1920, 640, [16, 16]).pointwise(), Around::Nothing),
        // A VAE's at 1024² pixels. Some devices gave zeros where the unfolded input was too large.
        (Shape::of(1, 512, 32, [128, 128]), Around::Nothing),
        (Shape::of(1, 128, 3, [256, 256]), Around::Nothing),
        (Shape::of(1, 256, 16, [64, 64]), Around::Doubling),
    ];
    let large = large.into_iter().map(|(shape, around)| shape.case(around).large());
    quick.into_iter().map(|(shape, around)| shape.case(around)).chain(large).chain(layouts()).collect()
}

fn layouts() -> Vec<Case> {
    let case = |words: &str, run: fn(&Side<'_>) -> Result<backend::Tensor>| {
        Case::new(Operation::Layout, words, Sums::NONE, run)
    };
    vec![
        case("maps joined by channel", |side| {
            concat_channels(&side.feature_map([2, 5, 7, 9], 1)?, &side.feature_map([2, 3, 7, 9], 2)?)
        }),
        case("a map cropped", |side| crop(&side.feature_map([2, 5, 9, 11], 1)?, [1, 2], [8, 10])),
        case("a map repeated", |side| expand_batch(&side.feature_map([1, 5, 9, 11], 1)?, 2)),
        case("a map as tokens and back", |side| {
            from_tokens(&to_tokens(&side.feature_map([2, 6, 5, 7], 1)?)?, 5, 7)
        }),
    ]
}
