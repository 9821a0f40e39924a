//! The value type: a tensor, whichever library holds its values.

use std::borrow::{Borrow, Cow};

use candle_core::{CpuStorage, Storage};

use super::shape::shape_of;
use super::{DType, Device, Dim, Error, Number, Result, Sizes};

/// A tensor. A clone shares its values.
#[derive(Clone, Debug)]
pub struct Tensor(pub(super) Values);

/// The library that holds a tensor's values.
#[derive(Clone, Debug)]
pub(super) enum Values {
    /// candle, in main memory or on a GPU.
    Candle(candle_core::Tensor),
}

impl From<candle_core::Tensor> for Tensor {
    fn from(tensor: candle_core::Tensor) -> Self {
        Self(Values::Candle(tensor))
    }
}

impl Tensor {
    /// The tensor as candle has it, for networks that are built from candle's own layers.
    pub fn candle(&self) -> &candle_core::Tensor {
        let Values::Candle(tensor) = &self.0;
        tensor
    }

    /// From values, the last dimension's next to each other.
    ///
    /// # Errors
    /// If the values do not fill the shape.
    pub fn from_vec<T: Number>(
        values: Vec<T>,
        shape: impl Sizes,
        device: impl Borrow<Device>,
    ) -> Result<Self> {
        let shape = shape_of(shape, values.len())?;
        Ok(candle_core::Tensor::from_vec(values, shape, &device.borrow().candle())?.into())
    }

    /// As [`Self::from_vec`].
    ///
    /// # Errors
    /// As [`Self::from_vec`].
    pub fn from_slice<T: Number>(
        values: &[T],
        shape: impl Sizes,
        device: impl Borrow<Device>,
    ) -> Result<Self> {
        Self::from_vec(values.to_vec(), shape, device)
    }

    /// From the bytes of values as files hold them, little-endian.
    ///
    /// # Errors
    /// If the bytes do not fill the shape.
    pub fn from_bytes(bytes: &[u8], dtype: DType, shape: &[usize]) -> Result<Self> {
        let device = candle_core::Device::Cpu;
        Ok(candle_core::Tensor::from_raw_buffer(bytes, dtype.candle(), shape, &device)?.into())
    }

    /// Zeros.
    ///
    /// # Errors
    /// If the device is out of memory.
    pub fn zeros(shape: impl Sizes, dtype: DType, device: impl Borrow<Device>) -> Result<Self> {
        let device = device.borrow().candle();
        Ok(candle_core::Tensor::zeros(shape.closed()?, dtype.candle(), &device)?.into())
    }

    /// Ones.
    ///
    /// # Errors
    /// If the device is out of memory.
    pub fn ones(shape: impl Sizes, dtype: DType, device: impl Borrow<Device>) -> Result<Self> {
        let device = device.borrow().candle();
        Ok(candle_core::Tensor::ones(shape.closed()?, dtype.candle(), &device)?.into())
    }

    /// Tensors joined along a dimension.
    ///
    /// # Errors
    /// If their other sizes differ, or there are none.
    pub fn cat<T: Borrow<Self>>(parts: &[T], dim: impl Dim) -> Result<Self> {
        let Some(first) = parts.first() else {
            return Err(Error::Msg("nothing to join".to_owned()));
        };
        let dim = dim.index(first.borrow().rank())?;
        let parts: Vec<_> = parts.iter().map(|part| part.borrow().candle()).collect();
        Ok(candle_core::Tensor::cat(&parts, dim)?.into())
    }

    /// The shape.
    pub fn dims(&self) -> &[usize] {
        let Values::Candle(tensor) = &self.0;
        tensor.dims()
    }

    /// The size of a dimension.
    ///
    /// # Errors
    /// If there is none of this number.
    pub fn dim(&self, dim: impl Dim) -> Result<usize> {
        Ok(self.dims()[dim.index(self.rank())?])
    }

    /// The sizes of a matrix.
    ///
    /// # Errors
    /// If it is none.
    pub fn dims2(&self) -> Result<(usize, usize)> {
        let [a, b] = self.all_dims()?;
        Ok((a, b))
    }

    /// The sizes of tokens, `[B, N, C]`.
    ///
    /// # Errors
    /// If there are not three.
    pub fn dims3(&self) -> Result<(usize, usize, usize)> {
        let [a, b, c] = self.all_dims()?;
        Ok((a, b, c))
    }

    /// The sizes of a feature map, `[B, C, H, W]`.
    ///
    /// # Errors
    /// If there are not four.
    pub fn dims4(&self) -> Result<(usize, usize, usize, usize)> {
        let [a, b, c, d] = self.all_dims()?;
        Ok((a, b, c, d))
    }

    fn all_dims<const N: usize>(&self) -> Result<[usize; N]> {
        let dims = self.dims();
        dims.try_into().map_err(|_| Error::Msg(format!("{N} dimensions were expected, and not {dims:?}")))
    }

    /// The number of dimensions.
    pub fn rank(&self) -> usize {
        self.dims().len()
    }

    /// The number of values.
    pub fn elem_count(&self) -> usize {
        self.dims().iter().product()
    }

    /// The format of the values.
    pub fn dtype(&self) -> DType {
        let Values::Candle(tensor) = &self.0;
        DType::of_candle(tensor.dtype())
    }

    /// Where the values are.
    pub fn device(&self) -> Device {
        let Values::Candle(tensor) = &self.0;
        Device::of_candle(tensor.device())
    }

    /// The values in another format.
    ///
    /// # Errors
    /// The device's.
    pub fn to_dtype(&self, dtype: DType) -> Result<Self> {
        let Values::Candle(tensor) = &self.0;
        Ok(tensor.to_dtype(dtype.candle())?.into())
    }

    /// The values in another memory.
    ///
    /// # Errors
    /// The device's.
    pub fn to_device(&self, device: impl Borrow<Device>) -> Result<Self> {
        let Values::Candle(tensor) = &self.0;
        Ok(tensor.to_device(&device.borrow().candle())?.into())
    }

    /// The values in main memory, in the order of the shape.
    ///
    /// # Errors
    /// If they are of another type, or the device fails.
    pub fn to_values<T: Number>(&self) -> Result<Vec<T>> {
        let Values::Candle(tensor) = &self.0;
        Ok(tensor.flatten_all()?.to_vec1()?)
    }

    /// The one value of a tensor of a single one.
    ///
    /// # Errors
    /// As [`Self::to_values`], and if there are several.
    pub fn to_scalar<T: Number>(&self) -> Result<T> {
        match self.to_values()?[..] {
            [value] => Ok(value),
            _ => Err(Error::Msg(format!("{:?} is no single value", self.dims()))),
        }
    }

    /// Runs `f` on the values of an f32 tensor in main memory, which are copied if their order in memory is another than
    /// that of the shape.
    ///
    /// # Errors
    /// For values elsewhere or in another format.
    pub fn with_values<R>(&self, f: impl FnOnce(&[f32]) -> R) -> Result<R> {
        let Values::Candle(tensor) = &self.0;
        let tensor =
            if tensor.is_contiguous() { Cow::Borrowed(tensor) } else { Cow::Owned(tensor.contiguous()?) };
        let (storage, layout) = tensor.storage_and_layout();
        let Storage::Cpu(CpuStorage::F32(values)) = &*storage else {
            return Err(Error::Msg(format!("expected f32 on the CPU, found {:?}", self.dtype())));
        };
        let (from, to) = layout.contiguous_offsets().unwrap_or((0, 0));
        Ok(f(&values[from..to]))
    }

    /// The same values in another shape, copied if their order in memory is another than that of the shape.
    ///
    /// # Errors
    /// If the shape holds another number of values.
    pub fn reshape(&self, shape: impl Sizes) -> Result<Self> {
        let Values::Candle(tensor) = &self.0;
        Ok(tensor.reshape(shape_of(shape, self.elem_count())?)?.into())
    }

    /// All values in one dimension.
    ///
    /// # Errors
    /// The device's.
    pub fn flatten_all(&self) -> Result<Self> {
        self.reshape(self.elem_count())
    }

    /// The values in the order of the shape; no copy if they are.
    ///
    /// # Errors
    /// The device's.
    pub fn contiguous(&self) -> Result<Self> {
        let Values::Candle(tensor) = &self.0;
        Ok(tensor.contiguous()?.into())
    }

    /// `length` entries of a dimension, from one on.
    ///
    /// # Errors
    /// If there are fewer.
    pub fn narrow(&self, dim: impl Dim, from: usize, length: usize) -> Result<Self> {
        let Values::Candle(tensor) = &self.0;
        Ok(tensor.narrow(dim.index(self.rank())?, from, length)?.into())
    }

    /// The same values with the dimensions in another order.
    ///
    /// # Errors
    /// If the order does not name each of them once.
    pub fn permute<const N: usize>(&self, order: [usize; N]) -> Result<Self> {
        let Values::Candle(tensor) = &self.0;
        Ok(tensor.permute(order.to_vec())?.into())
    }

    /// The same values with two dimensions exchanged.
    ///
    /// # Errors
    /// If there are no such dimensions.
    pub fn transpose(&self, a: impl Dim, b: impl Dim) -> Result<Self> {
        let Values::Candle(tensor) = &self.0;
        Ok(tensor.transpose(a.index(self.rank())?, b.index(self.rank())?)?.into())
    }

    /// One more dimension, of size 1.
    ///
    /// # Errors
    /// If it is not next to the others.
    pub fn unsqueeze(&self, dim: usize) -> Result<Self> {
        let Values::Candle(tensor) = &self.0;
        Ok(tensor.unsqueeze(dim)?.into())
    }

    /// The same values, with those of dimensions of size 1 standing for all.
    ///
    /// # Errors
    /// If a dimension has another size.
    pub fn broadcast_as(&self, shape: impl Sizes) -> Result<Self> {
        let Values::Candle(tensor) = &self.0;
        Ok(tensor.broadcast_as(shape.closed()?)?.into())
    }

    /// Copies of the tensor side by side: as many in each dimension.
    ///
    /// # Errors
    /// The device's.
    pub fn repeat(&self, times: impl Sizes) -> Result<Self> {
        let Values::Candle(tensor) = &self.0;
        Ok(tensor.repeat(times.closed()?)?.into())
    }

    /// The rows of these numbers, of the first dimension.
    ///
    /// # Errors
    /// If there is no such row.
    pub fn rows(&self, numbers: &[u32]) -> Result<Self> {
        let Values::Candle(tensor) = &self.0;
        let numbers = candle_core::Tensor::from_slice(numbers, numbers.len(), tensor.device())?;
        Ok(tensor.index_select(&numbers, 0)?.into())
    }

    /// Zeros before and after a dimension's entries.
    ///
    /// # Errors
    /// If there is no such dimension.
    pub fn pad_with_zeros(&self, dim: impl Dim, before: usize, after: usize) -> Result<Self> {
        let Values::Candle(tensor) = &self.0;
        Ok(tensor.pad_with_zeros(dim.index(self.rank())?, before, after)?.into())
    }
}
