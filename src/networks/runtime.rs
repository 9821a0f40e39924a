//! What networks run on.

use std::sync::Arc;

use candle_core::{DType, Device};

use crate::kernels::{Isa, KernelContext, Precision};

/// A device, the number format of the values on it, and the kernels of the processor. Chosen where a model is loaded, held
/// by every operation with weights.
#[derive(Clone, Debug)]
pub struct Runtime {
    device: Device,
    dtype: DType,
    kernels: Arc<KernelContext>,
}

impl Runtime {
    /// `kernels` serve f32 values on a processor; everything else is candle's.
    pub fn new(device: Device, dtype: DType, kernels: KernelContext) -> Self {
        Self { device, dtype, kernels: Arc::new(kernels) }
    }

    /// This processor in f32, with all its instructions and this number of threads (`None` is one for each processor).
    pub fn processor(threads: Option<usize>) -> Self {
        Self::new(Device::Cpu, DType::F32, KernelContext::new(Isa::widest(), Precision::Full, threads))
    }

    /// The device.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The number format of values.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The same with values in f32.
    #[must_use]
    pub fn in_f32(&self) -> Self {
        Self { dtype: DType::F32, ..self.clone() }
    }

    /// Whether matrix products round their factors to bf16.
    pub fn multiplies_bf16(&self) -> bool {
        self.device.is_cpu() && self.kernels.precision() == Precision::Bf16
    }

    /// Runs `work` on the kernels' threads. Wrap a whole network call, so that its operations need not cross threads.
    pub fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        self.kernels.run(work)
    }

    /// Frees memory that the kernels keep from call to call.
    pub fn release_scratch(&self) {
        self.kernels.release_scratch();
    }

    pub(super) fn kernels(&self) -> &KernelContext {
        &self.kernels
    }
}
