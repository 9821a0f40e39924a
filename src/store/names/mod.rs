//! Mapping of tensor names from the layouts of files to those of diffusers and transformers, which the networks use.
//!
//! A file is read through [`Renamed`], which maps each name that a network requests to a tensor of the file: under
//! another name, as rows of a fused tensor, or in another shape or order.

mod flux;
mod flux2;
mod flux3;
mod open_clip;
mod qwen3;
mod sd3;
mod t5;
mod tiny;
mod unet;
mod vae;
mod z_image;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use crate::weights::{StoredTensor, TensorInfo, TensorSource, WeightError};

pub(super) use flux::{FluxShape, flux_names, flux_shape};
pub(super) use flux2::{flux2_names, flux2_shape};
pub(super) use flux3::{flux3_names, flux3_shape};
pub(super) use open_clip::{open_clip_layers, open_clip_names};
pub(super) use qwen3::qwen3_names;
pub(super) use sd3::{Sd3Shape, sd3_names, sd3_shape};
pub(super) use t5::t5_names;
pub(super) use tiny::tiny_decoder_names;
pub(super) use unet::{UnetShape, unet_names, unet_shape};
pub(super) use vae::vae_names;
pub(super) use z_image::{z_image_names, z_image_prefix};

/// Where a tensor's values are in its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    /// The tensor's name in the file.
    name: String,
    transform: Transform,
}

/// How a requested tensor is obtained from a tensor of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Transform {
    Whole,
    /// Some rows of a fused tensor.
    Rows(Range<usize>),
    /// Reshaped.
    Shaped(Vec<usize>),
    /// Rows and columns exchanged.
    Transposed,
    /// The second half of the rows before the first.
    HalvesExchanged,
}

/// The tensors of a source by the names that networks use.
pub(super) type Names = BTreeMap<String, Origin>;

impl Origin {
    /// A whole tensor.
    pub(super) fn whole(name: &str) -> Self {
        Self { name: name.to_owned(), transform: Transform::Whole }
    }

    /// Its name in the file.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The range `index` of `parts` equal ranges of rows.
    fn rows(name: &str, info: &TensorInfo, index: usize, parts: usize) -> Self {
        let rows = info.shape.first().copied().unwrap_or_default() / parts;
        Self { name: name.to_owned(), transform: Transform::Rows(index * rows..(index + 1) * rows) }
    }

    /// A 1×1 convolution `[O, I, 1, 1]` as a matrix `[O, I]`; other tensors unchanged.
    fn matrix(name: &str, info: &TensorInfo) -> Self {
        let transform = match info.shape[..] {
            [rows, columns, 1, 1] => Transform::Shaped(vec![rows, columns]),
            _ => Transform::Whole,
        };
        Self { name: name.to_owned(), transform }
    }

    fn row_range(name: &str, rows: Range<usize>) -> Self {
        Self { name: name.to_owned(), transform: Transform::Rows(rows) }
    }

    /// The second half of the rows before the first; a tensor with an odd number of rows unchanged.
    fn halves_exchanged(name: &str, info: &TensorInfo) -> Self {
        let is_even = info.shape.first().is_some_and(|rows| rows.is_multiple_of(2));
        let transform = if is_even { Transform::HalvesExchanged } else { Transform::Whole };
        Self { name: name.to_owned(), transform }
    }

    fn transposed(name: &str) -> Self {
        Self { name: name.to_owned(), transform: Transform::Transposed }
    }
}

/// A source whose tensors are renamed, sliced and reshaped.
pub(super) struct Renamed {
    source: Arc<dyn TensorSource>,
    names: Names,
}

impl Renamed {
    /// The tensors in `names`; others are hidden.
    pub(super) fn new(source: Arc<dyn TensorSource>, names: Names) -> Self {
        Self { source, names }
    }
}

impl TensorSource for Renamed {
    fn names(&self) -> Vec<&str> {
        self.names.keys().map(String::as_str).collect()
    }

    fn info(&self, name: &str) -> Option<TensorInfo> {
        let Origin { name, transform } = self.names.get(name)?;
        let mut info = self.source.info(name)?;
        match transform {
            Transform::Whole | Transform::HalvesExchanged => {}
            // The rows do not exist: the tensor has an unexpected shape, which the network reports.
            Transform::Rows(rows) if info.shape.first().is_none_or(|all| rows.end > *all) => {}
            Transform::Rows(rows) => *info.shape.first_mut()? = rows.len(),
            Transform::Shaped(shape) => info.shape.clone_from(shape),
            Transform::Transposed => info.shape.reverse(),
        }
        Some(info)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.source.path(self.names.get(name).map_or(name, |origin| &origin.name))
    }

    fn read(&self, name: &str) -> Result<StoredTensor, WeightError> {
        let Some(Origin { name: original, transform }) = self.names.get(name) else {
            return Err(WeightError::Missing { name: name.into(), shape: vec![], path: self.path(name) });
        };
        Ok(match transform {
            Transform::Whole => self.source.read(original)?,
            Transform::Rows(rows) => {
                match self.source.info(original).and_then(|info| info.shape.first().copied()) {
                    Some(all) if rows.end <= all => self.source.read_rows(original, rows.clone())?,
                    _ => self.source.read(original)?,
                }
            }
            Transform::Shaped(shape) => self.source.read(original)?.reshaped(shape),
            Transform::HalvesExchanged => self.source.read(original)?.halves_exchanged(),
            Transform::Transposed => {
                let tensor = self.source.read(original)?;
                tensor.transposed().ok_or_else(|| WeightError::Tensor {
                    name: original.clone(),
                    reason: "it cannot be transposed as it is stored".to_owned(),
                    path: self.source.path(original),
                })?
            }
        })
    }
}

/// The number of consecutive numbers from 0 for which `is` holds, at most 4096: no network has more layers.
pub(super) fn count(is: impl Fn(usize) -> bool) -> usize {
    (0..4096).take_while(|number| is(*number)).count()
}

/// The tensors whose names have this prefix, with the prefix removed.
pub(super) fn under_prefix(source: &dyn TensorSource, prefix: &str) -> Names {
    let of = |name: &str| Some((name.strip_prefix(prefix)?.to_owned(), Origin::whole(name)));
    source.names().into_iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::TensorMap;

    #[test]
    fn tensors_are_renamed_sliced_reshaped_and_transposed() {
        let values: Vec<f32> = (0..12).map(|i| i as f32).collect();
        let mut file = TensorMap::default();
        file.insert("fused", StoredTensor::from_f32(&[6, 2], &values));
        file.insert("conv", StoredTensor::from_f32(&[3, 4, 1, 1], &values));
        let info = |name| file.info(name).unwrap();
        let names = Names::from([
            ("k".to_owned(), Origin::rows("fused", &info("fused"), 1, 3)),
            ("proj".to_owned(), Origin::matrix("conv", &info("conv"))),
            ("turned".to_owned(), Origin::transposed("fused")),
            ("gone".to_owned(), Origin::whole("not there")),
        ]);
        let renamed = Renamed::new(Arc::new(file), names);
        let read = |name: &str| {
            let tensor = renamed.read(name).unwrap();
            assert_eq!(renamed.info(name).unwrap().shape, tensor.shape());
            (tensor.shape().to_vec(), bytemuck::cast_slice::<u8, f32>(tensor.view().bytes).to_vec())
        };
        assert_eq!(read("k"), (vec![2, 2], vec![4.0, 5.0, 6.0, 7.0]));
        assert_eq!(read("proj"), (vec![3, 4], values.clone()));
        assert_eq!(read("turned"), (vec![2, 6], vec![0., 2., 4., 6., 8., 10., 1., 3., 5., 7., 9., 11.]));
        assert!(renamed.info("gone").is_none() && renamed.info("fused").is_none());
        assert!(renamed.read("gone").is_err() && renamed.read("fused").is_err());
    }
}
