//! The thread that reads and changes the kept runs for the window. The engine writes them.

use std::collections::VecDeque;
use std::path::Path;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::files::show_in_folder;
use super::waker::Waker;
use crate::reason::Reason;
use crate::session::history::{HistoryCommand, HistoryReport, RunId};
use crate::store::history::{History, HistoryError};

/// Commands, and reports, that may wait.
const MAX_WAITING: usize = 256;

/// Moves a folder to the trash.
type ToTrash = fn(&Path) -> Result<(), String>;

/// The history's thread, and the channels to it.
pub(super) struct HistoryThread {
    commands: Option<Sender<HistoryCommand>>,
    reports: Receiver<HistoryReport>,
    sender: Sender<HistoryReport>,
    waker: Waker,
    to_trash: ToTrash,
}

impl HistoryThread {
    /// No history yet: nothing is read until [`of`](Self::of) names one.
    pub(super) fn new(waker: &Waker) -> Self {
        let (sender, reports) = bounded(MAX_WAITING);
        let to_trash = |path: &Path| trash::delete(path).map_err(|error| error.to_string());
        Self { commands: None, reports, sender, waker: waker.clone(), to_trash }
    }

    /// Deletes runs with this in place of the system's trash.
    pub(super) fn deletes_with(&mut self, to_trash: ToTrash) {
        self.to_trash = to_trash;
    }

    /// Sets the history, looks for runs that were interrupted, and removes steps until it is no larger than `limit_bytes`.
    pub(super) fn of(&mut self, history: History, limit_bytes: Option<u64>) {
        let (commands, received) = bounded(MAX_WAITING);
        let worker = Worker {
            history,
            commands: received,
            waiting: VecDeque::new(),
            reports: self.sender.clone(),
            waker: self.waker.clone(),
            to_trash: self.to_trash,
        };
        let thread = std::thread::Builder::new().name("safelight-runs".to_owned());
        match thread.spawn(move || worker.run(limit_bytes)) {
            Ok(_) => self.commands = Some(commands),
            Err(error) => log::error!("no thread for the kept runs could be started: {error}"),
        }
    }

    /// Tells the thread what to do.
    pub(super) fn send(&self, command: HistoryCommand) {
        if let Some(commands) = &self.commands {
            // A queue this long is one of a drive that does not respond; it does not grow.
            let _ = commands.try_send(command);
        }
    }

    /// What it says next, without waiting.
    pub(super) fn next(&self) -> Option<HistoryReport> {
        self.reports.try_recv().ok()
    }
}

struct Worker {
    history: History,
    commands: Receiver<HistoryCommand>,
    /// Thumbnails that are still to be read; other commands come before them.
    waiting: VecDeque<RunId>,
    reports: Sender<HistoryReport>,
    waker: Waker,
    to_trash: ToTrash,
}

impl Worker {
    fn run(mut self, limit_bytes: Option<u64>) {
        match self.history.interrupted() {
            Ok(runs) => self.say(HistoryReport::Interrupted(runs)),
            Err(error) => self.failed(&error),
        }
        if let Some(limit) = limit_bytes
            && let Err(error) = self.history.thin(limit)
        {
            self.failed(&error);
        }
        loop {
            let command = if self.waiting.is_empty() {
                let Ok(command) = self.commands.recv() else { return };
                Some(command)
            } else {
                self.commands.try_recv().ok()
            };
            match command {
                Some(command) => self.execute(command),
                None => self.next_thumbnail(),
            }
        }
    }

    fn execute(&mut self, command: HistoryCommand) {
        match command {
            HistoryCommand::List => match self.history.runs() {
                Ok(list) => self.say(HistoryReport::Listed(list.runs)),
                Err(error) => self.failed(&error),
            },
            HistoryCommand::Open(run, purpose) => match self.history.open_run(&run) {
                Ok(opened) => self.say(HistoryReport::Opened(Box::new(opened), purpose)),
                Err(error) => self.failed(&error),
            },
            HistoryCommand::Moment(run, step, purpose) => match self.history.moment(&run, step) {
                Ok(moment) => self.say(HistoryReport::Moment(Box::new(moment), purpose)),
                Err(error) => self.say(HistoryReport::NoMoment(run, purpose, Reason::from(&error))),
            },
            HistoryCommand::ShowInFolder(run) => show_in_folder(&self.history.folder(&run).join("run.json")),
            // The last ones asked for are in sight now.
            HistoryCommand::Thumbnails(runs) => {
                runs.into_iter().rev().for_each(|run| self.waiting.push_front(run))
            }
            HistoryCommand::SetStars(run, stars) => {
                if let Err(error) = self.history.set_stars(&run, stars) {
                    self.failed(&error);
                }
            }
            HistoryCommand::Delete(runs) => {
                let failed = self.history.delete(&runs, &self.to_trash);
                let deleted: Vec<RunId> =
                    runs.into_iter().filter(|run| failed.iter().all(|(id, _)| id != run)).collect();
                if !deleted.is_empty() {
                    self.say(HistoryReport::Deleted(deleted));
                }
                if let Some((_, error)) = failed.first() {
                    self.failed(error);
                }
            }
        }
    }

    fn next_thumbnail(&mut self) {
        let Some(run) = self.waiting.pop_front() else { return };
        let thumbnail = self.history.thumbnail(&run).unwrap_or_else(|error| {
            log::info!("a thumbnail cannot be read: {error}");
            None
        });
        self.say(HistoryReport::Thumbnail(run, thumbnail));
    }

    fn failed(&self, error: &HistoryError) {
        self.say(HistoryReport::Failed(Reason::from(error)));
    }

    fn say(&self, report: HistoryReport) {
        let _ = self.reports.send(report);
        self.waker.wake();
    }
}
