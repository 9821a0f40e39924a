//! The kept runs of all sessions, as the window knows them: their list, their thumbnails, and those that are opened.

mod actions;
mod listing;
mod memory;
mod opening;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use super::Session;
use super::compare::FamilyView;
use crate::reason::Reason;
use crate::request::Picture;

pub use crate::store::history::{
    Family, Member, MemberPlace, OpenedRun, RunId, RunMoment, RunRecord, RunStatus, RunSummary,
};
pub use actions::HistoryAction;
pub use listing::{RunAge, RunFilter, RunKind};

/// What the history's thread is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HistoryCommand {
    /// List all runs.
    List,
    /// Read a run.
    Open(RunId, OpenFor),
    /// Read what a run shows after a step, from 1, or at its end.
    Moment(RunId, Option<usize>, MomentFor),
    /// Show the folder of a run in the system's file manager.
    ShowInFolder(RunId),
    /// Read the thumbnails of these runs.
    Thumbnails(Vec<RunId>),
    /// Give a run this many stars.
    SetStars(RunId, u8),
    /// Move runs to the trash.
    Delete(Vec<RunId>),
}

/// What a run is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenFor {
    /// To be shown.
    Show,
    /// To go on with it.
    GoOn,
    /// Its settings.
    Settings,
    /// To save its development.
    Reel,
}

/// What a moment of a run is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MomentFor {
    /// To be the first of two that are compared.
    First,
    /// The end of a run of a family.
    FamilyEnd,
    /// The step at which it left the run it went on from.
    FamilyStep,
}

/// What the history's thread says.
#[derive(Debug)]
pub enum HistoryReport {
    /// All runs, the newest first.
    Listed(Vec<RunSummary>),
    /// The runs that an earlier session did not finish, found at the start.
    Interrupted(Vec<RunSummary>),
    /// A run was read.
    Opened(Box<OpenedRun>, OpenFor),
    /// A moment of a run was read.
    Moment(Box<RunMoment>, MomentFor),
    /// A moment of a run cannot be read: the reason.
    NoMoment(RunId, MomentFor, Reason),
    /// The thumbnail of a run; `None` if it has none.
    Thumbnail(RunId, Option<Picture>),
    /// These runs are in the trash.
    Deleted(Vec<RunId>),
    /// Something could not be done: the reason.
    Failed(Reason),
}

/// How many thumbnails are held in memory: several screens of them.
const MAX_THUMBNAILS: usize = 600;

/// The history as the window knows it.
#[derive(Debug, Default)]
pub struct RunHistory {
    is_kept: bool,
    runs: Vec<RunSummary>,
    is_listed: bool,
    /// Counts the changes of the list.
    revision: u64,
    thumbnails: HashMap<RunId, Option<Picture>>,
    /// Thumbnails that are being read.
    wanted: HashSet<RunId>,
    /// Runs that go on once their model is loaded.
    going_on: Vec<OpenedRun>,
    interrupted: Vec<RunSummary>,
    /// The family that is walked through.
    pub(super) family: Option<FamilyView>,
}

impl RunHistory {
    /// Whether runs are kept.
    pub fn is_kept(&self) -> bool {
        self.is_kept
    }

    /// All runs, the newest first.
    pub fn runs(&self) -> &[RunSummary] {
        &self.runs
    }

    /// A number that changes with the list.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Whether they have been listed.
    pub fn is_listed(&self) -> bool {
        self.is_listed
    }

    /// The thumbnail of a run, if it has been read and there is one.
    pub fn thumbnail(&self, run: &RunId) -> Option<&Picture> {
        self.thumbnails.get(run)?.as_ref()
    }

    /// Whether the thumbnail of a run has been asked for or read.
    pub fn has_asked(&self, run: &RunId) -> bool {
        self.thumbnails.contains_key(run) || self.wanted.contains(run)
    }

    /// Runs that were being written when they were listed may have a thumbnail now: it is asked for again.
    fn forget_missing_thumbnails(&mut self) {
        let is_open = |run: &&RunSummary| matches!(run.status, RunStatus::Running | RunStatus::Sampled);
        let open: HashSet<&RunId> = self.runs.iter().filter(is_open).map(|run| &run.id).collect();
        self.thumbnails.retain(|run, picture| picture.is_some() || !open.contains(run));
    }

    /// The family that is walked through.
    pub fn family_view(&self) -> Option<&FamilyView> {
        self.family.as_ref()
    }

    /// The runs that an earlier session did not finish.
    pub fn interrupted(&self) -> &[RunSummary] {
        &self.interrupted
    }
}

impl Session {
    /// The kept runs.
    pub fn history(&self) -> &RunHistory {
        &self.history
    }

    /// Says that runs are kept from now on, or no longer.
    pub fn runs_are_kept(&mut self, are_kept: bool) {
        self.history.is_kept = are_kept;
        self.tell_what_places();
    }
}
