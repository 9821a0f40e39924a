//! UniPC: a unified predictor and corrector, second order, B₂(h) = e^h − 1.
//!
//! Source: Zhao et al. 2023, <https://arxiv.org/abs/2302.04867>, data prediction; diffusers'
//! `UniPCMultistepScheduler` for warm-up and the last step.

use candle_core::Tensor;

use super::{Denoiser, Sampler, SamplerStep};
use crate::diffusion::prediction::combine;
use crate::diffusion::{DiffusionError, NoiseLevel, NoiseSource, SigmaStep};

const ORDER: usize = 2;

/// A finished step's start, for the corrector and as history.
struct Earlier {
    level: NoiseLevel,
    denoised: Tensor,
}

pub(super) struct UniPc {
    steps: usize,
    taken: usize,
    /// x̂₀ of earlier steps, newest first.
    history: Vec<Earlier>,
    /// The corrected latent the last step started from, and the order it was taken with.
    last: Option<(Tensor, usize)>,
}

impl UniPc {
    pub(super) fn new(steps: usize) -> Self {
        Self { steps, taken: 0, history: Vec::new(), last: None }
    }

    /// The latent at `level` again, now that x̂₀ there is known.
    fn correct(
        &self,
        start: &Tensor,
        order: usize,
        level: NoiseLevel,
        here: &Tensor,
    ) -> candle_core::Result<Tensor> {
        let Earlier { level: from, denoised: m0 } = &self.history[0];
        let h = level.lambda() - from.lambda();
        let base = (-h).exp_m1();
        let mut terms = vec![(level.sigma / from.sigma, start), (-level.alpha * base, m0)];
        // With ρ the solution of the order conditions: Σ ρ·(m − m₀)/r, the new point with r = 1.
        if order == 1 {
            terms.extend([(-level.alpha * base * 0.5, here), (level.alpha * base * 0.5, m0)]);
        } else {
            let Earlier { level: before, denoised: m1 } = &self.history[1];
            let r = (before.lambda() - from.lambda()) / h;
            let [first, second] = order_conditions(-h);
            // [[1, 1], [r, 1]]·ρ = b
            let rho_earlier = (second - first) / (r - 1.0);
            let rho_new = first - rho_earlier;
            let (earlier, new) = (-level.alpha * base * rho_earlier / r, -level.alpha * base * rho_new);
            terms.extend([(earlier, m1), (new, here), (-earlier - new, m0)]);
        }
        combine(&terms)
    }
}

/// The right-hand sides `b₁`, `b₂` for `hh = −h` (data prediction), B(h) = e^hh − 1.
fn order_conditions(hh: f64) -> [f64; 2] {
    let base = hh.exp_m1();
    let phi_1 = base / hh - 1.0;
    let phi_2 = phi_1 / hh - 0.5;
    [phi_1 / base, phi_2 * 2.0 / base]
}

impl Sampler for UniPc {
    fn step(
        &mut self,
        denoiser: &mut dyn Denoiser,
        noisy: &Tensor,
        SigmaStep { from, to }: SigmaStep,
        _noise: &mut NoiseSource,
    ) -> Result<SamplerStep, DiffusionError> {
        let denoised = denoiser.denoise(noisy, from)?;
        let start = match &self.last {
            Some((last_start, order)) => self.correct(last_start, *order, from, &denoised)?,
            None => noisy.clone(),
        };
        let order = ORDER.min(self.steps - self.taken.min(self.steps - 1)).min(self.taken + 1);
        let h = to.lambda() - from.lambda();
        let pull = -to.alpha * (-h).exp_m1();
        let mut terms = vec![(to.sigma / from.sigma, &start), (pull, &denoised)];
        if order == 2 {
            let earlier = &self.history[0];
            let r = (earlier.level.lambda() - from.lambda()) / h;
            terms.extend([(0.5 * pull / r, &earlier.denoised), (-0.5 * pull / r, &denoised)]);
        }
        let next = combine(&terms)?;
        self.history.insert(0, Earlier { level: from, denoised: denoised.clone() });
        self.history.truncate(ORDER);
        self.last = Some((start, order));
        self.taken += 1;
        Ok(SamplerStep { noisy: next, denoised })
    }
}
