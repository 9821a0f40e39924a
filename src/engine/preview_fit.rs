//! Previews fitted to a VAE: from procedural pictures it encodes, spectral noise it decodes, and every
//! picture it made since.

use super::failure::{JobError, Task};
use super::protocol::{Event, JobId, Stage};
use super::worker::Outbox;
use crate::formats::metrics::{psnr, ssim};
use crate::latent::{Latent, LatentShape, channel_statistics};
use crate::models::LatentDiffusionModel;
use crate::projection::{PreviewFit, PreviewFitData, ProjectionQuality, render_linear_reference};
use crate::request::{CancelToken, DecodeChoice, Picture, Seed};

/// Latent pixels along an edge of what is fitted to.
const EDGE: usize = 32;
/// Pictures that are encoded, latents of noise that are decoded, and pictures kept apart to measure with.
const PICTURES: usize = 8;
const NOISES: usize = 4;
const HELD_OUT: usize = 3;
/// Ridge, a share of the inputs' mean square.
const RIDGE: f64 = 1e-4;
/// Rows after which pictures add nothing: 500 of 64² latent pixels.
const MAX_ROWS: u64 = 2_000_000;

/// Encodes, decodes and sums until there are rows enough for a fit.
pub(super) fn gather(
    model: &dyn LatentDiffusionModel,
    job: JobId,
    cancel: &CancelToken,
    outbox: &Outbox,
) -> Result<PreviewFitData, JobError> {
    let failed = |error| JobError::from_model(Task::FitPreview, error);
    let format = model.profile().format;
    let mut rows = PreviewFitData::new(format.channels, format.downscale);
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
            rows.held_out.push((latent, decoded.rgb().to_vec()));
        } else {
            rows.add(&latent, decoded.rgb());
        }
    }
    Ok(rows)
}

/// Adds a picture that was made or opened; whether the rows changed.
pub(super) fn learn(rows: &mut PreviewFitData, latent: &Latent, decoded: &Picture) -> bool {
    let fits = latent.shape().channels == rows.channels;
    let wanted = fits && rows.patch.rows() < MAX_ROWS;
    if wanted {
        rows.add(latent, decoded.rgb());
    }
    wanted
}

/// Solves both regressions and measures them on what was held out.
pub(super) fn solve(rows: &PreviewFitData) -> Option<PreviewFit> {
    let (linear, patch) = rows.solve(RIDGE)?;
    let linear_quality =
        quality(rows, |latent| render_linear_reference(latent, &linear, rows.downscale, true))?;
    let patch_quality = quality(rows, |latent| {
        let to_share = |rgb: [f32; 3]| rgb.map(|v| (v * 0.5 + 0.5).clamp(0.0, 1.0));
        patch.rgb_from_latent(latent).into_iter().map(to_share).collect()
    })?;
    Some(PreviewFit { linear: linear.into(), linear_quality, patch: patch.into(), patch_quality })
}

/// Mean agreement with the true decode over what was held out.
fn quality(rows: &PreviewFitData, draw: impl Fn(&Latent) -> Vec<[f32; 3]>) -> Option<ProjectionQuality> {
    let mut sum = ProjectionQuality { psnr: 0.0, ssim: 0.0 };
    for (latent, decoded) in &rows.held_out {
        let bytes: Vec<u8> = draw(latent).into_iter().flatten().map(|v| (v * 255.0).round() as u8).collect();
        let shape = latent.shape();
        let (width, height) = (shape.width * rows.downscale, shape.height * rows.downscale);
        let decoded = Picture::new(width, height, decoded.clone()).ok()?;
        let drawn = Picture::new(width, height, bytes).ok()?;
        sum.psnr += psnr(&decoded, &drawn)?;
        sum.ssim += ssim(&decoded, &drawn)?;
    }
    let count = rows.held_out.len() as f64;
    (count > 0.0).then(|| ProjectionQuality { psnr: sum.psnr / count, ssim: sum.ssim / count })
}

/// Uniform numbers in 0..1 from a seed (SplitMix64: Steele, Lea & Flood 2014).
struct Uniform(u64);

impl Uniform {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 24) as f32
    }

    fn colour(&mut self) -> [f32; 3] {
        [self.next(), self.next(), self.next()]
    }
}

/// What pictures are made of, by chance: a sky-like slope of colours, discs, slabs and stripes with edges
/// at every angle, shaded and grained.
fn procedural_picture(edge: usize, seed: Seed) -> Picture {
    let mut dice = Uniform(seed.0.wrapping_mul(0x1234_5678_9abc_def1) + 1);
    let (top, bottom) = (dice.colour(), dice.colour());
    let grain = dice.next() * 0.08;
    let shapes: Vec<([f32; 8], [f32; 3])> =
        (0..14).map(|_| (std::array::from_fn(|_| dice.next()), dice.colour())).collect();
    let mut bytes = Vec::with_capacity(edge * edge * 3);
    for y in 0..edge {
        for x in 0..edge {
            let (u, v) = (x as f32 / edge as f32, y as f32 / edge as f32);
            let mut rgb: [f32; 3] = std::array::from_fn(|k| top[k] * (1.0 - v) + bottom[k] * v);
            for ([cx, cy, size, angle, kind, period, shade, _], colour) in &shapes {
                let (sin, cos) = (angle * std::f32::consts::TAU).sin_cos();
                let (dx, dy) = (u - cx, v - cy);
                let (along, across) = (dx * cos + dy * sin, dy * cos - dx * sin);
                let radius = 0.04 + size * 0.22;
                let inside = match kind {
                    k if *k < 0.4 => dx * dx + dy * dy < radius * radius,
                    k if *k < 0.75 => along.abs() < radius && across.abs() < radius * (0.2 + period),
                    _ => {
                        along.abs() < radius
                            && across.abs() < radius
                            && (along * (8.0 + period * 60.0)).rem_euclid(1.0) < 0.5
                    }
                };
                if inside {
                    let light = 1.0 + shade * (along + across) / radius * 0.5;
                    rgb = colour.map(|c| c * light);
                }
            }
            for value in rgb {
                bytes.push(((value + (dice.next() - 0.5) * grain).clamp(0.0, 1.0) * 255.0) as u8);
            }
        }
    }
    Picture::new(edge, edge, bytes).unwrap_or_else(|error| unreachable!("{error}"))
}

/// A latent whose power falls with frequency as pictures' does: octaves of noise, each twice as coarse
/// and twice as strong, with the mean and deviation of `statistics` in every channel.
fn spectral_noise(statistics: &[[f32; 2]], edge: usize, seed: Seed) -> Latent {
    let mut dice = Uniform(seed.0 + 77);
    let shape = LatentShape::new(statistics.len(), edge, edge);
    let mut values = Vec::with_capacity(shape.len());
    for [mean, std] in statistics {
        let mut plane = vec![0.0_f32; edge * edge];
        let mut cell = 1;
        while cell <= edge / 2 {
            let cells = edge / cell + 2;
            // Three uniform numbers are near enough to normal.
            let grid: Vec<f32> =
                (0..cells * cells).map(|_| dice.next() + dice.next() + dice.next() - 1.5).collect();
            for (i, value) in plane.iter_mut().enumerate() {
                let (x, y) = ((i % edge) as f32 / cell as f32, (i / edge) as f32 / cell as f32);
                let (left, top) = (x as usize, y as usize);
                let (tx, ty) = (x - left as f32, y - top as f32);
                let at = |dx: usize, dy: usize| grid[(top + dy) * cells + left + dx];
                let upper = at(0, 0) * (1.0 - tx) + at(1, 0) * tx;
                let lower = at(0, 1) * (1.0 - tx) + at(1, 1) * tx;
                *value += cell as f32 * (upper * (1.0 - ty) + lower * ty);
            }
            cell *= 2;
        }
        let count = plane.len() as f32;
        let own_mean = plane.iter().sum::<f32>() / count;
        let own_std = (plane.iter().map(|v| (v - own_mean).powi(2)).sum::<f32>() / count).sqrt().max(1e-6);
        values.extend(plane.iter().map(|v| (v - own_mean) / own_std * std + mean));
    }
    Latent::new(shape, values).unwrap_or_else(|error| unreachable!("{error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::projection::PatchProjection;

    #[test]
    fn spectral_noise_has_the_statistics_it_was_given_and_is_smooth() {
        let latent = spectral_noise(&[[0.5, 2.0], [-1.0, 0.1]], 32, Seed(3));
        let found = channel_statistics(&latent);
        assert!((found[0].mean - 0.5).abs() < 1e-4 && (found[0].std - 2.0).abs() < 1e-4);
        assert!((found[1].mean + 1.0).abs() < 1e-4 && (found[1].std - 0.1).abs() < 1e-4);
        let plane = latent.channel(0);
        let neighbours: f32 =
            plane.chunks_exact(32).flat_map(|row| row.windows(2)).map(|w| (w[1] - w[0]).powi(2)).sum();
        // Independent values would differ by 2σ² on average.
        assert!(neighbours / (31.0 * 32.0) < 0.5 * 2.0 * 4.0);
    }

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
        let mut rows = PreviewFitData::new(4, 8);
        for seed in 0..3 {
            let latent = spectral_noise(&[[0.0, 1.0]; 4], 32, Seed(seed));
            assert!(learn(&mut rows, &latent, &decode(&latent)));
        }
        let apart = spectral_noise(&[[0.0, 1.0]; 4], 32, Seed(9));
        rows.held_out.push((apart.clone(), decode(&apart).rgb().to_vec()));
        let fit = solve(&rows).unwrap();
        assert!(fit.patch_is_better());
        // What is left is the rounding to bytes and the ridge.
        assert!(fit.patch_quality.psnr > 40.0, "{fit:?}", fit = fit.patch_quality);
        let other = spectral_noise(&[[0.0, 1.0]; 3], 32, Seed(1));
        assert!(!learn(&mut rows, &other, &decode(&apart)), "another VAE's latent is left out");
    }
}
