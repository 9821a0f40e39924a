//! Work beside the window: files are read and written, pictures measured, on threads of their own.

use std::path::PathBuf;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::files::Opened;
use super::waker::Waker;
use crate::catalog::ModelSource;
use crate::engine::JobId;
use crate::formats::Comparison;
use crate::session::{DocumentId, Recovered};

/// What came of a piece of work.
pub(super) enum Finished {
    /// A document's file was read.
    Opened(DocumentId, anyhow::Result<Opened>),
    /// A file to start an image-to-image run from was read.
    SourceOpened(anyhow::Result<Opened>),
    /// The document is saved by that, if there is one.
    Written {
        document: Option<DocumentId>,
        written: anyhow::Result<PathBuf>,
    },
    /// Each unsaved document with the file it went to.
    AllWritten(Vec<(DocumentId, anyhow::Result<PathBuf>)>),
    /// A picture was written as soon as it was drawn, or not.
    Autosaved(DocumentId, anyhow::Result<()>),
    Compared(JobId, Option<Box<Comparison>>),
    ModelsFound(Vec<ModelSource>),
    /// Results of an earlier session, and why others could not be read.
    Recovered(Vec<Recovered>, Vec<anyhow::Error>),
    SettingsWritten(anyhow::Result<()>),
    /// Changed settings had time to change further.
    SettingsRested,
}

/// Pieces of work under way.
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

    /// Begins a piece of work that writes no file. The end of the program does not wait for it: what is read may
    /// be a disk that does not answer.
    pub(super) fn begin(&mut self, work: impl FnOnce() -> Finished + Send + 'static) {
        self.start(work);
    }

    /// Begins to write a file; the program ends only after the file is whole.
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

    /// The next piece that is done.
    pub(super) fn next(&mut self) -> Option<Finished> {
        self.finished.as_ref()?.try_recv().ok()
    }

    /// Waits until all that was being written is. Nobody listens any more, so nobody waits to tell.
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
    fn the_end_waits_for_what_is_written_and_not_for_a_reader_that_hangs() {
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
