//! The devices of a machine, and how they are opened.

mod adapters;
mod fault;
mod libraries;
mod machine;

use std::fmt;
use std::sync::Arc;

use super::ModelError;
use crate::networks::ComputeDevice;
use crate::request::DeviceChoice;

pub use adapters::{Adapter, adapters};
pub use fault::DeviceFault;
pub use libraries::{Library, libraries};
pub use machine::{BUILD_FEATURES, ThisMachine};

/// What tells one device and its driver from another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceIdentity {
    /// The device's name, such as `NVIDIA GeForce RTX 4090`.
    pub name: String,
    /// The driver's version; empty if it is not known.
    pub driver: String,
}

/// The devices that the networks can run on; tests provide their own.
pub trait DeviceSource: Send + Sync {
    /// The GPUs that this build supports and this machine seems to have. That they open is not said.
    fn gpus(&self) -> Vec<DeviceChoice>;

    /// What is known of a device without opening it.
    fn identity(&self, choice: DeviceChoice) -> DeviceIdentity;

    /// Opens a device; `auto` is the processor, as no GPU was checked here.
    ///
    /// # Errors
    /// [`ModelError::Device`] if the build, the machine or the user's rights lack what it needs.
    fn open(&self, choice: DeviceChoice) -> Result<Arc<dyn ComputeDevice>, ModelError>;
}

/// A source of devices, those of this machine by default.
#[derive(Clone, Copy)]
pub struct Devices(pub &'static dyn DeviceSource);

impl Default for Devices {
    fn default() -> Self {
        Self(&ThisMachine)
    }
}

impl PartialEq for Devices {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::addr_eq(self.0, other.0)
    }
}

impl Eq for Devices {}

impl fmt::Debug for Devices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.gpus()).finish()
    }
}

/// The devices that this build can be told to use. Whether this machine has what they need is said when one is opened.
pub fn describe_devices() -> Vec<DeviceChoice> {
    let mut devices = vec![DeviceChoice::Auto, DeviceChoice::Cpu];
    if cfg!(feature = "cuda") {
        devices.push(DeviceChoice::Cuda(0));
    }
    if cfg!(feature = "metal") {
        devices.push(DeviceChoice::Metal);
    }
    devices
}
