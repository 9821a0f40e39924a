//! Where the engine's models come from.

use crate::models::{LatentDiffusionModel, ModelError, ModelSettings, load};
use crate::request::{CancelToken, ModelChoice};

/// A source of models. Tests have their own.
pub trait ModelHost: Send {
    /// Loads a model; see [`crate::models::load`].
    fn load(
        &mut self,
        choice: &ModelChoice,
        settings: ModelSettings,
        progress: &mut dyn FnMut(&str, usize, usize),
        cancel: &CancelToken,
    ) -> Result<Box<dyn LatentDiffusionModel>, ModelError>;
}

/// Models from folders and the built-in one.
pub struct DiskHost;

impl ModelHost for DiskHost {
    fn load(
        &mut self,
        choice: &ModelChoice,
        settings: ModelSettings,
        progress: &mut dyn FnMut(&str, usize, usize),
        cancel: &CancelToken,
    ) -> Result<Box<dyn LatentDiffusionModel>, ModelError> {
        load(choice, settings, progress, cancel)
    }
}
