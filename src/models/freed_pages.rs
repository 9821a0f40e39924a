//! What the allocator does with freed memory: it keeps it while a model is in use, and returns it to the system while
//! networks are loaded and while the engine is idle.
//!
//! Every step allocates and frees the same gigabytes. If they are returned to the system in between, it has to clear the
//! pages again, which takes 15 % of a step. A network that is loaded frees every tensor once it is packed, and often
//! follows another one that was freed: what is kept of either is not used again and adds a tenth of the model to the
//! peak.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::networks::Runtime;
use crate::weights::free_spare_buffers;

/// How long freed pages are kept while a model is in use.
const KEPT_FOR: Duration = Duration::from_mins(1);

/// Networks that are being loaded. The lock is held while the option changes.
static LOADING: Mutex<usize> = Mutex::new(0);

/// Frees a runtime's scratch memory, and returns what its threads have allocated and any thread has freed: only the
/// thread that allocated a page returns it.
pub(super) fn release(runtime: &Runtime) {
    runtime.release_scratch();
    runtime.on_each_thread(return_freed_pages);
}

#[cfg(not(target_vendor = "apple"))]
mod allocator {
    use std::time::Duration;

    use libmimalloc_sys::{mi_collect, mi_option_set, mi_option_t};

    /// `mi_option_purge_delay` of mimalloc's header, milliseconds; the bindings lack it.
    pub(super) const PURGE_DELAY: mi_option_t = 15;

    /// Returns freed pages to the system; without effect on other allocators than mimalloc.
    pub fn return_freed_pages() {
        #[expect(unsafe_code, reason = "a function of the allocator, which is C")]
        // SAFETY: may be called at any time, on any thread.
        unsafe {
            mi_collect(true);
        }
    }

    pub(super) fn keep_for(time: Duration) {
        #[expect(unsafe_code, reason = "a function of the allocator, which is C")]
        // SAFETY: the option exists and accepts any number.
        unsafe {
            mi_option_set(PURGE_DELAY, time.as_millis() as _);
        }
    }
}

/// Apple's systems have their own allocator, which decides by itself.
#[cfg(target_vendor = "apple")]
mod allocator {
    use std::time::Duration;

    /// Without effect on the system's allocator.
    pub fn return_freed_pages() {}

    pub(super) fn keep_for(_: Duration) {}
}

use allocator::keep_for;
pub use allocator::return_freed_pages;

/// While it lives, freed pages are returned at once; those kept until then are returned when it is made. Once the last
/// one is dropped, pages are kept.
pub struct ReturnedAtOnce(());

impl ReturnedAtOnce {
    /// Begins loading.
    #[must_use]
    pub fn begin() -> Self {
        let mut loading = LOADING.lock().unwrap_or_else(PoisonError::into_inner);
        *loading += 1;
        if *loading == 1 {
            // In this order: what is kept is returned only as long as a delay is set.
            return_freed_pages();
            keep_for(Duration::ZERO);
        }
        Self(())
    }
}

impl Drop for ReturnedAtOnce {
    fn drop(&mut self) {
        let mut loading = LOADING.lock().unwrap_or_else(PoisonError::into_inner);
        *loading -= 1;
        if *loading == 0 {
            // Before pages are kept again.
            free_spare_buffers();
            keep_for(KEPT_FOR);
        }
    }
}

#[cfg(all(test, not(target_vendor = "apple")))]
mod tests {
    use libmimalloc_sys::mi_option_get;

    use super::allocator::PURGE_DELAY;
    use super::*;

    #[test]
    fn pages_are_kept_once_all_networks_are_loaded() {
        #[expect(unsafe_code, reason = "a function of the allocator, which is C")]
        // SAFETY: the option exists.
        let kept = || unsafe { mi_option_get(PURGE_DELAY) };
        let model = ReturnedAtOnce::begin();
        drop(ReturnedAtOnce::begin());
        assert_eq!(kept(), 0);
        drop(model);
        // Another test may be loading.
        let loading = LOADING.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(kept(), if *loading == 0 { 60_000 } else { 0 });
    }
}
