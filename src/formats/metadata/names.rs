//! Names of samplers and schedules in other programs.

use crate::request::{SamplerKind, ScheduleKind};

/// Without case, spaces, dashes and underscores: `euler_a`, `Euler a` and `k-euler-a` differ only in these.
fn normal(name: &str) -> String {
    let lower = name.to_lowercase();
    let lower = lower.trim().strip_prefix("k_").unwrap_or(lower.trim());
    lower.chars().filter(|c| !matches!(c, ' ' | '_' | '-')).collect()
}

fn sampler(name: &str) -> Option<SamplerKind> {
    use SamplerKind as S;
    Some(match normal(name).as_str() {
        "ddim" | "ddimtrailing" => S::Ddim,
        "ddpm" => S::Ddpm,
        "euler" => S::Euler,
        "eulera" | "eulerancestral" => S::EulerAncestral,
        "heun" => S::Heun,
        "lms" => S::Lms,
        "dpm++2m" | "dpmpp2m" => S::Dpmpp2m,
        "unipc" => S::UniPc,
        "lcm" => S::Lcm,
        _ => return None,
    })
}

/// The schedule of that name in AUTOMATIC1111, ComfyUI, stable-diffusion.cpp or here.
///
/// k-diffusion's plain schedule (`normal`, `Uniform`, `discrete`) is timesteps from last to first,
/// ComfyUI's `simple` those at the end of each interval, its `ddim_uniform` those at the start.
pub(super) fn schedule(name: &str) -> Option<ScheduleKind> {
    use ScheduleKind as S;
    Some(match normal(name).as_str() {
        "automatic" | "model" | "default" => S::Model,
        "leading" | "ddimuniform" => S::Leading,
        "trailing" | "simple" => S::Trailing,
        "linspace" | "normal" | "uniform" | "discrete" => S::Linspace,
        "karras" => S::Karras,
        "exponential" => S::Exponential,
        _ => return None,
    })
}

/// Whether the program was left to choose.
pub(super) fn is_automatic(name: &str) -> bool {
    normal(name) == "automatic"
}

/// A sampler's name that may end in a schedule's: "DPM++ 2M Karras" (AUTOMATIC1111 before 1.9),
/// "euler karras" (stable-diffusion.cpp).
pub(super) fn sampler_and_schedule(name: &str) -> (Option<SamplerKind>, Option<ScheduleKind>) {
    if let Some(kind) = sampler(name) {
        let trailing = (normal(name) == "ddimtrailing").then_some(ScheduleKind::Trailing);
        return (Some(kind), trailing);
    }
    match name.trim().rsplit_once(' ') {
        Some((front, last)) => match sampler(front) {
            // A schedule that is not ours leaves the sampler what it is.
            Some(kind) => (Some(kind), schedule(last)),
            None => (None, None),
        },
        None => (None, None),
    }
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
        for (name, expected) in [
            ("DPM++ 2M Karras", (Some(S::Dpmpp2m), Some(K::Karras))),
            ("euler karras", (Some(S::Euler), Some(K::Karras))),
            ("euler_a discrete", (Some(S::EulerAncestral), Some(K::Linspace))),
            ("dpm++2m exponential", (Some(S::Dpmpp2m), Some(K::Exponential))),
            ("euler ays", (Some(S::Euler), None)),
            ("ddim_trailing", (Some(S::Ddim), Some(K::Trailing))),
            ("Euler a", (Some(S::EulerAncestral), None)),
            ("uni_pc", (Some(S::UniPc), None)),
            ("DPM++ 2M SDE Karras", (None, None)),
            ("DPM++ SDE", (None, None)),
        ] {
            assert_eq!(sampler_and_schedule(name), expected, "{name}");
        }
    }
}
