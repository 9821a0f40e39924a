//! Linear layers, with weights of every kind, and embedding tables.

use super::side::made_up_blocks;
use super::tolerance::Sums;
use super::{Case, Operation};
use crate::networks::backend;
use crate::networks::ops::{Embedding, GatedFeedForward, LayerNorm, Linear, normed_linears};
use crate::weights::BlockFormat;

/// A layer of `inputs → outputs` on `[images, tokens, inputs]`, plus a residual.
fn linear([images, tokens]: [usize; 2], [inputs, outputs]: [usize; 2]) -> Case {
    let words = format!("{inputs} → {outputs}, {images} × {tokens} tokens");
    // The products, the bias and the residual.
    let sums = Sums::of_products(inputs, 3);
    Case::new(Operation::Linear, words, sums, move |side| {
        let weight = side.weight(&[outputs, inputs], 1);
        let layer = Linear::new(side.runtime, &weight, Some(&side.bias(outputs, 2)))?;
        let residual = side.tensor(&[images, tokens, outputs], 4)?;
        layer.forward_add(&side.tensor(&[images, tokens, inputs], 3)?, &residual)
    })
}

/// A layer whose weights are block-quantised.
fn quantised(format: BlockFormat, tokens: usize, [inputs, outputs]: [usize; 2]) -> Case {
    let words = format!("{inputs} → {outputs}, {tokens} tokens, {} weights", format.name());
    // A device that has no blocks rounds the weights to its format.
    let sums = Sums::of_products(inputs, 2);
    Case::new(Operation::Linear, words, sums, move |side| {
        let layer = Linear::new(side.runtime, &made_up_blocks(format, [outputs, inputs], 1), None)?;
        layer.forward(&side.tensor(&[1, tokens, inputs], 3)?)
    })
}

/// Layer norm and three layers, as before an attention.
fn after_a_norm(tokens: usize, width: usize) -> Case {
    let words = format!("three of {width} → {width} after a norm, {tokens} tokens");
    Case::new(Operation::Linear, words, Sums::of_products(width, 5), move |side| {
        let norm =
            LayerNorm::new(side.runtime, &side.tensor(&[width], 1)?, &side.tensor(&[width], 2)?, 1e-5)?;
        let layer = |salt| Linear::new(side.runtime, &side.weight(&[width, width], salt), None);
        let (q, k, v) = (layer(3)?, layer(4)?, layer(5)?);
        let all = normed_linears(side.runtime, &side.tensor(&[2, tokens, width], 6)?, &norm, [&q, &k, &v])?;
        backend::Tensor::cat(&all, 2)
    })
}

/// Layer norm, GEGLU between two layers, residual.
fn feed_forward(tokens: usize, width: usize) -> Case {
    let words = format!("a feed-forward of {width}, {tokens} tokens");
    Case::new(Operation::Linear, words, Sums::of_products(4 * width, 8), move |side| {
        let runtime = side.runtime;
        let norm = LayerNorm::new(runtime, &side.tensor(&[width], 1)?, &side.tensor(&[width], 2)?, 1e-5)?;
        let layer = |[i, o]: [usize; 2], salt| {
            Linear::new(runtime, &side.weight(&[o, i], salt), Some(&side.bias(o, salt + 1)))
        };
        let (expand, contract) = (layer([width, 8 * width], 3)?, layer([4 * width, width], 5)?);
        GatedFeedForward::new(runtime, norm, expand, contract)?
            .forward_add(&side.tensor(&[2, tokens, width], 7)?)
    })
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![
        linear([1, 77], [768, 160]),
        linear([2, 131], [97, 53]),
        linear([1, 1], [320, 512]),
        after_a_norm(45, 96),
        feed_forward(33, 40),
        Case::new(Operation::Lookup, "40 rows of 24", Sums::NONE, |side| {
            Embedding::new(side.runtime, side.weight(&[40, 24], 1))?.forward(&[3, 39, 0, 3])
        }),
    ];
    cases.extend(
        [BlockFormat::F8E4m3, BlockFormat::Q8_0, BlockFormat::Q4_0, BlockFormat::Q4K, BlockFormat::Q6K]
            .map(|format| quantised(format, 19, [256, 64])),
    );
    cases.extend(
        [
            linear([1, 1024], [320, 2560]),
            linear([1, 256], [3072, 3072]),
            linear([1, 77], [4096, 1024]),
            feed_forward(256, 320),
            quantised(BlockFormat::Q8_0, 256, [3072, 1024]),
            quantised(BlockFormat::Q4K, 1, [3072, 1024]),
        ]
        .map(Case::large),
    );
    let rest = [
        BlockFormat::F8E5m2,
        BlockFormat::Q4_1,
        BlockFormat::Q5_0,
        BlockFormat::Q5_1,
        BlockFormat::Q2K,
        BlockFormat::Q3K,
        BlockFormat::Q5K,
        BlockFormat::Iq4Nl,
        BlockFormat::Iq4Xs,
    ];
    cases.extend(rest.map(|format| quantised(format, 19, [256, 64]).large()));
    cases
}
