//! The step rules a person can choose.

use std::str::FromStr;

/// A sampler: the rule that takes the latent from one noise level to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SamplerKind {
    /// Denoising diffusion implicit model (Song et al. 2020).
    Ddim,
    /// Denoising diffusion probabilistic model (Ho et al. 2020): ancestral.
    Ddpm,
    /// Euler's rule on the probability-flow ODE (Karras et al. 2022).
    Euler,
    /// Euler with fresh noise each step (k-diffusion).
    EulerAncestral,
    /// Heun's second-order rule: two network calls a step (Karras et al. 2022).
    Heun,
    /// Linear multistep, fourth order (k-diffusion).
    Lms,
    /// DPM-Solver++ multistep, second order (Lu et al. 2022).
    #[default]
    #[serde(rename = "dpmpp-2m")]
    Dpmpp2m,
    /// Unified predictor-corrector, second order (Zhao et al. 2023).
    #[serde(rename = "unipc")]
    UniPc,
    /// Latent consistency model (Luo et al. 2023): for distilled models.
    Lcm,
}

impl SamplerKind {
    /// Every sampler, in the order a chooser shows them.
    pub const ALL: [Self; 9] = [
        Self::Dpmpp2m,
        Self::Euler,
        Self::EulerAncestral,
        Self::Heun,
        Self::Ddim,
        Self::Ddpm,
        Self::Lms,
        Self::UniPc,
        Self::Lcm,
    ];

    /// The name on the command line and in settings.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Ddim => "ddim",
            Self::Ddpm => "ddpm",
            Self::Euler => "euler",
            Self::EulerAncestral => "euler-ancestral",
            Self::Heun => "heun",
            Self::Lms => "lms",
            Self::Dpmpp2m => "dpmpp-2m",
            Self::UniPc => "unipc",
            Self::Lcm => "lcm",
        }
    }

    /// The name other programs show and write into pictures (AUTOMATIC1111's).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ddim => "DDIM",
            Self::Ddpm => "DDPM",
            Self::Euler => "Euler",
            Self::EulerAncestral => "Euler a",
            Self::Heun => "Heun",
            Self::Lms => "LMS",
            Self::Dpmpp2m => "DPM++ 2M",
            Self::UniPc => "UniPC",
            Self::Lcm => "LCM",
        }
    }

    /// Whether each step adds fresh noise.
    pub const fn is_stochastic(self) -> bool {
        matches!(self, Self::Ddpm | Self::EulerAncestral | Self::Lcm)
    }
}

impl FromStr for SamplerKind {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|k| k.id() == s).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|k| k.id()).collect();
            format!("‘{s}’ is not a sampler: use {}", known.join(", "))
        })
    }
}
