//! A model's `scheduler_config.json`.

use crate::request::{PredictionType, SamplerKind, TimestepSpacing};

/// How training noise grows with the timestep: diffusers' `beta_schedule`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BetaSchedule {
    /// Betas in equal steps.
    #[default]
    Linear,
    /// Square roots of the betas in equal steps (latent diffusion).
    ScaledLinear,
    /// Nichol & Dhariwal 2021, betas capped at 0.999.
    SquaredcosCapV2,
}

/// What diffusers' schedulers read. A key that is not there takes the default of the scheduler that
/// is asked for (diffusers' `from_config`), hence the options. Unknown keys are ignored.
#[derive(Clone, Debug, PartialEq, serde::Deserialize)]
#[serde(default)]
pub struct SchedulerConfig {
    /// The scheduler the model's author chose.
    #[serde(rename = "_class_name")]
    pub class_name: String,
    /// Timesteps of training.
    pub num_train_timesteps: usize,
    /// First beta.
    pub beta_start: f64,
    /// Last beta.
    pub beta_end: f64,
    /// Betas between.
    pub beta_schedule: BetaSchedule,
    /// What the network predicts.
    pub prediction_type: PredictionType,
    /// Where in each interval a step is taken.
    pub timestep_spacing: Option<TimestepSpacing>,
    /// Added to leading timesteps.
    pub steps_offset: usize,
    /// DDIM: whether the last step ends without noise (else at the first training noise level).
    pub set_alpha_to_one: bool,
    /// Lin et al. 2023, algorithm 1.
    pub rescale_betas_zero_snr: bool,
    /// Whether the model's own schedule is Karras'.
    pub use_karras_sigmas: bool,
    /// Whether the model's own schedule is exponential.
    pub use_exponential_sigmas: bool,
    /// Whether x̂₀ is clamped (pixel models only; `None` is the scheduler's default).
    pub clip_sample: Option<bool>,
    /// The bound of that clamp.
    pub clip_sample_range: f64,
    /// LCM: the teacher's steps.
    pub original_inference_steps: usize,
    /// LCM: scales the timestep in the boundary condition.
    pub timestep_scaling: f64,
}

impl Default for SchedulerConfig {
    fn default() -> Self {
        Self {
            class_name: String::new(),
            num_train_timesteps: 1000,
            beta_start: 0.0001,
            beta_end: 0.02,
            beta_schedule: BetaSchedule::Linear,
            prediction_type: PredictionType::Epsilon,
            timestep_spacing: None,
            steps_offset: 0,
            set_alpha_to_one: true,
            rescale_betas_zero_snr: false,
            use_karras_sigmas: false,
            use_exponential_sigmas: false,
            clip_sample: None,
            clip_sample_range: 1.0,
            original_inference_steps: 50,
            timestep_scaling: 10.0,
        }
    }
}

impl SchedulerConfig {
    /// The spacing a sampler uses: the file's, else that scheduler's default.
    pub fn spacing_for(&self, sampler: SamplerKind) -> TimestepSpacing {
        self.timestep_spacing.unwrap_or(match sampler {
            SamplerKind::Ddim | SamplerKind::Ddpm | SamplerKind::Lcm => TimestepSpacing::Leading,
            _ => TimestepSpacing::Linspace,
        })
    }

    /// The clamp of x̂₀ a sampler uses, if any.
    pub fn clamp_for(&self, sampler: SamplerKind) -> Option<f64> {
        let by_default = matches!(sampler, SamplerKind::Ddim | SamplerKind::Ddpm | SamplerKind::Lcm);
        (by_default && self.clip_sample.unwrap_or(true)).then_some(self.clip_sample_range)
    }

    /// The sampler the model's author chose, or the nearest we have.
    pub fn suggested_sampler(&self) -> SamplerKind {
        match self.class_name.as_str() {
            "DDIMScheduler" => SamplerKind::Ddim,
            "DDPMScheduler" => SamplerKind::Ddpm,
            "EulerDiscreteScheduler" => SamplerKind::Euler,
            "EulerAncestralDiscreteScheduler" => SamplerKind::EulerAncestral,
            "HeunDiscreteScheduler" => SamplerKind::Heun,
            "LMSDiscreteScheduler" => SamplerKind::Lms,
            "UniPCMultistepScheduler" => SamplerKind::UniPc,
            "LCMScheduler" => SamplerKind::Lcm,
            _ => SamplerKind::Dpmpp2m,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_file_leaves_out_is_the_asked_schedulers_default() {
        let config: SchedulerConfig = serde_json::from_str(
            r#"{"_class_name": "PNDMScheduler", "beta_schedule": "scaled_linear", "skip": 1}"#,
        )
        .unwrap();
        assert_eq!(config.beta_schedule, BetaSchedule::ScaledLinear);
        assert_eq!(config.spacing_for(SamplerKind::Ddim), TimestepSpacing::Leading);
        assert_eq!(config.spacing_for(SamplerKind::Euler), TimestepSpacing::Linspace);
        assert_eq!(config.suggested_sampler(), SamplerKind::Dpmpp2m);
        assert_eq!(config.clamp_for(SamplerKind::Ddim), Some(1.0));
    }

    #[test]
    fn an_unknown_beta_schedule_is_refused() {
        assert!(serde_json::from_str::<SchedulerConfig>(r#"{"beta_schedule": "laplace"}"#).is_err());
    }
}
