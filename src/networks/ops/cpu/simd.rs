//! One body, compiled for the instruction sets a processor may have, chosen when the program runs.

/// The widest instruction set this processor has of those the loops are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// What every processor of the architecture has: SSE2 or NEON.
    Baseline,
    /// AVX2 with FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512 F, BW, DQ and VL.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

/// This processor's level.
pub(super) fn level() -> Level {
    static LEVEL: std::sync::LazyLock<Level> = std::sync::LazyLock::new(|| {
        #[cfg(target_arch = "x86_64")]
        {
            let all = |features: &[bool]| features.iter().all(|f| *f);
            let avx2 = [is_x86_feature_detected!("avx2"), is_x86_feature_detected!("fma")];
            let avx512 = [
                is_x86_feature_detected!("avx512f"),
                is_x86_feature_detected!("avx512bw"),
                is_x86_feature_detected!("avx512dq"),
                is_x86_feature_detected!("avx512vl"),
            ];
            if all(&avx2) {
                return if all(&avx512) { Level::Avx512 } else { Level::Avx2 };
            }
        }
        Level::Baseline
    });
    *LEVEL
}

/// Defines a function whose body is compiled once for each [`Level`]. Everything the body calls in
/// its loops must be `#[inline(always)]`, or it keeps the baseline's instructions.
macro_rules! multiversioned {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block) => {
        $(#[$meta])*
        $vis fn $name($($argument: $type),*) $(-> $result)? {
            #[inline(always)]
            fn body($($argument: $type),*) $(-> $result)? $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                fn avx2($($argument: $type),*) $(-> $result)? { body($($argument),*) }
                #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
                fn avx512($($argument: $type),*) $(-> $result)? { body($($argument),*) }
                match $crate::networks::ops::cpu::simd::level() {
                    #[expect(unsafe_code, reason = "instructions the compiler cannot know to be there")]
                    // SAFETY: `level` found every feature of the set on this processor.
                    $crate::networks::ops::cpu::simd::Level::Avx512 => return unsafe { avx512($($argument),*) },
                    #[expect(unsafe_code, reason = "instructions the compiler cannot know to be there")]
                    // SAFETY: as above.
                    $crate::networks::ops::cpu::simd::Level::Avx2 => return unsafe { avx2($($argument),*) },
                    $crate::networks::ops::cpu::simd::Level::Baseline => {}
                }
            }
            body($($argument),*)
        }
    };
}
pub(super) use multiversioned;

/// e^x to about 1e-7 relative, in a form compilers vectorise.
///
/// Source: Cephes `expf`: Cody–Waite reduction by ln 2 in two parts and a polynomial of degree 5.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0; // 1.5 · 2^23: adding and taking it away rounds to whole numbers.
    let x = x.clamp(-87.3, 88.0);
    let n = (x * std::f32::consts::LOG2_E + ROUND) - ROUND;
    let r = x - n * 0.693_359_4 + n * 2.121_944_4e-4;
    let p = 1.987_569_1e-4_f32;
    let p = p * r + 1.398_199_9e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 0.166_666_66;
    let p = p * r + 0.5;
    let p = p * r * r + r + 1.0;
    p * f32::from_bits(((n as i32 + 127) << 23) as u32)
}

/// The logistic function times x.
#[inline(always)]
pub(super) fn silu(x: f32) -> f32 {
    x / (1.0 + exp(-x))
}

/// x times the normal distribution function.
///
/// Source: Abramowitz & Stegun 7.1.26, absolute error of erf below 1.5e-7.
#[inline(always)]
pub(super) fn gelu_erf(x: f32) -> f32 {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let polynomial =
        ((((1.061_405_4 * t - 1.453_152) * t + 1.421_413_8) * t - 0.284_496_74) * t + 0.254_829_6) * t;
    let erf = 1.0 - polynomial * exp(-z * z);
    0.5 * x * (1.0 + erf.copysign(x))
}
