//! DPM-Solver++ multistep, second order.
//!
//! Source: Lu et al. 2022, <https://arxiv.org/abs/2211.01095>, algorithm 2, with diffusers' midpoint
//! form; the first and the last step are of first order.

use candle_core::Tensor;

use super::{Denoiser, Sampler, SamplerStep};
use crate::diffusion::prediction::combine;
use crate::diffusion::{DiffusionError, NoiseSource, SigmaStep};

pub(super) struct Dpmpp2m {
    steps_left: usize,
    /// Lambda and x̂₀ of the step before.
    earlier: Option<(f64, Tensor)>,
}

impl Dpmpp2m {
    pub(super) fn new(steps: usize) -> Self {
        Self { steps_left: steps, earlier: None }
    }
}

impl Sampler for Dpmpp2m {
    fn step(
        &mut self,
        denoiser: &mut dyn Denoiser,
        noisy: &Tensor,
        SigmaStep { from, to }: SigmaStep,
        _noise: &mut NoiseSource,
    ) -> Result<SamplerStep, DiffusionError> {
        let denoised = denoiser.denoise(noisy, from)?;
        self.steps_left = self.steps_left.saturating_sub(1);
        let h = to.lambda() - from.lambda();
        let pull = -to.alpha * (-h).exp_m1();
        let mut terms = vec![(to.sigma / from.sigma, noisy), (pull, &denoised)];
        if let Some((earlier_lambda, earlier)) = self.earlier.as_ref().filter(|_| self.steps_left > 0) {
            let ratio = (from.lambda() - earlier_lambda) / h;
            terms.push((0.5 * pull / ratio, &denoised));
            terms.push((-0.5 * pull / ratio, earlier));
        }
        let next = combine(&terms)?;
        self.earlier = Some((from.lambda(), denoised.clone()));
        Ok(SamplerStep { noisy: next, denoised })
    }
}
