//! What is fetched, where it goes, and what comes of it.

use std::path::PathBuf;

use super::address::{RepositoryId, RepositoryPath};
use super::hash::ContentHash;
use super::web_address::WebAddress;

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
    /// A file at another address; its size and hash are unknown.
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
