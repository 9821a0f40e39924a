//! Device, dtype and kernels that networks run on.

use std::sync::Arc;

use super::compute_device::{ComputeDevice, PlainProcessor};
use super::ops::Operation;
use super::token_maps::TokenMaps;
use crate::kernels::{Isa, KernelContext, Precision};
use crate::networks::backend::{DType, Device, Result, Tensor};

/// A device, the dtype of the activations on it, and the CPU kernels. Chosen when a model is loaded, held by every
/// operation with weights.
#[derive(Clone, Debug)]
pub struct Runtime {
    device: Arc<dyn ComputeDevice>,
    dtype: DType,
    kernels: Arc<KernelContext>,
    token_maps: Arc<TokenMaps>,
}

impl Runtime {
    /// `kernels` compute f32 values on the CPU; everything else is computed by the
    /// backend of the device.
    pub fn new(device: Device, dtype: DType, kernels: KernelContext) -> Self {
        Self::on(Arc::new(device), dtype, kernels)
    }

    /// As [`Self::new`], on a device behind the interface.
    pub fn on(device: Arc<dyn ComputeDevice>, dtype: DType, kernels: KernelContext) -> Self {
        Self { device, dtype, kernels: Arc::new(kernels), token_maps: Arc::default() }
    }

    /// The CPU in f32, with its widest instruction set and this number of threads (`None` is one for each core).
    pub fn processor(threads: Option<usize>) -> Self {
        Self::new(Device::Cpu, DType::F32, KernelContext::new(Isa::widest(), Precision::Full, threads))
    }

    /// The same processor without its kernels, in f32.
    #[must_use]
    pub fn without_kernels(&self) -> Self {
        Self { device: Arc::new(PlainProcessor), dtype: DType::F32, ..self.clone() }
    }

    /// The device that the tensors are on.
    pub fn device(&self) -> &Device {
        self.device.tensors()
    }

    /// The name of the device, for display.
    pub fn device_name(&self) -> String {
        self.device.name()
    }

    /// Whether the networks run on the processor itself and in the main memory.
    pub fn is_on_processor(&self) -> bool {
        self.device.is_processor()
    }

    /// Waits until everything is computed that the device was given.
    ///
    /// # Errors
    /// If the device failed meanwhile.
    pub fn synchronize(&self) -> Result<()> {
        self.device().synchronize()
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
        self.is_on_processor() && self.kernels.precision() == Precision::Bf16
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

    /// Passes on what a backend has computed for an operation; the device may say that it failed.
    pub(super) fn computed(&self, operation: Operation, result: Tensor) -> Result<Tensor> {
        self.device.computed(operation, result)
    }

    /// Records where the tokens of a prompt act, in all networks of this runtime.
    pub fn token_maps(&self) -> &TokenMaps {
        &self.token_maps
    }

    pub(super) fn kernels(&self) -> &KernelContext {
        &self.kernels
    }
}
