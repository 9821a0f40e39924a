//! Several operations in turn over a band of rows at a time.

use std::mem::MaybeUninit;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use candle_core::{Error, Result, Tensor};

use super::cpu::scratch::written;
use super::{is_fast, threads, with_values};

/// Rows of a band: several feature maps of it stay in the second-level cache.
const ROWS: usize = 256;

/// `work` of tokens `[B, N, C]` (each its own `C`) whose rows have nothing to do with each other: `[B, N, width]`.
/// `work` is told of which pictures its tokens are. On a CPU it gets one band of rows after another, so that what is
/// computed in between stays in the caches.
///
/// # Errors
/// Those of `work`, and if batches, numbers of rows or the result's width are not as said.
pub fn in_bands<const N: usize>(
    tokens: [&Tensor; N],
    width: usize,
    work: impl Fn(Range<usize>, [Tensor; N]) -> Result<Tensor> + Sync,
) -> Result<Tensor> {
    let Some(first) = tokens.first() else { return Err(Error::Msg("bands of no tokens".into())) };
    let (batch, rows, _) = first.dims3()?;
    if let Some(other) = tokens.iter().find(|t| t.dims().len() != 3 || t.dims()[..2] != [batch, rows]) {
        let message = format!("tokens of {:?} do not go with {:?}", other.dims(), first.dims());
        return Err(Error::Msg(message));
    }
    let checked_work = |pictures: Range<usize>, tokens: [Tensor; N], rows: usize| {
        let wanted = [pictures.len(), rows, width];
        let part = work(pictures, tokens)?;
        if part.dims() == wanted {
            return Ok(part);
        }
        Err(Error::Msg(format!("a band of {:?} is not one of {wanted:?}", part.dims())))
    };
    let bands = batch * rows.div_ceil(ROWS);
    let threads = threads::count();
    let enough = width > 0 && bands > 1 && (threads == 1 || bands >= 2 * threads);
    if !enough || !tokens.iter().all(|tokens| is_fast(tokens)) {
        return checked_work(0..batch, tokens.map(Tensor::clone), rows);
    }
    let failure = Mutex::new(None);
    let run = |(picture, first, out): (usize, usize, &mut [MaybeUninit<f32>])| {
        let count = out.len() / width;
        let band = |tokens: &Tensor| tokens.narrow(0, picture, 1)?.narrow(1, first, count);
        let result = (|| {
            let parts: Vec<Tensor> = tokens.into_iter().map(band).collect::<Result<_>>()?;
            let parts = parts.try_into().map_err(|_| Error::Msg("as many bands as tokens".into()))?;
            with_values(&checked_work(picture..picture + 1, parts, count)?, |values| {
                out.write_copy_of_slice(values);
            })
        })();
        if let Err(error) = result {
            out.fill(MaybeUninit::new(0.0));
            *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        }
    };
    let write = |out: &mut [MaybeUninit<f32>]| {
        let mut bands = Vec::new();
        for (picture, out) in out.chunks_exact_mut(rows * width).enumerate() {
            for (band, out) in out.chunks_mut(ROWS * width).enumerate() {
                bands.push((picture, band * ROWS, out));
            }
        }
        threads::for_each(true, bands.into_iter(), run);
    };
    #[expect(unsafe_code, reason = "see `written`")]
    // SAFETY: every row of every picture is in a band, which is written or filled.
    let values = unsafe { written(batch * rows * width, write) };
    match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Tensor::from_vec(values, (batch, rows, width), first.device()),
    }
}
