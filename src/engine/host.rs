//! How the engine obtains its models.

use std::path::PathBuf;

use super::auto_device::{AutoDevice, Settled, verdicts_folder};
use crate::catalog::ModelSource;
use crate::models::{
    Devices, FAMILIES, LatentDiffusionModel, ModelError, ModelFamily, ModelSettings, Progress, family_of,
};
use crate::reason::Reason;
use crate::request::{CancelToken, DeviceChoice};
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

    /// The settings with the device that is meant, and the reasons for which GPUs are not used, each said once.
    fn settle_device(
        &mut self,
        settings: ModelSettings,
        _cancel: &CancelToken,
    ) -> (ModelSettings, Vec<Reason>) {
        (settings, Vec::new())
    }

    /// A device has failed while it computed.
    fn device_lost(&mut self) {}
}

/// Loads models of these families from disk, and the built-in one.
pub struct DiskHost {
    families: &'static [&'static dyn ModelFamily],
    auto: AutoDevice,
}

impl DiskHost {
    /// With these families, on this machine's devices.
    pub fn new(families: &'static [&'static dyn ModelFamily]) -> Self {
        Self::on(families, Devices::default(), verdicts_folder())
    }

    /// With these families and devices. `verdicts`: the folder in which the verdicts on GPUs are kept.
    pub fn on(
        families: &'static [&'static dyn ModelFamily],
        devices: Devices,
        verdicts: Option<PathBuf>,
    ) -> Self {
        Self { families, auto: AutoDevice::new(devices, verdicts) }
    }
}

impl Default for DiskHost {
    fn default() -> Self {
        Self::new(FAMILIES)
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
        family_of(self.families, &checkpoint)?.load(&checkpoint, settings, progress, cancel)
    }

    fn settle_device(
        &mut self,
        settings: ModelSettings,
        cancel: &CancelToken,
    ) -> (ModelSettings, Vec<Reason>) {
        let settings = ModelSettings { devices: self.auto.devices(), ..settings };
        if settings.device != DeviceChoice::Auto {
            return (settings, Vec::new());
        }
        let Settled { device, refused } = self.auto.settle(settings.threads, cancel);
        (ModelSettings { device, ..settings }, refused)
    }

    fn device_lost(&mut self) {
        self.auto.give_up_gpus();
    }
}
