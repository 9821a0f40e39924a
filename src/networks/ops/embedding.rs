//! Embedding tables.

use std::ops::Range;

use super::super::Runtime;
use super::weights::f32_values;
use crate::networks::backend::{Device, Error, Result, Tensor};
use crate::weights::StoredTensor;

/// An embedding table, `[rows, C]`. It stays in main memory in its stored format, whatever the device, as few rows are
/// read.
pub struct Embedding {
    runtime: Runtime,
    table: StoredTensor,
    /// Rows added after those of the table, `[n, C]`.
    added: Vec<f32>,
}

impl Embedding {
    /// `table`: `[rows, C]`.
    ///
    /// # Errors
    /// If the table is not a matrix, or C is 0.
    pub fn new(runtime: &Runtime, table: StoredTensor) -> Result<Self> {
        match table.shape() {
            &[_, width] if width > 0 => Ok(Self { runtime: runtime.clone(), table, added: Vec::new() }),
            other => Err(Error::Msg(format!("a table of vectors cannot have the shape {other:?}"))),
        }
    }

    /// Width C of a row.
    fn width(&self) -> usize {
        self.table.shape()[1]
    }

    /// Number of rows, added ones included.
    pub fn rows(&self) -> usize {
        self.table.shape()[0] + self.added.len() / self.width()
    }

    /// Adds rows `[n, C]` and gives their ids.
    ///
    /// # Errors
    /// For rows of another width.
    pub fn add_rows(&mut self, rows: &Tensor) -> Result<Range<u32>> {
        let (_, width) = rows.dims2()?;
        if width != self.width() {
            return Err(Error::Msg(format!("vectors of {width} values do not fit {}", self.width())));
        }
        let first = self.rows() as u32;
        self.added.extend(rows.to_values::<f32>()?);
        Ok(first..self.rows() as u32)
    }

    /// The rows of some ids, `[ids, C]`, on the runtime's device in its dtype.
    ///
    /// # Errors
    /// If an id is outside the table.
    pub fn forward(&self, ids: &[u32]) -> Result<Tensor> {
        let (stored, width) = (self.table.shape()[0], self.width());
        let mut values = Vec::with_capacity(ids.len() * width);
        for id in ids {
            let row = *id as usize;
            if row < stored {
                values.extend(f32_values(self.table.rows(row..row + 1).view()));
            } else {
                let from = (row - stored) * width;
                let found = self.added.get(from..from + width);
                values.extend_from_slice(found.ok_or_else(|| {
                    Error::Msg(format!("there are {} vectors and none of the number {id}", self.rows()))
                })?);
            }
        }
        let vectors = Tensor::from_vec(values, (ids.len(), width), &Device::Cpu)?;
        vectors.to_dtype(self.runtime.dtype())?.to_device(self.runtime.device())
    }
}

#[cfg(test)]
mod tests {
    use half::f16;

    use super::*;
    use crate::weights::WeightDtype;

    #[test]
    fn stored_and_added_rows_are_looked_up_by_id() {
        let bits: Vec<u16> = [1.0, 2.0, 3.0, 4.0].map(|v| f16::from_f32(v).to_bits()).to_vec();
        let table = StoredTensor::copied(WeightDtype::F16, &[2, 2], bytemuck::cast_slice(&bits));
        let mut embedding = Embedding::new(&Runtime::processor(Some(1)), table).unwrap();
        let added = Tensor::from_vec(vec![5_f32, 6.0], (1, 2), &Device::Cpu).unwrap();
        assert_eq!(embedding.add_rows(&added).unwrap(), 2..3);
        let found = embedding.forward(&[2, 0, 1]).unwrap().to_values::<f32>().unwrap();
        assert_eq!(found, [5.0, 6.0, 1.0, 2.0, 3.0, 4.0]);
        let error = embedding.forward(&[3]).unwrap_err().to_string();
        assert!(error.contains("there are 3 vectors and none of the number 3"), "{error}");
        assert!(embedding.add_rows(&Tensor::from_vec(vec![1_f32], (1, 1), &Device::Cpu).unwrap()).is_err());
    }
}
