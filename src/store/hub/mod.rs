//! Getting models: from the Hugging Face hub, a mirror of it, or an https address.
//!
//! Nothing here opens a connection by itself: only a call of [`Client`] or of what is given one does. The hub's own
//! crate, hf-hub 1.0, needs tokio, reqwest and the Xet protocol's crates, and does not resume a download; everything
//! in this program is threads and a download of many gigabytes must survive its end, so this is written on ureq, the
//! blocking client with the fewest crates.
//!
//! | file | knows |
//! |---|---|
//! | `web_address`, `address` | addresses, names of repositories, what a person may paste |
//! | `environment`, `token` | the variables of Hugging Face's programs, the token |
//! | `listing`, `choices`, `hash` | the files of a repository, and what belongs together |
//! | `client`, `retry` | requests, redirects, waiting |
//! | `source` | a file to fetch and where it goes |
//! | `cache`, `lock`, `part`, `receive`, `transfer` | one file: where it lies, whose turn it is, the part that came, the requests, the whole way |
//! | `sets` | what is asked for, as files |
//! | `queue`, `queue_file`, `download`, `speed` | several files |
//! | `catalogue` | models that run well here |

mod address;
mod cache;
mod catalogue;
mod choices;
mod client;
mod disk;
mod download;
mod environment;
mod error;
mod hash;
mod listing;
mod lock;
mod part;
mod queue;
mod queue_file;
mod receive;
mod retry;
mod sets;
mod sizes;
mod source;
mod speed;
mod token;
mod transfer;
mod web_address;

pub use address::{MAIN, RepositoryId, RepositoryPath, Wanted, is_revision};
pub use cache::HubCache;
pub use catalogue::{
    Catalogue, CatalogueDefaults, CatalogueEntry, CatalogueFile, CatalogueLicence, CatalogueModel, FileUse,
    PartKind, PictureModel, Sentences, TinyDecoder,
};
pub use choices::{Choice, ChoiceKind, choices, default_choice, matching};
pub use client::{Client, ClientSettings};
pub use disk::{Disk, SystemDisk, require_space};
pub use download::{Download, DownloadId, DownloadSet, DownloadState, QueueEvent};
pub use environment::HubEnvironment;
pub use error::HubError;
pub use hash::ContentHash;
pub use listing::{Licence, Listing, RemoteFile};
pub use queue::Queue;
pub use queue_file::Revision;
pub use retry::RetrySettings;
pub use sets::{Offer, catalogue_sets, inside};
pub use sizes::in_words;
pub use source::{Destination, Fetched, Source, Step};
pub use speed::time_left;
pub use token::{Token, TokenPlace, TokenStore};
pub use transfer::Transfer;
pub use web_address::{Scheme, WebAddress};
