//! The main window: executes the session's effects, and feeds engine events, dialog answers and background results back
//! into it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::autosave::{ReservedPaths, autosave};
use super::background::{Background, Finished};
use super::desktop_services::DesktopServices;
use super::dialogs::{Answer, Dialogs, Purpose};
use super::dropping::Dropping;
use super::files::{self, Opened};
use super::input_order::InputOrder;
use super::library::{LibraryPlace, LibraryThread};
use super::persistence::{Persistence, StartupState};
use super::questions::{AtStake, Decision, Questions};
use super::reasons::reason_of;
use super::recovery::{self, Recovery};
use super::saving::{Chooser, Replacing, proposed_name, targets, was_shown, would_replace};
use super::settings::Settings;
use super::signals::Termination;
use super::surroundings::{on_own_device, surroundings};
use super::waker::Waker;
use crate::catalog::ModelSource;
use crate::engine::{Engine, Event};
use crate::formats::compare;
use crate::panels::{Desk, ThemeChoice, announcement, theme};
use crate::preview::LatentTextures;
use crate::reason::{Reason, ReasonKind};
use crate::session::library::LibraryAction;
use crate::session::{Action, DocumentId, Effect, EndedWork, FileContent, FolderFor, Message, Session};
use crate::store::library::{Environment, LibraryPaths};

/// The program's window.
pub struct Window {
    /// The application state.
    pub session: Session,
    /// The state of the panels.
    pub desk: Desk,
    pub(super) questions: Questions,
    background: Background,
    library: LibraryThread,
    pub(super) settings: Settings,
    persistence: Persistence,
    termination: Termination,
    dialogs: Dialogs,
    engine: Engine,
    waker: Waker,
    autosaved: ReservedPaths,
    pub(super) input_order: InputOrder,
    pub(super) dropping: Dropping,
    pub(super) services: DesktopServices,
    /// The current window title.
    pub(super) title: String,
    /// Whether the window's size was already limited to its monitor's.
    pub(super) is_fitted: bool,
}

/// The window title while nothing runs.
pub(super) const TITLE: &str = "Safelight";

/// Delay for repaints on engine events. A delayed request costs one frame; egui answers an immediate one with two, so
/// that the layout can settle.
const REPAINT_DELAY: Duration = Duration::from_millis(1);

impl Window {
    /// Builds the window and starts the engine, without persistent settings or crash recovery.
    ///
    /// # Errors
    /// If the engine's thread cannot be started.
    pub fn new(
        context: &eframe::CreationContext<'_>,
        settings: Settings,
        message: Option<Message>,
    ) -> anyhow::Result<Self> {
        let mut window = Self::build(context, settings, Persistence::default())?;
        if let Some(message) = message {
            window.session.notify(message);
        }
        Ok(window)
    }

    fn build(
        context: &eframe::CreationContext<'_>,
        settings: Settings,
        persistence: Persistence,
    ) -> anyhow::Result<Self> {
        let waker = Waker::new(&context.egui_ctx);
        let wakes = waker.clone();
        let surroundings = surroundings();
        let engine_settings = on_own_device(settings.engine, &surroundings.devices);
        let engine = Engine::start(engine_settings, move || wakes.wake_after(REPAINT_DELAY))?;
        let (model, recent_models) = (settings.model.clone(), settings.recent_models.clone());
        let mut session = if settings.model_crashed {
            Session::held_back(model, recent_models)
        } else {
            Session::new(model, recent_models)
        };
        session.restore_answers(settings.model_answers.clone());
        session.restore_stars(settings.starred_models.clone());
        session.engine_runs_with(engine_settings);
        let mut desk = Desk::new(None, settings.language);
        desk.save_metadata = settings.save_metadata;
        desk.theme = settings.theme;
        (desk.recipe, desk.enlarger) = (settings.recipe_panel, settings.enlarger);
        [desk.recipe_width, desk.enlarger_width] = settings.panel_widths;
        (desk.autosave, desk.pictures_folder) = (settings.autosave.clone(), files::pictures_folder());
        (desk.use_patch, desk.reduced_motion) = (settings.patch_previews, settings.reduced_motion);
        (desk.dialog_folder, desk.notify) = (settings.dialog_folder.clone(), settings.notify);
        desk.surroundings = surroundings;
        if let Some(recipe) = settings.recipe.clone() {
            session.restore_recipe(recipe);
        }
        session.keep_fits_in(super::fits_folder());
        let mut window = Self {
            session,
            desk,
            questions: Questions::default(),
            background: Background::new(&waker),
            library: LibraryThread::new(&waker),
            settings,
            persistence,
            termination: Termination::default(),
            dialogs: Dialogs::new(&waker),
            engine,
            waker,
            autosaved: ReservedPaths::default(),
            input_order: InputOrder::default(),
            dropping: Dropping::default(),
            services: DesktopServices::default(),
            title: TITLE.to_owned(),
            is_fitted: false,
        };
        window.attach(context);
        Ok(window)
    }

    /// Uses this library of models in place of none. `to_trash` deletes files.
    pub fn use_library(
        &mut self,
        paths: LibraryPaths,
        environment: Environment,
        to_trash: fn(&Path) -> Result<(), String>,
    ) {
        self.library.of(Some(LibraryPlace { paths, environment, to_trash }));
    }

    /// Builds the window with the state found on disk, and installs the signal handlers.
    pub(super) fn start(context: &eframe::CreationContext<'_>, found: StartupState) -> anyhow::Result<Self> {
        let StartupState { persistence, settings, messages, abandoned } = found;
        let mut window = Self::build(context, settings, persistence)?;
        for message in messages {
            window.session.notify(message);
        }
        window.desk.focus_prompt = abandoned.is_empty();
        window.questions.abandoned = abandoned;
        window.services = DesktopServices::started();
        window.library.of(LibraryPlace::of_system());
        window.termination.watch(window.waker.clone());
        Ok(window)
    }

    /// Attaches the window to an eframe context: the first one, or a new one after a device loss.
    pub(super) fn attach(&mut self, context: &eframe::CreationContext<'_>) {
        let ctx = &context.egui_ctx;
        self.waker.follow(ctx);
        theme::install(ctx);
        theme::set_motion(ctx, self.desk.reduced_motion);
        ctx.set_theme(theme_preference(self.settings.theme));
        self.desk.paint_with(context.wgpu_render_state.as_ref().map(LatentTextures::new));
        self.run_effects(ctx);
    }

    pub(super) fn run_effects(&mut self, ctx: &egui::Context) {
        self.session.measure_prompt();
        self.session.draw_example();
        for effect in self.session.take_effects() {
            match effect {
                Effect::Send(command) => {
                    self.persistence.before_send(&command);
                    if let Err(error) = self.engine.send(command) {
                        self.session.notify(Message::NotTaken((&error).into()));
                    }
                }
                Effect::AskExport(export) => {
                    let name = proposed_name(&export);
                    self.ask(Purpose::Export(export), &name);
                }
                Effect::ShowInFolder(path) => files::show_in_folder(&path),
                Effect::AskOpen => self.ask(Purpose::Open, ""),
                Effect::AskSource => self.ask(Purpose::OpenSource, ""),
                Effect::Drawn(document) => {
                    let (reserved, background) = (&mut self.autosaved, &mut self.background);
                    autosave(document, &self.session, &self.desk, reserved, background);
                }
                Effect::AskFolder(purpose) => self.ask(Purpose::Folder(purpose), ""),
                Effect::Announce(ended) => self.announce(ctx, &ended),
                Effect::AskOpenModel => self.ask(Purpose::OpenModel, ""),
                Effect::Library(command) => self.library.send(command),
                Effect::AskPart => self.ask(Purpose::Part, ""),
                Effect::Copy(picture) => {
                    ctx.copy_image(egui::ColorImage::from_rgb(
                        [picture.width(), picture.height()],
                        picture.rgb(),
                    ));
                }
                Effect::Read(document, path) => self.read(document, path),
                Effect::Keep(job) => self.persistence.keep(self.session.result(job)),
                Effect::IsKeptAs(job, files) => self.persistence.is_kept_as(job, files),
                Effect::Forget(job) => self.persistence.forget(job),
                Effect::Compare { job, original, decoded, downscale, latent_bytes } => {
                    self.background.begin(move || {
                        let found = compare(&original, &decoded, downscale, latent_bytes);
                        Finished::Compared(job, found.map(Box::new))
                    });
                }
                Effect::FindModels(channels) => {
                    let folders = self.session.recent_models().iter().filter(|known| known.failed.is_none());
                    let folders = folders.map(|known| ModelSource::Folder(known.folder.clone()));
                    let known = std::iter::once(ModelSource::Builtin).chain(folders).collect();
                    self.background
                        .begin(move || Finished::ModelsFound(files::fitting_models(known, channels)));
                }
            }
        }
    }

    /// Notifies the user of long work that ended, unless the window has the focus.
    fn announce(&mut self, ctx: &egui::Context, ended: &EndedWork) {
        let is_seen = ctx.input(|input| input.viewport().focused.unwrap_or(true));
        if self.desk.notify && !is_seen {
            let [title, body] = announcement(ended, self.desk.language);
            self.services.notify(ctx, title, body);
        }
    }

    fn read(&mut self, document: DocumentId, path: PathBuf) {
        let background = self.session.open_options().background;
        self.background.begin(move || Finished::Opened(document, files::open(&path, background)));
    }

    fn finished(&mut self, finished: Finished) {
        match finished {
            Finished::Opened(document, opened) => {
                let content = match opened {
                    Ok(Opened { content, scaled }) => {
                        if let Some((width, height)) = scaled {
                            self.session.notify(Message::ScaledDown(width, height));
                        }
                        content
                    }
                    Err(error) => FileContent::Unreadable(reason_of(&error)),
                };
                self.session.apply(Action::FileRead(document, Box::new(content)));
            }
            Finished::SourceOpened(opened) => self.source_opened(opened),
            Finished::Written { document, written: Ok(path) } => {
                if let Some(document) = document {
                    self.session.mark_saved(document);
                }
                self.session.notify(Message::Saved(path));
            }
            Finished::Written { written: Err(error), .. } | Finished::Autosaved(_, Err(error)) => {
                self.session.notify(Message::NotSaved(reason_of(&error)));
            }
            Finished::AllWritten(written) => {
                let all = written.iter().all(|(_, written)| written.is_ok());
                for (document, written) in written {
                    self.finished(Finished::Written { document: Some(document), written });
                }
                self.questions.save_ended(all, self.at_stake().is_any());
            }
            Finished::Autosaved(document, Ok(())) => self.session.mark_saved(document),
            Finished::Compared(job, Some(comparison)) => {
                self.session.apply(Action::Compared(job, comparison));
            }
            Finished::Compared(_, None) => {}
            Finished::ModelsFound(models) => self.session.apply(Action::ModelsFound(models)),
            Finished::Recovered(recovered, failed) => {
                for error in failed {
                    self.session.notify(Message::NotOpened(reason_of(&error)));
                }
                self.session.apply(Action::Recover(recovered));
            }
            Finished::SettingsDebounced => {
                let now = self.settings_now();
                self.persistence.debounce_elapsed(now, &mut self.background);
            }
            Finished::SettingsWritten(written) => {
                if let Some(message) = self.persistence.settings_written(written) {
                    self.session.notify(message);
                }
            }
        }
    }

    /// Reads the source of an image-to-image run.
    pub(super) fn open_source(&mut self, path: PathBuf) {
        let background = self.session.open_options().background;
        self.background.begin(move || Finished::SourceOpened(files::open(&path, background)));
    }

    fn source_opened(&mut self, opened: anyhow::Result<Opened>) {
        match opened {
            Ok(Opened { content: FileContent::Picture { picture, .. }, .. }) => {
                self.session.apply(Action::UsePicture(picture));
            }
            Ok(_) => {
                let why = "it is no picture, and an image-to-image run starts from one";
                self.session.notify(Message::NotOpened(Reason::new(ReasonKind::NotAPicture, why)));
            }
            Err(error) => {
                self.session.notify(Message::NotOpened(reason_of(&error)));
            }
        }
    }

    /// Cancels a close request until the user has decided about unsaved and unfinished pictures.
    pub(super) fn confirm_close(&mut self, ctx: &egui::Context) {
        // After a termination signal there is no time to ask; unsaved results stay in the recovery folder.
        if self.questions.closing_is_agreed() || self.termination.is_wanted() {
            ctx.send_viewport_cmd(egui::ViewportCommand::Close);
        } else if ctx.input(|input| input.viewport().close_requested()) && self.at_stake().is_any() {
            ctx.send_viewport_cmd(egui::ViewportCommand::CancelClose);
            if self.questions.ask_about_closing() {
                // Takes the focus from the prompt, so that keys reach the question.
                ctx.memory_mut(egui::Memory::stop_text_input);
            }
        }
    }

    /// What would be lost if the window closed now.
    fn at_stake(&self) -> AtStake {
        AtStake { unsaved: self.session.unsaved().count(), unfinished: self.session.unfinished() }
    }

    /// Shows the open question and executes the answer.
    pub(super) fn ask_questions(&mut self, ctx: &egui::Context) {
        let at_stake = self.at_stake();
        let Some(decision) = self.questions.ask(ctx, self.desk.text, at_stake) else { return };
        match decision {
            Decision::Typed(purpose, path) => self.paths_chosen(purpose, vec![path], Chooser::Typing),
            Decision::OtherName(purpose, name) => self.ask(purpose, &name),
            Decision::Replace(purpose, path) => self.carry_out_choice(purpose, vec![path]),
            Decision::Restore(abandoned) => {
                self.desk.focus_prompt = true;
                let stems = self.persistence.adopt(abandoned);
                self.background.begin(move || {
                    let (recovered, failed) = recovery::read_all(&stems);
                    Finished::Recovered(recovered, failed)
                });
            }
            Decision::RestoreLater => self.desk.focus_prompt = true,
            Decision::Discard(abandoned) => {
                self.desk.focus_prompt = true;
                Recovery::discard(abandoned);
            }
            Decision::SaveAll => self.ask(Purpose::SaveAll, ""),
            Decision::Close => ctx.request_repaint(),
        }
    }

    /// Opens a file dialog.
    fn ask(&mut self, purpose: Purpose, name: &str) {
        let folder = self.folder_of(&purpose);
        self.dialogs.ask(purpose, folder, name, self.desk.text);
    }

    /// Where the dialog for a purpose opens: in the folder of the settings, or where files were last saved or opened.
    fn folder_of(&self, purpose: &Purpose) -> Option<PathBuf> {
        match purpose {
            Purpose::Folder(FolderFor::Autosave) => self.desk.autosave.folder.clone(),
            _ => None,
        }
        .or_else(|| self.desk.dialog_folder.clone())
        .or_else(|| self.settings.folder(purpose.saves()).map(Path::to_owned))
        .or_else(files::home)
    }

    fn answered(&mut self, answer: Answer) {
        if was_shown(&answer) {
            self.paths_chosen(answer.purpose, answer.paths, Chooser::Dialog);
        } else {
            let folder = self.folder_of(&answer.purpose).unwrap_or_default();
            let path = folder.join(answer.name).display().to_string();
            self.questions.typed_path = Some((answer.purpose, path));
        }
    }

    /// Opens or writes the chosen paths, after a confirmation if files would be overwritten.
    fn paths_chosen(&mut self, purpose: Purpose, paths: Vec<PathBuf>, by: Chooser) {
        let Some(chosen) = paths.first().cloned() else { return };
        match would_replace(&targets(&purpose, &chosen), &chosen, by) {
            Err(why) => {
                self.session.notify(Message::NotSaved(why));
            }
            Ok(replaced) if replaced.is_empty() => self.carry_out_choice(purpose, paths),
            Ok(replaced) => self.questions.replacing = Some(Replacing { purpose, chosen, replaced, by }),
        }
    }

    /// Opens or writes the chosen paths.
    fn carry_out_choice(&mut self, purpose: Purpose, paths: Vec<PathBuf>) {
        let Some(path) = paths.first().cloned() else { return };
        let is_folder = matches!(purpose, Purpose::SaveAll | Purpose::Folder(_));
        let folder = if is_folder { Some(path.as_path()) } else { path.parent() };
        self.settings.remember_folder(purpose.saves(), folder);
        match purpose {
            Purpose::Open => self.session.apply(Action::OpenPaths(paths)),
            Purpose::OpenSource => self.open_source(path),
            Purpose::Folder(FolderFor::Autosave) => self.desk.autosave.folder = Some(path),
            Purpose::Folder(FolderFor::Dialogs) => self.desk.dialog_folder = Some(path),
            Purpose::Folder(FolderFor::Library) => {
                self.session.apply(Action::Library(LibraryAction::AddFolder(path)));
            }
            Purpose::Part => self.session.apply(Action::NamePart(path)),
            Purpose::OpenModel => self.session.apply(Action::SetModel(ModelSource::Folder(path))),
            Purpose::Export(export) => {
                let metadata = self.desk.save_metadata;
                let document = export.saves.then_some(export.of);
                self.background.begin_writing(move || {
                    let written = files::write(&path, &export, metadata);
                    Finished::Written { document, written }
                });
            }
            Purpose::SaveAll => {
                let (metadata, unsaved) = (self.desk.save_metadata, self.session.exports_of_unsaved());
                self.questions.save_begins(unsaved.len());
                self.background
                    .begin_writing(move || Finished::AllWritten(files::save_all(&path, &unsaved, metadata)));
            }
        }
    }

    /// The current settings.
    pub fn settings_now(&self) -> Settings {
        let engine = self.session.engine_settings();
        // A device that this build lacks stays the choice for the builds that have it.
        let is_kept = on_own_device(self.settings.engine, &self.desk.surroundings.devices) == engine;
        let worked = self.session.recent_models().iter().filter(|known| known.has_worked);
        Settings {
            model: self.session.draft().model.clone(),
            model_crashed: self.session.is_held_back(),
            save_metadata: self.desk.save_metadata,
            recent_models: worked.map(|known| known.folder.clone()).collect(),
            model_answers: self.session.answers().clone(),
            starred_models: self.session.library().stars().to_vec(),
            recipe: Some(self.session.saved_recipe()),
            recipe_panel: self.desk.recipe,
            enlarger: self.desk.enlarger,
            panel_widths: [self.desk.recipe_width, self.desk.enlarger_width],
            autosave: self.desk.autosave.clone(),
            dialog_folder: self.desk.dialog_folder.clone(),
            engine: if is_kept { self.settings.engine } else { engine },
            patch_previews: self.desk.use_patch,
            reduced_motion: self.desk.reduced_motion,
            notify: self.desk.notify,
            ..self.settings.clone()
        }
    }

    /// Saves changed settings, debounced.
    pub(super) fn keep_settings(&mut self) {
        let now = self.settings_now();
        self.persistence.keep_settings(now, self.session.loading(), &mut self.background);
    }

    /// Polls the engine, the dialogs and the background tasks for results since the last frame.
    pub(super) fn poll(&mut self, ctx: &egui::Context) {
        while let Some(event) = self.engine.try_next() {
            // A step changes only the picture, so the waker's single repaint suffices: on a software adapter every
            // frame takes processor time from the next step.
            if !matches!(event, Event::StepFinished { .. }) {
                ctx.request_repaint_after(REPAINT_DELAY);
            }
            self.session.apply_event(event);
        }
        while let Some(answer) = self.dialogs.answer() {
            self.answered(answer);
        }
        while let Some(report) = self.library.next() {
            self.session.apply(Action::LibrarySays(report));
        }
        while let Some(finished) = self.background.next() {
            self.finished(finished);
        }
    }

    /// Waits for pending writes and saves persistent state. Unsaved results are deleted only if the user agreed.
    pub(super) fn end(&mut self) {
        // Results sampled since the last frame are kept, too.
        while let Some(event) = self.engine.try_next() {
            self.session.apply_event(event);
        }
        for effect in self.session.take_effects() {
            if let Effect::Keep(job) = effect {
                self.persistence.keep(self.session.result(job));
            }
        }
        self.background.finish_writing();
        let give_up = self.questions.closing_is_agreed() && !self.termination.is_wanted();
        self.persistence.end(&self.settings_now(), give_up);
    }
}

pub(super) fn theme_preference(theme: ThemeChoice) -> egui::ThemePreference {
    match theme {
        ThemeChoice::System => egui::ThemePreference::System,
        ThemeChoice::Light => egui::ThemePreference::Light,
        ThemeChoice::Dark => egui::ThemePreference::Dark,
    }
}
