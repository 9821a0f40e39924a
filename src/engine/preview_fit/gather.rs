//! The initial data of a fit: procedural pictures encoded and decoded by the VAE, and decoded spectral noise.

use super::samples::{procedural_picture, spectral_noise};
use crate::engine::failure::{JobError, Task};
use crate::engine::outbox::Outbox;
use crate::engine::protocol::{Event, JobId, Stage};
use crate::latent::channel_statistics;
use crate::models::LatentDiffusionModel;
use crate::projection::PreviewFitData;
use crate::request::{CancelToken, DecodeChoice, Seed};

/// Edge of the square latents, latent pixels.
const EDGE: usize = 32;
/// Number of procedural pictures in the regressions.
const PICTURES: usize = 8;
/// Number of procedural pictures held out to measure the quality.
const HELD_OUT: usize = 3;
/// Number of spectral noise latents in the regressions.
const NOISES: usize = 4;

/// Encodes and decodes the initial data.
pub(super) fn gather(
    model: &dyn LatentDiffusionModel,
    job: JobId,
    cancel: &CancelToken,
    outbox: &Outbox,
) -> Result<PreviewFitData, JobError> {
    let failed = |error| JobError::from_model(Task::FitPreview, error);
    let format = model.profile().format;
    let mut data = PreviewFitData::new(format.channels, format.downscale);
    let edge_px = EDGE * format.downscale;
    let total = PICTURES + HELD_OUT + NOISES;
    let mut statistics = Vec::new();
    for index in 0..total {
        let stage = Stage::FittingPreview { done: index, total };
        outbox.send(Event::StageChanged { job, stage });
        if cancel.is_stopped() {
            return Err(JobError::Cancelled);
        }
        let latent = if index < PICTURES + HELD_OUT {
            let picture = procedural_picture(edge_px, Seed(index as u64));
            model.encode(&picture, cancel).map_err(failed)?.mean
        } else {
            spectral_noise(&statistics, EDGE, Seed(index as u64))
        };
        let decoded = model.decode(&latent, DecodeChoice::default(), cancel).map_err(failed)?.picture;
        if index == 0 {
            let all = channel_statistics(&latent);
            statistics = all.iter().map(|s| [s.mean as f32, s.std as f32]).collect();
        }
        if (PICTURES..PICTURES + HELD_OUT).contains(&index) {
            data.held_out.push((latent, decoded.rgb().to_vec()));
        } else {
            data.add(&latent, decoded.rgb());
        }
    }
    Ok(data)
}
