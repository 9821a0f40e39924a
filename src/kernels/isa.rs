//! Instruction sets: which this processor has, and functions compiled once for each.

use std::sync::LazyLock;

/// An instruction set that this processor has: a value is the proof of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Isa(Level);

/// From the narrowest to the widest; each has the instructions of those before.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// What every processor of the architecture has: SSE2 or NEON.
    Baseline,
    /// AVX2 with FMA and F16C.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512 F, BW, DQ and VL.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// The same with `vdpbf16ps`, products of pairs of bf16 values.
    #[cfg(target_arch = "x86_64")]
    Avx512Bf16,
}

static WIDEST: LazyLock<Level> = LazyLock::new(|| {
    #[cfg(target_arch = "x86_64")]
    {
        let avx2 = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c");
        let avx512 = avx2
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl");
        if avx512 && is_x86_feature_detected!("avx512bf16") {
            return Level::Avx512Bf16;
        }
        if avx512 {
            return Level::Avx512;
        }
        if avx2 {
            return Level::Avx2;
        }
    }
    Level::Baseline
});

impl Isa {
    /// The widest that this processor has.
    pub fn widest() -> Self {
        Self(*WIDEST)
    }

    /// All that this processor has, the widest last.
    pub fn available() -> Vec<Self> {
        let all = [
            Level::Baseline,
            #[cfg(target_arch = "x86_64")]
            Level::Avx2,
            #[cfg(target_arch = "x86_64")]
            Level::Avx512,
            #[cfg(target_arch = "x86_64")]
            Level::Avx512Bf16,
        ];
        all.into_iter().filter(|level| *level <= *WIDEST).map(Self).collect()
    }

    /// The one of this name, if this processor has it.
    pub fn named(name: &str) -> Option<Self> {
        Self::available().into_iter().find(|isa| isa.name() == name)
    }

    /// As it is written in commands and reports.
    pub fn name(self) -> &'static str {
        match self.0 {
            Level::Baseline => "baseline",
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Level::Avx512Bf16 => "avx512-bf16",
        }
    }

    /// Whether it multiplies bf16 values.
    pub(super) fn multiplies_bf16(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        return self.0 == Level::Avx512Bf16;
        #[cfg(not(target_arch = "x86_64"))]
        false
    }

    pub(super) fn level(self) -> Level {
        self.0
    }
}

impl Default for Isa {
    fn default() -> Self {
        Self::widest()
    }
}

impl std::fmt::Debug for Isa {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether the second-level cache of a core has a MiB or more; `false` where the processor does not say.
pub(super) fn has_large_l2() -> bool {
    #[cfg(target_arch = "x86_64")]
    static FOUND: LazyLock<bool> = LazyLock::new(|| {
        use std::arch::x86_64::__cpuid;
        /// Sources: AMD's and Intel's manuals of CPUID, which agree about this leaf.
        const LAST_LEAF: u32 = 0x8000_0000;
        const CACHES: u32 = 0x8000_0006;
        const LARGE_KIB: u32 = 1024;
        __cpuid(LAST_LEAF).eax >= CACHES && __cpuid(CACHES).ecx >> 16 >= LARGE_KIB
    });
    #[cfg(target_arch = "x86_64")]
    return *FOUND;
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Defines a function whose body is compiled once for each instruction set and chosen by its first argument.
///
/// Everything that the body calls in its loops must be `#[inline(always)]`, or it keeps the baseline's instructions. With
/// `<const FMA: bool>` the body knows whether a fused multiplication and addition is one instruction; on x86-64 there is
/// F16C then too.
macro_rules! multiversioned {
    (@yes $fma:ident) => { true };
    (@maybe $fma:ident) => { cfg!(target_arch = "aarch64") };
    ($(#[$meta:meta])* $vis:vis fn $name:ident $(<const $fma:ident: bool>)?
     ($isa:ident: Isa, $($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block) => {
        $(#[$meta])*
        $vis fn $name($isa: $crate::kernels::isa::Isa, $($argument: $type),*) $(-> $result)? {
            #[inline(always)]
            fn body<$(const $fma: bool)?>($($argument: $type),*) $(-> $result)? $body

            #[cfg(target_arch = "x86_64")]
            {
                use $crate::kernels::isa::Level;

                #[target_feature(enable = "avx2,fma,f16c")]
                fn avx2($($argument: $type),*) $(-> $result)? {
                    body$(::<{ multiversioned!(@yes $fma) }>)?($($argument),*)
                }
                #[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl")]
                fn avx512($($argument: $type),*) $(-> $result)? {
                    body$(::<{ multiversioned!(@yes $fma) }>)?($($argument),*)
                }
                match $isa.level() {
                    // SAFETY: an `Isa` exists only if the processor has its instructions.
                    Level::Avx512 | Level::Avx512Bf16 => return unsafe { avx512($($argument),*) },
                    // SAFETY: as above.
                    Level::Avx2 => return unsafe { avx2($($argument),*) },
                    Level::Baseline => {}
                }
            }
            #[cfg(not(target_arch = "x86_64"))]
            let _ = $isa;
            body$(::<{ multiversioned!(@maybe $fma) }>)?($($argument),*)
        }
    };
}
pub(super) use multiversioned;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_available_set_is_found_by_its_name() {
        let all = Isa::available();
        assert_eq!(all.last(), Some(&Isa::widest()));
        assert!(all.iter().all(|isa| Isa::named(isa.name()) == Some(*isa)));
        assert!(all.is_sorted());
        assert_eq!(Isa::named("avx1024"), None);
    }
}
