//! Attention in one pass, by a kernel of our own: `shaders/cuda/attention.cu`.

use std::sync::{Mutex, PoisonError};

use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::cudarc::driver::{CudaView, DeviceRepr, LaunchConfig, PushKernelArg};
use candle_core::cuda_backend::{CudaDType, DeviceId};
use candle_core::{
    CpuStorage, CudaDevice, CudaStorage, CustomOp3, DType, Device, Layout, Result, Shape, Tensor,
};

use super::super::one_pass::{AttentionShape, THREADS};

/// What the build script compiled.
const KERNELS: &str = include_str!(concat!(env!("OUT_DIR"), "/attention.ptx"));
/// The name of their module among those of candle.
const MODULE: &str = "safelight_attention";

/// `softmax(q·kᵀ / √D)·v` in `heads` heads. `q`: `[B, N, H·D]`, `k`, `v`: `[B, M, H·D]` → `[B, N, H·D]`; `None` where the
/// kernel is not for these.
pub(in crate::networks::backend::candle) fn attention(
    [q, k, v]: [&Tensor; 3],
    heads: usize,
) -> Result<Option<Tensor>> {
    let Device::Cuda(device) = q.device() else { return Ok(None) };
    let (batch, queries, width) = q.dims3()?;
    let shape = AttentionShape { batch, queries, keys: k.dim(1)?, heads, width: width / heads };
    let Some(kernel) = shape.kernel(q.dtype()) else { return Ok(None) };
    if !has_kernels(device, &kernel) {
        return Ok(None);
    }
    let [q, k, v] = [q.contiguous()?, k.contiguous()?, v.contiguous()?];
    // The kernel reads 16 bytes at once. Memory begins at more, a part of a tensor may not.
    if [&q, &k, &v].into_iter().any(|x| x.layout().start_offset() % 8 != 0) {
        return Ok(None);
    }
    q.apply_op3_no_bwd(&k, &v, &OnePass { kernel, shape }).map(Some)
}

/// Whether the driver of this GPU takes the kernels; one that refuses them is not asked again.
fn has_kernels(device: &CudaDevice, kernel: &str) -> bool {
    static REFUSED: Mutex<Vec<DeviceId>> = Mutex::new(Vec::new());
    let mut refused = REFUSED.lock().unwrap_or_else(PoisonError::into_inner);
    if refused.contains(&device.id()) {
        return false;
    }
    // Loaded once; from then on it is looked up.
    let loaded = device.get_or_load_custom_func(kernel, MODULE, KERNELS);
    if let Err(error) = &loaded {
        log::warn!("attention runs in tiles, as the GPU's driver does not take its kernel: {error}");
        refused.push(device.id());
    }
    loaded.is_ok()
}

/// The values of a tensor from its first one on.
fn view<'a, T: CudaDType>((storage, layout): (&'a CudaStorage, &Layout)) -> Result<CudaView<'a, T>> {
    Ok(storage.as_cuda_slice::<T>()?.slice(layout.start_offset()..))
}

struct OnePass {
    kernel: String,
    shape: AttentionShape,
}

impl OnePass {
    fn run<T: CudaDType + DeviceRepr>(&self, [q, k, v]: [(&CudaStorage, &Layout); 3]) -> Result<CudaStorage> {
        let device = q.0.device();
        let AttentionShape { batch, queries, keys, heads, width } = self.shape;
        let [q, k, v] = [view::<T>(q)?, view::<T>(k)?, view::<T>(v)?];
        // SAFETY: the kernel writes every value: of each row that is a query's, each column of each head.
        let mut out = unsafe { device.alloc::<T>(batch * queries * heads * width) }?;
        let function = device.get_or_load_custom_func(&self.kernel, MODULE, KERNELS)?;
        let launch =
            LaunchConfig { grid_dim: self.shape.blocks(), block_dim: (THREADS, 1, 1), shared_mem_bytes: 0 };
        let [rows, columns, heads, width] = [queries, keys, heads, width].map(|count| count as i32);
        // The kernel's exponentials are powers of two.
        let scale = std::f32::consts::LOG2_E / (width as f32).sqrt();
        let mut arguments = function.builder();
        arguments.arg(&q).arg(&k).arg(&v).arg(&mut out);
        arguments.arg(&rows).arg(&columns).arg(&heads).arg(&width).arg(&scale);
        // SAFETY: these are the kernel's parameters, in its order; q, k and v are contiguous and hold the values of these
        // sizes, which `attention` and the kernel's own limits on rows and columns see to.
        unsafe { arguments.launch(launch) }.map_err(candle_core::Error::wrap)?;
        drop(arguments);
        Ok(CudaStorage::wrap_cuda_slice(out, device.clone()))
    }
}

impl CustomOp3 for OnePass {
    fn name(&self) -> &'static str {
        "one-pass attention"
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        candle_core::bail!("one-pass attention is for NVIDIA's GPUs")
    }

    fn cuda_fwd(
        &self,
        q: &CudaStorage,
        q_layout: &Layout,
        k: &CudaStorage,
        k_layout: &Layout,
        v: &CudaStorage,
        v_layout: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let qkv = [(q, q_layout), (k, k_layout), (v, v_layout)];
        let out = match q.dtype() {
            DType::BF16 => self.run::<half::bf16>(qkv)?,
            _ => self.run::<half::f16>(qkv)?,
        };
        let AttentionShape { batch, queries, heads, width, .. } = self.shape;
        Ok((out, Shape::from((batch, queries, heads * width))))
    }
}
