//! The samplers: rules that take the latent from one noise level to the next.
//!
//! Each rule has its own file, with its row of [`SAMPLERS`]: everything about it but its names, which
//! [`SamplerKind`] has because files and settings need them too.

mod ancestral;
mod ddim;
mod ddpm;
mod deis;
mod dpm2;
mod dpm2_ancestral;
mod dpm_2m;
mod dpm_multistep;
mod dpm_singlestep;
mod dpm_solver;
mod dpmpp_2m;
mod dpmpp_2m_sde;
mod dpmpp_2s;
mod dpmpp_3m;
mod dpmpp_3m_sde;
mod dpmpp_3s;
mod euler;
mod euler_ancestral;
mod exponential_integral;
mod flow_stochastic;
mod heun;
mod lcm;
mod limits;
mod lms;
mod pndm;
mod rule;
mod sa_solver;
mod spec;
mod tcd;
mod unipc;

use crate::catalog::SamplerKind;

#[cfg(test)]
pub(super) use limits::Limits;
pub use rule::{Denoiser, Plan, Sampler, SamplerStep};
pub use spec::SamplerSpec;
pub(super) use spec::{End, FlowGrid, Grid};

/// Every sampler, in the order of [`SamplerKind::ALL`].
pub static SAMPLERS: [&SamplerSpec; SamplerKind::ALL.len()] = [
    &dpmpp_2m::SPEC,
    &euler::SPEC,
    &euler_ancestral::SPEC,
    &heun::SPEC,
    &ddim::SPEC,
    &ddpm::SPEC,
    &lms::SPEC,
    &unipc::SPEC,
    &lcm::SPEC,
    &pndm::SPEC,
    &dpm2::SPEC,
    &dpm2_ancestral::SPEC,
    &dpmpp_2m_sde::SPEC,
    &dpmpp_3m::SPEC,
    &dpmpp_3m_sde::SPEC,
    &dpmpp_2s::SPEC,
    &dpmpp_3s::SPEC,
    &dpm_2m::SPEC,
    &deis::SPEC,
    &tcd::SPEC,
    &sa_solver::SPEC,
    &flow_stochastic::SPEC,
];

/// The row of a sampler.
pub fn spec(kind: SamplerKind) -> &'static SamplerSpec {
    SAMPLERS[kind.index()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_kinds() {
        for (spec, kind) in SAMPLERS.iter().zip(SamplerKind::ALL) {
            assert_eq!(spec.kind, kind);
            assert_eq!(kind.is_stochastic(), spec.order.is_none(), "{}", kind.id());
        }
    }
}
