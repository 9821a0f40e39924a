//! The samplers, and their names here and in other programs.

use std::str::FromStr;

use super::ScheduleKind;

/// A sampler: the rule that takes the latent from one noise level to the next.
///
/// Its names are in its row of the table below; its rule and schedule are in its row of `diffusion::SAMPLERS`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum SamplerKind {
    /// DPM-Solver++ multistep, second order (Lu et al. 2022).
    #[default]
    Dpmpp2m,
    /// Euler's rule on the probability-flow ODE (Karras et al. 2022).
    Euler,
    /// Euler with fresh noise each step (k-diffusion).
    EulerAncestral,
    /// Heun's second-order rule: two network calls a step (Karras et al. 2022).
    Heun,
    /// Denoising diffusion implicit model (Song et al. 2020).
    Ddim,
    /// Denoising diffusion probabilistic model (Ho et al. 2020): ancestral.
    Ddpm,
    /// Linear multistep, fourth order (k-diffusion).
    Lms,
    /// Unified predictor-corrector, second order (Zhao et al. 2023).
    UniPc,
    /// Latent consistency model (Luo et al. 2023): for distilled models.
    Lcm,
    /// Pseudo linear multistep (Liu et al. 2022): the choice of Stable Diffusion 1's authors.
    Pndm,
    /// DPM-Solver-2 with k-diffusion's midpoint: two network calls a step.
    Dpm2,
    /// The same with fresh noise each step.
    Dpm2Ancestral,
    /// DPM-Solver++ multistep on the stochastic equation, second order (Lu et al. 2022).
    Dpmpp2mSde,
    /// DPM-Solver++ multistep, third order (Lu et al. 2022): for guidance that is weak or absent.
    Dpmpp3m,
    /// DPM-Solver++ multistep on the stochastic equation, third order.
    Dpmpp3mSde,
    /// DPM-Solver++ singlestep, second order: groups of two steps (Lu et al. 2022).
    Dpmpp2s,
    /// DPM-Solver++ singlestep, third order: groups of three steps (Lu et al. 2022).
    Dpmpp3s,
    /// DPM-Solver multistep, which extrapolates noise (Lu et al. 2022).
    Dpm2m,
    /// Exponential integrator with a polynomial in the logarithm of sigma (Zhang & Chen 2022).
    Deis,
    /// Trajectory consistency (Zheng et al. 2024): for distilled models.
    Tcd,
    /// Stochastic Adams predictor and corrector (Xue et al. 2023).
    SaSolver,
    /// To the estimate and back up with fresh noise: for few-step flow models.
    FlowStochastic,
}

/// A sampler's names and properties.
struct Row {
    kind: SamplerKind,
    /// The name on the command line and in settings.
    id: &'static str,
    /// The name in the window and in the settings of pictures, which is AUTOMATIC1111's.
    name: &'static str,
    /// The names in other programs, in lower case without spaces, dashes and underscores.
    elsewhere: &'static [&'static str],
    /// The classes of diffusers' schedulers with the same rule.
    diffusers: &'static [&'static str],
    /// The schedule that `Automatic` means for it in AUTOMATIC1111, if not the default one; source:
    /// `sd_samplers_kdiffusion.py`.
    automatic: Option<ScheduleKind>,
    /// Whether each step adds fresh noise.
    is_stochastic: bool,
    /// Whether its steps are a subset of those of a distilled model's teacher.
    is_distilled: bool,
}

impl Row {
    /// A deterministic sampler for any model.
    const fn new(
        kind: SamplerKind,
        id: &'static str,
        name: &'static str,
        elsewhere: &'static [&'static str],
        diffusers: &'static [&'static str],
    ) -> Self {
        let (is_stochastic, is_distilled) = (false, false);
        Self { kind, id, name, elsewhere, diffusers, automatic: None, is_stochastic, is_distilled }
    }
}

/// Every sampler, in the order of [`SamplerKind`].
const ROWS: [Row; 22] = [
    Row {
        automatic: Some(ScheduleKind::Karras),
        ..Row::new(
            SamplerKind::Dpmpp2m,
            "dpmpp-2m",
            "DPM++ 2M",
            &["dpm++2m", "dpmpp2m", "dpmsolvermultistep"],
            &["DPMSolverMultistepScheduler", "EDMDPMSolverMultistepScheduler"],
        )
    },
    Row::new(
        SamplerKind::Euler,
        "euler",
        "Euler",
        &["euler"],
        &["EulerDiscreteScheduler", "EDMEulerScheduler", "FlowMatchEulerDiscreteScheduler"],
    ),
    Row {
        is_stochastic: true,
        ..Row::new(
            SamplerKind::EulerAncestral,
            "euler-ancestral",
            "Euler a",
            &["eulera", "eulerancestral"],
            &["EulerAncestralDiscreteScheduler"],
        )
    },
    Row::new(
        SamplerKind::Heun,
        "heun",
        "Heun",
        &["heun"],
        &["HeunDiscreteScheduler", "FlowMatchHeunDiscreteScheduler"],
    ),
    Row::new(
        SamplerKind::Ddim,
        "ddim",
        "DDIM",
        &["ddim", "ddimtrailing"],
        &["DDIMScheduler", "DDIMParallelScheduler"],
    ),
    Row {
        is_stochastic: true,
        ..Row::new(SamplerKind::Ddpm, "ddpm", "DDPM", &["ddpm"], &["DDPMScheduler", "DDPMParallelScheduler"])
    },
    Row::new(SamplerKind::Lms, "lms", "LMS", &["lms"], &["LMSDiscreteScheduler"]),
    Row::new(
        SamplerKind::UniPc,
        "unipc",
        "UniPC",
        &["unipc", "unipcbh1", "unipcbh2", "unipcmultistep"],
        &["UniPCMultistepScheduler"],
    ),
    Row {
        is_stochastic: true,
        is_distilled: true,
        ..Row::new(SamplerKind::Lcm, "lcm", "LCM", &["lcm"], &["LCMScheduler", "FlowMatchLCMScheduler"])
    },
    Row::new(SamplerKind::Pndm, "pndm", "PLMS", &["plms", "pndm"], &["PNDMScheduler"]),
    Row {
        automatic: Some(ScheduleKind::Karras),
        ..Row::new(SamplerKind::Dpm2, "dpm2", "DPM2", &["dpm2", "kdpm2"], &["KDPM2DiscreteScheduler"])
    },
    Row {
        automatic: Some(ScheduleKind::Karras),
        is_stochastic: true,
        ..Row::new(
            SamplerKind::Dpm2Ancestral,
            "dpm2-ancestral",
            "DPM2 a",
            &["dpm2a", "dpm2ancestral", "kdpm2a", "kdpm2ancestral"],
            &["KDPM2AncestralDiscreteScheduler"],
        )
    },
    Row {
        automatic: Some(ScheduleKind::Exponential),
        is_stochastic: true,
        ..Row::new(
            SamplerKind::Dpmpp2mSde,
            "dpmpp-2m-sde",
            "DPM++ 2M SDE",
            &["dpm++2msde", "dpmpp2msde", "dpmpp2msdegpu"],
            &[],
        )
    },
    Row::new(SamplerKind::Dpmpp3m, "dpmpp-3m", "DPM++ 3M", &["dpm++3m", "dpmpp3m"], &[]),
    Row {
        automatic: Some(ScheduleKind::Exponential),
        is_stochastic: true,
        ..Row::new(
            SamplerKind::Dpmpp3mSde,
            "dpmpp-3m-sde",
            "DPM++ 3M SDE",
            &["dpm++3msde", "dpmpp3msde", "dpmpp3msdegpu"],
            &[],
        )
    },
    Row::new(
        SamplerKind::Dpmpp2s,
        "dpmpp-2s",
        "DPM++ 2S",
        &["dpm++2s", "dpmpp2s", "dpmsolversinglestep"],
        &["DPMSolverSinglestepScheduler"],
    ),
    Row::new(SamplerKind::Dpmpp3s, "dpmpp-3s", "DPM++ 3S", &["dpm++3s", "dpmpp3s"], &[]),
    Row::new(SamplerKind::Dpm2m, "dpm-2m", "DPM 2M", &["dpm2m"], &[]),
    Row::new(SamplerKind::Deis, "deis", "DEIS", &["deis", "deismultistep"], &["DEISMultistepScheduler"]),
    Row {
        is_stochastic: true,
        is_distilled: true,
        ..Row::new(SamplerKind::Tcd, "tcd", "TCD", &["tcd"], &["TCDScheduler"])
    },
    Row {
        is_stochastic: true,
        ..Row::new(SamplerKind::SaSolver, "sa-solver", "SA-Solver", &["sasolver"], &["SASolverScheduler"])
    },
    Row {
        is_stochastic: true,
        ..Row::new(
            SamplerKind::FlowStochastic,
            "flow-stochastic",
            "Flow stochastic",
            &["flowstochastic"],
            &[],
        )
    },
];

impl SamplerKind {
    /// Every sampler, in the order a chooser shows them.
    pub const ALL: [Self; ROWS.len()] = {
        let mut all = [Self::Dpmpp2m; ROWS.len()];
        let mut i = 0;
        while i < ROWS.len() {
            assert!(ROWS[i].kind as usize == i, "the table is in the order of the kinds");
            all[i] = ROWS[i].kind;
            i += 1;
        }
        all
    };

    /// Its index in [`Self::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    const fn row(self) -> &'static Row {
        &ROWS[self.index()]
    }

    /// The name on the command line and in settings.
    pub const fn id(self) -> &'static str {
        self.row().id
    }

    /// The name other programs show and write into pictures (AUTOMATIC1111's).
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// Whether each step adds fresh noise.
    pub const fn is_stochastic(self) -> bool {
        self.row().is_stochastic
    }

    /// Whether its steps are a subset of those of a distilled model's teacher.
    pub const fn is_distilled(self) -> bool {
        self.row().is_distilled
    }

    /// Whether a run may say how much of the noise each step draws anew (eta).
    pub const fn takes_eta(self) -> bool {
        matches!(self, Self::Ddim | Self::EulerAncestral | Self::Dpm2Ancestral | Self::Tcd)
    }

    /// The sampler that another program calls by this name, given in lower case without spaces, dashes and
    /// underscores.
    pub fn named_elsewhere(name: &str) -> Option<Self> {
        ROWS.iter().find(|row| row.elsewhere.contains(&name)).map(|row| row.kind)
    }

    /// The schedule that `Automatic` means for it in AUTOMATIC1111, if not the default one.
    pub const fn automatic_elsewhere(self) -> Option<ScheduleKind> {
        self.row().automatic
    }

    /// The sampler with the rule of one of diffusers' scheduler classes.
    pub fn of_diffusers_class(class: &str) -> Option<Self> {
        ROWS.iter().find(|row| row.diffusers.contains(&class)).map(|row| row.kind)
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

impl TryFrom<String> for SamplerKind {
    type Error = String;

    fn try_from(id: String) -> Result<Self, String> {
        id.parse()
    }
}

impl From<SamplerKind> for &'static str {
    fn from(kind: SamplerKind) -> Self {
        kind.id()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_their_sampler() {
        for kind in SamplerKind::ALL {
            assert_eq!(kind.id().parse(), Ok(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.id());
            assert_eq!(serde_json::from_value::<SamplerKind>(kind.id().into()).unwrap(), kind);
            for class in kind.row().diffusers {
                assert_eq!(SamplerKind::of_diffusers_class(class), Some(kind));
            }
        }
        assert!(serde_json::from_str::<SamplerKind>("\"euler-2\"").is_err());
    }
}
