//! Whether a scheduler's configuration is one that a run can follow.

use super::{SchedulerConfig, SchedulerConfigError};

impl SchedulerConfig {
    /// Checks the values.
    ///
    /// # Errors
    /// [`SchedulerConfigError`] for the first invalid key.
    pub fn check(&self) -> Result<(), SchedulerConfigError> {
        let refuse = |key, value: String, expected: &str| {
            Err(SchedulerConfigError { key, value, expected: expected.to_owned() })
        };
        let train = self.num_train_timesteps;
        if !(2..=100_000).contains(&train) {
            return refuse("num_train_timesteps", train.to_string(), "a number from 2 to 100000");
        }
        self.check_edm()?;
        let is_beta = |beta: f64| beta > 0.0 && beta < 1.0;
        if let Some(betas) = &self.trained_betas {
            if betas.len() != train {
                let found = format!("a list of {}", betas.len());
                return refuse("trained_betas", found, &format!("a list of {train} (num_train_timesteps)"));
            }
            // A last beta of 1 is a zero terminal signal.
            let ends = betas.last().copied();
            if let Some(wrong) = betas.iter().find(|&&b| !(is_beta(b) || b == 1.0 && Some(b) == ends)) {
                return refuse(
                    "trained_betas",
                    format!("a list with {wrong}"),
                    "a list of numbers between 0 and 1",
                );
            }
        } else {
            for (key, value) in [("beta_start", self.beta_start), ("beta_end", self.beta_end)] {
                if !is_beta(value) {
                    return refuse(key, value.to_string(), "a number between 0 and 1");
                }
            }
        }
        let teacher = self.original_inference_steps;
        if !(1..=train).contains(&teacher) {
            let expected = format!("a number from 1 to {train} (num_train_timesteps)");
            return refuse("original_inference_steps", teacher.to_string(), &expected);
        }
        let positive = |value: f64| value.is_finite() && value > 0.0;
        for (key, value) in [
            ("clip_sample_range", Some(self.clip_sample_range)),
            ("sample_max_value", Some(self.sample_max_value)),
            ("timestep_scaling", Some(self.timestep_scaling)),
            ("sigma_min", self.sigma_min),
            ("sigma_max", self.sigma_max),
            ("flow_shift", Some(self.flow_shift)),
            ("shift", Some(self.shift)),
        ] {
            if let Some(value) = value.filter(|&value| !positive(value)) {
                return refuse(key, value.to_string(), "a number above 0");
            }
        }
        if !(0.0..=1.0).contains(&self.dynamic_thresholding_ratio) {
            let found = self.dynamic_thresholding_ratio.to_string();
            return refuse("dynamic_thresholding_ratio", found, "a number from 0 to 1");
        }
        let (first, last) = (self.base_image_seq_len, self.max_image_seq_len);
        if first == last {
            return refuse(
                "max_image_seq_len",
                last.to_string(),
                "another number than that of base_image_seq_len",
            );
        }
        for (key, value) in [("base_shift", self.base_shift), ("max_shift", self.max_shift)] {
            if !(-20.0..=20.0).contains(&value) {
                return refuse(key, value.to_string(), "a number from -20 to 20");
            }
        }
        if let Some(kind) =
            self.time_shift_type.as_ref().filter(|kind| !matches!(&***kind, "exponential" | "linear"))
        {
            return refuse("time_shift_type", kind.clone(), "exponential or linear");
        }
        if let Some(order) = self.solver_order.filter(|order| !(1..=8).contains(order)) {
            return refuse("solver_order", order.to_string(), "a number from 1 to 8");
        }
        for (key, order) in
            [("predictor_order", self.predictor_order), ("corrector_order", self.corrector_order)]
        {
            if let Some(order) = order.filter(|order| !(1..=4).contains(order)) {
                return refuse(key, order.to_string(), "a number from 1 to 4");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(keys: serde_json::Value) -> SchedulerConfig {
        serde_json::from_value(keys).unwrap()
    }

    #[test]
    fn an_unknown_beta_schedule_is_refused() {
        assert!(serde_json::from_str::<SchedulerConfig>(r#"{"beta_schedule": "cubic"}"#).is_err());
    }

    #[test]
    fn values_that_no_run_can_follow_are_named() {
        for (keys, says) in [
            (serde_json::json!({"num_train_timesteps": 1}), "‘num_train_timesteps’ is 1"),
            (serde_json::json!({"original_inference_steps": 0}), "‘original_inference_steps’ is 0"),
            (serde_json::json!({"original_inference_steps": 1001}), "a number from 1 to 1000"),
            (serde_json::json!({"trained_betas": [0.1, 0.2]}), "a list of 2"),
            (
                serde_json::json!({"trained_betas": [0.1, 1.5], "num_train_timesteps": 2, "original_inference_steps": 1}),
                "a list with 1.5",
            ),
            (serde_json::json!({"beta_end": 2.0}), "‘beta_end’ is 2"),
            (serde_json::json!({"sigma_max": 0.0}), "‘sigma_max’ is 0"),
            (serde_json::json!({"solver_order": 0}), "‘solver_order’ is 0"),
            (serde_json::json!({"predictor_order": 5}), "‘predictor_order’ is 5"),
            (serde_json::json!({"max_image_seq_len": 256}), "‘max_image_seq_len’ is 256"),
            (serde_json::json!({"base_shift": 1e300}), "‘base_shift’ is"),
            (serde_json::json!({"time_shift_type": "cubic"}), "‘time_shift_type’ is cubic"),
        ] {
            let error = config(keys).check().unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        assert_eq!(SchedulerConfig::default().check(), Ok(()));
    }
}
