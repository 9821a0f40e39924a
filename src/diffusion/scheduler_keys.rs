//! An account of every key that diffusers' schedulers for Stable Diffusion 1 and 2 read.
//!
//! Read from the signatures of diffusers 0.42's scheduler classes. A key that would change the picture
//! is either followed or named to the person: none is passed over silently.

use super::SchedulerConfig;

/// What becomes of a key of `scheduler_config.json`.
enum Treatment {
    /// It acts as in diffusers.
    Followed,
    /// It changes no picture, for the reason beside it.
    NoInfluence,
    /// It is not followed: the value, if it is one that would change the picture.
    Named(fn(&SchedulerConfig) -> Option<String>),
}

use Treatment::{Followed, Named, NoInfluence};

/// Every key, in the order of diffusers' classes.
const KEYS: &[(&str, Treatment)] = &[
    ("num_train_timesteps", Followed),
    ("beta_start", Followed),
    ("beta_end", Followed),
    ("beta_schedule", Followed),
    ("trained_betas", Followed),
    ("prediction_type", Followed),
    ("timestep_spacing", Followed),
    ("steps_offset", Followed),
    ("set_alpha_to_one", Followed),
    ("clip_sample", Followed),
    ("clip_sample_range", Followed),
    ("thresholding", Followed),
    ("dynamic_thresholding_ratio", Followed),
    ("sample_max_value", Followed),
    ("rescale_betas_zero_snr", Followed),
    ("variance_type", Named(|c| unless(c, "DDPMScheduler", c.variance_type.as_deref(), FIXED_VARIANCES))),
    ("use_karras_sigmas", Followed),
    ("use_exponential_sigmas", Followed),
    ("use_beta_sigmas", Followed),
    ("use_lu_lambdas", Followed),
    ("use_flow_sigmas", Followed),
    ("flow_shift", Followed),
    ("shift", Followed),
    ("use_dynamic_shifting", Followed),
    ("shift_terminal", Named(|c| of_flow(c, c.shift_terminal.map(|terminal| terminal.to_string())))),
    ("invert_sigmas", Named(|c| of_flow(c, c.invert_sigmas.then(|| "true".to_owned())))),
    ("stochastic_sampling", Named(|c| of_flow(c, c.stochastic_sampling.then(|| "true".to_owned())))),
    ("time_shift_type", Followed),
    ("base_shift", Followed),
    ("max_shift", Followed),
    ("base_image_seq_len", Followed),
    ("max_image_seq_len", Followed),
    ("sigma_min", Followed),
    ("sigma_max", Followed),
    ("final_sigmas_type", Followed),
    ("lambda_min_clipped", Followed),
    (
        "algorithm_type",
        Named(|c| {
            unless(c, "DPMSolverMultistepScheduler", c.algorithm_type.as_deref(), &["dpmsolver++", "deis"])
        }),
    ),
    ("solver_order", Followed),
    ("solver_type", Followed),
    ("lower_order_final", Followed),
    ("euler_at_final", Followed),
    ("predict_x0", Named(|c| c.predict_x0.filter(|x0| !x0).map(|_| "false".to_owned()))),
    ("disable_corrector", Followed),
    (
        "solver_p",
        Named(|c| c.solver_p.as_ref().filter(|p| !p.is_null()).map(|_| "another scheduler".to_owned())),
    ),
    (
        "interpolation_type",
        Named(|c| unless(c, "EulerDiscreteScheduler", c.interpolation_type.as_deref(), &["linear"])),
    ),
    (
        "timestep_type",
        Named(|c| unless(c, "EulerDiscreteScheduler", c.timestep_type.as_deref(), &["discrete"])),
    ),
    ("original_inference_steps", Followed),
    ("timestep_scaling", Followed),
    // PNDM, SASolver and DPMSolverSDE alone read these, and are named by their class.
    ("skip_prk_steps", NoInfluence),
    ("predictor_order", NoInfluence),
    ("corrector_order", NoInfluence),
    ("tau_func", NoInfluence),
    ("noise_sampler_seed", NoInfluence),
];

/// Variances that need nothing from the network; `fixed_small_log` is `fixed_small` by another way.
const FIXED_VARIANCES: &[&str] = &["fixed_small", "fixed_small_log", "fixed_large"];

/// The value of a key that acts on flows alone.
fn of_flow(config: &SchedulerConfig, value: Option<String>) -> Option<String> {
    value.filter(|_| config.flow_shift_used().is_some())
}

/// The value of a key that one class reads, unless it is one of those that are followed.
fn unless(config: &SchedulerConfig, class: &str, value: Option<&str>, followed: &[&str]) -> Option<String> {
    value.filter(|value| config.class_name == class && !followed.contains(value)).map(str::to_owned)
}

impl SchedulerConfig {
    /// What of the model's own scheduler is not followed, one sentence each.
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if self.own_sampler().is_none() && !self.class_name.is_empty() {
            remarks.push(format!(
                "The model's own scheduler, {}, is not here: the sampler is {} unless you choose another.",
                self.class_name,
                self.suggested_sampler().name(),
            ));
        }
        for (key, treatment) in KEYS {
            if let Named(value) = treatment
                && let Some(value) = value(self)
            {
                remarks.push(format!(
                    "The scheduler's ‘{key}’ is {value}, which is not followed: pictures differ from diffusers'."
                ));
            }
        }
        remarks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys of the signatures of diffusers 0.42's `KarrasDiffusionSchedulers`, of LCM and TCD, and of the
    /// flow-matching schedulers.
    const OF_DIFFUSERS: &str = "num_train_timesteps beta_start beta_end beta_schedule trained_betas clip_sample \
        set_alpha_to_one steps_offset prediction_type thresholding dynamic_thresholding_ratio clip_sample_range \
        sample_max_value timestep_spacing rescale_betas_zero_snr variance_type solver_order algorithm_type solver_type \
        lower_order_final euler_at_final use_karras_sigmas use_exponential_sigmas use_beta_sigmas use_lu_lambdas \
        use_flow_sigmas flow_shift final_sigmas_type lambda_min_clipped use_dynamic_shifting time_shift_type \
        noise_sampler_seed interpolation_type sigma_min sigma_max timestep_type original_inference_steps \
        timestep_scaling skip_prk_steps predictor_order corrector_order tau_func predict_x0 disable_corrector solver_p \
        shift_terminal shift base_shift max_shift base_image_seq_len max_image_seq_len invert_sigmas \
        stochastic_sampling";

    #[test]
    fn every_key_of_diffusers_is_accounted_for_once() {
        let mut of_diffusers: Vec<&str> = OF_DIFFUSERS.split_whitespace().collect();
        let mut ours: Vec<&str> = KEYS.iter().map(|(key, _)| *key).collect();
        of_diffusers.sort_unstable();
        ours.sort_unstable();
        assert_eq!(ours, of_diffusers);
    }

    #[test]
    fn a_key_that_changes_the_picture_and_is_not_followed_is_named() {
        let multistep = "DPMSolverMultistepScheduler";
        for (class, key, value) in [
            (multistep, "algorithm_type", serde_json::json!("sde-dpmsolver++")),
            ("FlowMatchEulerDiscreteScheduler", "stochastic_sampling", true.into()),
            ("UniPCMultistepScheduler", "predict_x0", false.into()),
            ("UniPCMultistepScheduler", "solver_p", serde_json::json!({"_class_name": "x"})),
            ("EulerDiscreteScheduler", "interpolation_type", "log_linear".into()),
            ("EulerDiscreteScheduler", "timestep_type", "continuous".into()),
            ("DDPMScheduler", "variance_type", "learned_range".into()),
        ] {
            let config: SchedulerConfig =
                serde_json::from_value(serde_json::json!({ "_class_name": class, key: value })).unwrap();
            let remarks = config.remarks();
            assert!(matches!(&remarks[..], [one] if one.contains(&format!("‘{key}’"))), "{remarks:?}");
        }
    }

    #[test]
    fn a_scheduler_that_is_not_here_is_named_and_a_plain_one_says_nothing() {
        let of = |class: &str| SchedulerConfig { class_name: class.to_owned(), ..SchedulerConfig::default() };
        assert!(of("PNDMScheduler").remarks()[0].contains("PNDMScheduler"));
        for class in ["", "DDIMScheduler", "DPMSolverMultistepScheduler", "LCMScheduler"] {
            assert_eq!(of(class).remarks(), [""; 0], "{class}");
        }
    }
}
