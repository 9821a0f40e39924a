//! The folder of a run: its files, and its `run.json`.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value};

use super::error::HistoryError;
use super::record::{RunId, RunRecord};
use crate::formats::atomic::write_atomically;
use crate::formats::latent_file::{latent_from_bytes, write_model_latent};
use crate::formats::locks::{LockAttempt, lock, lock_with_timeout};
use crate::formats::picture::{ReadOptions, picture_from_bytes};
use crate::latent::Latent;
use crate::request::Picture;

/// The number of the format of `run.json`. Higher ones are of later versions of the program.
const FORMAT: u64 = 1;

/// Attempts of a second each to get a turn at changing a record: a slow disk may keep others waiting.
const MAX_TURNS: usize = 10;

/// How long a folder may be without a record: the files of a run are made in far less.
const BEGINNING: Duration = Duration::from_hours(1);

/// The folder of a run.
#[derive(Clone, Debug)]
pub(super) struct RunFolder {
    root: PathBuf,
    id: RunId,
    path: PathBuf,
}

impl RunFolder {
    /// The folder of a run below the root.
    pub(super) fn of(root: &Path, id: &RunId) -> Self {
        Self { root: root.to_owned(), id: id.clone(), path: root.join(id.month()).join(id.as_str()) }
    }

    /// Makes the folder.
    ///
    /// # Errors
    /// As the system says, such as that it exists.
    pub(super) fn make(&self) -> std::io::Result<()> {
        std::fs::create_dir_all(self.month())?;
        std::fs::create_dir(&self.path)
    }

    /// The folder of the month.
    pub(super) fn month(&self) -> PathBuf {
        self.root.join(self.id.month())
    }

    /// Makes the existence of the folder durable. A file system that cannot do so is not a failure.
    pub(super) fn sync(&self) {
        #[cfg(unix)]
        for folder in [&self.path, &self.month(), &self.root] {
            if let Ok(folder) = File::open(folder) {
                let _ = folder.sync_all();
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn record_path(&self) -> PathBuf {
        self.path.join("run.json")
    }

    pub(super) fn steps_path(&self) -> PathBuf {
        self.path.join("steps.bin")
    }

    /// The final latent in model space, exact.
    pub(super) fn final_path(&self) -> PathBuf {
        self.path.join("final.safetensors")
    }

    /// The final latent in VAE space, as other programs read it.
    pub(super) fn final_vae_path(&self) -> PathBuf {
        self.path.join("final.latent")
    }

    pub(super) fn picture_path(&self) -> PathBuf {
        self.path.join("picture.png")
    }

    pub(super) fn thumbnail_path(&self) -> PathBuf {
        self.path.join("thumbnail.png")
    }

    pub(super) fn meaning_path(&self) -> PathBuf {
        self.path.join("meaning.safetensors")
    }

    pub(super) fn source_path(&self) -> PathBuf {
        self.path.join("source.safetensors")
    }

    pub(super) fn source_picture_path(&self) -> PathBuf {
        self.path.join("source.png")
    }

    /// The latent that replaced the estimate at the beginning of a part, by its index.
    pub(super) fn retouched_path(&self, part: usize) -> PathBuf {
        self.path.join(format!("retouched-{part}.safetensors"))
    }

    pub(super) fn no_run(&self) -> HistoryError {
        HistoryError::NoRun { id: self.id.clone(), folder: self.path.clone() }
    }

    /// The error of a file that cannot be read. One that does not exist belongs to a run that does not.
    fn unread(&self, cause: std::io::Error, path: PathBuf) -> HistoryError {
        if cause.kind() == std::io::ErrorKind::NotFound {
            self.no_run()
        } else {
            HistoryError::Read { cause, path }
        }
    }

    /// Takes the lock of the run, which the process that writes it holds.
    ///
    /// # Errors
    /// [`HistoryError::InUse`] and [`HistoryError::NoRun`]. Where there are no locks the run counts as in use: it cannot
    /// be known.
    pub(super) fn lock(&self) -> Result<File, HistoryError> {
        if !self.path.is_dir() {
            return Err(self.no_run());
        }
        // Another process holds it for a moment while it looks for interrupted runs.
        lock_with_timeout(&self.path.join("lock")).ok_or_else(|| HistoryError::InUse(self.path.clone()))
    }

    /// Takes the lock of the run unless another process holds it, or there are no locks here.
    pub(super) fn try_lock(&self) -> Option<File> {
        match lock(&self.path.join("lock")) {
            LockAttempt::Acquired(file) => Some(file),
            LockAttempt::HeldElsewhere | LockAttempt::Failed => None,
        }
    }

    /// Removes the folder if the process that made it was killed before the run began: it is old, has neither a record
    /// nor a result, and nobody holds its lock.
    pub(super) fn remove_if_never_begun(&self) {
        let made = std::fs::metadata(&self.path).and_then(|folder| folder.modified());
        let is_old = made.is_ok_and(|made| made.elapsed().is_ok_and(|age| age > BEGINNING));
        let kept = [self.record_path(), self.final_path(), self.picture_path()];
        if !is_old || kept.iter().any(|path| path.exists()) {
            return;
        }
        // Given back before the folder goes: an open file stops that on Windows.
        if self.try_lock().map(drop).is_some()
            && let Err(error) = std::fs::remove_dir_all(&self.path)
        {
            log::warn!("{} cannot be removed: {error}", self.path.display());
        }
    }

    /// Reads the record.
    ///
    /// # Errors
    /// [`HistoryError::NoRun`], [`HistoryError::Newer`], [`HistoryError::Damaged`] and [`HistoryError::Read`].
    pub(super) fn read_record(&self) -> Result<RunRecord, HistoryError> {
        let path = self.record_path();
        let damaged = |reason: String| HistoryError::Damaged { reason, path: path.clone() };
        let bytes = std::fs::read(&path).map_err(|cause| self.unread(cause, path.clone()))?;
        let mut object: Map<String, Value> =
            serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        match object.shift_remove("format").as_ref().and_then(Value::as_u64) {
            Some(FORMAT) => {}
            Some(found) if found > FORMAT => return Err(HistoryError::Newer { found, path }),
            _ => return Err(damaged("it does not say which format it has".to_owned())),
        }
        let record: RunRecord =
            serde_json::from_value(Value::Object(object)).map_err(|error| damaged(error.to_string()))?;
        if record.id != self.id {
            return Err(damaged(format!("it is that of the run {}", record.id)));
        }
        if record.parts.is_empty() {
            return Err(damaged("it has no part".to_owned()));
        }
        Ok(record)
    }

    /// Writes the record, completely or not at all.
    ///
    /// # Errors
    /// [`HistoryError::Write`].
    pub(super) fn write_record(&self, record: &RunRecord) -> Result<(), HistoryError> {
        let fields = serde_json::to_value(record).expect("every field of a record is JSON");
        let mut object: Map<String, Value> = [("format".to_owned(), FORMAT.into())].into_iter().collect();
        if let Value::Object(fields) = fields {
            object.extend(fields);
        }
        write_atomically(&self.record_path(), |file| {
            serde_json::to_writer_pretty(&mut *file, &object)?;
            file.write_all(b"\n")
        })?;
        Ok(())
    }

    /// Changes the record. Other processes that change it wait.
    ///
    /// # Errors
    /// Those of [`Self::read_record`] and [`Self::write_record`].
    pub(super) fn change_record(&self, change: impl FnOnce(&mut RunRecord)) -> Result<(), HistoryError> {
        // Without locks, or if another process hangs, two changes at once may lose one: better than to lose this one.
        let turns = std::iter::repeat_with(|| lock_with_timeout(&self.root.join("lock"))).take(MAX_TURNS);
        let _turn = turns.flatten().next();
        let mut record = self.read_record()?;
        change(&mut record);
        self.write_record(&record)
    }
}

/// Copies a file of another run, if it has it.
///
/// # Errors
/// [`HistoryError::Write`].
pub(super) fn copy(from: &Path, to: &Path) -> Result<(), HistoryError> {
    match File::open(from) {
        Ok(mut source) => Ok(write_atomically(to, |file| std::io::copy(&mut source, file).map(|_| ()))?),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(cause) => Err(HistoryError::Read { cause, path: from.to_owned() }),
    }
}

/// Writes a latent in model space, exactly.
///
/// # Errors
/// [`HistoryError::Write`].
pub(super) fn write_exact(path: &Path, latent: &Latent) -> Result<(), HistoryError> {
    Ok(write_model_latent(path, latent)?)
}

/// The bytes of a file; `None` if it does not exist.
pub(super) fn bytes_of_file(path: &Path) -> Result<Option<Vec<u8>>, HistoryError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(HistoryError::Read { cause, path: path.to_owned() }),
    }
}

/// The latent of a file; `None` if it does not exist.
///
/// # Errors
/// [`HistoryError::Latent`] and [`HistoryError::Read`].
pub(super) fn read_latent(path: &Path) -> Result<Option<Latent>, HistoryError> {
    let Some(bytes) = bytes_of_file(path)? else { return Ok(None) };
    let read = latent_from_bytes(&bytes);
    read.map(|read| Some(read.latent)).map_err(|error| HistoryError::Latent { error, path: path.to_owned() })
}

/// The picture of a file; `None` if it does not exist.
///
/// # Errors
/// [`HistoryError::Picture`] and [`HistoryError::Read`].
pub(super) fn read_picture(path: &Path) -> Result<Option<Picture>, HistoryError> {
    let Some(bytes) = bytes_of_file(path)? else { return Ok(None) };
    let read = picture_from_bytes(&bytes, &ReadOptions::default());
    read.map(|read| Some(read.picture))
        .map_err(|error| HistoryError::Picture { error, path: path.to_owned() })
}
