//! State that the panels keep from frame to frame, and the textures they draw with.

use std::collections::HashMap;
use std::sync::Arc;

use egui::{Pos2, Rect, TextureHandle, TextureId, TextureOptions, Ui, Vec2};

use crate::catalog::ModelSource;
use crate::latent::{Latent, LatentFormat, LatentSpace};
use crate::preview::{LatentTextures, Look};
use crate::projection::{PreviewFit, RgbProjection};
use crate::request::Picture;
use crate::session::{Autosave, DocumentId, Session, builtin_fit};

use super::text::{Language, Text};

/// State that the panels keep from frame to frame, and the textures they draw with.
pub struct Desk {
    /// Decodes latents on the GPU; absent where there is none.
    pub latents: Option<LatentTextures>,
    /// The interface's language.
    pub language: Language,
    /// Its words.
    pub text: &'static Text,
    /// Light or dark.
    pub theme: ThemeChoice,
    /// How the document on the easel is seen.
    pub view: View,
    /// Which of its errors, in that view.
    pub(super) error: ErrorView,
    /// Which channel in the view of components; none is the principal components.
    pub(super) channel: Option<usize>,
    /// Where the wipe stands, a share of the picture's width.
    pub(super) wipe: f32,
    /// What the pointer is over, shares of the picture's width and height.
    pub(super) probe: Option<Vec2>,
    /// The same while this frame is drawn.
    pub(super) probed: Option<Vec2>,
    /// Whether the panel of the recipe is open.
    pub recipe: bool,
    /// Whether the panel of the latent's channels is open.
    pub enlarger: bool,
    /// The widths of both, points.
    pub recipe_width: f32,
    /// See [`Desk::recipe_width`].
    pub enlarger_width: f32,
    /// Which panel a narrow window shows.
    pub(super) narrow_tab: NarrowTab,
    /// The window that is open within the window.
    pub(super) overlay: Option<Overlay>,
    /// Whether the contact sheet lies in the place of the easel, and what is searched in it.
    pub(super) gallery: bool,
    pub(super) search: String,
    /// The frame of the contact sheet that was brought into sight.
    pub(super) scroll_to: Option<DocumentId>,
    /// When each message was first seen, seconds.
    pub(super) seen: HashMap<u64, f64>,
    /// Since when the picture on the easel replaces its preview, and which.
    pub(super) fixing: Option<(usize, f64)>,
    /// The field of the prompt, in which Escape stops the run.
    pub(super) prompt_field: Option<egui::Id>,
    /// What is being answered of a latent: its space and the place of its family in the list.
    pub(super) latent_kind: (LatentSpace, usize),
    /// Whether the patch projection is used where there is one.
    pub use_patch: bool,
    /// Whether saved pictures hold their settings.
    pub save_metadata: bool,
    /// Whether, where, and under which names pictures are saved as they are drawn.
    pub autosave: Autosave,
    /// Where that is if no folder is chosen.
    pub pictures_folder: std::path::PathBuf,
    /// Where the row of the source picture was drawn: pictures can be dropped on it.
    pub(super) source_row: Option<Rect>,
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

/// How the document on the easel is seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum View {
    /// The true decode; the preview where there is none yet.
    #[default]
    Picture,
    /// The latent through a projection.
    Preview,
    /// Original and picture on both sides of a line.
    Wipe,
    /// Where the VAE lost something.
    Error,
    /// The latent's components, or one of its channels.
    Components,
}

/// What is seen of the VAE's errors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ErrorView {
    #[default]
    Heat,
    Jpeg,
    Divergence,
}

/// The panels that share their place in a narrow window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum NarrowTab {
    #[default]
    Recipe,
    Enlarger,
}

/// Windows within the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overlay {
    Settings,
    Messages,
    Shortcuts,
    About,
}

/// Light or dark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ThemeChoice {
    /// As the system.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

/// Pictures kept as textures.
const MAX_PICTURES: usize = 128;

impl Desk {
    /// Nothing drawn yet.
    pub fn new(latents: Option<LatentTextures>, language: Language) -> Self {
        Self {
            latents,
            language,
            text: Text::of(language),
            theme: ThemeChoice::System,
            view: View::Picture,
            error: ErrorView::Heat,
            channel: None,
            wipe: 0.5,
            probe: None,
            probed: None,
            recipe: true,
            enlarger: true,
            recipe_width: super::RECIPE_WIDTH,
            enlarger_width: super::ENLARGER_WIDTH,
            narrow_tab: NarrowTab::Recipe,
            overlay: None,
            gallery: false,
            search: String::new(),
            scroll_to: None,
            seen: HashMap::new(),
            fixing: None,
            prompt_field: None,
            latent_kind: (LatentSpace::Vae, 0),
            use_patch: true,
            save_metadata: true,
            autosave: Autosave::default(),
            pictures_folder: std::path::PathBuf::new(),
            source_row: None,
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

    /// Whether what is dropped here becomes the source of an image-to-image run.
    pub fn takes_source_at(&self, place: Pos2) -> bool {
        self.source_row.is_some_and(|row| row.contains(place))
    }

    /// Opens a window within the window, or closes it.
    pub(super) fn toggle(&mut self, overlay: Overlay) {
        self.overlay = (self.overlay != Some(overlay)).then_some(overlay);
    }

    /// Changes the language of all words.
    pub fn speak(&mut self, language: Language) {
        (self.language, self.text) = (language, Text::of(language));
    }

    /// A model's name for people.
    pub(super) fn model_name(&self, model: &ModelSource) -> String {
        match model {
            ModelSource::Builtin => self.text.builtin_model.to_owned(),
            ModelSource::Folder(_) | ModelSource::Parts(_) => model.short_name(),
        }
    }

    /// Previews fitted to the loaded VAE, where there are some.
    pub(super) fn fit<'a>(&'a self, session: &'a Session) -> Option<&'a PreviewFit> {
        if session.is_builtin() { self.builtin.as_ref() } else { session.preview_fit() }
    }

    /// The way previews are seen: fitted maps, a family's table, or plain channels.
    pub(super) fn preview_look(&mut self, session: &Session, format: LatentFormat) -> Look {
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
    pub(super) fn table(&mut self, format: LatentFormat) -> Arc<RgbProjection> {
        if let Some((_, table)) = self.tables.iter().find(|(known, _)| *known == format) {
            return Arc::clone(table);
        }
        let table = Arc::new(RgbProjection::for_format(&format));
        self.tables.push((format, Arc::clone(&table)));
        table
    }

    /// The linear map beside a look: what one channel alone does to the picture.
    pub(super) fn linear_projection(&mut self, seen: &Look, format: LatentFormat) -> Arc<RgbProjection> {
        match (seen, &self.builtin) {
            (Look::Linear { projection, .. }, _) => Arc::clone(projection),
            (Look::Patch { projection }, Some(fit)) if Arc::ptr_eq(projection, &fit.patch) => {
                Arc::clone(&fit.linear)
            }
            _ => self.table(format),
        }
    }

    /// A latent as a texture, where there is a graphics adapter.
    pub(super) fn texture(&mut self, latent: &Latent, look: &Look) -> Option<TextureId> {
        self.latents.as_mut()?.texture(latent, look)
    }

    /// Three principal components as red, green and blue.
    pub(super) fn components_look(&mut self) -> Look {
        Look::Linear { projection: Arc::clone(&self.components), smooth: false }
    }

    /// A picture as a texture, made when it is first drawn.
    pub(super) fn picture(&mut self, ui: &Ui, picture: &Picture) -> TextureId {
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
