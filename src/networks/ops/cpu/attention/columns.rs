//! Attention in f32 with queries as columns: a panel of queries meets a block of keys at a time. Their scores stay in
//! the first-level cache, become weights where they lie, and are the panel of the product with the values then.
//!
//! Against queries as rows: a query's scores are summed without sums across a vector, and heads of any width are whole
//! register tiles.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::super::gemm::{Panel, Rows, multiply_panel};
use super::super::kernel::PANEL;
use super::super::scratch::{Scratch, written};
use super::super::simd::multiversioned;
use super::super::softmax::Columns;
use super::super::transpose::transpose;
use super::{AttentionShape, longest, threads};

/// Keys of a block, a whole number of register tiles: with a panel of queries 18 KiB of scores.
const KEYS: usize = 144;
/// Most queries of a piece of work, and most values of them. Keys and values come from the outer caches once for each.
const QUERIES: usize = 384;
const QUERY_VALUES: usize = 1 << 17;
/// Pieces for each thread, so that a thread that is late does not hold up the rest.
const PIECES: usize = 3;

/// Queries of one head that a thread attends to at once, and their places in the result.
struct Piece<'a> {
    /// Among those of all pictures.
    head: usize,
    first: usize,
    out: Vec<&'a mut [MaybeUninit<f32>]>,
}

/// See [`super::attention`]. There are queries and keys.
pub(super) fn attention(q: &[f32], k: &[f32], v: &[f32], shape: AttentionShape) -> Vec<f32> {
    let AttentionShape { batch, queries, keys, heads, head_width, .. } = shape;
    let (width, share) = (shape.width(), shape.is_shared());
    let mut packed = Scratch::new(2 * batch * heads * keys * head_width);
    let packed: Vec<_> = packed.chunks_exact_mut(2 * keys * head_width).enumerate().collect();
    let pack = |(head, packed): (usize, _)| {
        let first = head / heads * keys * width + head % heads * head_width;
        Head::new(&k[first..], &v[first..], shape, packed)
    };
    let all: Vec<Head<'_>> = if share {
        packed.into_par_iter().map(pack).collect()
    } else {
        packed.into_iter().map(pack).collect()
    };
    let work = |tile: &mut Tile, piece: Piece<'_>| {
        let (picture, head) = (piece.head / heads, piece.head % heads);
        let q = &q[(picture * queries + piece.first) * width + head * head_width..];
        tile.attend(q, all[piece.head], &piece, shape);
        tile.write(piece.out);
    };
    let write = |out: &mut [MaybeUninit<f32>]| {
        let pieces = pieces(out, shape);
        threads::for_each_with(share, pieces.into_iter(), Tile::default, work);
    };
    #[expect(unsafe_code, reason = "see `written`")]
    // SAFETY: every query of every head is in a piece that writes it.
    unsafe {
        written(batch * queries * width, write)
    }
}

/// The work, those of one head one after another: its keys and values stay in the second-level cache.
fn pieces(out: &mut [MaybeUninit<f32>], shape: AttentionShape) -> Vec<Piece<'_>> {
    let AttentionShape { batch, queries, heads, head_width, .. } = shape;
    let least = (PIECES * threads::count()).div_ceil(batch * heads);
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
        let (picture, query) = (query / queries, query % queries);
        pieces[(picture * heads + head) * of_head + query / rows].out.push(out);
    }
    pieces
}

/// One head's keys and values, close together.
#[derive(Clone, Copy)]
struct Head<'a> {
    /// `[keys, D]`.
    keys: &'a [f32],
    /// For each block of keys `[D, keys]`.
    values: &'a [f32],
    longest_key: f32,
}

impl<'a> Head<'a> {
    fn new(k: &[f32], v: &[f32], shape: AttentionShape, packed: &'a mut [f32]) -> Self {
        let (width, head_width) = (shape.width(), shape.head_width);
        let (keys, values) = packed.split_at_mut(shape.keys * head_width);
        for (row, key) in keys.chunks_exact_mut(head_width).enumerate() {
            key.copy_from_slice(&k[row * width..][..head_width]);
        }
        for (v, values) in v.chunks(KEYS * width).zip(values.chunks_mut(KEYS * head_width)) {
            let count = values.len() / head_width;
            transpose(v, width, [count, head_width], values, count);
        }
        Self { keys, values, longest_key: longest(keys, head_width, head_width) }
    }
}

/// What one thread needs for a piece.
#[derive(Default)]
struct Tile {
    /// For each panel `[D, PANEL]`, scaled so that scores are exponents of two.
    queries: Vec<f32>,
    /// The same of the result, before the division by the weights' sums.
    out: Vec<f32>,
    /// `[keys, PANEL]`.
    scores: Vec<[f32; PANEL]>,
    running: Vec<Columns>,
}

impl Tile {
    /// Attention of a piece's queries, with which `q` begins.
    fn attend(&mut self, q: &[f32], head: Head<'_>, piece: &Piece<'_>, shape: AttentionShape) {
        let AttentionShape { keys, head_width, causal, .. } = shape;
        let (rows, width, first) = (piece.out.len(), shape.width(), piece.first);
        let panels = rows.div_ceil(PANEL);
        let len = head_width * PANEL;
        self.queries.clear();
        self.queries.resize(panels * len, 0.0);
        for (number, panel) in self.queries.chunks_exact_mut(len).enumerate() {
            let (q, count) = (&q[number * PANEL * width..], PANEL.min(rows - number * PANEL));
            transpose(q, width, [count, head_width], panel, PANEL);
            for q in panel {
                *q *= shape.scale();
            }
        }
        self.out.resize(panels * len, 0.0);
        self.scores.resize(KEYS, [0.0; PANEL]);
        self.running.clear();
        let bounded = shape.is_bounded(q, rows, head.longest_key);
        self.running.resize(panels, Columns::new(bounded));
        // A later query sees more keys: the last bounds what the piece needs.
        let seen = if causal { (first + rows).min(keys) } else { keys };
        for begin in (0..seen).step_by(KEYS) {
            let count = KEYS.min(keys - begin);
            let keys = Rows::plain(&head.keys[begin * head_width..], count, head_width);
            let values = Rows::plain(&head.values[begin * head_width..], head_width, count);
            let panels = self.queries.chunks_exact(len).zip(self.out.chunks_exact_mut(len));
            for (panel, ((queries, out), running)) in panels.zip(&mut self.running).enumerate() {
                let first = first + panel * PANEL;
                if causal && begin >= first + PANEL {
                    continue;
                }
                let scores = &mut self.scores[..count];
                let panel = |values| Panel { values, width: PANEL, columns: PANEL };
                multiply_panel(keys, panel(queries), false, scores.as_flattened_mut(), PANEL);
                let is_masked = causal && begin + count > first + 1;
                if is_masked {
                    for (key, scores) in scores.iter_mut().enumerate() {
                        let unseen = (begin + key).saturating_sub(first).min(PANEL);
                        scores[..unseen].fill(f32::NEG_INFINITY);
                    }
                }
                if let Some(factors) = running.weigh(scores, is_masked)
                    && begin > 0
                {
                    scale(out.as_chunks_mut().0, &factors);
                }
                multiply_panel(values, panel(scores.as_flattened()), begin > 0, out, PANEL);
            }
        }
    }

    /// The finished rows.
    fn write(&self, mut to: Vec<&mut [MaybeUninit<f32>]>) {
        let len = self.queries.len() / self.running.len();
        let panels = self.out.chunks_exact(len).zip(&self.running);
        for ((out, running), to) in panels.zip(to.chunks_mut(PANEL)) {
            for (column, (to, factor)) in to.iter_mut().zip(running.factors()).enumerate() {
                for (to, out) in to.iter_mut().zip(out.chunks_exact(PANEL)) {
                    to.write(out[column] * factor);
                }
            }
        }
    }
}

multiversioned! {
    /// Multiplies each query's values with its factor.
    fn scale(rows: &mut [[f32; PANEL]], factors: &[f32; PANEL]) {
        for row in rows {
            for l in 0..PANEL {
                row[l] *= factors[l];
            }
        }
    }
}
