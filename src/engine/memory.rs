//! How long the allocator keeps freed memory: while the engine works, and not while it is idle.
//!
//! Every step allocates and frees the same gigabytes. If they are returned to the system in between, it has to clear the
//! pages again, which takes 15 % of a step.

use std::time::Duration;

use libmimalloc_sys::{mi_collect, mi_option_set, mi_option_t};

/// How long freed pages are kept while the engine works.
const KEPT_FOR: Duration = Duration::from_mins(1);
/// Idle time after which they are returned to the system.
pub(super) const IDLE: Duration = Duration::from_secs(5);
/// `mi_option_purge_delay` of mimalloc's header, milliseconds; the bindings lack it.
const PURGE_DELAY: mi_option_t = 15;

/// Makes mimalloc keep freed pages for [`KEPT_FOR`]; without effect on other allocators.
pub(super) fn keep_pages() {
    #[expect(unsafe_code, reason = "a function of the allocator, which is C")]
    // SAFETY: the option exists and accepts any number.
    unsafe {
        mi_option_set(PURGE_DELAY, KEPT_FOR.as_millis() as _);
    }
}

/// Returns freed pages to the system.
pub(super) fn return_pages() {
    #[expect(unsafe_code, reason = "a function of the allocator, which is C")]
    // SAFETY: may be called at any time, on any thread.
    unsafe {
        mi_collect(true);
    }
}
