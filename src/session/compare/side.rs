//! One of two that are compared.

use crate::formats::metadata::GenerationFacts;
use crate::latent::{Latent, LatentFormat, TrajectoryStep};
use crate::request::Seed;
use crate::session::history::{RunId, RunMoment, RunSummary};
use crate::session::{Document, DocumentId, Title};

/// A result, a file or a step of a run, as it was when it was chosen. Cloning shares latent and picture.
#[derive(Clone, Debug)]
pub struct Side {
    /// Its document, which may have been removed since.
    pub document: Option<DocumentId>,
    /// The kept run that it is of.
    pub run: Option<RunId>,
    /// Its title.
    pub title: Title,
    /// The step; `None` for what is final or has no steps.
    pub step: Option<StepMark>,
    /// The format of its latent.
    pub format: Option<LatentFormat>,
    /// Its latent, model space: final, or the estimate of the step.
    pub latent: Option<Latent>,
    /// Its picture. A step has one once it is decoded.
    pub picture: Option<crate::request::Picture>,
    /// The settings in use then.
    pub facts: Option<GenerationFacts>,
}

/// Which step of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepMark {
    /// Its number, from 1.
    pub step: usize,
    /// The number of steps of the run.
    pub steps: usize,
    /// The noise level that it started from.
    pub sigma: f64,
    /// Whether the latent is x_t instead of x̂₀.
    pub is_noisy: bool,
}

impl StepMark {
    fn of(step: &TrajectoryStep, is_noisy: bool) -> Self {
        Self { step: step.step, steps: step.steps, sigma: step.sigma, is_noisy }
    }
}

impl Side {
    /// A document as the easel shows it: the selected step, with edits.
    pub(super) fn of_shown(document: &Document, noisy: bool) -> Self {
        let inspector = document.inspector();
        let picture = match document.file() {
            // The picture as it is, and not as the VAE gives it back.
            Some(file) if inspector.adjustments.is_none() && file.source.is_some() => file.source.as_ref(),
            _ => document.picture(),
        };
        Self { latent: inspector.adjusted(), picture: picture.cloned(), ..Self::bare(document, noisy) }
    }

    /// A document without edits: the selected step, or what is final.
    pub(super) fn of_unedited(document: &Document) -> Self {
        if document.step().is_none() {
            return Self::of_final(document).unwrap_or_else(|| Self::bare(document, false));
        }
        Self { latent: document.present_latent(false), ..Self::bare(document, false) }
    }

    /// What a document ends with; `None` while it is being generated.
    pub(super) fn of_final(document: &Document) -> Option<Self> {
        let picture = document.file().and_then(|file| file.source.as_ref()).or(document.plain_picture());
        let latent = document.final_latent().cloned();
        if document.is_drawing() || (latent.is_none() && picture.is_none()) {
            return None;
        }
        Some(Self {
            step: None,
            latent,
            picture: picture.cloned(),
            facts: document.facts(),
            ..Self::bare(document, false)
        })
    }

    /// What is known of a document besides its latent and its picture.
    fn bare(document: &Document, noisy: bool) -> Self {
        let step = document.step().map(|step| StepMark::of(step, noisy));
        Self {
            document: Some(document.id()),
            run: document.run().cloned(),
            title: document.title(),
            step,
            format: document.format(),
            latent: None,
            picture: None,
            facts: match step {
                Some(step) => document.facts_at(step.step),
                None => document.facts(),
            },
        }
    }

    /// A moment of a kept run.
    pub(super) fn of_moment(moment: &RunMoment) -> Self {
        let facts = moment.facts().clone();
        Self {
            document: None,
            run: Some(moment.record.id.clone()),
            title: Title::Picture {
                seed: facts.seed.unwrap_or(Seed(0)),
                prompt: facts.prompt.clone().unwrap_or_default(),
            },
            step: moment.step.as_ref().map(|step| StepMark::of(step, false)),
            format: Some(moment.record.format),
            latent: moment.latent().cloned(),
            picture: moment.picture.clone(),
            facts: Some(facts),
        }
    }

    /// The same as a moment of the run that this one went on from, which has the same first steps.
    pub(super) fn in_parent(self, id: &RunId, parent: Option<&RunSummary>) -> Self {
        let title = parent
            .map(|run| Title::Picture { seed: run.seed.unwrap_or(Seed(0)), prompt: run.prompt.clone() });
        Self { run: Some(id.clone()), title: title.unwrap_or(self.title.clone()), ..self }
    }

    /// Whether both show the same.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let latent = |side: &Self| side.latent.as_ref().map(|latent| latent.values().as_ptr());
        let picture = |side: &Self| side.picture.as_ref().map(|picture| picture.rgb().as_ptr());
        let has_latents = self.latent.is_some() && other.latent.is_some();
        if has_latents { latent(self) == latent(other) } else { picture(self) == picture(other) }
    }

    /// The size of its picture, pixels, as it is or as it will be once it is decoded.
    pub fn size_px(&self) -> Option<(usize, usize)> {
        let of_picture = self.picture.as_ref().map(|picture| (picture.width(), picture.height()));
        of_picture.or_else(|| self.latent_size_px())
    }

    /// The size in pixels of the picture of its latent.
    pub fn latent_size_px(&self) -> Option<(usize, usize)> {
        Some(self.format?.image_size_px(self.latent.as_ref()?.shape()))
    }
}
