//! Device, dtype and kernels that networks run on.

use std::sync::Arc;

use candle_core::{DType, Device};

use crate::kernels::{Isa, KernelContext, Precision};

/// A device, the dtype of the activations on it, and the CPU kernels. Chosen when a model is loaded, held by every
/// operation with weights.
#[derive(Clone, Debug)]
pub struct Runtime {
    device: Device,
    dtype: DType,
    kernels: Arc<KernelContext>,
}

impl Runtime {
    /// `kernels` compute f32 values on the CPU; everything else is computed by candle.
    pub fn new(device: Device, dtype: DType, kernels: KernelContext) -> Self {
        Self { device, dtype, kernels: Arc::new(kernels) }
    }

    /// The CPU in f32, with its widest instruction set and this number of threads (`None` is one for each core).
    pub fn processor(threads: Option<usize>) -> Self {
        Self::new(Device::Cpu, DType::F32, KernelContext::new(Isa::widest(), Precision::Full, threads))
    }

    /// The device.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The dtype of activations.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The same runtime with activations in f32.
    #[must_use]
    pub fn in_f32(&self) -> Self {
        Self { dtype: DType::F32, ..self.clone() }
    }

    /// Whether matrix products round their operands to bf16.
    pub fn multiplies_bf16(&self) -> bool {
        self.device.is_cpu() && self.kernels.precision() == Precision::Bf16
    }

    /// Runs `work` in the kernels' thread pool. Wrap a whole forward pass, so that its operations need not cross
    /// threads.
    pub fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        self.kernels.run(work)
    }

    /// Frees scratch memory that the kernels keep between calls.
    pub fn release_scratch(&self) {
        self.kernels.release_scratch();
    }

    /// Does `work` once on each of the kernels' threads.
    pub fn on_each_thread(&self, work: impl Fn() + Sync) {
        self.kernels.on_each_thread(work);
    }

    pub(super) fn kernels(&self) -> &KernelContext {
        &self.kernels
    }
}
