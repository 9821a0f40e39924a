//! Layer norms with the linear layers or feed-forward after them. On the CPU they are fused: neither the normalised
//! rows nor the hidden activations of a feed-forward are stored.

use super::super::Runtime;
use super::{LayerNorm, Linear, geglu, with_values};
use crate::kernels::gemm::PackedWeights;
use crate::kernels::pre_norm::{gated_feed_forward, normed_products};
use crate::networks::backend::{Error, Result, Tensor};

/// `linear(norm(x))` for each of several linear layers: `[.., C] → [.., O]` each.
///
/// # Errors
/// If sizes do not fit.
pub fn normed_linears<const N: usize>(
    runtime: &Runtime,
    x: &Tensor,
    norm: &LayerNorm,
    linears: [&Linear; N],
) -> Result<[Tensor; N]> {
    let all = if let Some(all) = native_normed_linears(runtime, x, norm, &linears)? {
        all
    } else {
        let normed = norm.forward(x)?;
        linears.iter().map(|linear| linear.forward(&normed)).collect::<Result<_>>()?
    };
    all.try_into().map_err(|_| Error::Msg("as many results as maps".into()))
}

/// The results of the kernels; `None` where a backend computes.
fn native_normed_linears(
    runtime: &Runtime,
    x: &Tensor,
    norm: &LayerNorm,
    linears: &[&Linear],
) -> Result<Option<Vec<Tensor>>> {
    let weights: Option<Vec<&PackedWeights>> = linears
        .iter()
        .map(|linear| linear.packed().filter(|_| x.dims().last() == Some(&linear.inputs())))
        .collect();
    let (Some(norm), Some(weights)) = (norm.native(x), weights) else { return Ok(None) };
    let Some(all) = with_values(x, |values| normed_products(runtime.kernels(), values, norm, &weights))?
    else {
        return Ok(None);
    };
    let like = |(values, linear): (Vec<f32>, &&Linear)| {
        let mut shape = x.dims().to_vec();
        if let Some(last) = shape.last_mut() {
            *last = linear.outputs();
        }
        Tensor::from_vec(values, shape, x.device())
    };
    all.into_iter().zip(linears).map(like).collect::<Result<_>>().map(Some)
}

/// A transformer's feed-forward with layer norm, GEGLU (Shazeer 2020) and residual.
pub struct GatedFeedForward {
    runtime: Runtime,
    norm: LayerNorm,
    expand: Linear,
    contract: Linear,
}

impl GatedFeedForward {
    /// `norm` of `[C]`, `expand`: `C → 2H`, the values first, and `contract`: `H → C`.
    ///
    /// # Errors
    /// If their widths do not match.
    pub fn new(runtime: &Runtime, norm: LayerNorm, expand: Linear, contract: Linear) -> Result<Self> {
        let [width, hidden] = [norm.channels(), contract.inputs()];
        if [expand.inputs(), expand.outputs(), contract.outputs()] != [width, 2 * hidden, width] {
            let maps = [&expand, &contract].map(|map| format!("{} → {}", map.inputs(), map.outputs()));
            let message = format!("maps of {} do not make a feed-forward of {width}", maps.join(" and "));
            return Err(Error::Msg(message));
        }
        Ok(Self { runtime: runtime.clone(), norm, expand, contract })
    }

    /// `x + contract(value · gelu(gate))` with values and gates from `expand(norm(x))`: `[.., C] → [.., C]`.
    ///
    /// # Errors
    /// If the last dimension is not C.
    pub fn forward_add(&self, x: &Tensor) -> Result<Tensor> {
        if let (Some(norm), Some(expand), Some(contract)) =
            (self.norm.native(x), self.expand.packed(), self.contract.packed())
            && let Some(values) =
                with_values(x, |x| gated_feed_forward(self.runtime.kernels(), x, norm, [expand, contract]))?
        {
            return Tensor::from_vec(values, x.dims(), x.device());
        }
        let hidden = geglu(&self.runtime, &self.expand.forward(&self.norm.forward(x)?)?)?;
        self.contract.forward_add(&hidden, x)
    }
}
