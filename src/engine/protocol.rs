//! What crosses between the engine's thread and its clients: plain data only.

use std::path::PathBuf;
use std::sync::Arc;

use super::failure::Failure;
use crate::catalog::{ModelProfile, ModelSource};
use crate::latent::{Latent, Trajectory, TrajectoryStep};
use crate::models::Instructions;
use crate::projection::PreviewFit;
use crate::request::{
    CancelToken, DecodeChoice, DeviceChoice, DtypeChoice, GenerationRequest, Picture, PromptLength,
    TileChoice,
};

/// The id of a job, unique within a session. Clients drop events of unknown jobs.
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
    /// Threads on a processor; `None` for one per core.
    pub threads: Option<usize>,
    /// Instruction set of the processor; `None` for the widest available.
    pub instructions: Option<Instructions>,
}

/// What a client can ask for. The engine carries out one command at a time.
#[derive(Debug)]
pub enum Command {
    /// Run a job.
    Run(Job),
    /// Change device, number format or threads.
    Configure(EngineSettings),
}

/// A task with an id and a cancel token.
#[derive(Debug)]
pub struct Job {
    /// The id in its events.
    pub id: JobId,
    /// Stops it.
    pub cancel: CancelToken,
    /// The task.
    pub kind: JobKind,
}

/// The task of a job.
#[derive(Debug)]
pub enum JobKind {
    /// Load a model in advance of the first picture.
    LoadModel {
        /// Which model.
        model: ModelSource,
    },
    /// Generate one picture.
    Generate {
        /// The settings of the picture.
        request: Box<GenerationRequest>,
    },
    /// Encode a picture with a model's VAE. Its edges are multiples of the format's downscale.
    Encode {
        /// Which model's VAE.
        model: ModelSource,
        /// The picture.
        picture: Picture,
    },
    /// Decode a latent with a model's VAE.
    Decode {
        /// Which model's VAE.
        model: ModelSource,
        /// The latent, model space.
        latent: Latent,
        /// What differs from how the model was loaded.
        how: DecodeChoice,
    },
    /// Count the tokens of a prompt with the loaded model's tokenizer, if that is this model. It is not loaded for it.
    MeasurePrompt {
        /// The model that should be loaded.
        model: ModelSource,
        /// The prompt.
        prompt: String,
    },
    /// Fit previews to the VAE of the loaded model, if that is this model.
    FitPreview {
        /// The model that should be loaded.
        model: ModelSource,
        /// The folder that keeps fits; `None` keeps nothing.
        folder: Option<PathBuf>,
        /// Whether a fit may be computed if none is kept.
        may_compute: bool,
    },
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
    /// Encoding and decoding the data of a preview fit: pictures done, and pictures in all.
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
    /// A model is ready: the answer to every `LoadModel`, even of a model that was already open. Also sent by another
    /// job that had to load its model first.
    ModelLoaded {
        /// The job.
        job: JobId,
        /// Its profile.
        profile: Arc<ModelProfile>,
        /// The name of its device.
        device: String,
        /// Whether its networks compute in f16 or bf16.
        in_halves: bool,
        /// Seconds for loading; about 0 if it was already open.
        elapsed_secs: f64,
    },
    /// A job reached a stage.
    StageChanged {
        /// The job.
        job: JobId,
        /// The stage.
        stage: Stage,
    },
    /// Parts of the request that are not supported, one sentence each.
    Remarks {
        /// The job.
        job: JobId,
        /// The sentences.
        remarks: Vec<String>,
    },
    /// A sampling step is done.
    StepFinished {
        /// The job.
        job: JobId,
        /// The step.
        step: Arc<TrajectoryStep>,
    },
    /// Sampling is over: the latent exists, whether or not it can be decoded.
    ///
    /// A run that fails gives its last estimate, and then [`Event::Failed`] instead of a picture.
    Sampled {
        /// The job.
        job: JobId,
        /// The final latent, or the estimate of the last step that succeeded; model space.
        latent: Latent,
        /// Every step.
        trajectory: Arc<Trajectory>,
        /// Whether the run ended before its last step.
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
    /// The tokens of a prompt were counted; a `MeasurePrompt` job is over.
    PromptMeasured {
        /// The job.
        job: JobId,
        /// Its length; `None` where the model is not loaded or cannot say it.
        length: Option<PromptLength>,
    },
    /// Previews were fitted, or the fit was improved with another picture. Ends a `FitPreview` job.
    PreviewFitted {
        /// The job, of any kind.
        job: JobId,
        /// The model.
        model: ModelSource,
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
    /// A job panicked, which fails only that job; its model is no longer open.
    Restarted {
        /// What it said.
        reason: String,
    },
}
