//! Where the values of tensors are.

use super::Result;

/// A memory, and what computes on it.
#[derive(Clone, Debug)]
pub enum Device {
    /// The main memory and the processor.
    Cpu,
    /// A GPU and its memory.
    Gpu(Gpu),
}

/// A GPU that candle computes on.
#[derive(Clone, Debug)]
pub struct Gpu(candle_core::Device);

impl Device {
    /// Opens an NVIDIA GPU.
    ///
    /// # Errors
    /// If the driver does not open it. The bindings panic if the driver's library is not there.
    pub fn cuda(index: usize) -> Result<Self> {
        let device = candle_core::Device::new_cuda(index)?;
        // f32 is what f16 did not suffice for: products of f32 keep its 24 bits, which TF32 would cut to 11. Sums of
        // 16-bit products are in f32, which these switches of cuBLAS would otherwise allow to be in 16 bits.
        candle_core::cuda::set_gemm_reduced_precision_f32(false);
        candle_core::cuda::set_gemm_reduced_precision_f16(false);
        candle_core::cuda::set_gemm_reduced_precision_bf16(false);
        Ok(Self::of_candle(&device))
    }

    /// Opens an Apple GPU.
    ///
    /// # Errors
    /// If there is none.
    pub fn metal(index: usize) -> Result<Self> {
        Ok(Self::of_candle(&candle_core::Device::new_metal(index)?))
    }

    /// Whether it is the processor.
    pub fn is_cpu(&self) -> bool {
        matches!(self, Self::Cpu)
    }

    /// Its kind, for display.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Cpu => "Processor",
            Self::Gpu(Gpu(device)) if device.is_metal() => "Apple GPU",
            Self::Gpu(_) => "NVIDIA GPU",
        }
    }

    /// Whether it is an Apple GPU.
    pub fn is_apple(&self) -> bool {
        matches!(self, Self::Gpu(Gpu(device)) if device.is_metal())
    }

    /// Whether its arithmetic knows bf16. NVIDIA's GPUs do from compute capability 8.0 on; candle has the kernels on
    /// all of Apple's.
    pub fn has_bf16(&self) -> bool {
        match self {
            Self::Cpu => false,
            Self::Gpu(Gpu(device)) => compute_capability(device).is_none_or(|version| version >= (8, 0)),
        }
    }

    /// Waits until everything is computed that it was given.
    ///
    /// # Errors
    /// If it failed meanwhile.
    pub fn synchronize(&self) -> Result<()> {
        Ok(self.candle().synchronize()?)
    }

    pub(super) fn of_candle(device: &candle_core::Device) -> Self {
        if device.is_cpu() { Self::Cpu } else { Self::Gpu(Gpu(device.clone())) }
    }

    /// The device as candle has it, for networks that are built from candle's own layers.
    pub(in crate::networks) fn candle(&self) -> candle_core::Device {
        match self {
            Self::Cpu => candle_core::Device::Cpu,
            Self::Gpu(Gpu(device)) => device.clone(),
        }
    }
}

/// The compute capability of an NVIDIA GPU; `None` for others, and where the driver does not say.
fn compute_capability(device: &candle_core::Device) -> Option<(i32, i32)> {
    #[cfg(feature = "cuda")]
    if let candle_core::Device::Cuda(device) = device {
        return device.cuda_stream().context().compute_capability().ok();
    }
    let _ = device;
    None
}
