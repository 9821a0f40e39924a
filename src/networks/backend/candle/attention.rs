//! Attention on candle's devices: a kernel that does it in one pass where there is one, candle's on Apple's GPUs and our own
//! on NVIDIA's, and otherwise tiles of queries.
//!
//! Logits are in f32 always, as dot products of long rows overflow f16. A tile's are the only ones there are: the whole
//! matrix of a picture, gigabytes at 1024² pixels, is never made.

use std::ops::Range;
use std::sync::Mutex;

use candle_core::{D, DType, Device, Result, Tensor};

/// Most logits that are held at once: 256 MiB.
const MAX_LOGITS: usize = 1 << 26;

/// The head widths for which candle's fused kernel on Apple's GPUs is compiled, without 512: heads of that width are a
/// VAE's, whose logits need the range of f32 and which run row by row.
const FUSED_WIDTHS: [usize; 7] = [32, 64, 72, 80, 96, 128, 256];

/// `softmax(q·kᵀ / √D)·v` in `heads` heads. `q`: `[B, N, H·D]`, `k`, `v`: `[B, M, H·D]` → `[B, N, H·D]`. `causal`: each
/// query attends to the keys up to its own position.
pub(in crate::networks::backend) fn attention(
    [q, k, v]: [&Tensor; 3],
    heads: usize,
    causal: bool,
) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    if !causal && let Some(out) = super::cuda::attention([q, k, v], heads)? {
        return Ok(out);
    }
    let (batch, queries, width) = q.dims3()?;
    let keys = k.dim(1)?;
    let [q, k, v] = [split_heads(q, heads)?, split_heads(k, heads)?, split_heads(v, heads)?];
    let scale = 1.0 / ((width / heads) as f64).sqrt();
    let out = match fused_width(q.device(), [queries, keys, width / heads], causal) {
        Some(width) => fused([&q, &k, &v], width, scale, causal)?,
        None => tiled([&q, &k, &v], scale, causal, rows(batch * heads, keys))?,
    };
    joined(&out)
}

/// The columns `keys` of `softmax(q·kᵀ / √D)`, mean over the heads. `q`: `[1, N, H·D]`, `k`: `[1, M, H·D]` → `[keys, N]`.
pub(in crate::networks::backend) fn weights(
    [q, k]: [&Tensor; 2],
    heads: usize,
    keys: Range<usize>,
) -> Result<Vec<f32>> {
    let scale = 1.0 / ((q.dim(2)? / heads) as f64).sqrt();
    let (q, dtype) = (split_heads(q, heads)?, q.dtype());
    let all = split_heads(k, heads)?.transpose(2, 3)?.to_dtype(DType::F32)?;
    let (queries, rows) = (q.dim(2)?, rows(heads, k.dim(1)?));
    let part = |first: usize| {
        let q = q.narrow(2, first, rows.min(queries - first))?.contiguous()?;
        let logits = product(&(q.to_dtype(DType::F32)? * scale)?, &all, dtype)?;
        let weights = candle_nn::ops::softmax_last_dim(&logits)?.narrow(D::Minus1, keys.start, keys.len())?;
        weights.mean(1)?.squeeze(0)?.to_device(&Device::Cpu)
    };
    let parts = (0..queries).step_by(rows).map(part).collect::<Result<Vec<_>>>()?;
    Tensor::cat(&parts, 0)?.t()?.flatten_all()?.to_vec1()
}

/// `softmax(q·kᵀ + bias)·v`. `q`, `k`, `v` as for [`attention`]; `bias`: `[1, H, N, M]`, f32.
pub(in crate::networks::backend) fn with_bias(
    [q, k, v]: [&Tensor; 3],
    heads: usize,
    bias: &Tensor,
) -> Result<Tensor> {
    let [q, k, v] = [split_heads(q, heads)?, split_heads(k, heads)?, split_heads(v, heads)?];
    let logits = logits(&q, &k.transpose(2, 3)?.to_dtype(DType::F32)?, q.dtype())?;
    joined(&weighted(&logits.broadcast_add(bias)?, &v)?)
}

/// `[B, N, H·D] → [B, H, N, D]`, contiguous.
pub(in crate::networks::backend) fn split_heads(x: &Tensor, heads: usize) -> Result<Tensor> {
    let (batch, tokens, width) = x.dims3()?;
    x.reshape((batch, tokens, heads, width / heads))?.transpose(1, 2)?.contiguous()
}

/// `[B, H, N, D] → [B, N, H·D]`.
fn joined(out: &Tensor) -> Result<Tensor> {
    let (batch, heads, tokens, width) = out.dims4()?;
    out.transpose(1, 2)?.reshape((batch, tokens, heads * width))
}

/// The width that heads are padded to for the fused kernel; `None` where there is none for them.
fn fused_width(device: &Device, [queries, keys, width]: [usize; 3], causal: bool) -> Option<usize> {
    // The kernel for one query is another, and aligns a causal mask with the last key.
    let fits = device.is_metal() && queries > 1 && (!causal || queries == keys);
    FUSED_WIDTHS.into_iter().find(|fused| width <= *fused).filter(|_| fits)
}

/// The fused kernel for heads padded with zeros, which add nothing to a product: `[B, H, N, D]`.
fn fused([q, k, v]: [&Tensor; 3], width: usize, scale: f64, causal: bool) -> Result<Tensor> {
    let own = q.dim(D::Minus1)?;
    let [q, k, v] = [padded(q, width)?, padded(k, width)?, padded(v, width)?];
    let out = candle_nn::ops::sdpa(&q, &k, &v, None, causal, scale as f32, 1.0)?;
    if own == width { Ok(out) } else { out.narrow(D::Minus1, 0, own) }
}

/// `[.., D] → [.., width]`.
fn padded(x: &Tensor, width: usize) -> Result<Tensor> {
    let own = x.dim(D::Minus1)?;
    if own == width { Ok(x.clone()) } else { x.pad_with_zeros(D::Minus1, 0, width - own) }
}

/// Queries in a tile of heads with this many keys.
fn rows(heads: usize, keys: usize) -> usize {
    (MAX_LOGITS / (heads * keys).max(1)).max(1)
}

/// Attention for `rows` queries at a time: `[B, H, N, D]`.
fn tiled([q, k, v]: [&Tensor; 3], scale: f64, causal: bool, rows: usize) -> Result<Tensor> {
    let queries = q.dim(2)?;
    let keys = k.transpose(2, 3)?.to_dtype(DType::F32)?;
    let part = |first: usize| {
        let q = q.narrow(2, first, rows.min(queries - first))?;
        let q = if causal || rows < queries { q.contiguous()? } else { q };
        // Scaling the queries is a pass over far fewer values than scaling the logits.
        let scaled = (q.to_dtype(DType::F32)? * scale)?;
        let mut logits = product(&scaled, &keys, q.dtype())?;
        if causal {
            let mask = causal_mask(first, logits.dim(2)?, logits.dim(3)?, v.device())?;
            logits = logits.broadcast_add(&mask)?;
        }
        weighted(&logits, v)
    };
    if queries <= rows {
        return part(0);
    }
    Tensor::cat(&(0..queries).step_by(rows).map(part).collect::<Result<Vec<_>>>()?, 2)
}

/// `q·keys` in f32. `keys`: `[B, H, D, M]`, f32.
fn logits(q: &Tensor, keys: &Tensor, dtype: DType) -> Result<Tensor> {
    product(&q.to_dtype(DType::F32)?, keys, dtype)
}

/// `softmax(logits)·v` in the format of `v`.
fn weighted(logits: &Tensor, v: &Tensor) -> Result<Tensor> {
    let weights = candle_nn::ops::softmax_last_dim(logits)?;
    weights.to_dtype(v.dtype())?.matmul(v)
}

/// The product of matrices in f32 whose values were in `dtype`.
///
/// On NVIDIA's GPUs TF32 keeps 11 bits of each factor, which is all that values in 16 bits have, and adds up in f32:
/// the result is that of f32, at several times its speed. Values that were in f32 keep all bits.
fn product(a: &Tensor, b: &Tensor, dtype: DType) -> Result<Tensor> {
    /// Held while the switch, which is one for the whole program, is on.
    static SWITCH: Mutex<()> = Mutex::new(());

    if !(a.device().is_cuda() && matches!(dtype, DType::F16 | DType::BF16)) {
        return a.matmul(b);
    }
    let _held = SWITCH.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    candle_core::cuda::set_gemm_reduced_precision_f32(true);
    let out = a.matmul(b);
    candle_core::cuda::set_gemm_reduced_precision_f32(false);
    out
}

/// The mask that is added to the logits of `queries` queries, from the `first` on: `[1, 1, queries, keys]`.
fn causal_mask(first: usize, queries: usize, keys: usize, device: &Device) -> Result<Tensor> {
    let mut values = vec![0.0_f32; queries * keys];
    for (row, values) in values.chunks_exact_mut(keys.max(1)).enumerate() {
        values[(first + row + 1).min(keys)..].fill(f32::NEG_INFINITY);
    }
    Tensor::from_vec(values, (1, 1, queries, keys), device)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heads(width: usize) -> Tensor {
        let values: Vec<f32> = (0..2 * 3 * 7 * width).map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0).collect();
        Tensor::from_vec(values, (2, 3, 7, width), &Device::Cpu).unwrap()
    }

    fn largest_difference(a: &Tensor, b: &Tensor) -> f32 {
        (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar().unwrap()
    }

    #[test]
    fn attention_in_tiles_equals_attention_at_once() {
        let x = heads(4);
        for causal in [false, true] {
            let of_rows = |rows| tiled([&x, &x, &x], 0.5, causal, rows).unwrap();
            assert!(largest_difference(&of_rows(3), &of_rows(7)) < 1e-6);
        }
    }

    #[test]
    fn a_tile_holds_no_more_logits_than_allowed() {
        // Stable Diffusion 1's at 512² pixels, with guidance; and a VAE's at 2048².
        for (heads, tokens) in [(16, 4096), (1, 65_536)] {
            assert!(rows(heads, tokens) * heads * tokens <= MAX_LOGITS);
        }
        assert_eq!(rows(16, 4096), 1024);
        assert_eq!(rows(1 << 20, 1 << 20), 1);
    }

    #[test]
    fn padded_heads_give_the_same() {
        let x = heads(40);
        let scale = 1.0 / 40.0_f64.sqrt();
        let wide = padded(&x, 64).unwrap();
        assert_eq!(wide.dims(), [2, 3, 7, 64]);
        let out = tiled([&wide, &wide, &wide], scale, false, 7).unwrap().narrow(3, 0, 40).unwrap();
        assert!(largest_difference(&out, &tiled([&x, &x, &x], scale, false, 7).unwrap()) < 1e-6);
    }

    #[test]
    fn only_apples_gpus_have_the_fused_kernel() {
        assert_eq!(fused_width(&Device::Cpu, [64, 64, 64], false), None);
        let narrowest = |width: usize| FUSED_WIDTHS.into_iter().find(|fused| width <= *fused);
        assert_eq!([40, 64, 160, 512].map(narrowest), [Some(64), Some(64), Some(256), None]);
    }
}
