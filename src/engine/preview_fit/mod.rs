//! Preview projections fitted to a VAE, by regression on latents and their decodes.
//!
//! A `FitPreview` job gathers the initial data; every picture decoded later adds to them.

mod cache;
mod gather;
mod samples;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::failure::JobError;
use super::outbox::Outbox;
use super::protocol::{Event, JobId};
use crate::catalog::ModelSource;
use crate::formats::metrics::{psnr, ssim};
use crate::latent::{Latent, LatentFormat};
use crate::models::{LatentDiffusionModel, ModelError, TinyDecoder};
use crate::projection::{PreviewFit, PreviewFitData, ProjectionQuality, render_linear_reference};
use crate::request::{CancelToken, Picture};

/// Ridge of the regressions, relative to the mean square of their inputs.
const RIDGE: f64 = 1e-4;
/// Number of rows above which further pictures are ignored: about 500 latents of 64 × 64.
const MAX_ROWS: u64 = 2_000_000;

/// The preview fit of the loaded model: its data and the cache folder.
pub(super) struct PreviewFitter {
    data: PreviewFitData,
    folder: Option<PathBuf>,
}

impl PreviewFitter {
    /// Reads the cached data of the model's VAE from `folder`, or gathers them if `may_compute`.
    ///
    /// # Errors
    /// [`JobError::Cancelled`] if the job was stopped, or nothing is cached and nothing may be computed;
    /// [`JobError::Failed`] if the VAE fails.
    pub(super) fn open(
        model: &dyn LatentDiffusionModel,
        job: JobId,
        folder: Option<PathBuf>,
        may_compute: bool,
        cancel: &CancelToken,
        outbox: &Outbox,
    ) -> Result<Self, JobError> {
        let profile = model.profile();
        if let Some(data) =
            folder.as_deref().and_then(|folder| cache::read(folder, &profile.vae_hash, &profile.format))
        {
            return Ok(Self { data, folder });
        }
        if !may_compute {
            return Err(JobError::Cancelled);
        }
        let data = gather::gather(model, job, cancel, outbox)?;
        let fitter = Self { data, folder };
        fitter.save(model);
        Ok(fitter)
    }

    /// Adds a latent and its decode. Returns whether the data changed.
    pub(super) fn learn(
        &mut self,
        model: &dyn LatentDiffusionModel,
        latent: &Latent,
        decoded: &Picture,
    ) -> bool {
        let changed = learn(&mut self.data, latent, decoded);
        if changed {
            self.save(model);
        }
        changed
    }

    fn save(&self, model: &dyn LatentDiffusionModel) {
        if let Some(folder) = &self.folder {
            cache::write(folder, &self.data, &model.profile().vae_hash);
        }
    }

    /// The mean quality of a tiny decoder against the VAE's decodes, over the held-out pictures. `None` if it is of
    /// another format, or there are no such pictures.
    ///
    /// # Errors
    /// As [`TinyDecoder::decode`].
    pub(super) fn quality_of(
        &self,
        decoder: &TinyDecoder,
        cancel: &CancelToken,
    ) -> Result<Option<ProjectionQuality>, ModelError> {
        if decoder.channels() != self.data.channels {
            return Ok(None);
        }
        let decodes = self.data.held_out.iter().map(|(latent, _)| decoder.decode(latent, cancel));
        let decodes = decodes.collect::<Result<Vec<_>, _>>()?;
        Ok(mean_quality(&self.data, decodes))
    }

    /// Solves the regressions and sends the fit to the client.
    pub(super) fn send(&self, job: JobId, model: &ModelSource, outbox: &Outbox) {
        if let Some(fit) = solve(&self.data) {
            outbox.send(Event::PreviewFitted { job, model: model.clone(), fit: Arc::new(fit) });
        }
    }
}

/// The fit that is cached in `folder` for the VAE with this hash and format.
pub fn cached_fit(folder: &Path, vae_hash: &str, format: &LatentFormat) -> Option<PreviewFit> {
    solve(&cache::read(folder, vae_hash, format)?)
}

/// Adds a latent and its decode, unless there are enough rows or the latent is of another VAE. Returns whether the data
/// changed.
fn learn(data: &mut PreviewFitData, latent: &Latent, decoded: &Picture) -> bool {
    let fits = latent.shape().channels == data.channels;
    let wanted = fits && data.patch.rows() < MAX_ROWS;
    if wanted {
        data.add(latent, decoded.rgb());
    }
    wanted
}

/// Solves both regressions and measures them on the held-out pictures. `None` if there is too little data.
fn solve(data: &PreviewFitData) -> Option<PreviewFit> {
    let (linear, patch) = data.solve(RIDGE)?;
    let linear_quality =
        quality(data, |latent| render_linear_reference(latent, &linear, data.downscale, true))?;
    let patch_quality = quality(data, |latent| {
        let to_share = |rgb: [f32; 3]| rgb.map(|v| (v * 0.5 + 0.5).clamp(0.0, 1.0));
        patch.rgb_from_latent(latent).into_iter().map(to_share).collect()
    })?;
    Some(PreviewFit { linear: linear.into(), linear_quality, patch: patch.into(), patch_quality })
}

/// Mean quality of previews against the VAE's decodes, over the held-out pictures. `draw` returns `[H·P, W·P, 3]` RGB
/// in 0..=1.
fn quality(data: &PreviewFitData, draw: impl Fn(&Latent) -> Vec<[f32; 3]>) -> Option<ProjectionQuality> {
    let drawn = data.held_out.iter().map(|(latent, _)| {
        let bytes: Vec<u8> = draw(latent).into_iter().flatten().map(|v| (v * 255.0).round() as u8).collect();
        let shape = latent.shape();
        Picture::new(shape.width * data.downscale, shape.height * data.downscale, bytes).ok()
    });
    mean_quality(data, drawn.collect::<Option<Vec<_>>>()?)
}

/// Mean quality of pictures drawn from the held-out latents against the VAE's decodes.
fn mean_quality(data: &PreviewFitData, drawn: Vec<Picture>) -> Option<ProjectionQuality> {
    let mut sum = ProjectionQuality { psnr: 0.0, ssim: 0.0 };
    for ((_, decoded), drawn) in data.held_out.iter().zip(drawn) {
        let decoded = Picture::new(drawn.width(), drawn.height(), decoded.clone()).ok()?;
        sum.psnr += psnr(&decoded, &drawn)?;
        sum.ssim += ssim(&decoded, &drawn)?;
    }
    let count = data.held_out.len() as f64;
    (count > 0.0).then(|| ProjectionQuality { psnr: sum.psnr / count, ssim: sum.ssim / count })
}

#[cfg(test)]
mod tests {
    use super::samples::spectral_noise;
    use super::*;
    use crate::projection::PatchProjection;
    use crate::request::Seed;

    #[test]
    fn a_fit_learns_a_linear_vae_and_beats_its_own_linear_map() {
        // A "VAE" whose pixels depend on the neighbourhood: the patch map can follow, one matrix cannot.
        let known = PatchProjection {
            channels: 4,
            downscale: 8,
            weight: (0..37 * 192).map(|i| ((i * 7919 % 1000) as f32 / 1000.0 - 0.5) * 0.12).collect(),
        };
        let decode = |latent: &Latent| {
            let rgb = known.rgb_from_latent(latent).into_iter().flatten();
            let bytes: Vec<u8> =
                rgb.map(|v| ((v * 0.5 + 0.5).clamp(0.0, 1.0) * 255.0).round() as u8).collect();
            Picture::new(256, 256, bytes).unwrap()
        };
        let mut data = PreviewFitData::new(4, 8);
        for seed in 0..3 {
            let latent = spectral_noise(&[[0.0, 1.0]; 4], 32, Seed(seed));
            assert!(learn(&mut data, &latent, &decode(&latent)));
        }
        let apart = spectral_noise(&[[0.0, 1.0]; 4], 32, Seed(9));
        data.held_out.push((apart.clone(), decode(&apart).rgb().to_vec()));
        let fit = solve(&data).unwrap();
        assert!(fit.patch_is_better());
        // The remaining error comes from the rounding to bytes and the ridge.
        assert!(fit.patch_quality.psnr > 40.0, "{fit:?}", fit = fit.patch_quality);
        let other = spectral_noise(&[[0.0, 1.0]; 3], 32, Seed(1));
        assert!(!learn(&mut data, &other, &decode(&apart)), "another VAE's latent is ignored");
    }
}
