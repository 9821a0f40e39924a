//! What a person does, and what the window must do for it.

use std::path::PathBuf;

use super::{Inspector, Queued, Running, Session, Severity, Shown};
use crate::engine::{Command, JobId};
use crate::formats::metadata::{GenerationFacts, Unrestored};
use crate::formats::picture::crop_to_multiple;
use crate::latent::{Latent, LatentSpace};
use crate::request::{CancelToken, GenerationDraft, ImageSize, InitImage, ModelChoice, Picture, Seed};
use crate::store::builtin_vocabulary;

/// What a person does.
#[derive(Debug)]
pub enum Action {
    /// Changes what is typed and set.
    Edit(Box<GenerationDraft>),
    /// Sets the batch and the seed's lock.
    SetBatch(u64, bool),
    /// A seed nobody chose.
    RandomSeed,
    /// A prompt from the built-in model's grammar.
    RandomPrompt,
    /// Draws the draft.
    Generate,
    /// Ends the running job without a result, and nothing starts after it.
    StopNow,
    /// Ends the running job with its present estimate.
    FinishNow,
    /// Lets the running picture end and starts no further one.
    StopAfter,
    /// Removes a waiting job.
    RemoveQueued(JobId),
    /// Moves a waiting job one place earlier.
    PromoteQueued(JobId),
    /// Chooses a model.
    SetModel(ModelChoice),
    /// Shows a result or the running job.
    Show(Shown),
    /// Looks at a step of the shown result.
    Scrub(Option<usize>),
    /// Shows x_t or x̂₀.
    ShowNoisy(bool),
    /// Takes a result's settings back into the draft.
    RestoreSettings(usize),
    /// Takes settings from a file.
    RestoreFacts(Box<GenerationFacts>),
    /// Takes a result away.
    RemoveResult(usize),
    /// Starts from a picture.
    UsePicture(Picture),
    /// Lays a picture's latent open.
    InspectPicture(Picture),
    /// Lays a latent open; the space is the file's, VAE where it did not say.
    InspectLatent(Latent, LatentSpace),
    /// Lays what the canvas shows open.
    InspectShown,
    /// Truly decodes the latent as it is adjusted.
    DecodeInspected,
    /// Takes a message away.
    Dismiss(u64),
    /// Asks where to save the shown picture.
    Save,
    /// Asks where to save the shown latent.
    SaveLatent,
    /// Asks where to save a latent in model space.
    SaveThisLatent(Latent),
    /// Copies the shown picture.
    Copy,
    /// Asks for a picture, latent or settings to open.
    Open,
    /// Asks for a model's folder.
    OpenModel,
    /// A file or folder was dropped or named.
    OpenPath(PathBuf),
}

/// What the window must do.
#[derive(Debug)]
pub enum Effect {
    /// Hands a command to the engine.
    Send(Command),
    /// Shows the save dialog for a result's picture.
    AskSavePicture(JobId),
    /// Shows the save dialog for a latent in model space.
    AskSaveLatent(Latent),
    /// Copies a picture.
    Copy(Picture),
    /// Shows the open dialog for files.
    AskOpen,
    /// Shows the open dialog for a model's folder.
    AskOpenModel,
    /// Reads a file or folder.
    Read(PathBuf),
}

impl Session {
    /// Applies what a person did.
    pub fn apply(&mut self, action: Action) {
        match action {
            Action::Edit(draft) => self.draft = *draft,
            Action::SetBatch(batch, locked) => {
                (self.batch, self.seed_locked) = (batch.clamp(1, 1000), locked)
            }
            Action::RandomSeed => self.draft.seed = Seed::random(),
            Action::RandomPrompt => {
                let prompt = builtin_vocabulary().compose(|| Seed::random().0);
                if !prompt.is_empty() {
                    self.draft.prompt = prompt;
                }
            }
            Action::Generate => self.generate(),
            Action::StopNow => self.stop_now(),
            Action::FinishNow => {
                if let Some(running) = &self.running {
                    running.cancel.finish();
                }
            }
            Action::StopAfter => self.queue.clear(),
            Action::RemoveQueued(id) => self.queue.retain(|queued| queued.id != id),
            Action::PromoteQueued(id) => {
                if let Some(at) = self.queue.iter().position(|queued| queued.id == id)
                    && at > 0
                {
                    self.queue.swap(at, at - 1);
                }
            }
            Action::SetModel(model) => self.load_model(model),
            Action::Show(shown) => {
                (self.shown, self.scrubbed) = (shown, None);
                self.follow_canvas();
            }
            Action::Scrub(step) => {
                self.scrubbed = step;
                self.follow_canvas();
            }
            Action::ShowNoisy(noisy) => {
                self.show_noisy = noisy;
                self.follow_canvas();
            }
            Action::RestoreSettings(index) => {
                if let Some(item) = self.results.get(index) {
                    self.draft =
                        GenerationDraft { model: self.draft.model.clone(), ..(*item.request).clone() };
                    self.seed_locked = true;
                }
            }
            Action::RestoreFacts(facts) => self.restore(&facts),
            Action::RemoveResult(index) => self.remove_result(index),
            Action::UsePicture(picture) => {
                let strength = self.draft.init_image.as_ref().map_or(0.75, |init| init.strength);
                self.draft.init_image = Some(InitImage { picture, strength });
            }
            Action::InspectPicture(picture) => self.inspect_picture(&picture),
            Action::InspectLatent(latent, space) => self.inspect_latent(latent, space),
            Action::InspectShown => self.inspect_shown(),
            Action::DecodeInspected => self.decode_inspected(),
            Action::Dismiss(id) => self.notices.retain(|notice| notice.id != id),
            Action::Save => {
                if let Some(item) = self.shown_result().filter(|item| item.picture().is_some()) {
                    self.effects.push(Effect::AskSavePicture(item.job));
                }
            }
            Action::SaveLatent => {
                if let Some(latent) = self.shown_latent() {
                    self.effects.push(Effect::AskSaveLatent(latent));
                }
            }
            Action::SaveThisLatent(latent) => self.effects.push(Effect::AskSaveLatent(latent)),
            Action::Copy => {
                if let Some(picture) = self.shown_result().and_then(|item| item.picture().cloned()) {
                    self.effects.push(Effect::Copy(picture));
                }
            }
            Action::Open => self.effects.push(Effect::AskOpen),
            Action::OpenModel => self.effects.push(Effect::AskOpenModel),
            Action::OpenPath(path) => self.effects.push(Effect::Read(path)),
        }
    }

    /// The latent the canvas shows: the scrubbed step's, or the result's.
    pub fn shown_latent(&self) -> Option<Latent> {
        if let Some(item) = self.shown_result() {
            let step = self.scrubbed.and_then(|step| item.trajectory.steps.get(step));
            return Some(match step {
                Some(step) if self.show_noisy => step.noisy.clone(),
                Some(step) => step.denoised.clone(),
                None => item.latent.clone(),
            });
        }
        let step = self.running.as_ref()?.newest.as_ref()?;
        Some(if self.show_noisy { step.noisy.clone() } else { step.denoised.clone() })
    }

    fn generate(&mut self) {
        let Some(profile) = self.profile.clone() else { return };
        for index in 0..self.batch {
            let draft = GenerationDraft { seed: self.draft.seed.nth(index), ..self.draft.clone() };
            match draft.validate(&profile) {
                Ok(request) => {
                    let id = self.new_job();
                    self.queue.push(Queued { id, request });
                }
                Err(error) => {
                    self.notify(Severity::Error, "This cannot be drawn", error.to_string());
                    return;
                }
            }
        }
        if !self.seed_locked {
            self.draft.seed = self.draft.seed.nth(self.batch);
        }
        (self.shown, self.scrubbed) = (Shown::Live, None);
        self.start_next();
    }

    /// Hands the next job to the engine, if it is free.
    pub(super) fn start_next(&mut self) {
        if self.running.is_some() || self.queue.is_empty() {
            return;
        }
        let Queued { id, request } = self.queue.remove(0);
        let cancel = CancelToken::new();
        let command =
            Command::Generate { job: id, request: Box::new(request.clone()), cancel: cancel.clone() };
        self.effects.push(Effect::Send(command));
        let since = std::time::Instant::now();
        self.running =
            Some(Running { id, request, cancel, stage: None, newest: None, step_secs: None, since });
    }

    fn stop_now(&mut self) {
        self.queue.clear();
        if let Some(running) = &self.running {
            running.cancel.stop();
        }
    }

    fn remove_result(&mut self, index: usize) {
        if index >= self.results.len() {
            return;
        }
        self.results.remove(index);
        self.shown = match self.shown {
            Shown::Result(at) if at == index => Shown::Live,
            Shown::Result(at) if at > index => Shown::Result(at - 1),
            other => other,
        };
        self.scrubbed = None;
    }

    fn restore(&mut self, facts: &GenerationFacts) {
        let missing = facts.apply_to(&mut self.draft);
        if let Some(profile) = &self.profile {
            // Another model's size need not fit this one.
            let fit = |edge: usize| (edge / profile.size_multiple).max(1) * profile.size_multiple;
            self.draft.size = ImageSize::new(fit(self.draft.size.width), fit(self.draft.size.height));
        }
        self.seed_locked = facts.seed.is_some();
        let missing: Vec<String> = missing
            .into_iter()
            .map(|what| match what {
                Unrestored::Sampler(name) => format!("the sampler {name}"),
                Unrestored::Schedule(name) => format!("the schedule {name}"),
                Unrestored::ClipSkip(n) => format!("CLIP skip {n}"),
                Unrestored::InitImage => "the source picture".to_owned(),
            })
            .collect();
        let why =
            if missing.is_empty() { String::new() } else { format!("Not restored: {}.", missing.join(", ")) };
        self.notify(Severity::Info, "Settings restored", why);
    }

    fn inspect_picture(&mut self, picture: &Picture) {
        let Some(profile) = self.profile.clone() else { return };
        let Some((cropped, _)) = crop_to_multiple(picture, profile.format.downscale) else {
            let why = format!("It is smaller than one latent pixel ({0}×{0}).", profile.format.downscale);
            self.notify(Severity::Error, "This picture cannot be encoded", why);
            return;
        };
        if cropped != *picture {
            let why = format!("{}×{} pixels are encoded.", cropped.width(), cropped.height());
            self.notify(Severity::Info, "The picture was cropped to whole latent pixels", why);
        }
        let job = self.new_job();
        self.inspector = Inspector::awaiting(cropped.clone(), job, self.inspector.options);
        let model = self.draft.model.clone();
        let cancel = CancelToken::new();
        self.effects.push(Effect::Send(Command::Encode { job, model, picture: cropped, cancel }));
    }

    fn inspect_latent(&mut self, latent: Latent, space: LatentSpace) {
        let Some(profile) = self.profile.clone() else { return };
        if latent.shape().channels != profile.format.channels {
            let why = format!(
                "It has {} channels, and the loaded model's VAE has {}. Choose a model that fits.",
                latent.shape().channels,
                profile.format.channels
            );
            self.notify(Severity::Error, "This latent does not fit the model", why);
            return;
        }
        let latent = match space {
            LatentSpace::Vae => profile.format.model_from_vae(&latent),
            LatentSpace::Model => latent,
        };
        self.inspector.follows_canvas = false;
        self.inspector.open(latent, profile.format);
        self.decode_inspected();
    }

    fn inspect_shown(&mut self) {
        let format =
            self.shown_result().map(|item| item.format).or_else(|| self.profile.as_ref().map(|p| p.format));
        let picture = self.scrubbed.is_none().then(|| self.shown_result()?.picture().cloned()).flatten();
        if let (Some(latent), Some(format)) = (self.shown_latent(), format) {
            self.inspector.follows_canvas = true;
            self.inspector.open(latent, format);
            if let Some(picture) = picture {
                self.inspector.set_decoded(picture);
            }
        }
    }

    /// Keeps the latent view on what the canvas shows, if it was opened from there.
    pub(super) fn follow_canvas(&mut self) {
        if self.inspector.follows_canvas {
            self.inspect_shown();
        }
    }

    fn decode_inspected(&mut self) {
        let Some(latent) = self.inspector.adjusted() else { return };
        let job = self.new_job();
        self.inspector.pending = Some(job);
        let model = self.draft.model.clone();
        self.effects.push(Effect::Send(Command::Decode { job, model, latent, cancel: CancelToken::new() }));
    }
}
