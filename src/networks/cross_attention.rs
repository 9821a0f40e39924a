//! Attention over a prompt.

use std::ops::Range;
use std::sync::Arc;

use candle_core::{Error, Result, Tensor};
use candle_nn::VarBuilder;

use super::blocks::{linear, linear_no_bias};
use super::ops::{LayerNorm, Linear, Mask, attention, normed_linears, softmax_in_parts};

/// Keys of a head are filled up to a multiple, of which vectors and the panels of products are whole.
const MULTIPLE: usize = 16;

/// Attention of a picture's tokens over a prompt's.
pub(super) struct CrossAttention {
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    heads: usize,
}

/// What there is to attend to, the same at every step.
#[derive(Clone)]
pub(super) enum Attended {
    /// Keys and values of B prompts, `[B, M, C]` each.
    Keys([Tensor; 2]),
    /// Of each prompt.
    Folded(Vec<Arc<Folded>>),
}

/// A prompt's keys and values multiplied with the maps beside them: a score is `(x·Wq)·kᵀ`, which is `x·(Wq·kᵀ)`, and a
/// head's part of the result `(p·v)·Wo`, which is `p·(v·Wo)`. What is in brackets then is the same at every step.
pub(super) struct Folded {
    /// `C → H·M`: scores, head after head; of keys that are not there infinite ones below zero.
    scores: Linear,
    /// `H·M → C`.
    out: Linear,
}

impl Attended {
    /// Number of prompts.
    pub(super) fn prompts(&self) -> Result<usize> {
        match self {
            Self::Keys([keys, _]) => keys.dim(0),
            Self::Folded(prompts) => Ok(prompts.len()),
        }
    }

    /// Some of the prompts.
    ///
    /// # Errors
    /// If there are fewer.
    pub(super) fn narrow(&self, prompts: Range<usize>) -> Result<Self> {
        match self {
            Self::Keys([keys, values]) => {
                let some = |of: &Tensor| of.narrow(0, prompts.start, prompts.len());
                Ok(Self::Keys([some(keys)?, some(values)?]))
            }
            Self::Folded(all) => match all.get(prompts.clone()) {
                Some(some) => Ok(Self::Folded(some.to_vec())),
                None => Err(Error::Msg(format!("prompts {prompts:?} of {}", all.len()))),
            },
        }
    }
}

impl CrossAttention {
    pub(super) fn new(vb: &VarBuilder<'_>, width: usize, context_width: usize, heads: usize) -> Result<Self> {
        Ok(Self {
            query: linear_no_bias(&vb.pp("to_q"), width, width)?,
            key: linear_no_bias(&vb.pp("to_k"), context_width, width)?,
            value: linear_no_bias(&vb.pp("to_v"), context_width, width)?,
            out: linear(&vb.pp("to_out.0"), width, width)?,
            heads,
        })
    }

    /// What [`Self::over`] attends to in prompts `[B, M, K]`.
    pub(super) fn attended(&self, context: &Tensor) -> Result<Attended> {
        let keys_and_values = [self.key.forward(context)?, self.value.forward(context)?];
        let keys = context.dim(1)?;
        // Two products of C and H·M for each token, or two of C and C and the attention's two of C and M.
        let is_less = self.heads * keys.next_multiple_of(MULTIPLE) <= self.query.inputs() + keys;
        let folded = if is_less { self.folded(&keys_and_values)? } else { None };
        Ok(folded.unwrap_or(Attended::Keys(keys_and_values)))
    }

    /// The prompts of these keys and values; nothing where the maps are not there in f32.
    fn folded(&self, [keys, values]: &[Tensor; 2]) -> Result<Option<Attended>> {
        let (Some((query, _)), Some((out, bias))) = (self.query.unpacked()?, self.out.unpacked()?) else {
            return Ok(None);
        };
        let (width, heads, count) = (self.query.inputs(), self.heads, keys.dim(1)?);
        let (head_width, filled) = (self.query.outputs() / heads, count.next_multiple_of(MULTIPLE));
        // `[H, D, C]` and `[H, C, D]`.
        let query = query.reshape((heads, head_width, width))?;
        let out = out.reshape((width, heads, head_width))?.transpose(0, 1)?.contiguous()?;
        let mut score_bias = vec![0.0_f32; heads * filled];
        for of_head in score_bias.chunks_exact_mut(filled) {
            of_head[count..].fill(f32::NEG_INFINITY);
        }
        let score_bias = Tensor::new(score_bias, keys.device())?;
        let of_prompt = |prompt: usize| {
            // `[H, M, D]`, with zeros for keys that are not there.
            let of_heads = |all: &Tensor| {
                let one = all.get(prompt)?.reshape((count, heads, head_width))?;
                one.transpose(0, 1)?.contiguous()?.pad_with_zeros(1, 0, filled - count)
            };
            let keys = (of_heads(keys)? / (head_width as f64).sqrt())?;
            let scores = keys.matmul(&query)?.reshape((heads * filled, width))?;
            let values = out.matmul(&of_heads(values)?.transpose(1, 2)?.contiguous()?)?;
            let values = values.transpose(0, 1)?.contiguous()?.reshape((width, heads * filled))?;
            Ok(Arc::new(Folded {
                scores: Linear::new(&scores, Some(&score_bias))?,
                out: Linear::new(&values, bias.as_ref())?,
            }))
        };
        Ok(Some(Attended::Folded((0..keys.dim(0)?).map(of_prompt).collect::<Result<_>>()?)))
    }

    /// Attention of `norm(x)`, `x`: `[B, N, C]`, over as many prompts, added to `x`.
    pub(super) fn over(&self, x: &Tensor, norm: &LayerNorm, attended: &Attended) -> Result<Tensor> {
        let prompts = match attended {
            Attended::Keys([keys, values]) => {
                let [query] = normed_linears(x, norm, [&self.query])?;
                return self.out.forward_add(&attention(&query, keys, values, self.heads, Mask::None)?, x);
            }
            Attended::Folded(prompts) => prompts,
        };
        if x.dim(0)? != prompts.len() {
            return Err(Error::Msg(format!(
                "{} pictures do not go with {} prompts",
                x.dim(0)?,
                prompts.len()
            )));
        }
        let over = |(picture, prompt): (usize, &Arc<Folded>)| {
            let x = x.narrow(0, picture, 1)?;
            let [scores] = normed_linears(&x, norm, [&prompt.scores])?;
            prompt.out.forward_add(&softmax_in_parts(&scores, self.heads)?, &x)
        };
        let mut pictures = prompts.iter().enumerate().map(over).collect::<Result<Vec<_>>>()?;
        if pictures.len() == 1 { Ok(pictures.remove(0)) } else { Tensor::cat(&pictures, 0) }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use candle_nn::VarMap;

    use super::*;

    fn made_up(shape: &[usize], salt: usize) -> Tensor {
        let values =
            (0..shape.iter().product()).map(|i: usize| ((i * 37 + salt * 13) % 101) as f32 / 50.0 - 1.0);
        Tensor::from_vec(values.collect::<Vec<_>>(), shape, &Device::Cpu).unwrap()
    }

    fn cross_attention(width: usize, heads: usize) -> CrossAttention {
        let made = VarMap::new();
        let vb = VarBuilder::from_varmap(&made, DType::F32, &Device::Cpu);
        CrossAttention::new(&vb, width, 12, heads).unwrap();
        for (salt, (_, weight)) in made.data().lock().unwrap().iter().enumerate() {
            weight.set(&made_up(weight.dims(), salt)).unwrap();
        }
        CrossAttention::new(&vb, width, 12, heads).unwrap()
    }

    #[test]
    fn folded_maps_attend_as_keys_and_values() {
        let norm = LayerNorm::new(&made_up(&[48], 1), &made_up(&[48], 2), 1e-5).unwrap();
        let attention = cross_attention(48, 3);
        for keys in [1, 13, 16] {
            let (x, context) = (made_up(&[2, 19, 48], 3), made_up(&[2, keys, 12], 4));
            let attended = attention.attended(&context).unwrap();
            assert!(matches!(attended, Attended::Folded(_)), "{keys}");
            let plain = [&attention.key, &attention.value].map(|map| map.forward(&context).unwrap());
            let wanted = attention.over(&x, &norm, &Attended::Keys(plain)).unwrap();
            let found = attention.over(&x, &norm, &attended).unwrap();
            let sum = |t: Tensor| t.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap();
            let error = (sum((&found - &wanted).unwrap()) / sum((&wanted - &x).unwrap())).sqrt();
            assert!(error < 1e-5, "{keys} keys: {error:e}");
            let one = attention.over(&x.narrow(0, 1, 1).unwrap(), &norm, &attended.narrow(1..2).unwrap());
            let second = found.narrow(0, 1, 1).unwrap();
            assert!(sum((one.unwrap() - second).unwrap()) < 1e-6);
        }
    }

    #[test]
    fn maps_are_folded_where_that_is_less_work() {
        let keys = |attention: &CrossAttention, keys: usize| {
            matches!(attention.attended(&made_up(&[1, keys, 12], 1)).unwrap(), Attended::Keys(_))
        };
        assert!(keys(&cross_attention(48, 4), 15));
        assert!(!keys(&cross_attention(48, 4), 16));
        assert!(keys(&cross_attention(48, 3), 33));
    }

    #[test]
    fn prompts_that_are_not_there_are_an_error() {
        let attention = cross_attention(48, 3);
        let attended = attention.attended(&made_up(&[2, 13, 12], 1)).unwrap();
        let error = attended.narrow(1..3).err().unwrap();
        assert!(error.to_string().contains("prompts 1..3 of 2"), "{error}");
        let norm = LayerNorm::new(&made_up(&[48], 1), &made_up(&[48], 2), 1e-5).unwrap();
        let error = attention.over(&made_up(&[3, 5, 48], 1), &norm, &attended).unwrap_err();
        assert!(error.to_string().contains("3 pictures do not go with 2 prompts"), "{error}");
    }
}
