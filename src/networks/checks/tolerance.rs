//! How much a right result may differ from the reference.
//!
//! Networks store what an operation gives in the format of their activations and add products in f32, on every device.
//! A right result therefore differs by
//!
//! - the roundings to the format that the device makes within the operation, each of at most half a unit in the last
//!   place, `u` relative (f16: 2⁻¹¹, bf16: 2⁻⁸): they are independent, so that a few of them stay below their sum;
//! - what f32 loses in sums of `n` products of either sign: the partial sums grow as `√k`, so that the roundings add up
//!   to about `√n · 2⁻²⁴ / 5` of the result in the L2 norm. The whole `√n · 2⁻²⁴` is allowed, for other orders;
//! - the approximations of `exp`, `erf` and `tanh` in f32, a few units of 2⁻²⁴.
//!
//! Sums in f16 would lose `√n · 2⁻¹¹`, more than is allowed from a dozen products on.

use super::NumberFormat;

/// What an operation sums and rounds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sums {
    /// Terms of its longest sums.
    pub(super) terms: usize,
    /// By how much more f32 loses in them: Winograd's transforms multiply by up to 8 and subtract, and a softmax passes
    /// the absolute error of a logit on as a relative one.
    pub(super) growth: f64,
    /// Roundings to the format within the operation, the last one included.
    pub(super) roundings: f64,
}

impl Sums {
    /// Nothing is computed: the result is exact.
    pub(super) const NONE: Self = Self { terms: 0, growth: 0.0, roundings: 0.0 };

    /// Functions of single values, and this number of roundings.
    pub(super) const fn of_values(roundings: usize) -> Self {
        Self { terms: 1, growth: 1.0, roundings: roundings as f64 }
    }

    /// Sums of `terms` products, and this number of roundings.
    pub(super) const fn of_products(terms: usize, roundings: usize) -> Self {
        Self { terms, growth: 1.0, roundings: roundings as f64 }
    }

    pub(super) const fn growing(self, growth: f64) -> Self {
        Self { growth, ..self }
    }
}

/// Units of 2⁻²⁴ for approximations of functions in f32.
const FUNCTIONS: f64 = 16.0;

/// Largest error of one value, over the root of the mean square of all, in tolerances: a value may be some times as
/// large as their mean, and its error as many times as large.
pub(super) const PEAK: f64 = 16.0;

/// The largest relative error of a right result, in the L2 norm.
pub(super) fn tolerance(sums: Sums, format: NumberFormat) -> f64 {
    if sums.terms == 0 {
        return 0.0;
    }
    let in_f32 = (FUNCTIONS + sums.growth * (sums.terms as f64).sqrt()) * NumberFormat::F32.rounding();
    sums.roundings * format.rounding() + in_f32
}

/// The error of `found` relative to `expected` in the L2 norm, and that of the worst value relative to the root of
/// their mean square.
pub fn relative_errors(found: &[f32], expected: &[f32]) -> [f64; 2] {
    let (mut size, mut error, mut worst) = (0.0_f64, 0.0_f64, 0.0_f64);
    for (found, expected) in found.iter().zip(expected) {
        let difference = f64::from(*found) - f64::from(*expected);
        size += f64::from(*expected).powi(2);
        error += difference.powi(2);
        // `max` would drop NaN, which the norm keeps.
        worst = worst.max(difference.abs());
    }
    let mean = (size / expected.len().max(1) as f64).sqrt();
    let whole = (error / size.max(f64::MIN_POSITIVE)).sqrt();
    [whole, worst / mean.max(f64::MIN_POSITIVE)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_in_f16_are_out_of_tolerance_and_in_f32_they_are_not() {
        // A sum of 2880 products that is rounded to f16 after each.
        let sums = Sums::of_products(2880, 2);
        let (mut narrow, mut exact) = (Vec::new(), Vec::new());
        let mut rounded = Vec::new();
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state >> 8) / 8_388_608.0 - 1.0
        };
        for _ in 0..200 {
            let (mut wide, mut f16, mut f32) = (0.0_f64, half::f16::ZERO, 0.0_f32);
            for _ in 0..2880 {
                let term = next() * next();
                wide += term;
                f16 = half::f16::from_f64(f16.to_f64() + term);
                f32 += term as f32;
            }
            narrow.push(f16.to_f32());
            rounded.push(half::f16::from_f32(f32).to_f32());
            exact.push(wide as f32);
        }
        let most = tolerance(sums, NumberFormat::F16);
        assert!(relative_errors(&narrow, &exact)[0] > 2.0 * most);
        assert!(relative_errors(&rounded, &exact)[0] < most / 2.0);
    }
}
