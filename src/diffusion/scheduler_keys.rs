//! An account of every key that diffusers' schedulers for Stable Diffusion 1 and 2 read.
//!
//! Taken from the signatures of the scheduler classes of diffusers 0.42. A key that would change the picture is either
//! supported or reported to the user; none is ignored silently.

use super::SchedulerConfig;
use crate::catalog::SamplerKind;

/// How a key of `scheduler_config.json` is treated.
enum Treatment {
    /// It acts as in diffusers.
    Supported,
    /// It has no influence on pictures; the reason is given beside it.
    NoInfluence,
    /// It is not supported: gives the value, if that value would change the picture.
    Reported(fn(&SchedulerConfig) -> Option<String>),
}

use Treatment::{NoInfluence, Reported, Supported};

/// Every key, in the order of diffusers' classes.
const KEYS: &[(&str, Treatment)] = &[
    ("num_train_timesteps", Supported),
    ("beta_start", Supported),
    ("beta_end", Supported),
    ("beta_schedule", Supported),
    ("trained_betas", Supported),
    ("prediction_type", Supported),
    ("timestep_spacing", Supported),
    ("steps_offset", Supported),
    ("set_alpha_to_one", Supported),
    ("clip_sample", Supported),
    ("clip_sample_range", Supported),
    ("thresholding", Supported),
    ("dynamic_thresholding_ratio", Supported),
    ("sample_max_value", Supported),
    ("rescale_betas_zero_snr", Supported),
    ("variance_type", Reported(|c| unless(c, "DDPMScheduler", c.variance_type.as_deref(), FIXED_VARIANCES))),
    ("use_karras_sigmas", Supported),
    ("use_exponential_sigmas", Supported),
    ("use_beta_sigmas", Supported),
    ("use_lu_lambdas", Supported),
    ("use_flow_sigmas", Supported),
    ("flow_shift", Supported),
    ("shift", Supported),
    ("use_dynamic_shifting", Supported),
    ("shift_terminal", Reported(|c| of_flow(c, c.shift_terminal.map(|terminal| terminal.to_string())))),
    ("invert_sigmas", Reported(|c| of_flow(c, c.invert_sigmas.then(|| "true".to_owned())))),
    (
        "stochastic_sampling",
        Reported(|c| {
            let followed = matches!(c.own_sampler(), None | Some(SamplerKind::FlowStochastic));
            of_flow(c, (c.stochastic_sampling && !followed).then(|| "true".to_owned()))
        }),
    ),
    ("time_shift_type", Supported),
    ("base_shift", Supported),
    ("max_shift", Supported),
    ("base_image_seq_len", Supported),
    ("max_image_seq_len", Supported),
    ("sigma_min", Supported),
    ("sigma_max", Supported),
    ("sigma_data", Supported),
    ("sigma_schedule", Supported),
    ("rho", Supported),
    ("final_sigmas_type", Supported),
    ("lambda_min_clipped", Supported),
    (
        "algorithm_type",
        Reported(|c| {
            EQUATIONS
                .iter()
                .find_map(|(class, followed)| unless(c, class, c.algorithm_type.as_deref(), followed))
        }),
    ),
    ("solver_order", Supported),
    ("solver_type", Supported),
    ("lower_order_final", Supported),
    ("euler_at_final", Supported),
    ("predict_x0", Reported(|c| c.predict_x0.filter(|x0| !x0).map(|_| "false".to_owned()))),
    ("disable_corrector", Supported),
    (
        "solver_p",
        Reported(|c| c.solver_p.as_ref().filter(|p| !p.is_null()).map(|_| "another scheduler".to_owned())),
    ),
    (
        "interpolation_type",
        Reported(|c| unless(c, "EulerDiscreteScheduler", c.interpolation_type.as_deref(), &["linear"])),
    ),
    (
        "timestep_type",
        Reported(|c| unless(c, "EulerDiscreteScheduler", c.timestep_type.as_deref(), &["discrete"])),
    ),
    ("original_inference_steps", Supported),
    ("timestep_scaling", Supported),
    ("skip_prk_steps", Supported),
    ("predictor_order", Supported),
    ("corrector_order", Supported),
    (
        "tau_func",
        Reported(|c| c.tau_func.as_ref().filter(|tau| !tau.is_null()).map(|_| "another rule".to_owned())),
    ),
    // DPMSolverSDE alone reads it, and is named by its class.
    ("noise_sampler_seed", NoInfluence),
];

/// The equations that are followed, by class.
const EQUATIONS: &[(&str, &[&str])] = &[
    ("DPMSolverMultistepScheduler", &["dpmsolver++", "deis", "sde-dpmsolver++", "dpmsolver"]),
    ("DPMSolverSinglestepScheduler", &["dpmsolver++", "deis"]),
    ("SASolverScheduler", &["data_prediction"]),
];

/// Variances that need nothing from the network; `fixed_small_log` is `fixed_small` by another way.
const FIXED_VARIANCES: &[&str] = &["fixed_small", "fixed_small_log", "fixed_large"];

/// The value of a key that acts on flows alone.
fn of_flow(config: &SchedulerConfig, value: Option<String>) -> Option<String> {
    value.filter(|_| config.flow_shift_used().is_some())
}

/// The value of a key that one class reads, unless it is a supported one.
fn unless(config: &SchedulerConfig, class: &str, value: Option<&str>, followed: &[&str]) -> Option<String> {
    value.filter(|value| config.class_name == class && !followed.contains(value)).map(str::to_owned)
}

impl SchedulerConfig {
    /// What of the model's own scheduler is not supported, one sentence each.
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if self.own_sampler().is_none() && !self.class_name.is_empty() {
            remarks.push(format!(
                "The model's own scheduler, {}, is not supported: the sampler is {} unless you choose another.",
                self.class_name,
                self.suggested_sampler().name(),
            ));
        }
        for (key, treatment) in KEYS {
            if let Reported(value) = treatment
                && let Some(value) = value(self)
            {
                remarks.push(format!(
                    "The scheduler's ‘{key}’ is {value}, which is not supported: pictures differ from those of diffusers."
                ));
            }
        }
        remarks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys of the signatures of diffusers 0.42's `KarrasDiffusionSchedulers`, of LCM and TCD, of the EDM
    /// schedulers, and of the flow-matching ones.
    const OF_DIFFUSERS: &str = "num_train_timesteps beta_start beta_end beta_schedule trained_betas clip_sample \
        set_alpha_to_one steps_offset prediction_type thresholding dynamic_thresholding_ratio clip_sample_range \
        sample_max_value timestep_spacing rescale_betas_zero_snr variance_type solver_order algorithm_type solver_type \
        lower_order_final euler_at_final use_karras_sigmas use_exponential_sigmas use_beta_sigmas use_lu_lambdas \
        use_flow_sigmas flow_shift final_sigmas_type lambda_min_clipped use_dynamic_shifting time_shift_type \
        noise_sampler_seed interpolation_type sigma_min sigma_max timestep_type original_inference_steps \
        timestep_scaling skip_prk_steps predictor_order corrector_order tau_func predict_x0 disable_corrector solver_p \
        sigma_data sigma_schedule rho shift_terminal shift base_shift max_shift base_image_seq_len max_image_seq_len invert_sigmas \
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
    fn a_key_that_changes_the_picture_and_is_not_supported_is_reported() {
        let multistep = "DPMSolverMultistepScheduler";
        for (class, key, value) in [
            (multistep, "algorithm_type", serde_json::json!("sde-dpmsolver")),
            ("DPMSolverSinglestepScheduler", "algorithm_type", "dpmsolver".into()),
            ("SASolverScheduler", "algorithm_type", "noise_prediction".into()),
            ("FlowMatchHeunDiscreteScheduler", "stochastic_sampling", true.into()),
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
    fn an_unsupported_scheduler_is_reported_and_a_default_one_is_not() {
        let of = |class: &str| SchedulerConfig { class_name: class.to_owned(), ..SchedulerConfig::default() };
        assert!(of("DPMSolverSDEScheduler").remarks()[0].contains("DPMSolverSDEScheduler"));
        for class in ["", "PNDMScheduler", "DDIMScheduler", "DPMSolverMultistepScheduler", "LCMScheduler"] {
            assert_eq!(of(class).remarks(), [""; 0], "{class}");
        }
    }
}
