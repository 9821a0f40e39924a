//! Fetching one file: the whole way from its address to its place.
//!
//! What came is kept until it is complete, also after the program was killed, and the next run asks for the rest. A
//! file gets its name only after its length and hash were found to be those that the hub lists.

use std::path::{Path, PathBuf};

use super::HubError;
use super::address::{RepositoryId, RepositoryPath};
use super::cache::HubCache;
use super::client::{Answer, Client, Rest};
use super::disk::{Disk, check_space};
use super::hash::{ContentHash, Hasher};
use super::lock;
use super::part::{PIECE, Part};
use super::web_address::WebAddress;
use crate::request::CancelToken;

/// How often a file may change on the server while it is fetched.
const MAX_CHANGES: u32 = 3;

/// A file to fetch.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A file of a repository, as the hub lists it.
    Hub {
        /// The repository.
        repository: RepositoryId,
        /// The commit.
        commit: String,
        /// The file's path.
        path: RepositoryPath,
        /// Its size, bytes.
        size: u64,
        /// Its hash.
        hash: ContentHash,
    },
    /// A file elsewhere, of which nothing is known.
    Direct {
        /// Its address.
        address: WebAddress,
        /// The name under which it is kept.
        file_name: RepositoryPath,
    },
}

impl Source {
    /// The name shown for it.
    pub fn name(&self) -> &str {
        match self {
            Self::Hub { path, .. } => path.as_str(),
            Self::Direct { file_name, .. } => file_name.as_str(),
        }
    }

    /// Its size if it is known, bytes.
    pub fn size(&self) -> Option<u64> {
        match self {
            Self::Hub { size, .. } => Some(*size),
            Self::Direct { .. } => None,
        }
    }
}

/// Where a file goes.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Destination {
    /// The cache that programs share; only for files of a repository.
    Cache,
    /// A folder, under the file's own path.
    Folder(PathBuf),
}

/// What happens to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Another program is fetching it.
    Waiting,
    /// This much is here, of this much if it is known, bytes.
    Received(u64, Option<u64>),
}

/// A file that is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Its path.
    pub path: PathBuf,
    /// The hash of its content; `None` if it was here before.
    pub hash: Option<ContentHash>,
}

/// What fetching needs.
#[derive(Clone, Copy)]
pub struct Transfer<'a> {
    /// The client.
    pub client: &'a Client,
    /// The cache.
    pub cache: &'a HubCache,
    /// The disk.
    pub disk: &'a dyn Disk,
}

/// The files of a download.
struct Places {
    part: PathBuf,
    lock: PathBuf,
    /// What is remembered of a file without a hash.
    note: Option<PathBuf>,
}

/// What is remembered of a file of which the server told no hash, so that a later run knows whether it is the same.
#[derive(Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Note {
    address: String,
    validator: Option<String>,
    size: Option<u64>,
}

/// The end of one request.
enum End {
    Complete,
    Stopped,
    /// The server has another file than before.
    Changed,
}

impl Transfer<'_> {
    /// Fetches a file. Blocks; calls `watch` as it goes. `None` if it was stopped: what came is kept.
    ///
    /// # Errors
    /// [`HubError`]; what came is kept where it may be used later.
    pub fn fetch(
        &self,
        source: &Source,
        destination: &Destination,
        cancel: &CancelToken,
        watch: &mut dyn FnMut(Step),
    ) -> Result<Option<Fetched>, HubError> {
        match (source, destination) {
            (Source::Hub { repository, commit, path, hash, .. }, Destination::Cache) => {
                let file = self.cache.file(repository, commit, path);
                if file.is_file() {
                    return Ok(Some(Fetched { path: file, hash: None }));
                }
                self.cache.prepare(repository, commit, path, hash)?;
                let places = Places {
                    part: self.cache.part(repository, hash),
                    lock: self.cache.lock(repository, hash),
                    note: None,
                };
                let Some(_lock) = lock::take(&places.lock, cancel, || watch(Step::Waiting))? else {
                    return Ok(None);
                };
                let blob = self.cache.blob(repository, hash);
                let mut is_new = false;
                if !blob.is_file() && !file.is_file() {
                    is_new = true;
                    if self.fetch_file(source, &places, &blob, cancel, watch)?.is_none() {
                        return Ok(None);
                    }
                }
                let file = self.cache.place(repository, commit, path, hash, is_new)?;
                Ok(Some(Fetched { path: file, hash: is_new.then(|| hash.clone()) }))
            }
            (Source::Direct { .. }, Destination::Cache) => Err(HubError::Address {
                typed: source.name().to_owned(),
                reason: "a file from elsewhere does not go into the hub's cache; name a folder".to_owned(),
            }),
            (source, Destination::Folder(folder)) => self.fetch_to_folder(source, folder, cancel, watch),
        }
    }

    /// Removes what came of a file, unless another program is fetching it.
    pub fn discard(&self, source: &Source, destination: &Destination) {
        let places = match (source, destination) {
            (Source::Hub { repository, hash, .. }, Destination::Cache) => Places {
                part: self.cache.part(repository, hash),
                lock: self.cache.lock(repository, hash),
                note: None,
            },
            (source, Destination::Folder(folder)) => places_in(&target_in(folder, source)),
            (Source::Direct { .. }, Destination::Cache) => return,
        };
        if !places.part.exists() {
            return;
        }
        let stopped = CancelToken::new();
        stopped.stop();
        if let Ok(Some(_lock)) = lock::take(&places.lock, &stopped, || ()) {
            let _ = std::fs::remove_file(&places.part);
            places.note.iter().for_each(|note| drop(std::fs::remove_file(note)));
        }
    }

    fn fetch_to_folder(
        &self,
        source: &Source,
        folder: &Path,
        cancel: &CancelToken,
        watch: &mut dyn FnMut(Step),
    ) -> Result<Option<Fetched>, HubError> {
        let target = target_in(folder, source);
        let own_folder = target.parent().unwrap_or(folder);
        std::fs::create_dir_all(own_folder)
            .map_err(|error| HubError::disk("make the folder", own_folder, &error))?;
        let places = places_in(&target);
        let Some(lock) = lock::take(&places.lock, cancel, || watch(Step::Waiting))? else {
            return Ok(None);
        };
        let fetched = if target.symlink_metadata().is_ok() {
            match is_this_file(source, &target, cancel) {
                Some(true) => Ok(Some(Fetched { path: target, hash: None })),
                Some(false) => Err(HubError::Occupied(target)),
                None => Ok(None),
            }
        } else {
            let hash = self.fetch_file(source, &places, &target, cancel, watch);
            hash.map(|hash| hash.map(|hash| Fetched { path: target, hash: Some(hash) }))
        };
        // In a person's own folder nothing is left behind but a part.
        drop(lock);
        let _ = std::fs::remove_file(&places.lock);
        fetched
    }

    /// Fetches into `target`, whose folder exists. Once more from the beginning if the part of an earlier run was bad.
    fn fetch_file(
        &self,
        source: &Source,
        places: &Places,
        target: &Path,
        cancel: &CancelToken,
        watch: &mut dyn FnMut(Step),
    ) -> Result<Option<ContentHash>, HubError> {
        let (hash, repository) = match source {
            Source::Hub { hash, repository, .. } => (Some(hash), Some(repository)),
            Source::Direct { .. } => (None, None),
        };
        let address = self.address(source);
        let folder = target.parent().unwrap_or(target);
        loop {
            let mut note = places.note.as_deref().map(read_note).unwrap_or_default();
            let Some(mut part) = Part::open(&places.part, source.size(), hash, self.disk, cancel)? else {
                return Ok(None);
            };
            // Nothing tells whether the part belongs to what is there now.
            let is_known =
                hash.is_some() || (note.validator.is_some() && note.address == address.to_string());
            if !is_known {
                part.restart()?;
                note = Note { address: address.to_string(), ..Note::default() };
            }
            let earlier = part.received();
            if let Some(size) = source.size().or(note.size) {
                check_space(self.disk, folder, size.saturating_sub(earlier))?;
            }
            watch(Step::Received(earlier, source.size().or(note.size)));
            let request = Request {
                transfer: self,
                address: &address,
                repository,
                places,
                folder,
                name: source.name(),
                cancel,
                listed: source.size(),
                has_hash: hash.is_some(),
            };
            match request.receive(&mut part, &mut note, watch) {
                Ok(End::Complete) => {}
                Ok(End::Stopped) => return Ok(None),
                Ok(End::Changed) => {
                    part.discard();
                    return Err(HubError::Changing { times: MAX_CHANGES, file: source.name().to_owned() });
                }
                Err(error) => {
                    if part.received() == 0 {
                        part.discard();
                    }
                    return Err(error);
                }
            }
            match part.finish(target, source.name()) {
                Err(HubError::WrongHash { .. }) if earlier > 0 => {
                    log::warn!(
                        "what an earlier run left of {} was damaged, so it is fetched anew",
                        source.name()
                    );
                }
                finished => {
                    places.note.iter().for_each(|note| drop(std::fs::remove_file(note)));
                    return finished.map(Some);
                }
            }
        }
    }

    fn address(&self, source: &Source) -> WebAddress {
        match source {
            Source::Hub { repository, commit, path, .. } => {
                let path = format!("/{repository}/resolve/{commit}/{}", path.encoded());
                self.client.environment().endpoint.with_path(&path)
            }
            Source::Direct { address, .. } => address.clone(),
        }
    }
}

/// A file that is being received.
struct Request<'a> {
    transfer: &'a Transfer<'a>,
    address: &'a WebAddress,
    repository: Option<&'a RepositoryId>,
    places: &'a Places,
    folder: &'a Path,
    name: &'a str,
    cancel: &'a CancelToken,
    /// The size that the hub lists, bytes.
    listed: Option<u64>,
    has_hash: bool,
}

impl Request<'_> {
    /// Receives until the part is complete, trying again after broken connections.
    fn receive(
        &self,
        part: &mut Part<'_>,
        note: &mut Note,
        watch: &mut dyn FnMut(Step),
    ) -> Result<End, HubError> {
        let mut retries = self.transfer.client.retries();
        let mut furthest = part.received();
        let mut changes = 0;
        loop {
            if self.cancel.is_stopped() {
                return Ok(End::Stopped);
            }
            if self.listed == Some(part.received()) {
                return Ok(End::Complete);
            }
            match self.attempt(part, note, watch) {
                Ok(End::Changed) => {
                    changes += 1;
                    if changes >= MAX_CHANGES {
                        return Ok(End::Changed);
                    }
                    part.restart()?;
                    note.validator = None;
                }
                Ok(end) => return Ok(end),
                Err(error) => {
                    // A server that refuses ranges and breaks always at the same byte makes no progress.
                    if part.received() > furthest {
                        furthest = part.received();
                        retries.progressed();
                    }
                    if !retries.wait_after(error, self.cancel)? {
                        return Ok(End::Stopped);
                    }
                }
            }
        }
    }

    /// One request.
    fn attempt(
        &self,
        part: &mut Part<'_>,
        note: &mut Note,
        watch: &mut dyn FnMut(Step),
    ) -> Result<End, HubError> {
        if part.received() > 0 && !self.has_hash && note.validator.is_none() {
            part.restart()?;
        }
        let from = part.received();
        let rest = (from > 0).then(|| Rest { from, validator: note.validator.clone() });
        let mut answer = match self.transfer.client.get(self.address, rest.as_ref(), self.repository) {
            // The server's file ends before the part does.
            Err(HubError::Status { status: 416, .. }) if from > 0 => return Ok(End::Changed),
            answer => answer?,
        };
        let differs = note.validator.is_some() && answer.validator() != note.validator;
        let whole = if answer.status == 206 {
            let (start, whole) =
                answer.content_range().ok_or_else(|| self.bad("it does not say which part it is"))?;
            if start != from {
                return Err(self.bad("it is another part than was asked for"));
            }
            if differs {
                return Ok(End::Changed);
            }
            whole
        } else {
            if from > 0 {
                if differs {
                    return Ok(End::Changed);
                }
                // The server refuses ranges.
                part.restart()?;
            }
            answer.content_length()
        };
        if let (Some(listed), Some(sent)) = (self.listed, whole)
            && listed != sent
        {
            return Err(HubError::WrongLength { sent, listed, file: self.name.to_owned() });
        }
        let size = self.listed.or(whole);
        self.note(note, &answer, size);
        if self.listed.is_none()
            && let Some(size) = size
        {
            check_space(self.transfer.disk, self.folder, size.saturating_sub(part.received()))?;
        }
        self.read(part, &mut answer, size, watch)
    }

    fn read(
        &self,
        part: &mut Part<'_>,
        answer: &mut Answer,
        size: Option<u64>,
        watch: &mut dyn FnMut(Step),
    ) -> Result<End, HubError> {
        let mut buffer = vec![0; PIECE];
        loop {
            if self.cancel.is_stopped() {
                return Ok(End::Stopped);
            }
            let count = answer.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            let received = part.received() + count as u64;
            if let Some(listed) = size.filter(|size| received > *size) {
                part.restart()?;
                return Err(HubError::WrongLength { sent: received, listed, file: self.name.to_owned() });
            }
            part.write(&buffer[..count])?;
            watch(Step::Received(received, size));
        }
        match size {
            Some(size) if part.received() < size => Err(HubError::Broken {
                host: answer.address.host().to_owned(),
                reason: format!(
                    "it ended after {} of {}",
                    super::in_words(part.received()),
                    super::in_words(size)
                ),
            }),
            _ => Ok(End::Complete),
        }
    }

    /// Remembers what identifies the file.
    fn note(&self, note: &mut Note, answer: &Answer, size: Option<u64>) {
        note.validator = answer.validator();
        note.size = size;
        if let Some(path) = &self.places.note {
            // Without it a later run begins anew, which is no failure.
            let _ = serde_json::to_vec(note).map(|bytes| std::fs::write(path, bytes));
        }
    }

    fn bad(&self, reason: &str) -> HubError {
        HubError::BadAnswer { reason: reason.to_owned(), address: self.address.to_string() }
    }
}

fn target_in(folder: &Path, source: &Source) -> PathBuf {
    match source {
        Source::Hub { path, .. } => path.below(folder.to_owned()),
        Source::Direct { file_name, .. } => file_name.below(folder.to_owned()),
    }
}

fn places_in(target: &Path) -> Places {
    let with = |suffix: &str| {
        let mut name = target.file_name().unwrap_or_default().to_owned();
        name.push(suffix);
        target.with_file_name(name)
    };
    Places { part: with(".part"), lock: with(".part.lock"), note: Some(with(".part.json")) }
}

fn read_note(path: &Path) -> Note {
    std::fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

/// Whether a file has the content of the source, which is known only of the hub's. `None` if it was stopped.
fn is_this_file(source: &Source, file: &Path, cancel: &CancelToken) -> Option<bool> {
    use std::io::Read as _;
    let Source::Hub { size, hash, .. } = source else { return Some(false) };
    if std::fs::metadata(file).is_ok_and(|data| !data.is_file() || data.len() != *size) {
        return Some(false);
    }
    let Ok(mut open) = std::fs::File::open(file) else { return Some(false) };
    let mut hasher = Hasher::new(Some(hash), *size);
    let mut buffer = vec![0; PIECE];
    loop {
        if cancel.is_stopped() {
            return None;
        }
        match open.read(&mut buffer) {
            Ok(0) => return Some(hasher.finish() == *hash),
            Ok(count) => hasher.update(&buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return Some(false),
        }
    }
}
