//! Several downloads: in an order, two at a time, to be paused and resumed, also by a later run of the program.
//!
//! There is no thread while nothing is fetched: a download starts one, which takes the next and ends when there is
//! none.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;

use super::HubError;
use super::cache::HubCache;
use super::client::Client;
use super::disk::Disk;
use super::download::{Download, DownloadId, DownloadSet, DownloadState, QueueEvent};
use super::queue_file::{self, Revision, SavedItem, SavedQueue, SavedSet};
use super::source::{Destination, Fetched, Source, Step};
use super::speed::Speed;
use super::transfer::Transfer;
use crate::request::CancelToken;

/// Downloads at a time.
const AT_A_TIME: usize = 2;
/// Between two events of progress.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

struct Item {
    id: DownloadId,
    set: u64,
    source: Source,
    destination: Destination,
    state: DownloadState,
    received: u64,
    size: Option<u64>,
    speed: Speed,
    /// Of the run in progress; a new one for each, so that a run that is still ending is not taken for the next.
    cancel: CancelToken,
    run: u64,
}

struct Set {
    name: String,
    revision: Option<Revision>,
}

#[derive(Default)]
struct State {
    items: Vec<Item>,
    sets: BTreeMap<u64, Set>,
    /// Names of sets whose files are all here, of which the client does not know yet.
    done: Vec<String>,
    next: u64,
    running: usize,
}

struct Shared {
    client: Client,
    cache: HubCache,
    disk: Box<dyn Disk>,
    file: Option<PathBuf>,
    events: Sender<QueueEvent>,
    state: Mutex<State>,
}

/// A queue of downloads. Dropped, it stops them; what came is kept.
pub struct Queue(Arc<Shared>);

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Queue").field(&self.downloads().len()).finish()
    }
}

impl Queue {
    /// A queue, with what an earlier run of the program left in `file`: those downloads are paused, since no connection
    /// is opened that was not asked for.
    pub fn open(
        client: Client,
        disk: Box<dyn Disk>,
        file: Option<PathBuf>,
        events: Sender<QueueEvent>,
    ) -> Self {
        let cache = HubCache::new(client.environment());
        let saved = file.as_deref().map(queue_file::read).unwrap_or_default();
        let mut state = State::default();
        for set in saved.sets {
            let number = state.next_number();
            for item in set.items {
                let received = received(&cache, &item.source, &set.destination);
                let id = DownloadId(state.next_number());
                state.items.push(Item {
                    id,
                    set: number,
                    size: item.source.size(),
                    source: item.source,
                    destination: set.destination.clone(),
                    state: item.failure.map_or(DownloadState::Paused, DownloadState::Failed),
                    received,
                    speed: Speed::default(),
                    cancel: CancelToken::new(),
                    run: 0,
                });
            }
            state.sets.insert(number, Set { name: set.name, revision: set.revision });
        }
        Self(Arc::new(Shared { client, cache, disk, file, events, state: Mutex::new(state) }))
    }

    /// The client.
    pub fn client(&self) -> &Client {
        &self.0.client
    }

    /// The cache.
    pub fn cache(&self) -> &HubCache {
        &self.0.cache
    }

    /// Adds the files of a set to the end and starts them when their turn comes. A file that is in the queue already is
    /// not added again.
    pub fn add(&self, set: DownloadSet) -> Vec<DownloadId> {
        let mut state = self.0.state();
        let number = state.next_number();
        let mut ids = Vec::new();
        for source in set.files {
            let same = |item: &&mut Item| {
                item.source == source
                    && item.destination == set.destination
                    && !matches!(item.state, DownloadState::Done(_))
            };
            if let Some(item) = state.items.iter_mut().find(same) {
                if matches!(item.state, DownloadState::Paused | DownloadState::Failed(_)) {
                    item.state = DownloadState::Waiting;
                }
                ids.push(item.id);
                continue;
            }
            let id = DownloadId(state.next_number());
            state.items.push(Item {
                id,
                set: number,
                received: received(&self.0.cache, &source, &set.destination),
                size: source.size(),
                source,
                destination: set.destination.clone(),
                state: DownloadState::Waiting,
                speed: Speed::default(),
                cancel: CancelToken::new(),
                run: 0,
            });
            ids.push(id);
        }
        state.sets.insert(number, Set { name: set.name, revision: set.revision });
        self.0.save(&state);
        self.start(state);
        ids
    }

    /// The downloads in their order.
    pub fn downloads(&self) -> Vec<Download> {
        let state = self.0.state();
        let view = |item: &Item| Download {
            id: item.id,
            set: state.sets.get(&item.set).map(|set| set.name.clone()).unwrap_or_default(),
            source: item.source.clone(),
            state: item.state.clone(),
            received: item.received,
            size: item.size,
            bytes_per_sec: if item.state == DownloadState::Running {
                item.speed.bytes_per_sec()
            } else {
                0.0
            },
        };
        state.items.iter().map(view).collect()
    }

    /// Pauses a download that waits or runs.
    pub fn pause(&self, id: DownloadId) {
        self.set_state(id, |item| {
            let active = matches!(
                item.state,
                DownloadState::Waiting | DownloadState::Running | DownloadState::Elsewhere
            );
            if active {
                item.cancel.stop();
                item.state = DownloadState::Paused;
            }
        });
    }

    /// Lets a download that is paused or failed go on.
    pub fn resume(&self, id: DownloadId) {
        self.set_state(id, |item| {
            if matches!(item.state, DownloadState::Paused | DownloadState::Failed(_)) {
                item.state = DownloadState::Waiting;
            }
        });
    }

    /// Moves a download to a position in the order, 0 being the first.
    pub fn move_to(&self, id: DownloadId, position: usize) {
        let mut state = self.0.state();
        if let Some(at) = state.items.iter().position(|item| item.id == id) {
            let item = state.items.remove(at);
            let position = position.min(state.items.len());
            state.items.insert(position, item);
            self.0.save(&state);
        }
    }

    /// Takes a download off the queue and removes what came of it, unless the file is complete.
    pub fn remove(&self, id: DownloadId) {
        let mut state = self.0.state();
        let Some(at) = state.items.iter().position(|item| item.id == id) else { return };
        let item = state.items.remove(at);
        item.cancel.stop();
        state.drop_empty_sets();
        self.0.save(&state);
        drop(state);
        // A run that is still ending removes the part itself.
        if !matches!(item.state, DownloadState::Done(_) | DownloadState::Running) {
            self.0.transfer().discard(&item.source, &item.destination);
        }
        self.0.tell(QueueEvent::Changed(id));
    }

    /// Takes the finished downloads off the queue.
    pub fn clear_done(&self) {
        let mut state = self.0.state();
        state.items.retain(|item| !matches!(item.state, DownloadState::Done(_)));
        state.drop_empty_sets();
        self.0.save(&state);
    }

    /// Whether anything waits or runs.
    pub fn is_active(&self) -> bool {
        let is_active = |item: &Item| {
            matches!(item.state, DownloadState::Waiting | DownloadState::Running | DownloadState::Elsewhere)
        };
        self.0.state().items.iter().any(is_active)
    }

    /// The names of the sets that were completed since the last call.
    pub fn take_done(&self) -> Vec<String> {
        std::mem::take(&mut self.0.state().done)
    }

    /// Ends the runs; what came is kept, and the queue's file says what is left.
    pub fn stop(&self) {
        for item in &self.0.state().items {
            item.cancel.stop();
        }
    }

    /// Threads that fetch.
    pub fn threads(&self) -> usize {
        self.0.state().running
    }

    fn set_state(&self, id: DownloadId, change: impl FnOnce(&mut Item)) {
        let mut state = self.0.state();
        if let Some(item) = state.items.iter_mut().find(|item| item.id == id) {
            change(item);
            self.0.save(&state);
            self.start(state);
            self.0.tell(QueueEvent::Changed(id));
        }
    }

    /// Starts threads for what waits.
    fn start(&self, mut state: MutexGuard<'_, State>) {
        let waiting = state.items.iter().filter(|item| item.state == DownloadState::Waiting).count();
        let started = waiting.min(AT_A_TIME.saturating_sub(state.running));
        for _ in 0..started {
            let shared = self.0.clone();
            let thread = std::thread::Builder::new().name("safelight-download".to_owned());
            if let Err(error) = thread.spawn(move || shared.work()) {
                log::error!("no thread can be started for a download: {error}");
                return;
            }
            state.running += 1;
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.stop();
    }
}

impl State {
    fn next_number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn drop_empty_sets(&mut self) {
        let items = &self.items;
        self.sets.retain(|number, _| items.iter().any(|item| item.set == *number));
    }

    fn item_of_run(&mut self, id: DownloadId, run: u64) -> Option<&mut Item> {
        self.items.iter_mut().find(|item| item.id == id && item.run == run)
    }
}

/// Bytes of a file that have come in an earlier run.
fn received(cache: &HubCache, source: &Source, destination: &Destination) -> u64 {
    match (source, destination) {
        (Source::Hub { repository, hash, .. }, Destination::Cache) => cache.received(repository, hash),
        _ => 0,
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn transfer(&self) -> Transfer<'_> {
        Transfer { client: &self.client, cache: &self.cache, disk: &*self.disk }
    }

    /// Sends an event, unless the channel is full or the client gone.
    fn tell(&self, event: QueueEvent) {
        let _ = self.events.try_send(event);
    }

    /// Fetches what waits, one after the other, and ends.
    fn work(&self) {
        while let Some((id, run, source, destination, cancel)) = self.next() {
            self.tell(QueueEvent::Changed(id));
            let result = self.fetch(id, run, &source, &destination, &cancel);
            self.finish(id, run, &source, &destination, result);
        }
    }

    /// Takes the next download. `None` ends the thread.
    fn next(&self) -> Option<(DownloadId, u64, Source, Destination, CancelToken)> {
        let mut state = self.state();
        let run = state.next_number();
        let Some(item) = state.items.iter_mut().find(|item| item.state == DownloadState::Waiting) else {
            // In the same step as the look, so that what is added later starts a new thread.
            state.running -= 1;
            return None;
        };
        item.state = DownloadState::Running;
        item.cancel = CancelToken::new();
        item.run = run;
        item.speed = Speed::default();
        Some((item.id, run, item.source.clone(), item.destination.clone(), item.cancel.clone()))
    }

    fn fetch(
        &self,
        id: DownloadId,
        run: u64,
        source: &Source,
        destination: &Destination,
        cancel: &CancelToken,
    ) -> Result<Option<Fetched>, HubError> {
        let begun = Instant::now();
        let mut told: Option<Instant> = None;
        self.transfer().fetch(source, destination, cancel, &mut |step| {
            let is_due = told.is_none_or(|told| told.elapsed() >= PROGRESS_INTERVAL);
            let is_complete = matches!(step, Step::Received(received, Some(size)) if received == size);
            if !is_due && !is_complete && step != Step::Waiting {
                return;
            }
            told = Some(Instant::now());
            let mut state = self.state();
            let Some(item) = state.item_of_run(id, run) else { return };
            match step {
                Step::Waiting => item.state = DownloadState::Elsewhere,
                Step::Received(received, size) => {
                    if item.state == DownloadState::Elsewhere {
                        item.state = DownloadState::Running;
                    }
                    (item.received, item.size) = (received, size);
                    item.speed.measure(begun.elapsed(), received);
                }
            }
            drop(state);
            self.tell(if step == Step::Waiting { QueueEvent::Changed(id) } else { QueueEvent::Progress(id) });
        })
    }

    /// Notes the end of a run.
    fn finish(
        &self,
        id: DownloadId,
        run: u64,
        source: &Source,
        destination: &Destination,
        result: Result<Option<Fetched>, HubError>,
    ) {
        let mut state = self.state();
        if state.items.iter().all(|item| item.id != id) {
            drop(state);
            // It was removed while it ran.
            if !matches!(result, Ok(Some(_))) {
                self.transfer().discard(source, destination);
            }
            return;
        }
        // A run that was paused and resumed has been replaced by the next.
        let Some(item) = state.item_of_run(id, run) else { return };
        match result {
            Ok(Some(fetched)) => {
                item.received = item.size.unwrap_or(item.received);
                item.state = DownloadState::Done(fetched);
            }
            // Paused, or already resumed: the state says so.
            Ok(None) => {}
            Err(error) => {
                // A pause while it failed stays a pause.
                if item.state != DownloadState::Paused {
                    item.state = DownloadState::Failed((&error).into());
                }
            }
        }
        let set = item.set;
        let is_done = state
            .items
            .iter()
            .filter(|item| item.set == set)
            .all(|item| matches!(item.state, DownloadState::Done(_)));
        let done =
            state.sets.get(&set).filter(|_| is_done).map(|set| (set.name.clone(), set.revision.clone()));
        self.save(&state);
        drop(state);
        if let Some((_, Some(revision))) = &done
            && *destination == Destination::Cache
            && let Err(error) =
                self.cache.note_revision(&revision.repository, &revision.name, &revision.commit)
        {
            log::warn!("{error}");
        }
        if let Some((name, _)) = done {
            self.state().done.push(name);
        }
        self.tell(QueueEvent::Changed(id));
    }

    /// Writes the queue's file, so that a later run of the program can go on.
    fn save(&self, state: &State) {
        let Some(file) = &self.file else { return };
        let mut sets: Vec<SavedSet> = Vec::new();
        let mut numbers = Vec::new();
        for item in state.items.iter().filter(|item| !matches!(item.state, DownloadState::Done(_))) {
            let at = numbers.iter().position(|number| *number == item.set).unwrap_or_else(|| {
                let set = state.sets.get(&item.set);
                numbers.push(item.set);
                sets.push(SavedSet {
                    name: set.map(|set| set.name.clone()).unwrap_or_default(),
                    revision: set.and_then(|set| set.revision.clone()),
                    destination: item.destination.clone(),
                    items: Vec::new(),
                });
                sets.len() - 1
            });
            let failure = if let DownloadState::Failed(why) = &item.state { Some(why.clone()) } else { None };
            sets[at].items.push(SavedItem { source: item.source.clone(), failure });
        }
        if let Err(error) = queue_file::write(file, &SavedQueue::new(sets)) {
            log::warn!("the downloads cannot be noted for a later run: {error}: {}", file.display());
        }
    }
}
