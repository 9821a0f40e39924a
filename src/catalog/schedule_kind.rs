//! The ways to space the noise levels of a run.

use std::str::FromStr;

/// Which noise levels (sigmas) a run visits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScheduleKind {
    /// As the model's `scheduler_config.json` says.
    #[default]
    Model,
    /// Timesteps at the start of each interval.
    Leading,
    /// Timesteps at the end of each interval (Lin et al. 2023).
    Trailing,
    /// Timesteps evenly from the first to the last.
    Linspace,
    /// Karras et al. 2022, rho 7.
    Karras,
    /// Evenly spaced in the logarithm of sigma.
    Exponential,
    /// At the quantiles of a beta distribution (Lee et al. 2024): more at both ends.
    Beta,
    /// Evenly spaced in λ (Lu et al. 2022).
    LuLambdas,
    /// Every n-th sigma of training, from the largest on (ComfyUI).
    Simple,
    /// Timesteps evenly from the last to the first, also between whole ones (k-diffusion's default).
    Normal,
    /// The same without the first timestep (Stability's).
    SgmUniform,
    /// Every n-th timestep of training, from the second on (ComfyUI).
    DdimUniform,
    /// Least divergence of each step, for a Gaussian (Sabour et al. 2024, theorem 3.1).
    KlOptimal,
    /// Align your steps (Sabour et al. 2024): found for Stable Diffusion 1 and XL.
    Ays,
}

impl ScheduleKind {
    /// Every schedule, in the order a chooser shows them.
    pub const ALL: [Self; 14] = [
        Self::Model,
        Self::Leading,
        Self::Trailing,
        Self::Linspace,
        Self::Karras,
        Self::Exponential,
        Self::Beta,
        Self::LuLambdas,
        Self::Simple,
        Self::Normal,
        Self::SgmUniform,
        Self::DdimUniform,
        Self::KlOptimal,
        Self::Ays,
    ];

    /// The name on the command line and in settings.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Leading => "leading",
            Self::Trailing => "trailing",
            Self::Linspace => "linspace",
            Self::Karras => "karras",
            Self::Exponential => "exponential",
            Self::Beta => "beta",
            Self::LuLambdas => "lu-lambdas",
            Self::Simple => "simple",
            Self::Normal => "normal",
            Self::SgmUniform => "sgm-uniform",
            Self::DdimUniform => "ddim-uniform",
            Self::KlOptimal => "kl-optimal",
            Self::Ays => "ays",
        }
    }

    /// The name in the window and in the settings of pictures, where possible the one other programs use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Model => "Automatic",
            Self::Leading => "Leading",
            Self::Trailing => "Trailing",
            Self::Linspace => "Linspace",
            Self::Karras => "Karras",
            Self::Exponential => "Exponential",
            Self::Beta => "Beta",
            Self::LuLambdas => "Lu",
            Self::Simple => "Simple",
            Self::Normal => "Normal",
            Self::SgmUniform => "SGM Uniform",
            Self::DdimUniform => "DDIM",
            Self::KlOptimal => "KL Optimal",
            Self::Ays => "Align Your Steps",
        }
    }

    /// Whether it is known for flows.
    pub const fn fits_flows(self) -> bool {
        !matches!(self, Self::Ays)
    }
}

impl FromStr for ScheduleKind {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|k| k.id() == s).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|k| k.id()).collect();
            format!("‘{s}’ is not a schedule: use {}", known.join(", "))
        })
    }
}

/// Where in each interval of training timesteps a step is taken: diffusers' `timestep_spacing`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimestepSpacing {
    /// At the start of each interval.
    #[default]
    Leading,
    /// At the end of each interval.
    Trailing,
    /// From first to last.
    Linspace,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_their_schedule() {
        for kind in ScheduleKind::ALL {
            assert_eq!(kind.id().parse(), Ok(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.id());
        }
    }
}
