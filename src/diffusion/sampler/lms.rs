//! Linear multistep: up to four earlier slopes, integrated exactly.
//!
//! Source: k-diffusion, `sample_lms` (Adams–Bashforth with uneven steps).

use super::rule::{Denoiser, Sampler, SamplerStep};
use super::spec::{COMMON_SPREADS, End, FlowGrid, Grid, SamplerSpec};
use crate::catalog::{SamplerKind, TimestepSpacing};
use crate::diffusion::combine::combine;
use crate::diffusion::{Coordinates, DiffusionError, NoiseSource, ScheduleStep};
use crate::latent::Latent;

/// Number of slopes that are kept.
const ORDER: usize = 4;

pub(super) const SPEC: SamplerSpec = SamplerSpec {
    kind: SamplerKind::Lms,
    // The first step, of the first order, adds an error of the second.
    order: Some(2),
    grid: Grid::KDiffusion,
    flow_grid: FlowGrid::Matching,
    end: End::Clean,
    spacing: TimestepSpacing::Linspace,
    spreads: COMMON_SPREADS,
    clips_lambda: false,
    clip_sample: None,
    thresholds: false,
    new: |plan| Box::new(Lms { coordinates: plan.coordinates, slopes: Vec::new() }),
};

struct Lms {
    coordinates: Coordinates,
    /// Times and slopes of the present and earlier steps, newest first.
    slopes: Vec<(f64, Latent)>,
}

impl Sampler for Lms {
    fn step(
        &mut self,
        denoiser: &mut dyn Denoiser,
        noisy: &Latent,
        ScheduleStep { from, to }: ScheduleStep,
        _noise: &mut NoiseSource,
    ) -> Result<SamplerStep, DiffusionError> {
        let space = self.coordinates;
        let denoised = denoiser.denoise(noisy, from)?;
        let now = space.time(from);
        // Several steps may have the same timestep, and interpolation needs distinct points.
        self.slopes.retain(|(time, _)| *time != now);
        self.slopes.insert(0, (now, space.slope(noisy, &denoised, from)));
        self.slopes.truncate(ORDER);
        let times: Vec<f64> = self.slopes.iter().map(|(time, _)| *time).collect();
        let scale = space.scale(to);
        let mut terms = vec![(scale / space.scale(from), noisy)];
        for (current, (_, slope)) in self.slopes.iter().enumerate() {
            terms.push((scale * coefficient(&times, current, space.time(to)), slope));
        }
        Ok(SamplerStep { noisy: combine(&terms), denoised })
    }
}

/// The integral of one Lagrange basis polynomial over `times[0]` to `end`.
///
/// Three-point Gauss–Legendre is exact for polynomials up to degree five; these have at most three.
fn coefficient(times: &[f64], current: usize, end: f64) -> f64 {
    let node = 0.6_f64.sqrt();
    let (half, middle) = ((end - times[0]) / 2.0, f64::midpoint(end, times[0]));
    let basis = |tau: f64| -> f64 {
        let others = times.iter().enumerate().filter(|(k, _)| *k != current);
        others.map(|(_, s)| (tau - s) / (times[current] - s)).product()
    };
    let sum = 5.0 * basis(middle - half * node) + 8.0 * basis(middle) + 5.0 * basis(middle + half * node);
    half * sum / 9.0
}
