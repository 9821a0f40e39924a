//! A download as a client of the queue sees it.

use std::time::Duration;

use super::queue_file::Revision;
use super::source::{Destination, Fetched, Source};
use super::speed::time_left;
use crate::reason::Reason;

/// The number of a download in its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct DownloadId(pub u64);

/// Files that are wanted together, such as those of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DownloadSet {
    /// The name shown.
    pub name: String,
    /// The branch or tag that stands for the commit once all are here.
    pub revision: Option<Revision>,
    /// The files.
    pub files: Vec<Source>,
    /// Where they go.
    pub destination: Destination,
}

/// How a download stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DownloadState {
    /// Its turn has not come.
    Waiting,
    /// It runs.
    Running,
    /// Another program fetches the file.
    Elsewhere,
    /// It is paused.
    Paused,
    /// The file is here.
    Done(Fetched),
    /// It failed; the reason says why and what to try.
    Failed(Reason),
}

/// A download as a client sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Download {
    /// Its number.
    pub id: DownloadId,
    /// The name of the set it belongs to.
    pub set: String,
    /// The file.
    pub source: Source,
    /// How it stands.
    pub state: DownloadState,
    /// Bytes that are here.
    pub received: u64,
    /// The file's size if it is known, bytes.
    pub size: Option<u64>,
    /// Bytes per second, smoothed; 0 unless it runs.
    pub bytes_per_sec: f64,
}

impl Download {
    /// The time that it still takes, if it runs and its size is known.
    pub fn time_left(&self) -> Option<Duration> {
        time_left(self.size?.saturating_sub(self.received), self.bytes_per_sec)
    }
}

/// What happens in a queue: a reason to look at it again. A client that does not read them loses none that matter, since
/// those that are still unread tell it to look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueueEvent {
    /// Bytes came; [`Queue::downloads`](super::Queue::downloads) tells how many.
    Progress(DownloadId),
    /// The state of a download changed.
    Changed(DownloadId),
}
