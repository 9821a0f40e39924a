//! GEMMs whose LHS comes from a layer norm, a band of rows at a time: what lies between the norm and the last product stays
//! in the second-level cache.

use std::mem::MaybeUninit;

use super::KernelContext;
use super::activation::gate;
use super::gemm::{Epilogue, LhsView, PANEL, PackedWeights, gemm, gemm_into};
use super::norm::LayerNorm;
use super::scratch::{Scratch, written_vec, written_vecs};

/// Values between norm and last product of a band.
const BAND_VALUES: usize = 410_000;
/// Fewest and most rows of a band: weights are read again for each.
const LEAST_ROWS: usize = 256;
const MOST_ROWS: usize = 384;
/// With fewer rows for each thread than this, threads should share columns rather than rows.
const ROWS_OF_THREAD: usize = 64;
/// Hidden values of a row computed at once, few enough that values and gates of a band stay in the second-level cache.
const HIDDEN_CHUNK: usize = 8 * PANEL;

/// Rows of a band with `values` of each in between; `None` if there are too few rows for the threads.
fn band_rows(ctx: &KernelContext, rows: usize, values: usize) -> Option<usize> {
    let threads = ctx.threads().count();
    let enough = rows > 0 && (threads == 1 || rows.div_ceil(threads) >= ROWS_OF_THREAD);
    enough.then(|| {
        let most = (BAND_VALUES / values).clamp(LEAST_ROWS, MOST_ROWS);
        // As many of the same size for each thread.
        rows.div_ceil(rows.div_ceil(most).next_multiple_of(threads))
    })
}

fn normed<'a>(ctx: &'a KernelContext, norm: LayerNorm<'_>, x: &[f32]) -> Scratch<'a> {
    let mut rows = ctx.scratch(x.len());
    norm.apply(ctx.isa(), x, &mut rows);
    rows
}

/// `norm(x) · weights + bias` for each of several weights: `[N, C] → [N, O]` each. `None` if there are too few rows for the
/// threads.
///
/// # Panics
/// If sizes do not fit.
pub fn normed_products(
    ctx: &KernelContext,
    x: &[f32],
    norm: LayerNorm<'_>,
    weights: &[&PackedWeights],
) -> Option<Vec<Vec<f32>>> {
    let depth = norm.channels();
    let count = x.len() / depth;
    let rows = band_rows(ctx, count, depth)?;
    // Weights of one context and depth have one format.
    let format = weights.first()?.rhs().view().operand_format();
    let lens: Vec<usize> = weights.iter().map(|weights| count * weights.rhs().columns()).collect();
    let write = |results: Vec<&mut [MaybeUninit<f32>]>| {
        let mut bands: Vec<(&[f32], Vec<_>)> = x.chunks(rows * depth).map(|x| (x, Vec::new())).collect();
        for (result, weights) in results.into_iter().zip(weights) {
            for (band, out) in bands.iter_mut().zip(result.chunks_mut(rows * weights.rhs().columns())) {
                band.1.push(out);
            }
        }
        ctx.threads().for_each(true, bands.into_iter(), |(x, results)| {
            let normed = normed(ctx, norm, x);
            let lhs = LhsView::plain(&normed, x.len() / depth, depth).pack(ctx, format);
            for (weights, out) in weights.iter().zip(results) {
                let epilogue = Epilogue { bias: weights.bias(), ..Epilogue::default() };
                gemm_into(ctx, &lhs, weights.rhs().view(), epilogue, out, weights.rhs().columns());
            }
        });
    };
    // SAFETY: every row is in a band, whose products write all columns.
    Some(unsafe { written_vecs(&lens, write) })
}

/// `x + contract(value · gelu(gate))`, where values and gates are the halves of `expand(norm(x))`: `[N, C] → [N, C]`.
/// `None` if there are too few rows for the threads, or a half is not whole panels.
///
/// Source: Shazeer 2020, <https://arxiv.org/abs/2002.05202>.
///
/// # Panics
/// If sizes do not fit.
pub fn gated_feed_forward(
    ctx: &KernelContext,
    x: &[f32],
    norm: LayerNorm<'_>,
    [expand, contract]: [&PackedWeights; 2],
) -> Option<Vec<f32>> {
    let depth = norm.channels();
    let (count, hidden) = (x.len() / depth, contract.rhs().depth());
    if !hidden.is_multiple_of(PANEL) || contract.rhs().columns() != depth {
        return None;
    }
    let rows = band_rows(ctx, count, depth + hidden)?;
    let [expand_rhs, contract_rhs] = [expand, contract].map(|weights| weights.rhs().view());
    let work = |(x, out): (&[f32], &mut [MaybeUninit<f32>])| {
        let rows = x.len() / depth;
        let normed = normed(ctx, norm, x);
        let lhs = LhsView::plain(&normed, rows, depth).pack(ctx, expand_rhs.operand_format());
        let mut gated = ctx.scratch(rows * hidden);
        let mut both = ctx.scratch(rows * 2 * HIDDEN_CHUNK);
        for first in (0..hidden).step_by(HIDDEN_CHUNK) {
            let len = HIDDEN_CHUNK.min(hidden - first);
            let both = &mut both[..rows * 2 * len];
            for (half, at) in [(0, 0), (hidden, len)] {
                let columns = half + first..half + first + len;
                let bias = expand.bias().get(columns.clone()).unwrap_or_default();
                let epilogue = Epilogue { bias, ..Epilogue::default() };
                gemm(ctx, &lhs, expand_rhs.narrow(columns), epilogue, &mut both[at..], 2 * len);
            }
            for (row, both) in both.chunks_exact_mut(2 * len).enumerate() {
                let (values, gates) = both.split_at_mut(len);
                gate(ctx.isa(), values, gates);
                gated[row * hidden + first..][..len].copy_from_slice(values);
            }
        }
        let lhs = LhsView::plain(&gated, rows, hidden).pack(ctx, contract_rhs.operand_format());
        let epilogue = Epilogue { accumulate: false, bias: contract.bias(), residual: Some(x) };
        gemm_into(ctx, &lhs, contract_rhs, epilogue, out, depth);
    };
    let write = |out: &mut [MaybeUninit<f32>]| {
        ctx.threads().for_each(true, x.chunks(rows * depth).zip(out.chunks_mut(rows * depth)), work);
    };
    // SAFETY: every row is in a band, whose last product writes all columns.
    Some(unsafe { written_vec(x.len(), write) })
}
