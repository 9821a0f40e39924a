//! Joint attention over the tokens of several streams.

use crate::networks::backend::{Error, Result, Tensor};
use crate::networks::blocks::{linear, linear_no_bias};
use crate::networks::ops::{LayerNorm, Linear, Mask, RmsNorm, RotaryEmbedding, attention, normed_linears};
use crate::networks::{Parameters, Runtime};

/// Epsilon of the QK norms.
const EPS: f64 = 1e-6;

/// Queries, keys and values of N tokens, `[1, N, H·D]` each.
pub(super) struct Qkv([Tensor; 3]);

impl Qkv {
    /// Concatenates the tokens of two streams.
    pub(super) fn join(&self, other: &Self) -> Result<Self> {
        let [query, key, value] = [0, 1, 2].map(|i| Tensor::cat(&[&self.0[i], &other.0[i]], 1));
        Ok(Self([query?, key?, value?]))
    }

    /// Attention of all tokens to all tokens, `[1, N, H·D]`. `rotary` is applied to queries and keys.
    pub(super) fn attend(
        &self,
        runtime: &Runtime,
        heads: usize,
        rotary: Option<&RotaryEmbedding>,
    ) -> Result<Tensor> {
        let Self([query, key, value]) = self;
        let turned = rotary
            .map(|rotary| Ok::<_, Error>([rotary.forward(query)?, rotary.forward(key)?]))
            .transpose()?;
        let [query, key] = turned.as_ref().map_or([query, key], <[Tensor; 2]>::each_ref);
        runtime.token_maps().see_joint_attention(query, key, heads)?;
        attention(runtime, [query, key, value], heads, Mask::None)
    }
}

/// QK norm: RMS norms of queries and keys in each head.
pub(super) struct HeadNorms([RmsNorm; 2]);

impl HeadNorms {
    /// `names`: of the norms' weights, queries first; `head`: width of a head.
    pub(super) fn new(vb: &Parameters, names: [&str; 2], head: usize, eps: f64) -> Result<Self> {
        let norm = |name: &str| RmsNorm::new(vb.runtime(), &vb.pp(name).get(head, "weight")?, eps);
        Ok(Self([norm(names[0])?, norm(names[1])?]))
    }

    /// Normalises queries and keys of `[query, key, value]`, `[1, N, H·D]` each.
    pub(super) fn forward(&self, [query, key, value]: [Tensor; 3]) -> Result<Qkv> {
        let Self([of_query, of_key]) = self;
        Ok(Qkv([of_query.forward(&query)?, of_key.forward(&key)?, value]))
    }
}

/// A stream's query, key and value projections, with QK norm in most networks.
pub(super) struct QkvMaps {
    runtime: Runtime,
    maps: [Linear; 3],
    norms: Option<HeadNorms>,
}

impl QkvMaps {
    /// `maps`, `norms`: names of the weights; `width`: of the tokens and of all heads together; `head`: of one head.
    pub(super) fn new(
        vb: &Parameters,
        maps: [&str; 3],
        norms: Option<[&str; 2]>,
        [width, head]: [usize; 2],
    ) -> Result<Self> {
        let map = |name: &str| linear(&vb.pp(name), width, width);
        Self::of([map(maps[0])?, map(maps[1])?, map(maps[2])?], vb, norms, head, EPS)
    }

    /// The same with projections without biases. `eps`: of the norms.
    pub(super) fn without_biases(
        vb: &Parameters,
        maps: [&str; 3],
        norms: [&str; 2],
        [width, head]: [usize; 2],
        eps: f64,
    ) -> Result<Self> {
        let map = |name: &str| linear_no_bias(&vb.pp(name), width, width);
        Self::of([map(maps[0])?, map(maps[1])?, map(maps[2])?], vb, Some(norms), head, eps)
    }

    fn of(
        maps: [Linear; 3],
        vb: &Parameters,
        norms: Option<[&str; 2]>,
        head: usize,
        eps: f64,
    ) -> Result<Self> {
        let norms = norms.map(|names| HeadNorms::new(vb, names, head, eps)).transpose()?;
        Ok(Self { runtime: vb.runtime().clone(), maps, norms })
    }

    /// Queries, keys and values of `norm(x)`, `x`: `[1, N, C]`.
    pub(super) fn forward(&self, x: &Tensor, norm: &LayerNorm) -> Result<Qkv> {
        self.normed(normed_linears(&self.runtime, x, norm, self.maps.each_ref())?)
    }

    /// Queries, keys and values of `x`, `[1, N, C]`, which is already normalised.
    pub(super) fn of_normed(&self, x: &Tensor) -> Result<Qkv> {
        let [query, key, value] = self.maps.each_ref().map(|map| map.forward(x));
        self.normed([query?, key?, value?])
    }

    fn normed(&self, qkv: [Tensor; 3]) -> Result<Qkv> {
        match &self.norms {
            Some(norms) => norms.forward(qkv),
            None => Ok(Qkv(qkv)),
        }
    }
}
