//! How the window looks: one function for each panel. A panel draws the session and asks for changes
//! by [`Action`]s; the session is only read, and what is remembered for drawing lies on the [`Desk`].

mod canvas;
mod latent_view;
mod notices;
mod prompt;
mod question;
mod queue;
mod sampling;
mod strip;
mod text;
pub mod theme;
mod timeline;
mod waiting;
mod words;

use std::collections::HashMap;
use std::sync::Arc;

use egui::{TextureHandle, TextureId, TextureOptions, Ui};

use crate::catalog::ModelSource;
use crate::latent::{Latent, LatentFormat, LatentSpace};
use crate::preview::{LatentTextures, Look};
use crate::projection::{PreviewFit, RgbProjection};
use crate::request::Picture;
use crate::session::{Action, Session, Touch, builtin_fit};

pub use text::{Language, Text};

/// What the panels remember for drawing, and what they draw with.
pub struct Desk {
    /// Decodes latents on the GPU; absent where there is none.
    pub latents: Option<LatentTextures>,
    /// The interface's language.
    pub language: Language,
    /// Its words.
    pub text: &'static Text,
    /// Which view the canvas has.
    pub tab: Tab,
    /// Zoom and pan of the canvas.
    pub(crate) view: canvas::View,
    /// What the latent view remembers.
    pub(crate) latent: latent_view::LatentDesk,
    /// What is being answered of a latent: its space and the place of its family in the list.
    pub(crate) latent_kind: (LatentSpace, usize),
    /// Whether the patch projection is used where there is one.
    pub use_patch: bool,
    /// Whether saved pictures hold their settings.
    pub save_metadata: bool,
    /// Whether a question over the window takes the keys.
    pub keys_are_taken: bool,
    /// Set once: the prompt takes the keyboard at the start.
    pub(crate) focus_prompt: bool,
    tables: Vec<(LatentFormat, Arc<RgbProjection>)>,
    /// Three principal components as red, green and blue.
    components: Arc<RgbProjection>,
    builtin: Option<PreviewFit>,
    pictures: HashMap<usize, (Picture, TextureHandle)>,
}

/// The canvas' views.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tab {
    /// The picture.
    #[default]
    Picture,
    /// Its latent's channels.
    Latent,
}

/// Pictures kept as textures.
const MAX_PICTURES: usize = 64;

impl Desk {
    /// Nothing drawn yet.
    pub fn new(latents: Option<LatentTextures>, language: Language) -> Self {
        Self {
            latents,
            language,
            text: Text::of(language),
            tab: Tab::Picture,
            view: canvas::View::default(),
            latent: latent_view::LatentDesk::default(),
            latent_kind: (LatentSpace::Vae, 0),
            use_patch: true,
            save_metadata: true,
            keys_are_taken: false,
            focus_prompt: true,
            tables: Vec::new(),
            components: Arc::new(RgbProjection::first_channels(3)),
            builtin: builtin_fit(),
            pictures: HashMap::new(),
        }
    }

    /// Paints with another device from now on: nothing that was painted before is there any more.
    pub fn paint_with(&mut self, latents: Option<LatentTextures>) {
        self.latents = latents;
        self.pictures.clear();
    }

    /// Speaks another language.
    pub fn speak(&mut self, language: Language) {
        (self.language, self.text) = (language, Text::of(language));
    }

    /// A model's name for people.
    fn model_name(&self, model: &ModelSource) -> String {
        match model {
            ModelSource::Builtin => self.text.builtin_model.to_owned(),
            ModelSource::Folder(_) => model.short_name(),
        }
    }

    /// Previews fitted to the loaded VAE, where there are some.
    fn fit<'a>(&'a self, session: &'a Session) -> Option<&'a PreviewFit> {
        if session.is_builtin() { self.builtin.as_ref() } else { session.preview_fit() }
    }

    /// The way previews are seen: fitted maps, a family's table, or plain channels.
    fn preview_look(&mut self, session: &Session, format: LatentFormat) -> Look {
        if let Some(fit) = self.fit(session).filter(|fit| fit.linear.channels() == format.channels) {
            return if self.use_patch && fit.patch_is_better() {
                Look::Patch { projection: Arc::clone(&fit.patch) }
            } else {
                Look::Linear { projection: Arc::clone(&fit.linear), smooth: true }
            };
        }
        Look::Linear { projection: self.table(format), smooth: true }
    }

    /// The best linear map known without a fit; one allocation a format, which the textures are told apart by.
    fn table(&mut self, format: LatentFormat) -> Arc<RgbProjection> {
        if let Some((_, table)) = self.tables.iter().find(|(known, _)| *known == format) {
            return Arc::clone(table);
        }
        let table = Arc::new(RgbProjection::for_format(&format));
        self.tables.push((format, Arc::clone(&table)));
        table
    }

    /// The linear map beside a look: what one channel alone does to the picture.
    fn linear_projection(&mut self, seen: &Look, format: LatentFormat) -> Arc<RgbProjection> {
        match (seen, &self.builtin) {
            (Look::Linear { projection, .. }, _) => Arc::clone(projection),
            (Look::Patch { projection }, Some(fit)) if Arc::ptr_eq(projection, &fit.patch) => {
                Arc::clone(&fit.linear)
            }
            _ => self.table(format),
        }
    }

    /// A latent as a texture, where there is a graphics adapter.
    fn texture(&mut self, latent: &Latent, look: &Look) -> Option<TextureId> {
        self.latents.as_mut()?.texture(latent, look)
    }

    /// Three principal components as red, green and blue.
    fn components_look(&mut self) -> Look {
        Look::Linear { projection: Arc::clone(&self.components), smooth: false }
    }

    /// A picture as a texture, made when it is first drawn.
    fn picture(&mut self, ui: &Ui, picture: &Picture) -> TextureId {
        let key = picture.rgb().as_ptr() as usize;
        if let Some((_, texture)) = self.pictures.get(&key) {
            return texture.id();
        }
        if self.pictures.len() >= MAX_PICTURES {
            self.pictures.clear();
        }
        let image = egui::ColorImage::from_rgb([picture.width(), picture.height()], picture.rgb());
        // Crisp pixels when enlarged, smooth when made smaller.
        let options =
            TextureOptions { magnification: egui::TextureFilter::Nearest, ..TextureOptions::LINEAR };
        let texture = ui.ctx().load_texture("picture", image, options);
        let id = texture.id();
        self.pictures.insert(key, (picture.clone(), texture));
        id
    }
}

/// Draws the whole window and gives what the person did.
pub fn window_ui(ui: &mut Ui, session: &Session, look: &mut Desk) -> Vec<Action> {
    let mut actions = Vec::new();
    if !look.keys_are_taken {
        shortcuts(ui, session, look, &mut actions);
    }
    let frame = |ui: &Ui| egui::Frame::side_top_panel(ui.style()).inner_margin(egui::Margin::same(14));
    let left = frame(ui);
    egui::Panel::left("controls").resizable(false).exact_size(330.0).frame(left).show(ui, |ui| {
        egui::Panel::bottom("generate").frame(egui::Frame::NONE).show_separator_line(false).show(ui, |ui| {
            queue::generate_ui(ui, session, look, &mut actions);
        });
        egui::ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            ui.set_width(ui.available_width() - 6.0);
            prompt::prompt_ui(ui, session, look, &mut actions);
            sampling::sampling_ui(ui, session, look, &mut actions);
            queue::queue_ui(ui, session, look, &mut actions);
        });
    });
    let bottom = frame(ui).inner_margin(egui::Margin::symmetric(14, 8));
    if !session.results().is_empty() {
        egui::Panel::bottom("strip")
            .frame(bottom)
            .show(ui, |ui| strip::strip_ui(ui, session, look, &mut actions));
    }
    let central = egui::Frame::central_panel(ui.style()).inner_margin(egui::Margin::same(0));
    egui::CentralPanel::default().frame(central).show(ui, |ui| {
        canvas::bar_ui(ui, session, look, &mut actions);
        match look.tab {
            Tab::Picture => {
                egui::Panel::bottom("timeline").show_separator_line(false).frame(bottom).show(ui, |ui| {
                    timeline::timeline_ui(ui, session, look, &mut actions);
                });
                canvas::canvas_ui(ui, session, look, &mut actions);
            }
            Tab::Latent => latent_view::latent_ui(ui, session, look, &mut actions),
        }
    });
    notices::notices_ui(ui, session, look, &mut actions);
    question::question_ui(ui, session, look, &mut actions);
    actions
}

/// Gives a control its name for screen readers.
fn named(response: &egui::Response, name: impl Into<String>) {
    let name = name.into();
    response.ctx.accesskit_node_builder(response.id, |node| node.set_label(name));
}

/// Keys that work everywhere.
fn shortcuts(ui: &Ui, session: &Session, look: &Desk, actions: &mut Vec<Action>) {
    use egui::text_selection::LabelSelectionState;
    use egui::{Key, Modifiers};
    let typing = ui.ctx().egui_wants_keyboard_input();
    let selected =
        ui.ctx().with_plugin(|labels: &mut LabelSelectionState| labels.has_selection()) == Some(true);
    ui.ctx().input_mut(|input| {
        let command = Modifiers::COMMAND;
        let mut press = |modifiers, key, action: Action| {
            if input.consume_key(modifiers, key) {
                actions.push(action);
            }
        };
        press(command, Key::Enter, Action::Generate);
        press(command | Modifiers::SHIFT, Key::S, Action::SaveLatent);
        press(command, Key::S, Action::Save);
        press(command, Key::O, Action::Open);
        if session.unfinished() > 0 {
            press(Modifiers::NONE, Key::Escape, Action::StopNow);
        }
        if !typing && look.tab == Tab::Latent {
            press(command | Modifiers::SHIFT, Key::Z, Action::Touch(Touch::Redo));
            press(command, Key::Z, Action::Touch(Touch::Undo));
        }
        // The window's system gives the keys for copying as an event of their own.
        if !typing && !selected && input.events.contains(&egui::Event::Copy) {
            actions.push(Action::Copy);
        }
    });
}
