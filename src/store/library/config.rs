//! What a person chose for the library: folders that were added and entries that were taken off the list. Window and
//! command line share the file.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::error::LibraryError;
use crate::content::Content;
use crate::formats::atomic::write_atomically;
use crate::formats::locks::lock_with_timeout;

/// More bytes than any such file has.
const MAX_BYTES: u64 = 16 << 20;

/// The choices. Fields of a newer version are preserved.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LibraryConfig {
    /// Folders that were added, in their order.
    pub folders: Vec<PathBuf>,
    /// Files and folders of entries that are not listed.
    pub removed: Vec<PathBuf>,
    others: Map<String, Value>,
}

impl LibraryConfig {
    /// Reads the choices; the default if there is no file.
    ///
    /// # Errors
    /// [`LibraryError::Config`] for a file that cannot be read or is damaged.
    pub fn load(path: &Path) -> Result<Self, LibraryError> {
        let failed = |reason: String| LibraryError::Config { reason, path: path.to_owned() };
        match std::fs::metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(failed(format!("it cannot be read: {error}"))),
            Ok(data) if !data.is_file() => return Err(failed("it is not a file".to_owned())),
            Ok(data) if data.len() > MAX_BYTES => {
                return Err(failed(format!("it has {} bytes, more than any such file", data.len())));
            }
            Ok(_) => {}
        }
        let bytes = std::fs::read(path).map_err(|error| failed(format!("it cannot be read: {error}")))?;
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(object)) => Self::from_json(object).map_err(failed),
            Ok(_) => Err(failed("it is not a JSON object".to_owned())),
            Err(error) => {
                let content = Content::of(&bytes);
                Err(failed(if content == Content::Json {
                    error.to_string()
                } else {
                    format!("it is {content}")
                }))
            }
        }
    }

    fn from_json(mut others: Map<String, Value>) -> Result<Self, String> {
        let mut paths = |key: &str| -> Result<Vec<PathBuf>, String> {
            let path = |value: Value| match value {
                Value::String(path) => Ok(path.into()),
                value => Err(format!("in ‘{key}’ stands {value}, which is no path")),
            };
            match others.remove(key) {
                None => Ok(Vec::new()),
                Some(Value::Array(values)) => values.into_iter().map(path).collect(),
                Some(_) => Err(format!("‘{key}’ is not a list of paths")),
            }
        };
        Ok(Self { folders: paths("folders")?, removed: paths("removed")?, others })
    }

    /// The content of the file; `None` if a path is no text.
    fn to_json(&self) -> Option<Value> {
        let paths = |paths: &[PathBuf]| -> Option<Value> {
            paths.iter().map(|path| path.to_str().map(Value::from)).collect()
        };
        let mut object = self.others.clone();
        object.insert("folders".to_owned(), paths(&self.folders)?);
        object.insert("removed".to_owned(), paths(&self.removed)?);
        Some(object.into())
    }

    /// Changes the choices in the file, which other processes may change, too. The result of `change` says whether there
    /// is anything to write.
    ///
    /// # Errors
    /// As [`load`](Self::load): a damaged file is never replaced. And if the file cannot be written.
    pub fn edit(path: &Path, change: impl FnOnce(&mut Self) -> bool) -> Result<(), LibraryError> {
        let failed = |reason: String| LibraryError::Config { reason, path: path.to_owned() };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)
                .map_err(|error| failed(format!("its folder cannot be made: {error}")))?;
        }
        // Without a lock the change goes on: file systems without locks are more common than two changes at once.
        let _turn = lock_with_timeout(&path.with_extension("lock"));
        let mut config = Self::load(path)?;
        if !change(&mut config) {
            return Ok(());
        }
        let json = config.to_json().ok_or_else(|| {
            failed("the name of a folder for it is not UTF-8 text; rename that folder".to_owned())
        })?;
        let text = format!("{json:#}");
        write_atomically(path, |file| file.write_all(text.as_bytes())).map_err(LibraryError::Write)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_merged_and_fields_of_a_newer_version_survive() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("safelight/library.json");
        assert_eq!(LibraryConfig::load(&path).unwrap(), LibraryConfig::default());
        for name in ["/a", "/b"] {
            LibraryConfig::edit(&path, |config| {
                config.folders.push(name.into());
                true
            })
            .unwrap();
        }
        assert_eq!(LibraryConfig::load(&path).unwrap().folders, [Path::new("/a"), Path::new("/b")]);
        std::fs::write(&path, r#"{"folders": ["/a"], "starred": ["/x"]}"#).unwrap();
        LibraryConfig::edit(&path, |config| {
            config.removed.push("/c".into());
            true
        })
        .unwrap();
        let written: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(
            (&written["starred"][0], &written["removed"][0]),
            (&Value::from("/x"), &Value::from("/c"))
        );
    }

    #[test]
    fn a_damaged_file_is_named_and_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("library.json");
        for (content, wanted) in [
            (&b"{\"folders\": 7}"[..], "‘folders’ is not a list of paths"),
            (b"{\"removed\": [null]}", "in ‘removed’ stands null, which is no path"),
            (b"[]", "it is not a JSON object"),
            (b"<html>", "it is a web page"),
            (b"", "it is an empty file"),
        ] {
            std::fs::write(&path, content).unwrap();
            let said = LibraryConfig::edit(&path, |_| true).unwrap_err().to_string();
            assert!(said.contains(wanted) && said.contains("library.json"), "{said}");
            assert_eq!(std::fs::read(&path).unwrap(), content);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_path_that_is_no_text_is_refused() {
        use std::os::unix::ffi::OsStrExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("library.json");
        let odd = PathBuf::from(std::ffi::OsStr::from_bytes(b"/a\xff"));
        let said = LibraryConfig::edit(&path, |config| {
            config.folders.push(odd);
            true
        });
        assert!(said.unwrap_err().to_string().contains("not UTF-8"));
        assert!(!path.exists());
    }
}
