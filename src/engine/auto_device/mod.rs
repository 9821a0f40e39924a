//! The device that `auto` means: a GPU that has passed a quick check with this driver and this build, or the processor.

mod kept;

use std::path::{Path, PathBuf};

use crate::models::{CheckLimits, CheckedDevice, Devices, Extent, Verdict, check_device};
use crate::reason::{Reason, ReasonKind};
use crate::request::{CancelToken, DeviceChoice};

use kept::KeptVerdict;

/// The choice of a device, which is made once.
pub(super) struct AutoDevice {
    devices: Devices,
    /// The folder of the kept verdicts; `None` to keep none.
    folder: Option<PathBuf>,
    settled: Option<DeviceChoice>,
}

/// A choice.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Settled {
    /// The device.
    pub(super) device: DeviceChoice,
    /// Why GPUs are not used. Said once.
    pub(super) refused: Vec<Reason>,
}

impl AutoDevice {
    pub(super) fn new(devices: Devices, folder: Option<PathBuf>) -> Self {
        Self { devices, folder, settled: None }
    }

    pub(super) fn devices(&self) -> Devices {
        self.devices
    }

    /// The device that `auto` means. The first call may check a GPU, which takes a few seconds.
    pub(super) fn settle(&mut self, threads: Option<usize>, cancel: &CancelToken) -> Settled {
        if let Some(device) = self.settled {
            return Settled { device, refused: Vec::new() };
        }
        let mut refused = Vec::new();
        for gpu in self.devices.0.gpus() {
            match self.judge(gpu, threads, cancel) {
                None => return Settled { device: DeviceChoice::Cpu, refused },
                Some(Ok(())) => {
                    self.settled = Some(gpu);
                    return Settled { device: gpu, refused };
                }
                Some(Err(why)) => refused.push(why),
            }
        }
        self.settled = Some(DeviceChoice::Cpu);
        Settled { device: DeviceChoice::Cpu, refused }
    }

    /// No GPU is chosen any more: one has failed while it computed.
    pub(super) fn give_up_gpus(&mut self) {
        self.settled = Some(DeviceChoice::Cpu);
    }

    /// Whether a GPU may be used, from its kept verdict or a quick check; `None` if the check was stopped.
    fn judge(
        &self,
        gpu: DeviceChoice,
        threads: Option<usize>,
        cancel: &CancelToken,
    ) -> Option<Result<(), Reason>> {
        let identity = self.devices.0.identity(gpu);
        if let Some(kept) = self.folder.as_deref().and_then(|folder| kept::read(folder, &identity)) {
            log::info!("{} was checked before: {kept:?}", identity.name);
            return Some(kept.refused.map_or(Ok(()), Err));
        }
        let limits = CheckLimits { time: std::time::Duration::ZERO, cancel, threads };
        let checked = check_device(self.devices, gpu, Extent::Quick, limits);
        log::info!("{} was checked in {:.1} s: {:?}", identity.name, checked.secs, checked.verdict());
        if let Some(folder) = &self.folder {
            keep_verdict(folder, &checked);
        }
        match refusal(&checked) {
            Some(why) => Some(Err(why)),
            None => checked.verdict().is_pass().then_some(Ok(())),
        }
    }
}

/// Why a device is not used; `None` if it passed, or was not checked to its end.
pub fn refusal(checked: &CheckedDevice) -> Option<Reason> {
    let name = &checked.identity.name;
    match checked.verdict() {
        Verdict::Wrong(finding) => {
            let said = format!("{name} gives wrong results: {finding}");
            let details = [name as _, &finding.what as _, &finding.format as _];
            Some(Reason::new(ReasonKind::DeviceWrong, said).with(details))
        }
        Verdict::NotUsable(why) => {
            let why = format!("{name}: {why}");
            let said = format!("the device cannot be used: {why}");
            Some(Reason::new(ReasonKind::DeviceUnusable, said).with([&why as _]))
        }
        Verdict::Exact | Verdict::WithinTolerance | Verdict::NotChecked => None,
    }
}

/// Keeps the verdict on a device, so that `auto` need not check it again with this driver and this build.
///
/// That it could not be used is not kept: its memory may have been full, or its driver's update half done.
pub fn keep_verdict(folder: &Path, checked: &CheckedDevice) {
    let refused = match checked.verdict() {
        Verdict::Exact | Verdict::WithinTolerance => None,
        Verdict::Wrong(_) => refusal(checked),
        Verdict::NotUsable(_) | Verdict::NotChecked => return,
    };
    kept::write(folder, &checked.identity, KeptVerdict { refused });
}

/// The folder of the kept verdicts on this system.
pub fn verdicts_folder() -> Option<PathBuf> {
    Some(directories::ProjectDirs::from("", "", "safelight")?.cache_dir().to_owned())
}
