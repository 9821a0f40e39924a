//! The source of the engine's models.

use crate::catalog::ModelSource;
use crate::models::{
    FAMILIES, LatentDiffusionModel, ModelError, ModelFamily, ModelSettings, Progress, family_of,
};
use crate::request::CancelToken;
use crate::store::Checkpoint;

/// A source of models; tests replace it.
pub trait ModelHost: Send {
    /// Loads a model; see [`crate::models::load`].
    ///
    /// # Errors
    /// The model's.
    fn load(
        &mut self,
        source: &ModelSource,
        settings: ModelSettings,
        progress: &mut Progress<'_>,
        cancel: &CancelToken,
    ) -> Result<Box<dyn LatentDiffusionModel>, ModelError>;
}

/// Models in folders and the built-in one, of these families.
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
