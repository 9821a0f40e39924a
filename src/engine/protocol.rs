//! What crosses between the engine's thread and its clients: plain data only.

use std::path::PathBuf;
use std::sync::Arc;

use super::failure::Failure;
use crate::latent::{Latent, Trajectory};
use crate::projection::PreviewFit;
use crate::request::{
    CancelToken, DecodeChoice, DeviceChoice, DtypeChoice, GenerationRequest, ModelChoice, ModelProfile,
    Picture, TileChoice,
};

/// The name of one job, unique within a session. Events of foreign jobs are dropped by clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(pub u64);

/// Where the networks run, and in which number format. A change reloads the model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EngineSettings {
    /// The device.
    pub device: DeviceChoice,
    /// The number format.
    pub dtype: DtypeChoice,
    /// Whether pictures are encoded and decoded in tiles.
    pub tiles: TileChoice,
    /// Threads for the CPU operations, `None` for one per physical core.
    pub threads: Option<usize>,
}

/// What a client may ask. The engine carries out one command at a time.
#[derive(Debug)]
pub enum Command {
    /// Load a model, so that the first picture need not wait for it.
    LoadModel {
        /// The job's name.
        job: JobId,
        /// Which model.
        model: ModelChoice,
        /// Stops the loading.
        cancel: CancelToken,
    },
    /// Draw one picture.
    Generate {
        /// The job's name.
        job: JobId,
        /// What to draw.
        request: Box<GenerationRequest>,
        /// Stops the job.
        cancel: CancelToken,
    },
    /// Encode a picture with a model's VAE. Its edges are multiples of the format's downscale.
    Encode {
        /// The job's name.
        job: JobId,
        /// Which model's VAE.
        model: ModelChoice,
        /// The picture.
        picture: Picture,
        /// Stops the job.
        cancel: CancelToken,
    },
    /// Decode a latent with a model's VAE.
    Decode {
        /// The job's name.
        job: JobId,
        /// Which model's VAE.
        model: ModelChoice,
        /// The latent, model space.
        latent: Latent,
        /// What differs from how the model was loaded.
        how: DecodeChoice,
        /// Stops the job.
        cancel: CancelToken,
    },
    /// Fit previews to the loaded model's VAE, if it is this model's.
    FitPreview {
        /// The job's name.
        job: JobId,
        /// The model that is thought to be loaded.
        model: ModelChoice,
        /// The folder fits are kept in.
        folder: Option<PathBuf>,
        /// Whether a fit may be computed where none is kept.
        may_compute: bool,
        /// Stops the job.
        cancel: CancelToken,
    },
    /// Change device, number format or threads.
    Configure(EngineSettings),
}

/// What the engine is doing for a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Reading weights: the part's file name, parts done, and parts in all.
    Loading {
        /// The part, such as `unet`.
        part: String,
        /// Parts finished.
        done: usize,
        /// Parts in all.
        total: usize,
    },
    /// Text to embedding.
    EncodingPrompt,
    /// Picture to latent.
    EncodingPicture,
    /// The sampling loop.
    Sampling,
    /// Latent to picture.
    Decoding,
    /// Encoding and decoding what previews are fitted to: pictures done, and pictures in all.
    FittingPreview {
        /// Pictures finished.
        done: usize,
        /// Pictures in all.
        total: usize,
    },
}

/// What the engine tells its client. Only [`Event::StepFinished`] may be dropped when the client is slow.
#[derive(Clone, Debug)]
pub enum Event {
    /// A model is ready.
    ModelLoaded {
        /// The job that loaded it.
        job: JobId,
        /// What is known of it.
        profile: Arc<ModelProfile>,
        /// The device it runs on, for people.
        device: String,
        /// Whether its networks compute in f16 or bf16.
        in_halves: bool,
        /// Seconds it took.
        elapsed_secs: f64,
    },
    /// A job reached a stage.
    StageChanged {
        /// The job.
        job: JobId,
        /// The stage.
        stage: Stage,
    },
    /// A sampling step is done.
    StepFinished {
        /// The job.
        job: JobId,
        /// Steps done, 1 for the first.
        step: usize,
        /// Steps in all.
        steps: usize,
        /// The noise level the step started from (k-diffusion's sigma).
        sigma: f64,
        /// x_t, model space.
        noisy: Latent,
        /// x̂₀, model space.
        denoised: Latent,
        /// Seconds the step took.
        elapsed_secs: f64,
    },
    /// Sampling is over: the result exists, whatever happens to its decoding.
    Sampled {
        /// The job.
        job: JobId,
        /// The final latent, model space.
        latent: Latent,
        /// Every step.
        trajectory: Arc<Trajectory>,
        /// Whether the run was finished early by the user.
        finished_early: bool,
    },
    /// A picture is ready; a `Generate` or `Decode` job is over.
    Decoded {
        /// The job.
        job: JobId,
        /// The picture.
        picture: Picture,
        /// Something the user should know, such as a decode repeated in f32 or in tiles.
        notice: Option<String>,
        /// Seconds for the whole job.
        elapsed_secs: f64,
    },
    /// A picture's latent is ready; an `Encode` job is over.
    Encoded {
        /// The job.
        job: JobId,
        /// The posterior's mean, model space.
        mean: Latent,
        /// The posterior's log-variance as the encoder gives it (VAE space).
        log_variance: Latent,
        /// Seconds for the whole job.
        elapsed_secs: f64,
    },
    /// Previews were fitted, or fitted better after a further picture; a `FitPreview` job is over.
    PreviewFitted {
        /// The job, of whatever kind.
        job: JobId,
        /// The model.
        model: ModelChoice,
        /// The projections.
        fit: Arc<PreviewFit>,
    },
    /// A job is over without a result.
    Failed {
        /// The job.
        job: JobId,
        /// Why.
        failure: Failure,
    },
    /// A job is over because it was stopped.
    Cancelled {
        /// The job.
        job: JobId,
    },
    /// The engine's thread panicked and was started again; the job it had is lost.
    Restarted {
        /// What it said.
        reason: String,
    },
}
