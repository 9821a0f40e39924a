//! The window: drains the engine, draws the panels, carries out what the session asks for.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::background::{Background, Finished, Use};
use super::dialogs::{Answer, Dialogs, Purpose};
use super::files::{self, Opened};
use super::monitor::fit_to_monitor;
use super::questions::Questions;
use super::settings::{Settings, ThemeChoice};
use crate::engine::{Engine, EngineSettings, Event};
use crate::formats::compare;
use crate::panels::{Desk, Language, Tab, theme, window_ui};
use crate::preview::LatentTextures;
use crate::request::{ModelChoice, Picture};
use crate::session::{Action, Effect, Export, Message, Session};

/// The program's window.
pub struct Window {
    /// What it knows.
    pub session: Session,
    /// What it draws with.
    pub desk: Desk,
    pub(super) questions: Questions,
    engine: Engine,
    dialogs: Dialogs,
    background: Background,
    settings: Settings,
    /// Whether the window was held against its monitor's size.
    is_fitted: bool,
}

/// A repaint asked for so late is one frame; one asked for at once is two, the second for what changed its size.
const SOON: Duration = Duration::from_millis(1);
/// A dialog that ended sooner than this, seconds, was never shown.
const NEVER_SHOWN: f64 = 0.25;

impl Window {
    /// Builds the window and starts the engine.
    pub fn new(
        context: &eframe::CreationContext<'_>,
        settings: Settings,
        notice: Option<String>,
    ) -> anyhow::Result<Self> {
        let ctx = context.egui_ctx.clone();
        theme::install(&ctx);
        ctx.set_theme(match settings.theme {
            ThemeChoice::System => egui::ThemePreference::System,
            ThemeChoice::Light => egui::ThemePreference::Light,
            ThemeChoice::Dark => egui::ThemePreference::Dark,
        });
        let waker = ctx.clone();
        let engine = Engine::start(EngineSettings::default(), move || waker.request_repaint_after(SOON))?;
        let latents = context.wgpu_render_state.as_ref().map(LatentTextures::new);
        let mut session = Session::new(settings.model.clone(), settings.recent_models.clone());
        if let Some(notice) = notice {
            session.notify(Message::SettingsDamaged(notice));
        }
        let mut desk = Desk::new(latents, settings.language);
        desk.save_metadata = settings.save_metadata;
        session.fits_folder = super::settings::fits_folder();
        let (dialogs, background) = (Dialogs::new(&ctx), Background::new(&ctx));
        let questions = Questions::default();
        let mut window =
            Self { session, desk, questions, engine, dialogs, background, settings, is_fitted: false };
        window.carry_out(&ctx);
        Ok(window)
    }

    fn carry_out(&mut self, ctx: &egui::Context) {
        for effect in self.session.take_effects() {
            match effect {
                Effect::Send(command) => {
                    if let Err(error) = self.engine.send(command) {
                        self.session.notify(Message::NotTaken(error.to_string()));
                    }
                }
                Effect::AskSavePicture(job) => {
                    let name = format!("safelight-{}.png", self.shown_seed());
                    self.ask(Purpose::SavePicture(job), &name);
                }
                Effect::AskSaveLatent(latent) => {
                    let name = format!("safelight-{}.latent", self.shown_seed());
                    self.ask(Purpose::SaveLatent(latent), &name);
                }
                Effect::AskExport(what) => self.ask(Purpose::Export(what), &self.export_name(what)),
                Effect::AskOpen => self.ask(Purpose::Open, ""),
                Effect::AskSource => self.ask(Purpose::OpenSource, ""),
                Effect::AskOpenModel => self.ask(Purpose::OpenModel, ""),
                Effect::Copy(picture) => {
                    ctx.copy_image(egui::ColorImage::from_rgb(
                        [picture.width(), picture.height()],
                        picture.rgb(),
                    ));
                }
                Effect::Read(path) => self.read(path, Use::Inspect),
                Effect::Compare { job, original, decoded, downscale, latent_bytes } => {
                    self.background.begin(move || {
                        let found = compare(&original, &decoded, downscale, latent_bytes);
                        Finished::Compared(job, found.map(Box::new))
                    });
                }
                Effect::FindModels(channels) => {
                    let folders = self.session.recent_models.iter().cloned().map(ModelChoice::Folder);
                    let known = std::iter::once(ModelChoice::Builtin).chain(folders).collect();
                    self.background
                        .begin(move || Finished::ModelsFound(files::fitting_models(known, channels)));
                }
            }
        }
    }

    fn export_name(&self, what: Export) -> String {
        let name = &self.session.inspector.name;
        let stem = Path::new(name).file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let stem = stem.unwrap_or_else(|| format!("safelight-{}", self.shown_seed()));
        match what {
            Export::Sheet => format!("{stem}-channels.png"),
            Export::ChannelPngs => format!("{stem}-channel.png"),
            Export::Channel(index) => format!("{stem}-channel-{index}.png"),
            Export::Npy => format!("{stem}.npy"),
            Export::Reconstruction => format!("{stem}-decoded.png"),
        }
    }

    fn shown_seed(&self) -> u64 {
        self.session.shown_result().map_or(0, |item| item.request.seed.0)
    }

    pub(super) fn ask(&mut self, purpose: Purpose, name: &str) {
        self.dialogs.ask(purpose, self.settings.last_folder.as_deref(), name);
    }

    fn answered(&mut self, answer: Answer) {
        if !answer.paths.is_empty() {
            self.paths_chosen(answer.purpose, answer.paths);
        } else if answer.shown_secs < NEVER_SHOWN {
            let folder = self.settings.last_folder.clone().or_else(files::home).unwrap_or_default();
            let path = folder.join(answer.name).display().to_string();
            self.questions.typed_path = Some((answer.purpose, path));
        }
    }

    pub(super) fn paths_chosen(&mut self, purpose: Purpose, paths: Vec<PathBuf>) {
        let Some(path) = paths.first().cloned() else { return };
        let is_folder = matches!(purpose, Purpose::SaveAll);
        self.settings.last_folder =
            if is_folder { Some(path.clone()) } else { path.parent().map(Path::to_owned) };
        match purpose {
            Purpose::Open => self.session.apply(Action::OpenPaths(paths)),
            Purpose::OpenSource => self.read(path, Use::Source),
            Purpose::OpenModel => self.session.apply(Action::SetModel(ModelChoice::Folder(path))),
            Purpose::SavePicture(job) => {
                let item = self.session.results.iter().find(|item| item.job == job).cloned();
                let metadata = self.desk.save_metadata;
                self.background.begin(move || {
                    let written = match &item {
                        Some(item) => files::save_picture(&path, item, metadata),
                        None => Err(anyhow::anyhow!("the picture was removed")),
                    };
                    Finished::Written { job: Some(job), written }
                });
            }
            Purpose::SaveAll => {
                let (metadata, results) = (self.desk.save_metadata, &self.session.results);
                let unsaved: Vec<_> = results.iter().filter(|item| !item.saved).cloned().collect();
                self.questions.save_begins(unsaved.len());
                self.background
                    .begin(move || Finished::AllWritten(files::save_all(&path, &unsaved, metadata)));
            }
            Purpose::SaveLatent(latent) => {
                let Some(profile) = self.session.profile.clone() else { return };
                self.background.begin(move || {
                    let written = files::save_latent(&path, &latent, &profile);
                    Finished::Written { job: None, written }
                });
            }
            Purpose::Export(what) => {
                let inspector = &self.session.inspector;
                let (Some(latent), Some(format)) = (inspector.adjusted(), inspector.format) else { return };
                let decoded = inspector.decoded.clone();
                self.background.begin(move || {
                    let written = files::export(&path, what, &latent, &format, decoded.as_ref());
                    Finished::Written { job: None, written }
                });
            }
        }
    }

    fn read(&mut self, path: PathBuf, wanted_for: Use) {
        let background = self.session.open_options.background;
        self.background.begin(move || {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            Finished::Opened { wanted_for, name, opened: files::open(&path, background) }
        });
    }

    fn finished(&mut self, finished: Finished) {
        match finished {
            Finished::Opened { wanted_for, name, opened } => self.opened(wanted_for, name, opened),
            Finished::Written { job, written: Ok(path) } => {
                if let Some(item) = self.session.results.iter_mut().find(|item| Some(item.job) == job) {
                    item.saved = true;
                }
                self.session.notify(Message::Saved(path));
            }
            Finished::Written { written: Err(error), .. } => {
                self.session.notify(Message::NotSaved(format!("{error:#}")));
            }
            Finished::AllWritten(written) => {
                let all = written.iter().all(|(_, written)| written.is_ok());
                for (job, written) in written {
                    self.finished(Finished::Written { job: Some(job), written });
                }
                self.questions.save_ended(all, self.would_lose());
            }
            Finished::Compared(job, Some(comparison)) => {
                self.session.apply(Action::Compared(job, comparison));
            }
            Finished::Compared(_, None) => {}
            Finished::ModelsFound(models) => self.session.apply(Action::ModelsFound(models)),
        }
    }

    fn opened(&mut self, wanted_for: Use, name: String, opened: anyhow::Result<Opened>) {
        match opened {
            Ok(Opened::Model(model)) => self.session.apply(Action::SetModel(model)),
            Ok(Opened::Picture { picture, facts, scaled, transparent }) => {
                if scaled {
                    self.session.notify(Message::ScaledDown(picture.width(), picture.height()));
                }
                if wanted_for == Use::Source {
                    self.session.apply(Action::UsePicture(picture));
                    return;
                }
                self.questions.offered = facts;
                self.desk.tab = Tab::Latent;
                self.session.apply(Action::InspectPicture { picture, name, transparent });
            }
            Ok(Opened::Latent { latent, space }) => {
                self.desk.tab = Tab::Latent;
                self.session.apply(Action::InspectLatent { latent, space, name });
            }
            Err(error) => self.session.notify(Message::NotOpened(format!("{error:#}"))),
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
                self.desk.tab = Tab::Latent;
                let name = self.desk.text.pasted.to_owned();
                self.session.apply(Action::InspectPicture { picture, name, transparent: false });
            }
        }
    }

    /// Language and theme, in the corner of the controls.
    fn corner_ui(&mut self, ui: &mut egui::Ui) {
        let frame = egui::Frame::side_top_panel(ui.style()).inner_margin(egui::Margin::symmetric(14, 6));
        egui::Panel::top("corner").frame(frame).show(ui, |ui| {
            ui.horizontal(|ui| {
                ui.heading("Safelight");
                ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                    if ui.small_button(self.desk.text.language).clicked() {
                        self.settings.language = match self.settings.language {
                            Language::English => Language::Korean,
                            Language::Korean => Language::English,
                        };
                        self.desk.speak(self.settings.language);
                    }
                    if ui.small_button(self.desk.text.theme_toggle).clicked() {
                        let dark = ui.visuals().dark_mode;
                        self.settings.theme = if dark { ThemeChoice::Light } else { ThemeChoice::Dark };
                        ui.ctx().set_theme(if dark { egui::Theme::Light } else { egui::Theme::Dark });
                    }
                });
            });
        });
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
    }

    fn ui(&mut self, ui: &mut egui::Ui, _: &mut eframe::Frame) {
        self.corner_ui(ui);
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
        self.carry_out(&ctx);
        self.is_fitted = self.is_fitted || fit_to_monitor(&ctx);
        if let Some(rect) = ctx.input(|input| input.viewport().inner_rect) {
            self.settings.window_size = [rect.width(), rect.height()];
        }
    }

    fn on_exit(&mut self) {
        self.settings.model = self.session.draft.model.clone();
        self.settings.save_metadata = self.desk.save_metadata;
        self.settings.recent_models.clone_from(&self.session.recent_models);
        if let Err(error) = self.settings.save() {
            log::error!("the settings could not be saved: {error:#}");
        }
    }
}
