//! Weights as they are stored, in f32 while they are packed.

use candle_core::{CpuStorage, DType, Result, Storage, Tensor};
use half::slice::HalfFloatSliceExt as _;
use rayon::prelude::*;

use super::cpu::scratch::Scratch;
use super::with_values;

/// Values that a thread converts at once.
const AT_ONCE: usize = 1 << 16;

/// Whether our kernels pack this weight: f32, or the 16 bits it is stored in, on a CPU.
pub(super) fn is_packable(weight: &Tensor) -> bool {
    weight.device().is_cpu() && matches!(weight.dtype(), DType::F32 | DType::F16 | DType::BF16)
}

/// Runs `f` over a weight's values in f32, on all threads of the pool it is called in.
///
/// The f32 form lies in memory that the next weight uses again: fresh memory for each costs more than the
/// conversion.
pub(super) fn with_weight<R>(weight: &Tensor, f: impl FnOnce(&[f32]) -> R) -> Result<R> {
    if weight.dtype() == DType::F32 {
        return with_values(weight, f);
    }
    let weight = weight.contiguous()?;
    let (storage, layout) = weight.storage_and_layout();
    let (from, to) = layout.contiguous_offsets().unwrap_or((0, 0));
    let mut values = Scratch::new(to - from);
    let pieces = values.par_chunks_mut(AT_ONCE);
    match &*storage {
        Storage::Cpu(CpuStorage::F16(stored)) => {
            let stored = stored[from..to].par_chunks(AT_ONCE);
            pieces.zip(stored).for_each(|(values, stored)| stored.convert_to_f32_slice(values));
        }
        Storage::Cpu(CpuStorage::BF16(stored)) => {
            let stored = stored[from..to].par_chunks(AT_ONCE);
            pieces.zip(stored).for_each(|(values, stored)| stored.convert_to_f32_slice(values));
        }
        _ => {
            let found = weight.dtype();
            return Err(candle_core::Error::Msg(format!("weights of {found:?} cannot be packed")));
        }
    }
    Ok(f(&values))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stored_form_gives_the_same_values() {
        let wanted: Vec<f32> = (0..70_000).map(|i| (i % 200) as f32 / 8.0 - 12.0).collect();
        let weight = Tensor::from_slice(&wanted, (70, 1000), &candle_core::Device::Cpu).unwrap();
        for dtype in [DType::F32, DType::F16, DType::BF16] {
            let stored = weight.to_dtype(dtype).unwrap();
            assert!(is_packable(&stored));
            assert_eq!(with_weight(&stored, <[f32]>::to_vec).unwrap(), wanted, "{dtype:?}");
            let part = stored.narrow(0, 3, 2).unwrap();
            assert_eq!(with_weight(&part, <[f32]>::to_vec).unwrap(), wanted[3000..5000], "{dtype:?}");
        }
        assert!(!is_packable(&weight.to_dtype(DType::F64).unwrap()));
    }
}
