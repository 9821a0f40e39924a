//! The window: drains the engine, draws the panels, carries out what the session asks for.

use std::path::PathBuf;
use std::time::Duration;

use super::autosave::Given;
use super::background::{Background, Finished};
use super::dialogs::{Dialogs, Purpose};
use super::files::{self, Opened};
use super::keeping::{Found, Keeping};
use super::monitor::fit_to_monitor;
use super::questions::Questions;
use super::saving::proposed_name;
use super::settings::Settings;
use super::signals::Termination;
use super::typing::Typing;
use super::waker::Waker;
use crate::catalog::ModelSource;
use crate::engine::{Engine, EngineSettings, Event};
use crate::formats::compare;
use crate::panels::{Desk, Language, ThemeChoice, theme, window_ui};
use crate::preview::LatentTextures;
use crate::request::Picture;
use crate::session::{Action, DocumentId, Effect, FileContent, Message, Session};

/// The program's window.
pub struct Window {
    /// What it knows.
    pub session: Session,
    /// What it draws with.
    pub desk: Desk,
    pub(super) questions: Questions,
    pub(super) background: Background,
    pub(super) settings: Settings,
    pub(super) keeping: Keeping,
    pub(super) termination: Termination,
    pub(super) dialogs: Dialogs,
    engine: Engine,
    waker: Waker,
    typing: Typing,
    pub(super) autosaved: Given,
    /// What is said in the window's frame.
    title: String,
    /// Whether the window was held against its monitor's size.
    is_fitted: bool,
}

/// A repaint asked for so late is one frame; one asked for at once is two, the second for what changed its size.
const SOON: Duration = Duration::from_millis(1);

/// What stands in the window's frame at rest.
const TITLE: &str = "Safelight";

impl Window {
    /// Builds the window and starts the engine. Nothing is kept on the disk.
    pub fn new(
        context: &eframe::CreationContext<'_>,
        settings: Settings,
        message: Option<Message>,
    ) -> anyhow::Result<Self> {
        let mut window = Self::build(context, settings, Keeping::default())?;
        if let Some(message) = message {
            window.session.notify(message);
        }
        Ok(window)
    }

    fn build(
        context: &eframe::CreationContext<'_>,
        settings: Settings,
        keeping: Keeping,
    ) -> anyhow::Result<Self> {
        let waker = Waker::new(&context.egui_ctx);
        let wakes = waker.clone();
        let engine = Engine::start(EngineSettings::default(), move || wakes.wake_after(SOON))?;
        let (model, recent_models) = (settings.model.clone(), settings.recent_models.clone());
        let mut session = if settings.model_crashed {
            Session::held_back(model, recent_models)
        } else {
            Session::new(model, recent_models)
        };
        let mut desk = Desk::new(None, settings.language);
        desk.save_metadata = settings.save_metadata;
        (desk.theme, desk.enlarger) = (settings.theme, settings.enlarger);
        (desk.autosave, desk.pictures_folder) = (settings.autosave.clone(), files::pictures_folder());
        if let Some(recipe) = settings.recipe.clone() {
            session.restore_recipe(recipe);
        }
        session.keep_fits_in(super::fits_folder());
        let mut window = Self {
            session,
            desk,
            questions: Questions::default(),
            background: Background::new(&waker),
            settings,
            keeping,
            termination: Termination::default(),
            dialogs: Dialogs::new(&waker),
            engine,
            waker,
            typing: Typing::default(),
            autosaved: Given::default(),
            title: TITLE.to_owned(),
            is_fitted: false,
        };
        window.attach(context);
        Ok(window)
    }

    /// Builds the window on what the start found on the disk, and listens to signals.
    pub(super) fn start(context: &eframe::CreationContext<'_>, found: Found) -> anyhow::Result<Self> {
        let Found { keeping, settings, messages, abandoned } = found;
        let mut window = Self::build(context, settings, keeping)?;
        for message in messages {
            window.session.notify(message);
        }
        window.desk.focus_prompt = abandoned.is_empty();
        window.questions.abandoned = abandoned;
        window.termination.watch(window.waker.clone());
        Ok(window)
    }

    /// Begins to paint with this context: the first, or another one after the graphics device was lost.
    pub(super) fn attach(&mut self, context: &eframe::CreationContext<'_>) {
        let ctx = &context.egui_ctx;
        self.waker.follow(ctx);
        theme::install(ctx);
        ctx.set_theme(theme_preference(self.settings.theme));
        self.desk.paint_with(context.wgpu_render_state.as_ref().map(LatentTextures::new));
        self.carry_out(ctx);
    }

    pub(super) fn carry_out(&mut self, ctx: &egui::Context) {
        for effect in self.session.take_effects() {
            match effect {
                Effect::Send(command) => {
                    self.keeping.about_to(&command);
                    if let Err(error) = self.engine.send(command) {
                        self.session.notify(Message::NotTaken(error.to_string()));
                    }
                }
                Effect::AskExport(export) => {
                    let name = proposed_name(&export);
                    self.ask(Purpose::Export(export), &name);
                }
                Effect::ShowInFolder(path) => files::show_in_folder(&path),
                Effect::AskOpen => self.ask(Purpose::Open, ""),
                Effect::AskSource => self.ask(Purpose::OpenSource, ""),
                Effect::Drawn(document) => self.autosave(document),
                Effect::AskAutosaveFolder => self.ask(Purpose::AutosaveFolder, ""),
                Effect::AskOpenModel => self.ask(Purpose::OpenModel, ""),
                Effect::Copy(picture) => {
                    ctx.copy_image(egui::ColorImage::from_rgb(
                        [picture.width(), picture.height()],
                        picture.rgb(),
                    ));
                }
                Effect::Read(document, path) => self.read(document, path),
                Effect::Keep(job) => self.keeping.keep(self.session.result(job)),
                Effect::IsKeptAs(job, files) => self.keeping.is_kept_as(job, files),
                Effect::Forget(job) => self.keeping.forget(job),
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
                    Err(error) => FileContent::Unreadable(format!("{error:#}")),
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
                self.session.notify(Message::NotSaved(format!("{error:#}")));
            }
            Finished::AllWritten(written) => {
                let all = written.iter().all(|(_, written)| written.is_ok());
                for (document, written) in written {
                    self.finished(Finished::Written { document: Some(document), written });
                }
                self.questions.save_ended(all, self.would_lose());
            }
            Finished::Autosaved(document, Ok(())) => self.session.mark_saved(document),
            Finished::Compared(job, Some(comparison)) => {
                self.session.apply(Action::Compared(job, comparison));
            }
            Finished::Compared(_, None) => {}
            Finished::ModelsFound(models) => self.session.apply(Action::ModelsFound(models)),
            Finished::Recovered(recovered, failed) => {
                for error in failed {
                    self.session.notify(Message::NotOpened(format!("{error:#}")));
                }
                self.session.apply(Action::Recover(recovered));
            }
            Finished::SettingsRested => self.settings_rested(),
            Finished::SettingsWritten(written) => {
                if let Some(message) = self.keeping.settings_written(written) {
                    self.session.notify(message);
                }
            }
        }
    }

    fn source_opened(&mut self, opened: anyhow::Result<Opened>) {
        match opened {
            Ok(Opened { content: FileContent::Picture { picture, .. }, .. }) => {
                self.session.apply(Action::UsePicture(picture));
            }
            Ok(_) => {
                let why = match self.settings.language {
                    Language::English => "it is no picture, and an image-to-image run starts from one",
                    Language::Korean => "그림 파일이 아닙니다. 원본으로는 그림을 고르세요",
                };
                self.session.notify(Message::NotOpened(why.to_owned()));
            }
            Err(error) => {
                self.session.notify(Message::NotOpened(format!("{error:#}")));
            }
        }
    }

    fn dropped_and_pasted(&mut self, ctx: &egui::Context) {
        let paths: Vec<PathBuf> =
            ctx.input(|input| input.raw.dropped_files.iter().map(|file| file.path().to_owned()).collect());
        if !paths.is_empty() {
            self.session.apply(Action::OpenPaths(paths));
        }
        let pasted = ctx.input(|input| {
            input.events.iter().find_map(|event| match event {
                egui::Event::PasteImage(image) => Some(image.clone()),
                _ => None,
            })
        });
        if let Some(image) = pasted {
            let rgb: Vec<u8> = image.pixels.iter().flat_map(|p| [p.r(), p.g(), p.b()]).collect();
            if let Ok(picture) = Picture::new(image.size[0], image.size[1], rgb) {
                let name = self.desk.text.pasted.to_owned();
                self.session.apply(Action::OpenPicture(picture, name));
            }
        }
    }

    /// Says in the window's frame how far it is: it may lie behind others.
    fn tell_progress(&mut self, ctx: &egui::Context) {
        let title = match self.session.running() {
            None => TITLE.to_owned(),
            Some(running) => {
                let [at, of] = self.session.series();
                let series = if of > 1 { format!("{at}/{of} · ") } else { String::new() };
                format!("{series}{:.0} % · {TITLE}", running.progress() * 100.0)
            }
        };
        if title != self.title {
            ctx.send_viewport_cmd(egui::ViewportCommand::Title(title.clone()));
            self.title = title;
        }
    }

    /// Takes up what the panels chose of the window's own settings.
    fn take_choices(&mut self, ctx: &egui::Context) {
        self.settings.language = self.desk.language;
        if self.settings.theme != self.desk.theme {
            self.settings.theme = self.desk.theme;
            ctx.set_theme(theme_preference(self.desk.theme));
        }
    }
}

fn theme_preference(theme: ThemeChoice) -> egui::ThemePreference {
    match theme {
        ThemeChoice::System => egui::ThemePreference::System,
        ThemeChoice::Light => egui::ThemePreference::Light,
        ThemeChoice::Dark => egui::ThemePreference::Dark,
    }
}

impl eframe::App for Window {
    fn logic(&mut self, ctx: &egui::Context, _: &mut eframe::Frame) {
        while let Some(event) = self.engine.try_next() {
            // A step changes the picture only: one frame, for on a software adapter it takes time from the next step.
            if !matches!(event, Event::StepFinished { .. }) {
                ctx.request_repaint_after(SOON);
            }
            self.session.apply_event(event);
        }
        while let Some(answer) = self.dialogs.answer() {
            self.answered(answer);
        }
        while let Some(finished) = self.background.next() {
            self.finished(finished);
        }
        self.dropped_and_pasted(ctx);
        self.closing(ctx);
        self.carry_out(ctx);
        self.keep_settings();
    }

    fn raw_input_hook(&mut self, ctx: &egui::Context, input: &mut egui::RawInput) {
        if self.typing.keep_in_order(&mut input.events) {
            ctx.request_repaint();
        }
    }

    fn ui(&mut self, ui: &mut egui::Ui, _: &mut eframe::Frame) {
        self.desk.keys_are_taken = self.questions.take_keys();
        let actions = window_ui(ui, &self.session, &mut self.desk);
        let ctx = ui.ctx().clone();
        self.questions_ui(&ctx);
        // What was typed in this frame counts for what was asked in it.
        let (edits, others): (Vec<_>, Vec<_>) =
            actions.into_iter().partition(|action| matches!(action, Action::Edit(_) | Action::SetBatch(..)));
        for action in edits.into_iter().chain(others) {
            self.session.apply(action);
        }
        self.take_choices(&ctx);
        self.tell_progress(&ctx);
        self.carry_out(&ctx);
        self.is_fitted = self.is_fitted || fit_to_monitor(&ctx);
        if let Some(rect) = ctx.input(|input| input.viewport().inner_rect) {
            self.settings.window_size = [rect.width(), rect.height()];
        }
    }

    fn on_exit(&mut self) {
        // What was sampled since the last frame is kept too.
        while let Some(event) = self.engine.try_next() {
            self.session.apply_event(event);
        }
        for effect in self.session.take_effects() {
            if let Effect::Keep(job) = effect {
                self.keeping.keep(self.session.result(job));
            }
        }
        self.background.finish_writing();
        self.end_keeping();
    }
}
