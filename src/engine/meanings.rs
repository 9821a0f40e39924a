//! The models that find and describe pictures, and what is computed with them while the engine is idle.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::failure::{JobError, Task};
use super::run_search::{FoundRuns, Like, RunSearch, RunSearchError};
use crate::models::meaning::PictureDescriber;
use crate::reason::{Reason, ReasonKind};
use crate::request::{CancelToken, Picture};
use crate::store::history::{History, RunId};

/// Idle time before the first picture is placed: the user may be about to do something.
pub(super) const BEFORE: Duration = Duration::from_secs(2);
/// Idle time between two pictures, which leaves the processor to others.
pub(super) const BETWEEN: Duration = Duration::from_millis(50);

/// The loaded models, and the runs whose pictures are placed in idle time.
#[derive(Default)]
pub(super) struct Meanings {
    search: Option<RunSearch>,
    describer: Option<(PathBuf, PictureDescriber)>,
    /// The model with which pictures are placed in idle time.
    places_with: Option<PathBuf>,
    /// The runs that are to be placed, the newest last; `None` when that is not known.
    missing: Option<Vec<RunId>>,
}

impl Meanings {
    /// Places pictures with this model in idle time; `None` for no longer.
    pub(super) fn place_with(&mut self, weights: Option<PathBuf>) {
        if self.places_with != weights {
            (self.places_with, self.missing) = (weights, None);
        }
    }

    /// The history has changed.
    pub(super) fn look_again(&mut self) {
        self.missing = None;
    }

    /// Whether there may be something to do.
    pub(super) fn may_work(&self) -> bool {
        self.places_with.is_some() && self.missing.as_ref().is_none_or(|missing| !missing.is_empty())
    }

    /// Frees the models, whose memory another model may need.
    pub(super) fn release(&mut self) {
        (self.search, self.describer) = (None, None);
    }

    /// Does a small part of what there is to do: lists the runs, loads the model or places one picture. Whatever fails
    /// is written to the log and not tried again until something changes.
    pub(super) fn work(&mut self, history: Option<&History>, threads: Option<usize>) {
        let (Some(history), Some(weights)) = (history, self.places_with.clone()) else {
            self.missing = Some(Vec::new());
            return;
        };
        let worked = catch_unwind(AssertUnwindSafe(|| self.work_with(history, &weights, threads)));
        match worked {
            Ok(Ok(())) => {}
            Ok(Err(error)) => log::warn!("a picture is not placed: {error}"),
            Err(_) => {
                self.release();
                self.missing = Some(Vec::new());
            }
        }
    }

    fn work_with(
        &mut self,
        history: &History,
        weights: &Path,
        threads: Option<usize>,
    ) -> Result<(), RunSearchError> {
        let loaded = self.search.take_if(|search| search.weights() != weights);
        drop(loaded);
        let Some(missing) = &mut self.missing else {
            // Without the model's hash only runs without any place are known to be missing. They are enough to load it.
            let listed = match &self.search {
                Some(search) => search.missing(history),
                None => history.without_meaning(None),
            };
            let mut missing = listed.unwrap_or_else(|error| {
                log::warn!("the kept runs cannot be listed: {error}");
                Vec::new()
            });
            missing.reverse();
            self.missing = Some(missing);
            return Ok(());
        };
        let Some(search) = &self.search else {
            match RunSearch::open(weights, threads) {
                Ok(search) => (self.search, self.missing) = (Some(search), None),
                Err(error) => {
                    missing.clear();
                    return Err(error.into());
                }
            }
            return Ok(());
        };
        match missing.pop() {
            Some(run) => search.place(history, &run),
            None => Ok(()),
        }
    }

    /// Finds runs by their meaning.
    pub(super) fn find(
        &mut self,
        history: Option<&History>,
        weights: &Path,
        like: &Like,
        threads: Option<usize>,
        cancel: &CancelToken,
    ) -> Result<FoundRuns, JobError> {
        let Some(history) = history else { return Ok(FoundRuns::default()) };
        if self.search.as_ref().is_none_or(|search| search.weights() != weights) {
            self.search = None;
            let opened = RunSearch::open(weights, threads);
            self.search = Some(opened.map_err(|error| JobError::from_model(Task::FindRuns, error))?);
        }
        let Some(search) = &self.search else { return Ok(FoundRuns::default()) };
        let found = search.find(history, like, cancel).map_err(|error| match error {
            RunSearchError::Model(error) => JobError::from_model(Task::FindRuns, error),
            RunSearchError::History(error) => JobError::failed(Task::FindRuns, &*error, None),
            error @ RunSearchError::NoPicture(_) => {
                JobError::failed(Task::FindRuns, Reason::new(ReasonKind::RunWithoutPicture, &error), None)
            }
        })?;
        if found.without_place > 0 {
            self.missing = None;
        }
        if cancel.is_stopped() { Err(JobError::Cancelled) } else { Ok(found) }
    }

    /// A picture in words.
    pub(super) fn describe(
        &mut self,
        weights: &Path,
        picture: &Picture,
        threads: Option<usize>,
        cancel: &CancelToken,
    ) -> Result<String, JobError> {
        let failed = |error| JobError::from_model(Task::Describe, error);
        if self.describer.as_ref().is_none_or(|(path, _)| path != weights) {
            self.describer = None;
            let describer = PictureDescriber::open(weights, threads).map_err(failed)?;
            self.describer = Some((weights.to_owned(), describer));
        }
        let Some((_, describer)) = &mut self.describer else { return Ok(String::new()) };
        describer.describe(picture, cancel).map_err(failed)
    }
}
