//! The size of this processor's second-level cache.

use std::sync::LazyLock;

/// KiB of what counts as large: a block and a panel of the longer passes fit, with room for the result.
#[cfg(target_arch = "x86_64")]
const LARGE: u32 = 1024;

/// Whether the second-level cache of a core has a MiB or more. Where the processor does not say so, no.
pub(super) fn is_large() -> bool {
    static FOUND: LazyLock<bool> = LazyLock::new(|| {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::x86_64::__cpuid;
            /// Sources: AMD's manual of CPUID and Intel's, which agree about this leaf.
            const LAST_LEAF: u32 = 0x8000_0000;
            const CACHES: u32 = 0x8000_0006;
            __cpuid(LAST_LEAF).eax >= CACHES && __cpuid(CACHES).ecx >> 16 >= LARGE
        }
        #[cfg(not(target_arch = "x86_64"))]
        false
    });
    *FOUND
}
