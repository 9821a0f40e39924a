//! What the allocator keeps while the engine works, and gives back when it rests.
//!
//! A step frees and asks for the same gigabytes again and again. Given back to the system in between, they come as
//! fresh pages, which the system clears first: 15 % of a step.

use std::time::Duration;

use libmimalloc_sys::{mi_collect, mi_option_set, mi_option_t};

/// How long freed pages are kept while there is work.
const KEPT_FOR: Duration = Duration::from_mins(1);
/// How long the engine has had nothing to do when it gives them back.
pub(super) const REST: Duration = Duration::from_secs(5);
/// `mi_option_purge_delay` of mimalloc's header, which the bindings leave out: milliseconds.
const PURGE_DELAY: mi_option_t = 15;

/// Has freed pages kept for a while from now on. Of other allocators than mimalloc nothing changes.
pub(super) fn keep_pages() {
    #[expect(unsafe_code, reason = "a function of the allocator, which is C")]
    // SAFETY: the option exists, and takes any number.
    unsafe {
        mi_option_set(PURGE_DELAY, KEPT_FOR.as_millis() as _);
    }
}

/// Gives the pages that are free now back to the system.
pub(super) fn give_pages_back() {
    #[expect(unsafe_code, reason = "a function of the allocator, which is C")]
    // SAFETY: may be called at any time, on any thread.
    unsafe {
        mi_collect(true);
    }
}
