//! Looking into a step: what changed, how guidance pulls, where words act, and which frequencies have settled.
//!
//! Only what is looked at is computed: of a running picture by its engine beside each step, of a finished one by a job
//! that takes the shown step once more, and what needs no network here.

mod maps;
mod words;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Document, DocumentId, Effect, Session};
use crate::engine::{Command, Insight, Job, JobId, JobKind};
use crate::latent::{Latent, Trajectory, TrajectoryStep};
use crate::request::{CancelToken, Continuation, PromptTokens, Watched};

pub use maps::InsideMap;
use maps::Maps;
pub use words::ShownWord;

/// What is looked at of the inside of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum InsideView {
    /// Where words of the prompt act.
    Words,
    /// The embeddings of the prompt's tokens.
    Embeddings,
    /// Where the estimate changed since the step before.
    #[default]
    Change,
    /// How strongly guidance pulls.
    Guidance,
    /// How much of the picture is in which frequency, and which of them have settled.
    Spectrum,
}

/// Why there is nothing to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InsideObstacle {
    /// What is shown has no steps: it was not generated, or they were not kept.
    NoSteps,
    /// It is the first step, and the view compares it with the one before.
    FirstStep,
    /// The running picture is watched from its next step on.
    NextStep,
    /// The engine computes it.
    Computing,
    /// Steps before it are not known, so that it cannot be taken again.
    StepsMissing,
    /// Another model drew it than the one that is loaded.
    OtherModel,
    /// It was drawn without guidance.
    NoGuidance,
    /// The prompt has no words, or the network does not attend to them.
    NoWords,
    /// It could not be computed.
    Failed,
}

/// Something done while looking into a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InsideAction {
    /// Looks at this; `None` no longer.
    Look(Option<InsideView>),
    /// Chooses a word by its number, or no longer; `alone`: no other one with it.
    ChooseWord {
        /// The word.
        word: usize,
        /// Whether the others are chosen no longer.
        alone: bool,
    },
}

/// Most bytes of the maps that are kept of a document's steps.
const MOST_BYTES: usize = 256 << 20;

/// What is seen inside the steps of the document on the easel.
#[derive(Default)]
pub(super) struct Inside {
    view: Option<InsideView>,
    /// What the engine was told to watch.
    watched: Watched,
    document: Option<DocumentId>,
    /// By the number of the step.
    seen: BTreeMap<usize, Seen>,
    /// The step that could not be looked into last.
    failed: Option<(usize, Watched)>,
    asked: Option<Asked>,
    words: words::ChosenWords,
    maps: Maps,
}

/// The maps of a step that are known.
#[derive(Default)]
struct Seen {
    insight: Insight,
    /// The maps that were asked for; a step may lack one, such as that of guidance without guidance.
    watched: Watched,
}

/// A job that looks into a step.
struct Asked {
    job: JobId,
    cancel: CancelToken,
    document: DocumentId,
    step: usize,
    watched: Watched,
}

impl InsideView {
    /// What the engine has to watch for it.
    fn watched(self) -> Watched {
        let words = matches!(self, Self::Words | Self::Embeddings);
        Watched { guidance: self == Self::Guidance, words }
    }
}

impl Inside {
    /// Whether the engine looks into a step.
    pub(super) fn is_at_work(&self) -> bool {
        self.asked.is_some()
    }

    fn has(&self, step: usize, watched: Watched) -> bool {
        let is_in = |Seen { insight, .. }: &Seen| {
            (!watched.guidance || insight.guidance.is_some()) && (!watched.words || insight.words.is_some())
        };
        self.seen.get(&step).is_some_and(is_in)
    }

    /// Whether the step was looked into for this, whatever it has of it.
    fn was_looked(&self, step: usize, watched: Watched) -> bool {
        let looked = self.seen.get(&step).map(|seen| seen.watched).unwrap_or_default();
        looked.guidance >= watched.guidance && looked.words >= watched.words
    }

    /// Caches the insight of a step; the steps farthest from it are evicted when the cache is full.
    fn add(&mut self, step: usize, insight: &Insight, watched: Watched) {
        let own = self.seen.entry(step).or_default();
        if watched.guidance {
            own.watched.guidance = true;
            own.insight.guidance.clone_from(&insight.guidance);
        }
        if watched.words {
            own.watched.words = true;
            own.insight.words.clone_from(&insight.words);
        }
        let bytes = |Seen { insight, .. }: &Seen| {
            let words = insight.words.as_ref();
            let words = words.map_or(0, |words| words.maps.byte_len() + words.embeddings.byte_len());
            words + insight.guidance.as_ref().map_or(0, Latent::byte_len)
        };
        while self.seen.len() > 1 && self.seen.values().map(bytes).sum::<usize>() > MOST_BYTES {
            let farthest = self.seen.keys().max_by_key(|other| other.abs_diff(step)).copied();
            self.seen.remove(&farthest.unwrap_or(step));
        }
    }
}

impl Session {
    /// What is looked at of the inside of the shown step.
    pub fn inside_view(&self) -> Option<InsideView> {
        self.inside.view
    }

    pub(super) fn use_inside(&mut self, action: InsideAction) {
        match action {
            InsideAction::Look(view) => self.inside.view = view,
            InsideAction::ChooseWord { word, alone } => self.inside.words.choose(word, alone),
        }
    }

    /// The step that is looked into: the shown one, or that of the final picture.
    pub(super) fn inside_step(document: &Document) -> Option<&Arc<TrajectoryStep>> {
        document.step().or_else(|| document.steps().last())
    }

    /// Has what is looked at computed. Call it in each frame. Returns whether there is something new to draw, or more to
    /// compute here.
    pub fn look_inside(&mut self) -> bool {
        let document = self.on_easel().map(Document::id);
        if self.inside.document != document {
            self.inside.document = document;
            self.inside.seen.clear();
            self.inside.maps = Maps::default();
            self.inside.failed = None;
        }
        self.watch_running();
        let wanted = self.wanted_inside();
        if let Some(asked) = &self.inside.asked {
            let is_it = wanted == Some((asked.document, asked.step, asked.watched));
            if !is_it {
                asked.cancel.stop();
            }
        } else if let Some((document, step, watched)) = wanted
            && self.inside_obstacle() == Some(InsideObstacle::Computing)
        {
            self.ask_inside(document, step, watched);
        }
        self.measure_inside()
    }

    /// Has the engine watch the running picture, while its inside is looked at.
    fn watch_running(&mut self) {
        let running = self.queue.running.as_ref().map(|running| DocumentId::of_job(running.id));
        let is_shown = running.is_some() && running == self.documents.easel;
        let watched = self.inside.view.filter(|_| is_shown).map(InsideView::watched).unwrap_or_default();
        if watched != self.inside.watched {
            self.inside.watched = watched;
            self.outbox.effects.push(Effect::Watch(watched));
        }
    }

    /// The document, the step and what an engine has to compute of it for what is looked at.
    fn wanted_inside(&self) -> Option<(DocumentId, usize, Watched)> {
        let watched = self.inside.view?.watched();
        let document = self.on_easel()?;
        let step = Self::inside_step(document)?.step;
        let is_open = watched.is_any() && !document.is_drawing() && !self.inside.has(step, watched);
        (is_open && self.inside.failed != Some((step, watched))).then(|| (document.id(), step, watched))
    }

    fn ask_inside(&mut self, document: DocumentId, step: usize, watched: Watched) {
        let Some(item) = self.documents.get(document).and_then(Document::result) else { return };
        let parts = super::fork::parts_until(&item.lineage.parts, step);
        let Some(request) = parts.last().map(|part| part.request.clone()) else { return };
        let finished = Trajectory {
            source: item.trajectory.source.clone(),
            steps: item.trajectory.steps.iter().filter(|own| own.step < step).cloned().collect(),
        };
        let continues = Box::new(Continuation { parts, finished, retouched: None, noise_seed: None });
        let (job, cancel) = (self.new_job(), CancelToken::new());
        let kind = JobKind::LookInside { request: Box::new(request), continues, watched };
        self.inside.asked = Some(Asked { job, cancel: cancel.clone(), document, step, watched });
        self.examples.interrupt();
        self.interrupt_fit();
        self.outbox.effects.push(Effect::Send(Command::Run(Job { id: job, cancel, kind })));
    }

    /// Why there is nothing to see of what is looked at; `None` if there is.
    pub fn inside_obstacle(&self) -> Option<InsideObstacle> {
        let view = self.inside.view?;
        let Some(document) = self.on_easel() else { return Some(InsideObstacle::NoSteps) };
        let Some(step) = Self::inside_step(document) else {
            let waits = document.is_drawing();
            return Some(if waits { InsideObstacle::NextStep } else { InsideObstacle::NoSteps });
        };
        match view {
            InsideView::Change => {
                let has_before = document.steps().iter().any(|other| other.step + 1 == step.step);
                (!has_before).then(|| {
                    if step.step == 1 { InsideObstacle::FirstStep } else { InsideObstacle::StepsMissing }
                })
            }
            InsideView::Spectrum => None,
            InsideView::Guidance | InsideView::Words | InsideView::Embeddings => {
                let watched = view.watched();
                if self.inside.has(step.step, watched) {
                    return None;
                }
                if let Some(obstacle) = self.lacks(document, step.step, view) {
                    return Some(obstacle);
                }
                Some(if document.is_drawing() {
                    InsideObstacle::NextStep
                } else if self.inside.failed == Some((step.step, watched)) {
                    InsideObstacle::Failed
                } else if !knows_steps(document, step.step) {
                    InsideObstacle::StepsMissing
                } else if !self.is_ready()
                    || document.request().is_none_or(|request| request.model != self.recipe.draft.model)
                {
                    InsideObstacle::OtherModel
                } else {
                    InsideObstacle::Computing
                })
            }
        }
    }

    /// Why the step can never show this.
    fn lacks(&self, document: &Document, step: usize, view: InsideView) -> Option<InsideObstacle> {
        let request = document.request()?;
        let looked = self.inside.seen.get(&step).map(|seen| seen.watched).unwrap_or_default();
        if view.watched().words {
            let is_lacking = request.prompt.trim().is_empty() || looked.words;
            return is_lacking.then_some(InsideObstacle::NoWords);
        }
        let profile = self.model.profile.as_ref().filter(|profile| profile.source == request.model);
        let is_off = profile.is_some_and(|profile| {
            request.prompt_options.classifier_free_scale(profile.guidance, request.guidance_scale) <= 1.0
        });
        (is_off || looked.guidance).then_some(InsideObstacle::NoGuidance)
    }

    /// The tokens of the prompt of the document on the easel, if they are known.
    pub fn inside_tokens(&self) -> Option<&PromptTokens> {
        let of_steps = self.inside.seen.values().find_map(|seen| seen.insight.words.as_ref());
        of_steps.map(|words| &words.tokens).or_else(|| self.measured_tokens(self.on_easel()?.request()?))
    }

    /// The number of the prompt's tokens that the network attends to, and the width of their embeddings, if they are known.
    pub fn inside_embeddings_size(&self) -> Option<[usize; 2]> {
        let words = self.inside.seen.values().find_map(|seen| seen.insight.words.as_ref())?;
        let shape = words.embeddings.shape();
        Some([shape.height, shape.width])
    }

    /// The engine's insight of a step; of another document than the shown one it is dropped.
    pub(super) fn seen_inside(&mut self, job: JobId, step: usize, insight: &Insight) {
        let asked = self.inside.asked.as_ref().filter(|asked| asked.job == job);
        let asked = asked.map(|asked| (asked.document, asked.watched));
        let (document, watched) = asked.unwrap_or((DocumentId::of_job(job), self.inside.watched));
        if self.inside.document == Some(document) {
            self.inside.add(step, insight, watched);
        }
    }

    /// A job that looked into a step is over; `failed`: not because it was cancelled.
    pub(super) fn inside_ended(&mut self, job: JobId, failed: bool) {
        if let Some(asked) = self.inside.asked.take_if(|asked| asked.job == job)
            && self.inside.document == Some(asked.document)
            && (failed || !asked.cancel.is_stopped())
            && !self.inside.was_looked(asked.step, asked.watched)
        {
            self.inside.failed = Some((asked.step, asked.watched));
        }
    }
}

/// Whether all steps up to this one are known.
fn knows_steps(document: &Document, step: usize) -> bool {
    let steps = document.steps();
    steps.len() >= step && steps.iter().take(step).enumerate().all(|(i, own)| own.step == i + 1)
}
