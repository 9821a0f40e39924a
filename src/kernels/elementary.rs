//! Elementary functions of one value, in forms that compilers vectorise.

/// `a·b + c`, rounded once where that is one instruction.
#[inline(always)]
pub(super) fn fused<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// 1.5 · 2²³: what is added to it loses its fraction, and its low bits are the nearest whole number.
const ROUND: f32 = 12_582_912.0;

/// 2^n for the whole number n in the low bits of a sum with [`ROUND`], −127 ≤ n ≤ 127 (−127 gives 0).
#[inline(always)]
fn power_of_two(rounded: f32) -> f32 {
    f32::from_bits(rounded.to_bits().wrapping_add(127) << 23)
}

/// e^x to about 1e-7 relative, in a form compilers vectorise.
///
/// Source: Cephes `expf`: Cody–Waite reduction by ln 2 in two parts and a polynomial of degree 5.
#[inline(always)]
pub(super) fn exp<const FMA: bool>(x: f32) -> f32 {
    let x = x.clamp(-87.3, 88.0);
    let rounded = fused::<FMA>(x, std::f32::consts::LOG2_E, ROUND);
    let n = rounded - ROUND;
    let r = fused::<FMA>(n, 2.121_944_4e-4, fused::<FMA>(n, -0.693_359_4, x));
    let p = fused::<FMA>(1.987_569_1e-4, r, 1.398_199_9e-3);
    let p = fused::<FMA>(p, r, 8.333_452e-3);
    let p = fused::<FMA>(p, r, 4.166_579_6e-2);
    let p = fused::<FMA>(p, r, 0.166_666_66);
    let p = fused::<FMA>(p, r, 0.5);
    let p = fused::<FMA>(p * r, r, r) + 1.0;
    p * power_of_two(rounded)
}

/// 2^r for |r| ≤ ½: the polynomial of degree 5 with the least relative error, 9e-8, that gives 1 for 0.
#[expect(clippy::approx_constant, reason = "near ln 2, but for all of the polynomial to err least")]
const EXP2: [f32; 6] = [1.0, 0.693_147, 0.240_222_42, 5.550_733_6e-2, 9.671_513e-3, 1.326_472_7e-3];

/// 2^x for x ≤ 127 to about 2e-7 relative, in a form compilers vectorise; 0 below −126.5.
///
/// Source: 2^n·2^r with n the nearest whole number.
#[inline(always)]
pub(super) fn exp2<const FMA: bool>(x: f32) -> f32 {
    let x = if x < -126.9 { -126.9 } else { x };
    let rounded = x + ROUND;
    let r = x - (rounded - ROUND);
    let [lower @ .., highest] = EXP2;
    let p = lower.iter().rev().fold(highest, |p, term| fused::<FMA>(p, r, *term));
    p * power_of_two(rounded)
}

/// The logistic function times x.
#[inline(always)]
pub(super) fn silu<const FMA: bool>(x: f32) -> f32 {
    x / (1.0 + exp::<FMA>(-x))
}

/// x times the normal distribution function.
///
/// Source: Abramowitz & Stegun 7.1.26, absolute error of erf below 1.5e-7.
#[inline(always)]
pub(super) fn gelu_erf<const FMA: bool>(x: f32) -> f32 {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / fused::<FMA>(0.327_591_1, z, 1.0);
    let p = fused::<FMA>(1.061_405_4, t, -1.453_152);
    let p = fused::<FMA>(p, t, 1.421_413_8);
    let p = fused::<FMA>(p, t, -0.284_496_74);
    let p = fused::<FMA>(p, t, 0.254_829_6);
    let erf = 1.0 - p * t * exp::<FMA>(-z * z);
    0.5 * x * (1.0 + erf.copysign(x))
}

/// x times the normal distribution function as many networks approximate it.
///
/// Source: Hendrycks & Gimpel 2016: ½x·(1 + tanh(u)) with u = √(2/π)·(x + 0.044715·x³), which is
/// x·sigmoid(2u).
#[inline(always)]
pub(super) fn gelu_tanh<const FMA: bool>(x: f32) -> f32 {
    const TWICE_SQRT_2_OVER_PI: f32 = 1.595_769;
    let u = TWICE_SQRT_2_OVER_PI * x * fused::<FMA>(0.044_715 * x, x, 1.0);
    x / (1.0 + exp::<FMA>(-u))
}
