//! An allocator that records the peak memory of the process.
//!
//! Not in `mod.rs`: only the programs that include this file by its path get the allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

struct Metered;

#[global_allocator]
static ALLOCATOR: Metered = Metered;

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static BEFORE: AtomicUsize = AtomicUsize::new(0);

fn add(bytes: usize) {
    PEAK.fetch_max(HELD.fetch_add(bytes, Relaxed) + bytes, Relaxed);
}

fn remove(bytes: usize) {
    HELD.fetch_sub(bytes, Relaxed);
}

#[expect(unsafe_code, reason = "an allocator is unsafe by its trait")]
// SAFETY: every call goes to the system's allocator with its arguments unchanged.
unsafe impl GlobalAlloc for Metered {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        remove(layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        remove(layout.size());
        add(new_size);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(memory, layout, new_size) }
    }
}

/// Starts a measurement.
pub(crate) fn start() {
    let held = HELD.load(Relaxed);
    BEFORE.store(held, Relaxed);
    PEAK.store(held, Relaxed);
}

/// The peak since [`start`], less what was allocated then, bytes.
pub(crate) fn peak() -> usize {
    PEAK.load(Relaxed).saturating_sub(BEFORE.load(Relaxed))
}
