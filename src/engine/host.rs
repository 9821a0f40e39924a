//! How the engine obtains its models.

use crate::catalog::ModelSource;
use crate::models::{
    FAMILIES, LatentDiffusionModel, ModelError, ModelFamily, ModelSettings, Progress, family_of,
};
use crate::request::CancelToken;
use crate::store::Checkpoint;

/// Loads models for the engine; tests provide their own.
pub trait ModelHost: Send {
    /// Loads a model; see [`crate::models::load`].
    ///
    /// # Errors
    /// If the model cannot be loaded, or [`ModelError::Cancelled`].
    fn load(
        &mut self,
        source: &ModelSource,
        settings: ModelSettings,
        progress: &mut Progress<'_>,
        cancel: &CancelToken,
    ) -> Result<Box<dyn LatentDiffusionModel>, ModelError>;
}

/// Loads models of these families from disk, and the built-in one.
pub struct DiskHost(pub &'static [&'static dyn ModelFamily]);

impl Default for DiskHost {
    fn default() -> Self {
        Self(FAMILIES)
    }
}

impl ModelHost for DiskHost {
    fn load(
        &mut self,
        source: &ModelSource,
        settings: ModelSettings,
        progress: &mut Progress<'_>,
        cancel: &CancelToken,
    ) -> Result<Box<dyn LatentDiffusionModel>, ModelError> {
        let checkpoint = Checkpoint::open(source)?;
        family_of(self.0, &checkpoint)?.load(&checkpoint, settings, progress, cancel)
    }
}
