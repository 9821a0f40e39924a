//! What a person does, and what the window must do for it.

use std::path::PathBuf;

use super::{
    Document, DocumentId, Export, ExportKind, FileContent, InspectorOptions, Lens, Message, OpenOptions,
    Recovered, Reuse, Session, Touch,
};
use crate::catalog::{ImageSize, ModelSource};
use crate::engine::{Command, JobId};
use crate::formats::Comparison;
use crate::formats::metadata::GenerationFacts;
use crate::latent::{LatentFormat, LatentSpace};
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
    /// Ends the running picture; asks first where others wait.
    Stop,
    /// Ends the running picture: what it has stays as a document, and the next one begins.
    StopRunning,
    /// Ends the running picture and lets go those that wait.
    StopAll,
    /// Ends the running job with its present estimate.
    FinishNow,
    /// Lets the running picture end and starts no further one.
    StopAfter,
    /// Lets a waiting picture go.
    RemoveQueued(JobId),
    /// Moves a waiting picture one place earlier.
    PromoteQueued(JobId),
    /// Moves a waiting picture to a place among those that wait.
    MoveQueued(JobId, usize),
    /// Calls an earlier prompt back, or a later one.
    TurnPrompt {
        /// Whether the one before.
        earlier: bool,
    },
    /// Chooses a model.
    SetModel(ModelSource),
    /// Puts a document on the easel.
    Show(DocumentId),
    /// Shows the document this many places further on the contact sheet.
    ShowNeighbour(isize),
    /// Follows what is being drawn.
    GoLive,
    /// Looks at a step of the document on the easel; `None` at its live or final latent.
    Scrub(Option<usize>),
    /// Changes the part of it that is looked at.
    SetLens(Lens),
    /// Gives a document stars.
    SetStars(DocumentId, u8),
    /// Compares the document on the easel with another one, or with none.
    CompareWith(Option<DocumentId>),
    /// Shows x_t or x̂₀.
    ShowNoisy(bool),
    /// Takes a document's settings back into the draft.
    Reuse(DocumentId, Reuse),
    /// Takes settings from a file.
    RestoreFacts(Box<GenerationFacts>),
    /// Takes a document away.
    Remove(DocumentId),
    /// Takes back what this message told of.
    TakeBack(u64),
    /// Brings back what an earlier session left unsaved.
    Recover(Vec<Recovered>),
    /// Starts from a picture.
    UsePicture(Picture),
    /// Opens a picture that no file holds, under a name.
    OpenPicture(Picture, String),
    /// Takes what a document's file was found to hold.
    FileRead(DocumentId, Box<FileContent>),
    /// Changes how files are opened.
    SetOpenOptions(OpenOptions),
    /// Says what a latent's numbers are.
    AnswerKind(LatentSpace, LatentFormat),
    /// Models that fit the latent in question were looked for.
    ModelsFound(Vec<ModelSource>),
    /// Chooses the model for the latent in question.
    AnswerModel(ModelSource),
    /// Lets a question go.
    DropQuestion,
    /// Changes how channels are seen.
    See(InspectorOptions),
    /// Edits the latent on the easel.
    Touch(Touch),
    /// Keeps it as it is edited, as a document of its own.
    KeepLatent,
    /// What the VAE kept was measured.
    Compared(JobId, Box<Comparison>),
    /// Truly decodes what is on the easel as it is edited.
    Decode(DecodeChoice),
    /// Takes a message away.
    Dismiss(u64),
    /// Shows a file in the system's own window.
    ShowInFolder(PathBuf),
    /// Ends what the engine does for a document.
    StopWork(DocumentId),
    /// Copies the picture on the easel.
    Copy,
    /// Asks where to save something of the document on the easel.
    Export(ExportKind),
    /// Asks for pictures, latents or settings to open.
    Open,
    /// Asks for the source of an image-to-image run.
    ChooseSource,
    /// Asks for a model's folder.
    OpenModel,
    /// Asks for the folder in which pictures are saved as they are drawn.
    ChooseAutosaveFolder,
    /// Files or folders were dropped or named.
    OpenPaths(Vec<PathBuf>),
}

/// What the window must do.
#[derive(Debug)]
pub enum Effect {
    /// Hands a command to the engine.
    Send(Command),
    /// Copies a picture.
    Copy(Picture),
    /// Shows the save dialog for something of a document.
    AskExport(Box<Export>),
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
    /// Reads a document's file or folder.
    Read(DocumentId, PathBuf),
    /// Shows a file in the system's own window.
    ShowInFolder(PathBuf),
    /// A picture was drawn.
    Drawn(DocumentId),
    /// Asks for the folder in which pictures are saved as they are drawn.
    AskAutosaveFolder,
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
                    self.recipe.replace_prompt(prompt);
                }
            }
            Action::Generate => self.generate(),
            Action::Stop => self.stop(),
            Action::StopRunning => {
                self.opening.question = None;
                self.stop_running();
            }
            Action::StopAll => {
                self.opening.question = None;
                self.drop_all_waiting();
                self.stop_running();
            }
            Action::FinishNow => {
                if let Some(running) = &self.queue.running {
                    running.cancel.finish();
                }
            }
            Action::StopAfter => self.drop_all_waiting(),
            Action::RemoveQueued(id) => self.drop_waiting(|queued| queued.id == id),
            Action::PromoteQueued(id) => self.queue.promote(id),
            Action::MoveQueued(id, place) => self.queue.move_to(id, place),
            Action::TurnPrompt { earlier } => self.recipe.turn_prompt(earlier),
            Action::SetModel(model) => self.load_model(model),
            Action::Show(id) => self.show(id),
            Action::ShowNeighbour(by) => self.show_neighbour(by),
            Action::GoLive => {
                self.with_easel(|document| document.place = None);
                self.go_live();
            }
            Action::Scrub(place) => {
                self.with_easel(|document| document.place = place.filter(|p| *p < document.steps().len()));
                self.documents.refresh();
            }
            Action::SetLens(lens) => self.with_easel(|document| document.lens = lens),
            Action::SetStars(id, stars) => {
                if let Some(document) = self.documents.get_mut(id) {
                    document.stars = stars.min(5);
                }
            }
            Action::CompareWith(other) => self.compare_with(other),
            Action::ShowNoisy(noisy) => {
                self.documents.show_noisy = noisy;
                self.documents.refresh();
            }
            Action::Reuse(id, what) => self.use_settings(id, what),
            Action::RestoreFacts(facts) => self.restore(&facts),
            Action::Remove(id) => self.remove(id),
            Action::TakeBack(notice) => self.take_back(notice),
            Action::Recover(recovered) => self.recover(recovered),
            Action::UsePicture(picture) => {
                let strength = self.recipe.draft.init_image.as_ref().map_or(0.75, |init| init.strength);
                self.recipe.draft.init_image = Some(InitImage { picture, strength });
            }
            Action::OpenPicture(picture, name) => self.open_picture(picture, name),
            Action::FileRead(id, content) => self.file_read(id, *content),
            Action::SetOpenOptions(options) => self.set_open_options(options),
            Action::AnswerKind(space, format) => self.answer_kind(space, format),
            Action::ModelsFound(models) => self.models_found(models),
            Action::AnswerModel(model) => self.answer_model(model),
            Action::DropQuestion => self.drop_question(),
            Action::See(options) => self.documents.options = options,
            Action::Touch(touch) => {
                let mut decodes = false;
                self.with_easel(|document| decodes = document.inspector.touch(touch));
                if decodes {
                    self.decode_shown(DecodeChoice::default());
                }
            }
            Action::KeepLatent => self.keep_latent(),
            Action::Compared(job, comparison) => self.take_comparison(job, comparison),
            Action::Decode(how) => self.decode_shown(how),
            Action::StopWork(id) => self.stop_work(id),
            Action::Dismiss(id) => self.dismiss(id),
            Action::ShowInFolder(path) => self.outbox.effects.push(Effect::ShowInFolder(path)),
            Action::Copy => {
                if let Some(picture) = self.on_easel().and_then(|document| document.picture().cloned()) {
                    self.outbox.effects.push(Effect::Copy(picture));
                    self.notify(Message::Copied);
                }
            }
            Action::Export(kind) => self.ask_export(kind),
            Action::Open => self.outbox.effects.push(Effect::AskOpen),
            Action::ChooseSource => self.outbox.effects.push(Effect::AskSource),
            Action::ChooseAutosaveFolder => self.outbox.effects.push(Effect::AskAutosaveFolder),
            Action::OpenModel => self.outbox.effects.push(Effect::AskOpenModel),
            Action::OpenPaths(paths) => self.open_paths(paths),
        }
    }

    fn with_easel(&mut self, change: impl FnOnce(&mut Document)) {
        if let Some(document) = self.documents.easel.and_then(|id| self.documents.get_mut(id)) {
            change(document);
        }
    }

    fn restore(&mut self, facts: &GenerationFacts) {
        let missing = facts.apply_to(&mut self.recipe.draft);
        if let Some(profile) = &self.model.profile {
            // Another model's size need not fit this one.
            let fit = |edge: usize| (edge / profile.size_multiple).max(1) * profile.size_multiple;
            let size = self.recipe.draft.size;
            self.recipe.draft.size = ImageSize::new(fit(size.width), fit(size.height));
        }
        self.recipe.seed_locked = facts.seed.is_some();
        self.notify(Message::Restored(missing));
    }
}
