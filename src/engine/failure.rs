//! Why a job failed, for people: what was tried, why it failed, what to try instead.

use crate::diffusion::DiffusionError;
use crate::models::ModelError;
use crate::store::StoreError;

/// What failed. The words are English; a window has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Task {
    /// Loading a model.
    #[error("The model could not be loaded")]
    LoadModel,
    /// Text to embedding.
    #[error("The prompt could not be encoded")]
    EncodePrompt,
    /// Picture to latent.
    #[error("The picture could not be encoded")]
    EncodePicture,
    /// The source of an image-to-image run to latent.
    #[error("The source picture could not be encoded")]
    EncodeSource,
    /// The sampling loop.
    #[error("Sampling failed")]
    Sample,
    /// Latent to picture.
    #[error("The latent could not be decoded")]
    Decode,
    /// Fitting previews.
    #[error("The preview could not be fitted")]
    FitPreview,
    /// The engine itself.
    #[error("The engine stopped unexpectedly")]
    Run,
}

/// What to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Advice {
    /// The folder is gone.
    #[error("Choose the model's folder again: it was moved or removed.")]
    ChooseFolderAgain,
    /// The folder is no model's.
    #[error("Choose the folder that holds model_index.json, and check that its download is complete.")]
    ChooseModelFolder,
    /// A file cannot be read.
    #[error("Check that the file exists and that you may read it.")]
    CheckFile,
    /// A file is damaged.
    #[error("Download the model again, or choose another one.")]
    DownloadAgain,
    /// No such device.
    #[error("Choose another device in the settings.")]
    OtherDevice,
    /// The decoder gave no numbers.
    #[error("The latent is kept: save it, and try another VAE.")]
    OtherVae,
    /// Latent and model, or size and model, do not fit.
    #[error("Choose a model that fits, or change the size.")]
    ChooseFitting,
    /// Sampling diverged.
    #[error("Try f32, a lower guidance scale, or another sampler.")]
    GentlerSampling,
    /// The choice is not possible.
    #[error("Change the sampler, the schedule or the steps.")]
    ChangeSampling,
    /// Probably no memory.
    #[error("Try a smaller picture; if it happens again, the model may be damaged.")]
    SmallerPicture,
    /// A fault of the program.
    #[error("It was started again; this is a fault of the program, please report it.")]
    Report,
}

/// Why a job failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What failed.
    pub task: Task,
    /// Why: the chain of causes.
    pub why: String,
    /// What to try.
    pub advice: Option<Advice>,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.task, self.why)?;
        self.advice.map_or(Ok(()), |advice| write!(f, " ({advice})"))
    }
}

/// Why a job ended without a result.
pub(super) enum JobError {
    /// It was stopped.
    Cancelled,
    /// It failed.
    Failed(Failure),
}

impl JobError {
    fn failed(task: Task, why: impl std::fmt::Display, advice: Option<Advice>) -> Self {
        Self::Failed(Failure { task, why: why.to_string(), advice })
    }

    /// A model's error during a task.
    pub(super) fn from_model(task: Task, error: ModelError) -> Self {
        let advice = match &error {
            ModelError::Cancelled => return Self::Cancelled,
            ModelError::Store(StoreError::NoFolder(_)) => Some(Advice::ChooseFolderAgain),
            ModelError::Store(StoreError::NotAModel { .. }) => Some(Advice::ChooseModelFolder),
            ModelError::Store(StoreError::Read { .. }) => Some(Advice::CheckFile),
            ModelError::Store(StoreError::Damaged { .. })
            | ModelError::Weights { .. }
            | ModelError::Part { .. }
            | ModelError::Tokenizer { .. } => Some(Advice::DownloadAgain),
            ModelError::Device(_) => Some(Advice::OtherDevice),
            ModelError::NotANumber => Some(Advice::OtherVae),
            ModelError::Mismatch(_) => Some(Advice::ChooseFitting),
            ModelError::Store(_) | ModelError::Tensor(_) => None,
        };
        Self::failed(task, error, advice)
    }

    /// A sampling error.
    pub(super) fn from_sampling(error: DiffusionError) -> Self {
        let advice = match &error {
            DiffusionError::Cancelled => return Self::Cancelled,
            DiffusionError::NonFinite { .. } => Advice::GentlerSampling,
            DiffusionError::Unsupported(_) => Advice::ChangeSampling,
            DiffusionError::Tensor(_) => Advice::SmallerPicture,
        };
        Self::failed(Task::Sample, error, Some(advice))
    }
}
