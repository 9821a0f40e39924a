//! The mathematics: noise, schedules, prediction types, guidance, samplers, the one sampling loop.
//!
//! Every latent here is plain data in model space, and at a [`NoiseLevel`] it is
//! `x = alpha · x₀ + sigma · ε`. The [`NoiseProcess`] says how the two go together: for Stable Diffusion
//! `alpha² + sigma² = 1`, for flow models `alpha + sigma = 1`, which begins with `alpha` 0. Samplers that
//! extrapolate slopes do so in the process's [`Coordinates`]; k-diffusion's latent is `x / alpha`.
//! One convention makes every sampler a few lines and every x_t fit to look at.
//!
//! The cut is k-diffusion's: a [`Denoiser`] gives x̂₀ and knows prediction type and guidance; a
//! sampler knows only denoiser, x and levels; [`sample()`] is the one loop, with progress and cancel.
//! No device is known here: a latent is at most a few megabytes and crosses to the window at every step.

mod combine;
mod error;
mod guidance;
mod noise;
mod noise_level;
mod noise_process;
mod prediction;
mod sample;
pub mod sampler;
mod schedule;
mod scheduler_config;
mod scheduler_keys;
mod sigmas;

pub use error::DiffusionError;
pub use guidance::{Branch, DenoisingNetwork, GuidedDenoiser, Prediction, classifier_free};
pub use noise::NoiseSource;
pub use noise_level::{NoiseLevel, ScheduleStep};
pub use noise_process::{Coordinates, NoiseProcess};
pub use prediction::denoised_from_output;
pub use sample::{Run, SampledRun, Start, sample};
pub use sampler::{Denoiser, Plan, SAMPLERS, Sampler, SamplerSpec, SamplerStep};
pub use schedule::Schedule;
pub use scheduler_config::{BetaSchedule, FinalSigma, SchedulerConfig, SchedulerConfigError};
