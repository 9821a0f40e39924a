//! The loops with x86-64's wider instructions.

pub(super) mod avx512 {
    use std::arch::x86_64::{
        __m512, _mm512_add_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_setzero_ps,
        _mm512_storeu_ps,
    };

    use super::super::{HALF_PANEL, PANEL, Tile, UNROLL, to_l1};

    kernels! {
        #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
        __m512, lanes 16, rows 12, shapes [(2, PANEL) (1, PANEL) (1, HALF_PANEL)],
        zero _mm512_setzero_ps, load _mm512_loadu_ps, splat _mm512_set1_ps, fma _mm512_fmadd_ps,
        add _mm512_add_ps, store _mm512_storeu_ps, counts [1 2 3 4 5 6 7 8 9 10 11 12]
    }
}

/// Two products and two additions in each lane, in f32 (`vdpbf16ps`).
pub(super) mod avx512_bf16 {
    use std::arch::x86_64::{
        __m512, __m512bh, _mm512_add_ps, _mm512_dpbf16_ps, _mm512_loadu_ps, _mm512_set1_ps,
        _mm512_setzero_ps, _mm512_storeu_ps,
    };

    use super::super::{HALF_PANEL, PANEL, Tile, UNROLL, to_l1};

    #[target_feature(enable = "avx512f,avx512bf16")]
    #[inline]
    fn dot(a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: both types are 64 bytes of which every content is a value.
        let pairs = |v: __m512| unsafe { std::mem::transmute::<__m512, __m512bh>(v) };
        _mm512_dpbf16_ps(c, pairs(a), pairs(b))
    }

    kernels! {
        #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
        __m512, lanes 16, rows 12, shapes [(2, PANEL) (1, PANEL) (1, HALF_PANEL)],
        zero _mm512_setzero_ps, load _mm512_loadu_ps, splat _mm512_set1_ps, fma dot,
        add _mm512_add_ps, store _mm512_storeu_ps, counts [1 2 3 4 5 6 7 8 9 10 11 12]
    }
}

pub(super) mod avx2 {
    use std::arch::x86_64::{
        __m256, _mm256_add_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_set1_ps, _mm256_setzero_ps,
        _mm256_storeu_ps,
    };

    use super::super::{HALF_PANEL, PANEL, Tile, UNROLL, to_l1};

    kernels! {
        #[target_feature(enable = "avx2,fma")]
        __m256, lanes 8, rows 6, shapes [(2, PANEL) (1, PANEL) (2, HALF_PANEL) (1, HALF_PANEL)],
        zero _mm256_setzero_ps, load _mm256_loadu_ps, splat _mm256_set1_ps, fma _mm256_fmadd_ps,
        add _mm256_add_ps, store _mm256_storeu_ps, counts [1 2 3 4 5 6]
    }
}
