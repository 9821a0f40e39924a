//! The ways to space the noise levels of a run.

use std::str::FromStr;

/// Which noise levels (sigmas) a run visits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
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
}

impl ScheduleKind {
    /// Every schedule, in the order a chooser shows them.
    pub const ALL: [Self; 6] =
        [Self::Model, Self::Leading, Self::Trailing, Self::Linspace, Self::Karras, Self::Exponential];

    /// The name on the command line and in settings.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Leading => "leading",
            Self::Trailing => "trailing",
            Self::Linspace => "linspace",
            Self::Karras => "karras",
            Self::Exponential => "exponential",
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
        }
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
