//! Layers from named weights, and the ResNet block of UNet and autoencoder.

use super::ops::{Conv2d, Epilogue, GroupNorm, GroupStatistics, LayerNorm, Linear, NormSilu, Padding, silu};
use super::{Parameters, Runtime};
use crate::networks::backend::{Result, Tensor};

/// A convolution from `weight` and `bias`.
pub(super) fn conv(
    vb: &Parameters,
    [inputs, outputs, kernel]: [usize; 3],
    stride: usize,
    padding: Padding,
) -> Result<Conv2d> {
    let weight = vb.stored((outputs, inputs, kernel, kernel), "weight")?;
    Conv2d::new(vb.runtime(), &weight, Some(&vb.stored(outputs, "bias")?), stride, padding)
}

/// A 3×3 convolution that keeps the size.
pub(super) fn conv3x3(vb: &Parameters, inputs: usize, outputs: usize) -> Result<Conv2d> {
    conv(vb, [inputs, outputs, 3], 1, Padding::Same(1))
}

/// A linear layer with bias, from `weight` and `bias`.
pub(super) fn linear(vb: &Parameters, inputs: usize, outputs: usize) -> Result<Linear> {
    Linear::new(vb.runtime(), &vb.stored((outputs, inputs), "weight")?, Some(&vb.stored(outputs, "bias")?))
}

/// A linear layer without bias, from `weight`.
pub(super) fn linear_no_bias(vb: &Parameters, inputs: usize, outputs: usize) -> Result<Linear> {
    Linear::new(vb.runtime(), &vb.stored((outputs, inputs), "weight")?, None)
}

/// A linear layer that older files store as a 1×1 convolution: `weight` is `[O, I]` or `[O, I, 1, 1]`.
pub(super) fn linear_or_conv1x1(vb: &Parameters, inputs: usize, outputs: usize) -> Result<Linear> {
    let weight = if vb.shape_of("weight").is_some_and(|shape| shape.len() == 4) {
        vb.stored((outputs, inputs, 1, 1), "weight")?.reshaped(&[outputs, inputs])
    } else {
        vb.stored((outputs, inputs), "weight")?
    };
    Linear::new(vb.runtime(), &weight, Some(&vb.stored(outputs, "bias")?))
}

/// A group norm from `weight` and `bias`.
pub(super) fn group_norm(vb: &Parameters, channels: usize, groups: usize, eps: f64) -> Result<GroupNorm> {
    GroupNorm::new(vb.runtime(), &vb.get(channels, "weight")?, &vb.get(channels, "bias")?, groups, eps)
}

/// A layer norm from `weight` and `bias`.
pub(super) fn layer_norm(vb: &Parameters, width: usize, eps: f64) -> Result<LayerNorm> {
    LayerNorm::new(vb.runtime(), &vb.get(width, "weight")?, &vb.get(width, "bias")?, eps)
}

/// Two convolutions with a residual connection: diffusers' `ResnetBlock2D`.
pub(super) struct ResnetBlock {
    runtime: Runtime,
    norm1: GroupNorm,
    conv1: Conv2d,
    time: Option<Linear>,
    norm2: GroupNorm,
    conv2: Conv2d,
    shortcut: Option<Conv2d>,
}

/// Norm groups and epsilon.
#[derive(Clone, Copy)]
pub(super) struct NormConfig {
    pub(super) groups: usize,
    pub(super) eps: f64,
}

impl ResnetBlock {
    /// `time_width`: width T of the time embedding; `None` without one.
    pub(super) fn new(
        vb: &Parameters,
        inputs: usize,
        outputs: usize,
        time_width: Option<usize>,
        norm: NormConfig,
    ) -> Result<Self> {
        Ok(Self {
            runtime: vb.runtime().clone(),
            norm1: group_norm(&vb.pp("norm1"), inputs, norm.groups, norm.eps)?,
            conv1: conv3x3(&vb.pp("conv1"), inputs, outputs)?,
            time: time_width.map(|width| linear(&vb.pp("time_emb_proj"), width, outputs)).transpose()?,
            norm2: group_norm(&vb.pp("norm2"), outputs, norm.groups, norm.eps)?,
            conv2: conv3x3(&vb.pp("conv2"), outputs, outputs)?,
            shortcut: (inputs != outputs)
                .then(|| conv(&vb.pp("conv_shortcut"), [inputs, outputs, 1], 1, Padding::Same(0)))
                .transpose()?,
        })
    }

    /// `[B, I, H, W] → [B, O, H, W]`; `time`: `[1, T]`, or `[B, T]` where images differ.
    pub(super) fn forward(&self, x: Tensor, time: Option<&Tensor>) -> Result<Tensor> {
        let hidden = self.first(&x, None, time)?;
        self.second(&hidden, None, x)
    }

    /// Input and output channels.
    pub(super) fn channels(&self) -> [usize; 2] {
        self.conv1.channels()
    }

    /// The norms before the two convolutions.
    pub(super) fn norms(&self) -> [&GroupNorm; 2] {
        [&self.norm1, &self.norm2]
    }

    /// First norm (with its own statistics or given ones), first convolution and time embedding: `[B, I, H, W] → [B, O,
    /// H, W]`.
    pub(super) fn first(
        &self,
        x: &Tensor,
        statistics: Option<&GroupStatistics>,
        time: Option<&Tensor>,
    ) -> Result<Tensor> {
        let time = match (&self.time, time) {
            (Some(projection), Some(time)) => Some(projection.forward(&silu(&self.runtime, time)?)?),
            _ => None,
        };
        let time = time.as_ref().map_or(Epilogue::None, Epilogue::Channels);
        self.conv1.forward_normed(x, NormSilu::new(&self.norm1, statistics), time)
    }

    /// Second norm and convolution of `hidden` `[B, O, H, W]`, plus `x` or its shortcut.
    pub(super) fn second(
        &self,
        hidden: &Tensor,
        statistics: Option<&GroupStatistics>,
        x: Tensor,
    ) -> Result<Tensor> {
        // Frees the input before the last convolution, if nothing else holds it.
        let residual = match &self.shortcut {
            Some(shortcut) => {
                let residual = shortcut.forward(&x)?;
                drop(x);
                residual
            }
            None => x,
        };
        self.conv2.forward_normed(
            hidden,
            NormSilu::new(&self.norm2, statistics),
            Epilogue::Residual(&residual),
        )
    }
}
