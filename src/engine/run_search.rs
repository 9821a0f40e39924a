//! Kept runs found by the meaning of their pictures.

use std::path::{Path, PathBuf};

use crate::models::ModelError;
use crate::models::meaning::PictureSearch;
use crate::request::{CancelToken, Picture};
use crate::store::history::{History, HistoryError, PictureMeaning, RunId, RunStatus};

/// What runs are found by.
#[derive(Clone, Debug, PartialEq)]
pub enum Like {
    /// Words.
    Words(String),
    /// A picture.
    Picture(Picture),
    /// The picture of a run, which is not found itself.
    Run(RunId),
}

/// The runs that were found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FoundRuns {
    /// All finished runs with a place, the most similar first, with the cosine of the angle, −1..=1.
    pub runs: Vec<(RunId, f32)>,
    /// Finished runs that have no place yet and are not found.
    pub without_place: usize,
}

/// Why runs could not be searched.
#[derive(Debug, thiserror::Error)]
pub enum RunSearchError {
    /// The model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The history.
    #[error(transparent)]
    History(Box<HistoryError>),
    /// The run whose picture others are compared with has none.
    #[error("the run {0} has no picture: it was not decoded")]
    NoPicture(RunId),
}

impl From<HistoryError> for RunSearchError {
    fn from(error: HistoryError) -> Self {
        Self::History(error.into())
    }
}

/// A loaded model that finds pictures, and the kept runs.
pub struct RunSearch {
    weights: PathBuf,
    model: PictureSearch,
}

impl RunSearch {
    /// Loads the model of a file of weights. `threads`: of the processor; `None` for one for each core.
    ///
    /// # Errors
    /// Those of [`PictureSearch::open`].
    pub fn open(weights: &Path, threads: Option<usize>) -> Result<Self, ModelError> {
        Ok(Self { weights: weights.to_owned(), model: PictureSearch::open(weights, threads)? })
    }

    /// The file of its weights.
    pub fn weights(&self) -> &Path {
        &self.weights
    }

    /// The finished runs without a place in the space of this model, the newest first.
    ///
    /// # Errors
    /// Those of [`History::runs`].
    pub fn missing(&self, history: &History) -> Result<Vec<RunId>, HistoryError> {
        history.without_meaning(Some(self.model.hash()))
    }

    /// Keeps the place of a run's picture. A run without a picture, as after it was deleted, is left as it is.
    ///
    /// # Errors
    /// If the picture cannot be read, the model fails, or the place cannot be written.
    pub fn place(&self, history: &History, run: &RunId) -> Result<(), RunSearchError> {
        let Some(picture) = history.picture(run)? else { return Ok(()) };
        let place = self.model.picture(&picture)?;
        match history.set_meaning(run, &place) {
            Err(HistoryError::NoRun { .. }) => Ok(()),
            written => Ok(written?),
        }
    }

    /// Finds runs. Ends early with what it compared by then once `cancel` is stopped.
    ///
    /// # Errors
    /// If the model fails, or the runs cannot be listed or have no such picture.
    pub fn find(
        &self,
        history: &History,
        like: &Like,
        cancel: &CancelToken,
    ) -> Result<FoundRuns, RunSearchError> {
        let wanted = match like {
            Like::Words(words) => self.model.words(words)?,
            Like::Picture(picture) => self.model.picture(picture)?,
            Like::Run(run) => {
                if let Some(place) = self.kept(history, run) {
                    place
                } else {
                    let picture = history.picture(run)?;
                    self.model.picture(&picture.ok_or_else(|| RunSearchError::NoPicture(run.clone()))?)?
                }
            }
        };
        let mut found = FoundRuns::default();
        let finished = history.runs()?.runs.into_iter().filter(|run| run.status == RunStatus::Finished);
        for run in finished {
            if cancel.is_stopped() {
                break;
            }
            if matches!(like, Like::Run(own) if *own == run.id) {
                continue;
            }
            match self.kept(history, &run.id) {
                Some(place) => found.runs.push((run.id, wanted.similarity(&place))),
                None => found.without_place += 1,
            }
        }
        // Of equals the newest comes first, as in the history.
        found.runs.sort_by(|a, b| b.1.total_cmp(&a.1));
        Ok(found)
    }

    /// The place of a run in the space of this model.
    fn kept(&self, history: &History, run: &RunId) -> Option<PictureMeaning> {
        history.meaning(run).filter(|place| place.model() == self.model.hash())
    }
}
