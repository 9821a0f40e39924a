//! Which of the kept runs are listed.

use std::collections::HashMap;

use super::{RunHistory, RunId, RunStatus, RunSummary};

/// How a run came about, as it is filtered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RunKind {
    /// Any.
    #[default]
    All,
    /// From noise.
    FromWords,
    /// From a picture.
    FromPicture,
    /// From a step of another run.
    Fork,
    /// Not finished: interrupted, stopped, failed, or not decoded.
    Unfinished,
}

impl RunKind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::All, Self::FromWords, Self::FromPicture, Self::Fork, Self::Unfinished];

    fn takes(self, run: &RunSummary) -> bool {
        match self {
            Self::All => true,
            Self::FromWords => !run.from_picture && run.origin.is_none(),
            Self::FromPicture => run.from_picture,
            Self::Fork => run.origin.is_some(),
            Self::Unfinished => run.status != RunStatus::Finished,
        }
    }
}

/// When a run began, as it is filtered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RunAge {
    /// Any time.
    #[default]
    All,
    /// In the last 24 hours.
    Day,
    /// In the last 7 days.
    Week,
    /// In the last 30 days.
    Month,
}

impl RunAge {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::All, Self::Day, Self::Week, Self::Month];

    fn days(self) -> Option<u64> {
        match self {
            Self::All => None,
            Self::Day => Some(1),
            Self::Week => Some(7),
            Self::Month => Some(30),
        }
    }
}

/// What is searched and filtered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Words that the prompt, the negative prompt or the seed contains, in any order.
    pub search: String,
    /// The model's name; `None` for all.
    pub model: Option<String>,
    /// The family; `None` for all.
    pub family: Option<String>,
    /// The width and height in pixels; `None` for all.
    pub size: Option<(usize, usize)>,
    /// The least stars.
    pub stars: u8,
    /// How it came about.
    pub kind: RunKind,
    /// When it began.
    pub age: RunAge,
}

impl RunFilter {
    /// Whether a run is listed. `now_ms`: milliseconds after the beginning of 1970.
    pub fn takes(&self, run: &RunSummary, now_ms: u64) -> bool {
        let is_new = self.age.days().is_none_or(|days| run.created_ms + days * 86_400_000 >= now_ms);
        let has_size = |size: (usize, usize)| run.size.is_some_and(|own| (own.width, own.height) == size);
        is_new
            && run.stars >= self.stars
            && self.kind.takes(run)
            && self.model.as_ref().is_none_or(|model| run.model_name == *model)
            && self.family.as_ref().is_none_or(|family| run.family == *family)
            && self.size.is_none_or(has_size)
            && run.has_words(&self.search)
    }
}

impl RunHistory {
    /// Indices of the runs that a filter takes, the newest first.
    pub fn listed(&self, filter: &RunFilter, now_ms: u64) -> Vec<usize> {
        let runs = self.runs.iter().enumerate();
        runs.filter(|(_, run)| filter.takes(run, now_ms)).map(|(index, _)| index).collect()
    }

    /// Indices of the runs that were found and that a filter takes, the most similar first. The words of the filter do
    /// not count.
    pub fn listed_found(&self, found: &[(RunId, f32)], filter: &RunFilter, now_ms: u64) -> Vec<usize> {
        let filter = RunFilter { search: String::new(), ..filter.clone() };
        let places: HashMap<&RunId, usize> =
            self.runs.iter().enumerate().map(|(index, run)| (&run.id, index)).collect();
        let indices = found.iter().filter_map(|(id, _)| places.get(id).copied());
        indices.filter(|index| filter.takes(&self.runs[*index], now_ms)).collect()
    }

    /// The different values of something that the runs have, sorted.
    pub fn values<T: Ord>(&self, of: impl Fn(&RunSummary) -> Option<T>) -> Vec<T> {
        let mut values: Vec<T> = self.runs.iter().filter_map(of).collect();
        values.sort_unstable();
        values.dedup();
        values
    }
}
