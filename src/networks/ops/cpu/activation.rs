//! Element-wise functions, fused where the networks use them together.

use rayon::prelude::*;

use super::PARALLEL_VALUES;
use super::simd::{exp, gelu_erf, gelu_tanh, multiversioned, silu};

/// A function of one value.
#[derive(Clone, Copy)]
pub(in super::super) enum Activation {
    Silu,
    GeluErf,
    GeluTanh,
    QuickGelu,
}

multiversioned! {
    fn apply_chunk<const FMA: bool>(kind: Activation, values: &mut [f32]) {
        match kind {
            Activation::Silu => for v in values { *v = silu::<FMA>(*v); },
            Activation::GeluErf => for v in values { *v = gelu_erf::<FMA>(*v); },
            Activation::GeluTanh => for v in values { *v = gelu_tanh::<FMA>(*v); },
            Activation::QuickGelu => for v in values { *v /= 1.0 + exp::<FMA>(-1.702 * *v); },
        }
    }
}

/// Applies a function to every value.
pub(in super::super) fn apply(kind: Activation, values: &mut [f32]) {
    if values.len() < PARALLEL_VALUES {
        apply_chunk(kind, values);
    } else {
        values.par_chunks_mut(PARALLEL_VALUES / 2).for_each(|chunk| apply_chunk(kind, chunk));
    }
}

multiversioned! {
    fn geglu_rows<const FMA: bool>(rows: &[f32], half: usize, out: &mut [f32]) {
        for (row, out) in rows.chunks_exact(2 * half).zip(out.chunks_exact_mut(half)) {
            let (value, gate) = row.split_at(half);
            for ((out, value), gate) in out.iter_mut().zip(value).zip(gate) {
                *out = value * gelu_erf::<FMA>(*gate);
            }
        }
    }
}

/// `value · gelu(gate)` for rows of values and gates side by side: `[N, 2C] → [N, C]`.
pub(in super::super) fn geglu(rows: &[f32], half: usize) -> Vec<f32> {
    let mut out = vec![0.0; rows.len() / 2];
    let rows_at_once = (PARALLEL_VALUES / 2).div_ceil(half.max(1));
    if rows.len() < PARALLEL_VALUES {
        geglu_rows(rows, half, &mut out);
    } else {
        out.par_chunks_mut(rows_at_once * half)
            .zip(rows.par_chunks(rows_at_once * half * 2))
            .for_each(|(out, rows)| geglu_rows(rows, half, out));
    }
    out
}

multiversioned! {
    /// `values · gelu(gates)` in the values' place.
    pub(super) fn gate<const FMA: bool>(values: &mut [f32], gates: &[f32]) {
        for (value, gate) in values.iter_mut().zip(gates) {
            *value *= gelu_erf::<FMA>(*gate);
        }
    }
}

multiversioned! {
    /// `into += values`.
    pub(in super::super) fn add_assign(into: &mut [f32], values: &[f32]) {
        for (into, value) in into.iter_mut().zip(values) {
            *into += value;
        }
    }
}
