//! The engine: a worker thread that receives commands and sends events.
//!
//! [`Engine::send`] and [`Engine::try_next`] never block. Events wait in a bounded channel: a finished step is
//! dropped when the client is slow, every other event waits for the client. Dropping the handle stops the running
//! job and joins the thread.
//!
//! A job that panics fails alone. A refused allocation, however, is not a panic but ends the program: `models` and
//! `formats` therefore compare large allocations with the available memory first.

mod auto_device;
mod failure;
mod host;
mod job;
mod keeping;
mod meanings;
mod outbox;
mod panics;
mod preview_fit;
mod protocol;
mod run_job;
mod run_search;
mod tiny;
mod worker;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use crate::reason::{Reason, ReasonKind};
use crate::request::{CancelToken, Watch, Watched};

pub use crate::diffusion::{Insight, TokenActivity};
pub use crate::models::{
    MemoryNeed, available_bytes, available_threads, describe_devices, memory_need, total_bytes,
};
pub use auto_device::{keep_verdict, refusal, verdicts_folder};
pub use failure::{Advice, Failure, Task};
pub use host::{DiskHost, ModelHost};
pub use preview_fit::cached_fit;
pub use protocol::{Command, EngineSettings, Event, Job, JobId, JobKind, KeepRun, Stage};
pub use run_search::{FoundRuns, Like, RunSearch, RunSearchError};

/// Capacity of the command channel. A client sends a few commands and keeps its own queue.
const MAX_COMMANDS: usize = 64;
/// Capacity of the event channel.
const MAX_EVENTS: usize = 256;
/// Number of cancel tokens that are kept, to stop the newest jobs when the handle is dropped.
const MAX_TOKENS: usize = MAX_COMMANDS + 1;

/// Why a command was not accepted.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SendError {
    /// The command channel is full.
    #[error("the engine has {MAX_COMMANDS} commands waiting already")]
    Full,
    /// The engine's thread has ended.
    #[error("the engine has ended")]
    Gone,
}

/// The handle of the engine's thread.
pub struct Engine {
    commands: Option<Sender<Command>>,
    events: Option<Receiver<Event>>,
    tokens: Mutex<VecDeque<CancelToken>>,
    watch: Watch,
    thread: Option<JoinHandle<()>>,
}

impl Engine {
    /// Starts the engine with models from disk and the built-in one.
    ///
    /// `waker` is called on the engine's thread after each event, for clients that sleep.
    ///
    /// # Errors
    /// If the operating system cannot start the thread.
    pub fn start(
        settings: EngineSettings,
        waker: impl Fn() + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        Self::start_with(Box::new(DiskHost::default()), settings, waker)
    }

    /// Starts the engine with another loader of models.
    ///
    /// # Errors
    /// If the operating system cannot start the thread.
    pub fn start_with(
        host: Box<dyn ModelHost>,
        settings: EngineSettings,
        waker: impl Fn() + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        panics::install_hook();
        let (commands, received) = bounded(MAX_COMMANDS);
        let (sent, events) = bounded(MAX_EVENTS);
        let outbox = outbox::Outbox::new(sent, Arc::new(waker));
        let watch = Watch::default();
        let thread = std::thread::Builder::new().name(panics::ENGINE_THREAD.to_owned()).spawn({
            let watch = watch.clone();
            move || worker::Worker::new(host, settings, watch, outbox).run(&received)
        })?;
        Ok(Self {
            commands: Some(commands),
            events: Some(events),
            tokens: Mutex::new(VecDeque::new()),
            watch,
            thread: Some(thread),
        })
    }

    /// Sends a command without waiting.
    ///
    /// # Errors
    /// [`SendError`] if the channel is full or the engine has ended.
    pub fn send(&self, command: Command) -> Result<(), SendError> {
        let token = match &command {
            Command::Run(job) => Some(job.cancel.clone()),
            Command::Configure(_) | Command::KeepRuns(_) | Command::PlaceRuns(_) => None,
        };
        let commands = self.commands.as_ref().ok_or(SendError::Gone)?;
        commands.try_send(command).map_err(|error| match error {
            TrySendError::Full(_) => SendError::Full,
            TrySendError::Disconnected(_) => SendError::Gone,
        })?;
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.extend(token);
        while tokens.len() > MAX_TOKENS {
            tokens.pop_front();
        }
        Ok(())
    }

    /// Changes what the client is shown of the inside of runs, from the next step of the running one on.
    pub fn watch(&self, watched: Watched) {
        self.watch.set(watched);
    }

    /// The next event, without waiting.
    pub fn try_next(&self) -> Option<Event> {
        self.events.as_ref()?.try_recv().ok()
    }

    /// Waits for the next event. `None` once the engine has ended.
    pub fn next_event(&self) -> Option<Event> {
        self.events.as_ref()?.recv().ok()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        for token in self.tokens.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            token.stop();
        }
        // Without a receiver the worker does not wait to send an event; without a sender its loop ends.
        self.events = None;
        self.commands = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("the engine's thread panicked while it ended");
        }
    }
}

impl From<&SendError> for Reason {
    fn from(error: &SendError) -> Self {
        let kind = match error {
            SendError::Full => ReasonKind::EngineFull,
            SendError::Gone => ReasonKind::EngineGone,
        };
        Self::new(kind, error)
    }
}
