//! The window: drains the engine, draws the panels, carries out what the session asks for.

use std::path::{Path, PathBuf};

use super::dialogs::{Answer, Dialogs, Purpose};
use super::files::{self, Opened};
use super::settings::{Settings, ThemeChoice};
use crate::engine::{Engine, EngineSettings};
use crate::panels::{Desk, Language, Tab, Text, theme, window_ui};
use crate::preview::LatentTextures;
use crate::session::{Action, Effect, Session, Severity};
use crate::store::builtin_previews;

/// The program's window.
pub struct Window {
    /// What it knows.
    pub session: Session,
    /// What it draws with.
    pub desk: Desk,
    engine: Engine,
    dialogs: Dialogs,
    settings: Settings,
    /// A path that is typed because no dialog could be shown.
    typed_path: Option<(Purpose, String)>,
    /// Settings that an opened picture offers.
    offered: Option<Box<crate::formats::metadata::GenerationFacts>>,
}

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
        let engine = Engine::start(EngineSettings::default(), move || waker.request_repaint())?;
        let latents = context.wgpu_render_state.as_ref().map(LatentTextures::new);
        let fits = builtin_previews().map(|fits| (fits.linear.clone(), fits.patch.clone()));
        let mut session = Session::new(settings.model.clone(), settings.recent_models.clone());
        if let Some(notice) = notice {
            session.notify(Severity::Error, "The settings file was damaged and set aside", notice);
        }
        let mut desk = Desk::new(latents, settings.language, fits);
        desk.save_metadata = settings.save_metadata;
        let dialogs = Dialogs::new(&ctx);
        let mut window = Self { session, desk, engine, dialogs, settings, typed_path: None, offered: None };
        window.carry_out(&ctx);
        Ok(window)
    }

    fn carry_out(&mut self, ctx: &egui::Context) {
        for effect in self.session.take_effects() {
            match effect {
                Effect::Send(command) => {
                    if let Err(error) = self.engine.send(command) {
                        self.session.notify(
                            Severity::Error,
                            "The engine did not take the job",
                            error.to_string(),
                        );
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
                Effect::AskOpen => self.ask(Purpose::Open, ""),
                Effect::AskOpenModel => self.ask(Purpose::OpenModel, ""),
                Effect::Copy(picture) => {
                    ctx.copy_image(egui::ColorImage::from_rgb(
                        [picture.width(), picture.height()],
                        picture.rgb(),
                    ));
                }
                Effect::Read(path) => self.read(&path),
            }
        }
    }

    fn shown_seed(&self) -> u64 {
        self.session.shown_result().map_or(0, |item| item.request.seed.0)
    }

    fn ask(&mut self, purpose: Purpose, name: &str) {
        self.dialogs.ask(purpose, self.settings.last_folder.as_deref(), name);
    }

    fn answered(&mut self, answer: Answer) {
        match answer.path {
            Some(path) => self.path_chosen(&answer.purpose, &path),
            None if answer.shown_secs < NEVER_SHOWN => {
                self.typed_path = Some((answer.purpose, String::new()))
            }
            None => {}
        }
    }

    fn path_chosen(&mut self, purpose: &Purpose, path: &Path) {
        self.settings.last_folder = path.parent().map(Path::to_owned);
        let done = match purpose {
            Purpose::Open | Purpose::OpenModel => {
                self.read(path);
                return;
            }
            Purpose::SavePicture(job) => {
                let Some(item) = self.session.results.iter_mut().find(|item| item.job == *job) else {
                    return;
                };
                let done = files::save_picture(path, item, self.desk.save_metadata);
                item.saved |= done.is_ok();
                done
            }
            Purpose::SaveLatent(latent) => {
                let Some(profile) = self.session.profile.clone() else { return };
                files::save_latent(path, latent, &profile)
            }
        };
        match done {
            Ok(path) => self.session.notify(Severity::Info, "Saved", path.display().to_string()),
            Err(error) => self.session.notify(Severity::Error, "Not saved", format!("{error:#}")),
        }
    }

    fn read(&mut self, path: &Path) {
        match files::open(path) {
            Ok(Opened::Model(model)) => self.session.apply(Action::SetModel(model)),
            Ok(Opened::Picture { picture, facts, scaled }) => {
                if scaled {
                    let why = format!("{}×{} pixels are used.", picture.width(), picture.height());
                    self.session.notify(Severity::Info, "The picture was large and was scaled down", why);
                }
                self.offered = facts;
                self.picture_opened(picture);
            }
            Ok(Opened::Latent { latent, space }) => {
                self.desk.tab = Tab::Latent;
                self.session.apply(Action::InspectLatent(latent, space));
            }
            Err(error) => {
                self.session.notify(Severity::Error, "This could not be opened", format!("{error:#}"))
            }
        }
    }

    /// A picture is laid open, and is at hand as a source.
    fn picture_opened(&mut self, picture: crate::request::Picture) {
        self.desk.tab = Tab::Latent;
        self.session.apply(Action::InspectPicture(picture));
    }

    fn dropped_and_pasted(&mut self, ctx: &egui::Context) {
        let paths: Vec<PathBuf> =
            ctx.input(|input| input.raw.dropped_files.iter().map(|file| file.path().to_owned()).collect());
        for path in paths {
            self.read(&path);
        }
        let pasted = ctx.input(|input| {
            input.events.iter().find_map(|event| match event {
                egui::Event::PasteImage(image) => Some(image.clone()),
                _ => None,
            })
        });
        if let Some(image) = pasted {
            let rgb: Vec<u8> = image.pixels.iter().flat_map(|p| [p.r(), p.g(), p.b()]).collect();
            if let Ok(picture) = crate::request::Picture::new(image.size[0], image.size[1], rgb) {
                self.picture_opened(picture);
            }
        }
    }

    /// A field for a path where no dialog could be shown, and the offer of a picture's settings.
    fn questions_ui(&mut self, ctx: &egui::Context) {
        let text: &'static Text = self.desk.text;
        if let Some((purpose, mut path)) = self.typed_path.take() {
            let (mut done, mut open) = (false, true);
            egui::Window::new(text.open).collapsible(false).resizable(false).open(&mut open).show(
                ctx,
                |ui| {
                    let field = egui::TextEdit::singleline(&mut path)
                        .hint_text("/…/picture.png")
                        .desired_width(420.0);
                    ui.add(field);
                    done = ui.button("OK").clicked();
                },
            );
            if done && !path.is_empty() {
                self.path_chosen(&purpose, Path::new(&path));
            } else if open && !done {
                self.typed_path = Some((purpose, path));
            }
        }
        if let Some(facts) = self.offered.take() {
            let (mut taken, mut open) = (false, true);
            egui::Window::new(text.restore).collapsible(false).resizable(false).open(&mut open).show(
                ctx,
                |ui| {
                    ui.set_max_width(360.0);
                    ui.label(facts.prompt.clone().unwrap_or_default());
                    taken = ui.button(text.restore).clicked();
                },
            );
            if taken {
                self.session.apply(Action::RestoreFacts(facts));
                self.desk.tab = Tab::Picture;
            } else if open {
                self.offered = Some(facts);
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
                        self.desk.text = Text::of(self.settings.language);
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
            self.session.apply_event(event);
        }
        while let Some(answer) = self.dialogs.answer() {
            self.answered(answer);
        }
        self.dropped_and_pasted(ctx);
        self.carry_out(ctx);
    }

    fn ui(&mut self, ui: &mut egui::Ui, _: &mut eframe::Frame) {
        self.corner_ui(ui);
        let actions = window_ui(ui, &mut self.session, &mut self.desk);
        let ctx = ui.ctx().clone();
        self.questions_ui(&ctx);
        // What was typed in this frame counts for what was asked in it.
        let (edits, others): (Vec<_>, Vec<_>) =
            actions.into_iter().partition(|action| matches!(action, Action::Edit(_) | Action::SetBatch(..)));
        for action in edits.into_iter().chain(others) {
            self.session.apply(action);
        }
        self.carry_out(&ctx);
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
