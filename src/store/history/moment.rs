//! What a run shows at one of its steps or at its end, read without the rest.

use std::sync::Arc;

use super::error::HistoryError;
use super::kept_step::step_from_bytes;
use super::record::{RunId, RunRecord};
use super::step_file::{Steps, damaged};
use super::{History, RunFolder};
use crate::formats::metadata::GenerationFacts;
use crate::latent::{Latent, TrajectoryStep};
use crate::request::Picture;

/// What a run shows at one of its steps, or at its end.
#[derive(Clone, Debug)]
pub struct RunMoment {
    /// What is known of the run.
    pub record: RunRecord,
    /// The step; `None` at the end of a run that has a final latent. One that was stopped ends with its last step.
    pub step: Option<Arc<TrajectoryStep>>,
    /// The final latent, model space.
    pub final_latent: Option<Latent>,
    /// The picture at the end; a step has none.
    pub picture: Option<Picture>,
}

impl RunMoment {
    /// The final latent or the estimate of the step, model space; `None` for a run that ended before its first step.
    pub fn latent(&self) -> Option<&Latent> {
        self.step.as_ref().map(|step| &step.denoised).or(self.final_latent.as_ref())
    }

    /// The settings in use then.
    pub fn facts(&self) -> &GenerationFacts {
        match &self.step {
            Some(step) => self.record.facts_at(step.step),
            None => self.record.facts(),
        }
    }
}

impl History {
    /// What a run shows after this step, from 1, or at its end.
    ///
    /// # Errors
    /// [`HistoryError::StepNotKept`] if the step is not there, and those of [`Self::read`], [`Self::steps`] and
    /// [`Self::picture`].
    pub fn moment(&self, id: &RunId, step: Option<usize>) -> Result<RunMoment, HistoryError> {
        let record = self.read(id)?;
        if let Some(number) = step {
            let (found, kept) = step_of(&self.run(id), Some(number))?;
            let Some(step) = found else {
                return Err(HistoryError::StepNotKept { wanted: number, kept, folder: self.folder(id) });
            };
            return Ok(RunMoment { record, step: Some(step), final_latent: None, picture: None });
        }
        let final_latent = self.final_latent(id)?;
        let step = if final_latent.is_none() { step_of(&self.run(id), None)?.0 } else { None };
        Ok(RunMoment { record, step, final_latent, picture: self.picture(id)? })
    }
}

/// The step with this number, or the last one, and the number of steps up to it.
fn step_of(
    folder: &RunFolder,
    number: Option<usize>,
) -> Result<(Option<Arc<TrajectoryStep>>, usize), HistoryError> {
    let path = folder.steps_path();
    let Some(mut steps) = Steps::open(&path)? else { return Ok((None, 0)) };
    let (mut count, mut last) = (0, None);
    while number.is_none_or(|number| count < number)
        && let Some(bytes) = steps.next()?
    {
        (count, last) = (count + 1, Some(bytes));
    }
    let bytes = last.filter(|_| number.is_none_or(|number| number == count));
    let read = bytes.map(|bytes| step_from_bytes(&bytes)).transpose();
    Ok((read.map_err(|reason| damaged(reason, &path))?.map(|kept| Arc::new(kept.step)), count))
}
