//! Tensors as they are stored.

use std::ops::Range;

use super::WeightDtype;
use super::buffer::Buffer;

/// A tensor in the format of its file, in memory of its own.
#[derive(Clone, Debug)]
pub struct StoredTensor {
    dtype: WeightDtype,
    shape: Vec<usize>,
    /// Of eight bytes each, so that values of every format are aligned.
    words: Buffer,
    len: usize,
    /// See [`WeightView::scales`].
    scales: Vec<f32>,
}

/// A tensor in the format of its file.
#[derive(Clone, Copy, Debug)]
pub struct WeightView<'a> {
    /// The number format.
    pub dtype: WeightDtype,
    /// The edges, the slowest first.
    pub shape: &'a [usize],
    /// The values, aligned for their format.
    pub bytes: &'a [u8],
    /// What values of eight bits are multiplied by: nothing, one number for all, or one for each row.
    pub scales: &'a [f32],
}

impl StoredTensor {
    /// A tensor whose bytes `fill` writes.
    ///
    /// # Panics
    /// If there is no tensor of this shape in this format.
    pub fn read<E>(
        dtype: WeightDtype,
        shape: &[usize],
        fill: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Result<Self, E> {
        let len = dtype.bytes_of(shape).expect("a shape that its file's reader has checked");
        let mut words = Buffer::of(len.div_ceil(size_of::<u64>()));
        fill(&mut bytemuck::cast_slice_mut(words.words_mut())[..len])?;
        Ok(Self { dtype, shape: shape.to_vec(), words, len, scales: Vec::new() })
    }

    /// A tensor of f32 values.
    ///
    /// # Panics
    /// If the number of values is not the shape's.
    pub fn from_f32(shape: &[usize], values: &[f32]) -> Self {
        Self::copied(WeightDtype::F32, shape, bytemuck::cast_slice(values))
    }

    /// A tensor with a copy of these bytes.
    ///
    /// # Panics
    /// If their number is not that of the shape in this format.
    pub fn copied(dtype: WeightDtype, shape: &[usize], bytes: &[u8]) -> Self {
        let copy = |to: &mut [u8]| -> Result<(), std::convert::Infallible> {
            to.copy_from_slice(bytes);
            Ok(())
        };
        match Self::read(dtype, shape, copy) {
            Ok(tensor) => tensor,
            Err(never) => match never {},
        }
    }

    /// The tensor with scales: one number for all values, or one for each row.
    ///
    /// # Panics
    /// If the format is not of eight bits, or the number of scales is another.
    #[must_use]
    pub fn with_scales(self, scales: Vec<f32>) -> Self {
        assert_eq!((self.dtype.block_values(), self.dtype.block_bytes()), (1, 1), "values of eight bits");
        assert!(scales.len() == 1 || scales.len() == self.shape[0], "one scale, or one for each row");
        Self { scales, ..self }
    }

    /// The number format.
    pub fn dtype(&self) -> WeightDtype {
        self.dtype
    }

    /// The edges, the slowest first.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Its values as they are stored.
    pub fn view(&self) -> WeightView<'_> {
        let bytes = &bytemuck::cast_slice(self.words.words())[..self.len];
        WeightView { dtype: self.dtype, shape: &self.shape, bytes, scales: &self.scales }
    }

    /// The same values under another shape. Blocks may go from one row to the next then.
    ///
    /// # Panics
    /// If the numbers of values differ, or those of rows that have scales.
    #[must_use]
    pub fn reshaped(self, shape: &[usize]) -> Self {
        assert_eq!(self.shape.iter().product::<usize>(), shape.iter().product::<usize>(), "as many values");
        assert!(self.scales.len() <= 1 || shape[0] == self.shape[0], "rows with their scales");
        Self { shape: shape.to_vec(), ..self }
    }

    /// A matrix with rows and columns exchanged; `None` if it is no matrix, or its values share what their blocks hold.
    #[must_use]
    pub fn transposed(&self) -> Option<Self> {
        let [rows, columns] = self.shape[..] else { return None };
        let size = self.dtype.bytes_of(&[1])?;
        let (from, mut bytes) = (self.view().bytes, vec![0; self.len]);
        for (index, value) in from.chunks_exact(size).enumerate() {
            let (row, column) = (index / columns, index % columns);
            bytes[(column * rows + row) * size..][..size].copy_from_slice(value);
        }
        Some(Self::copied(self.dtype, &[columns, rows], &bytes))
    }

    /// The second half of the rows before the first.
    ///
    /// # Panics
    /// If the number of rows is odd.
    #[must_use]
    pub fn halves_exchanged(&self) -> Self {
        assert!(self.shape[0].is_multiple_of(2), "two halves of {} rows", self.shape[0]);
        let (first, second) = self.view().bytes.split_at(self.len / 2);
        Self::copied(self.dtype, &self.shape, &[second, first].concat())
    }

    /// Some of the rows: parts along the first dimension.
    ///
    /// # Panics
    /// If there are no such rows, or they are not whole blocks.
    #[must_use]
    pub fn rows(&self, rows: Range<usize>) -> Self {
        let [from, to] = [rows.start, rows.end].map(|row| self.bytes_before(row));
        let mut shape = self.shape.clone();
        shape[0] = rows.len();
        let scales = if self.scales.len() > 1 { &self.scales[rows] } else { &*self.scales };
        Self { scales: scales.to_vec(), ..Self::copied(self.dtype, &shape, &self.view().bytes[from..to]) }
    }

    /// Bytes before a row.
    fn bytes_before(&self, row: usize) -> usize {
        let mut shape = self.shape.clone();
        shape[0] = row;
        self.dtype.bytes_of(&shape).expect("rows of whole blocks")
    }
}

#[cfg(test)]
mod tests {
    use super::super::BlockFormat;
    use super::*;

    #[test]
    fn rows_are_parts_along_the_first_dimension() {
        let values: Vec<f32> = (0..12).map(|i| i as f32).collect();
        let tensor = StoredTensor::from_f32(&[4, 3], &values);
        let rows = tensor.rows(1..3);
        assert_eq!(rows.shape(), [2, 3]);
        assert_eq!(bytemuck::cast_slice::<u8, f32>(rows.view().bytes), &values[3..9]);
        // Three values of two bytes: no whole words.
        let odd = StoredTensor::copied(WeightDtype::F16, &[3], &[1, 2, 3, 4, 5, 6]);
        assert_eq!(odd.view().bytes, [1, 2, 3, 4, 5, 6]);
        assert_eq!(odd.reshaped(&[3, 1]).rows(2..3).view().bytes, [5, 6]);
        // Rows of two blocks.
        let bytes: Vec<u8> = (0..3 * 2 * 34).map(|i| i as u8).collect();
        let blocks = StoredTensor::copied(WeightDtype::Block(BlockFormat::Q8_0), &[3, 64], &bytes);
        assert_eq!(blocks.rows(1..3).view().bytes, &bytes[2 * 34..]);
        assert_eq!(blocks.reshaped(&[3, 16, 4]).view().bytes, bytes);
        // Scales go with their rows.
        let eights = StoredTensor::copied(WeightDtype::Block(BlockFormat::F8E4m3), &[3, 2], &bytes[..6]);
        assert_eq!(eights.clone().with_scales(vec![1.0, 2.0, 3.0]).rows(1..3).view().scales, [2.0, 3.0]);
        assert_eq!(eights.with_scales(vec![5.0]).rows(1..3).view().scales, [5.0]);
    }
}
