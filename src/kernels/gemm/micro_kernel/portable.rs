//! The loops in four lanes, which compilers keep in one register of SSE.

use super::{HALF_PANEL, PANEL, Tile, UNROLL, to_l1};

type Lanes = [f32; 4];

#[inline(always)]
fn zero() -> Lanes {
    [0.0; 4]
}

#[inline(always)]
fn splat(value: f32) -> Lanes {
    [value; 4]
}

#[inline(always)]
fn add(a: Lanes, b: Lanes) -> Lanes {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]]
}

/// Rounded twice: fused it would be a call to a library on x86-64's baseline.
#[inline(always)]
fn fma(a: Lanes, b: Lanes, c: Lanes) -> Lanes {
    let one = |i: usize| a[i] * b[i] + c[i];
    [one(0), one(1), one(2), one(3)]
}

/// # Safety
/// `from` must be readable for four values.
#[inline(always)]
unsafe fn load(from: *const f32) -> Lanes {
    // SAFETY: the caller promises the four values; the access needs no alignment.
    unsafe { from.cast::<Lanes>().read_unaligned() }
}

/// # Safety
/// `to` must be writable for four values.
#[inline(always)]
unsafe fn store(to: *mut f32, values: Lanes) {
    // SAFETY: the caller promises the four values; the access needs no alignment.
    unsafe { to.cast::<Lanes>().write_unaligned(values) }
}

kernels! {
    Lanes, lanes 4, rows 4, shapes [(2, PANEL) (1, PANEL) (2, HALF_PANEL) (1, HALF_PANEL)],
    zero zero, load load, splat splat, fma fma, add add, store store, counts [1 2 3 4]
}
