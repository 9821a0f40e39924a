//! The thread that owns the library of models: it searches folders, watches them, and changes what a user chose.
//!
//! It is started by the first command, so that it costs nothing before the library is looked at.

mod beside;
#[cfg(test)]
mod tests;
mod watch;
mod worker;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::waker::Waker;
use crate::request::CancelToken;
use crate::session::library::{LibraryCommand, LibraryReport};
use crate::store::library::{Environment, LibraryPaths};

use worker::Worker;

/// How often progress is said at most.
const PROGRESS: Duration = Duration::from_millis(100);

/// Moves a file or a folder to the trash.
pub(super) type ToTrash = fn(&Path) -> Result<(), String>;

/// Where a library is, and how its files are deleted.
#[derive(Clone)]
pub(super) struct LibraryPlace {
    pub(super) paths: LibraryPaths,
    pub(super) environment: Environment,
    pub(super) to_trash: ToTrash,
}

impl LibraryPlace {
    /// The user's library; `None` if the system names no folders for it.
    pub(super) fn of_system() -> Option<Self> {
        let paths = LibraryPaths::of_system()
            .inspect_err(|error| log::warn!("there is no library of models: {error}"))
            .ok()?;
        let to_trash = |path: &Path| trash::delete(path).map_err(|error| error.to_string());
        Some(Self { paths, environment: Environment::of_process(), to_trash })
    }
}

/// What stops the thread's work: a command of the user, or the end of the window.
#[derive(Clone, Default)]
struct Stops {
    current: Arc<Mutex<CancelToken>>,
    is_over: Arc<AtomicBool>,
}

impl Stops {
    /// A token for the next piece of work.
    fn next(&self) -> CancelToken {
        let token = CancelToken::new();
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = token.clone();
        if self.is_over.load(Ordering::Acquire) {
            token.stop();
        }
        token
    }

    fn stop(&self) {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).stop();
    }
}

/// The channel to the window.
#[derive(Clone)]
struct Reporter {
    reports: Sender<LibraryReport>,
    waker: Waker,
}

impl Reporter {
    fn say(&self, report: LibraryReport) {
        let _ = self.reports.send(report);
        self.waker.wake();
    }

    /// Says how far the work is; left out where the window has not read the last ones.
    fn progress(&self, report: LibraryReport) {
        if self.reports.len() < 4 {
            let _ = self.reports.send(report);
            self.waker.wake_after(PROGRESS);
        }
    }
}

/// The library's thread, and the channels to it.
pub(super) struct LibraryThread {
    place: Option<LibraryPlace>,
    commands: Option<Sender<LibraryCommand>>,
    reports: Receiver<LibraryReport>,
    reporter: Reporter,
    /// Of the search, and of the computing of a hash.
    stops: Stops,
    hash_stops: Stops,
}

impl LibraryThread {
    /// No thread yet, and no library: nothing is searched until [`of`](Self::of) names one.
    pub(super) fn new(waker: &Waker) -> Self {
        let (sender, reports) = bounded(64);
        let reporter = Reporter { reports: sender, waker: waker.clone() };
        Self {
            place: None,
            commands: None,
            reports,
            reporter,
            stops: Stops::default(),
            hash_stops: Stops::default(),
        }
    }

    /// Sets the library, before the first command.
    pub(super) fn of(&mut self, place: Option<LibraryPlace>) {
        self.place = place;
    }

    /// Tells the thread what to do, and starts it with the first command.
    pub(super) fn send(&mut self, command: LibraryCommand) {
        if command == LibraryCommand::Stop {
            return self.stops.stop();
        }
        if command == LibraryCommand::StopHash {
            self.hash_stops.stop();
            return self.reporter.say(LibraryReport::Hashing(None));
        }
        if self.commands.is_none() {
            self.commands = self.start();
        }
        if let Some(commands) = &self.commands {
            // A queue this long is one of a search that does not end; it does not grow.
            let _ = commands.try_send(command);
        }
    }

    fn start(&self) -> Option<Sender<LibraryCommand>> {
        let place = self.place.clone()?;
        let (sender, commands) = bounded(64);
        let (reporter, stops) = (self.reporter.clone(), self.stops.clone());
        let hash_stops = self.hash_stops.clone();
        let run = move || Worker::new(place, commands, reporter, stops, hash_stops).run();
        let thread = std::thread::Builder::new().name("safelight-library".to_owned()).spawn(run);
        match thread {
            Ok(_) => Some(sender),
            Err(error) => {
                log::error!("no thread for the library could be started: {error}");
                None
            }
        }
    }

    /// What it says next, without waiting.
    pub(super) fn next(&self) -> Option<LibraryReport> {
        self.reports.try_recv().ok()
    }
}

impl Drop for LibraryThread {
    /// Ends the thread without waiting for it: it may be blocked by a drive that does not respond.
    fn drop(&mut self) {
        for stops in [&self.stops, &self.hash_stops] {
            stops.is_over.store(true, Ordering::Release);
            stops.stop();
        }
        self.commands = None;
    }
}
