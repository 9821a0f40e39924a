//! The devices of this machine, through candle.
//!
//! candle's bindings panic where a driver's library is missing or fails in an unexpected way; here that is an error.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use super::adapters::{NVIDIA, adapters};
use super::libraries::libraries;
use super::{DeviceIdentity, DeviceSource};
use crate::models::ModelError;
use crate::networks::ComputeDevice;
use crate::networks::backend::{self, Device};
use crate::networks::checks::panic_words;
use crate::request::DeviceChoice;

/// What of GPUs this build has: name, whether it has it.
pub const BUILD_FEATURES: [(&str, bool); 4] = [
    ("cuda", cfg!(feature = "cuda")),
    ("cudnn", cfg!(feature = "cudnn")),
    ("metal", cfg!(feature = "metal")),
    ("accelerate", cfg!(feature = "accelerate")),
];

/// The machine that the program runs on.
#[derive(Debug)]
pub struct ThisMachine;

impl DeviceSource for ThisMachine {
    fn gpus(&self) -> Vec<DeviceChoice> {
        if cfg!(feature = "cuda") && missing_libraries().is_empty() {
            return vec![DeviceChoice::Cuda(0)];
        }
        if cfg!(feature = "metal") {
            return vec![DeviceChoice::Metal];
        }
        Vec::new()
    }

    fn identity(&self, choice: DeviceChoice) -> DeviceIdentity {
        // Drivers do not change while the program runs, and asking for all adapters takes a while.
        static ADAPTERS: OnceLock<Vec<super::Adapter>> = OnceLock::new();
        let known = || ADAPTERS.get_or_init(adapters).iter().filter(|adapter| !adapter.is_software);
        let (adapter, name) = match choice {
            DeviceChoice::Auto | DeviceChoice::Cpu => return of_processor(),
            DeviceChoice::Cuda(index) => {
                let mut of_nvidia: Vec<_> = known().filter(|adapter| adapter.vendor == NVIDIA).collect();
                of_nvidia.dedup_by(|a, b| a.name == b.name);
                (of_nvidia.get(index).or(of_nvidia.first()).copied(), format!("NVIDIA GPU {index}"))
            }
            DeviceChoice::Metal => {
                (known().find(|adapter| adapter.interface == "Metal"), "Apple GPU".to_owned())
            }
        };
        let driver = adapter.map_or_else(String::new, |adapter| adapter.driver.clone());
        let driver = if driver.is_empty() { version_of_module().unwrap_or_default() } else { driver };
        DeviceIdentity { name: adapter.map_or(name, |adapter| adapter.name.clone()), driver }
    }

    fn open(&self, choice: DeviceChoice) -> Result<Arc<dyn ComputeDevice>, ModelError> {
        match choice {
            DeviceChoice::Auto | DeviceChoice::Cpu => Ok(Arc::new(Device::Cpu)),
            DeviceChoice::Cuda(index) => {
                if !cfg!(feature = "cuda") {
                    return Err(not_built("CUDA", "cuda"));
                }
                let missing = missing_libraries();
                if let Some(first) = missing.first() {
                    return Err(ModelError::Device(first.clone()));
                }
                opened(&format!("the NVIDIA GPU {index}"), || Device::cuda(index))
            }
            DeviceChoice::Metal => {
                if !cfg!(feature = "metal") {
                    return Err(not_built("Metal", "metal"));
                }
                opened("the Apple GPU", || Device::metal(0))
            }
        }
    }
}

fn not_built(name: &str, feature: &str) -> ModelError {
    ModelError::Device(format!(
        "this build has no {name}: build with --features {feature}, or choose the processor (--device cpu)"
    ))
}

/// A sentence for each library that CUDA needs and that is not there.
fn missing_libraries() -> Vec<String> {
    let missing = libraries().into_iter().filter(|library| library.is_needed && library.found.is_none());
    missing
        .map(|library| {
            format!("{} was not found ({}): it comes with {}", library.name, library.file, library.comes_with)
        })
        .collect()
}

/// Opens a device. `name`: for messages.
fn opened(
    name: &str,
    open: impl FnOnce() -> backend::Result<Device>,
) -> Result<Arc<dyn ComputeDevice>, ModelError> {
    let why = match catch_unwind(AssertUnwindSafe(open)) {
        Ok(Ok(device)) => return Ok(Arc::new(device)),
        Ok(Err(error)) => error.words(),
        Err(panic) => panic_words(&*panic),
    };
    let hint = kernel_module().map_or_else(String::new, |why| format!(" ({why})"));
    Err(ModelError::Device(format!("{name} could not be opened: {why}{hint}")))
}

/// What is the matter with the driver's part in the kernel, if anything is.
fn kernel_module() -> Option<&'static str> {
    if !cfg!(all(target_os = "linux", feature = "cuda")) || std::path::Path::new("/dev/dxg").exists() {
        return None;
    }
    match std::fs::File::open("/dev/nvidiactl") {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            Some("this user may not use /dev/nvidiactl")
        }
        Err(_) => Some("/dev/nvidiactl is not there: the driver's kernel module is not loaded"),
        Ok(_) => None,
    }
}

/// The version of NVIDIA's kernel module.
fn version_of_module() -> Option<String> {
    let text = std::fs::read_to_string("/proc/driver/nvidia/version").ok()?;
    let is_version = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.');
    text.split_whitespace().find(is_version).map(str::to_owned)
}

fn of_processor() -> DeviceIdentity {
    let name = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    let name = name.unwrap_or_else(|| format!("Processor ({})", std::env::consts::ARCH));
    DeviceIdentity { name, driver: String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_fails_to_open_is_an_error_even_if_its_driver_panics() {
        let failed = |open: fn() -> backend::Result<Device>| opened("the GPU", open).unwrap_err().to_string();
        let said =
            failed(|| Err(backend::Error::Msg("DriverError(CUDA_ERROR_NO_DEVICE, \"no\")".to_owned())));
        assert!(said.starts_with("the GPU could not be opened: CUDA_ERROR_NO_DEVICE"), "{said}");
        let said = failed(|| panic!("Unable to dynamically load the \"cuda\" shared library"));
        assert!(said.contains("Unable to dynamically load"), "{said}");
    }

    #[test]
    fn a_build_without_a_feature_says_which_one_is_missing() {
        for (choice, feature) in [(DeviceChoice::Cuda(0), "cuda"), (DeviceChoice::Metal, "metal")] {
            if BUILD_FEATURES.contains(&(feature, false)) {
                let error = ThisMachine.open(choice).unwrap_err().to_string();
                assert!(error.contains(&format!("--features {feature}")), "{error}");
            }
        }
    }
}
