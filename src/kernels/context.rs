//! What steers the kernels beside their operands.

use super::isa::Isa;
use super::scratch::{Scratch, ScratchPool};
use super::threads::Threads;

/// How exact the factors of matrix products are; sums are always f32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// As exact as the operands.
    #[default]
    Full,
    /// Eight bits of mantissa (about 3e-3 of relative error) where that is faster than [`Self::Full`]; weights take two
    /// bytes each. Convolutions that Winograd's transform makes faster still multiply in f32.
    Bf16,
}

/// Instruction set, threads, scratch memory and precision of a group of kernel calls.
///
/// Weights are multiplied with the context that they were packed with.
pub struct KernelContext {
    isa: Isa,
    precision: Precision,
    threads: Threads,
    scratch: ScratchPool,
}

impl KernelContext {
    /// `threads`: `None` is one for each processor that the program may use.
    pub fn new(isa: Isa, precision: Precision, threads: Option<usize>) -> Self {
        // Of processors without such products the values are rounded for nothing.
        let precision = if isa.multiplies_bf16() { precision } else { Precision::Full };
        Self { isa, precision, threads: Threads::new(threads), scratch: ScratchPool::default() }
    }

    /// The instruction set.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// The precision that products have: [`Precision::Full`] where the instruction set knows no other.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Threads that kernels share their work among.
    pub fn thread_count(&self) -> usize {
        self.threads.count()
    }

    /// Runs `work` on one of the threads. Wrap a whole network call, so that its kernels need not cross threads.
    pub fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        self.threads.run(work)
    }

    /// Frees the scratch memory that is kept from call to call.
    pub fn release_scratch(&self) {
        self.scratch.release();
    }

    /// Does `work` once on each of the threads.
    pub fn on_each_thread(&self, work: impl Fn() + Sync) {
        self.threads.on_each(work);
    }

    pub(super) fn threads(&self) -> &Threads {
        &self.threads
    }

    /// Memory of `len` values of any content, on a line of the cache.
    pub(super) fn scratch(&self, len: usize) -> Scratch<'_> {
        self.scratch.take(len)
    }
}

impl std::fmt::Debug for KernelContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KernelContext")
            .field("isa", &self.isa)
            .field("precision", &self.precision)
            .field("threads", &self.threads.count())
            .finish_non_exhaustive()
    }
}
