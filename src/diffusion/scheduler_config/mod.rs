//! A model's `scheduler_config.json`.

mod check;
mod edm;

pub(super) use edm::Edm;

use crate::catalog::{PredictionType, SamplerKind, StepLimits, TimestepSpacing};

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
    /// A logistic curve from the first beta to the last (GeoDiff).
    Sigmoid,
    /// ᾱ falls exponentially.
    Exp,
    /// The logarithm of the signal-to-noise ratio is a Laplace quantile.
    Laplace,
}

/// The last noise level of a run: diffusers' `final_sigmas_type`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinalSigma {
    /// No noise.
    #[default]
    Zero,
    /// The first noise level of training.
    SigmaMin,
}

/// The keys that diffusers' schedulers read. A missing key has the default of the scheduler that is used (diffusers'
/// `from_config`), hence the options. `super::scheduler_keys` lists every key; diffusers ignores unknown ones too.
#[derive(Clone, Debug, PartialEq, serde::Deserialize)]
#[serde(default)]
pub struct SchedulerConfig {
    /// The scheduler the model's author chose.
    #[serde(rename = "_class_name")]
    pub class_name: String,
    /// Number of training timesteps.
    pub num_train_timesteps: usize,
    /// First beta.
    pub beta_start: f64,
    /// Last beta.
    pub beta_end: f64,
    /// How the betas in between are computed.
    pub beta_schedule: BetaSchedule,
    /// The betas themselves, instead of a rule.
    pub trained_betas: Option<Vec<f64>>,
    /// What the network predicts.
    pub prediction_type: PredictionType,
    /// Where in each interval of timesteps a step is taken.
    pub timestep_spacing: Option<TimestepSpacing>,
    /// Added to leading timesteps.
    pub steps_offset: usize,
    /// DDIM and PNDM: whether the last step ends without noise (else at the first training noise level).
    pub set_alpha_to_one: Option<bool>,
    /// Lin et al. 2023, algorithm 1.
    pub rescale_betas_zero_snr: bool,
    /// Whether the model's own schedule is Karras'.
    pub use_karras_sigmas: bool,
    /// Whether the model's own schedule is exponential.
    pub use_exponential_sigmas: bool,
    /// Whether the model's own schedule follows a beta distribution (Lee et al. 2024).
    pub use_beta_sigmas: bool,
    /// DPM-Solver++: whether the model's own schedule is even in λ (Lu et al. 2022).
    pub use_lu_lambdas: bool,
    /// DPM-Solver++: no timestep with a smaller λ is visited.
    pub lambda_min_clipped: Option<f64>,
    /// The smallest sigma of a spread schedule, in place of the model's own.
    pub sigma_min: Option<f64>,
    /// The largest sigma of a spread schedule, in place of the model's own.
    pub sigma_max: Option<f64>,
    /// EDM: the standard deviation of the clean latents in training.
    pub sigma_data: f64,
    /// EDM: `karras` or `exponential` (`None` is `karras`).
    pub sigma_schedule: Option<String>,
    /// EDM: ρ of Karras' sigmas.
    pub rho: f64,
    /// Euler, DPM-Solver++ and UniPC: where a run ends.
    pub final_sigmas_type: FinalSigma,
    /// Whether x̂₀ is clamped (pixel models only; `None` is the scheduler's default).
    pub clip_sample: Option<bool>,
    /// The bound of that clamp.
    pub clip_sample_range: f64,
    /// Whether x̂₀ is thresholded dynamically (Saharia et al. 2022, pixel models only).
    pub thresholding: bool,
    /// The quantile that dynamic thresholding keeps.
    pub dynamic_thresholding_ratio: f64,
    /// The largest threshold.
    pub sample_max_value: f64,
    /// The DPM-Solver family, DEIS and UniPC: the highest order (`None` is 2).
    pub solver_order: Option<usize>,
    /// DPM-Solver++: `midpoint` or `heun`; UniPC: `bh1` or `bh2`.
    pub solver_type: Option<String>,
    /// DPM-Solver++ and UniPC: whether the order falls towards the end (`None` is yes).
    pub lower_order_final: Option<bool>,
    /// DPM-Solver++: whether the last step is Euler's.
    pub euler_at_final: bool,
    /// UniPC: steps after which nothing is corrected.
    pub disable_corrector: Vec<usize>,
    /// PNDM: whether the first steps are not Runge and Kutta's (`None`: as the class of the scheduler has it).
    pub skip_prk_steps: Option<bool>,
    /// SA-Solver: the order of the predictor (`None` is 2).
    pub predictor_order: Option<usize>,
    /// SA-Solver: the order of the corrector (`None` is 2).
    pub corrector_order: Option<usize>,
    /// SA-Solver: another rule for τ; not supported.
    pub tau_func: Option<serde_json::Value>,
    /// DDPM: the variance of the fresh noise.
    pub variance_type: Option<String>,
    /// LCM: the teacher's steps.
    pub original_inference_steps: usize,
    /// LCM: scales the timestep in the boundary condition.
    pub timestep_scaling: f64,
    /// DPM-Solver: the variant of the equation, which chooses the sampler; SA-Solver: only `data_prediction`.
    pub algorithm_type: Option<String>,
    /// UniPC: whether x̂₀ is extrapolated; only `true` is supported.
    pub predict_x0: Option<bool>,
    /// UniPC: another scheduler as predictor; not supported.
    pub solver_p: Option<serde_json::Value>,
    /// DPM-Solver++ and UniPC: whether the levels are those of a flow.
    pub use_flow_sigmas: bool,
    /// Shift of those levels towards high noise.
    pub flow_shift: f64,
    /// The same for diffusers' flow-matching schedulers.
    pub shift: f64,
    /// Flows: whether the shift depends on the picture's size ([`SchedulerConfig::for_image_tokens`]).
    pub use_dynamic_shifting: bool,
    /// Whether what depends on the size is the shift itself (`linear`) or its logarithm (`exponential`).
    pub time_shift_type: Option<String>,
    /// Its value for [`Self::base_image_seq_len`] tokens.
    pub base_shift: f64,
    /// Its value for [`Self::max_image_seq_len`] tokens.
    pub max_shift: f64,
    /// Tokens of a small picture.
    pub base_image_seq_len: usize,
    /// Tokens of a large picture.
    pub max_image_seq_len: usize,
    /// Flows: where the times are stretched to end; not supported.
    pub shift_terminal: Option<f64>,
    /// Flows: whether time is reversed; not supported.
    pub invert_sigmas: bool,
    /// Flows: whether each step adds fresh noise, which chooses the sampler.
    pub stochastic_sampling: bool,
    /// Whether the model is of Stable Diffusion XL's kind, for which other steps are aligned; not a key.
    #[serde(skip)]
    pub is_xl: bool,
    /// Whether noise is drawn with the values of a latent's 2×2 patch as channels (FLUX.2); not a key.
    #[serde(skip)]
    pub noise_in_patches: bool,
    /// Euler: interpolation between training sigmas; only `linear` is supported.
    pub interpolation_type: Option<String>,
    /// Euler: the timestep that the network gets; only `discrete` is supported.
    pub timestep_type: Option<String>,
}

impl Default for SchedulerConfig {
    fn default() -> Self {
        Self {
            class_name: String::new(),
            num_train_timesteps: 1000,
            beta_start: 0.0001,
            beta_end: 0.02,
            beta_schedule: BetaSchedule::Linear,
            trained_betas: None,
            prediction_type: PredictionType::Epsilon,
            timestep_spacing: None,
            steps_offset: 0,
            set_alpha_to_one: None,
            rescale_betas_zero_snr: false,
            use_karras_sigmas: false,
            use_exponential_sigmas: false,
            use_beta_sigmas: false,
            use_lu_lambdas: false,
            lambda_min_clipped: None,
            sigma_min: None,
            sigma_max: None,
            sigma_data: 0.5,
            sigma_schedule: None,
            rho: 7.0,
            final_sigmas_type: FinalSigma::Zero,
            clip_sample: None,
            clip_sample_range: 1.0,
            thresholding: false,
            dynamic_thresholding_ratio: 0.995,
            sample_max_value: 1.0,
            solver_order: None,
            solver_type: None,
            lower_order_final: None,
            euler_at_final: false,
            disable_corrector: Vec::new(),
            skip_prk_steps: None,
            predictor_order: None,
            corrector_order: None,
            tau_func: None,
            variance_type: None,
            original_inference_steps: 50,
            timestep_scaling: 10.0,
            algorithm_type: None,
            predict_x0: None,
            solver_p: None,
            use_flow_sigmas: false,
            flow_shift: 1.0,
            shift: 1.0,
            use_dynamic_shifting: false,
            time_shift_type: None,
            base_shift: 0.5,
            max_shift: 1.15,
            base_image_seq_len: 256,
            max_image_seq_len: 4096,
            shift_terminal: None,
            invert_sigmas: false,
            stochastic_sampling: false,
            is_xl: false,
            noise_in_patches: false,
            interpolation_type: None,
            timestep_type: None,
        }
    }
}

/// A value in `scheduler_config.json` that is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("‘{key}’ is {value} in the scheduler's configuration, where {expected} is possible")]
pub struct SchedulerConfigError {
    /// The key.
    pub key: &'static str,
    /// Its value.
    pub value: String,
    /// What would be valid.
    pub expected: String,
}

/// diffusers' pipeline of latent consistency models, which uses the configuration unchanged.
const LCM_PIPELINE: &str = "LatentConsistencyModelPipeline";

impl SchedulerConfig {
    /// The configuration as diffusers' pipeline of this class uses it.
    ///
    /// Stable Diffusion's pipelines set `steps_offset` to 1 and `clip_sample` to false whatever the
    /// file says, since old files lack the first key and latents are not within ±1.
    #[must_use]
    pub fn in_pipeline(mut self, pipeline_class: &str) -> Self {
        if self.is_flow_matching() {
            // diffusers' flow-matching schedulers have no such key: their prediction is always the flow.
            self.prediction_type = PredictionType::Flow;
        }
        if pipeline_class == LCM_PIPELINE {
            return self;
        }
        Self { steps_offset: 1, clip_sample: Some(false), ..self }
    }

    /// The configuration as diffusers' pipelines use it that hand their scheduler evenly spaced times, from 1 to 1/n,
    /// and whose networks predict a flow (FLUX, Z-Image).
    #[must_use]
    pub fn with_even_flow_times(self) -> Self {
        let timestep_spacing = Some(TimestepSpacing::Trailing);
        Self { prediction_type: PredictionType::Flow, timestep_spacing, ..self }
    }

    /// The configuration for a picture of `tokens` tokens: a shift that depends on the picture's size gets its value.
    ///
    /// Source: diffusers' `calculate_shift`, a line through two points that is followed beyond them, too.
    #[must_use]
    pub fn for_image_tokens(&self, tokens: usize) -> Self {
        let [first, last] = [self.base_image_seq_len, self.max_image_seq_len].map(|tokens| tokens as f64);
        let slope = (self.max_shift - self.base_shift) / (last - first);
        self.with_dynamic_shift(self.base_shift + slope * (tokens as f64 - first))
    }

    /// The configuration with this value where the shift depends on the size.
    #[must_use]
    pub fn with_dynamic_shift(&self, value: f64) -> Self {
        if !self.use_dynamic_shifting {
            return self.clone();
        }
        let shift = if self.time_shift_type.as_deref() == Some("linear") { value } else { value.exp() };
        Self { shift, flow_shift: shift, use_dynamic_shifting: false, ..self.clone() }
    }

    /// The configuration with another shift of a flow's times, whatever the picture's size.
    #[must_use]
    pub fn with_shift(self, shift: Option<f64>) -> Self {
        match shift {
            Some(shift) => Self { shift, flow_shift: shift, use_dynamic_shifting: false, ..self },
            None => self,
        }
    }

    /// The largest number of steps for each kind of sampler.
    pub fn step_limits(&self) -> StepLimits {
        StepLimits { train: self.num_train_timesteps, distilled: self.original_inference_steps }
    }

    /// Whether the noise of training is a flow's.
    pub fn is_flow(&self) -> bool {
        self.flow_shift_used().is_some()
    }

    /// The shift of a flow's times; `None` if the process is not a flow.
    pub(super) fn flow_shift_used(&self) -> Option<f64> {
        if self.is_flow_matching() {
            Some(self.shift)
        } else {
            self.use_flow_sigmas.then_some(self.flow_shift)
        }
    }

    fn is_flow_matching(&self) -> bool {
        self.class_name.starts_with("FlowMatch")
    }

    /// Whether PLMS begins with the first step taken twice, instead of Runge and Kutta's steps. These are the default
    /// of `PNDMScheduler`, and nobody asks for them by choosing PLMS for another model.
    pub(super) fn skips_runge_kutta(&self) -> bool {
        self.skip_prk_steps.unwrap_or(self.class_name != "PNDMScheduler")
    }

    /// The sampler the model's author chose; `None` if it is not supported. Some of diffusers' classes are several
    /// samplers, by their equation and order.
    pub fn own_sampler(&self) -> Option<SamplerKind> {
        use SamplerKind as S;
        let of_class = SamplerKind::of_diffusers_class(&self.class_name)?;
        let is_third = self.solver_order == Some(3);
        let equation = self.algorithm_type.as_deref();
        Some(match (of_class, equation) {
            (S::Dpmpp2m, Some("sde-dpmsolver++")) if is_third => S::Dpmpp3mSde,
            (S::Dpmpp2m, Some("sde-dpmsolver++")) => S::Dpmpp2mSde,
            (S::Dpmpp2m, Some("dpmsolver")) => S::Dpm2m,
            (S::Dpmpp2m, _) if is_third => S::Dpmpp3m,
            (S::Dpmpp2s, _) if is_third => S::Dpmpp3s,
            (S::Euler, _) if self.stochastic_sampling && self.is_flow_matching() => S::FlowStochastic,
            (kind, _) => kind,
        })
    }

    /// The sampler the model's author chose, or the default one.
    pub fn suggested_sampler(&self) -> SamplerKind {
        self.own_sampler().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::sampler::{Limits, spec};
    use super::*;

    fn limits(config: &SchedulerConfig, sampler: SamplerKind) -> Limits {
        Limits::of(config, spec(sampler))
    }

    fn config(keys: serde_json::Value) -> SchedulerConfig {
        serde_json::from_value(keys).unwrap()
    }

    #[test]
    fn what_the_file_leaves_out_is_the_asked_schedulers_default() {
        let config = config(serde_json::json!({
            "_class_name": "PNDMScheduler", "beta_schedule": "scaled_linear", "skip": 1
        }));
        assert_eq!(config.beta_schedule, BetaSchedule::ScaledLinear);
        assert_eq!(config.suggested_sampler(), SamplerKind::Pndm);
        assert_eq!(limits(&config, SamplerKind::Ddim), Limits::Clamp(1.0));
        assert_eq!(limits(&config, SamplerKind::Lcm), Limits::None);
    }

    #[test]
    fn the_pipeline_decides_about_the_clamp_and_the_offset() {
        for clip in [serde_json::json!(null), true.into(), false.into()] {
            let mut keys = serde_json::json!({ "steps_offset": 0 });
            if !clip.is_null() {
                keys["clip_sample"] = clip.clone();
            }
            let plain = config(keys);
            let used = plain.clone().in_pipeline("StableDiffusionPipeline");
            assert_eq!(used.steps_offset, 1);
            for sampler in SamplerKind::ALL {
                assert_eq!(limits(&used, sampler), Limits::None, "{clip}: {}", sampler.id());
            }
            let used = plain.in_pipeline("LatentConsistencyModelPipeline");
            assert_eq!((used.steps_offset, used.clip_sample), (0, clip.as_bool()));
            assert_eq!(limits(&used, SamplerKind::Lcm) != Limits::None, clip == true);
        }
    }

    #[test]
    fn the_equation_and_the_order_choose_the_sampler() {
        use SamplerKind as S;
        let (multistep, singlestep) = ("DPMSolverMultistepScheduler", "DPMSolverSinglestepScheduler");
        for (class, equation, order, sampler) in [
            (multistep, "dpmsolver++", 2, S::Dpmpp2m),
            (multistep, "dpmsolver++", 3, S::Dpmpp3m),
            (multistep, "sde-dpmsolver++", 2, S::Dpmpp2mSde),
            (multistep, "sde-dpmsolver++", 3, S::Dpmpp3mSde),
            (multistep, "dpmsolver", 3, S::Dpm2m),
            (singlestep, "dpmsolver++", 1, S::Dpmpp2s),
            (singlestep, "dpmsolver++", 3, S::Dpmpp3s),
        ] {
            let keys =
                serde_json::json!({"_class_name": class, "algorithm_type": equation, "solver_order": order});
            assert_eq!(config(keys).own_sampler(), Some(sampler), "{class} {equation} {order}");
        }
        let keys = serde_json::json!({"_class_name": "FlowMatchEulerDiscreteScheduler", "stochastic_sampling": true});
        assert_eq!(config(keys).own_sampler(), Some(S::FlowStochastic));
    }

    #[test]
    fn a_shift_depends_on_the_size_as_in_diffusers() {
        // diffusers' calculate_shift for FLUX.1 dev at 512², 1024×768 and 1024².
        let flux = config(serde_json::json!({
            "_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3.0, "use_dynamic_shifting": true
        }));
        for (tokens, mu) in [(1024, 0.63), (3072, 0.976_666_7), (4096, 1.15)] {
            let used = flux.for_image_tokens(tokens);
            assert!((used.shift - f64::exp(mu)).abs() < 1e-5, "{tokens}: {}", used.shift);
        }
        let linear = SchedulerConfig { time_shift_type: Some("linear".into()), ..flux.clone() };
        assert!((linear.for_image_tokens(1024).shift - 0.63).abs() < 1e-9);
        let fixed = SchedulerConfig { use_dynamic_shifting: false, ..flux };
        assert_eq!(fixed.for_image_tokens(1024).shift, 3.0);
    }
}
