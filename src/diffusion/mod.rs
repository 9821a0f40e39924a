//! The mathematics of diffusion: noise, schedules, prediction types, guidance, samplers, the sampling loop.
//!
//! Every latent here is plain data in model space; at a [`NoiseLevel`] it is `x = alpha · x₀ + sigma · ε`. The
//! [`NoiseProcess`] relates the two factors: `alpha² + sigma² = 1` for Stable Diffusion, `alpha + sigma = 1` for flow
//! models, which begin with `alpha` 0. Samplers that extrapolate slopes do so in the [`Coordinates`] of the process;
//! the latent of k-diffusion and of EDM is `x / alpha`. With this one convention every sampler is a few lines long, and every
//! x_t can be shown as it is.
//!
//! The parts are k-diffusion's: a [`Denoiser`], which knows prediction type and guidance, gives x̂₀; a sampler knows
//! only the denoiser, x and the levels; [`sample()`] is the one loop, with progress and cancellation. No device is
//! involved: a latent is at most a few megabytes, and is copied to the window at every step anyway.

mod combine;
mod error;
mod guidance;
mod insight;
mod listed_sigmas;
mod noise;
mod noise_level;
mod noise_process;
mod preconditioning;
mod prediction;
mod sample;
pub mod sampler;
mod schedule;
mod scheduler_config;
mod scheduler_keys;
mod sigmas;

pub use error::DiffusionError;
pub use guidance::{Branch, DenoisingNetwork, GuidedDenoiser, Prediction, classifier_free};
pub use insight::{Insight, TokenActivity, Watcher};
pub use noise::NoiseSource;
pub use noise_level::{NoiseLevel, ScheduleStep};
pub use noise_process::{Coordinates, NoiseProcess};
pub use preconditioning::Preconditioning;
pub use prediction::denoised_from_output;
pub use sample::{Run, RunPart, SampledRun, Start, sample};
pub use sampler::{Denoiser, Plan, SAMPLERS, Sampler, SamplerSpec, SamplerStep};
pub use schedule::Schedule;
pub use scheduler_config::{BetaSchedule, FinalSigma, SchedulerConfig, SchedulerConfigError};
