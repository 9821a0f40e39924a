//! How the window looks: one function for each panel. A panel draws the session and asks for changes
//! by [`Action`]s; it changes nothing itself but what it remembers for drawing.

mod canvas;
mod latent_view;
mod notices;
mod prompt;
mod queue;
mod sampling;
mod strip;
mod text;
pub mod theme;
mod timeline;

use std::collections::HashMap;
use std::sync::Arc;

use egui::{TextureHandle, TextureOptions, Ui};

use crate::latent::{LatentFormat, PatchProjection, RgbProjection};
use crate::preview::{LatentTextures, Look};
use crate::request::Picture;
use crate::session::{Action, Session};

pub use text::{Language, Text};

/// What the panels remember for drawing, and what they draw with.
pub struct Desk {
    /// Decodes latents on the GPU; absent where there is none.
    pub latents: Option<LatentTextures>,
    /// The interface's words.
    pub text: &'static Text,
    /// Which view the canvas has.
    pub tab: Tab,
    /// Zoom and pan of the canvas.
    pub(crate) view: canvas::View,
    pub(crate) second_view: canvas::View,
    /// Whether the patch projection is used where there is one.
    pub use_patch: bool,
    /// Whether saved pictures hold their settings.
    pub save_metadata: bool,
    /// Set once: the prompt takes the keyboard at the start.
    pub(crate) focus_prompt: bool,
    projections: HashMap<usize, Arc<RgbProjection>>,
    builtin: Option<(Arc<RgbProjection>, Arc<PatchProjection>)>,
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
    pub fn new(
        latents: Option<LatentTextures>,
        language: Language,
        builtin: Option<(RgbProjection, PatchProjection)>,
    ) -> Self {
        Self {
            latents,
            text: Text::of(language),
            tab: Tab::Picture,
            view: canvas::View::default(),
            second_view: canvas::View::default(),
            use_patch: true,
            save_metadata: true,
            focus_prompt: true,
            projections: HashMap::new(),
            builtin: builtin.map(|(linear, patch)| (Arc::new(linear), Arc::new(patch))),
            pictures: HashMap::new(),
        }
    }

    /// The way previews are seen: the built-in model's fitted maps, a family's table, or plain channels.
    fn preview_look(&mut self, session: &Session, format: LatentFormat) -> Look {
        if session.is_builtin()
            && let Some((linear, patch)) = &self.builtin
        {
            return if self.use_patch {
                Look::Patch { projection: Arc::clone(patch) }
            } else {
                Look::Linear { projection: Arc::clone(linear), smooth: true }
            };
        }
        let channels = format.channels;
        let projection = self.projections.entry(channels).or_insert_with(|| {
            Arc::new(if channels == 4 {
                RgbProjection::stable_diffusion()
            } else {
                RgbProjection::first_channels(channels)
            })
        });
        Look::Linear { projection: Arc::clone(projection), smooth: true }
    }

    /// Three principal components as red, green and blue.
    fn components_look(&mut self) -> Look {
        let projection =
            self.projections.entry(3).or_insert_with(|| Arc::new(RgbProjection::first_channels(3)));
        Look::Linear { projection: Arc::clone(projection), smooth: false }
    }

    /// A picture as a texture, made when it is first drawn.
    fn picture(&mut self, ui: &Ui, picture: &Picture) -> egui::TextureId {
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
pub fn window_ui(ui: &mut Ui, session: &mut Session, look: &mut Desk) -> Vec<Action> {
    let mut actions = Vec::new();
    shortcuts(ui, session, look, &mut actions);
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
    if !session.results.is_empty() {
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
    notices::notices_ui(ui, session, look.text, &mut actions);
    actions
}

/// Gives a control its name for screen readers.
fn named(response: &egui::Response, name: impl Into<String>) {
    let name = name.into();
    response.ctx.accesskit_node_builder(response.id, |node| node.set_label(name));
}

/// Keys that work everywhere.
fn shortcuts(ui: &Ui, session: &Session, look: &mut Desk, actions: &mut Vec<Action>) {
    use egui::{Key, Modifiers};
    let typing = ui.ctx().egui_wants_keyboard_input();
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
        if session.running.is_some() {
            press(Modifiers::NONE, Key::Escape, Action::StopNow);
        }
        if !typing {
            press(command, Key::C, Action::Copy);
        }
        if !typing && look.tab == Tab::Latent {
            if input.consume_key(command | Modifiers::SHIFT, Key::Z) {
                look.second_view.redo_wanted = true;
            } else if input.consume_key(command, Key::Z) {
                look.second_view.undo_wanted = true;
            }
        }
    });
}
