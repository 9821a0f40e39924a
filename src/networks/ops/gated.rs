//! Gated activations (Shazeer 2020, <https://arxiv.org/abs/2002.05202>).

use super::super::Runtime;
use super::{gelu_tanh, is_native, silu, with_values};
use crate::kernels::activation::{self, Activation};
use crate::networks::backend::{Error, Result, Tensor};

/// `silu(gates) · values`, both of one shape.
///
/// # Errors
/// If the shapes differ.
pub fn silu_gated(runtime: &Runtime, gates: &Tensor, values: &Tensor) -> Result<Tensor> {
    native(runtime, Activation::Silu, gates, values)?.map_or_else(|| silu(runtime, gates)? * values, Ok)
}

/// `gelu(gates) · values` with GELU's tanh approximation, both of one shape.
///
/// # Errors
/// If the shapes differ.
pub fn gelu_tanh_gated(runtime: &Runtime, gates: &Tensor, values: &Tensor) -> Result<Tensor> {
    native(runtime, Activation::GeluTanh, gates, values)?
        .map_or_else(|| gelu_tanh(runtime, gates)? * values, Ok)
}

/// The result of the kernels; `None` where a backend computes.
fn native(runtime: &Runtime, kind: Activation, gates: &Tensor, values: &Tensor) -> Result<Option<Tensor>> {
    if gates.dims() != values.dims() {
        let shapes = format!("gates of {:?} do not fit values of {:?}", gates.dims(), values.dims());
        return Err(Error::Msg(shapes));
    }
    if !(is_native(runtime, gates) && is_native(runtime, values)) {
        return Ok(None);
    }
    let out = with_values(gates, |gates| {
        with_values(values, |values| activation::gated(runtime.kernels(), kind, gates, values))
    })??;
    Tensor::from_vec(out, values.dims(), values.device()).map(Some)
}
