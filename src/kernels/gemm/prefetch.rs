//! Hints to have memory in a cache before it is read; where a processor takes none, nothing.

/// Bytes of a cache line.
const LINE: usize = 64;

/// Asks for a value's line to be in the first-level cache.
#[inline(always)]
pub(super) fn to_l1(value: *const f32) {
    #[cfg(target_arch = "x86_64")]
    hint::<{ std::arch::x86_64::_MM_HINT_T0 }>(value.cast());
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn hint<const LEVEL: i32>(place: *const u8) {
    // SAFETY: a hint reads nothing, wherever it points; every x86-64 processor has the instruction.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<LEVEL>(place.cast());
    }
}

/// Memory that is read as a whole soon.
#[derive(Clone, Copy)]
pub(in super::super) struct Prefetch {
    first: *const u8,
    lines: usize,
}

impl Prefetch {
    pub(super) fn new<T>(values: &[T]) -> Self {
        Self { first: values.as_ptr().cast(), lines: size_of_val(values).div_ceil(LINE) }
    }

    /// Asks for one of `parts` equal parts to be in the second-level cache.
    pub(in super::super) fn part(self, part: usize, parts: usize) {
        for line in part * self.lines / parts..(part + 1) * self.lines / parts {
            let place = self.first.wrapping_add(line * LINE);
            #[cfg(target_arch = "x86_64")]
            hint::<{ std::arch::x86_64::_MM_HINT_T1 }>(place);
            #[cfg(not(target_arch = "x86_64"))]
            let _ = place;
        }
    }
}
