//! The thread that owns the downloads of models.
//!
//! It is started by the first command, or at the start of the window where an earlier session left downloads: these are
//! shown, paused, and no connection is opened before somebody wants one. When the window closes, what runs stops; what
//! came is kept, and the file of the queue says what is left.

mod asking;
mod lock;
#[cfg(test)]
mod tests;
mod worker;

use std::path::PathBuf;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::waker::Waker;
use crate::session::downloads::{DownloadsCommand, DownloadsReport};
use crate::store::hub::{ClientSettings, HubEnvironment, HubError};

use worker::Worker;

/// How often progress is said at most.
const PROGRESS: Duration = Duration::from_millis(250);

/// What downloads need of the system.
#[derive(Clone, Debug)]
pub(super) struct DownloadPlace {
    pub(super) environment: HubEnvironment,
    pub(super) settings: ClientSettings,
    /// The file of the queue.
    pub(super) queue_file: PathBuf,
    /// The program's own folder of models, for files from elsewhere.
    pub(super) models: PathBuf,
}

impl DownloadPlace {
    /// The user's.
    ///
    /// # Errors
    /// [`HubError::Variable`] for variables of the environment that cannot be used, or an account without a home.
    pub(super) fn of_system() -> Result<Self, HubError> {
        let folders = directories::ProjectDirs::from("", "", "safelight");
        let environment = HubEnvironment::read(folders.as_ref().map(directories::ProjectDirs::config_dir))?;
        let folders = folders.ok_or_else(|| HubError::Variable {
            name: "HOME",
            reason: "this account has no home; set it to a folder".to_owned(),
        })?;
        Ok(Self {
            environment,
            settings: ClientSettings::default(),
            queue_file: folders.data_dir().join("downloads.json"),
            models: folders.data_dir().join("models"),
        })
    }
}

/// The channel to the window.
#[derive(Clone)]
struct Reporter {
    reports: Sender<DownloadsReport>,
    waker: Waker,
}

impl Reporter {
    fn say(&self, report: DownloadsReport) {
        let _ = self.reports.send(report);
        self.waker.wake();
    }

    /// Says how far downloads are; left out where the window has not read the last ones.
    fn progress(&self, report: DownloadsReport) {
        if self.reports.len() < 4 {
            let _ = self.reports.send(report);
            self.waker.wake_after(Duration::from_millis(1));
        }
    }
}

/// The thread of the downloads, and the channels to it.
pub(super) struct DownloadsThread {
    place: Option<Result<DownloadPlace, HubError>>,
    commands: Option<Sender<DownloadsCommand>>,
    reports: Receiver<DownloadsReport>,
    reporter: Reporter,
}

impl DownloadsThread {
    /// No thread yet, and nothing to fetch with until [`of`](Self::of) says what.
    pub(super) fn new(waker: &Waker) -> Self {
        let (sender, reports) = bounded(64);
        let reporter = Reporter { reports: sender, waker: waker.clone() };
        Self { place: None, commands: None, reports, reporter }
    }

    /// Sets what downloads need, and shows what an earlier session left.
    pub(super) fn of(&mut self, place: Result<DownloadPlace, HubError>) {
        if let Ok(place) = &place {
            let has_token = place.environment.tokens.own_file.as_deref().is_some_and(std::path::Path::exists);
            let is_left = place.queue_file.exists();
            self.place = Some(Ok(place.clone()));
            if has_token {
                self.reporter.say(DownloadsReport::HasToken(true));
            }
            if is_left {
                self.commands = self.start();
            }
        } else {
            self.place = Some(place);
        }
    }

    /// Tells the thread what to do, and starts it with the first command.
    pub(super) fn send(&mut self, command: DownloadsCommand) {
        if let Some(Err(error)) = &self.place {
            let why = error.into();
            return self.reporter.say(match command {
                DownloadsCommand::Look(_) => DownloadsReport::Looked(Err(why)),
                DownloadsCommand::Get(wish) => DownloadsReport::Refused(wish.name(), why),
                _ => DownloadsReport::Failed(why),
            });
        }
        if self.commands.is_none() {
            self.commands = self.start();
        }
        if let Some(commands) = &self.commands {
            let _ = commands.try_send(command);
        }
    }

    fn start(&self) -> Option<Sender<DownloadsCommand>> {
        let place = self.place.as_ref()?.as_ref().ok()?.clone();
        let (sender, commands) = bounded(64);
        let reporter = self.reporter.clone();
        let run = move || Worker::new(place, commands, reporter).run();
        let thread = std::thread::Builder::new().name("safelight-downloads".to_owned()).spawn(run);
        match thread {
            Ok(_) => Some(sender),
            Err(error) => {
                log::error!("no thread for downloads could be started: {error}");
                None
            }
        }
    }

    /// What it says next, without waiting.
    pub(super) fn next(&self) -> Option<DownloadsReport> {
        self.reports.try_recv().ok()
    }
}
