//! Schedules that other programs made: lists of sigmas from the whole table of training.
//!
//! Source: ComfyUI's `comfy/samplers.py` for the rules; Sabour et al. 2024, <https://arxiv.org/abs/2404.14507>, and its
//! published tables for aligned steps.

use super::sigmas::{k_sigmas, linspace};
use super::{NoiseProcess, SchedulerConfig};
use crate::catalog::ScheduleKind;

/// The sigmas of ten aligned steps and the last one, which is replaced with 0.
const ALIGNED: [f64; 11] = [14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029];
/// The same for Stable Diffusion XL.
const ALIGNED_XL: [f64; 11] = [14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113, 0.029];

/// k-diffusion's sigmas, or the times of a flow, first to last without the 0 at the end; `None` for a schedule that
/// diffusers has, and for one that is not known for the process.
pub(super) fn listed_sigmas(
    kind: ScheduleKind,
    config: &SchedulerConfig,
    process: &NoiseProcess,
    steps: usize,
) -> Option<Vec<f64>> {
    let table = Table::of(process);
    Some(match kind {
        ScheduleKind::Simple => {
            let len = table.sigmas.len();
            (0..steps).map(|i| table.sigmas[len - 1 - i * len / steps]).collect()
        }
        ScheduleKind::Normal => table.evenly(steps),
        ScheduleKind::SgmUniform => {
            let mut sigmas = table.evenly(steps + 1);
            sigmas.pop();
            sigmas
        }
        ScheduleKind::DdimUniform => {
            let every = (table.sigmas.len() / steps).max(1);
            let mut sigmas: Vec<f64> = table.sigmas.iter().skip(1).step_by(every).copied().collect();
            sigmas.reverse();
            sigmas
        }
        ScheduleKind::KlOptimal => {
            let [most, least] = [table.most(), table.sigmas[0]].map(f64::atan);
            linspace(most, least, steps).into_iter().map(f64::tan).collect()
        }
        // No aligned steps of a flow are published; a request with both is refused before.
        ScheduleKind::Ays if table.shift.is_none() => {
            let aligned = if config.is_xl { &ALIGNED_XL } else { &ALIGNED };
            let last = aligned.len() - 1;
            let places = linspace(0.0, last as f64, steps + 1);
            places[..steps].iter().map(|&place| between_logarithms(aligned, place)).collect()
        }
        _ => return None,
    })
}

/// The sigmas of training, the least first.
struct Table {
    sigmas: Vec<f64>,
    /// The shift of a flow's times.
    shift: Option<f64>,
}

impl Table {
    fn of(process: &NoiseProcess) -> Self {
        match process {
            NoiseProcess::VariancePreserving { alphas_cumprod } => {
                Self { sigmas: k_sigmas(alphas_cumprod), shift: None }
            }
            NoiseProcess::Flow { shift, train } => {
                let times = (1..=*train).map(|t| shifted(*shift, t as f64 / *train as f64));
                Self { sigmas: times.collect(), shift: Some(*shift) }
            }
        }
    }

    fn most(&self) -> f64 {
        self.sigmas[self.sigmas.len() - 1]
    }

    /// Sigmas at timesteps evenly from the last to the first. A flow's bounds are shifted once more, as ComfyUI does.
    fn evenly(&self, n: usize) -> Vec<f64> {
        if let Some(shift) = self.shift {
            return linspace(1.0, self.sigmas[0], n).into_iter().map(|time| shifted(shift, time)).collect();
        }
        let timesteps = linspace((self.sigmas.len() - 1) as f64, 0.0, n);
        timesteps.into_iter().map(|t| between_logarithms(&self.sigmas, t)).collect()
    }
}

fn shifted(shift: f64, time: f64) -> f64 {
    shift * time / (1.0 + (shift - 1.0) * time)
}

/// The sigma at a fractional index, linear in the logarithm.
fn between_logarithms(sigmas: &[f64], place: f64) -> f64 {
    let below = (place.floor() as usize).min(sigmas.len() - 2);
    let share = place - below as f64;
    ((1.0 - share) * sigmas[below].ln() + share * sigmas[below + 1].ln()).exp()
}
