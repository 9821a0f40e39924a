//! Work beside the window: files are read and written, pictures measured, on threads of their own.

use std::path::PathBuf;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::files::Opened;
use crate::engine::JobId;
use crate::formats::Comparison;
use crate::request::ModelChoice;

/// What an opened file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// To be laid open.
    Inspect,
    /// To start an image-to-image run from.
    Source,
}

/// What came of a piece of work.
pub(super) enum Finished {
    Opened {
        wanted_for: Use,
        name: String,
        opened: anyhow::Result<Opened>,
    },
    /// The job is the result's whose picture was saved.
    Written {
        job: Option<JobId>,
        written: anyhow::Result<PathBuf>,
    },
    /// Each unsaved result with the file it went to.
    AllWritten(Vec<(JobId, anyhow::Result<PathBuf>)>),
    Compared(JobId, Option<Box<Comparison>>),
    ModelsFound(Vec<ModelChoice>),
}

/// Pieces of work under way.
pub(super) struct Background {
    finished: Option<Receiver<Finished>>,
    finish: Sender<Finished>,
    threads: Vec<JoinHandle<()>>,
    ctx: egui::Context,
}

impl Background {
    pub(super) fn new(ctx: &egui::Context) -> Self {
        let (finish, finished) = bounded(64);
        Self { finished: Some(finished), finish, threads: Vec::new(), ctx: ctx.clone() }
    }

    /// Begins a piece of work.
    pub(super) fn begin(&mut self, work: impl FnOnce() -> Finished + Send + 'static) {
        self.threads.retain(|thread| !thread.is_finished());
        let (finish, ctx) = (self.finish.clone(), self.ctx.clone());
        let run = move || {
            let _ = finish.send(work());
            ctx.request_repaint();
        };
        match std::thread::Builder::new().name("safelight-files".to_owned()).spawn(run) {
            Ok(thread) => self.threads.push(thread),
            Err(error) => log::error!("no thread for files could be started: {error}"),
        }
    }

    /// The next piece that is done.
    pub(super) fn next(&mut self) -> Option<Finished> {
        self.finished.as_ref()?.try_recv().ok()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // Nobody listens any more, so nobody waits to tell.
        self.finished = None;
        // What is being written is written to its end before the program is.
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
