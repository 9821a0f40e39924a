//! Scaled dot-product attention (Vaswani et al. 2017).

use candle_core::{D, DType, Result, Tensor};
use candle_nn::ops::softmax_last_dim;

use super::cpu::attention::AttentionShape;
use super::{cpu, is_fast, with_values};

/// Which keys a query sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mask {
    /// All.
    None,
    /// Those up to its own place.
    Causal,
}

/// `softmax(q·kᵀ / √D)·v` in `heads` heads. `q`: `[B, N, H·D]`, `k`, `v`: `[B, M, H·D]` → `[B, N, H·D]`.
pub fn attention(q: &Tensor, k: &Tensor, v: &Tensor, heads: usize, mask: Mask) -> Result<Tensor> {
    let (batch, queries, width) = q.dims3()?;
    let keys = k.dim(1)?;
    if heads == 0 || !width.is_multiple_of(heads) || k.dims() != [batch, keys, width] || v.dims() != k.dims()
    {
        let shapes = format!("{:?}, {:?} and {:?}", q.dims(), k.dims(), v.dims());
        return Err(candle_core::Error::Msg(format!("attention in {heads} heads does not fit {shapes}")));
    }
    let head_width = width / heads;
    if is_fast(q) {
        let shape = AttentionShape { batch, queries, keys, heads, head_width, causal: mask == Mask::Causal };
        let run = |q: &[f32], k: &[f32]| with_values(v, |v| cpu::attention::attention(q, k, v, shape));
        let out = with_values(q, |q| with_values(k, |k| run(q, k)))???;
        return Tensor::from_vec(out, (batch, queries, width), q.device());
    }
    let split =
        |t: &Tensor, n: usize| t.reshape((batch, n, heads, head_width))?.transpose(1, 2)?.contiguous();
    let rows = (SCORES / (batch * heads * keys).max(1)).max(1);
    let out = attention_by_rows([&split(q, queries)?, &split(k, keys)?, &split(v, keys)?], mask, rows)?;
    out.transpose(1, 2)?.reshape((batch, queries, width))
}

/// The softmax of each of so many equal parts of rows `[.., P·M]`.
///
/// # Errors
/// If rows are not so many equal parts.
pub fn softmax_in_parts(x: &Tensor, parts: usize) -> Result<Tensor> {
    let row = x.dim(D::Minus1)?;
    if parts == 0 || row == 0 || !row.is_multiple_of(parts) {
        return Err(candle_core::Error::Msg(format!("rows of {row} are not {parts} equal parts")));
    }
    let part = row / parts;
    if is_fast(x) && cpu::softmax::is_whole(part) {
        let mut values = with_values(x, <[f32]>::to_vec)?;
        cpu::softmax::in_parts(&mut values, part);
        return Tensor::from_vec(values, x.dims(), x.device());
    }
    let of_parts = x.reshape((x.elem_count() / part, part))?;
    softmax_last_dim(&of_parts.contiguous()?)?.reshape(x.dims())
}

/// The most scores that candle's operations hold at once.
const SCORES: usize = 1 << 26;

/// Attention of `q`, `k` and `v`, each `[B, H, N or M, D]`, for so many queries at once.
fn attention_by_rows([q, k, v]: [&Tensor; 3], mask: Mask, rows: usize) -> Result<Tensor> {
    let (_, _, queries, head_width) = q.dims4()?;
    let scale = 1.0 / (head_width as f64).sqrt();
    let transposed_keys = k.to_dtype(DType::F32)?.transpose(2, 3)?.contiguous()?;
    let part = |first: usize| {
        // f16 products of long rows overflow: the scores are computed in f32.
        let q = q.narrow(2, first, rows.min(queries - first))?.contiguous()?.to_dtype(DType::F32)?;
        let mut scores = (q * scale)?.matmul(&transposed_keys)?;
        if mask == Mask::Causal {
            scores =
                scores.broadcast_add(&causal_mask(first, scores.dim(2)?, scores.dim(3)?, v.device())?)?;
        }
        scores = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?)?.exp()?;
        let weights = scores.broadcast_div(&scores.sum_keepdim(D::Minus1)?)?;
        weights.to_dtype(v.dtype())?.matmul(v)
    };
    if queries <= rows {
        return part(0);
    }
    Tensor::cat(&(0..queries).step_by(rows).map(part).collect::<Result<Vec<_>>>()?, 2)
}

/// What is added to the scores of `queries` queries from the `first` on.
fn causal_mask(first: usize, queries: usize, keys: usize, device: &candle_core::Device) -> Result<Tensor> {
    let mut values = vec![0.0_f32; queries * keys];
    for (row, values) in values.chunks_exact_mut(keys.max(1)).enumerate() {
        values[(first + row + 1).min(keys)..].fill(f32::NEG_INFINITY);
    }
    Tensor::from_vec(values, (1, 1, queries, keys), device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_rows_have_softmaxes_of_their_own() {
        for part in [3, 16, 80] {
            let mut values: Vec<f32> = (0..7 * 5 * part).map(|i| (i * 37 % 101) as f32 / 4.0 - 9.0).collect();
            values[part - 1] = f32::NEG_INFINITY;
            values[1] = 300.0;
            let x = Tensor::from_vec(values.clone(), (1, 7, 5 * part), &candle_core::Device::Cpu).unwrap();
            let found = softmax_in_parts(&x, 5).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
            for (scores, found) in values.chunks(part).zip(found.chunks(part)) {
                let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let weights: Vec<f64> = scores.iter().map(|s| f64::from(s - largest).exp()).collect();
                let sum: f64 = weights.iter().sum();
                for (weight, found) in weights.iter().zip(found) {
                    let error = (f64::from(*found) - weight / sum).abs();
                    assert!(error < 2e-6 * (weight / sum) + 1e-37, "{part}: {found} for {}", weight / sum);
                }
            }
        }
        let error =
            softmax_in_parts(&Tensor::zeros((2, 6), DType::F32, &candle_core::Device::Cpu).unwrap(), 4);
        assert!(error.unwrap_err().to_string().contains("rows of 6 are not 4 equal parts"));
    }

    #[test]
    fn attention_in_parts_is_attention() {
        let values: Vec<f32> = (0..2 * 3 * 7 * 4).map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0).collect();
        let x = Tensor::from_vec(values, (2, 3, 7, 4), &candle_core::Device::Cpu).unwrap();
        for mask in [Mask::None, Mask::Causal] {
            let values = |rows| {
                let out = attention_by_rows([&x, &x, &x], mask, rows).unwrap();
                out.flatten_all().unwrap().to_vec1::<f32>().unwrap()
            };
            for (part, whole) in values(3).iter().zip(values(7)) {
                assert!((part - whole).abs() < 1e-6, "{mask:?}: {part} for {whole}");
            }
        }
    }
}
