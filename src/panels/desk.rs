//! State that the panels keep from frame to frame, and the textures they draw with.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use egui::{Pos2, Rect, TextureHandle, TextureId, TextureOptions, Ui, Vec2};

use crate::catalog::ModelSource;
use crate::engine::EngineSettings;
use crate::latent::{Latent, LatentFormat, LatentSpace};
use crate::preview::{LatentTextures, Look};
use crate::projection::{PreviewFit, RgbProjection};
use crate::reel::ReelOptions;
use crate::request::{DeviceChoice, Picture};
use crate::session::{Autosave, Document, DocumentId, InsideView, ReelOf, Session, builtin_fit};

use super::grid_page::GridPage;
use super::levels_field::LevelsField;
use super::pair_view::PairView;
use super::runs_page::RunsPage;
use super::skip_field::SkipField;
use super::text::{Language, Text};

/// State that the panels keep from frame to frame, and the textures they draw with.
pub struct Desk {
    /// Draws previews of latents on the GPU; `None` without a graphics adapter.
    pub latents: Option<LatentTextures>,
    /// The language of the interface.
    pub language: Language,
    /// The texts of that language.
    pub text: &'static Text,
    /// The theme.
    pub theme: ThemeChoice,
    /// The view of the document on the easel.
    pub view: View,
    /// The error shown in the view of errors.
    pub(super) error: ErrorView,
    /// What is looked at of the inside of a step.
    pub inside: InsideView,
    /// The channel shown in the view of components; `None` for the principal components.
    pub(super) channel: Option<usize>,
    /// The position of the wipe's line, a share of the picture's width.
    pub(super) wipe: f32,
    /// The point under the pointer in the last frame, shares of the picture's width and height.
    pub(super) probe: Option<Vec2>,
    /// The same of the frame that is being drawn.
    pub(super) probed: Option<Vec2>,
    /// Whether the recipe is shown.
    pub recipe: bool,
    /// Whether the enlarger is shown.
    pub enlarger: bool,
    /// The widths of both, points.
    pub recipe_width: f32,
    /// See [`Desk::recipe_width`].
    pub enlarger_width: f32,
    /// The tab shown in a narrow window.
    pub(super) narrow_tab: NarrowTab,
    /// The window that is open within the window.
    pub(super) overlay: Option<Overlay>,
    /// Whether the gallery is shown in place of the easel, and the text searched in it.
    pub(super) gallery: bool,
    pub(super) search: String,
    /// The document whose frame on the contact sheet was last scrolled into view.
    pub(super) scroll_to: Option<DocumentId>,
    /// When each message was first seen, seconds.
    pub(super) seen: HashMap<u64, f64>,
    /// When the last step was shown while the steps are played, seconds; `None` while they are not.
    pub(super) played_at: Option<f64>,
    /// The picture that fades in over its preview on the easel, and since when, seconds.
    pub(super) fixing: Option<(usize, f64)>,
    /// The prompt field: unlike in other fields, Escape in it stops the run.
    pub(super) prompt_field: Option<egui::Id>,
    /// The answer so far to the question about a latent: its space, and the index of its family in the list.
    pub(super) latent_kind: (LatentSpace, usize),
    /// The finest method of previews that is used where it is possible.
    pub previews: PreviewMethod,
    /// Whether saved pictures contain their settings.
    pub save_metadata: bool,
    /// Whether every run is kept.
    pub keep_runs: bool,
    /// Whether the pictures of kept runs are compared in idle time, so that they are found by their meaning.
    pub place_runs: bool,
    /// The most that kept runs take on the disk, GiB; `None` for no limit.
    pub runs_limit_gib: Option<u64>,
    /// Which pictures are saved as they are drawn, where, and under which names.
    pub autosave: Autosave,
    /// The folder for that where none is chosen.
    pub pictures_folder: PathBuf,
    /// The folder in which file dialogs start; `None` for the one used last.
    pub dialog_folder: Option<PathBuf>,
    /// Whether pictures appear without fading in, and lists do not glide.
    pub reduced_motion: bool,
    /// Whether the user is notified when a long job ends.
    pub notify: bool,
    /// What the settings page says of the machine and of the program's files.
    pub surroundings: Surroundings,
    /// The state of the settings page.
    pub(super) settings: SettingsPage,
    /// How the development of a run is saved.
    pub reel_options: ReelOptions,
    /// The state of the page for it.
    pub(super) reel: ReelPage,
    /// How two that are compared are shown.
    pub(super) compare: PairView,
    /// The state of the page of grids.
    pub(super) grid: GridPage,
    /// The state of the gallery.
    pub(super) runs: RunsPage,
    /// The state of the page of models.
    pub(super) models: ModelsPage,
    /// The list of noise levels as it is typed.
    pub(super) levels: LevelsField,
    /// The skipped layers as they are typed.
    pub(super) skip: SkipField,
    /// The row of the source picture in the last frame, on which pictures can be dropped.
    pub(super) source_row: Option<Rect>,
    /// Whether a question is open, which takes the keys.
    pub keys_are_taken: bool,
    /// Whether the prompt is to take the focus in the next frame.
    pub(crate) focus_prompt: bool,
    tables: Vec<(LatentFormat, Arc<RgbProjection>)>,
    /// Three principal components as red, green and blue.
    components: Arc<RgbProjection>,
    builtin: Option<PreviewFit>,
    pictures: HashMap<usize, (Picture, TextureHandle)>,
}

/// A view of the document on the easel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum View {
    /// The true decode; before there is one, the preview.
    #[default]
    Picture,
    /// The latent through a projection.
    Preview,
    /// Original and picture on both sides of a line.
    Wipe,
    /// The errors of the VAE.
    Error,
    /// The latent's components, or one of its channels.
    Components,
    /// What happens inside the shown step.
    Inside,
}

/// The errors of the VAE that can be shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ErrorView {
    #[default]
    Heat,
    Jpeg,
    Divergence,
}

/// The tabs of the panel in a narrow window.
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
    Models,
    Messages,
    Reel,
    Shortcuts,
    About,
}

/// A section of the settings page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum SettingsSection {
    #[default]
    General,
    Keeping,
    Saving,
    Folders,
    Drawing,
    Privacy,
}

/// The state of the settings page.
#[derive(Debug, Default)]
pub(super) struct SettingsPage {
    pub(super) section: SettingsSection,
    /// Whether it was shown in the last frame.
    pub(super) is_open: bool,
    /// How the engine is to run, while a figure of it is being edited.
    pub(super) engine: Option<EngineSettings>,
}

/// The state of the page for saving the development of a run.
#[derive(Debug, Default)]
pub(super) struct ReelPage {
    /// Whose development is saved.
    pub(super) of: Option<ReelOf>,
    /// Whether it was shown in the last frame.
    pub(super) is_open: bool,
}

/// The state of the page of models.
#[derive(Debug, Default)]
pub(super) struct ModelsPage {
    /// Whether it was shown in the last frame.
    pub(super) is_open: bool,
    /// Whether its right half shows the folders in place of the selected model.
    pub(super) shows_folders: bool,
    /// The field of the words that are searched.
    pub(super) search_field: Option<egui::Id>,
    /// The place of the list that is to be scrolled into view.
    pub(super) scroll_to: Option<usize>,
    /// Whether the page lists models to download in place of those on this computer.
    pub(super) gets: bool,
    /// What its right half shows then.
    pub(super) part: GetPart,
    /// The chosen item of the catalogue.
    pub(super) item: Option<String>,
    /// The address of another model as it is typed, and the place of what was chosen of it.
    pub(super) address: String,
    pub(super) choice: Option<usize>,
    /// An access token as it is typed.
    pub(super) token: TypedSecret,
}

/// What the page of models shows of what can be downloaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum GetPart {
    /// The chosen item of the catalogue.
    #[default]
    Model,
    /// What an address has.
    Look,
    /// The downloads.
    Downloads,
}

/// What is typed into a field for a secret, which no log shows.
#[derive(Default)]
pub(super) struct TypedSecret(pub(super) String);

impl std::fmt::Debug for TypedSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

/// The machine that the program runs on, and the places of its files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// The devices that this build can use.
    pub devices: Vec<DeviceChoice>,
    /// The number of processor threads.
    pub threads: usize,
    /// Bytes of free memory when the program started, where the system tells.
    pub free_memory: Option<u64>,
    /// Bytes of main memory, where the system tells.
    pub total_memory: Option<u64>,
    /// The file of the settings.
    pub settings_file: Option<PathBuf>,
    /// The folder of the latents of pictures that are not saved yet.
    pub unsaved: Option<PathBuf>,
    /// The folder of kept runs.
    pub runs: Option<PathBuf>,
    /// The folder of fitted previews.
    pub fits: Option<PathBuf>,
    /// Whether the program ffmpeg, which makes videos, is there.
    pub has_ffmpeg: bool,
}

/// The choice of theme.
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

/// A method of previews, the finest last.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum PreviewMethod {
    /// One matrix.
    Linear,
    /// A linear map from neighbourhoods.
    Patch,
    /// The tiny decoder.
    #[default]
    Tiny,
}

/// Most pictures that are kept as textures.
const MAX_PICTURES: usize = 128;

impl Desk {
    /// The state at the start.
    pub fn new(latents: Option<LatentTextures>, language: Language) -> Self {
        Self {
            latents,
            language,
            text: Text::of(language),
            theme: ThemeChoice::System,
            view: View::Picture,
            error: ErrorView::Heat,
            inside: InsideView::default(),
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
            played_at: None,
            fixing: None,
            prompt_field: None,
            latent_kind: (LatentSpace::Vae, 0),
            previews: PreviewMethod::default(),
            save_metadata: true,
            keep_runs: true,
            place_runs: true,
            runs_limit_gib: None,
            autosave: Autosave::default(),
            pictures_folder: PathBuf::new(),
            dialog_folder: None,
            reduced_motion: false,
            notify: true,
            surroundings: Surroundings::default(),
            settings: SettingsPage::default(),
            reel_options: ReelOptions::default(),
            reel: ReelPage::default(),
            compare: PairView::default(),
            grid: GridPage::default(),
            runs: RunsPage::default(),
            models: ModelsPage::default(),
            levels: LevelsField::default(),
            skip: SkipField::default(),
            source_row: None,
            keys_are_taken: false,
            focus_prompt: true,
            tables: Vec::new(),
            components: Arc::new(RgbProjection::first_channels(3)),
            builtin: builtin_fit(),
            pictures: HashMap::new(),
        }
    }

    /// Replaces the graphics device; the textures of the one before are dropped.
    pub fn paint_with(&mut self, latents: Option<LatentTextures>) {
        self.latents = latents;
        self.pictures.clear();
        self.grid.drop_textures();
    }

    /// Whether a picture dropped at this point becomes the source of an image-to-image run.
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

    /// The name of a model as it is shown.
    pub(super) fn model_name(&self, model: &ModelSource) -> String {
        match model {
            ModelSource::Builtin => self.text.builtin_model.to_owned(),
            ModelSource::Folder(_) | ModelSource::Parts(_) => model.short_name(),
        }
    }

    /// The preview projections fitted to the loaded VAE, if there are any.
    pub(super) fn fit<'a>(&'a self, session: &'a Session) -> Option<&'a PreviewFit> {
        if session.is_builtin() { self.builtin.as_ref() } else { session.preview_fit() }
    }

    /// How latents of this format are previewed without the tiny decoder: by fitted maps, a family's table, or plain
    /// channels.
    pub(super) fn preview_look(&mut self, session: &Session, format: LatentFormat) -> Look {
        if let Some(fit) = self.fit(session).filter(|fit| fit.linear.channels() == format.channels) {
            return if self.previews >= PreviewMethod::Patch && fit.patch_is_better() {
                Look::Patch { projection: Arc::clone(&fit.patch) }
            } else {
                Look::Linear { projection: Arc::clone(&fit.linear), smooth: true, scale: Look::FULL_SCALE }
            };
        }
        Look::Linear { projection: self.table(format), smooth: true, scale: Look::FULL_SCALE }
    }

    /// The best linear map without a fit. The same allocation for the same format, since textures are keyed by it.
    pub(super) fn table(&mut self, format: LatentFormat) -> Arc<RgbProjection> {
        if let Some((_, table)) = self.tables.iter().find(|(known, _)| *known == format) {
            return Arc::clone(table);
        }
        let table = Arc::new(RgbProjection::for_format(&format));
        self.tables.push((format, Arc::clone(&table)));
        table
    }

    /// The linear map that goes with a look; it gives the colour that a single channel adds.
    pub(super) fn linear_projection(&mut self, seen: &Look, format: LatentFormat) -> Arc<RgbProjection> {
        match (seen, &self.builtin) {
            (Look::Linear { projection, .. }, _) => Arc::clone(projection),
            (Look::Patch { projection }, Some(fit)) if Arc::ptr_eq(projection, &fit.patch) => {
                Arc::clone(&fit.linear)
            }
            _ => self.table(format),
        }
    }

    /// A latent as a texture; `None` without a graphics adapter.
    pub(super) fn texture(&mut self, latent: &Latent, look: &Look) -> Option<TextureId> {
        self.latents.as_mut()?.texture(latent, look)
    }

    /// The preview of a document's newest latent, and its size in latent pixels.
    pub(super) fn newest_preview(
        &mut self,
        session: &Session,
        document: &Document,
    ) -> Option<(TextureId, [usize; 2])> {
        let newest = document.steps().last().map(|step| step.denoised.clone());
        let latent = newest.or_else(|| document.inspector().latent.clone())?;
        let look = self.preview_look(session, document.format()?);
        let shape = latent.shape();
        Some((self.texture(&latent, &look)?, [shape.width, shape.height]))
    }

    /// The linear map for latents of this format: fitted, or a family's table.
    pub(super) fn table_or_fit(&mut self, session: &Session, format: LatentFormat) -> Arc<RgbProjection> {
        match self.fit(session).filter(|fit| fit.linear.channels() == format.channels) {
            Some(fit) => Arc::clone(&fit.linear),
            None => self.table(format),
        }
    }

    /// The look that shows three principal components as red, green and blue.
    pub(super) fn components_look(&mut self) -> Look {
        Look::Linear { projection: Arc::clone(&self.components), smooth: false, scale: Look::FULL_SCALE }
    }

    /// A picture as a texture, which is made when the picture is first drawn.
    pub(super) fn picture(&mut self, ui: &Ui, picture: &Picture) -> TextureId {
        let key = picture.rgb().as_ptr() as usize;
        if let Some((_, texture)) = self.pictures.get(&key) {
            return texture.id();
        }
        if self.pictures.len() >= MAX_PICTURES {
            self.pictures.clear();
        }
        let image = egui::ColorImage::from_rgb([picture.width(), picture.height()], picture.rgb());
        // Sharp pixels when magnified, smooth when reduced.
        let options =
            TextureOptions { magnification: egui::TextureFilter::Nearest, ..TextureOptions::LINEAR };
        let texture = ui.ctx().load_texture("picture", image, options);
        let id = texture.id();
        self.pictures.insert(key, (picture.clone(), texture));
        id
    }
}
