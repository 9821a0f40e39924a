//! The work of the thread of the downloads.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, after, bounded, never, select};

use super::asking::{Answer, Asking};
use super::lock::QueueFile;
use super::{DownloadPlace, PROGRESS, Reporter};
use crate::session::downloads::{DownloadsCommand, DownloadsReport, FetchedModel};
use crate::store::hub::{
    Client, Destination, DownloadSet, DownloadState, HubError, Queue, QueueEvent, Source, SystemDisk,
    require_space,
};

pub(super) struct Worker {
    queue: Arc<Queue>,
    asking: Asking,
    models: PathBuf,
    commands: Receiver<DownloadsCommand>,
    events: Receiver<QueueEvent>,
    reporter: Reporter,
    /// When the window is told how far downloads are.
    due: Option<Instant>,
    _queue_file: QueueFile,
}

impl Worker {
    pub(super) fn new(
        place: DownloadPlace,
        commands: Receiver<DownloadsCommand>,
        reporter: Reporter,
    ) -> Self {
        let (sender, events) = bounded(64);
        let queue_file = QueueFile::take(&place.queue_file);
        let client = Client::new(place.environment, place.settings);
        let queue = Arc::new(Queue::open(client, Box::new(SystemDisk), queue_file.path.clone(), sender));
        Self {
            queue,
            asking: Asking::new(),
            models: place.models,
            commands,
            events,
            reporter,
            due: None,
            _queue_file: queue_file,
        }
    }

    /// Works until the window drops its end of the channel.
    pub(super) fn run(mut self) {
        self.list();
        loop {
            let due = self.due.map_or_else(never, |due| after(due.saturating_duration_since(Instant::now())));
            select! {
                recv(self.commands) -> command => match command {
                    Ok(command) => self.carry_out(command),
                    Err(_) => break,
                },
                recv(self.asking.answered) -> answer => if let Ok(answer) = answer {
                    self.answered(answer);
                },
                recv(self.events) -> event => {
                    if let Ok(QueueEvent::Changed(_)) = event {
                        self.finish();
                        self.list();
                    } else {
                        self.due.get_or_insert_with(|| Instant::now() + PROGRESS);
                    }
                }
                recv(due) -> _ => self.say_progress(),
            }
        }
        // What asks the hub may hold the queue for a while longer.
        self.asking.stop_all();
        self.queue.stop();
    }

    fn carry_out(&mut self, command: DownloadsCommand) {
        match command {
            DownloadsCommand::Look(typed) => return self.asking.look(typed, &self.queue),
            DownloadsCommand::StopLooking => return self.asking.stop_looking(),
            DownloadsCommand::Get(wish) => {
                let elsewhere = Destination::Folder(self.models.clone());
                return self.asking.sets(wish, elsewhere, &self.queue);
            }
            DownloadsCommand::StopAsking(name) => return self.asking.stop(&name),
            DownloadsCommand::Pause(ids) => ids.into_iter().for_each(|id| self.queue.pause(id)),
            DownloadsCommand::Resume(ids) => ids.into_iter().for_each(|id| self.queue.resume(id)),
            DownloadsCommand::First(ids) => {
                ids.into_iter().rev().for_each(|id| self.queue.move_to(id, 0));
            }
            DownloadsCommand::Remove(ids) => ids.into_iter().for_each(|id| self.queue.remove(id)),
            DownloadsCommand::KeepToken(token) => {
                let kept = self.queue.client().environment().tokens.keep(&token);
                self.queue.client().token_changed();
                return self.say_token(kept.map(|_| true));
            }
            DownloadsCommand::ForgetToken => {
                let forgotten = self.queue.client().environment().tokens.forget();
                self.queue.client().token_changed();
                return self.say_token(forgotten.map(|()| false));
            }
        }
        self.list();
    }

    fn say_token(&self, result: Result<bool, HubError>) {
        self.reporter.say(match result {
            Ok(has_token) => DownloadsReport::HasToken(has_token),
            Err(error) => DownloadsReport::Failed((&error).into()),
        });
    }

    fn answered(&mut self, answer: Answer) {
        match answer {
            Answer::Looked(_, cancel) | Answer::Sets(_, _, cancel) if cancel.is_stopped() => {}
            Answer::Looked(found, _) => self.reporter.say(DownloadsReport::Looked(found)),
            Answer::Sets(name, sets, _) => {
                self.asking.stop(&name);
                let added = sets.and_then(|sets| self.add(sets).map_err(|error| (&error).into()));
                // Listed first: the window always shows it in one of both lists.
                if added.is_ok() {
                    self.list();
                }
                self.reporter.say(match added {
                    Ok(()) => DownloadsReport::Started(name),
                    Err(why) => DownloadsReport::Refused(name, why),
                });
            }
        }
    }

    /// Adds files to the queue if there is space for all of them.
    fn add(&self, sets: Vec<DownloadSet>) -> Result<(), HubError> {
        let cache = self.queue.cache();
        for set in &sets {
            let folder = match &set.destination {
                Destination::Cache => cache.root(),
                Destination::Folder(folder) => folder,
            };
            let missing = |set: &DownloadSet| -> u64 {
                let of = |file: &Source| {
                    file.size().unwrap_or(0).saturating_sub(cache.bytes_here(file, &set.destination))
                };
                set.files.iter().map(of).sum()
            };
            require_space(&SystemDisk, folder, sets.iter().map(missing).sum())?;
        }
        for set in sets {
            self.queue.add(set);
        }
        Ok(())
    }

    /// Says which models are complete, and takes them off the queue.
    fn finish(&self) {
        for name in self.queue.take_done() {
            let all = self.queue.downloads();
            let (mut ids, mut files) = (Vec::new(), Vec::new());
            for download in all.iter().filter(|download| download.set == name) {
                let DownloadState::Done(fetched) = &download.state else { break };
                ids.push(download.id);
                files.push(fetched.path.clone());
            }
            let count = all.iter().filter(|download| download.set == name).count();
            if count == 0 || ids.len() < count {
                continue;
            }
            for id in ids {
                self.queue.remove(id);
            }
            let root = self.queue.cache().root();
            let is_in_cache = files.first().is_some_and(|file| file.starts_with(root));
            let folder = if is_in_cache { root.to_owned() } else { self.models.clone() };
            self.reporter.say(DownloadsReport::Finished(FetchedModel { name, folder, files }));
        }
    }

    fn list(&mut self) {
        self.due = None;
        self.reporter.say(DownloadsReport::Listed(self.queue.downloads()));
    }

    fn say_progress(&mut self) {
        self.due = None;
        self.reporter.progress(DownloadsReport::Listed(self.queue.downloads()));
    }
}
