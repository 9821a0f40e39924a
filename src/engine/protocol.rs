//! Messages between the engine's thread and its clients. Plain data only.

use std::path::PathBuf;
use std::sync::Arc;

use super::failure::Failure;
use super::run_search::{FoundRuns, Like};
use crate::catalog::{ModelProfile, ModelSource};
use crate::diffusion::Insight;
use crate::latent::{Latent, Trajectory, TrajectoryStep};
use crate::models::Instructions;
use crate::projection::{PreviewFit, ProjectionQuality, TinyNetwork};
use crate::reason::Reason;
use crate::request::{
    CancelToken, Continuation, DecodeChoice, DeviceChoice, DtypeChoice, GenerationRequest, Picture,
    PromptLength, PromptTokens, TileChoice, Watched,
};
use crate::store::history::{History, RunGrid, RunId, RunOrigin};

/// The id of a job, unique within a session. Clients drop events of unknown jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(pub u64);

/// Where and within which limits the networks run. A change reloads the model when it is used next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EngineSettings {
    /// The device.
    pub device: DeviceChoice,
    /// The number format.
    pub dtype: DtypeChoice,
    /// Whether pictures are encoded and decoded in tiles.
    pub tiles: TileChoice,
    /// Number of CPU threads; `None` for one per core.
    pub threads: Option<usize>,
    /// Instruction set of the CPU; `None` for the widest available.
    pub instructions: Option<Instructions>,
    /// Main memory that the program may use, bytes; `None` for what the system has.
    pub memory: Option<u64>,
}

/// A request of a client. The engine executes one command at a time.
#[derive(Debug)]
pub enum Command {
    /// Run a job.
    Run(Job),
    /// Change device, number format, threads or memory for the jobs that follow.
    Configure(EngineSettings),
    /// Keep the runs that follow in this history; `None` for no longer.
    KeepRuns(Option<History>),
    /// Place the pictures of kept runs in idle time with the model in this file of weights, so that they are found by
    /// their meaning; `None` for no longer.
    PlaceRuns(Option<PathBuf>),
}

/// A task with an id and a cancel token.
#[derive(Debug)]
pub struct Job {
    /// The id used in its events.
    pub id: JobId,
    /// Stops the job.
    pub cancel: CancelToken,
    /// The task.
    pub kind: JobKind,
}

/// As what the history keeps a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum KeepRun {
    /// Not at all.
    No,
    /// As a new run.
    #[default]
    New,
    /// As a new run that is a picture of a grid.
    InGrid(RunGrid),
    /// As a new run that shares its first steps with a kept one.
    Fork(RunOrigin),
    /// As the interrupted run that it goes on with.
    Again(RunId),
}

/// The task of a job.
#[derive(Debug)]
pub enum JobKind {
    /// Load a model before the first picture.
    LoadModel {
        /// Which model.
        model: ModelSource,
    },
    /// Generate one picture.
    Generate {
        /// The settings of the picture.
        request: Box<GenerationRequest>,
        /// The run it goes on from; `None` for a new one.
        continues: Option<Box<Continuation>>,
        /// As what the history keeps it, if one was given ([`Command::KeepRuns`]).
        keep: KeepRun,
    },
    /// Look into the step after the finished ones of a run. The samplers take those again without the network.
    LookInside {
        /// The settings with which the step was taken.
        request: Box<GenerationRequest>,
        /// The run up to it.
        continues: Box<Continuation>,
        /// What is wanted.
        watched: Watched,
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
        /// Overrides of the settings the model was loaded with.
        how: DecodeChoice,
    },
    /// Decode a latent with a tiny decoder, on the processor. No model is loaded for it.
    DecodeQuickly {
        /// The decoder's file.
        decoder: PathBuf,
        /// The latent, model space.
        latent: Latent,
    },
    /// Open a tiny decoder for the VAE of the loaded model, if that is this model, and measure it against the VAE's own
    /// decodes, if previews were fitted.
    OpenTinyDecoder {
        /// The model that should be loaded.
        model: ModelSource,
        /// The decoder's file.
        decoder: PathBuf,
    },
    /// Count the tokens of a prompt with the loaded model's tokenizer, if that is this model. It is not loaded for it.
    MeasurePrompt {
        /// The model that should be loaded.
        model: ModelSource,
        /// The prompt.
        prompt: String,
    },
    /// Find kept runs by the meaning of their pictures.
    FindRuns {
        /// The file of weights of a model that finds pictures.
        weights: PathBuf,
        /// What they are found by.
        like: Box<Like>,
    },
    /// Describe a picture in words.
    Describe {
        /// The file of weights of a model that describes pictures.
        weights: PathBuf,
        /// The picture.
        picture: Picture,
    },
    /// Fit previews to the VAE of the loaded model, if that is this model.
    FitPreview {
        /// The model that should be loaded.
        model: ModelSource,
        /// The cache folder for fits; `None` for no cache.
        folder: Option<PathBuf>,
        /// Whether a fit may be computed if none is cached.
        may_compute: bool,
    },
}

/// The current stage of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Reading weights.
    Loading {
        /// The part, such as `unet`.
        part: String,
        /// Parts finished.
        done: usize,
        /// Parts in total.
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
    /// Encoding and decoding the data of a preview fit.
    FittingPreview {
        /// Pictures finished.
        done: usize,
        /// Pictures in total.
        total: usize,
    },
}

/// A message to the client. Only [`Event::StepFinished`] may be dropped when the client is slow.
#[derive(Clone, Debug)]
pub enum Event {
    /// A model is ready. Sent for every `LoadModel`, even if the model was already loaded, and by other jobs that had
    /// to load their model first.
    ModelLoaded {
        /// The job.
        job: JobId,
        /// The model's profile.
        profile: Arc<ModelProfile>,
        /// The name of its device.
        device: String,
        /// Whether its networks compute in f16 or bf16.
        in_halves: bool,
        /// Loading time, seconds; about 0 if it was already loaded.
        elapsed_secs: f64,
    },
    /// A GPU is not used, although `auto` would choose one: it gives wrong results, or does not open. The model is
    /// loaded on the processor.
    DeviceRefused {
        /// The job that loads the model.
        job: JobId,
        /// Why.
        why: Reason,
    },
    /// A job entered a stage.
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
        /// The sentences, English.
        remarks: Vec<String>,
    },
    /// The history keeps the run from here on, under this id.
    RunKept {
        /// The job.
        job: JobId,
        /// The run.
        run: RunId,
    },
    /// The run, or a part of it, could not be kept: the reason. It goes on.
    RunNotKept {
        /// The job.
        job: JobId,
        /// Why.
        why: Reason,
    },
    /// A sampling step is done.
    StepFinished {
        /// The job.
        job: JobId,
        /// The step.
        step: Arc<TrajectoryStep>,
    },
    /// The watched maps of a step were recorded. Sent before the step is finished.
    SeenInside {
        /// The job.
        job: JobId,
        /// The number of the step, from 1.
        step: usize,
        /// The maps.
        insight: Arc<Insight>,
    },
    /// Ends a `LookInside` job.
    LookedInside {
        /// The job.
        job: JobId,
    },
    /// Sampling is finished: the latent exists, whether or not it can be decoded.
    ///
    /// A run that fails sends its last estimate, and then [`Event::Failed`] instead of a picture.
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
    /// A picture is ready. Ends a `Generate` or `Decode` job.
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
    /// A picture's latent is ready. Ends an `Encode` job.
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
        /// Its tokens, likewise.
        tokens: Option<Arc<PromptTokens>>,
    },
    /// Runs were found. Ends a `FindRuns` job.
    RunsFound {
        /// The job.
        job: JobId,
        /// The runs.
        found: FoundRuns,
    },
    /// A picture was described. Ends a `Describe` job.
    Described {
        /// The job.
        job: JobId,
        /// What is in it; may be empty.
        words: String,
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
    /// A tiny decoder is open. It is measured now.
    TinyDecoderOpened {
        /// The job.
        job: JobId,
        /// The decoder's weights for the preview shader; `None` for a network that the shader does not draw.
        network: Option<Arc<TinyNetwork>>,
    },
    /// A tiny decoder was measured. Ends an `OpenTinyDecoder` job.
    TinyDecoderMeasured {
        /// The job.
        job: JobId,
        /// How its pictures agree with the VAE's; `None` without a preview fit.
        quality: Option<ProjectionQuality>,
    },
    /// A job failed.
    Failed {
        /// The job.
        job: JobId,
        /// What failed, why, and what to try.
        failure: Failure,
    },
    /// A job was stopped.
    Cancelled {
        /// The job.
        job: JobId,
    },
    /// A job panicked, after its [`Event::Failed`]. The model was dropped.
    Restarted {
        /// The panic message.
        reason: String,
    },
}
