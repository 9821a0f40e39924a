//! The file of a queue: what a later run of the program goes on with.

use std::io::Write as _;
use std::path::Path;

use super::address::RepositoryId;
use super::source::{Destination, Source};
use crate::reason::Reason;

/// The version of the file.
const VERSION: u32 = 1;

/// What a branch or tag stands for.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Revision {
    /// The repository.
    pub repository: RepositoryId,
    /// The branch or tag.
    pub name: String,
    /// The commit.
    pub commit: String,
}

/// The content of the file.
#[derive(Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct SavedQueue {
    version: u32,
    pub(super) sets: Vec<SavedSet>,
}

/// Files that are wanted together.
#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct SavedSet {
    pub(super) name: String,
    pub(super) revision: Option<Revision>,
    pub(super) destination: Destination,
    pub(super) items: Vec<SavedItem>,
}

/// A file that is not complete.
#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct SavedItem {
    pub(super) source: Source,
    /// Why it failed, if it did.
    pub(super) failure: Option<Reason>,
}

impl SavedQueue {
    pub(super) fn new(sets: Vec<SavedSet>) -> Self {
        Self { version: VERSION, sets }
    }
}

/// Reads the file. What cannot be read, or is of another version, is an empty queue: the parts that came remain, and are
/// used when the files are asked for again.
pub(super) fn read(file: &Path) -> SavedQueue {
    let Ok(bytes) = std::fs::read(file) else { return SavedQueue::default() };
    match serde_json::from_slice::<SavedQueue>(&bytes) {
        Ok(saved) if saved.version == VERSION => saved,
        Ok(saved) => {
            log::warn!("the downloads are noted by another version ({}): {}", saved.version, file.display());
            SavedQueue::default()
        }
        Err(error) => {
            log::warn!("the notes of downloads are damaged ({error}): {}", file.display());
            SavedQueue::default()
        }
    }
}

/// Replaces the file; only its owner can read it, since an address may contain a key.
pub(super) fn write(file: &Path, queue: &SavedQueue) -> std::io::Result<()> {
    if queue.sets.is_empty() {
        return match std::fs::remove_file(file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    }
    let folder = file.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    new.write_all(&serde_json::to_vec_pretty(queue)?)?;
    new.persist(file).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_survives_a_restart_and_a_damaged_file_is_an_empty_queue() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state/downloads.json");
        let source: Source = serde_json::from_str(
            r#"{"direct": {"address": "https://files.example/a.gguf?key=1", "file_name": "a.gguf"}}"#,
        )
        .unwrap();
        let queue = SavedQueue::new(vec![SavedSet {
            name: "a".into(),
            revision: None,
            destination: Destination::Folder("/models".into()),
            items: vec![SavedItem { source, failure: Some("why".into()) }],
        }]);
        write(&file, &queue).unwrap();
        assert_eq!(read(&file), queue);
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replace("a.gguf\"", "../a.gguf\"")).unwrap();
        assert_eq!(read(&file), SavedQueue::default());
        std::fs::write(&file, text.replace("\"version\": 1", "\"version\": 2")).unwrap();
        assert_eq!(read(&file), SavedQueue::default());
        write(&file, &SavedQueue::new(Vec::new())).unwrap();
        assert!(!file.exists());
    }
}
