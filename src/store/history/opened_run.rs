//! A run read whole, and how another goes on from it.

use std::sync::Arc;

use super::error::HistoryError;
use super::record::{PartRecord, RunId, RunRecord};
use super::{History, step_file};
use crate::formats::metadata::GenerationFacts;
use crate::latent::{Latent, Trajectory};
use crate::request::{Continuation, FinishedPart, GenerationRequest, InitImage, Picture};

/// A run as it was read.
#[derive(Clone, Debug)]
pub struct OpenedRun {
    /// What is known of it.
    pub record: RunRecord,
    /// Its steps, none if they were removed to save space.
    pub trajectory: Trajectory,
    /// The final latent, model space; `None` if it did not come so far.
    pub latent: Option<Latent>,
    /// Its picture; `None` if it is not decoded.
    pub picture: Option<Picture>,
    /// The picture that it started from.
    pub source: Option<Picture>,
    /// For each of its parts, what replaced the estimate before it.
    pub retouched: Vec<Option<Latent>>,
}

impl History {
    /// Reads a run whole. Steps at the end that are not whole are left out: see [`OpenedRun::damaged_step`].
    ///
    /// # Errors
    /// Those of [`Self::read`], [`Self::steps`] and [`Self::picture`].
    pub fn open_run(&self, id: &RunId) -> Result<OpenedRun, HistoryError> {
        let record = self.read(id)?;
        let steps = self.steps(id)?.into_iter().map(|kept| Arc::new(kept.step)).collect();
        let parts = record.parts.iter().enumerate();
        let retouched = parts.map(|(i, part)| if part.retouched { self.retouched(id, i) } else { Ok(None) });
        Ok(OpenedRun {
            trajectory: Trajectory { source: self.source_latent(id)?, steps },
            latent: self.final_latent(id)?,
            picture: self.picture(id)?,
            source: self.source_picture(id)?,
            retouched: retouched.collect::<Result<_, _>>()?,
            record,
        })
    }

    /// Why the steps of a run after those that can be read cannot be, if it has any.
    pub fn damage_of(&self, run: &OpenedRun) -> Option<HistoryError> {
        let step = run.damaged_step()?;
        let reason = format!("its step {step} is damaged, and none from there on can be read");
        Some(step_file::damaged(reason, &self.run(&run.record.id).steps_path()))
    }
}

impl OpenedRun {
    /// Whether none of the steps that it took is there: they were removed to save space, unless they are damaged.
    pub fn is_thinned(&self) -> bool {
        self.trajectory.steps.is_empty() && self.record.steps_done > 0
    }

    /// The first step that was kept and cannot be read; `None` if all can be. The last step of an interrupted run may be
    /// torn, which is no damage.
    pub fn damaged_step(&self) -> Option<usize> {
        let read = self.trajectory.steps.len();
        (read < self.record.steps_kept).then_some(read + 1)
    }

    /// The latent that it ends with, model space: the final one, or the last estimate.
    pub fn last_latent(&self) -> Option<&Latent> {
        self.latent.as_ref().or_else(|| self.trajectory.steps.last().map(|step| &step.denoised))
    }

    /// The request with these settings.
    fn request(&self, facts: &GenerationFacts) -> GenerationRequest {
        let init_image = self.source.as_ref().zip(facts.denoising_strength);
        let init_image =
            init_image.map(|(picture, strength)| InitImage { picture: picture.clone(), strength });
        GenerationRequest::of_kept_run(facts.draft_of_run(self.record.model.clone(), init_image))
    }

    /// Its parts, in order.
    pub fn parts(&self) -> Vec<FinishedPart> {
        let part = |(i, part): (usize, &PartRecord)| FinishedPart {
            request: self.request(&part.facts),
            after: part.after,
            retouched: self.retouched.get(i).cloned().flatten(),
            noise_seed: part.noise_seed,
        };
        self.record.parts.iter().enumerate().map(part).collect()
    }

    /// Its steps with the settings of its last part: with these it goes on to the same bits.
    pub fn into_continuation(self) -> Continuation {
        Continuation { parts: self.parts(), finished: self.trajectory, retouched: None, noise_seed: None }
    }

    /// Its first `taken` steps, at most those that are kept, and the settings in use after them: with these it goes on as
    /// it did from there.
    pub fn continuation_from(self, taken: usize) -> (Continuation, GenerationRequest) {
        let mut parts = self.parts();
        // A part that begins right there is what goes on; the first begins the run.
        let begun = parts.iter().filter(|part| part.after < taken).count().max(1);
        let next = parts.get(begun).filter(|part| part.after == taken).cloned();
        parts.truncate(begun);
        let request = next.as_ref().unwrap_or(&parts[begun - 1]).request.clone();
        let (retouched, noise_seed) = next.map_or((None, None), |part| (part.retouched, part.noise_seed));
        let mut finished = self.trajectory;
        finished.steps.truncate(taken);
        (Continuation { parts, finished, retouched, noise_seed }, request)
    }
}
