//! The main window: executes the session's effects, and feeds engine events, dialog answers and background results back
//! into it.

mod choices;
mod effects;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::app::autosave::ReservedPaths;
use crate::app::background::{Background, Finished};
use crate::app::desktop_services::DesktopServices;
use crate::app::dialogs::{Dialogs, Purpose};
use crate::app::downloads::{DownloadPlace, DownloadsThread};
use crate::app::dropping::Dropping;
use crate::app::files::{self, Opened};
use crate::app::history::HistoryThread;
use crate::app::input_order::InputOrder;
use crate::app::library::{LibraryPlace, LibraryThread};
use crate::app::persistence::{Persistence, StartupState};
use crate::app::questions::{AtStake, Decision, Questions};
use crate::app::reasons::reason_of;
use crate::app::recovery::{self, Recovery};
use crate::app::saving::Chooser;
use crate::app::settings::Settings;
use crate::app::signals::Termination;
use crate::app::surroundings::{on_own_device, surroundings};
use crate::app::waker::Waker;
use crate::engine::{Command, Engine, Event};
use crate::panels::{Desk, ThemeChoice, theme};
use crate::preview::LatentTextures;
use crate::reason::{Reason, ReasonKind};
use crate::session::library::LibraryCommand;
use crate::session::{Action, Effect, FileContent, Message, ReelAction, Session};
use crate::store::history::History;
use crate::store::hub::{ClientSettings, HubEnvironment};
use crate::store::library::{Environment, LibraryPaths};

/// The program's window.
pub struct Window {
    /// The application state.
    pub session: Session,
    /// The state of the panels.
    pub desk: Desk,
    pub(in crate::app) questions: Questions,
    background: Background,
    library: LibraryThread,
    history: HistoryThread,
    /// Where runs are kept; `None` for nowhere.
    runs_root: Option<PathBuf>,
    downloads: DownloadsThread,
    pub(in crate::app) settings: Settings,
    persistence: Persistence,
    termination: Termination,
    dialogs: Dialogs,
    engine: Engine,
    waker: Waker,
    autosaved: ReservedPaths,
    pub(in crate::app) input_order: InputOrder,
    pub(in crate::app) dropping: Dropping,
    pub(in crate::app) services: DesktopServices,
    /// The current window title.
    pub(in crate::app) title: String,
    /// Whether the window's size was already limited to its monitor's.
    pub(in crate::app) is_fitted: bool,
}

/// The window title while nothing runs.
pub(in crate::app) const TITLE: &str = "Safelight";

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
        session.restore_offers(settings.offers_hidden);
        session.engine_runs_with(engine_settings);
        let mut desk = Desk::new(None, settings.language);
        desk.save_metadata = settings.save_metadata;
        desk.theme = settings.theme;
        (desk.recipe, desk.enlarger) = (settings.recipe_panel, settings.enlarger);
        [desk.recipe_width, desk.enlarger_width] = settings.panel_widths;
        (desk.autosave, desk.pictures_folder) = (settings.autosave.clone(), files::pictures_folder());
        (desk.previews, desk.reduced_motion) = (settings.previews, settings.reduced_motion);
        (desk.dialog_folder, desk.notify) = (settings.dialog_folder.clone(), settings.notify);
        desk.surroundings = surroundings;
        (desk.keep_runs, desk.runs_limit_gib) = (settings.keep_runs, settings.runs_limit_gib);
        desk.reel_options = settings.reel;
        desk.place_runs = settings.place_runs;
        if let Some(recipe) = settings.recipe.clone() {
            session.restore_recipe(recipe);
        }
        session.keep_fits_in(crate::app::fits_folder());
        let mut window = Self {
            session,
            desk,
            questions: Questions::default(),
            background: Background::new(&waker),
            library: LibraryThread::new(&waker),
            history: HistoryThread::new(&waker),
            runs_root: None,
            downloads: DownloadsThread::new(&waker),
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
        self.look_for_models();
    }

    /// Searches the library where models may be offered, which depends on whether there are any.
    fn look_for_models(&mut self) {
        // The models that place pictures are among them.
        let places = self.session.history().is_kept() && self.desk.place_runs;
        if self.session.offers_models() || places {
            self.library.send(LibraryCommand::Search { anew: false });
        }
    }

    /// Fetches models with these in place of nothing. `queue_file`: what is left by an earlier session; `models`: the
    /// folder for files that are not the hub's.
    pub fn use_downloads(
        &mut self,
        environment: HubEnvironment,
        settings: ClientSettings,
        queue_file: PathBuf,
        models: PathBuf,
    ) {
        self.downloads.of(Ok(DownloadPlace { environment, settings, queue_file, models }));
    }

    /// Keeps runs below this folder in place of nowhere. `to_trash` deletes them.
    pub fn use_history(&mut self, root: PathBuf, to_trash: fn(&Path) -> Result<(), String>) {
        self.runs_root = Some(root);
        self.history.deletes_with(to_trash);
        self.keep_runs_as_chosen();
    }

    /// Begins to keep runs, or no longer keeps them, as the settings page says.
    pub(in crate::app) fn keep_runs_as_chosen(&mut self) {
        self.session.place_runs(self.desk.place_runs);
        let root = self.runs_root.clone().filter(|_| self.desk.keep_runs);
        if root.is_some() == self.session.history().is_kept() {
            return;
        }
        let history = root.map(History::open);
        if let Err(error) = self.engine.send(Command::KeepRuns(history.clone())) {
            self.session.notify(Message::NotTaken((&error).into()));
            return;
        }
        self.session.runs_are_kept(history.is_some());
        if let Some(history) = history {
            self.history.of(history, self.desk.runs_limit_gib.map(|gib| gib << 30));
        }
    }

    /// Builds the window with the state found on disk, and installs the signal handlers.
    pub(in crate::app) fn start(
        context: &eframe::CreationContext<'_>,
        found: StartupState,
    ) -> anyhow::Result<Self> {
        let StartupState { persistence, settings, messages, abandoned, files } = found;
        let mut window = Self::build(context, settings, persistence)?;
        for message in messages {
            window.session.notify(message);
        }
        window.desk.focus_prompt = abandoned.is_empty();
        window.questions.abandoned = abandoned;
        window.services = DesktopServices::started();
        window.library.of(LibraryPlace::of_system());
        window.runs_root = History::folder_of_system();
        window.keep_runs_as_chosen();
        window.downloads.of(DownloadPlace::of_system());
        window.look_for_models();
        window.termination.watch(window.waker.clone());
        if !files.is_empty() {
            window.session.apply(Action::OpenPaths(files));
        }
        Ok(window)
    }

    /// Attaches the window to an eframe context: the first one, or a new one after a device loss.
    pub(in crate::app) fn attach(&mut self, context: &eframe::CreationContext<'_>) {
        let ctx = &context.egui_ctx;
        self.waker.follow(ctx);
        theme::install(ctx);
        theme::set_motion(ctx, self.desk.reduced_motion);
        ctx.set_theme(theme_preference(self.settings.theme));
        self.desk.paint_with(context.wgpu_render_state.as_ref().map(LatentTextures::new));
        self.run_effects(ctx);
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
            Finished::ReelMade(made) => self.session.apply(Action::Reel(ReelAction::Made(made))),
            Finished::Compared(job, Some(comparison)) => {
                self.session.apply(Action::Compared(job, comparison));
            }
            Finished::Compared(_, None) => {}
            Finished::PairMeasured(content, figures) => {
                self.session.apply(Action::PairMeasured(content, figures));
            }
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
    pub(in crate::app) fn open_source(&mut self, path: PathBuf) {
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
    pub(in crate::app) fn confirm_close(&mut self, ctx: &egui::Context) {
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
        AtStake {
            unsaved: self.session.unsaved().count(),
            unfinished: self.session.unfinished(),
            downloads: self.session.downloads().is_active(),
        }
    }

    /// Shows the open question and executes the answer.
    pub(in crate::app) fn ask_questions(&mut self, ctx: &egui::Context) {
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
            offers_hidden: self.session.offers_are_hidden(),
            recipe: Some(self.session.saved_recipe()),
            recipe_panel: self.desk.recipe,
            enlarger: self.desk.enlarger,
            panel_widths: [self.desk.recipe_width, self.desk.enlarger_width],
            autosave: self.desk.autosave.clone(),
            dialog_folder: self.desk.dialog_folder.clone(),
            engine: if is_kept { self.settings.engine } else { engine },
            previews: self.desk.previews,
            reduced_motion: self.desk.reduced_motion,
            notify: self.desk.notify,
            keep_runs: self.desk.keep_runs,
            place_runs: self.desk.place_runs,
            runs_limit_gib: self.desk.runs_limit_gib,
            reel: self.desk.reel_options,
            ..self.settings.clone()
        }
    }

    /// Saves changed settings, debounced.
    pub(in crate::app) fn keep_settings(&mut self) {
        let now = self.settings_now();
        self.persistence.keep_settings(now, self.session.loading(), &mut self.background);
    }

    /// Polls the engine, the dialogs and the background tasks for results since the last frame.
    pub(in crate::app) fn poll(&mut self, ctx: &egui::Context) {
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
        while let Some(report) = self.history.next() {
            self.session.apply(Action::HistorySays(report));
        }
        while let Some(report) = self.downloads.next() {
            self.session.apply(Action::DownloadsSay(report));
        }
        while let Some(finished) = self.background.next() {
            self.finished(finished);
        }
    }

    /// Waits for pending writes and saves persistent state. Unsaved results are deleted only if the user agreed.
    pub(in crate::app) fn end(&mut self) {
        // Results sampled since the last frame are kept, too.
        while let Some(event) = self.engine.try_next() {
            self.session.apply_event(event);
        }
        for effect in self.session.take_effects() {
            if let Effect::Keep(job) = effect {
                self.persistence.keep(self.session.result(job));
            }
        }
        // An animation may take minutes; nothing is left of it.
        self.session.stop_reel();
        self.background.finish_writing();
        let give_up = self.questions.closing_is_agreed() && !self.termination.is_wanted();
        self.persistence.end(&self.settings_now(), give_up);
    }
}

pub(in crate::app) fn theme_preference(theme: ThemeChoice) -> egui::ThemePreference {
    match theme {
        ThemeChoice::System => egui::ThemePreference::System,
        ThemeChoice::Light => egui::ThemePreference::Light,
        ThemeChoice::Dark => egui::ThemePreference::Dark,
    }
}
