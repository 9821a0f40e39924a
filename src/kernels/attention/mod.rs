//! Attention in tiles, with queries as columns: a panel of queries meets a block of keys at a time. Their scores stay in
//! the first-level cache, become weights where they lie, and are the panel of the product with the values then.
//!
//! Against queries as rows: a query's weights are summed without sums across a vector, and heads of any width are whole
//! register tiles.
//!
//! Source: Dao et al. 2022, <https://arxiv.org/abs/2205.14135>.

mod online_softmax;

use std::f32::consts::LOG2_E;
use std::mem::MaybeUninit;

use super::KernelContext;
use super::gemm::{MicroKernel, OperandFormat, PANEL, PanelView};
use super::isa::{Isa, multiversioned};
use super::scratch::written_vec;
use super::transpose::transpose;
use online_softmax::OnlineSoftmax;

/// Keys of a block, whole register tiles: with a panel of queries 18 KiB of scores.
const KEYS: usize = 144;
/// Most queries of a piece of work, and most values of them. Keys and values come from the outer caches once for each.
const QUERIES: usize = 384;
const QUERY_VALUES: usize = 1 << 17;
/// Pieces for each thread, so that a late thread does not hold up the rest.
const PIECES: usize = 3;
/// Fewer multiplications than this stay on one thread.
const PARALLEL_MULTIPLICATIONS: usize = 1 << 18;

/// Sizes of one attention call.
#[derive(Clone, Copy, Debug)]
pub struct AttentionShape {
    /// Images or sequences.
    pub batch: usize,
    /// Queries of each.
    pub queries: usize,
    /// Keys and values of each.
    pub keys: usize,
    /// Heads, side by side.
    pub heads: usize,
    /// Width of a head.
    pub head_width: usize,
    /// Whether a query sees only the keys up to its own place.
    pub causal: bool,
}

impl AttentionShape {
    /// Values from a query, or a key, to the next.
    fn width(self) -> usize {
        self.heads * self.head_width
    }

    /// What products are multiplied by before the softmax.
    fn scale(self) -> f32 {
        1.0 / (self.head_width as f32).sqrt()
    }
}

/// Queries of one head that a thread attends to at once, and their places in the result.
struct Piece<'a> {
    /// Among those of all images.
    head: usize,
    first: usize,
    out: Vec<&'a mut [MaybeUninit<f32>]>,
}

/// `softmax(q·kᵀ / √D)·v` for each head. `q`: `[B, N, H·D]`, `k`, `v`: `[B, M, H·D]` → `[B, N, H·D]`.
///
/// # Panics
/// If sizes do not fit.
pub fn attention(ctx: &KernelContext, q: &[f32], k: &[f32], v: &[f32], shape: AttentionShape) -> Vec<f32> {
    attend(ctx, [q, k, v], shape, None)
}

/// Biases of scores that depend on how far a query is from its key: T5's (Raffel et al. 2020), whose scores are not
/// scaled otherwise.
#[derive(Clone, Copy, Debug)]
pub struct RelativeBias<'a> {
    /// For each head, that of every distance query − key from −(M − 1) to N − 1: `[H, N + M − 1]`.
    pub of_distance: &'a [f32],
}

/// `softmax(q·kᵀ + bias)·v` for each head, in shapes as [`attention`]'s.
///
/// # Panics
/// If sizes do not fit.
pub fn attention_with_relative_bias(
    ctx: &KernelContext,
    qkv: [&[f32]; 3],
    shape: AttentionShape,
    bias: RelativeBias<'_>,
) -> Vec<f32> {
    let distances = shape.queries + shape.keys;
    assert_eq!(bias.of_distance.len() + shape.heads, shape.heads * distances, "a bias for each distance");
    attend(ctx, qkv, shape, Some(bias))
}

fn attend(
    ctx: &KernelContext,
    [q, k, v]: [&[f32]; 3],
    shape: AttentionShape,
    bias: Option<RelativeBias<'_>>,
) -> Vec<f32> {
    let AttentionShape { batch, queries, keys, heads, head_width, .. } = shape;
    let width = shape.width();
    let len = batch * queries * width;
    if len == 0 || keys == 0 {
        return vec![0.0; len];
    }
    assert!(q.len() == len && k.len() == batch * keys * width && v.len() == k.len(), "attention's sizes");
    let share = len * keys >= PARALLEL_MULTIPLICATIONS;
    let scale = if bias.is_some() { 1.0 } else { shape.scale() };
    let plan =
        Plan { shape, scale, kernel: MicroKernel::new(ctx.isa(), OperandFormat::new(ctx.precision())) };
    let [keys_len, values_len] = plan.packed_lens();
    let mut memory = ctx.scratch(batch * heads * (keys_len + values_len));
    let heads_memory = memory.chunks_exact_mut(keys_len + values_len).enumerate();
    ctx.threads().for_each(share, heads_memory, |(head, memory)| {
        let first = head / heads * keys * width + head % heads * head_width;
        let (packed_keys, packed_values) = memory.split_at_mut(keys_len);
        plan.pack_keys(ctx, &k[first..], packed_keys);
        plan.pack_values(ctx, &v[first..], packed_values);
    });
    let work = |tile: &mut Tile, piece: Piece<'_>| {
        let (image, head) = (piece.head / heads, piece.head % heads);
        let q = &q[(image * queries + piece.first) * width + head * head_width..];
        let (keys, values) =
            memory[piece.head * (keys_len + values_len)..][..keys_len + values_len].split_at(keys_len);
        let bias = bias.map(|bias| {
            let distances = shape.queries + shape.keys - 1;
            &bias.of_distance[head * distances..][..distances]
        });
        tile.attend(ctx.isa(), q, PackedHead { keys, values, bias }, &piece, plan);
        tile.write(piece.out);
    };
    let write = |out: &mut [MaybeUninit<f32>]| {
        let pieces = pieces(ctx, out, shape);
        ctx.threads().for_each_with(share, pieces.into_iter(), Tile::default, work);
    };
    // SAFETY: every query of every head is in a piece that writes it.
    unsafe { written_vec(len, write) }
}

/// The work, that of one head one after another: its keys and values stay in the second-level cache.
fn pieces<'a>(ctx: &KernelContext, out: &'a mut [MaybeUninit<f32>], shape: AttentionShape) -> Vec<Piece<'a>> {
    let AttentionShape { batch, queries, heads, head_width, .. } = shape;
    let least = (PIECES * ctx.threads().count()).div_ceil(batch * heads);
    let most = QUERIES.min(QUERY_VALUES / head_width).min(queries.div_ceil(least));
    let rows = most.max(1).next_multiple_of(PANEL);
    let of_head = queries.div_ceil(rows);
    let piece = |number: usize| Piece {
        head: number / of_head,
        first: number % of_head * rows,
        out: Vec::with_capacity(rows),
    };
    let mut pieces: Vec<_> = (0..batch * heads * of_head).map(piece).collect();
    for (number, out) in out.chunks_exact_mut(head_width).enumerate() {
        let (query, head) = (number / heads, number % heads);
        let (image, query) = (query / queries, query % queries);
        pieces[(image * heads + head) * of_head + query / rows].out.push(out);
    }
    pieces
}

/// Sizes, and the format of the products' operands.
#[derive(Clone, Copy)]
struct Plan {
    shape: AttentionShape,
    /// What products are multiplied by.
    scale: f32,
    kernel: MicroKernel,
}

impl Plan {
    /// Slots of a key or query.
    fn key_slots(self) -> usize {
        self.kernel.format().slots(self.shape.head_width)
    }

    /// Slots of `count` keys along the depth of the product with the values.
    fn value_slots(self, count: usize) -> usize {
        self.kernel.format().slots(count)
    }

    /// Slots of a head's keys and values.
    fn packed_lens(self) -> [usize; 2] {
        let (keys, rest) = (self.shape.keys, self.shape.keys % KEYS);
        let values = (keys / KEYS * self.value_slots(KEYS) + self.value_slots(rest)) * self.shape.head_width;
        [keys * self.key_slots(), values]
    }

    /// Packs the keys of a head, with which `k` begins: `[keys, D]`.
    fn pack_keys(self, ctx: &KernelContext, k: &[f32], packed: &mut [f32]) {
        for (row, key) in packed.chunks_exact_mut(self.key_slots()).enumerate() {
            let values = &k[row * self.shape.width()..][..self.shape.head_width];
            self.kernel.format().pack_lhs_row(ctx.isa(), values, key);
        }
    }

    /// Packs the values of a head, with which `v` begins: for each block of keys `[D, keys]`.
    fn pack_values(self, ctx: &KernelContext, v: &[f32], packed: &mut [f32]) {
        let AttentionShape { keys, head_width, .. } = self.shape;
        let width = self.shape.width();
        let mut columns = ctx.scratch(KEYS * head_width);
        let blocks = packed.chunks_mut(self.value_slots(KEYS) * head_width);
        for (first, packed) in (0..keys).step_by(KEYS).zip(blocks) {
            let count = KEYS.min(keys - first);
            transpose(&v[first * width..], width, [count, head_width], &mut columns, count);
            let rows = columns.chunks_exact(count).zip(packed.chunks_exact_mut(self.value_slots(count)));
            for (row, packed) in rows {
                self.kernel.format().pack_lhs_row(ctx.isa(), row, packed);
            }
        }
    }
}

/// One head's keys and values as [`Plan`] packs them.
#[derive(Clone, Copy)]
struct PackedHead<'a> {
    keys: &'a [f32],
    values: &'a [f32],
    /// That of each distance, as in [`RelativeBias`].
    bias: Option<&'a [f32]>,
}

/// What one thread needs for a piece.
#[derive(Default)]
struct Tile {
    /// For each panel `[D, PANEL]`, scaled so that scores are exponents of two, in slots.
    queries: Vec<[f32; PANEL]>,
    /// For each panel `[D, PANEL]`: the result before the division by the weights' sums.
    out: Vec<[f32; PANEL]>,
    /// `[keys, PANEL]`.
    scores: Vec<[f32; PANEL]>,
    /// Queries or weights before or after they are packed.
    buffer: Vec<[f32; PANEL]>,
    softmax: Vec<OnlineSoftmax>,
    head_width: usize,
}

impl Tile {
    /// Attention of a piece's queries, with which `q` begins.
    fn attend(&mut self, isa: Isa, q: &[f32], head: PackedHead<'_>, piece: &Piece<'_>, plan: Plan) {
        let AttentionShape { keys, head_width, causal, .. } = plan.shape;
        let (rows, first) = (piece.out.len(), piece.first);
        let (kernel, key_slots) = (plan.kernel, plan.key_slots());
        let panels = rows.div_ceil(PANEL);
        self.pack_queries(isa, q, rows, plan);
        self.head_width = head_width;
        self.out.resize(panels * head_width, [0.0; PANEL]);
        self.scores.resize(KEYS, [0.0; PANEL]);
        self.softmax.clear();
        self.softmax.resize(panels, OnlineSoftmax::new());
        // A later query sees more keys: the last bounds what the piece needs.
        let seen = if causal { (first + rows).min(keys) } else { keys };
        for begin in (0..seen).step_by(KEYS) {
            let count = KEYS.min(keys - begin);
            let value_slots = plan.value_slots(count);
            let keys = (&head.keys[begin * key_slots..], count, key_slots);
            let values_at = begin / KEYS * plan.value_slots(KEYS) * head_width;
            let values = (&head.values[values_at..], head_width, value_slots);
            let panels = self.queries.chunks_exact(key_slots).zip(self.out.chunks_exact_mut(head_width));
            for (panel, ((queries, out), softmax)) in panels.zip(&mut self.softmax).enumerate() {
                let first = first + panel * PANEL;
                if causal && begin >= first + PANEL {
                    continue;
                }
                let scores = &mut self.scores[..count];
                let queries = PanelView::full(queries);
                kernel.multiply_panel(keys, queries, false, scores.as_flattened_mut(), PANEL);
                if let Some(bias) = head.bias {
                    add_bias(
                        isa,
                        scores,
                        &bias[plan.shape.keys - begin - count + first..],
                        plan.shape.queries - first,
                    );
                }
                if causal {
                    for (key, scores) in scores.iter_mut().enumerate() {
                        let unseen = (begin + key).saturating_sub(first).min(PANEL);
                        scores[..unseen].fill(f32::NEG_INFINITY);
                    }
                }
                if let Some(factors) = softmax.exp_and_sum(isa, scores)
                    && begin > 0
                {
                    scale_columns(isa, out, &factors);
                }
                let weights = PanelView::full(kernel.format().pack_panel(isa, scores, &mut self.buffer));
                kernel.multiply_panel(values, weights, begin > 0, out.as_flattened_mut(), PANEL);
            }
        }
    }

    /// Packs the queries with which `q` begins, in panels.
    fn pack_queries(&mut self, isa: Isa, q: &[f32], rows: usize, plan: Plan) {
        let (width, head_width) = (plan.shape.width(), plan.shape.head_width);
        self.queries.clear();
        let mut panel = vec![[0.0; PANEL]; head_width];
        for first in (0..rows).step_by(PANEL) {
            let count = PANEL.min(rows - first);
            if count < PANEL {
                panel.fill([0.0; PANEL]);
            }
            transpose(&q[first * width..], width, [count, head_width], panel.as_flattened_mut(), PANEL);
            scale_columns(isa, &mut panel, &[plan.scale * LOG2_E; PANEL]);
            self.queries.extend_from_slice(plan.kernel.format().pack_panel(isa, &panel, &mut self.buffer));
        }
    }

    /// The finished rows.
    fn write(&self, mut to: Vec<&mut [MaybeUninit<f32>]>) {
        let panels = self.out.chunks_exact(self.head_width).zip(&self.softmax);
        for ((out, softmax), to) in panels.zip(to.chunks_mut(PANEL)) {
            for (column, (to, factor)) in to.iter_mut().zip(softmax.factors()).enumerate() {
                for (to, out) in to.iter_mut().zip(out) {
                    to.write(out[column] * factor);
                }
            }
        }
    }
}

multiversioned! {
    /// Adds a block's biases to its scores, `[keys, PANEL]`, both of them exponents: of two, and of e. `bias` begins with
    /// that of the first query and the last key; there are `queries` from the first on.
    fn add_bias(isa: Isa, scores: &mut [[f32; PANEL]], bias: &[f32], queries: usize) {
        for (scores, first) in scores.iter_mut().rev().zip(0..) {
            let bias = &bias[first..][..PANEL.min(queries)];
            for (score, bias) in scores.iter_mut().zip(bias) {
                *score += bias * LOG2_E;
            }
        }
    }
}

multiversioned! {
    /// Multiplies each column with its factor.
    fn scale_columns(isa: Isa, rows: &mut [[f32; PANEL]], factors: &[f32; PANEL]) {
        for row in rows {
            for l in 0..PANEL {
                row[l] *= factors[l];
            }
        }
    }
}
