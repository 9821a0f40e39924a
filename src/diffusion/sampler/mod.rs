//! The samplers: rules that take the latent from one noise level to the next.
//!
//! Each rule has its own file, with its row of [`SAMPLERS`]: everything about it but its names, which
//! [`SamplerKind`] has because files and settings need them too.

mod ddim;
mod ddpm;
mod dpmpp_2m;
mod euler;
mod euler_ancestral;
mod heun;
mod lcm;
mod limits;
mod lms;
mod rule;
mod spec;
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
