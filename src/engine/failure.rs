//! Why a job failed, for users: what failed, why, and what to try.

use super::panics::Panicked;
use crate::catalog::PartRole;
use crate::diffusion::DiffusionError;
use crate::latent::NonFiniteError;
use crate::models::{DamagedWeights, ModelError};
use crate::reason::{Reason, ReasonKind};
use crate::store::StoreError;

/// What failed. The messages are English, for the command line; the window translates the variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Task {
    /// Loading a model.
    #[error("The model could not be loaded")]
    LoadModel,
    /// Encoding the prompt.
    #[error("The prompt could not be encoded")]
    EncodePrompt,
    /// Encoding a picture.
    #[error("The picture could not be encoded")]
    EncodePicture,
    /// Encoding the source of an image-to-image run.
    #[error("The source picture could not be encoded")]
    EncodeSource,
    /// The sampling loop.
    #[error("Sampling failed")]
    Sample,
    /// Decoding a latent.
    #[error("The latent could not be decoded")]
    Decode,
    /// Opening a tiny decoder.
    #[error("The tiny decoder could not be used")]
    OpenTinyDecoder,
    /// Fitting previews.
    #[error("The preview could not be fitted")]
    FitPreview,
    /// Finding kept runs by the meaning of their pictures.
    #[error("The pictures could not be searched")]
    FindRuns,
    /// Describing a picture.
    #[error("The picture could not be described")]
    Describe,
    /// The engine itself.
    #[error("The engine stopped unexpectedly")]
    Run,
}

/// What to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Advice {
    /// The folder does not exist.
    #[error("Choose the model's folder again: it was moved or removed.")]
    ChooseFolderAgain,
    /// The folder contains no model.
    #[error("Choose the folder that holds model_index.json, and check that its download is complete.")]
    ChooseModelFolder,
    /// A part of the model is in none of the files.
    #[error("Name a file that has it, or put one beside the model.")]
    NamePart(PartRole),
    /// A file cannot be read.
    #[error("Check that the file exists and that you may read it.")]
    CheckFile,
    /// A file is damaged.
    #[error("Download the model again, or choose another one.")]
    DownloadAgain,
    /// The device is not available.
    #[error("Choose another device in the settings.")]
    OtherDevice,
    /// The decoder gave NaN or infinity.
    #[error("The latent is kept: save it, and try another VAE.")]
    OtherVae,
    /// Latent or size do not fit the model.
    #[error("Choose a model that fits, or change the size.")]
    ChooseFitting,
    /// Sampling diverged.
    #[error("Try f32, a lower guidance scale, or another sampler.")]
    GentlerSampling,
    /// A text encoder overflowed.
    #[error("Choose f32: the values may be too large for another format.")]
    WiderNumbers,
    /// The sampler and schedule do not allow this number of steps.
    #[error("Change the sampler, the schedule or the steps.")]
    ChangeSampling,
    /// Probably out of memory.
    #[error("Try a smaller picture; if it happens again, the model may be damaged.")]
    SmallerPicture,
    /// The available memory is too small.
    #[error("Close other programs, or choose a smaller picture or model.")]
    LessMemory,
    /// The user's limit on memory is too small.
    #[error("Raise the limit on memory in the settings, or choose a smaller picture or model.")]
    MemoryLimit,
    /// The device's memory is too small.
    #[error(
        "What was drawn so far is kept. Close other programs that use the GPU or choose a smaller picture, or choose \
         the processor in the settings and go on with it there."
    )]
    LessDeviceMemory,
    /// The device failed.
    #[error("What was drawn so far is kept. Go on with it on the processor, which the settings can choose.")]
    GoOnOnProcessor,
    /// A bug in the program.
    #[error("The next picture can be drawn all the same; this is a bug of the program, please report it.")]
    Report,
}

/// Why a job failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The task that failed.
    pub task: Task,
    /// Why.
    pub why: Reason,
    /// What to try.
    pub advice: Option<Advice>,
}

impl Failure {
    /// The failure with the damaged weights that are its cause. The latent of a decoder that has some is kept, and may
    /// be decoded by another one.
    pub(super) fn because_of(self, damage: &DamagedWeights) -> Self {
        let advice = self.advice.filter(|advice| *advice == Advice::OtherVae && damage.part == "vae");
        let said = self.why.english();
        let what = said.split_once(':').map_or(said, |(what, _)| what);
        let said = format!("{what}: {damage}");
        let why = self.why.because(damage).said(said);
        Self { why, advice: Some(advice.unwrap_or(Advice::DownloadAgain)), ..self }
    }

    /// The failure of a task that panicked: a bug in the program, or while loading, files that a library cannot handle.
    pub(super) fn of_panic(task: Task, panic: &Panicked) -> Self {
        if task == Task::LoadModel {
            let why =
                format!("one of its files is damaged in an unexpected way (found at {})", panic.location);
            let why = Reason::new(ReasonKind::ModelFileUnexpected, why).with([&panic.location as _]);
            return Self { task, why, advice: Some(Advice::DownloadAgain) };
        }
        let why = format!("{} (at {})", panic.message, panic.location);
        let why = Reason::new(ReasonKind::Bug, &why).with([&why as _]);
        Self { task, why, advice: Some(Advice::Report) }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.task, self.why)?;
        self.advice.map_or(Ok(()), |advice| write!(f, " ({advice})"))
    }
}

impl std::error::Error for Failure {}

/// Why a job ended without a result.
pub(super) enum JobError {
    /// It was stopped.
    Cancelled,
    /// It failed.
    Failed(Failure),
    /// It failed because of values that are no numbers: the model's weights may hold some.
    NonFinite(Failure),
}

impl JobError {
    pub(super) fn failed(task: Task, why: impl Into<Reason>, advice: Option<Advice>) -> Self {
        Self::Failed(Failure { task, why: why.into(), advice })
    }

    /// Maps a model's error to a failure of this task, or to a cancellation.
    pub(super) fn from_model(task: Task, error: ModelError) -> Self {
        let advice = match &error {
            ModelError::Cancelled => return Self::Cancelled,
            ModelError::Store(StoreError::NoFolder(_)) => Some(Advice::ChooseFolderAgain),
            ModelError::Store(StoreError::NotAModel { .. }) => Some(Advice::ChooseModelFolder),
            ModelError::Store(StoreError::MissingPart { role, .. }) => Some(Advice::NamePart(*role)),
            ModelError::Store(StoreError::Read { .. }) => Some(Advice::CheckFile),
            ModelError::Store(StoreError::Damaged { .. } | StoreError::Weights(_))
            | ModelError::Weights(_)
            | ModelError::Part { .. }
            | ModelError::Tokenizer { .. } => Some(Advice::DownloadAgain),
            ModelError::Device(_) => Some(Advice::OtherDevice),
            ModelError::DeviceOutOfMemory { .. } => Some(Advice::LessDeviceMemory),
            ModelError::DeviceLost { .. } => Some(Advice::GoOnOnProcessor),
            ModelError::NotANumber => Some(Advice::OtherVae),
            ModelError::NonFinite { .. } => Some(Advice::WiderNumbers),
            ModelError::Mismatch(_) => Some(Advice::ChooseFitting),
            ModelError::TooLittleMemory { .. } => Some(Advice::LessMemory),
            ModelError::AboveMemoryLimit { .. } => Some(Advice::MemoryLimit),
            ModelError::Store(_)
            | ModelError::Scheduler { .. }
            | ModelError::PromptTooLong { .. }
            | ModelError::TokenWithoutRow { .. }
            | ModelError::Tensor(_) => None,
        };
        match error {
            ModelError::NotANumber | ModelError::NonFinite { .. } => {
                Self::NonFinite(Failure { task, why: Reason::from(&error), advice })
            }
            error => Self::failed(task, &error, advice),
        }
    }

    /// A latent that cannot be decoded.
    pub(super) fn from_latent(error: &NonFiniteError) -> Self {
        let bad: usize = error.counts.iter().map(|(_, count)| count).sum();
        let why = Reason::new(ReasonKind::LatentNonFinite, error).with([&bad as _, &error.len as _]);
        Self::failed(Task::Decode, why, None)
    }

    /// Maps an error of the sampling loop to a failure, or to a cancellation.
    pub(super) fn from_sampling(error: DiffusionError) -> Self {
        let advice = match &error {
            DiffusionError::Cancelled => return Self::Cancelled,
            DiffusionError::NonFinite { .. } => Advice::GentlerSampling,
            DiffusionError::Steps { .. } => Advice::ChangeSampling,
            DiffusionError::Network(_) => Advice::SmallerPicture,
        };
        match error {
            // The error of the model is more specific, and so is its advice.
            DiffusionError::Network(cause) => match cause.downcast::<ModelError>() {
                Ok(error) if !matches!(*error, ModelError::Tensor(_)) => {
                    Self::from_model(Task::Sample, *error)
                }
                Ok(error) => Self::failed(Task::Sample, &*error, Some(advice)),
                Err(cause) => Self::failed(Task::Sample, &DiffusionError::Network(cause), Some(advice)),
            },
            error @ DiffusionError::NonFinite { .. } => Self::NonFinite(Failure {
                task: Task::Sample,
                why: Reason::from(&error),
                advice: Some(advice),
            }),
            error => Self::failed(Task::Sample, &error, Some(advice)),
        }
    }
}
