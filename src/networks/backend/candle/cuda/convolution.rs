//! Convolutions by cuDNN where its library is found, added up in f32.
//!
//! candle has a feature for cuDNN, which asks it for every convolution, ends the program where the library is missing, and
//! adds up f16 in f16.

use std::cell::RefCell;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::cudarc::cudnn::sys::{
    cudnnConvolutionMode_t, cudnnMathType_t, cudnnTensorFormat_t,
};
use candle_core::cuda_backend::cudarc::cudnn::{ConvForward, Cudnn, CudnnDataType};
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, DeviceRepr};
use candle_core::cuda_backend::{CudaDType, DeviceId};
use candle_core::{
    CpuStorage, CudaDevice, CudaStorage, CustomOp2, DType, Device, Layout, Result, Shape, Tensor, WithDType,
};
use half::{bf16, f16};

/// Whether cuDNN is asked: not again after it failed.
static IS_ASKED: AtomicBool = AtomicBool::new(true);

thread_local! {
    /// A handle belongs to one thread.
    static HANDLES: RefCell<HashMap<DeviceId, Arc<Cudnn>>> = RefCell::new(HashMap::new());
}

/// The convolution of `x` `[B, I, H, W]` with `weight` `[O, I, k, k]`: `[B, O, H', W']`; `None` where cuDNN is not there.
pub(in crate::networks::backend::candle) fn conv2d(
    x: &Tensor,
    weight: &Tensor,
    padding: usize,
    stride: usize,
) -> Result<Option<Tensor>> {
    let Device::Cuda(device) = x.device() else { return Ok(None) };
    let has_format =
        matches!(x.dtype(), DType::F32 | DType::F16 | DType::BF16) && x.dtype() == weight.dtype();
    if !has_format || !IS_ASKED.load(Ordering::Relaxed) {
        return Ok(None);
    }
    let (x, weight) = (x.contiguous()?, weight.contiguous()?);
    let convolution = Convolution { padding, stride };
    // The bindings panic on what they do not find in the library.
    let result = catch_unwind(AssertUnwindSafe(|| {
        handle(device)?;
        x.apply_op2_no_bwd(&weight, &convolution)
    }));
    let why = match result {
        Ok(Ok(out)) => return Ok(Some(out)),
        // Not cuDNN's fault, and convolutions without it need more memory.
        Ok(Err(error)) if error.to_string().contains("OUT_OF_MEMORY") => return Err(error),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "its library is of another version".to_owned(),
    };
    IS_ASKED.store(false, Ordering::Relaxed);
    log::warn!("convolutions run without cuDNN: {why}");
    Ok(None)
}

/// This thread's handle for a device.
fn handle(device: &CudaDevice) -> Result<Arc<Cudnn>> {
    if !is_there() {
        candle_core::bail!("it was not found")
    }
    HANDLES.with_borrow_mut(|handles| {
        if let Some(handle) = handles.get(&device.id()) {
            return Ok(handle.clone());
        }
        let handle = Cudnn::new(device.cuda_stream()).map_err(candle_core::Error::wrap)?;
        handles.insert(device.id(), handle.clone());
        Ok(handle)
    })
}

/// Whether the library is found, in a program that loads it when it runs.
#[cfg(feature = "dynamic-loading")]
fn is_there() -> bool {
    use candle_core::cuda_backend::cudarc::cudnn::sys;

    // SAFETY: loads a library of NVIDIA's, which does nothing of its own then.
    unsafe { sys::is_culib_present() }
}

/// A program that is linked to the library does not start without it.
#[cfg(not(feature = "dynamic-loading"))]
fn is_there() -> bool {
    true
}

#[derive(Clone, Copy)]
struct Convolution {
    padding: usize,
    stride: usize,
}

impl Convolution {
    fn run<T>(
        self,
        [x, weight]: [(&CudaStorage, &Layout); 2],
        [one, zero]: [T; 2],
    ) -> Result<(CudaStorage, Shape)>
    where
        T: CudaDType + CudnnDataType + DeviceRepr + WithDType,
    {
        let device = x.0.device();
        let (batch, channels, height, width) = x.1.shape().dims4()?;
        let (out_channels, _, kernel, _) = weight.1.shape().dims4()?;
        let after = |edge: usize| (edge + 2 * self.padding - kernel) / self.stride + 1;
        let out_shape = [batch, out_channels, after(height), after(width)];
        let handle = handle(device)?;
        let failed = candle_core::Error::wrap;
        let sizes = |dims: [usize; 4]| dims.map(|dim| dim as i32);
        let [padding, stride] = [self.padding, self.stride].map(|of| [of as i32; 2]);
        let rows_of_columns = cudnnTensorFormat_t::CUDNN_TENSOR_NCHW;
        let mode = cudnnConvolutionMode_t::CUDNN_CROSS_CORRELATION;
        // f32: the type that products are added up in.
        let mut conv = handle.create_conv2d::<f32>(padding, stride, [1, 1], mode).map_err(failed)?;
        // Values that were in f32 keep all bits: no TF32.
        let math = match T::DTYPE {
            DType::F32 => cudnnMathType_t::CUDNN_FMA_MATH,
            _ => cudnnMathType_t::CUDNN_TENSOR_OP_MATH,
        };
        conv.set_math_type(math).map_err(failed)?;
        let input = handle
            .create_4d_tensor::<T>(rows_of_columns, sizes([batch, channels, height, width]))
            .map_err(failed)?;
        let filter = handle
            .create_4d_filter::<T>(rows_of_columns, sizes([out_channels, channels, kernel, kernel]))
            .map_err(failed)?;
        let output = handle.create_4d_tensor::<T>(rows_of_columns, sizes(out_shape)).map_err(failed)?;
        let forward = ConvForward { conv: &conv, x: &input, w: &filter, y: &output };
        let algorithm = forward.pick_algorithm().map_err(failed)?;
        let workspace_bytes = forward.get_workspace_size(algorithm).map_err(failed)?;
        // SAFETY: cuDNN reads nothing of its workspace that it has not written.
        let mut workspace = unsafe { device.alloc::<u8>(workspace_bytes.max(1)) }?;
        // SAFETY: a convolution writes every value of its result.
        let mut out = unsafe { device.alloc::<T>(out_shape.iter().product()) }?;
        let x = x.0.as_cuda_slice::<T>()?.slice(x.1.start_offset()..);
        let weight = weight.0.as_cuda_slice::<T>()?.slice(weight.1.start_offset()..);
        // SAFETY: all are contiguous, of the type and the sizes that their descriptors have.
        unsafe {
            forward.launch::<CudaSlice<u8>, _, _, _>(
                algorithm,
                Some(&mut workspace),
                (one, zero),
                &x,
                &weight,
                &mut out,
            )
        }
        .map_err(failed)?;
        Ok((CudaStorage::wrap_cuda_slice(out, device.clone()), Shape::from(out_shape.to_vec())))
    }
}

impl CustomOp2 for Convolution {
    fn name(&self) -> &'static str {
        "cuDNN convolution"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        candle_core::bail!("cuDNN is for NVIDIA's GPUs")
    }

    fn cuda_fwd(
        &self,
        x: &CudaStorage,
        x_layout: &Layout,
        weight: &CudaStorage,
        weight_layout: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let operands = [(x, x_layout), (weight, weight_layout)];
        match x.dtype() {
            DType::F16 => self.run(operands, [f16::ONE, f16::ZERO]),
            DType::BF16 => self.run(operands, [bf16::ONE, bf16::ZERO]),
            _ => self.run(operands, [1.0_f32, 0.0]),
        }
    }
}
