//! Fetching one file: the whole way from its address to its place.
//!
//! What came is kept until it is complete, also after the program was killed, and the next run asks for the rest. A
//! file gets its name only after its length and hash were found to be those that the hub lists.

use std::path::{Path, PathBuf};

use super::HubError;
use super::cache::HubCache;
use super::client::Client;
use super::disk::{Disk, check_space};
use super::hash::{ContentHash, Hasher};
use super::lock;
use super::part::{PIECE, Part};
use super::receive::{End, MAX_CHANGES, Note, Request, read_note};
use super::source::{Destination, Fetched, Source, Step};
use super::web_address::WebAddress;
use crate::request::CancelToken;

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
                client: self.client,
                disk: self.disk,
                address: &address,
                repository,
                note: places.note.as_deref(),
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
