//! Background tasks, each on its own thread: reading and writing files, comparing pictures.

use std::path::PathBuf;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::files::Opened;
use super::waker::Waker;
use crate::catalog::ModelSource;
use crate::engine::JobId;
use crate::formats::Comparison;
use crate::reason::Reason;
use crate::session::{DocumentId, PairContent, PairFigures, Recovered};

/// The result of a background task.
pub(super) enum Finished {
    /// A document's file was read.
    Opened(DocumentId, anyhow::Result<Opened>),
    /// A file to start an image-to-image run from was read.
    SourceOpened(anyhow::Result<Opened>),
    /// A file was written. `document` is the document that counts as saved by it, if any.
    Written {
        document: Option<DocumentId>,
        written: anyhow::Result<PathBuf>,
    },
    /// "Save all" finished: each document with the file it was written to.
    AllWritten(Vec<(DocumentId, anyhow::Result<PathBuf>)>),
    /// An autosave finished.
    Autosaved(DocumentId, anyhow::Result<()>),
    /// An animation of a run's development was made.
    ReelMade(Result<PathBuf, Reason>),
    /// A decode was compared with its original.
    Compared(JobId, Option<Box<Comparison>>),
    /// The figures of two that are compared.
    PairMeasured(Box<PairContent>, Box<PairFigures>),
    /// The known models whose VAE has the wanted number of channels.
    ModelsFound(Vec<ModelSource>),
    /// Results recovered from an earlier session, and the errors of those that could not be read.
    Recovered(Vec<Recovered>, Vec<anyhow::Error>),
    SettingsWritten(anyhow::Result<()>),
    /// The debounce delay for changed settings is over.
    SettingsDebounced,
}

/// The running background tasks and the channel of their results.
pub(super) struct Background {
    finished: Option<Receiver<Finished>>,
    finish: Sender<Finished>,
    writers: Vec<JoinHandle<()>>,
    waker: Waker,
}

impl Background {
    pub(super) fn new(waker: &Waker) -> Self {
        let (finish, finished) = bounded(64);
        Self { finished: Some(finished), finish, writers: Vec::new(), waker: waker.clone() }
    }

    /// Starts a task that writes no file. Shutdown does not wait for it, since it may block on a disk that does not
    /// respond.
    pub(super) fn begin(&mut self, work: impl FnOnce() -> Finished + Send + 'static) {
        self.start(work);
    }

    /// Starts a task that writes a file. Shutdown waits for it, so that no file is left incomplete.
    pub(super) fn begin_writing(&mut self, work: impl FnOnce() -> Finished + Send + 'static) {
        self.writers.retain(|thread| !thread.is_finished());
        let thread = self.start(work);
        self.writers.extend(thread);
    }

    fn start(&self, work: impl FnOnce() -> Finished + Send + 'static) -> Option<JoinHandle<()>> {
        let (finish, waker) = (self.finish.clone(), self.waker.clone());
        let run = move || {
            let _ = finish.send(work());
            waker.wake();
        };
        let thread = std::thread::Builder::new().name("safelight-files".to_owned()).spawn(run);
        thread.inspect_err(|error| log::error!("no thread for files could be started: {error}")).ok()
    }

    /// The next finished task, without waiting.
    pub(super) fn next(&mut self) -> Option<Finished> {
        self.finished.as_ref()?.try_recv().ok()
    }

    /// Waits for all writing tasks. Drops the receiver first, so that no task blocks on a full channel.
    pub(super) fn finish_writing(&mut self) {
        self.finished = None;
        for thread in self.writers.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.finish_writing();
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn shutdown_waits_for_writers_but_not_for_a_blocked_reader() {
        let mut background = Background::new(&Waker::new(&egui::Context::default()));
        let (_open, never) = std::sync::mpsc::channel::<()>();
        background.begin(move || {
            let _ = never.recv();
            Finished::ModelsFound(Vec::new())
        });
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("written");
        let path = file.clone();
        background.begin_writing(move || {
            std::thread::sleep(Duration::from_millis(200));
            std::fs::write(&path, b"whole").unwrap();
            Finished::Written { document: None, written: Ok(path) }
        });
        let start = Instant::now();
        drop(background);
        assert_eq!(std::fs::read(file).unwrap(), b"whole");
        assert!(start.elapsed() < Duration::from_secs(20));
    }
}
