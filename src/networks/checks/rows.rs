//! Norms, activations, rotations and sums: what goes over rows or single values.

use super::side::Side;
use super::tolerance::Sums;
use super::{Case, Operation};
use crate::networks::Runtime;
use crate::networks::backend::{Result, Tensor};
use crate::networks::ops::{
    GroupNorm, LayerNorm, NormSilu, RmsNorm, RotaryEmbedding, RotaryPairs, add_scaled, geglu, gelu,
    gelu_tanh, gelu_tanh_gated, quick_gelu, relu, silu, silu_gated,
};

/// The normalised value, its product with the weight, and the sum with the bias.
const NORM: usize = 3;

fn group_norm([images, channels, height, width]: [usize; 4], groups: usize, with_silu: bool) -> Case {
    let silu = if with_silu { ", with SiLU" } else { "" };
    let words = format!("{groups} groups of {channels} channels, {images} × {height}×{width}{silu}");
    let sums = Sums::of_products(channels / groups * height * width, NORM + usize::from(with_silu));
    Case::new(Operation::GroupNorm, words, sums, move |side| {
        let [weight, bias] = [1, 2].map(|salt| side.tensor(&[channels], salt));
        let norm = GroupNorm::new(side.runtime, &weight?, &bias?, groups, 1e-6)?;
        let x = side.feature_map([images, channels, height, width], 3)?;
        if with_silu { NormSilu::new(&norm, None).forward(&x) } else { norm.forward(&x) }
    })
}

fn layer_norm(tokens: usize, width: usize) -> Case {
    let words = format!("{width} values, 2 × {tokens} tokens");
    Case::new(Operation::LayerNorm, words, Sums::of_products(width, NORM), move |side| {
        let [weight, bias] = [1, 2].map(|salt| side.tensor(&[width], salt));
        LayerNorm::new(side.runtime, &weight?, &bias?, 1e-5)?.forward(&side.tensor(&[2, tokens, width], 3)?)
    })
}

fn rms_norm(tokens: usize, heads: usize, width: usize) -> Case {
    let words = format!("{heads} heads of {width}, {tokens} tokens");
    Case::new(Operation::RmsNorm, words, Sums::of_products(width, NORM), move |side| {
        RmsNorm::new(side.runtime, &side.tensor(&[width], 1)?, 1e-6)?
            .forward(&side.tensor(&[1, tokens, heads * width], 2)?)
    })
}

fn rotation(tokens: usize, half: usize, pairs: RotaryPairs) -> Case {
    let name = if pairs == RotaryPairs::Neighbours { "neighbours" } else { "halves" };
    let words = format!("3 heads of {}, {tokens} tokens, {name}", 2 * half);
    Case::new(Operation::Rotation, words, Sums::of_products(2, 1), move |side| {
        let angles: Vec<f64> = (0..tokens * half).map(|i| (i * i % 97) as f64 / 7.0).collect();
        RotaryEmbedding::new(side.runtime, &angles, half, pairs)?
            .forward(&side.tensor(&[1, tokens, 6 * half], 1)?)
    })
}

fn activation(name: &str, function: fn(&Runtime, &Tensor) -> Result<Tensor>) -> Case {
    // The argument, its exponential, the sum and the quotient.
    let words = format!("{name}, 2 × 37 × 130 values");
    Case::new(Operation::Activation, words, Sums::of_values(4), move |side| {
        function(side.runtime, &side.scaled(&[2, 37, 130], 6.0, 1)?)
    })
}

/// [`relu`] takes feature maps.
fn relu_of_map(runtime: &Runtime, x: &Tensor) -> Result<Tensor> {
    relu(runtime, &x.unsqueeze(0)?)
}

fn gated(name: &str, function: fn(&Runtime, &Tensor, &Tensor) -> Result<Tensor>) -> Case {
    let words = format!("{name}, gated, 37 × 130 values");
    Case::new(Operation::Activation, words, Sums::of_values(5), move |side| {
        let shape = [1, 37, 130];
        function(side.runtime, &side.scaled(&shape, 6.0, 1)?, &side.tensor(&shape, 2)?)
    })
}

fn scaled_sum(side: &Side<'_>) -> Result<Tensor> {
    let shape = [1, 41, 96];
    add_scaled(side.runtime, &side.tensor(&shape, 1)?, &side.tensor(&[96], 2)?, &side.tensor(&shape, 3)?)
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        group_norm([2, 64, 17, 23], 32, false),
        group_norm([2, 64, 17, 23], 32, true),
        group_norm([1, 320, 64, 64], 32, true).large(),
        group_norm([1, 128, 256, 256], 32, true).large(),
        layer_norm(77, 320),
        layer_norm(5, 97),
        layer_norm(1024, 3072).large(),
        rms_norm(61, 3, 128),
        rms_norm(40, 1, 96),
        rms_norm(1280, 8, 128).large(),
        rotation(67, 64, RotaryPairs::Neighbours),
        rotation(67, 64, RotaryPairs::Halves),
        activation("SiLU", silu),
        activation("ReLU", relu_of_map),
        activation("GELU", gelu),
        activation("GELU by tanh", gelu_tanh),
        activation("quick GELU", quick_gelu),
        activation("GEGLU", geglu),
        gated("SiLU", silu_gated),
        gated("GELU by tanh", gelu_tanh_gated),
        Case::new(Operation::ScaledSum, "96 factors, 41 tokens", Sums::of_values(2), scaled_sum),
    ]
}
