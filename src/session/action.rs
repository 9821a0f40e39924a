//! User actions, and the side effects that the window has to execute.

use std::path::PathBuf;

use super::downloads::{DownloadAction, DownloadsCommand, DownloadsReport};
use super::history::{HistoryAction, HistoryCommand, HistoryReport};
use super::library::{LibraryAction, LibraryCommand, LibraryReport};
use super::{
    CompareAction, Document, DocumentId, EndedWork, Export, ExportKind, FileContent, FolderFor, GridAction,
    GridExport, InsideAction, InspectorOptions, Lens, MeaningAction, Message, OpenOptions, PairContent,
    PairFigures, Recovered, ReelAction, ReelWork, Reuse, Session, Touch,
};
use crate::catalog::{ImageSize, ModelSource, PredictionType};
use crate::engine::{Command, EngineSettings, JobId};
use crate::formats::Comparison;
use crate::formats::metadata::{GenerationFacts, Unrestored};
use crate::latent::{LatentFormat, LatentSpace};
use crate::reel::ReelProgress;
use crate::request::{DecodeChoice, GenerationDraft, InitImage, Picture, Seed, Watched};
use crate::store::builtin_vocabulary;

/// A user action, or the result of an effect.
#[derive(Debug)]
pub enum Action {
    /// Replaces the draft.
    Edit(Box<GenerationDraft>),
    /// Sets the batch size and whether the seed is locked.
    SetBatch(u64, bool),
    /// Draws a random seed.
    RandomSeed,
    /// Composes a random prompt from the built-in model's grammar.
    RandomPrompt,
    /// Queues the draft.
    Generate,
    /// Stops the running job. Asks first if others are queued.
    Stop,
    /// Stops the running job. Its latest estimate stays as a document, and the next job starts.
    StopRunning,
    /// Stops the running job and clears the queue.
    StopAll,
    /// Ends sampling early and decodes the current estimate.
    FinishNow,
    /// Clears the queue; the running job continues.
    StopAfter,
    /// Removes a job from the queue.
    RemoveQueued(JobId),
    /// Moves a queued job one position towards the front.
    PromoteQueued(JobId),
    /// Moves a queued job to this index of the queue.
    MoveQueued(JobId, usize),
    /// Steps through the prompt history.
    TurnPrompt {
        /// Whether backwards.
        earlier: bool,
    },
    /// Loads a model.
    SetModel(ModelSource),
    /// Loads the model again, whose network is said to predict this; `None` is what its files say.
    SetPrediction(Option<PredictionType>),
    /// Opens the file dialog for the part that a model lacked.
    ChoosePart,
    /// Loads that model with this file for the part.
    NamePart(PathBuf),
    /// Shows a document on the easel.
    Show(DocumentId),
    /// Shows the document at this offset from the current one on the contact sheet.
    ShowNeighbour(isize),
    /// Shows the running job, and the ones after it.
    GoLive,
    /// Selects a step (index) of the document on the easel; `None` for its live or final latent.
    Scrub(Option<usize>),
    /// Queues pictures that go on from the selected step with the recipe's settings.
    Fork,
    /// Sets the zoom and pan of the document on the easel, or of the two that are compared.
    SetLens(Lens),
    /// Rates a document, 0..=5 stars.
    SetStars(DocumentId, u8),
    /// Compares two results, files or steps.
    Compare(CompareAction),
    /// Draws grids, and uses them.
    Grid(GridAction),
    /// The figures of two that are compared were computed.
    PairMeasured(Box<PairContent>, Box<PairFigures>),
    /// Looks into the shown step.
    Inside(InsideAction),
    /// Whether to preview x_t instead of x̂₀.
    ShowNoisy(bool),
    /// Copies settings of a document into the draft.
    Reuse(DocumentId, Reuse),
    /// Copies settings from a file's metadata into the draft.
    RestoreFacts(Box<GenerationFacts>),
    /// Removes a document. Can be undone.
    Remove(DocumentId),
    /// Undoes the removal that this notice reported.
    TakeBack(u64),
    /// Restores unsaved results of an earlier session.
    Recover(Vec<Recovered>),
    /// Sets the source picture of image-to-image.
    UsePicture(Picture),
    /// Opens a picture without a file, such as a pasted one, under this name.
    OpenPicture(Picture, String),
    /// A document's file was read.
    FileRead(DocumentId, Box<FileContent>),
    /// Changes how files are opened.
    SetOpenOptions(OpenOptions),
    /// Answers [`Question::LatentKind`](super::Question::LatentKind).
    AnswerKind(LatentSpace, LatentFormat),
    /// The search for models that fit the latent of the open question finished.
    ModelsFound(Vec<ModelSource>),
    /// Answers [`Question::OtherModel`](super::Question::OtherModel).
    AnswerModel(ModelSource),
    /// Dismisses the open question.
    DropQuestion,
    /// Changes how channels are displayed.
    See(InspectorOptions),
    /// Edits the latent on the easel.
    Touch(Touch),
    /// Copies the edited latent into a new document.
    KeepLatent,
    /// A decode was compared with its original.
    Compared(JobId, Box<Comparison>),
    /// Decodes the edited latent on the easel with the VAE.
    Decode(DecodeChoice),
    /// Decodes it with the tiny decoder.
    DecodeQuickly,
    /// Dismisses a notice.
    Dismiss(u64),
    /// Shows a file in the system's file manager.
    ShowInFolder(PathBuf),
    /// Stops the engine job of a document.
    StopWork(DocumentId),
    /// Copies the picture on the easel to the clipboard.
    Copy,
    /// Opens the save dialog for an export of the document on the easel.
    Export(ExportKind),
    /// Saves the development of a run.
    Reel(ReelAction),
    /// Opens the file dialog for pictures and latents.
    Open,
    /// Opens the file dialog for the source picture of image-to-image.
    ChooseSource,
    /// Opens the folder dialog for a model.
    OpenModel,
    /// Opens the dialog for a folder of the settings.
    ChooseFolder(FolderFor),
    /// Changes how the engine runs.
    SetEngine(EngineSettings),
    /// Empties the list of recent models, except for the one in use.
    ForgetModels,
    /// Empties the prompts and their history.
    ForgetPrompts,
    /// Uses the library of models.
    Library(LibraryAction),
    /// The library's thread says something.
    LibrarySays(LibraryReport),
    /// Uses the kept runs.
    History(HistoryAction),
    /// The history's thread says something.
    HistorySays(HistoryReport),
    /// Finds and describes pictures.
    Meaning(MeaningAction),
    /// Uses the downloads of models.
    Downloads(DownloadAction),
    /// The thread of the downloads says something.
    DownloadsSay(DownloadsReport),
    /// Opens a page in the system's browser.
    OpenPage(String),
    /// Opens files or folders that were dropped or chosen.
    OpenPaths(Vec<PathBuf>),
}

/// A side effect for the window to execute.
#[derive(Debug)]
pub enum Effect {
    /// Sends a command to the engine.
    Send(Command),
    /// Has the engine watch the running picture.
    Watch(Watched),
    /// Copies a picture to the clipboard.
    Copy(Picture),
    /// Shows the save dialog for an export.
    AskExport(Box<Export>),
    /// Shows the save dialog for an animation of a run's development.
    AskReel(Box<ReelWork>),
    /// Shows the save dialog for a grid.
    AskGrid(Box<GridExport>),
    /// Makes an animation of a run's development, in the background.
    MakeReel {
        /// The steps and what it is to be.
        work: Box<ReelWork>,
        /// The file or folder.
        path: PathBuf,
        /// How far it is.
        progress: ReelProgress,
    },
    /// Shows the open dialog for files.
    AskOpen,
    /// Shows the open dialog for a source picture.
    AskSource,
    /// Compares a decode with its original, in the background.
    Compare {
        /// The decode's job.
        job: JobId,
        /// The original.
        original: Picture,
        /// The decode.
        decoded: Picture,
        /// Picture pixels per latent pixel, along one edge.
        downscale: usize,
        /// Size of the latent at 16 bits per value, bytes.
        latent_bytes: usize,
    },
    /// Computes the figures of two that are compared, in the background.
    MeasurePair(Box<PairContent>),
    /// Looks for known models whose VAE has this number of latent channels.
    FindModels(usize),
    /// Shows the folder dialog for a model.
    AskOpenModel,
    /// Shows the open dialog for a part that a model lacks.
    AskPart,
    /// Reads a document's file or folder.
    Read(DocumentId, PathBuf),
    /// Shows a file in the system's file manager.
    ShowInFolder(PathBuf),
    /// A picture was generated: autosaves it, if enabled.
    Drawn(DocumentId),
    /// Shows the dialog for a folder of the settings.
    AskFolder(FolderFor),
    /// Long work ended: notifies the user, if enabled.
    Announce(Box<EndedWork>),
    /// Tells the library's thread what to do.
    Library(LibraryCommand),
    /// Tells the history's thread what to do.
    History(HistoryCommand),
    /// Tells the thread of the downloads what to do.
    Downloads(DownloadsCommand),
    /// Opens a page in the system's browser.
    OpenPage(String),
    /// Writes a result to the recovery folder.
    Keep(JobId),
    /// Registers a recovered result, whose files (path without extension) are in a recovery folder already.
    IsKeptAs(JobId, PathBuf),
    /// Deletes a result from the recovery folder.
    Forget(JobId),
}

impl Session {
    /// Applies an action.
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
            Action::SetModel(model) => self.open_model(model),
            Action::SetPrediction(prediction) => self.set_prediction(prediction),
            Action::ChoosePart => self.outbox.effects.push(Effect::AskPart),
            Action::NamePart(file) => self.name_part(file),
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
            Action::Fork => self.fork(),
            Action::SetLens(lens) => self.set_lens(lens),
            Action::SetStars(id, stars) => {
                if let Some(document) = self.documents.get_mut(id) {
                    document.stars = stars.min(5);
                    if let Some(run) = document.run.clone() {
                        self.use_history(HistoryAction::SetStars(run, stars));
                    }
                }
            }
            Action::Compare(action) => self.use_comparison(&action),
            Action::Grid(action) => self.use_grid(action),
            Action::PairMeasured(content, figures) => self.pair_measured(*content, *figures),
            Action::Inside(action) => self.use_inside(action),
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
            Action::DecodeQuickly => self.decode_quickly(),
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
            Action::Reel(action) => self.use_reel(action),
            Action::Open => self.outbox.effects.push(Effect::AskOpen),
            Action::ChooseSource => self.outbox.effects.push(Effect::AskSource),
            Action::ChooseFolder(purpose) => self.outbox.effects.push(Effect::AskFolder(purpose)),
            Action::SetEngine(settings) => self.set_engine(settings),
            Action::ForgetModels => self.forget_models(),
            Action::ForgetPrompts => self.forget_prompts(),
            Action::OpenModel => self.outbox.effects.push(Effect::AskOpenModel),
            Action::Library(action) => self.use_library(action),
            Action::LibrarySays(report) => self.library_says(report),
            Action::History(action) => self.use_history(action),
            Action::HistorySays(report) => self.history_says(report),
            Action::Meaning(action) => self.use_meaning(action),
            Action::Downloads(action) => self.use_downloads(action),
            Action::DownloadsSay(report) => self.downloads_say(report),
            Action::OpenPage(address) => self.outbox.effects.push(Effect::OpenPage(address)),
            Action::OpenPaths(paths) => self.open_paths(paths),
        }
    }

    fn with_easel(&mut self, change: impl FnOnce(&mut Document)) {
        if let Some(document) = self.documents.easel.and_then(|id| self.documents.get_mut(id)) {
            change(document);
        }
    }

    pub(super) fn restore(&mut self, facts: &GenerationFacts) {
        let mut missing = facts.apply_to(&mut self.recipe.draft);
        missing.extend(self.take_unfit_options());
        if let Some(profile) = &self.model.profile {
            // The size may come from a model with another size multiple.
            let fit = |edge: usize| (edge / profile.size_multiple).max(1) * profile.size_multiple;
            let size = self.recipe.draft.size;
            self.recipe.draft.size = ImageSize::new(fit(size.width), fit(size.height));
        }
        self.recipe.seed_locked = facts.seed.is_some();
        self.notify(Message::Restored(missing));
    }

    /// Removes the options of the draft that the loaded model does not have.
    pub(super) fn take_unfit_options(&mut self) -> Vec<Unrestored> {
        let Some(profile) = &self.model.profile else { return Vec::new() };
        let (options, prompt) = self.recipe.draft.take_unfit_options(profile);
        Unrestored::options(&options, &prompt)
    }
}
