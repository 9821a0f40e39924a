//! Attention in pairs of bf16 values, or split ones: weights are left rows of the product with the values, for which
//! tile registers, or instructions, make them into pairs of neighbours.

use std::mem::MaybeUninit;
use std::ops::Range;

use rayon::prelude::*;

use super::super::amx::{self, Tiles};
use super::super::bf16::convert;
use super::super::gemm::{Extra, Packed, Rows, Workers, product};
use super::super::pack::{Form, Panels, Place, pack_into, packed_columns, paired_into, split_into};
use super::super::scratch::{Scratch, written};
use super::super::simd::multiversioned;
use super::super::softmax::{self, Running};
use super::{AttentionShape, longest, threads};

/// Queries of one tile: a whole number of register tiles. Keys and values are read again for each, and processors with
/// tile registers have room for more scores.
const QUERIES: usize = 96;
const QUERIES_WITH_AMX: usize = 192;
/// Keys of one tile.
const KEYS: usize = 512;
/// Rows of scores whose largest are sought before any is turned into weights: the first-level cache holds them.
const ROWS_AT_ONCE: usize = 8;
/// Values between rows of scores, so that they do not all begin in the same cache set.
const SKEW: usize = 16;
/// Columns of a result that are stored directly, not one by one.
const VECTOR: usize = 8;

/// How a call is computed.
#[derive(Clone, Copy)]
struct Plan {
    shape: AttentionShape,
    /// Of the products' numbers; a split's distance is not used.
    form: Form,
    /// Depths of products are filled up with zeros to a multiple.
    multiple: usize,
    /// Of one tile.
    queries: usize,
}

impl Plan {
    fn new(shape: AttentionShape, form: Form) -> Self {
        let (multiple, queries) =
            if amx::is_in_use() { (amx::DEPTH, QUERIES_WITH_AMX) } else { (2, QUERIES) };
        Self { shape, form, multiple, queries }
    }

    /// Values of a head's query or key, zeros included.
    fn head_width(self) -> usize {
        self.shape.head_width.next_multiple_of(self.multiple)
    }

    /// Keys of a tile of so many, zeros included.
    fn keys(self, count: usize) -> usize {
        count.next_multiple_of(self.multiple)
    }

    /// Columns of a head's result that are computed, in whole vectors: rows have room for all that packing adds, which
    /// only tile registers compute as fast as fewer.
    fn out_columns(self) -> usize {
        let packed = packed_columns(self.shape.head_width);
        if amx::is_in_use() { packed } else { self.shape.head_width.next_multiple_of(VECTOR).min(packed) }
    }

    fn panels(self, values: &[f32]) -> Panels<'_> {
        if self.form == Form::Pairs { Panels::Pairs(values) } else { Panels::Split(values) }
    }

    /// Where a tile of keys lies among a head's packed keys and values.
    fn packed_ranges(self, first: usize, count: usize) -> [Range<usize>; 2] {
        // Only a head's last tile is filled up.
        let end = first + self.keys(count);
        let keys =
            [first, first + packed_columns(count)].map(|column| self.form.places(column * self.head_width()));
        let values = [first, end].map(|row| self.form.places(row * packed_columns(self.shape.head_width)));
        [keys[0]..keys[1], values[0]..values[1]]
    }

    /// Packs `[depth, columns]` into `packed`, which may have room for a greater depth.
    fn pack(
        self,
        size: [usize; 2],
        values: &[f32],
        place: &Place<impl Fn(usize) -> usize + Sync>,
        packed: &mut [f32],
    ) {
        let columns = packed_columns(size[1]);
        let mut exact = Scratch::new(if self.form == Form::Pairs { 2 * packed.len() } else { packed.len() });
        pack_into(&mut exact, size, values, place);
        let size = [exact.len() / columns, size[1]];
        match self.form {
            Form::Pairs => paired_into(&exact, size, packed),
            _ => split_into(&exact, size, packed),
        }
    }
}

multiversioned! {
    /// `to = from · factor`.
    fn scaled(from: &[f32], factor: f32, to: &mut [MaybeUninit<f32>]) {
        for (to, from) in to.iter_mut().zip(from) {
            to.write(from * factor);
        }
    }
}

/// See [`super::attention`], with numbers of this form. There are queries and keys.
pub(super) fn attention(q: &[f32], k: &[f32], v: &[f32], shape: AttentionShape, form: Form) -> Vec<f32> {
    let AttentionShape { batch, queries, keys, heads, .. } = shape;
    let plan = Plan::new(shape, form);
    let share = shape.is_shared();
    let [keys_len, values_len] = plan.packed_ranges(0, keys).map(|range| range.len());
    let [mut packed_keys, mut packed_values] =
        [keys_len, values_len].map(|len| Scratch::new(batch * heads * len));
    let packed = packed_keys.chunks_exact_mut(keys_len).zip(packed_values.chunks_exact_mut(values_len));
    let memory: Vec<_> = packed.enumerate().collect();
    let packed: Vec<PackedHead<'_>> = if share {
        let all = memory.into_par_iter();
        all.map(|(head, memory)| PackedHead::new(k, v, plan, head, memory)).collect()
    } else {
        let all = memory.into_iter();
        all.map(|(head, memory)| PackedHead::new(k, v, plan, head, memory)).collect()
    };
    let head_of = |b: usize, head: usize| packed[b * heads + head];
    let write = |out: &mut [MaybeUninit<f32>]| attend_all(q, head_of, plan, share, out);
    #[expect(unsafe_code, reason = "see `written`")]
    // SAFETY: every query of every head is in a tile that writes it.
    unsafe {
        written(batch * queries * shape.width(), write)
    }
}

/// Attention of all queries over heads that are packed, tile by tile of queries.
fn attend_all<'a>(
    q: &[f32],
    head_of: impl Fn(usize, usize) -> PackedHead<'a> + Sync,
    plan: Plan,
    share: bool,
    out: &mut [MaybeUninit<f32>],
) {
    let AttentionShape { batch, queries, heads, head_width, .. } = plan.shape;
    let width = heads * head_width;
    // A band of queries of one picture, all heads, is a slice of the result of its own.
    let bands = queries.div_ceil(plan.queries);
    let per_head = batch * bands < 3 * threads::count();
    let mut pieces: Vec<(usize, usize, &mut [MaybeUninit<f32>])> = Vec::new();
    for (b, out) in out.chunks_exact_mut(queries * width).enumerate() {
        for (band, out) in out.chunks_mut(plan.queries * width).enumerate() {
            pieces.push((b, band * plan.queries, out));
        }
    }
    let attend = |scratch: &mut Tile, b: usize, head: usize, first: usize, rows: usize| {
        let q = &q[(b * queries + first) * width + head * head_width..];
        scratch.attend(q, head_of(b, head), first, rows, plan);
    };
    let run = |scratch: &mut Tile, (b, first, out): (usize, usize, &mut [MaybeUninit<f32>])| {
        for head in 0..heads {
            attend(scratch, b, head, first, out.len() / width);
            scratch.write(&mut out[head * head_width..], width, head_width);
        }
    };
    if !share || !per_head {
        threads::for_each_with(share, pieces.into_iter(), Tile::default, run);
    } else {
        // Few bands: heads are shared among the threads too, and written afterwards.
        for (b, first, out) in pieces {
            let done: Vec<Tile> = (0..heads)
                .into_par_iter()
                .map(|head| {
                    let mut scratch = Tile::default();
                    attend(&mut scratch, b, head, first, out.len() / width);
                    scratch
                })
                .collect();
            for (head, scratch) in done.iter().enumerate() {
                scratch.write(&mut out[head * head_width..], width, head_width);
            }
        }
    }
}

/// One head's keys and values, packed for products, tile by tile of keys.
#[derive(Clone, Copy)]
struct PackedHead<'a> {
    /// For each tile `[D, keys]`.
    keys: &'a [f32],
    /// For each tile `[keys, D]`.
    values: &'a [f32],
    /// The length of the longest key.
    longest_key: f32,
}

impl<'a> PackedHead<'a> {
    /// Packs the keys and values of a head of the batch.
    fn new(
        k: &[f32],
        v: &[f32],
        plan: Plan,
        head: usize,
        (packed_keys, packed_values): (&'a mut [f32], &'a mut [f32]),
    ) -> Self {
        let AttentionShape { keys, heads, head_width, .. } = plan.shape;
        let width = heads * head_width;
        let begin = head / heads * keys * width + head % heads * head_width;
        for first in (0..keys).step_by(KEYS) {
            let count = KEYS.min(keys - first);
            let [keys_at, values_at] = plan.packed_ranges(first, count);
            let (k, v) = (&k[begin + first * width..], &v[begin + first * width..]);
            let place = Place { row: |d| d, column_stride: width };
            plan.pack([head_width, count], k, &place, &mut packed_keys[keys_at]);
            let place = Place { row: |m| m * width, column_stride: 1 };
            plan.pack([count, head_width], v, &place, &mut packed_values[values_at]);
        }
        let longest_key = longest(&k[begin..][..(keys - 1) * width + head_width], width, head_width);
        Self { keys: packed_keys, values: packed_values, longest_key }
    }
}

/// What one thread needs for one tile of queries of one head.
#[derive(Default)]
struct Tile {
    /// Queries as pairs of bf16 values, or split, scaled so that scores are exponents of two.
    query_pairs: Vec<f32>,
    scores: Vec<f32>,
    /// Weights, as well.
    weight_pairs: Vec<f32>,
    /// `[rows, D]` and columns that packing adds, before the division by the weights' sums.
    out: Vec<f32>,
    running: Vec<Running>,
}

/// A tile's part of the keys, and how the scores and weights of it lie.
#[derive(Clone, Copy)]
struct KeysPart {
    first: usize,
    /// How many there are, with the zeros that fill them up.
    filled: usize,
    form: Form,
    /// Values from row to row of scores.
    stride: usize,
    /// Whether no score is larger than [`BOUND`] allows.
    bounded: bool,
}

impl Tile {
    /// Attention of `rows` queries of a head, from query number `first` on; `q` begins with them.
    fn attend(&mut self, q: &[f32], head: PackedHead<'_>, first: usize, rows: usize, plan: Plan) {
        let AttentionShape { keys, heads, head_width, causal, .. } = plan.shape;
        let (width, filled_width) = (heads * head_width, plan.head_width());
        let query_form = plan.form.of(rows * filled_width);
        self.query_pairs.resize(query_form.places(rows * filled_width), 0.0);
        // What fills a query up stays zero.
        self.query_pairs.fill(0.0);
        let even_width = head_width.next_multiple_of(2);
        let (scale, mut scaled) = (plan.shape.scale(), vec![0.0; even_width]);
        for (row, q) in q.chunks(width).enumerate().take(rows) {
            scaled.iter_mut().zip(&q[..head_width]).for_each(|(scaled, q)| *scaled = q * scale);
            convert(&scaled, query_form, &mut self.query_pairs, row * filled_width / 2);
        }
        let bounded = plan.shape.is_bounded(q, rows, head.longest_key);
        let running = if bounded { Running::bounded() } else { Running::new() };
        self.running.clear();
        self.running.resize(rows, running);
        let out_width = packed_columns(head_width);
        self.out.clear();
        self.out.resize(rows * out_width, 0.0);
        // A later query sees more keys: the last bounds what the tile needs.
        let seen = if causal { (first + rows).min(keys) } else { keys };
        let halves = plan.form.halves();
        let stride = KEYS.min(keys).next_multiple_of(plan.multiple.max(softmax::AT_ONCE)) + SKEW * halves;
        self.scores.resize(rows * stride, 0.0);
        let form = plan.form.of(self.scores.len());
        self.weight_pairs.resize(form.places(self.scores.len()), 0.0);
        // Not those of each product: to take and give them back costs as much as a small one.
        let registers = amx::is_in_use().then(Tiles::new);
        let workers = Workers::One(registers.as_ref());
        for begin in (0..seen).step_by(KEYS) {
            let count = KEYS.min(keys - begin);
            let [keys_at, values_at] = plan.packed_ranges(begin, count);
            let panels = plan.panels(&head.keys[keys_at]);
            let packed = Packed { panels, depth: filled_width / halves, columns: count };
            let queries =
                Rows { form: query_form, ..Rows::plain(&self.query_pairs, rows, filled_width / halves) };
            product(queries, packed, Extra::default(), &mut self.scores, stride, workers);
            let part = KeysPart { first: begin, filled: plan.keys(count), form, stride, bounded };
            let visible = |row: usize| {
                if causal { (first + row + 1).saturating_sub(begin).min(count) } else { count }
            };
            for some in (0..rows).step_by(ROWS_AT_ONCE) {
                self.weigh(some..rows.min(some + ROWS_AT_ONCE), part, visible);
            }
            let weights = Rows { form, ..Rows::plain(&self.weight_pairs, rows, stride / halves) };
            let panels = plan.panels(&head.values[values_at]);
            let packed = Packed { panels, depth: plan.keys(count) / halves, columns: plan.out_columns() };
            let extra = Extra { accumulate: begin > 0, ..Extra::default() };
            product(weights, packed, extra, &mut self.out, out_width, workers);
        }
    }

    /// Turns up to [`ROWS_AT_ONCE`] rows of scores into weights.
    fn weigh(&mut self, rows: Range<usize>, part: KeysPart, visible: impl Fn(usize) -> usize) {
        let KeysPart { form, stride, .. } = part;
        let halves = form.halves();
        // Rows do not wait for each other's maxima.
        let mut largest = [f32::NEG_INFINITY; ROWS_AT_ONCE];
        for (row, largest) in rows.clone().zip(&mut largest) {
            let scores = &mut self.scores[row * stride..][..stride];
            let filled = visible(row).next_multiple_of(softmax::AT_ONCE);
            scores[visible(row)..filled].fill(f32::NEG_INFINITY);
            if !part.bounded {
                *largest = softmax::largest(&scores[..filled]);
            }
        }
        for (row, largest) in rows.zip(largest) {
            let (scores, running) = (&mut self.scores[row * stride..][..stride], &mut self.running[row]);
            let filled = visible(row).next_multiple_of(softmax::AT_ONCE);
            let at = row * stride / halves;
            if filled > 0 {
                let factor = running.raise(largest);
                let is_plain = part.bounded && filled == visible(row);
                softmax::weigh(&mut scores[..filled], running, is_plain, form, &mut self.weight_pairs, at);
                if factor != 1.0 && part.first > 0 {
                    let width = self.out.len() / self.running.len();
                    self.out[row * width..][..width].iter_mut().for_each(|o| *o *= factor);
                }
            }
            let unseen = at + filled / halves..at + part.filled.max(filled) / halves;
            if let Form::Split(distance) = form {
                self.weight_pairs[unseen.start + distance..unseen.end + distance].fill(0.0);
            }
            self.weight_pairs[unseen].fill(0.0);
        }
    }

    /// The finished rows to `to`, `stride` apart.
    fn write(&self, to: &mut [MaybeUninit<f32>], stride: usize, head_width: usize) {
        let out = self.out.chunks_exact(packed_columns(head_width)).enumerate();
        for ((row, from), running) in out.zip(&self.running) {
            scaled(&from[..head_width], 1.0 / running.sum, &mut to[row * stride..][..head_width]);
        }
    }
}
