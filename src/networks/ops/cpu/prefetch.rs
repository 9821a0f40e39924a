//! Hints to have memory in a cache before it is read or written; where a processor takes none, nothing.

/// f32 values of a line of the cache.
pub(super) const LINE: usize = 16;
const LINE_BYTES: usize = size_of::<f32>() * LINE;

/// Asks for a place's line to be in the first-level cache.
#[inline(always)]
pub(super) fn first_level(place: *const f32) {
    #[cfg(target_arch = "x86_64")]
    hint::<{ std::arch::x86_64::_MM_HINT_T0 }>(place.cast());
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

/// The same for a place that is written next, which no other core keeps a copy of then. x86-64 processors that do not know
/// the hint pass over it.
#[inline(always)]
pub(super) fn to_write(place: *const f32) {
    #[cfg(target_arch = "x86_64")]
    #[expect(unsafe_code, reason = "compilers offer the hint for some processors only")]
    // SAFETY: it changes no value, wherever it points.
    unsafe {
        std::arch::asm!("prefetchw [{}]", in(reg) place, options(nostack, preserves_flags));
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

/// Asks for a place's line to be in the second-level cache, where it stays until much else has been read.
#[inline(always)]
pub(super) fn second_level<T>(place: *const T) {
    #[cfg(target_arch = "x86_64")]
    hint::<{ std::arch::x86_64::_MM_HINT_T1 }>(place.cast());
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
#[expect(unsafe_code, reason = "a hint takes a pointer")]
fn hint<const LEVEL: i32>(place: *const u8) {
    // SAFETY: it reads nothing, wherever it points.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<LEVEL>(place.cast());
    }
}

/// Memory that is read as a whole later.
#[derive(Clone, Copy)]
pub(super) struct Ahead {
    first: *const u8,
    lines: usize,
}

impl Ahead {
    pub(super) fn new<T>(values: &[T]) -> Self {
        Self { first: values.as_ptr().cast(), lines: size_of_val(values).div_ceil(LINE_BYTES) }
    }

    /// Asks for one of so many parts to be in the second-level cache.
    pub(super) fn fetch(self, part: usize, parts: usize) {
        for line in part * self.lines / parts..(part + 1) * self.lines / parts {
            second_level(self.first.wrapping_add(line * LINE_BYTES));
        }
    }
}
