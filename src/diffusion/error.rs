//! What can go wrong while sampling.

/// Why a sampling run ended without a latent.
#[derive(Debug, thiserror::Error)]
pub enum DiffusionError {
    /// The job was stopped. Not a failure.
    #[error("stopped")]
    Cancelled,
    /// A latent holds NaN or infinity.
    #[error("step {step} of {steps} gave values that are not numbers ({stage})")]
    NonFinite {
        /// The step, 1 for the first.
        step: usize,
        /// Steps in all.
        steps: usize,
        /// Where they first appeared.
        stage: &'static str,
    },
    /// A setting the mathematics cannot follow.
    #[error("{0}")]
    Unsupported(String),
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}
