//! What is seen of each step of a run.

use std::sync::Arc;

use super::options::{Pace, Shown};
use crate::formats::metadata::GenerationFacts;
use crate::latent::{Latent, LatentFormat, TrajectoryStep};
use crate::projection::PreviewImage;
use crate::request::Picture;

pub use crate::projection::Projection as PreviewProjection;

/// A run as far as it can be shown.
#[derive(Clone, Debug)]
pub struct Development {
    /// Its steps in order; some may be missing.
    pub steps: Vec<Arc<TrajectoryStep>>,
    /// The final latent, model space.
    pub latent: Option<Latent>,
    /// The picture it became.
    pub picture: Option<Picture>,
    /// The VAE's decodes of the steps' estimates, needed for [`Shown::Decoded`] only.
    pub decodes: Vec<Picture>,
    /// The format of the latents.
    pub format: LatentFormat,
    /// The settings of the run.
    pub facts: Option<GenerationFacts>,
}

/// A picture of the development: a step, or what the run became.
pub(super) enum Still<'a> {
    Latent(&'a Latent),
    Picture(&'a Picture),
}

impl Development {
    /// The size of the picture, pixels; `None` without a step.
    pub fn size(&self) -> Option<[usize; 2]> {
        let shape = self.steps.first()?.denoised.shape();
        let (width, height) = self.format.image_size_px(shape);
        Some([width, height])
    }

    /// The steps, and at the end the picture, or the final latent where it is not the last estimate.
    pub(super) fn stills(&self, shown: Shown) -> Vec<Still<'_>> {
        let mut stills: Vec<Still<'_>> = match shown {
            Shown::Estimate => self.steps.iter().map(|step| Still::Latent(&step.denoised)).collect(),
            Shown::Noisy => self.steps.iter().map(|step| Still::Latent(&step.noisy)).collect(),
            Shown::Decoded => self.decodes.iter().map(Still::Picture).collect(),
        };
        let last = self.steps.last().map(|step| &step.denoised);
        let is_new = |latent: &&Latent| shown == Shown::Noisy || last != Some(*latent);
        match (&self.picture, &self.latent) {
            (Some(picture), _) => stills.push(Still::Picture(picture)),
            (None, Some(latent)) if is_new(&latent) => stills.push(Still::Latent(latent)),
            _ => {}
        }
        stills
    }

    /// The weights of the segments between the stills: the steps from one to the next, or how far what is seen changes.
    pub(super) fn weights(
        &self,
        stills: &[Still<'_>],
        pace: Pace,
        projection: &PreviewProjection,
    ) -> Vec<f64> {
        match pace {
            Pace::Even => {
                let gaps =
                    self.steps.windows(2).map(|pair| pair[1].step.saturating_sub(pair[0].step).max(1) as f64);
                gaps.chain([1.0]).take(stills.len().saturating_sub(1)).collect()
            }
            Pace::Change => {
                // One pixel for each latent pixel is enough.
                let Some(shape) = self.steps.first().map(|step| step.denoised.shape()) else {
                    return Vec::new();
                };
                let coarse = projection.coarse(&self.format);
                let small: Vec<PreviewImage> =
                    stills.iter().map(|still| still.seen(&coarse, [shape.width, shape.height])).collect();
                small.windows(2).map(|pair| pair[0].visible_change(&pair[1])).collect()
            }
        }
    }
}

impl Still<'_> {
    /// What is seen of it, in this size.
    pub(super) fn seen(&self, projection: &PreviewProjection, [width, height]: [usize; 2]) -> PreviewImage {
        match self {
            Self::Latent(latent) => projection.render(latent, width, height),
            Self::Picture(picture) => {
                PreviewImage::from_bytes(picture.width(), picture.height(), picture.rgb())
                    .resampled(width, height)
            }
        }
    }
}
