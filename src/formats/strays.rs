//! Temporary files and folders left by an earlier run that was killed.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

/// Start of the name of a temporary file, which continues with letters and digits and ends in [`SUFFIX`].
pub(super) const PREFIX: &str = ".safelight-";
/// See [`PREFIX`].
pub(super) const SUFFIX: &str = ".tmp";
/// Letters and digits in the name.
pub(super) const RANDOM_LEN: usize = 6;
/// Age at which an unlocked file is a stray: no write takes this long.
const STRAY_AGE: Duration = Duration::from_hours(1);
/// The same on file systems without locks, where only the age decides.
const UNLOCKABLE_STRAY_AGE: Duration = Duration::from_hours(24);

/// Removes strays from a folder, once for each folder, since a folder may be large. A stray that cannot be removed
/// is ignored: it is no reason for a write to fail.
pub(super) fn sweep_once(folder: &Path) {
    static SWEPT: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    let is_new = SWEPT.lock().is_ok_and(|mut swept| swept.insert(folder.to_owned()));
    if is_new {
        sweep(folder);
    }
}

fn sweep(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let is_ours = entry.file_name().to_str().is_some_and(is_temporary_name);
        if is_ours && is_stray(&entry) && remove(&entry).is_ok() {
            log::info!("removed what an earlier run left behind: {}", entry.path().display());
        }
    }
}

fn is_temporary_name(name: &str) -> bool {
    let middle = name.strip_prefix(PREFIX).and_then(|rest| rest.strip_suffix(SUFFIX));
    middle.is_some_and(|m| m.len() == RANDOM_LEN && m.bytes().all(|b| b.is_ascii_alphanumeric()))
}

fn remove(entry: &std::fs::DirEntry) -> std::io::Result<()> {
    if entry.file_type()?.is_dir() {
        std::fs::remove_dir_all(entry.path())
    } else {
        std::fs::remove_file(entry.path())
    }
}

/// Whether an entry is an old regular file that no process has locked, or an old folder.
fn is_stray(entry: &std::fs::DirEntry) -> bool {
    // Metadata of the entry itself: a link with such a name is not ours.
    let Ok(metadata) = entry.metadata() else { return false };
    let Some(age) = metadata.modified().ok().and_then(|time| time.elapsed().ok()) else { return false };
    if metadata.is_dir() {
        // Folders have no locks, and a new file in one makes it young.
        return age >= UNLOCKABLE_STRAY_AGE;
    }
    if !metadata.is_file() || age < STRAY_AGE {
        return false;
    }
    match File::open(entry.path()).map(|file| file.try_lock()) {
        Ok(Ok(())) => true,
        Ok(Err(std::fs::TryLockError::WouldBlock)) => false,
        Ok(Err(std::fs::TryLockError::Error(_))) | Err(_) => age >= UNLOCKABLE_STRAY_AGE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_old_files_of_our_own_that_nobody_writes_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let in_folder = |name: &str| folder.path().join(name);
        let old = std::time::SystemTime::now() - 2 * STRAY_AGE;
        let make = |name: &str, time| {
            let file = File::create(in_folder(name)).unwrap();
            file.set_modified(time).unwrap();
            file
        };
        make(".safelight-AbC123.tmp", old);
        let kept = [
            ".safelight-AbC12.tmp",
            ".safelight-AbC12_.tmp",
            ".safelight-AbC123.tmp.png",
            "safelight-AbC123.tmp",
            "picture.tmp",
        ];
        for name in kept {
            make(name, old);
        }
        make(".safelight-fresh1.tmp", std::time::SystemTime::now());
        let locked = make(".safelight-locked.tmp", old);
        locked.lock().unwrap();
        std::fs::create_dir(in_folder(".safelight-folder.tmp")).unwrap();
        #[cfg(unix)]
        {
            let stray = in_folder(".safelight-oldDir.tmp");
            std::fs::create_dir(&stray).unwrap();
            std::fs::write(stray.join("frame-0001.png"), "").unwrap();
            let days_ago = std::time::SystemTime::now() - 2 * UNLOCKABLE_STRAY_AGE;
            File::open(&stray).unwrap().set_modified(days_ago).unwrap();
        }
        sweep(folder.path());
        let mut left: Vec<_> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        let mut expected: Vec<_> = kept.map(str::to_owned).to_vec();
        expected.extend(
            [".safelight-folder.tmp", ".safelight-fresh1.tmp", ".safelight-locked.tmp"].map(str::to_owned),
        );
        expected.sort();
        assert_eq!(left, expected);
    }
}
