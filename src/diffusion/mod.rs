//! The mathematics: noise, schedules, prediction types, guidance, samplers, the one sampling loop.
//!
//! Every latent here is `[B, C, H, W]` in model space and "variance preserving": at a
//! [`NoiseLevel`] it is `x = alpha · x₀ + sigma · ε`. For Stable Diffusion `alpha² + sigma² = 1`, for
//! flow models `alpha + sigma = 1`. k-diffusion's sigma is [`NoiseLevel::k_sigma`], and its latent is
//! `x / alpha`. One convention makes every sampler a few lines and every x_t fit to look at.
//!
//! The cut is k-diffusion's: a [`Denoiser`] gives x̂₀ and knows prediction type and guidance; a
//! sampler knows only denoiser, x and levels; [`sample()`] is the one loop, with progress and cancel.

mod error;
mod guidance;
mod noise;
mod prediction;
mod sample;
pub mod sampler;
mod schedule;
mod scheduler_config;
mod sigmas;

pub use error::DiffusionError;
pub use guidance::{Branch, GuidedDenoiser, NoisePredictor, classifier_free};
pub use noise::NoiseSource;
pub use prediction::denoised_from_output;
pub use sample::{SampledRun, Start, StepReport, sample};
pub use sampler::{Denoiser, Sampler, SamplerStep};
pub use schedule::{NoiseLevel, Schedule, SigmaStep};
pub use scheduler_config::{BetaSchedule, SchedulerConfig};
