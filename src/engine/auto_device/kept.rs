//! The kept verdicts on devices: a small file, with a key for each device, driver and build.

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use crate::formats::atomic::write_atomically;
use crate::models::{BUILD_FEATURES, DeviceIdentity};
use crate::reason::Reason;

/// Most verdicts that are kept; older ones are dropped.
const MOST: usize = 16;

/// A verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeptVerdict {
    /// Why the device is not used; `None` if it passed.
    pub(super) refused: Option<Reason>,
}

/// A verdict and what it holds for.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    device: String,
    driver: String,
    build: String,
    #[serde(flatten)]
    verdict: KeptVerdict,
}

impl Entry {
    fn is_of(&self, identity: &DeviceIdentity, build: &str) -> bool {
        self.device == identity.name && self.driver == identity.driver && self.build == build
    }
}

fn path(folder: &Path) -> PathBuf {
    folder.join("devices.json")
}

/// What tells this build from others: its version, what it has of GPUs, and the size and time of its file.
fn build() -> String {
    let features: Vec<&str> =
        BUILD_FEATURES.iter().filter(|(_, has_it)| *has_it).map(|(name, _)| *name).collect();
    let file = std::env::current_exe().and_then(std::fs::metadata).ok();
    let seconds =
        file.as_ref().and_then(|file| Some(file.modified().ok()?.duration_since(UNIX_EPOCH).ok()?.as_secs()));
    let bytes = file.map_or(0, |file| file.len());
    format!("{} {} {bytes} {}", env!("CARGO_PKG_VERSION"), features.join("+"), seconds.unwrap_or_default())
}

fn entries(folder: &Path) -> Vec<Entry> {
    let read = std::fs::read(path(folder)).ok();
    // A file that is damaged only costs another check.
    read.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

/// The kept verdict on a device; a device without a known driver is checked every time.
pub(super) fn read(folder: &Path, identity: &DeviceIdentity) -> Option<KeptVerdict> {
    let build = build();
    let is_known = !identity.driver.is_empty();
    entries(folder)
        .into_iter()
        .find(|entry| is_known && entry.is_of(identity, &build))
        .map(|entry| entry.verdict)
}

/// Keeps a verdict. A failure is only logged, since it only costs another check.
pub(super) fn write(folder: &Path, identity: &DeviceIdentity, verdict: KeptVerdict) {
    let DeviceIdentity { name: device, driver } = identity.clone();
    let build = build();
    let mut kept = entries(folder);
    kept.retain(|entry| !entry.is_of(identity, &build));
    kept.insert(0, Entry { device, driver, build, verdict });
    kept.truncate(MOST);
    let write = || -> Result<(), Box<dyn std::error::Error>> {
        std::fs::create_dir_all(folder)?;
        let bytes = serde_json::to_vec_pretty(&kept)?;
        write_atomically(&path(folder), |file| std::io::Write::write_all(file, &bytes))?;
        Ok(())
    };
    if let Err(why) = write() {
        log::warn!("the verdict on the device could not be kept: {why}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reason::ReasonKind;

    #[test]
    fn a_verdict_holds_for_one_device_and_one_driver() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("not there yet");
        let of = |name: &str, driver: &str| DeviceIdentity { name: name.into(), driver: driver.into() };
        assert_eq!(read(&folder, &of("A", "1")), None);
        let wrong = KeptVerdict { refused: Some(Reason::new(ReasonKind::DeviceWrong, "wrong")) };
        let passed = KeptVerdict { refused: None };
        write(&folder, &of("A", "1"), wrong.clone());
        write(&folder, &of("B", "1"), passed.clone());
        assert_eq!(read(&folder, &of("A", "1")), Some(wrong));
        assert_eq!(read(&folder, &of("B", "1")), Some(passed.clone()));
        assert_eq!(read(&folder, &of("A", "2")), None);
        write(&folder, &of("A", "1"), passed.clone());
        assert_eq!(read(&folder, &of("A", "1")), Some(passed.clone()));
        for i in 0..MOST {
            write(&folder, &of("C", &i.to_string()), passed.clone());
        }
        assert_eq!(entries(&folder).len(), MOST);
        assert_eq!(read(&folder, &of("A", "1")), None);
        // Without a known driver, an update of it would go unnoticed.
        write(&folder, &of("D", ""), passed);
        assert_eq!(read(&folder, &of("D", "")), None);
        std::fs::write(path(&folder), "no JSON").unwrap();
        assert_eq!(read(&folder, &of("C", "9")), None);
    }
}
