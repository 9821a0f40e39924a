//! Element-wise functions, fused where the networks use them together.

use super::elementary::{exp, gelu_erf, gelu_tanh, silu};
use super::isa::multiversioned;
use super::{KernelContext, PARALLEL_VALUES};

/// A function of one value.
#[derive(Clone, Copy, Debug)]
pub enum Activation {
    /// `x · sigmoid(x)`.
    Silu,
    /// `x · Φ(x)` with the exact normal distribution function.
    GeluErf,
    /// Its approximation with tanh.
    GeluTanh,
    /// `x · sigmoid(1.702·x)`.
    QuickGelu,
    /// `max(x, 0)`.
    Relu,
}

multiversioned! {
    fn apply_chunk<const FMA: bool>(isa: Isa, kind: Activation, values: &mut [f32]) {
        match kind {
            Activation::Silu => for v in values { *v = silu::<FMA>(*v); },
            Activation::GeluErf => for v in values { *v = gelu_erf::<FMA>(*v); },
            Activation::GeluTanh => for v in values { *v = gelu_tanh::<FMA>(*v); },
            Activation::QuickGelu => for v in values { *v /= 1.0 + exp::<FMA>(-1.702 * *v); },
            Activation::Relu => for v in values { *v = v.max(0.0); },
        }
    }
}

/// Applies a function to every value.
pub fn apply(ctx: &KernelContext, kind: Activation, values: &mut [f32]) {
    let share = values.len() >= PARALLEL_VALUES;
    let chunks = values.chunks_mut(PARALLEL_VALUES / 2);
    ctx.threads().for_each(share, chunks, |chunk| apply_chunk(ctx.isa(), kind, chunk));
}

multiversioned! {
    fn geglu_rows<const FMA: bool>(isa: Isa, rows: &[f32], half: usize, out: &mut [f32]) {
        for (row, out) in rows.chunks_exact(2 * half).zip(out.chunks_exact_mut(half)) {
            let (value, gate) = row.split_at(half);
            for ((out, value), gate) in out.iter_mut().zip(value).zip(gate) {
                *out = value * gelu_erf::<FMA>(*gate);
            }
        }
    }
}

/// `value · gelu(gate)` for rows of values and gates side by side: `[N, 2 · half] → [N, half]`.
///
/// Source: Shazeer 2020, <https://arxiv.org/abs/2002.05202>.
pub fn geglu(ctx: &KernelContext, rows: &[f32], half: usize) -> Vec<f32> {
    let mut out = vec![0.0; rows.len() / 2];
    let at_once = (PARALLEL_VALUES / 2).div_ceil(half.max(1)) * half.max(1);
    let share = rows.len() >= PARALLEL_VALUES;
    let chunks = out.chunks_mut(at_once).zip(rows.chunks(2 * at_once));
    ctx.threads().for_each(share, chunks, |(out, rows)| geglu_rows(ctx.isa(), rows, half, out));
    out
}

multiversioned! {
    fn gated_chunk<const FMA: bool>(isa: Isa, kind: Activation, gates: &[f32], values: &[f32], out: &mut [f32]) {
        let parts = out.iter_mut().zip(gates.iter().zip(values));
        match kind {
            Activation::Silu => for (out, (gate, value)) in parts { *out = silu::<FMA>(*gate) * value; },
            Activation::GeluErf => for (out, (gate, value)) in parts { *out = gelu_erf::<FMA>(*gate) * value; },
            Activation::GeluTanh => for (out, (gate, value)) in parts { *out = gelu_tanh::<FMA>(*gate) * value; },
            Activation::QuickGelu => for (out, (gate, value)) in parts {
                *out = gate / (1.0 + exp::<FMA>(-1.702 * gate)) * value;
            },
            Activation::Relu => for (out, (gate, value)) in parts { *out = gate.max(0.0) * value; },
        }
    }
}

/// `f(gates) · values`, value by value.
///
/// Source: Shazeer 2020, <https://arxiv.org/abs/2002.05202>.
///
/// # Panics
/// If there are not as many of both.
pub fn gated(ctx: &KernelContext, kind: Activation, gates: &[f32], values: &[f32]) -> Vec<f32> {
    assert_eq!(gates.len(), values.len(), "a gate for each value");
    let mut out = vec![0.0; values.len()];
    let at_once = PARALLEL_VALUES / 2;
    let share = values.len() >= PARALLEL_VALUES;
    let chunks = out.chunks_mut(at_once).zip(gates.chunks(at_once).zip(values.chunks(at_once)));
    ctx.threads().for_each(share, chunks, |(out, (gates, values))| {
        gated_chunk(ctx.isa(), kind, gates, values, out);
    });
    out
}

multiversioned! {
    fn scaled_sum_rows(isa: Isa, x: &[f32], factors: &[f32], y: &[f32], out: &mut [f32]) {
        let channels = factors.len();
        let rows = out.chunks_exact_mut(channels).zip(x.chunks_exact(channels).zip(y.chunks_exact(channels)));
        for (out, (x, y)) in rows {
            for ((out, factor), (x, y)) in out.iter_mut().zip(factors).zip(x.iter().zip(y)) {
                *out = x + factor * y;
            }
        }
    }
}

/// `x + factors · y` for rows of channels: `x`, `y`: `[N, C]`, `factors`: `[C]`.
///
/// # Panics
/// If sizes do not fit.
pub fn scaled_sum(ctx: &KernelContext, x: &[f32], factors: &[f32], y: &[f32]) -> Vec<f32> {
    assert!(x.len() == y.len() && x.len().is_multiple_of(factors.len().max(1)), "the sum's sizes");
    let mut out = vec![0.0; x.len()];
    let at_once = (PARALLEL_VALUES / 2).div_ceil(factors.len().max(1)) * factors.len().max(1);
    let share = x.len() >= PARALLEL_VALUES;
    let chunks = out.chunks_mut(at_once).zip(x.chunks(at_once).zip(y.chunks(at_once)));
    ctx.threads().for_each(share, chunks, |(out, (x, y))| scaled_sum_rows(ctx.isa(), x, factors, y, out));
    out
}

multiversioned! {
    /// `values · gelu(gates)` in the values' place.
    pub(super) fn gate<const FMA: bool>(isa: Isa, values: &mut [f32], gates: &[f32]) {
        for (value, gate) in values.iter_mut().zip(gates) {
            *value *= gelu_erf::<FMA>(*gate);
        }
    }
}

multiversioned! {
    /// `into += values`.
    pub(super) fn add_assign(isa: Isa, into: &mut [f32], values: &[f32]) {
        for (into, value) in into.iter_mut().zip(values) {
            *into += value;
        }
    }
}
