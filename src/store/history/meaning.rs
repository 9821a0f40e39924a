//! The place of a run's picture in the space of a model that finds pictures: `meaning.safetensors` in the run's folder.

use std::collections::HashMap;
use std::io::Write as _;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use super::run_folder::{RunFolder, bytes_of_file};
use super::{History, HistoryError, RunId, RunStatus};
use crate::formats::atomic::write_atomically;

/// The tensor of the file.
const TENSOR: &str = "embedding";
/// The key of the model's hash.
const MODEL: &str = "model";
/// More values than any such space has dimensions.
const MAX_VALUES: usize = 1 << 16;

/// The place of a picture, or of words, in the space of a model: a vector of length 1.
#[derive(Clone, Debug, PartialEq)]
pub struct PictureMeaning {
    model: String,
    values: Vec<f32>,
}

impl PictureMeaning {
    /// The direction of a vector. `model`: the hash of the model's weights (blake3, hex). `None` if the vector has no
    /// direction: it is 0 or holds values that are no numbers.
    pub fn new(model: &str, vector: &[f32]) -> Option<Self> {
        let length = vector.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
        if !(length.is_normal() && length > 0.0) || vector.len() > MAX_VALUES {
            return None;
        }
        let values = vector.iter().map(|value| (f64::from(*value) / length) as f32).collect();
        Some(Self { model: model.to_owned(), values })
    }

    /// The hash of the model's weights.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// The vector.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The cosine of the angle between both, −1..=1; 0 for those of different models.
    pub fn similarity(&self, other: &Self) -> f32 {
        if self.model != other.model || self.values.len() != other.values.len() {
            return 0.0;
        }
        self.values.iter().zip(&other.values).map(|(a, b)| a * b).sum::<f32>().clamp(-1.0, 1.0)
    }

    fn to_bytes(&self) -> Vec<u8> {
        let data: Vec<u8> = self.values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let view = TensorView::new(Dtype::F32, vec![self.values.len()], &data).expect("four bytes a value");
        let metadata = HashMap::from([(MODEL.to_owned(), self.model.clone())]);
        safetensors::serialize([(TENSOR, view)], Some(metadata)).expect("one tensor of known size")
    }

    /// `None` for bytes that are no such file.
    fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let (_, header) = SafeTensors::read_metadata(bytes).ok()?;
        let model = header.metadata().as_ref()?.get(MODEL)?.clone();
        let file = SafeTensors::deserialize(bytes).ok()?;
        let tensor = file.tensor(TENSOR).ok()?;
        if tensor.dtype() != Dtype::F32 {
            return None;
        }
        let values: Vec<f32> = tensor
            .data()
            .chunks_exact(4)
            .map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
            .collect();
        Self::new(&model, &values)
    }
}

impl History {
    /// The place of a run's picture; `None` if none is kept, or the file is damaged: it can be made again.
    pub fn meaning(&self, id: &RunId) -> Option<PictureMeaning> {
        let path = self.run(id).meaning_path();
        let bytes = bytes_of_file(&path).ok()??;
        let meaning = PictureMeaning::of_bytes(&bytes);
        if meaning.is_none() {
            log::info!("{} is damaged", path.display());
        }
        meaning
    }

    /// Keeps the place of a run's picture, in place of that for another model.
    ///
    /// # Errors
    /// [`HistoryError::NoRun`] for a run that was deleted meanwhile, and [`HistoryError::Write`].
    pub fn set_meaning(&self, id: &RunId, meaning: &PictureMeaning) -> Result<(), HistoryError> {
        let folder = self.run(id);
        // A file that is written makes no folder, so that a run in the trash does not come back.
        if !folder.path().is_dir() {
            return Err(folder.no_run());
        }
        let bytes = meaning.to_bytes();
        Ok(write_atomically(&folder.meaning_path(), |file| file.write_all(&bytes))?)
    }

    /// The finished runs without a place, or with one that another model than `model` gave; the newest first. Without a
    /// model, those without a file.
    ///
    /// # Errors
    /// Those of [`Self::runs`].
    pub fn without_meaning(&self, model: Option<&str>) -> Result<Vec<RunId>, HistoryError> {
        let finished = self.runs()?.runs.into_iter().filter(|run| run.status == RunStatus::Finished);
        let lacks = |folder: &RunFolder, id: &RunId| match model {
            Some(model) => self.meaning(id).is_none_or(|meaning| meaning.model != model),
            None => !folder.meaning_path().is_file(),
        };
        Ok(finished.map(|run| run.id).filter(|id| lacks(&self.run(id), id)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_direction_and_is_read_as_it_was_written() {
        let place = PictureMeaning::new("ab", &[3.0, 0.0, 4.0]).unwrap();
        assert_eq!((place.values.as_slice(), place.model()), (&[0.6, 0.0, 0.8][..], "ab"));
        assert_eq!(PictureMeaning::of_bytes(&place.to_bytes()), Some(place.clone()));
        let other = PictureMeaning::new("ab", &[4.0, 0.0, -3.0]).unwrap();
        assert!(place.similarity(&other).abs() < 1e-6 && (place.similarity(&place) - 1.0).abs() < 1e-6);
        let of_another = PictureMeaning::new("cd", &[3.0, 0.0, 4.0]).unwrap();
        assert_eq!(place.similarity(&of_another), 0.0);
        for none in [&[0.0, 0.0][..], &[f32::NAN, 1.0], &[f32::INFINITY], &[]] {
            assert_eq!(PictureMeaning::new("ab", none), None);
        }
    }

    #[test]
    fn damaged_bytes_are_no_place() {
        let whole = PictureMeaning::new("ab", &[1.0, 2.0]).unwrap().to_bytes();
        for end in 0..whole.len() {
            assert_eq!(PictureMeaning::of_bytes(&whole[..end]), None);
        }
        let other = [("other", TensorView::new(Dtype::F32, vec![1], &[0, 0, 128, 63]).unwrap())];
        let other = safetensors::serialize(other, None).unwrap();
        assert_eq!(PictureMeaning::of_bytes(&other), None);
    }
}
