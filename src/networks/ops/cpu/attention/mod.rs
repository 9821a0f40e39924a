//! Attention in tiles: some queries against some keys at a time, so that their scores stay in a cache, with the softmax
//! corrected as larger scores appear.
//!
//! Source: Dao et al. 2022, <https://arxiv.org/abs/2205.14135>, after Milakov & Gimelshein 2018.

mod columns;
mod rows;

use std::f32::consts::LOG2_E;

use super::super::threads;
use super::amx;
use super::bf16::{Precision, matrix_precision};
use super::pack::Form;
use super::softmax;

/// Exponents of two that no score exceeds need no largest one: 2^64 times a few thousand keys and their values is still
/// far from what f32 holds, and so is 2^-64 on the other side.
const BOUND: f32 = 64.0;
/// Fewer multiplications than this stay on one thread.
const PARALLEL_MULTIPLICATIONS: usize = 1 << 18;

/// Sizes of one attention call.
#[derive(Clone, Copy)]
pub(in super::super) struct AttentionShape {
    pub(in super::super) batch: usize,
    pub(in super::super) queries: usize,
    pub(in super::super) keys: usize,
    pub(in super::super) heads: usize,
    pub(in super::super) head_width: usize,
    pub(in super::super) causal: bool,
}

impl AttentionShape {
    /// Values from a query, or a key, to the next.
    fn width(self) -> usize {
        self.heads * self.head_width
    }

    /// What makes exponents of two, rather than of e, from scores.
    fn scale(self) -> f32 {
        LOG2_E / (self.head_width as f32).sqrt()
    }

    /// Whether it is worth more than one thread.
    fn is_shared(self) -> bool {
        let multiplications = self.batch * self.queries * self.width() * self.keys;
        threads::count() > 1 && multiplications >= PARALLEL_MULTIPLICATIONS
    }

    /// Whether some rows that begin with these queries of a head have no score that [`BOUND`] does not allow: no product
    /// is larger than that of the lengths (Cauchy-Schwarz).
    fn is_bounded(self, queries: &[f32], rows: usize, longest_key: f32) -> bool {
        let values = &queries[..(rows - 1) * self.width() + self.head_width];
        longest(values, self.width(), self.head_width) * longest_key * self.scale() <= BOUND
    }
}

/// The length of the longest of some rows that are `stride` apart.
fn longest(rows: &[f32], stride: usize, width: usize) -> f32 {
    softmax::largest_square(rows, stride, width).sqrt()
}

/// `softmax(q·kᵀ / √D)·v` for each head. `q`: `[B, N, H·D]`, `k`, `v`: `[B, M, H·D]` → `[B, N, H·D]`.
pub(in super::super) fn attention(q: &[f32], k: &[f32], v: &[f32], shape: AttentionShape) -> Vec<f32> {
    let len = shape.batch * shape.queries * shape.width();
    if len == 0 || shape.keys == 0 {
        return vec![0.0; len];
    }
    match matrix_precision() {
        Precision::Bf16 => rows::attention(q, k, v, shape, Form::Pairs),
        Precision::F32 if amx::is_in_use() => rows::attention(q, k, v, shape, Form::Split(0)),
        Precision::F32 => columns::attention(q, k, v, shape),
    }
}
