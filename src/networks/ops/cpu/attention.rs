//! Attention in tiles: a few queries against a few hundred keys at a time, so that scores stay in
//! the second-level cache, with the softmax corrected as larger scores appear.
//!
//! Source: Dao et al. 2022, <https://arxiv.org/abs/2205.14135>, after Milakov & Gimelshein 2018.

use std::f32::consts::LOG2_E;

use rayon::prelude::*;

use super::super::threads;
use super::bf16::{Precision, matrix_precision, pair_neighbours};
use super::gemm::{Extra, Packed, Rows, product};
use super::pack::{Panels, Place, pack_into, packed_columns, paired_into};
use super::scratch::Scratch;
use super::simd::{exp2, multiversioned};

/// Queries of one tile: a whole number of register tiles.
const QUERIES: usize = 96;
/// Keys of one tile.
const KEYS: usize = 512;
/// Values between rows of scores, so that they do not all begin in the same cache set.
const SKEW: usize = 16;
/// Scores turned into weights together; rows of scores are filled up to a multiple.
const LANES: usize = 16;
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
    /// Whether the products are of pairs of bf16 values: set by [`attention`].
    pub(in super::super) pairs: bool,
}

/// Running figures of one query's softmax: the largest score so far (in powers of two) and the sum
/// of weights relative to it.
#[derive(Clone, Copy)]
struct Running {
    largest: f32,
    sum: f32,
}

multiversioned! {
    /// Turns scores (powers of two; a multiple of [`LANES`] of them) into weights relative to the
    /// largest so far; gives the factor for what was summed before.
    fn softmax_part<const FMA: bool>(scores: &mut [f32], running: &mut Running) -> f32 {
        let mut maxima = [f32::NEG_INFINITY; 2 * LANES];
        let pairs = scores.chunks_exact(2 * LANES);
        for (max, s) in maxima.iter_mut().zip(pairs.remainder()) {
            *max = *s;
        }
        for chunk in pairs {
            for (max, s) in maxima.iter_mut().zip(chunk) {
                *max = if *s > *max { *s } else { *max };
            }
        }
        let max = maxima.iter().copied().fold(running.largest, f32::max);
        // A score that is not a number stays one: `largest` ignores it, the sum does not.
        let factor = if running.largest == max { 1.0 } else { exp2::<FMA>(running.largest - max) };
        let mut sums = [0.0_f32; LANES];
        for chunk in scores.chunks_exact_mut(LANES) {
            for (sum, s) in sums.iter_mut().zip(chunk) {
                *s = exp2::<FMA>(*s - max);
                *sum += *s;
            }
        }
        *running = Running { largest: max, sum: running.sum * factor + sums.iter().sum::<f32>() };
        factor
    }
}

multiversioned! {
    /// `to = from · factor`.
    fn scaled(from: &[f32], factor: f32, to: &mut [f32]) {
        for (to, from) in to.iter_mut().zip(from) {
            *to = from * factor;
        }
    }
}

/// `softmax(q·kᵀ / √D)·v` for each head. `q`: `[B, N, H·D]`, `k`, `v`: `[B, M, H·D]` → `[B, N, H·D]`.
pub(in super::super) fn attention(q: &[f32], k: &[f32], v: &[f32], shape: AttentionShape) -> Vec<f32> {
    let AttentionShape { batch, queries, keys, heads, head_width, .. } = shape;
    // An odd depth has no pairs; such calls (77 tokens of text) are small.
    let even = keys.is_multiple_of(2) && head_width.is_multiple_of(2);
    let shape = AttentionShape { pairs: even && matrix_precision() == Precision::Bf16, ..shape };
    let width = heads * head_width;
    let mut out = vec![0.0; batch * queries * width];
    if out.is_empty() || keys == 0 {
        return out;
    }
    let share = threads::count() > 1 && out.len() * keys >= PARALLEL_MULTIPLICATIONS;
    let [mut packed_keys, mut packed_values] =
        packed_lens(shape).map(|len| Scratch::new(batch * heads * len));
    let [keys_len, values_len] = packed_lens(shape);
    let pack = |(head, (keys, values)): (usize, (&mut [f32], &mut [f32]))| {
        pack_head(k, v, shape, head, keys, values);
    };
    if share {
        let keys = packed_keys.par_chunks_exact_mut(keys_len);
        keys.zip(packed_values.par_chunks_exact_mut(values_len)).enumerate().for_each(pack);
    } else {
        let keys = packed_keys.chunks_exact_mut(keys_len);
        keys.zip(packed_values.chunks_exact_mut(values_len)).enumerate().for_each(pack);
    }
    let head_of = |b: usize, head: usize| PackedHead {
        keys: &packed_keys[(b * heads + head) * keys_len..][..keys_len],
        values: &packed_values[(b * heads + head) * values_len..][..values_len],
    };
    // A band of queries of one picture, all heads, is a slice of the result of its own.
    let bands = queries.div_ceil(QUERIES);
    let per_head = batch * bands < 3 * threads::count();
    let mut pieces: Vec<(usize, usize, &mut [f32])> = Vec::new();
    for (b, out) in out.chunks_exact_mut(queries * width).enumerate() {
        for (band, out) in out.chunks_mut(QUERIES * width).enumerate() {
            pieces.push((b, band * QUERIES, out));
        }
    }
    let run = |scratch: &mut Tile, (b, first, out): &mut (usize, usize, &mut [f32])| {
        for head in 0..heads {
            let q = &q[(*b * queries + *first) * width + head * head_width..];
            scratch.attend(q, head_of(*b, head), *first, out.len() / width, shape);
            scratch.write(&mut out[head * head_width..], width, head_width);
        }
    };
    if !share {
        let mut scratch = Tile::default();
        for piece in &mut pieces {
            run(&mut scratch, piece);
        }
    } else if !per_head {
        pieces.par_iter_mut().for_each_init(Tile::default, run);
    } else {
        // Few bands: heads are shared among the threads too, and written afterwards.
        for (b, first, out) in pieces {
            let rows = out.len() / width;
            let done: Vec<Tile> = each(true, heads, |head| {
                let mut scratch = Tile::default();
                let q = &q[(b * queries + first) * width + head * head_width..];
                scratch.attend(q, head_of(b, head), first, rows, shape);
                scratch
            });
            for (head, scratch) in done.iter().enumerate() {
                scratch.write(&mut out[head * head_width..], width, head_width);
            }
        }
    }
    out
}

/// `f` of each number, on the pool if `share`.
fn each<T: Send>(share: bool, count: usize, f: impl Fn(usize) -> T + Sync + Send) -> Vec<T> {
    if share { (0..count).into_par_iter().map(f).collect() } else { (0..count).map(f).collect() }
}

/// One head's keys and values, packed for products, tile by tile of keys.
#[derive(Clone, Copy)]
struct PackedHead<'a> {
    /// For each tile `[D, keys]`.
    keys: &'a [f32],
    /// For each tile `[keys, D]`.
    values: &'a [f32],
}

/// How many values one head's packed keys and values take.
fn packed_lens(shape: AttentionShape) -> [usize; 2] {
    packed_ranges(0, shape.keys, shape).map(|range| range.len())
}

/// Packs the keys and values of a head of the batch into a [`PackedHead`]'s memory.
fn pack_head(
    k: &[f32],
    v: &[f32],
    shape: AttentionShape,
    head: usize,
    packed_keys: &mut [f32],
    packed_values: &mut [f32],
) {
    let AttentionShape { keys, heads, head_width, .. } = shape;
    let width = heads * head_width;
    let begin = head / heads * keys * width + head % heads * head_width;
    for first in (0..keys).step_by(KEYS) {
        let count = KEYS.min(keys - first);
        let [keys_at, values_at] = packed_ranges(first, count, shape);
        let (packed_keys, packed_values) = (&mut packed_keys[keys_at], &mut packed_values[values_at]);
        let (k, v) = (&k[begin + first * width..], &v[begin + first * width..]);
        let key_place = Place { row: |d| d, column_stride: width };
        let value_place = Place { row: |m| m * width, column_stride: 1 };
        if shape.pairs {
            let mut exact = Scratch::new(2 * packed_keys.len());
            pack_into(&mut exact, [head_width, count], k, &key_place);
            paired_into(&exact, [head_width, count], packed_keys);
            let mut exact = Scratch::new(2 * packed_values.len());
            pack_into(&mut exact, [count, head_width], v, &value_place);
            paired_into(&exact, [count, head_width], packed_values);
        } else {
            pack_into(packed_keys, [head_width, count], k, &key_place);
            pack_into(packed_values, [count, head_width], v, &value_place);
        }
    }
}

/// Where a tile of keys lies among a head's packed keys and values.
fn packed_ranges(first: usize, count: usize, shape: AttentionShape) -> [std::ops::Range<usize>; 2] {
    let (head_width, halves) = (shape.head_width, if shape.pairs { 2 } else { 1 });
    let keys = [first, first + packed_columns(count)].map(|column| column * head_width / halves);
    let values = [first, first + count].map(|row| row * packed_columns(head_width) / halves);
    [keys[0]..keys[1], values[0]..values[1]]
}

/// What one thread needs for one tile of queries of one head.
#[derive(Default)]
struct Tile {
    queries: Vec<f32>,
    scores: Vec<f32>,
    /// Queries, then weights, as pairs of bf16 values.
    pairs: Vec<f32>,
    /// `[rows, D]`, before the division by the weights' sums.
    out: Vec<f32>,
    running: Vec<Running>,
}

impl Tile {
    /// Attention of `rows` queries of a head, from query number `first` on; `q` begins with them.
    fn attend(&mut self, q: &[f32], head: PackedHead<'_>, first: usize, rows: usize, shape: AttentionShape) {
        let AttentionShape { keys, heads, head_width, causal, pairs, .. } = shape;
        let width = heads * head_width;
        let depth = if pairs { head_width / 2 } else { head_width };
        // Scores in powers of two: one multiplication fewer for each weight.
        let scale = LOG2_E / (head_width as f32).sqrt();
        self.queries.resize(rows * head_width, 0.0);
        for (row, to) in self.queries.chunks_exact_mut(head_width).enumerate() {
            scaled(&q[row * width..][..head_width], scale, to);
        }
        self.running.clear();
        self.running.resize(rows, Running { largest: f32::NEG_INFINITY, sum: 0.0 });
        self.out.clear();
        self.out.resize(rows * head_width, 0.0);
        // A later query sees more keys: the last bounds what the tile needs.
        let seen = if causal { (first + rows).min(keys) } else { keys };
        let stride = KEYS.min(keys).next_multiple_of(LANES) + SKEW;
        self.scores.resize(rows * stride, 0.0);
        for begin in (0..seen).step_by(KEYS) {
            let packed_count = KEYS.min(keys - begin);
            let [keys_at, values_at] = packed_ranges(begin, packed_count, shape);
            let panels = |values| if pairs { Panels::Pairs(values) } else { Panels::F32(values) };
            let packed = Packed { panels: panels(&head.keys[keys_at]), depth, columns: packed_count };
            let q = if pairs {
                self.pairs.resize(rows * stride.max(head_width) / 2, 0.0);
                pair_neighbours(&self.queries, &mut self.pairs);
                &self.pairs
            } else {
                &self.queries
            };
            let extra = Extra::default();
            product(Rows::plain(q, rows, depth), packed, extra, &mut self.scores, stride, false);
            for (row, scores) in self.scores.chunks_exact_mut(stride).enumerate() {
                let visible = if causal {
                    (first + row + 1).saturating_sub(begin).min(packed_count)
                } else {
                    packed_count
                };
                if visible > 0 {
                    let filled = visible.next_multiple_of(LANES);
                    scores[visible..filled].fill(f32::NEG_INFINITY);
                    let factor = softmax_part(&mut scores[..filled], &mut self.running[row]);
                    if factor != 1.0 && begin > 0 {
                        self.out[row * head_width..][..head_width].iter_mut().for_each(|o| *o *= factor);
                    }
                }
                if visible < packed_count {
                    scores[visible..packed_count].fill(0.0);
                }
            }
            let (weights, stride, depth) = if pairs {
                // A row of scores is a whole number of vectors long.
                pair_neighbours(&self.scores, &mut self.pairs);
                (&self.pairs, stride / 2, packed_count / 2)
            } else {
                (&self.scores, stride, packed_count)
            };
            let packed = Packed { panels: panels(&head.values[values_at]), depth, columns: head_width };
            let extra = Extra { accumulate: begin > 0, ..Extra::default() };
            product(Rows::plain(weights, rows, stride), packed, extra, &mut self.out, head_width, false);
        }
    }

    /// The finished rows to `to`, `stride` apart.
    fn write(&self, to: &mut [f32], stride: usize, head_width: usize) {
        for ((row, from), running) in self.out.chunks_exact(head_width).enumerate().zip(&self.running) {
            scaled(from, 1.0 / running.sum, &mut to[row * stride..][..head_width]);
        }
    }
}
