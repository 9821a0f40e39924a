//! Why something could not be fetched.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::sizes::in_words;
use crate::reason::{Reason, ReasonKind};

/// Why something could not be fetched. Each message says what to try.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// What was typed or pasted names nothing that can be fetched.
    #[error(
        "{reason}; give OWNER/NAME, a page of the hub, or the https address of a file of weights: {typed}"
    )]
    Address {
        /// What was typed.
        typed: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A variable of the environment has a value that cannot be used.
    #[error("the variable {name} cannot be used: {reason}")]
    Variable {
        /// Its name.
        name: &'static str,
        /// What is wrong with its value.
        reason: String,
    },
    /// The hub may not be asked.
    #[error("HF_HUB_OFFLINE is set, so nothing is fetched; unset it to fetch")]
    Offline,
    /// No connection could be made.
    #[error(
        "{host} cannot be reached: {reason}; check the connection and, where there is a proxy, HTTPS_PROXY"
    )]
    Unreachable {
        /// The host.
        host: String,
        /// Why.
        reason: String,
    },
    /// The certificate is not trusted, or TLS failed.
    #[error(
        "no secure connection to {host} is possible: {reason}; a company's certificate belongs into the system's store"
    )]
    Insecure {
        /// The host.
        host: String,
        /// Why.
        reason: String,
    },
    /// A connection broke.
    #[error("the connection to {host} broke: {reason}; what was received is kept, so try again later")]
    Broken {
        /// The host.
        host: String,
        /// Why.
        reason: String,
    },
    /// No byte came for a long time.
    #[error("{host} sent nothing for {} seconds; what was received is kept, so try again later", after.as_secs_f32())]
    Stalled {
        /// The host.
        host: String,
        /// How long.
        after: Duration,
    },
    /// The server is busy or out of order.
    #[error("{host} answered {status}{}; what was received is kept, so try again later", wait.map(|w| format!(" and asks to wait {} seconds", w.as_secs())).unwrap_or_default())]
    Busy {
        /// The host.
        host: String,
        /// The HTTP status.
        status: u16,
        /// How long it asks to wait.
        wait: Option<Duration>,
    },
    /// Another HTTP status.
    #[error("the server answered {status} to {address}")]
    Status {
        /// The HTTP status.
        status: u16,
        /// The address, without its query.
        address: String,
    },
    /// There is no such repository, revision or file.
    #[error("there is nothing at {address}: check owner, name and revision")]
    NotFound {
        /// The address, without its query.
        address: String,
    },
    /// The repository is gated or private, or does not exist: the hub does not say which without a token.
    #[error("{repository} is given only to accounts that accepted its terms{}: open {page}, accept them, and {}", if *sent_token { " (the token that was sent is not of such an account)" } else { "" }, if *sent_token { "use a token of that account (HF_TOKEN)" } else { "give a token of your account (HF_TOKEN, or https://huggingface.co/settings/tokens for a new one)" })]
    Gated {
        /// The repository.
        repository: String,
        /// Its page.
        page: String,
        /// Whether a token was sent.
        sent_token: bool,
    },
    /// The hub does not tell who may see this, or whether it exists.
    #[error("{repository} does not exist, or only some accounts may see it{}: check its name at {page}{}", if *sent_token { ", not the one of the token that was sent" } else { "" }, if *sent_token { "" } else { ", or give a token (HF_TOKEN)" })]
    Hidden {
        /// The repository, or the address of a file.
        repository: String,
        /// Its page.
        page: String,
        /// Whether a token was sent.
        sent_token: bool,
    },
    /// The hub refuses the token itself.
    #[error(
        "the hub does not accept the token that was sent; make a new one at https://huggingface.co/settings/tokens, or take it away (HF_TOKEN, or the file that HF_TOKEN_PATH names) if the model needs none"
    )]
    BadToken,
    /// Redirects that lead nowhere.
    #[error("the server redirects in circles: {}", .0.join(" to "))]
    RedirectCircle(Vec<String>),
    /// A redirect that must not be followed.
    #[error("the server redirects to an address that is not followed ({reason}): {from}")]
    BadRedirect {
        /// The address that redirects.
        from: String,
        /// Why it is not followed.
        reason: String,
    },
    /// A page came where a file was expected.
    #[error(
        "a page came instead of the file, as hotel networks and log-in pages send: open {address} in a browser, then try again"
    )]
    NotAFile {
        /// The address, without its query.
        address: String,
    },
    /// The answer cannot be used.
    #[error("the answer cannot be used: {reason}: {address}")]
    BadAnswer {
        /// What is wrong.
        reason: String,
        /// The address, without its query.
        address: String,
    },
    /// The file has another length than the hub lists.
    #[error("the server sends {} where {} are listed, so it is not taken; try again later, or without a mirror (HF_ENDPOINT): {file}", in_words(*sent), in_words(*listed))]
    WrongLength {
        /// What the server sends, bytes.
        sent: u64,
        /// What the hub lists, bytes.
        listed: u64,
        /// The file.
        file: String,
    },
    /// The content is not what the hub lists.
    #[error(
        "the file that came is not the one that the hub lists ({kind} {got} instead of {listed}), so it was removed; try again, or without a mirror (HF_ENDPOINT): {file}"
    )]
    WrongHash {
        /// Kind of the hash.
        kind: &'static str,
        /// The hash of what came.
        got: String,
        /// The hash that is listed.
        listed: String,
        /// The file.
        file: String,
    },
    /// The file changes on the server while it is fetched.
    #[error(
        "the file changed on the server while it was fetched, {times} times, so nothing was kept; try again later: {file}"
    )]
    Changing {
        /// How often.
        times: u32,
        /// The file.
        file: String,
    },
    /// The disk has too little space, before or while writing.
    #[error("{} more are needed and {} are free: free some space or choose another folder (HF_HUB_CACHE, --into): {}", in_words(*needed), in_words(*free), folder.display())]
    Space {
        /// What is still to be written, bytes.
        needed: u64,
        /// What is free, bytes.
        free: u64,
        /// The folder.
        folder: PathBuf,
    },
    /// A file is in the way and is not replaced.
    #[error("there is already another file of this name, and it is not replaced; move it or choose another folder: {}", .0.display())]
    Occupied(PathBuf),
    /// A file or folder cannot be used.
    #[error("cannot {action}: {reason}: {}", path.display())]
    Disk {
        /// What was to be done, such as `write the file`.
        action: &'static str,
        /// Why it was not possible, and what to try.
        reason: String,
        /// The file or folder.
        path: PathBuf,
    },
    /// A repository has no weights that can be opened.
    #[error(
        "{0} has neither safetensors nor GGUF files, the two kinds of weights that open without running code"
    )]
    NoWeights(String),
    /// A repository has no such file or folder.
    #[error("{repository} has no file or folder {path}")]
    NoSuchFile {
        /// The repository.
        repository: String,
        /// The path.
        path: String,
    },
    /// The keyring or the file for the token cannot be used.
    #[error("the token cannot be stored: {0}")]
    Token(String),
}

impl HubError {
    /// An error of the operating system about a file or folder.
    pub(super) fn disk(action: &'static str, path: &Path, error: &std::io::Error) -> Self {
        let dangling = path.ancestors().any(|part| part.is_symlink() && !part.exists());
        let reason = match error.kind() {
            _ if dangling => "a part of its path is a link to a place that does not exist".to_owned(),
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                format!(
                    "{error}; give yourself the right to write there, or choose another folder (HF_HUB_CACHE, --into)"
                )
            }
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                format!("{error}; free some space, then the same command goes on where it stopped")
            }
            _ => error.to_string(),
        };
        Self::Disk { action, reason, path: path.to_owned() }
    }

    /// Whether the same request may succeed a moment later.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. } | Self::Broken { .. } | Self::Stalled { .. } | Self::Busy { .. }
        )
    }

    /// How long the server asks to wait.
    pub(super) fn asked_wait(&self) -> Option<Duration> {
        if let Self::Busy { wait, .. } = self { *wait } else { None }
    }
}

impl From<&HubError> for Reason {
    fn from(error: &HubError) -> Self {
        use ReasonKind as Kind;
        let new = |kind| Self::new(kind, error);
        match error {
            HubError::Address { typed, .. } => new(Kind::HubAddress).with([typed as _]),
            HubError::Variable { name, reason } => new(Kind::HubVariable).with([name as _, reason as _]),
            HubError::Offline => new(Kind::HubOffline),
            HubError::Unreachable { host, reason } => {
                new(Kind::HubUnreachable).with([host as _, reason as _])
            }
            HubError::Insecure { host, reason } => new(Kind::HubInsecure).with([host as _, reason as _]),
            HubError::Broken { host, reason } => new(Kind::HubBroken).with([host as _, reason as _]),
            HubError::Stalled { host, after } => {
                new(Kind::HubStalled).with([host as _, &after.as_secs_f32() as _])
            }
            HubError::Busy { host, status, .. } => new(Kind::HubBusy).with([host as _, status as _]),
            HubError::Status { status, address } => new(Kind::HubStatus).with([status as _, address as _]),
            HubError::NotFound { address } => new(Kind::HubNotFound).with([address as _]),
            HubError::Gated { repository, page, .. } => {
                new(Kind::HubGated).with([repository as _, page as _])
            }
            HubError::Hidden { repository, page, .. } => {
                new(Kind::HubHidden).with([repository as _, page as _])
            }
            HubError::BadToken => new(Kind::HubBadToken),
            HubError::RedirectCircle(all) => new(Kind::HubRedirect).with([&all.join(" → ") as _]),
            HubError::BadRedirect { from, .. } => new(Kind::HubRedirect).with([from as _]),
            HubError::NotAFile { address } => new(Kind::HubPage).with([address as _]),
            HubError::BadAnswer { reason, address } => {
                new(Kind::HubBadAnswer).with([reason as _, address as _])
            }
            HubError::WrongLength { sent, listed, file } => {
                new(Kind::HubWrongLength).with([file as _, &in_words(*sent) as _, &in_words(*listed) as _])
            }
            HubError::WrongHash { file, .. } => new(Kind::HubWrongHash).with([file as _]),
            HubError::Changing { file, .. } => new(Kind::HubChanging).with([file as _]),
            HubError::Space { needed, free, folder } => {
                new(Kind::HubSpace).with([&in_words(*needed) as _, &in_words(*free) as _]).at(folder)
            }
            HubError::Occupied(path) => new(Kind::HubOccupied).at(path),
            HubError::Disk { reason, path, .. } => new(Kind::HubDisk).with([reason as _]).at(path),
            HubError::NoWeights(repository) => new(Kind::HubNoWeights).with([repository as _]),
            HubError::NoSuchFile { repository, path } => {
                new(Kind::HubNoSuchFile).with([repository as _, path as _])
            }
            HubError::Token(reason) => new(Kind::HubToken).with([reason as _]),
        }
    }
}
