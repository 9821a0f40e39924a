//! Reading the headers of what was found, in a few threads: what takes time is waiting for the disk.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::cache::Cache;
use super::entry::Facts;
use super::walk::{Item, Shape};
use crate::request::CancelToken;

/// Threads that read. A disk answers several requests at once, and a slow drive is not made faster by more.
const THREADS: usize = 8;

/// How far a scan is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScanProgress {
    /// Headers that were read.
    pub read: usize,
    /// Headers to read.
    pub total: usize,
}

/// An item with what its headers say.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) item: Item,
    pub(super) facts: Facts,
    pub(super) sha256: Option<String>,
}

/// Reads the headers of items that the cache does not have, and puts them into it. Items that vanished are left out.
/// Once `cancel` is stopped, items that were not read are left out, too. The second value is the number of headers read.
pub(super) fn read(
    items: Vec<Item>,
    cache: &mut Cache,
    cancel: &CancelToken,
    progress: &(dyn Fn(ScanProgress) + Sync),
) -> (Vec<Found>, usize) {
    let (mut found, mut unread) = (Vec::new(), Vec::new());
    for item in items {
        match cache.get(&item.path, item.fingerprint) {
            Some((facts, sha256)) => found.push(Found { item, facts, sha256 }),
            None => unread.push(item),
        }
    }
    let facts = read_all(&unread, cancel, progress);
    let mut count = 0;
    for (item, facts) in unread.into_iter().zip(facts) {
        let Some(facts) = facts else { continue };
        count += 1;
        if facts.problem.is_some() && !item.path.exists() {
            continue;
        }
        cache.put(&item.path, item.fingerprint, &facts);
        found.push(Found { item, facts, sha256: None });
    }
    (found, count)
}

/// What the headers of each item say; `None` for those that were not read.
fn read_all(
    items: &[Item],
    cancel: &CancelToken,
    progress: &(dyn Fn(ScanProgress) + Sync),
) -> Vec<Option<Facts>> {
    let results: Mutex<Vec<Option<Facts>>> = Mutex::new(vec![None; items.len()]);
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        while !cancel.is_stopped() {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else { break };
            let facts = read_item(item);
            let mut results = results.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            results[index] = Some(facts);
            drop(results);
            progress(ScanProgress { read: done.fetch_add(1, Ordering::Relaxed) + 1, total: items.len() });
        }
    };
    std::thread::scope(|scope| {
        for number in 1..THREADS.min(items.len()) {
            let name = format!("safelight-scan-{number}");
            // Where no thread can be had, the others do the work.
            let _ = std::thread::Builder::new().name(name).spawn_scoped(scope, work);
        }
        work();
    });
    results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn read_item(item: &Item) -> Facts {
    match item.shape {
        Shape::File => Facts::of_file(&item.path),
        Shape::Shards => Facts::of_shards(&item.files),
        Shape::Folder => Facts::of_folder(&item.path),
    }
}
