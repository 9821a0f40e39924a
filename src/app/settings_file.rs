//! The settings file: read field by field, backed up if damaged, and merged on write with the changes of other
//! windows.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use directories::ProjectDirs;
use serde_json::{Map, Value};

use super::settings::Settings;
use crate::formats::atomic::write_atomically;
use crate::formats::locks::lock_with_timeout;
use crate::session::{MAX_RECENT_MODELS, Message};
use crate::store::model_json::path_from_json;

/// Upper limit of the file's size, bytes; real settings are a few kilobytes.
const MAX_BYTES: u64 = 4 << 20;

/// The path of the settings file, and the settings as this window last read or wrote them.
#[derive(Clone, Debug)]
pub(super) struct SettingsFile {
    path: PathBuf,
    synced: Settings,
    /// Whether the file's content is damaged. A backup exists, so it may be overwritten.
    is_damaged: bool,
}

/// The path of the settings file.
pub(super) fn path() -> Option<PathBuf> {
    Some(ProjectDirs::from("", "", "safelight")?.config_dir().join("settings.json"))
}

/// Reads the settings. No `SettingsFile` is returned if they cannot be saved; the message says what could not be
/// read.
pub(super) fn load() -> (Settings, Option<SettingsFile>, Option<Message>) {
    match path() {
        Some(path) => load_from(path),
        None => (Settings::default(), None, None),
    }
}

fn load_from(path: PathBuf) -> (Settings, Option<SettingsFile>, Option<Message>) {
    let (settings, damage) = match read(&path) {
        Ok(None) => (Settings::default(), None),
        Ok(Some(object)) => {
            let (settings, fields) = Settings::from_json(&object);
            let why = (!fields.is_empty()).then(|| format!("invalid values: {}", fields.join(", ")));
            (settings, why)
        }
        Err(ReadError::Damaged(why)) => (Settings::default(), Some(why)),
        Err(ReadError::Unreadable(why)) => {
            // A file that cannot be read must not be overwritten.
            return (Settings::default(), None, Some(Message::SettingsUnread(why)));
        }
    };
    let Some(why) = damage else {
        let file = SettingsFile { path, synced: settings.clone(), is_damaged: false };
        return (settings, Some(file), None);
    };
    match back_up(&path) {
        Ok(kept_as) => {
            let file = SettingsFile { path, synced: settings.clone(), is_damaged: true };
            (settings, Some(file), Some(Message::SettingsDamaged { why, kept_as }))
        }
        Err(error) => (settings, None, Some(Message::SettingsUnread(format!("{why}; {error:#}")))),
    }
}

enum ReadError {
    /// The content is not valid settings.
    Damaged(String),
    /// The content could not be read.
    Unreadable(String),
}

fn read(path: &Path) -> Result<Option<Map<String, Value>>, ReadError> {
    let unreadable =
        |why: &dyn std::fmt::Display| ReadError::Unreadable(format!("{why}: {}", path.display()));
    match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(&error)),
        // Opening a pipe would block.
        Ok(metadata) if !metadata.is_file() => return Err(unreadable(&"it is not a file")),
        Ok(_) => {}
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| unreadable(&error))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(ReadError::Damaged(format!("it is longer than {} MiB", MAX_BYTES >> 20)));
    }
    let text =
        std::str::from_utf8(&bytes).map_err(|_| ReadError::Damaged("it is not UTF-8 text".to_owned()))?;
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(Some(object)),
        Ok(_) => Err(ReadError::Damaged("it is not a JSON object".to_owned())),
        Err(error) => Err(ReadError::Damaged(error.to_string())),
    }
}

/// Copies a damaged file to an unused name, so that no earlier backup is lost.
fn back_up(path: &Path) -> anyhow::Result<PathBuf> {
    for number in 1..1000 {
        let end = if number == 1 { "json.damaged".to_owned() } else { format!("json.damaged-{number}") };
        let aside = path.with_extension(end);
        match File::create_new(&aside) {
            Ok(mut copy) => {
                let copied = File::open(path)
                    .and_then(|mut file| std::io::copy(&mut file, &mut copy))
                    .and_then(|_| copy.sync_all());
                if let Err(error) = copied {
                    let _ = std::fs::remove_file(&aside);
                    return Err(error).context("it could not be backed up");
                }
                return Ok(aside);
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).context("it could not be backed up"),
        }
    }
    bail!("it could not be backed up: there are too many damaged settings already")
}

impl SettingsFile {
    /// Whether these settings differ from those on disk, as far as this window knows.
    pub(super) fn differs_from(&self, now: &Settings) -> bool {
        self.is_damaged || self.synced != *now
    }

    /// Records that these settings were written.
    pub(super) fn mark_written(&mut self, now: &Settings) {
        self.synced = now.clone();
        self.is_damaged = false;
    }

    /// Merges the changes since the last write into the file, atomically. Fields that another window changed or a newer
    /// version added are preserved.
    pub(super) fn write(&self, now: &Settings) -> anyhow::Result<()> {
        let folder = self.path.parent().context("the settings have no folder")?;
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        // Serialises windows. Without a lock the write goes on: file systems without locks are more common than two
        // windows writing at the same moment.
        let _turn = lock_with_timeout(&self.path.with_extension("lock"));
        let theirs = match read(&self.path) {
            Ok(object) => object.unwrap_or_default(),
            // A backup was made when the file was read.
            Err(ReadError::Damaged(_)) if self.is_damaged => Map::new(),
            Err(ReadError::Damaged(_)) => {
                back_up(&self.path)?;
                Map::new()
            }
            Err(ReadError::Unreadable(why)) => bail!(why),
        };
        let merged = merge(&self.synced.to_json(), &now.to_json(), theirs);
        let text = serde_json::to_string_pretty(&merged)?;
        write_atomically(&self.path, |file| file.write_all(text.as_bytes()))?;
        Ok(())
    }
}

/// The new content: `theirs` (the file's current content) with the fields that differ between `before` and `now`.
fn merge(
    before: &Map<String, Value>,
    now: &Map<String, Value>,
    mut theirs: Map<String, Value>,
) -> Map<String, Value> {
    for (name, value) in now {
        let changed = before.get(name) != Some(value);
        // Invalid values in the file are always replaced.
        let is_whole = theirs.get(name).is_some_and(|theirs| {
            let alone = Map::from_iter([(name.clone(), theirs.clone())]);
            Settings::from_json(&alone).1.is_empty()
        });
        if !changed && is_whole {
            continue;
        }
        let value = match (name.as_str(), theirs.get(name)) {
            ("recent_models", Some(others)) => union(value, &added(before.get(name), others)),
            _ => value.clone(),
        };
        theirs.insert(name.clone(), value);
    }
    theirs
}

/// The entries of a list that were not in it before: those that are missing now were removed by us.
fn added(before: Option<&Value>, theirs: &Value) -> Value {
    let known = before.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let all = theirs.as_array().map_or(&[][..], Vec::as_slice);
    all.iter().filter(|entry| !known.contains(entry)).cloned().collect()
}

/// The entries of both lists without duplicates, ours first.
fn union(ours: &Value, theirs: &Value) -> Value {
    let entries = |list: &Value| list.as_array().cloned().unwrap_or_default();
    let mut all = entries(ours);
    for entry in entries(theirs) {
        if path_from_json(&entry).is_some() && !all.contains(&entry) {
            all.push(entry);
        }
    }
    all.truncate(MAX_RECENT_MODELS);
    Value::Array(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::ModelSource;
    use crate::panels::Language;

    fn place() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.json");
        (folder, path)
    }

    #[test]
    fn damaged_settings_are_set_aside_and_no_older_copy_is_lost() {
        let (folder, path) = place();
        let mut kept = Vec::new();
        for damage in [&b"{"[..], b"\xff\xfe{}", b"[1]", b"", b"{\"theme\": 7, \"save_metadata\": false}"] {
            std::fs::write(&path, damage).unwrap();
            let (settings, file, message) = load_from(path.clone());
            let Some(Message::SettingsDamaged { kept_as, .. }) = message else { panic!("{message:?}") };
            assert_eq!(std::fs::read(&kept_as).unwrap(), damage);
            kept.push((kept_as, damage));
            assert_eq!(settings.save_metadata, !damage.starts_with(b"{\"theme"), "what is whole is kept");
            let file = file.unwrap();
            assert!(file.differs_from(&settings), "it is written without a further change");
            file.write(&settings).unwrap();
            assert!(load_from(path.clone()).2.is_none());
        }
        for (kept_as, damage) in kept {
            assert_eq!(std::fs::read(kept_as).unwrap(), damage);
        }
        let is_copy = |entry: &std::fs::DirEntry| entry.file_name().to_string_lossy().contains("damaged");
        let copies = std::fs::read_dir(folder.path()).unwrap().flatten().filter(is_copy).count();
        assert_eq!(copies, 5, "one each");
    }

    #[test]
    fn settings_that_cannot_be_read_are_not_replaced() {
        let (_folder, path) = place();
        std::fs::create_dir(&path).unwrap();
        let (_, file, message) = load_from(path);
        assert!(file.is_none() && matches!(message, Some(Message::SettingsUnread(_))), "{message:?}");
    }

    #[test]
    fn two_windows_keep_each_other_s_changes() {
        let (_folder, path) = place();
        let (first, file_1, none) = load_from(path.clone());
        assert!(none.is_none());
        let (second, file_2, _) = load_from(path.clone());
        let first = Settings { recent_models: vec!["/a".into()], language: Language::Korean, ..first };
        let second = Settings {
            recent_models: vec!["/b".into()],
            model: ModelSource::Folder("/b".into()),
            save_metadata: false,
            ..second
        };
        file_1.unwrap().write(&first).unwrap();
        file_2.unwrap().write(&second).unwrap();
        let (both, _, _) = load_from(path);
        assert_eq!(both.recent_models, [PathBuf::from("/b"), "/a".into()]);
        assert_eq!((both.language, both.save_metadata), (Language::Korean, false));
        assert_eq!(both.model, ModelSource::Folder("/b".into()));
    }

    #[test]
    fn forgotten_models_do_not_come_back_and_those_of_another_window_stay() {
        let (_folder, path) = place();
        let (settings, file, _) = load_from(path.clone());
        let known = Settings { recent_models: vec!["/a".into(), "/b".into()], ..settings };
        file.unwrap().write(&known).unwrap();
        let (first, file_1, _) = load_from(path.clone());
        let (second, file_2, _) = load_from(path.clone());
        let second = Settings { recent_models: vec!["/c".into(), "/a".into(), "/b".into()], ..second };
        file_2.unwrap().write(&second).unwrap();
        file_1.unwrap().write(&Settings { recent_models: Vec::new(), ..first }).unwrap();
        assert_eq!(load_from(path).0.recent_models, [PathBuf::from("/c")]);
    }

    #[test]
    fn fields_of_a_newer_version_are_preserved() {
        let (_folder, path) = place();
        std::fs::write(&path, r#"{"later": {"x": 1}, "save_metadata": false}"#).unwrap();
        let (settings, file, message) = load_from(path.clone());
        assert!(message.is_none() && !settings.save_metadata);
        file.unwrap().write(&Settings { language: Language::Korean, ..settings }).unwrap();
        let written: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!((&written["later"]["x"], &written["language"]), (&Value::from(1), &Value::from("korean")));
    }
}
