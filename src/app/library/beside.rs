//! Work on threads of its own beside the search, which it must not hold up: hashes of whole files, and what memory a
//! model needs.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::{PROGRESS, Reporter, Stops};
use crate::catalog::ModelSource;
use crate::engine::memory_need;
use crate::session::library::{HashProgress, LibraryReport};
use crate::store::library::{Entry, Facts, HashedFile, LibraryError, LibraryPaths};

/// What a thread has computed.
pub(super) struct Hashed {
    pub(super) path: PathBuf,
    pub(super) hash: Result<HashedFile, LibraryError>,
}

/// Starts the threads, and receives what they compute for the library itself.
pub(super) struct Beside {
    reporter: Reporter,
    stops: Stops,
    hashed: Sender<Hashed>,
    pub(super) hashes: Receiver<Hashed>,
}

impl Beside {
    pub(super) fn new(reporter: Reporter, stops: Stops) -> Self {
        let (hashed, hashes) = bounded(8);
        Self { reporter, stops, hashed, hashes }
    }

    /// Computes the hash of an entry, in place of one that is being computed.
    pub(super) fn hash(&self, paths: LibraryPaths, entry: Entry) {
        self.stops.stop();
        let (cancel, reporter, hashed) = (self.stops.next(), self.reporter.clone(), self.hashed.clone());
        Self::start("safelight-hash", move || {
            let path = entry.path.clone();
            let say = |read| {
                reporter.progress(LibraryReport::Hashing(Some(HashProgress { path: path.clone(), read })));
            };
            say(0);
            let last = Cell::new(Instant::now());
            let hash = HashedFile::compute(&paths, &entry, &cancel, &|read| {
                if last.get().elapsed() >= PROGRESS {
                    last.set(Instant::now());
                    say(read);
                }
            });
            // One that was stopped for the next says nothing more.
            if !matches!(hash, Err(LibraryError::Stopped)) {
                reporter.say(LibraryReport::Hashing(None));
            }
            let _ = hashed.send(Hashed { path, hash });
        });
    }

    /// Computes the memory that a model needs.
    pub(super) fn forecast(&self, model: ModelSource) {
        let reporter = self.reporter.clone();
        Self::start("safelight-memory", move || {
            let need = memory_need(&model);
            let need = need.inspect_err(|error| log::info!("the memory of a model is not known: {error}"));
            reporter.say(LibraryReport::Forecast(Box::new(model), need.ok()));
        });
    }

    /// Reads what the headers of a file say.
    pub(super) fn survey(&self, path: &Path) {
        let (reporter, path) = (self.reporter.clone(), path.to_owned());
        Self::start("safelight-headers", move || {
            let facts = Facts::of_file(&path);
            reporter.say(LibraryReport::Surveyed(path, Box::new(facts)));
        });
    }

    fn start(name: &str, work: impl FnOnce() + Send + 'static) {
        if let Err(error) = std::thread::Builder::new().name(name.to_owned()).spawn(work) {
            log::error!("no thread for {name} could be started: {error}");
        }
    }
}
