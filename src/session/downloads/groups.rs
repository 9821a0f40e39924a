//! Downloads put together by models: a user wants a model and not its files.

use std::time::Duration;

use super::{Download, DownloadId, DownloadState};
use crate::reason::Reason;
use crate::store::hub::time_left;

/// How the files of a model stand together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupState {
    /// At least one is being fetched.
    Running,
    /// Another program fetches one.
    Elsewhere,
    /// Their turn has not come.
    Waiting,
    /// One failed, and nothing goes on.
    Failed,
    /// They are paused.
    Paused,
    /// All are here.
    Done,
}

impl GroupState {
    /// Whether something goes on or will without a further wish.
    pub fn is_active(self) -> bool {
        matches!(self, Self::Running | Self::Elsewhere | Self::Waiting)
    }
}

/// The downloads of one model.
#[derive(Clone, Debug, PartialEq)]
pub struct DownloadGroup {
    /// The model's name.
    pub name: String,
    /// The downloads of its files, in their order.
    pub ids: Vec<DownloadId>,
    /// Names of its files.
    pub files: Vec<String>,
    /// How they stand.
    pub state: GroupState,
    /// Bytes that are here.
    pub received: u64,
    /// The size of all, bytes; `None` if one of them is not known.
    pub size: Option<u64>,
    /// Bytes per second.
    pub bytes_per_sec: f64,
    /// Files that failed, and why.
    pub failures: Vec<(String, Reason)>,
}

impl DownloadGroup {
    /// The share that is here, 0 to 1, if the size is known.
    pub fn share(&self) -> Option<f32> {
        let size = self.size.filter(|size| *size > 0)?;
        Some((self.received as f64 / size as f64).min(1.0) as f32)
    }

    /// The time that it still takes, if it runs and its size is known.
    pub fn time_left(&self) -> Option<Duration> {
        time_left(self.size?.saturating_sub(self.received), self.bytes_per_sec)
    }

    /// Whether a file failed for want of an account or a token.
    pub fn wants_account(&self) -> bool {
        self.failures.iter().any(|(_, why)| why.kind().is_of_account())
    }
}

/// The downloads by their models, in the order in which each model's first file stands.
pub(super) fn groups(downloads: &[Download]) -> Vec<DownloadGroup> {
    let mut groups: Vec<DownloadGroup> = Vec::new();
    for download in downloads {
        let known = groups.iter_mut().position(|group| group.name == download.set);
        let place = known.unwrap_or_else(|| {
            groups.push(DownloadGroup {
                name: download.set.clone(),
                ids: Vec::new(),
                files: Vec::new(),
                state: GroupState::Done,
                received: 0,
                size: Some(0),
                bytes_per_sec: 0.0,
                failures: Vec::new(),
            });
            groups.len() - 1
        });
        let group = &mut groups[place];
        let state = match &download.state {
            DownloadState::Running => GroupState::Running,
            DownloadState::Elsewhere => GroupState::Elsewhere,
            DownloadState::Waiting => GroupState::Waiting,
            DownloadState::Paused => GroupState::Paused,
            DownloadState::Done(_) => GroupState::Done,
            DownloadState::Failed(why) => {
                group.failures.push((download.source.name().to_owned(), why.clone()));
                GroupState::Failed
            }
        };
        // The variants are in the order in which they count.
        if (state as u8) < group.state as u8 {
            group.state = state;
        }
        group.ids.push(download.id);
        group.files.push(download.source.name().to_owned());
        group.received += download.received;
        group.size = group.size.zip(download.size).map(|(sum, size)| sum + size);
        group.bytes_per_sec += download.bytes_per_sec;
    }
    groups
}
