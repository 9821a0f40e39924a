//! Receiving a file: requests for the rest of it until it is complete.

use std::path::Path;

use super::HubError;
use super::address::RepositoryId;
use super::client::{Answer, Client, Rest};
use super::disk::{Disk, check_space};
use super::part::{PIECE, Part};
use super::source::Step;
use super::web_address::WebAddress;
use crate::request::CancelToken;

/// How often a file may change on the server while it is fetched.
pub(super) const MAX_CHANGES: u32 = 3;

/// What is remembered of a file of which the server told no hash, so that a later run knows whether it is the same.
#[derive(Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Note {
    pub(super) address: String,
    pub(super) validator: Option<String>,
    pub(super) size: Option<u64>,
}

/// The end of one request.
pub(super) enum End {
    Complete,
    Stopped,
    /// The server has another file than before.
    Changed,
}

/// A file that is being received.
pub(super) struct Request<'a> {
    pub(super) client: &'a Client,
    pub(super) disk: &'a dyn Disk,
    pub(super) address: &'a WebAddress,
    pub(super) repository: Option<&'a RepositoryId>,
    pub(super) note: Option<&'a Path>,
    pub(super) folder: &'a Path,
    pub(super) name: &'a str,
    pub(super) cancel: &'a CancelToken,
    /// The size that the hub lists, bytes.
    pub(super) listed: Option<u64>,
    pub(super) has_hash: bool,
}

impl Request<'_> {
    /// Receives until the part is complete, trying again after broken connections.
    pub(super) fn receive(
        &self,
        part: &mut Part<'_>,
        note: &mut Note,
        watch: &mut dyn FnMut(Step),
    ) -> Result<End, HubError> {
        let mut retries = self.client.retries();
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
        let mut answer = match self.client.get(self.address, rest.as_ref(), self.repository) {
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
        self.remember(note, &answer, size);
        if self.listed.is_none()
            && let Some(size) = size
        {
            check_space(self.disk, self.folder, size.saturating_sub(part.received()))?;
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
    fn remember(&self, note: &mut Note, answer: &Answer, size: Option<u64>) {
        note.validator = answer.validator();
        note.size = size;
        if let Some(path) = self.note {
            // Without it a later run begins anew, which is no failure.
            let _ = serde_json::to_vec(note).map(|bytes| std::fs::write(path, bytes));
        }
    }

    fn bad(&self, reason: &str) -> HubError {
        HubError::BadAnswer { reason: reason.to_owned(), address: self.address.to_string() }
    }
}

pub(super) fn read_note(path: &Path) -> Note {
    std::fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}
