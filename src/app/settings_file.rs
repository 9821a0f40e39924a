//! The settings file: read with what is whole of it, and written without losing what another window wrote.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use directories::ProjectDirs;
use serde_json::{Map, Value};

use super::locks::lock_soon;
use super::settings::{Settings, path_from_json};
use crate::formats::atomic::write_atomically;
use crate::session::{MAX_RECENT_MODELS, Message};

/// Longer settings are none: eight paths and some words.
const MAX_BYTES: u64 = 4 << 20;

/// The place of the settings, and what they were when they were last read or written here.
#[derive(Clone, Debug)]
pub(super) struct SettingsFile {
    path: PathBuf,
    known: Settings,
    /// Whether what is in the file is damaged; a copy of it was made.
    is_damaged: bool,
}

/// Reads the settings. Without a place for them they are not kept; a message says what could not be read.
pub(super) fn load() -> (Settings, Option<SettingsFile>, Option<Message>) {
    match ProjectDirs::from("", "", "safelight") {
        Some(folders) => load_from(folders.config_dir().join("settings.json")),
        None => (Settings::default(), None, None),
    }
}

fn load_from(path: PathBuf) -> (Settings, Option<SettingsFile>, Option<Message>) {
    let (settings, damage) = match read(&path) {
        Ok(None) => (Settings::default(), None),
        Ok(Some(object)) => {
            let (settings, fields) = Settings::from_json(&object);
            let why =
                (!fields.is_empty()).then(|| format!("no such value is possible: {}", fields.join(", ")));
            (settings, why)
        }
        Err(Unread::Damaged(why)) => (Settings::default(), Some(why)),
        Err(Unread::Unreadable(why)) => {
            // What cannot be read must not be replaced.
            return (Settings::default(), None, Some(Message::SettingsUnread(why)));
        }
    };
    let Some(why) = damage else {
        let file = SettingsFile { path, known: settings.clone(), is_damaged: false };
        return (settings, Some(file), None);
    };
    match set_aside(&path) {
        Ok(kept_as) => {
            let file = SettingsFile { path, known: settings.clone(), is_damaged: true };
            (settings, Some(file), Some(Message::SettingsDamaged { why, kept_as }))
        }
        Err(error) => (settings, None, Some(Message::SettingsUnread(format!("{why}; {error:#}")))),
    }
}

enum Unread {
    /// The content is not what settings are.
    Damaged(String),
    /// The content is not known.
    Unreadable(String),
}

fn read(path: &Path) -> Result<Option<Map<String, Value>>, Unread> {
    let unreadable = |why: &dyn std::fmt::Display| Unread::Unreadable(format!("{why}: {}", path.display()));
    match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(&error)),
        // A pipe would be waited for.
        Ok(metadata) if !metadata.is_file() => return Err(unreadable(&"it is not a file")),
        Ok(_) => {}
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| unreadable(&error))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Unread::Damaged(format!("it is longer than {} MiB", MAX_BYTES >> 20)));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| Unread::Damaged("it is not UTF-8 text".to_owned()))?;
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(Some(object)),
        Ok(_) => Err(Unread::Damaged("it is not a JSON object".to_owned())),
        Err(error) => Err(Unread::Damaged(error.to_string())),
    }
}

/// Copies a damaged file to a name that is free, so that no older copy is lost.
fn set_aside(path: &Path) -> anyhow::Result<PathBuf> {
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
                    return Err(error).context("it could not be set aside");
                }
                return Ok(aside);
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).context("it could not be set aside"),
        }
    }
    bail!("it could not be set aside: there are too many damaged settings already")
}

impl SettingsFile {
    /// Whether these settings are not written yet.
    pub(super) fn differs_from(&self, now: &Settings) -> bool {
        self.is_damaged || self.known != *now
    }

    /// From now on these settings count as written.
    pub(super) fn mark_written(&mut self, now: &Settings) {
        self.known = now.clone();
        self.is_damaged = false;
    }

    /// Writes what was changed here since the last time, whole or not at all. What another window or a newer
    /// version wrote meanwhile stays.
    pub(super) fn write(&self, now: &Settings) -> anyhow::Result<()> {
        let folder = self.path.parent().context("the settings have no folder")?;
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        // Two windows take turns. One that cannot lock writes nevertheless: that is rarer than no locks at all.
        let _turn = lock_soon(&self.path.with_extension("lock"));
        let theirs = match read(&self.path) {
            Ok(object) => object.unwrap_or_default(),
            // There is a copy already, or it was damaged since.
            Err(Unread::Damaged(_)) if self.is_damaged => Map::new(),
            Err(Unread::Damaged(_)) => {
                set_aside(&self.path)?;
                Map::new()
            }
            Err(Unread::Unreadable(why)) => bail!(why),
        };
        let merged = merge(&self.known.to_json(), &now.to_json(), theirs);
        let text = serde_json::to_string_pretty(&merged)?;
        write_atomically(&self.path, |file| file.write_all(text.as_bytes()))?;
        Ok(())
    }
}

/// What is to be in the file: `theirs`, with what differs between `before` and `now`.
fn merge(
    before: &Map<String, Value>,
    now: &Map<String, Value>,
    mut theirs: Map<String, Value>,
) -> Map<String, Value> {
    for (name, value) in now {
        let changed = before.get(name) != Some(value);
        // A field that became damaged has a value no window gave it.
        let is_whole = theirs.get(name).is_some_and(|theirs| {
            let alone = Map::from_iter([(name.clone(), theirs.clone())]);
            Settings::from_json(&alone).1.is_empty()
        });
        if !changed && is_whole {
            continue;
        }
        let value = match (name.as_str(), theirs.get(name)) {
            ("recent_models", Some(others)) => union(value, others),
            _ => value.clone(),
        };
        theirs.insert(name.clone(), value);
    }
    theirs
}

/// The folders of both lists, ours first.
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
    fn what_a_newer_version_wrote_stays() {
        let (_folder, path) = place();
        std::fs::write(&path, r#"{"later": {"x": 1}, "save_metadata": false}"#).unwrap();
        let (settings, file, message) = load_from(path.clone());
        assert!(message.is_none() && !settings.save_metadata);
        file.unwrap().write(&Settings { language: Language::Korean, ..settings }).unwrap();
        let written: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!((&written["later"]["x"], &written["language"]), (&Value::from(1), &Value::from("korean")));
    }
}
