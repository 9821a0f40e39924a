//! The machine that the program runs on, and the places of its files.

use super::{fits_folder, recovery, settings_file};
use crate::engine::{EngineSettings, available_bytes, available_threads, describe_devices, total_bytes};
use crate::panels::Surroundings;
use crate::reel::has_ffmpeg;
use crate::request::DeviceChoice;
use crate::store::history::History;

/// What the settings page says of them.
pub(super) fn surroundings() -> Surroundings {
    Surroundings {
        devices: describe_devices(),
        threads: available_threads(),
        free_memory: available_bytes(),
        total_memory: total_bytes(),
        settings_file: settings_file::path(),
        unsaved: recovery::folder(),
        runs: History::folder_of_system(),
        fits: fits_folder(),
        has_ffmpeg: has_ffmpeg(),
    }
}

/// The same settings on a device that this build has: the file may come from another build.
pub(super) fn on_own_device(engine: EngineSettings, devices: &[DeviceChoice]) -> EngineSettings {
    let kind = |device: &DeviceChoice| std::mem::discriminant(device);
    let is_there = devices.iter().any(|device| kind(device) == kind(&engine.device));
    if is_there { engine } else { EngineSettings { device: DeviceChoice::Auto, ..engine } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_the_build_lacks_is_replaced() {
        let on = |device| EngineSettings { device, threads: Some(2), ..EngineSettings::default() };
        let devices = [DeviceChoice::Auto, DeviceChoice::Cpu, DeviceChoice::Cuda(0)];
        assert_eq!(on_own_device(on(DeviceChoice::Cuda(1)), &devices), on(DeviceChoice::Cuda(1)));
        assert_eq!(on_own_device(on(DeviceChoice::Metal), &devices), on(DeviceChoice::Auto));
    }
}
