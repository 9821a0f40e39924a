//! Animations and sheets of the development of a run: what is to be saved, the decodes it needs, and how far it is. One
//! at a time.

use std::path::PathBuf;

use super::history::{HistoryCommand, OpenFor, OpenedRun, RunId};
use super::{Document, DocumentId, Effect, Message, ModelState, Session, Title};
use crate::catalog::ModelSource;
use crate::engine::{Event, JobId, JobKind};
use crate::reason::{Reason, ReasonKind};
use crate::reel::{
    Development, PreviewProjection, ReelOptions, ReelProgress, Shown, decode_to_keep, size_of,
};
use crate::request::{CancelToken, DecodeChoice, Picture};

/// Whose development is saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReelOf {
    /// That of a document.
    Document(DocumentId),
    /// That of a kept run.
    Run(RunId),
}

/// A reel as it is asked for.
#[derive(Clone, Debug)]
pub struct ReelOrder {
    /// Whose development.
    pub of: ReelOf,
    /// What the reel is to be.
    pub options: ReelOptions,
    /// The preview of its latents.
    pub projection: PreviewProjection,
}

/// A reel whose steps are known.
#[derive(Clone, Debug)]
pub struct ReelWork {
    /// The proposed file name, without extension.
    pub stem: String,
    /// The steps.
    pub development: Development,
    /// What the reel is to be.
    pub options: ReelOptions,
    /// The preview of its latents.
    pub projection: PreviewProjection,
    /// The model that drew it.
    pub model: ModelSource,
    /// Its name.
    pub model_name: String,
}

/// Something done with a reel.
#[derive(Debug)]
pub enum ReelAction {
    /// Ask where it is to be saved.
    Save(Box<ReelOrder>),
    /// Make it there.
    Make(Box<ReelWork>, PathBuf),
    /// Stop the one that is being made.
    Stop,
    /// It was made, at this path, or could not be: the reason.
    Made(Result<PathBuf, Reason>),
}

/// The reel that is being made.
struct Making {
    work: Box<ReelWork>,
    path: PathBuf,
    progress: ReelProgress,
    /// The decode that the engine works on.
    decoding: Option<(JobId, CancelToken)>,
}

/// The reels of the session.
#[derive(Default)]
pub(super) struct Reels {
    making: Option<Making>,
    /// A reel whose run is being read.
    waiting: Option<Box<ReelOrder>>,
}

impl Reels {
    /// Whether the engine works for it.
    pub(super) fn is_decoding(&self) -> bool {
        self.making.as_ref().is_some_and(|making| making.decoding.is_some())
    }
}

impl Session {
    /// How many frames of the reel that is being made are done, and of how many; while steps are decoded, how many of
    /// them. `None` if there is none.
    pub fn reel_progress(&self) -> Option<[usize; 2]> {
        let making = self.reels.making.as_ref()?;
        Some(match making.decoding {
            Some(_) => [making.work.development.decodes.len(), making.work.development.steps.len()],
            None => making.progress.frames(),
        })
    }

    /// Whether the engine decodes steps for a reel.
    pub fn decodes_for_reel(&self) -> bool {
        self.reels.is_decoding()
    }

    /// Whether the development of a document can be saved.
    pub fn has_reel(&self, of: DocumentId) -> bool {
        self.documents
            .get(of)
            .is_some_and(|document| document.result().is_some() && !document.steps().is_empty())
    }

    /// Whether the steps can be decoded: the model that drew them is the loaded one.
    pub fn can_decode_reel(&self, of: &ReelOf) -> bool {
        match of {
            ReelOf::Document(id) => {
                let request = self.documents.get(*id).and_then(Document::request);
                request.is_some_and(|request| self.has_loaded(&request.model))
            }
            // Which files the run's model has is known once it is read.
            ReelOf::Run(run) => {
                let run = self.history.runs().iter().find(|summary| summary.id == *run);
                let name = self.model.profile.as_ref().map(|profile| &profile.name);
                self.is_ready() && run.is_some_and(|run| Some(&run.model_name) == name)
            }
        }
    }

    fn has_loaded(&self, model: &ModelSource) -> bool {
        let is_loaded = self.model.profile.as_ref().is_some_and(|profile| profile.source == *model);
        is_loaded && *model == self.recipe.draft.model && matches!(self.model.state, ModelState::Ready { .. })
    }

    pub(super) fn use_reel(&mut self, action: ReelAction) {
        match action {
            ReelAction::Save(order) => self.save_reel(order),
            ReelAction::Make(work, path) => self.make_reel(work, path),
            ReelAction::Stop => self.stop_reel(),
            ReelAction::Made(made) => self.reel_made(made),
        }
    }

    fn save_reel(&mut self, order: Box<ReelOrder>) {
        if self.reels.making.is_some() {
            return;
        }
        match &order.of {
            ReelOf::Run(run) => {
                self.tell_history(HistoryCommand::Open(run.clone(), OpenFor::Reel));
                self.reels.waiting = Some(order);
            }
            ReelOf::Document(id) => {
                let Some(document) = self.documents.get(*id) else { return };
                let Some(item) = document.result() else { return };
                let development = Development {
                    steps: document.steps().to_vec(),
                    latent: Some(item.latent.clone()),
                    picture: item.picture().cloned(),
                    decodes: Vec::new(),
                    format: item.format,
                    facts: Some(item.facts()),
                };
                let stem = document.title().file_stem();
                let (model, model_name) = (item.request.model.clone(), item.model_name.clone());
                self.ask_reel(*order, development, stem, model, model_name);
            }
        }
    }

    /// Handles the run that was read for a reel.
    pub(super) fn reel_run_opened(&mut self, run: OpenedRun) {
        let Some(order) = self.reels.waiting.take() else { return };
        let stem = match run.record.facts().seed {
            Some(seed) => Title::Picture { seed, prompt: String::new() }.file_stem(),
            None => format!("safelight-{}", run.record.id),
        };
        let development = Development {
            steps: run.trajectory.steps,
            latent: run.latent,
            picture: run.picture,
            decodes: Vec::new(),
            format: run.record.format,
            facts: Some(run.record.parts[run.record.parts.len() - 1].facts.clone()),
        };
        self.ask_reel(*order, development, stem, run.record.model, run.record.model_name);
    }

    fn ask_reel(
        &mut self,
        order: ReelOrder,
        development: Development,
        stem: String,
        model: ModelSource,
        model_name: String,
    ) {
        let ReelOrder { options, projection, .. } = order;
        let options = options.within_bounds();
        if development.steps.is_empty() {
            let why = "no steps of this picture are kept, so that there is nothing to show";
            self.notify(Message::NotSaved(Reason::new(ReasonKind::NoSteps, why)));
            return;
        }
        // The preview of another model's latents would fail, or have wrong colours.
        let fits = projection.channels() == development.format.channels && self.has_loaded(&model);
        let projection = if fits { projection } else { PreviewProjection::for_format(&development.format) };
        let work = ReelWork { stem, development, options, projection, model, model_name };
        self.outbox.effects.push(Effect::AskReel(Box::new(work)));
    }

    fn make_reel(&mut self, work: Box<ReelWork>, path: PathBuf) {
        if self.reels.making.is_some() {
            return;
        }
        self.reels.making = Some(Making { work, path, progress: ReelProgress::default(), decoding: None });
        self.go_on_with_reel();
    }

    /// Decodes the next step, if decodes are to be shown, or makes the file.
    fn go_on_with_reel(&mut self) {
        let Some(making) = &self.reels.making else { return };
        let work = &making.work;
        let wants_decodes = work.options.shown == Shown::Decoded;
        let next = work.development.steps.get(work.development.decodes.len()).filter(|_| wants_decodes);
        let Some(step) = next else {
            let (work, path) = (work.clone(), making.path.clone());
            let progress = making.progress.clone();
            self.outbox.effects.push(Effect::MakeReel { work, path, progress });
            return;
        };
        let (model, latent) = (work.model.clone(), step.denoised.clone());
        if !self.has_loaded(&model) {
            let name = work.model_name.clone();
            let why = format!("the picture was drawn by another model: choose ‘{name}’ first");
            self.reel_made(Err(Reason::new(ReasonKind::OtherModelLoaded, why).with([&name as _])));
            return;
        }
        let job = self.new_job();
        let cancel = self.send(job, JobKind::Decode { model, latent, how: DecodeChoice::default() });
        if let Some(making) = &mut self.reels.making {
            making.decoding = Some((job, cancel));
        }
    }

    /// Takes an event if it is of a decode for a reel, and gives back any other.
    pub(super) fn take_reel_event(&mut self, event: Event) -> Option<Event> {
        let Some(making) = &mut self.reels.making else { return Some(event) };
        let Some((decoding, _)) = making.decoding else { return Some(event) };
        match event {
            Event::Decoded { job, picture, .. } if job == decoding => {
                making.decoding = None;
                making.keep_decode(&picture);
                self.go_on_with_reel();
            }
            Event::Failed { job, failure } if job == decoding => {
                self.reel_made(Err(failure.why));
            }
            Event::Cancelled { job } if job == decoding => {
                self.reel_made(Err(Reason::new(ReasonKind::Stopped, "stopped")));
            }
            Event::StageChanged { job, .. } if job == decoding => {}
            other => return Some(other),
        }
        None
    }

    /// Stops the reel that is being made.
    pub fn stop_reel(&mut self) {
        self.reels.waiting = None;
        let Some(making) = &self.reels.making else { return };
        making.progress.cancel.stop();
        if let Some((_, cancel)) = &making.decoding {
            cancel.stop();
        }
    }

    fn reel_made(&mut self, made: Result<PathBuf, Reason>) {
        self.reels.making = None;
        match made {
            Ok(path) => {
                self.notify(Message::Saved(path));
            }
            // Who stopped it knows.
            Err(why) if why.kind() == ReasonKind::Stopped => {}
            Err(why) => {
                self.notify(Message::NotSaved(why));
            }
        }
    }
}

impl Making {
    fn keep_decode(&mut self, picture: &Picture) {
        let size = size_of(&self.work.development, &self.work.options);
        let size = size.unwrap_or([picture.width(), picture.height()]);
        self.work.development.decodes.push(decode_to_keep(picture, size));
    }
}
