//! The loops with NEON, which every 64-bit ARM has: up to 20 of 32 registers hold sums, for compilers load four depths
//! of a left row as one vector, and with a sixth row registers would not suffice.

use std::arch::aarch64::{float32x4_t, vaddq_f32, vdupq_n_f32, vfmaq_f32, vld1q_f32, vst1q_f32};

use super::{HALF_PANEL, PANEL, Tile, UNROLL, to_l1};

#[target_feature(enable = "neon")]
#[inline]
fn zero() -> float32x4_t {
    vdupq_n_f32(0.0)
}

/// `a·b + c`; the intrinsic begins with what is added to.
#[target_feature(enable = "neon")]
#[inline]
fn fma(a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t {
    vfmaq_f32(c, a, b)
}

kernels! {
    #[target_feature(enable = "neon")]
    float32x4_t, lanes 4, rows 5,
    shapes [(4, PANEL) (2, PANEL) (1, PANEL) (4, HALF_PANEL) (2, HALF_PANEL) (1, HALF_PANEL)],
    zero zero, load vld1q_f32, splat vdupq_n_f32, fma fma, add vaddq_f32, store vst1q_f32, counts [1 2 3 4 5]
}
