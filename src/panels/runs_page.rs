//! The state of the gallery, which stays while it is closed.

use std::collections::BTreeSet;

use egui::Id;

use crate::session::history::{HistoryAction, RunFilter, RunHistory, RunId, RunSummary};
use crate::session::{Action, Meaning, Session};

/// The state of the gallery.
#[derive(Debug, Default)]
pub(super) struct RunsPage {
    pub(super) filter: RunFilter,
    /// Whether the words say what is in the pictures.
    pub(super) by_meaning: bool,
    /// These words.
    pub(super) meaning_words: String,
    /// The indices listed, and what gave them.
    pub(super) listed: Vec<usize>,
    pub(super) listed_for: Option<ListedFor>,
    pub(super) chosen: BTreeSet<RunId>,
    /// The place in the list that the arrow keys move from.
    pub(super) place: Option<usize>,
    /// The place from which a range is chosen.
    pub(super) anchor: usize,
    pub(super) scrolls: bool,
    pub(super) search_field: Option<Id>,
    /// When the runs were last listed, seconds.
    pub(super) read_at: f64,
    /// The number of finished pictures when the runs were last listed; `None` while the gallery is closed.
    pub(super) seen: Option<usize>,
}

/// What a list of runs was made from.
#[derive(Debug, PartialEq)]
pub(super) struct ListedFor {
    revision: u64,
    filter: RunFilter,
    /// The revision of what was found by meaning, in that mode.
    found: Option<u64>,
}

impl RunsPage {
    /// The gallery is not shown, nor the family that was walked through in it.
    pub(super) fn close(&mut self, session: &Session, actions: &mut Vec<Action>) {
        self.seen = None;
        if session.history().family_view().is_some() {
            actions.push(Action::History(HistoryAction::CloseFamily));
        }
    }

    /// The two runs that are chosen, the older one first.
    pub(super) fn two_chosen(&self, history: &RunHistory) -> Option<[RunId; 2]> {
        let mut chosen: Vec<_> = history.runs().iter().filter(|run| self.chosen.contains(&run.id)).collect();
        // An id tells seconds.
        chosen.sort_by_key(|run| run.created_ms);
        match chosen[..] {
            [first, second] => Some([first.id.clone(), second.id.clone()]),
            _ => None,
        }
    }

    pub(super) fn list(&mut self, history: &RunHistory, meaning: &Meaning, now_ms: u64) {
        let key = ListedFor {
            revision: history.revision(),
            filter: self.filter.clone(),
            found: self.by_meaning.then(|| meaning.revision()),
        };
        if self.listed_for.as_ref() == Some(&key) {
            return;
        }
        let is_other = |before: &ListedFor| before.filter != key.filter || before.found != key.found;
        if self.listed_for.as_ref().is_some_and(is_other) {
            self.place = None;
        }
        self.listed = if self.by_meaning {
            let found = meaning.found().map_or(&[][..], |found| &found.runs.runs);
            history.listed_found(found, &self.filter, now_ms)
        } else {
            history.listed(&self.filter, now_ms)
        };
        self.listed_for = Some(key);
        let known: BTreeSet<&RunId> = history.runs().iter().map(|run| &run.id).collect();
        self.chosen.retain(|id| known.contains(id));
        self.place = self.place.filter(|place| *place < self.listed.len());
    }

    pub(super) fn run<'a>(&self, history: &'a RunHistory, place: usize) -> Option<&'a RunSummary> {
        history.runs().get(*self.listed.get(place)?)
    }

    /// The one run that is chosen.
    pub(super) fn only_chosen(&self) -> Option<&RunId> {
        self.chosen.first().filter(|_| self.chosen.len() == 1)
    }
}
