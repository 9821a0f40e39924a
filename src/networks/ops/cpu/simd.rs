//! One body, compiled for the instruction sets a processor may have, chosen when the program runs.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU8, Ordering};

/// The widest instruction set this processor has of those the loops are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What every processor of the architecture has: SSE2 or NEON.
    Baseline,
    /// AVX2 with FMA and F16C.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512 F, BW, DQ and VL.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// The same, with AVX-512's bf16 instructions and AMX's products of tiles of bf16 values.
    #[cfg(target_arch = "x86_64")]
    Amx,
}

impl Level {
    /// The levels this processor has, the widest last.
    pub fn available() -> Vec<Self> {
        let all = [
            Self::Baseline,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512,
            #[cfg(target_arch = "x86_64")]
            Self::Amx,
        ];
        all.into_iter().filter(|level| *level <= *WIDEST).collect()
    }

    /// As it is written in commands and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Self::Amx => "amx",
        }
    }

    /// Whether products take f32 values as sums of two bf16 values, which have 16 bits of mantissa together.
    pub fn splits_values(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        return self == Self::Amx;
        #[cfg(not(target_arch = "x86_64"))]
        false
    }
}

static WIDEST: LazyLock<Level> = LazyLock::new(|| {
    #[cfg(target_arch = "x86_64")]
    {
        let all = |features: &[bool]| features.iter().all(|f| *f);
        let avx2 = [
            is_x86_feature_detected!("avx2"),
            is_x86_feature_detected!("fma"),
            is_x86_feature_detected!("f16c"),
        ];
        let avx512 = [
            is_x86_feature_detected!("avx512f"),
            is_x86_feature_detected!("avx512bw"),
            is_x86_feature_detected!("avx512dq"),
            is_x86_feature_detected!("avx512vl"),
        ];
        if all(&avx2) {
            return match all(&avx512) {
                true if is_x86_feature_detected!("avx512bf16") && super::amx::is_available() => Level::Amx,
                true => Level::Avx512,
                false => Level::Avx2,
            };
        }
    }
    Level::Baseline
});

/// The level chosen by [`limit`], as its number; `u8::MAX` is no limit.
static LIMIT: AtomicU8 = AtomicU8::new(u8::MAX);

/// Keeps the loops from using wider instructions than this: for tests and measurements. All levels
/// read the same packed weights, so it may change between calls.
pub fn limit(level: Option<Level>) {
    LIMIT.store(level.map_or(u8::MAX, |level| level as u8), Ordering::Relaxed);
}

/// The level the loops use.
pub(super) fn level() -> Level {
    let widest = *WIDEST;
    match LIMIT.load(Ordering::Relaxed) {
        limit if limit >= widest as u8 => widest,
        #[cfg(target_arch = "x86_64")]
        limit if limit == Level::Avx512 as u8 => Level::Avx512,
        #[cfg(target_arch = "x86_64")]
        limit if limit == Level::Avx2 as u8 => Level::Avx2,
        _ => Level::Baseline,
    }
}

/// Defines a function whose body is compiled once for each [`Level`] of plain loops. Everything the body calls in
/// its loops must be `#[inline(always)]`, or it keeps the baseline's instructions. With
/// `<const FMA: bool>` the body knows whether a fused multiplication and addition is one instruction; on x86-64 there is F16C
/// then too.
macro_rules! multiversioned {
    (@yes $fma:ident) => { true };
    (@maybe $fma:ident) => { cfg!(target_arch = "aarch64") };
    ($(#[$meta:meta])* $vis:vis fn $name:ident $(<const $fma:ident: bool>)?
     ($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block) => {
        $(#[$meta])*
        $vis fn $name($($argument: $type),*) $(-> $result)? {
            #[inline(always)]
            fn body<$(const $fma: bool)?>($($argument: $type),*) $(-> $result)? $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma,f16c")]
                fn avx2($($argument: $type),*) $(-> $result)? {
                    body$(::<{ multiversioned!(@yes $fma) }>)?($($argument),*)
                }
                #[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl")]
                fn avx512($($argument: $type),*) $(-> $result)? {
                    body$(::<{ multiversioned!(@yes $fma) }>)?($($argument),*)
                }
                match $crate::networks::ops::cpu::simd::level() {
                    #[expect(unsafe_code, reason = "instructions the compiler cannot know to be there")]
                    // SAFETY: `level` found every feature of the set on this processor.
                    $crate::networks::ops::cpu::simd::Level::Avx512
                    | $crate::networks::ops::cpu::simd::Level::Amx => return unsafe { avx512($($argument),*) },
                    #[expect(unsafe_code, reason = "instructions the compiler cannot know to be there")]
                    // SAFETY: as above.
                    $crate::networks::ops::cpu::simd::Level::Avx2 => return unsafe { avx2($($argument),*) },
                    $crate::networks::ops::cpu::simd::Level::Baseline => {}
                }
            }
            body$(::<{ multiversioned!(@maybe $fma) }>)?($($argument),*)
        }
    };
}
pub(super) use multiversioned;

/// `a·b + c`, rounded once where that is one instruction.
#[inline(always)]
pub(super) fn fused<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// 1.5 · 2²³: what is added to it loses its fraction, and its low bits are the nearest whole number.
pub(super) const ROUND: f32 = 12_582_912.0;

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
pub(super) const EXP2: [f32; 6] =
    [1.0, 0.693_147, 0.240_222_42, 5.550_733_6e-2, 9.671_513e-3, 1.326_472_7e-3];

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
