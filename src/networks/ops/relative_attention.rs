//! Attention with relative position biases (Raffel et al. 2020, <https://arxiv.org/abs/1910.10683>).

use super::super::Runtime;
use super::weights::packs;
use super::{Operation, is_native, with_values};
use crate::kernels::attention as kernels;
use crate::networks::backend::{self, Device, Error, Result, Tensor};

/// Relative position biases of the attention logits of N queries and M keys in H heads. The keys after the first M are
/// masked.
pub struct RelativeBias {
    /// For each head, the biases of the distances query − key from −(M − 1) to N − 1, `[H, N + M − 1]`.
    of_distance: Vec<f32>,
    heads: usize,
    tokens: usize,
    keys: usize,
    /// The biases of all logits on the device, `[1, H, N, M]`, where a backend computes.
    tensor: Option<Tensor>,
}

impl RelativeBias {
    /// `bias(head, distance)`: for a distance query − key. `tokens`: N; `keys`: M, the number of tokens that are not
    /// masked.
    ///
    /// # Errors
    /// The tensor library's.
    pub fn new(
        runtime: &Runtime,
        heads: usize,
        tokens: usize,
        keys: usize,
        bias: impl Fn(usize, isize) -> f32,
    ) -> Result<Self> {
        let distances = 1 - keys as isize..tokens as isize;
        let of_head = |head| distances.clone().map(move |distance| (head, distance));
        let of_distance = (0..heads).flat_map(of_head).map(|(head, distance)| bias(head, distance)).collect();
        let mut made = Self { of_distance, heads, tokens, keys, tensor: None };
        if !packs(runtime) {
            made.tensor = Some(made.tensor(runtime.device())?);
        }
        Ok(made)
    }

    /// `[1, H, N, M]`.
    fn tensor(&self, device: &Device) -> Result<Tensor> {
        let (n, m) = (self.tokens, self.keys);
        let mut values: Vec<f32> = Vec::with_capacity(self.heads * n * m);
        for of_head in self.of_distance.chunks_exact((n + m - 1).max(1)) {
            for query in 0..n {
                // The distance falls as the key's position grows.
                values.extend(of_head[query..query + m].iter().rev());
            }
        }
        Tensor::from_vec(values, (1, self.heads, n, m), device)
    }
}

/// `softmax(q·kᵀ + bias)·v` over the first M keys, without scaling: `[1, N, H·D]` each → `[1, N, H·D]`.
///
/// # Errors
/// If the shapes do not fit.
pub fn attention_with_relative_bias(
    runtime: &Runtime,
    [q, k, v]: [&Tensor; 3],
    bias: &RelativeBias,
) -> Result<Tensor> {
    let (batch, tokens, width) = q.dims3()?;
    let heads = bias.heads;
    let has_keys = (1..=tokens).contains(&bias.keys);
    let fits =
        batch == 1 && tokens == bias.tokens && has_keys && heads > 0 && width.is_multiple_of(heads.max(1));
    if !fits || k.dims() != q.dims() || v.dims() != q.dims() {
        let shapes = format!("{:?}, {:?} and {:?}", q.dims(), k.dims(), v.dims());
        return Err(Error::Msg(format!(
            "attention of {} tokens in {heads} heads does not fit {shapes}",
            bias.tokens
        )));
    }
    let (k, v) = (&k.narrow(1, 0, bias.keys)?, &v.narrow(1, 0, bias.keys)?);
    if is_native(runtime, q) {
        let shape = kernels::AttentionShape {
            batch,
            queries: tokens,
            keys: bias.keys,
            heads,
            head_width: width / heads,
            causal: false,
        };
        let bias = kernels::RelativeBias { of_distance: &bias.of_distance };
        let run = |q: &[f32], k: &[f32]| {
            with_values(v, |v| {
                kernels::attention_with_relative_bias(runtime.kernels(), [q, k, v], shape, bias)
            })
        };
        let out = with_values(q, |q| with_values(k, |k| run(q, k)))???;
        return Tensor::from_vec(out, q.dims(), q.device());
    }
    let Some(biases) = &bias.tensor else {
        return Err(Error::Msg("biases for the kernels do not go to values elsewhere".to_owned()));
    };
    let out = backend::relative_attention([q, k, v], heads, biases)?;
    runtime.computed(Operation::RelativeAttention, out)
}
