//! Attention: head widths from 40 to 512, odd numbers of tokens, masks.

use super::side::Side;
use super::tolerance::Sums;
use super::{Case, Operation};
use crate::networks::backend::{self, Result};
use crate::networks::ops::{Mask, RelativeBias, attention, attention_with_relative_bias};

/// The exponential of the softmax passes the absolute error of a logit on as a relative one, and logits reach 5 or so.
const SOFTMAX: f64 = 8.0;

#[derive(Clone, Copy)]
struct Shape {
    images: usize,
    queries: usize,
    keys: usize,
    heads: usize,
    head_width: usize,
    mask: Mask,
}

impl Shape {
    const fn of(images: usize, [queries, keys]: [usize; 2], [heads, head_width]: [usize; 2]) -> Self {
        Self { images, queries, keys, heads, head_width, mask: Mask::None }
    }

    const fn causal(self) -> Self {
        Self { mask: Mask::Causal, ..self }
    }

    fn case(self) -> Case {
        let Self { images, queries, keys, heads, head_width, mask } = self;
        let causal = if mask == Mask::Causal { ", causal" } else { "" };
        let words =
            format!("{heads} heads of {head_width}, {images} × {queries} queries, {keys} keys{causal}");
        // The weights of the values, and the result.
        let sums = Sums::of_products(head_width.max(keys), 2).growing(SOFTMAX);
        Case::new(Operation::Attention, words, sums, move |side| self.compute(side))
    }

    fn compute(self, side: &Side<'_>) -> Result<backend::Tensor> {
        let Self { images, queries, keys, heads, head_width, mask } = self;
        let width = heads * head_width;
        // Twice the usual size, so that the softmax has something to choose.
        let q = side.scaled(&[images, queries, width], 2.0, 1)?;
        let k = side.scaled(&[images, keys, width], 2.0, 2)?;
        let v = side.tensor(&[images, keys, width], 3)?;
        attention(side.runtime, [&q, &k, &v], heads, mask)
    }
}

pub(super) fn cases() -> Vec<Case> {
    let quick = [
        Shape::of(2, [131, 77], [2, 40]),
        Shape::of(1, [65, 65], [3, 64]),
        Shape::of(2, [77, 77], [2, 64]).causal(),
        Shape::of(1, [131, 77], [2, 80]),
        Shape::of(1, [97, 97], [2, 128]),
        Shape::of(2, [33, 77], [1, 160]),
        Shape::of(1, [50, 50], [2, 256]),
        Shape::of(1, [35, 35], [1, 512]),
    ];
    let large = [
        // A UNet's at 512² pixels: of Stable Diffusion 1 with itself and with the prompt, and of XL.
        Shape::of(1, [4096, 4096], [2, 40]),
        Shape::of(2, [4096, 77], [8, 40]),
        Shape::of(2, [1024, 1024], [8, 80]),
        Shape::of(1, [1024, 1024], [10, 64]),
        Shape::of(1, [256, 256], [8, 160]),
        // A transformer's, with the prompt's tokens; a text encoder's; a VAE's.
        Shape::of(1, [1280, 1280], [4, 128]),
        Shape::of(1, [512, 512], [4, 256]),
        Shape::of(1, [512, 512], [8, 128]).causal(),
        Shape::of(1, [1024, 1024], [1, 512]),
    ];
    let large = large.into_iter().map(|shape| shape.case().large());
    quick
        .into_iter()
        .map(Shape::case)
        .chain(large)
        .chain([with_biases(60, 41), with_biases(77, 77)])
        .collect()
}

fn with_biases(tokens: usize, keys: usize) -> Case {
    const HEADS: usize = 3;
    let words = format!("{HEADS} heads of 64, {tokens} tokens, {keys} of them not masked");
    let sums = Sums::of_products(keys.max(64), 2).growing(SOFTMAX);
    Case::new(Operation::RelativeAttention, words, sums, move |side| {
        let bias = |head: usize, distance: isize| (distance as f32 * 0.1).sin() * (1.0 + head as f32);
        let biases = RelativeBias::new(side.runtime, HEADS, tokens, keys, bias)?;
        let [q, k, v] = [1, 2, 3].map(|salt| side.scaled(&[1, tokens, HEADS * 64], 0.5, salt));
        attention_with_relative_bias(side.runtime, [&q?, &k?, &v?], &biases)
    })
}
