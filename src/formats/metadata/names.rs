//! The names of samplers and schedules in other programs.

use crate::catalog::{SamplerKind, ScheduleKind};

/// A name in lower case, without spaces, dashes, underscores and the prefix `k_`: `euler_a` and `Euler a` are equal.
fn normalised(name: &str) -> String {
    let lower = name.to_lowercase();
    let lower = lower.trim().strip_prefix("k_").unwrap_or(lower.trim());
    lower.chars().filter(|c| !matches!(c, ' ' | '_' | '-')).collect()
}

fn sampler(name: &str) -> Option<SamplerKind> {
    // Programs based on diffusers write class names, such as "EulerAncestralDiscreteScheduler".
    let normal = normalised(name);
    let class = normal.strip_suffix("scheduler");
    let plain = class.map_or(normal.as_str(), |class| class.strip_suffix("discrete").unwrap_or(class));
    SamplerKind::named_elsewhere(plain)
}

/// Schedules of other programs that are not supported. A sampler's name may end with one; any other last word makes it
/// a different sampler ("DPM++ 2M SDE", "Euler CFG++").
const FOREIGN_SCHEDULES: [&str; 11] = [
    "aysgits",
    "aystrailing",
    "gits",
    "polyexponential",
    "beta57",
    "turbo",
    "smoothstep",
    "bongtangent",
    "linearquadratic",
    "substep",
    "native",
];

/// The schedule of this name in AUTOMATIC1111, ComfyUI, stable-diffusion.cpp or this program.
///
/// k-diffusion's default schedule (`normal`, `Uniform`, `discrete`) takes timesteps evenly from last to first.
pub(super) fn schedule(name: &str) -> Option<ScheduleKind> {
    use ScheduleKind as S;
    Some(match normalised(name).as_str() {
        "automatic" | "model" | "default" => S::Model,
        "leading" => S::Leading,
        "trailing" => S::Trailing,
        "linspace" => S::Linspace,
        "karras" => S::Karras,
        "exponential" => S::Exponential,
        "beta" => S::Beta,
        "lu" | "lulambdas" => S::LuLambdas,
        "simple" => S::Simple,
        "normal" | "uniform" | "discrete" => S::Normal,
        "sgmuniform" => S::SgmUniform,
        // AUTOMATIC1111's name, and ComfyUI's.
        "ddim" | "ddimuniform" => S::DdimUniform,
        "kloptimal" => S::KlOptimal,
        "ays" | "alignyoursteps" => S::Ays,
        _ => return None,
    })
}

/// Whether the name leaves the choice to the program.
pub(super) fn is_automatic(name: &str) -> bool {
    normalised(name) == "automatic"
}

/// A sampler's name split into sampler and schedule.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SamplerName<'a> {
    pub(super) kind: SamplerKind,
    /// The schedule at the end of the name: as written, and its kind if it is supported.
    pub(super) schedule: Option<(&'a str, Option<ScheduleKind>)>,
}

/// Splits a sampler's name that may end with a schedule: "DPM++ 2M Karras" (AUTOMATIC1111 before 1.9), "euler karras"
/// (stable-diffusion.cpp), "dpmpp_2m_k" (InvokeAI). `None` if the sampler is not supported.
pub(super) fn sampler_and_schedule(name: &str) -> Option<SamplerName<'_>> {
    let name = name.trim();
    if let Some(kind) = sampler(name) {
        let is_trailing = normalised(name) == "ddimtrailing";
        return Some(SamplerName {
            kind,
            schedule: is_trailing.then_some((name, Some(ScheduleKind::Trailing))),
        });
    }
    if let Some(kind) = name.strip_suffix("_k").and_then(sampler) {
        return Some(SamplerName { kind, schedule: Some(("Karras", Some(ScheduleKind::Karras))) });
    }
    name.match_indices([' ', '_']).find_map(|(at, _)| {
        let (kind, last) = (sampler(&name[..at])?, name[at + 1..].trim());
        let ours = schedule(last);
        let is_schedule = ours.is_some() || FOREIGN_SCHEDULES.contains(&normalised(last).as_str());
        is_schedule.then_some(SamplerName { kind, schedule: Some((last, ours)) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_names_are_understood() {
        for kind in SamplerKind::ALL {
            assert_eq!(sampler(kind.name()), Some(kind));
            assert_eq!(sampler(kind.id()), Some(kind));
        }
        for kind in ScheduleKind::ALL {
            assert_eq!(schedule(kind.name()), Some(kind));
            assert_eq!(schedule(kind.id()), Some(kind));
        }
    }

    #[test]
    fn a_sampler_and_its_schedule_in_one_name_are_parted() {
        use {SamplerKind as S, ScheduleKind as K};
        for (name, sampler, schedule) in [
            ("DPM++ 2M Karras", S::Dpmpp2m, Some(("Karras", Some(K::Karras)))),
            ("euler karras", S::Euler, Some(("karras", Some(K::Karras)))),
            ("euler_a discrete", S::EulerAncestral, Some(("discrete", Some(K::Normal)))),
            ("dpm++2m exponential", S::Dpmpp2m, Some(("exponential", Some(K::Exponential)))),
            ("euler ays", S::Euler, Some(("ays", Some(K::Ays)))),
            ("euler gits", S::Euler, Some(("gits", None))),
            ("DPM++ 2M SGM Uniform", S::Dpmpp2m, Some(("SGM Uniform", Some(K::SgmUniform)))),
            ("Euler A Trailing", S::EulerAncestral, Some(("Trailing", Some(K::Trailing)))),
            ("ddim_trailing", S::Ddim, Some(("ddim_trailing", Some(K::Trailing)))),
            ("dpmpp_2m_k", S::Dpmpp2m, Some(("Karras", Some(K::Karras)))),
            ("Euler a", S::EulerAncestral, None),
            ("k_euler_ancestral", S::EulerAncestral, None),
            ("EulerAncestralDiscreteScheduler", S::EulerAncestral, None),
            ("UniPCMultistepScheduler", S::UniPc, None),
            ("uni_pc_bh2", S::UniPc, None),
        ] {
            let expected = SamplerName { kind: sampler, schedule };
            assert_eq!(sampler_and_schedule(name), Some(expected), "{name}");
        }
        for (name, sampler) in [
            ("DPM++ 2M SDE Exponential", S::Dpmpp2mSde),
            ("dpmpp_2m_sde_gpu", S::Dpmpp2mSde),
            ("DPM++ 3M SDE", S::Dpmpp3mSde),
            ("dpmpp_3m_sde", S::Dpmpp3mSde),
            ("DPM2 Karras", S::Dpm2),
            ("dpm_2", S::Dpm2),
            ("kdpm_2_k", S::Dpm2),
            ("KDPM2DiscreteScheduler", S::Dpm2),
            ("DPM2 a", S::Dpm2Ancestral),
            ("dpm_2_ancestral", S::Dpm2Ancestral),
            ("KDPM2AncestralDiscreteScheduler", S::Dpm2Ancestral),
            ("PLMS", S::Pndm),
            ("PNDMScheduler", S::Pndm),
            ("dpmpp_2s", S::Dpmpp2s),
            ("DPMSolverSinglestepScheduler", S::Dpmpp2s),
            ("deis", S::Deis),
            ("DEISMultistepScheduler", S::Deis),
            ("TCD", S::Tcd),
            ("sa_solver", S::SaSolver),
        ] {
            assert_eq!(sampler_and_schedule(name).map(|found| found.kind), Some(sampler), "{name}");
        }
        for name in [
            "DPM++ 2M SDE Heun",
            "DPM++ 2S a",
            "dpmpp_2s_ancestral",
            "DPM++ SDE",
            "Euler CFG++",
            "heunpp2",
            "euler_cfg_pp",
            "",
        ] {
            assert_eq!(sampler_and_schedule(name), None, "{name}");
        }
    }
}
