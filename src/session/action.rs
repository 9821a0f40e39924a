//! What a person does, and what the window must do for it.

use std::path::PathBuf;

use super::{Message, OpenOptions, Recovered, Session, Shown, Touch};
use crate::catalog::{ImageSize, ModelSource};
use crate::engine::{Command, JobId, JobKind};
use crate::formats::Comparison;
use crate::formats::metadata::GenerationFacts;
use crate::latent::{Latent, LatentFormat, LatentSpace};
use crate::request::{DecodeChoice, GenerationDraft, InitImage, Picture, Seed};
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
    SetModel(ModelSource),
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
    /// Brings back the result whose removal this message told of.
    UndoRemove(u64),
    /// Brings back what an earlier session left unsaved.
    Recover(Vec<Recovered>),
    /// Starts from a picture.
    UsePicture(Picture),
    /// Lays a picture's latent open.
    InspectPicture {
        /// The picture.
        picture: Picture,
        /// Its file's name.
        name: String,
        /// Whether it had transparent pixels, which lie on the background now.
        transparent: bool,
    },
    /// Lays a latent open.
    InspectLatent {
        /// The latent.
        latent: Latent,
        /// The space of its values, where the file says.
        space: Option<LatentSpace>,
        /// Its file's name.
        name: String,
    },
    /// Changes how files are opened.
    SetOpenOptions(OpenOptions),
    /// Goes on or back among the files that were opened together.
    TurnRoll(isize),
    /// Says what a latent's numbers are.
    AnswerKind(LatentSpace, LatentFormat),
    /// Models that fit the latent in question were looked for.
    ModelsFound(Vec<ModelSource>),
    /// Chooses the model for the latent in question.
    AnswerModel(ModelSource),
    /// Lets a question go.
    DropQuestion,
    /// Changes how the latent is seen or what is done to it.
    Touch(Touch),
    /// What the VAE kept was measured.
    Compared(JobId, Box<Comparison>),
    /// Lays what the canvas shows open.
    InspectShown,
    /// Truly decodes the latent as it is adjusted.
    DecodeInspected(DecodeChoice),
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
    /// Asks where to save something of the latent view.
    Export(Export),
    /// Asks for pictures, latents or settings to open.
    Open,
    /// Asks for the source of an image-to-image run.
    ChooseSource,
    /// Asks for a model's folder.
    OpenModel,
    /// Files or folders were dropped or named.
    OpenPaths(Vec<PathBuf>),
}

/// What can be saved of the latent view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Export {
    /// All channels, labelled, as one PNG.
    Sheet,
    /// Every channel as a 16-bit PNG of its own.
    ChannelPngs,
    /// One channel as a 16-bit PNG or `.npy`.
    Channel(usize),
    /// The whole latent as `.npy`.
    Npy,
    /// The true decode as a picture.
    Reconstruction,
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
    /// Shows the save dialog for something of the latent view.
    AskExport(Export),
    /// Shows the open dialog for files.
    AskOpen,
    /// Shows the open dialog for a source picture.
    AskSource,
    /// Measures what the VAE kept, in the background.
    Compare {
        /// The decode's job.
        job: JobId,
        /// The original.
        original: Picture,
        /// The decode.
        decoded: Picture,
        /// Pixels under the edge of a latent pixel.
        downscale: usize,
        /// Bytes of the latent at 16 bits a value.
        latent_bytes: usize,
    },
    /// Looks for known models whose VAE has this number of channels.
    FindModels(usize),
    /// Shows the open dialog for a model's folder.
    AskOpenModel,
    /// Reads a file or folder.
    Read(PathBuf),
    /// Keeps a result on the disk until it is saved or given up.
    Keep(JobId),
    /// A result of an earlier session is kept in these files already.
    IsKeptAs(JobId, PathBuf),
    /// A result need not be kept any longer.
    Forget(JobId),
}

impl Session {
    /// Applies what a person did.
    pub fn apply(&mut self, action: Action) {
        match action {
            Action::Edit(draft) => self.recipe.draft = *draft,
            Action::SetBatch(batch, locked) => self.recipe.set_batch(batch, locked),
            Action::RandomSeed => self.recipe.draft.seed = Seed::random(),
            Action::RandomPrompt => {
                let prompt = builtin_vocabulary().compose(|| Seed::random().0);
                if !prompt.is_empty() {
                    self.recipe.draft.prompt = prompt;
                }
            }
            Action::Generate => self.generate(),
            Action::StopNow => self.queue.stop_now(),
            Action::FinishNow => {
                if let Some(running) = &self.queue.running {
                    running.cancel.finish();
                }
            }
            Action::StopAfter => self.queue.waiting.clear(),
            Action::RemoveQueued(id) => self.queue.remove(id),
            Action::PromoteQueued(id) => self.queue.promote(id),
            Action::SetModel(model) => self.load_model(model),
            Action::Show(shown) => {
                (self.results.shown, self.results.scrubbed) = (shown, None);
                self.follow_canvas();
            }
            Action::Scrub(step) => {
                self.results.scrubbed = step;
                self.follow_canvas();
            }
            Action::ShowNoisy(noisy) => {
                self.results.show_noisy = noisy;
                self.follow_canvas();
            }
            Action::RestoreSettings(index) => {
                if let Some(item) = self.results.items.get(index) {
                    self.recipe.draft =
                        GenerationDraft { model: self.recipe.draft.model.clone(), ..(*item.request).clone() };
                    self.recipe.seed_locked = true;
                }
            }
            Action::RestoreFacts(facts) => self.restore(&facts),
            Action::RemoveResult(index) => self.remove_result(index),
            Action::UndoRemove(notice) => self.undo_remove(notice),
            Action::Recover(recovered) => self.recover(recovered),
            Action::UsePicture(picture) => {
                let strength = self.recipe.draft.init_image.as_ref().map_or(0.75, |init| init.strength);
                self.recipe.draft.init_image = Some(InitImage { picture, strength });
            }
            Action::InspectPicture { picture, name, transparent } => {
                self.inspect_picture(picture, name, transparent);
            }
            Action::InspectLatent { latent, space, name } => self.inspect_latent(latent, space, name),
            Action::SetOpenOptions(options) => self.set_open_options(options),
            Action::TurnRoll(by) => self.turn_roll(by),
            Action::AnswerKind(space, format) => self.answer_kind(space, format),
            Action::ModelsFound(models) => self.models_found(models),
            Action::AnswerModel(model) => self.answer_model(model),
            Action::DropQuestion => self.opening.question = None,
            Action::Touch(touch) => {
                if self.inspector.touch(touch) {
                    self.decode_inspected(DecodeChoice::default());
                }
            }
            Action::Compared(job, comparison) => {
                if self.inspector.compared == Some(job) {
                    self.inspector.comparison = Some(comparison);
                }
            }
            Action::InspectShown => self.inspect_shown(),
            Action::DecodeInspected(how) => self.decode_inspected(how),
            Action::Dismiss(id) => self.dismiss(id),
            Action::Save => {
                if let Some(item) = self.shown_result().filter(|item| item.picture().is_some()) {
                    self.outbox.effects.push(Effect::AskSavePicture(item.job));
                }
            }
            Action::SaveLatent => {
                if let Some(latent) = self.shown_latent() {
                    self.outbox.effects.push(Effect::AskSaveLatent(latent));
                }
            }
            Action::SaveThisLatent(latent) => self.outbox.effects.push(Effect::AskSaveLatent(latent)),
            Action::Copy => {
                if let Some(picture) = self.shown_result().and_then(|item| item.picture().cloned()) {
                    self.outbox.effects.push(Effect::Copy(picture));
                }
            }
            Action::Export(what) => self.outbox.effects.push(Effect::AskExport(what)),
            Action::Open => self.outbox.effects.push(Effect::AskOpen),
            Action::ChooseSource => self.outbox.effects.push(Effect::AskSource),
            Action::OpenModel => self.outbox.effects.push(Effect::AskOpenModel),
            Action::OpenPaths(paths) => self.open_paths(paths),
        }
    }

    fn restore(&mut self, facts: &GenerationFacts) {
        let missing = facts.apply_to(&mut self.recipe.draft);
        if let Some(profile) = &self.model.profile {
            // Another model's size need not fit this one.
            let fit = |edge: usize| (edge / profile.size_multiple).max(1) * profile.size_multiple;
            self.recipe.draft.size =
                ImageSize::new(fit(self.recipe.draft.size.width), fit(self.recipe.draft.size.height));
        }
        self.recipe.seed_locked = facts.seed.is_some();
        self.notify(Message::Restored(missing));
    }

    fn inspect_shown(&mut self) {
        let format = self
            .shown_result()
            .map(|item| item.format)
            .or_else(|| self.model.profile.as_ref().map(|p| p.format));
        let picture =
            self.results.scrubbed.is_none().then(|| self.shown_result()?.picture().cloned()).flatten();
        if let (Some(latent), Some(format)) = (self.shown_latent(), format) {
            self.inspector.follows_canvas = true;
            self.inspector.open(latent, format);
            if let Some(picture) = picture {
                self.inspector.decoded = Some(picture);
            }
        }
    }

    /// Keeps the latent view on what the canvas shows, if it was opened from there.
    pub(super) fn follow_canvas(&mut self) {
        if self.inspector.follows_canvas {
            self.inspect_shown();
        }
    }

    pub(super) fn decode_inspected(&mut self, how: DecodeChoice) {
        let Some(latent) = self.inspector.adjusted() else { return };
        let job = self.new_job();
        self.inspector.pending = Some(job);
        let model = self.recipe.draft.model.clone();
        self.send(job, JobKind::Decode { model, latent, how });
    }
}
