//! Feature maps on their way into a convolution, and what is added to its result.

use super::super::norm::Affine;

/// A batch of images, `[B, H, W, C]`, and their prologue.
#[derive(Clone, Copy)]
pub struct FeatureMap<'a> {
    /// The values.
    pub values: &'a [f32],
    /// Images.
    pub images: usize,
    /// Height of an image.
    pub height: usize,
    /// Width of an image.
    pub width: usize,
    /// What the pixels go through first.
    pub prologue: Prologue<'a>,
}

/// What pixels go through on their way into a convolution.
#[derive(Clone, Copy)]
pub enum Prologue<'a> {
    /// Nothing.
    None,
    /// Each is repeated in both directions: nearest-neighbour upsampling by two.
    Doubling,
    /// A group norm and SiLU.
    Norm(&'a Affine),
}

/// What is added to the result `[B, H', W', C_out]` of a convolution beside its bias.
#[derive(Clone, Copy)]
pub enum Epilogue<'a> {
    /// Nothing.
    None,
    /// A feature map of its shape.
    Residual(&'a [f32]),
    /// A vector at every pixel: `[C_out]` for all images, or `[B, C_out]`, one for each.
    Channels(&'a [f32]),
}

impl<'a> FeatureMap<'a> {
    /// Whether pixels are repeated.
    pub(super) fn is_doubled(&self) -> bool {
        matches!(self.prologue, Prologue::Doubling)
    }

    pub(super) fn norm(&self) -> Option<&'a Affine> {
        if let Prologue::Norm(norm) = self.prologue { Some(norm) } else { None }
    }

    /// Height and width that the convolution sees.
    pub(super) fn size(&self) -> [usize; 2] {
        let shift = usize::from(self.is_doubled());
        [self.height << shift, self.width << shift]
    }

    /// Values of a line.
    pub(super) fn line(&self) -> usize {
        self.values.len() / (self.images * self.height)
    }
}

impl<'a> Epilogue<'a> {
    pub(super) fn residual(self) -> Option<&'a [f32]> {
        if let Self::Residual(residual) = self { Some(residual) } else { None }
    }

    pub(super) fn channels(self) -> Option<&'a [f32]> {
        if let Self::Channels(channels) = self { Some(channels) } else { None }
    }
}
