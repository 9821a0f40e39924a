//! Products of normed rows, a band of rows at a time: what lies between a norm and the last product stays in the
//! second-level cache.

use std::mem::MaybeUninit;

use super::super::threads;
use super::activation::gate;
use super::converted::Converted;
use super::kernel::PANEL;
use super::norm::LayerNorm;
use super::pack::Form;
use super::scratch::{Scratch, all_written, written};
use super::weights::Weights;

/// Values that may lie in between, of a band.
const BAND_VALUES: usize = 410_000;
/// Fewest and most rows of a band: weights are read again for each.
const LEAST_ROWS: usize = 256;
const MOST_ROWS: usize = 384;
/// With fewer rows for each thread than this, threads should share columns rather than rows.
const ROWS_OF_THREAD: usize = 64;
/// Hidden values of a row computed at once: enough columns that the sums of rows for Strassen's products weigh little, few enough
/// that values and gates of a band stay in the second-level cache.
const HIDDEN_AT_ONCE: usize = 8 * PANEL;

/// Rows of a band with so many values of each in between; nothing if there are too few rows for the threads.
fn rows_of_band(rows: usize, values: usize) -> Option<usize> {
    let threads = threads::count();
    let enough = rows > 0 && (threads == 1 || rows.div_ceil(threads) >= ROWS_OF_THREAD);
    enough.then(|| {
        let most = (BAND_VALUES / values).clamp(LEAST_ROWS, MOST_ROWS);
        // As many of the same size for each thread.
        rows.div_ceil(rows.div_ceil(most).next_multiple_of(threads))
    })
}

/// Normed rows in the form they are multiplied in.
fn normed(x: &[f32], norm: LayerNorm<'_>, form: Form) -> Converted {
    let depth = norm.channels();
    let mut converted = Converted::new(x.len() / depth, depth, form);
    let mut row_values = Scratch::new(depth);
    for (row, x) in x.chunks_exact(depth).enumerate() {
        norm.apply(x, &mut row_values);
        converted.set(row, 0, &row_values);
    }
    converted
}

/// `norm(x) · weights + bias` for each of several weights: `[N, C] → [N, O]` each. Nothing if there are too few rows,
/// or the weights want different forms of them.
pub(in super::super) fn normed_products(
    x: &[f32],
    norm: LayerNorm<'_>,
    weights: &[&Weights],
) -> Option<Vec<Vec<f32>>> {
    let depth = norm.channels();
    let count = x.len() / depth;
    let form = weights.first()?.form(count, depth.is_multiple_of(2));
    if weights.iter().any(|weights| weights.form(count, depth.is_multiple_of(2)) != form) {
        return None;
    }
    let rows = rows_of_band(count, depth)?;
    let lens = weights.iter().map(|weights| count * weights.matrix.columns);
    let write = |results: Vec<&mut [MaybeUninit<f32>]>| {
        let mut bands: Vec<(&[f32], Vec<_>)> = x.chunks(rows * depth).map(|x| (x, Vec::new())).collect();
        for (result, weights) in results.into_iter().zip(weights) {
            for (band, out) in bands.iter_mut().zip(result.chunks_mut(rows * weights.matrix.columns)) {
                band.1.push(out);
            }
        }
        threads::for_each(true, bands.into_iter(), |(x, results)| {
            let normed_rows = normed(x, norm, form);
            for (weights, out) in weights.iter().zip(results) {
                weights.multiply_converted(normed_rows.rows(x.len() / depth), None, out);
            }
        });
    };
    #[expect(unsafe_code, reason = "see `all_written`")]
    // SAFETY: every row is in a band, whose products write all columns.
    Some(unsafe { all_written(lens, write) })
}

/// `x + contract(value · gelu(gate))`, where values and gates are the halves of `expand(norm(x))`: `[N, C] → [N, C]`.
/// Nothing if there are too few rows, or a half is not a number of whole panels.
///
/// Source: Shazeer 2020, <https://arxiv.org/abs/2002.05202>.
pub(in super::super) fn gated_feed_forward(
    x: &[f32],
    norm: LayerNorm<'_>,
    [expand, contract]: [&Weights; 2],
) -> Option<Vec<f32>> {
    let depth = norm.channels();
    let (count, hidden) = (x.len() / depth, contract.matrix.depth);
    if !hidden.is_multiple_of(PANEL) || contract.matrix.columns != depth {
        return None;
    }
    let rows = rows_of_band(count, depth + hidden)?;
    let form = expand.form(count, depth.is_multiple_of(2));
    let hidden_form = contract.form(count, true);
    let work = |(x, out): (&[f32], &mut [MaybeUninit<f32>])| {
        let rows = x.len() / depth;
        let normed_rows = normed(x, norm, form);
        let mut gated = Converted::new(rows, hidden, hidden_form);
        let mut both = Scratch::new(rows * 2 * HIDDEN_AT_ONCE);
        for first in (0..hidden).step_by(HIDDEN_AT_ONCE) {
            let columns = first..hidden.min(first + HIDDEN_AT_ONCE);
            let (len, stride) = (columns.len(), 2 * columns.len());
            for (half, at) in [(0, 0), (hidden, len)] {
                let columns = half + columns.start..half + columns.end;
                expand.product_of_columns(columns, normed_rows.rows(rows), &mut both[at..], stride);
            }
            for (row, both) in both.chunks_exact_mut(stride).enumerate().take(rows) {
                let (values, gates) = both.split_at_mut(len);
                gate(values, gates);
                gated.set(row, first, values);
            }
        }
        contract.multiply_converted(gated.rows(rows), Some(x), out);
    };
    let write = |out: &mut [MaybeUninit<f32>]| {
        threads::for_each(true, x.chunks(rows * depth).zip(out.chunks_mut(rows * depth)), work);
    };
    #[expect(unsafe_code, reason = "see `written`")]
    // SAFETY: every row is in a band, whose product writes all columns.
    Some(unsafe { written(x.len(), write) })
}
