//! The schedulers of EDM, whose networks are preconditioned and whose sigmas are continuous (Playground v2.5, CosXL).

use super::{SchedulerConfig, SchedulerConfigError};
use crate::catalog::PredictionType;

/// diffusers' classes.
const EULER: &str = "EDMEulerScheduler";
const MULTISTEP: &str = "EDMDPMSolverMultistepScheduler";

/// Equations of the multistep solver that diffusers computes; it takes `deis` for the first.
const EQUATIONS: [&str; 3] = ["dpmsolver++", "sde-dpmsolver++", "deis"];
/// Its second-order rules; diffusers takes the last three for the first.
const RULES: [&str; 5] = ["midpoint", "heun", "logrho", "bh1", "bh2"];

/// The sigmas of an EDM model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::diffusion) struct Edm {
    /// The standard deviation of the clean latents in training.
    pub(in crate::diffusion) sigma_data: f64,
    /// The last sigma above 0.
    pub(in crate::diffusion) sigma_min: f64,
    /// The first one.
    pub(in crate::diffusion) sigma_max: f64,
    /// ρ of Karras' sigmas.
    pub(in crate::diffusion) rho: f64,
    /// Whether the model's own schedule is exponential, and not Karras'.
    pub(in crate::diffusion) is_exponential: bool,
}

impl SchedulerConfig {
    /// The sigmas of an EDM scheduler, whose defaults are those of Karras et al. 2022; `None` for another one.
    pub(in crate::diffusion) fn edm(&self) -> Option<Edm> {
        [EULER, MULTISTEP].contains(&&*self.class_name).then(|| Edm {
            sigma_data: self.sigma_data,
            sigma_min: self.sigma_min.unwrap_or(0.002),
            sigma_max: self.sigma_max.unwrap_or(80.0),
            rho: self.rho,
            is_exponential: self.sigma_schedule.as_deref() == Some("exponential"),
        })
    }

    /// Refuses the values of an EDM scheduler that no run can follow.
    pub(super) fn check_edm(&self) -> Result<(), SchedulerConfigError> {
        let Some(edm) = self.edm() else { return Ok(()) };
        let refuse = |key, value: String, expected: &str| {
            Err(SchedulerConfigError { key, value, expected: expected.to_owned() })
        };
        for (key, value) in [("sigma_data", edm.sigma_data), ("rho", edm.rho)] {
            if !(value.is_finite() && value > 0.0) {
                return refuse(key, value.to_string(), "a number above 0");
            }
        }
        if edm.sigma_max <= edm.sigma_min {
            let expected = format!("a number above {} (sigma_min)", edm.sigma_min);
            return refuse("sigma_max", edm.sigma_max.to_string(), &expected);
        }
        if let Some(kind) =
            self.sigma_schedule.as_ref().filter(|kind| !matches!(&***kind, "karras" | "exponential"))
        {
            return refuse("sigma_schedule", kind.clone(), "karras or exponential");
        }
        let prediction = match self.prediction_type {
            PredictionType::Epsilon | PredictionType::V => None,
            PredictionType::Sample => Some("sample"),
            PredictionType::Flow => Some("flow_prediction"),
        };
        if let Some(prediction) = prediction {
            let expected = "epsilon or v_prediction of an EDM scheduler";
            return refuse("prediction_type", prediction.to_owned(), expected);
        }
        if self.class_name == MULTISTEP {
            for (key, value, followed) in [
                ("algorithm_type", &self.algorithm_type, &EQUATIONS[..]),
                ("solver_type", &self.solver_type, &RULES[..]),
            ] {
                if let Some(value) = value.as_ref().filter(|value| !followed.contains(&&***value)) {
                    return refuse(key, value.clone(), &followed.join(", "));
                }
            }
            if let Some(order) = self.solver_order.filter(|order| !(1..=3).contains(order)) {
                return refuse("solver_order", order.to_string(), "a number from 1 to 3");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{SamplerKind, ScheduleKind};
    use crate::diffusion::{NoiseLevel, Schedule};

    fn config(class: &str, mut keys: serde_json::Value) -> SchedulerConfig {
        keys["_class_name"] = class.into();
        serde_json::from_value(keys).unwrap()
    }

    /// The lists are those of diffusers' `set_timesteps(4)`.
    #[test]
    fn the_sigmas_are_diffusers() {
        let none = serde_json::json!({});
        let cosxl =
            serde_json::json!({"sigma_schedule": "exponential", "sigma_data": 1.0, "sigma_max": 120.0});
        for (class, keys, sigmas) in [
            (MULTISTEP, &none, [80.0, 9.723_23, 0.469_98, 0.002]),
            (EULER, &none, [80.0, 9.723_23, 0.469_98, 0.002]),
            (EULER, &cosxl, [120.0, 3.065_22, 0.078_297, 0.002]),
        ] {
            let config = config(class, keys.clone());
            for sampler in
                [config.own_sampler().unwrap(), SamplerKind::Heun, SamplerKind::Ddim, SamplerKind::Lms]
            {
                let schedule = Schedule::new(&config, sampler, ScheduleKind::Model, 4).unwrap();
                assert_eq!(schedule.initial_noise_scale, 1.0);
                assert_eq!(schedule.steps.last().map(|step| step.to), Some(NoiseLevel::CLEAN));
                for (step, sigma) in schedule.steps.iter().zip(sigmas) {
                    let found = step.from.k_sigma();
                    assert!((found - sigma).abs() < 1e-4 * sigma, "{}: {found} for {sigma}", sampler.id());
                }
            }
        }
        let ends = config(EULER, serde_json::json!({"final_sigmas_type": "sigma_min"}));
        let schedule = Schedule::new(&ends, SamplerKind::Euler, ScheduleKind::Model, 4).unwrap();
        let last = schedule.steps[3].to.k_sigma();
        assert!((last - 0.002).abs() < 1e-9, "{last}");
    }

    #[test]
    fn what_no_run_can_follow_is_refused_by_key() {
        for (keys, says) in [
            (serde_json::json!({"sigma_schedule": "cosine"}), "‘sigma_schedule’ is cosine"),
            (serde_json::json!({"prediction_type": "sample"}), "‘prediction_type’ is sample"),
            (serde_json::json!({"sigma_data": 0.0}), "‘sigma_data’ is 0"),
            (serde_json::json!({"rho": -7.0}), "‘rho’ is -7"),
            (serde_json::json!({"sigma_max": 0.001}), "‘sigma_max’ is 0.001"),
            (serde_json::json!({"algorithm_type": "dpmsolver"}), "‘algorithm_type’ is dpmsolver"),
            (serde_json::json!({"solver_type": "rk4"}), "‘solver_type’ is rk4"),
            (serde_json::json!({"solver_order": 4}), "‘solver_order’ is 4"),
        ] {
            let error = config(MULTISTEP, keys).check().unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        let keys = serde_json::json!({"sigma_schedule": "cosine", "solver_type": "rk4"});
        assert_eq!(
            config("EulerDiscreteScheduler", keys).check(),
            Ok(()),
            "other classes do not read the keys"
        );
    }
}
