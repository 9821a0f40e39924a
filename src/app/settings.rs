//! The persistent settings and their JSON form.

use std::path::{Path, PathBuf};

use serde::Deserialize as _;
use serde_json::{Map, Value, json};

use super::saved_engine::{engine_from_json, engine_to_json};
use super::saved_recipe::{recipe_from_json, recipe_to_json};
use crate::catalog::ModelSource;
use crate::engine::EngineSettings;
use crate::panels::{ENLARGER_WIDTH, Language, PreviewMethod, RECIPE_WIDTH, ThemeChoice};
use crate::reel::ReelOptions;
use crate::session::{Answers, Autosave, SavedRecipe};
use crate::store::model_json::{
    model_from_json, model_to_json, parts_from_json, parts_to_json, path_from_json, path_to_json,
};

/// The settings that are kept between starts.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The interface's language.
    pub language: Language,
    /// The theme.
    pub theme: ThemeChoice,
    /// The model used last.
    pub model: ModelSource,
    /// Whether loading it crashed the program. Then it is loaded only on request.
    pub model_crashed: bool,
    /// Recently used model folders, newest first.
    pub recent_models: Vec<PathBuf>,
    /// The files that were named for parts of models, and what their networks were said to predict.
    pub model_answers: Answers,
    /// The paths of the library's models with stars.
    pub starred_models: Vec<PathBuf>,
    /// Whether models are offered on the empty easel no more.
    pub offers_hidden: bool,
    /// The folder last used in a dialog that opens files.
    pub last_folder: Option<PathBuf>,
    /// The folder last used in a dialog that saves files.
    pub last_saved_folder: Option<PathBuf>,
    /// Whether generation settings are embedded in saved pictures.
    pub save_metadata: bool,
    /// Inner size of the window, points.
    pub window_size: [f32; 2],
    /// Whether the panel of the recipe is open.
    pub recipe_panel: bool,
    /// Whether the panel of the latent's channels is open.
    pub enlarger: bool,
    /// The widths of the recipe and of the enlarger, points.
    pub panel_widths: [f32; 2],
    /// The prompts and generation settings.
    pub recipe: Option<SavedRecipe>,
    /// Whether and where pictures are saved automatically.
    pub autosave: Autosave,
    /// The folder in which file dialogs start; `None` for the one used last.
    pub dialog_folder: Option<PathBuf>,
    /// Whether every run is kept.
    pub keep_runs: bool,
    /// Whether the pictures of kept runs are compared in idle time, so that they are found by their meaning.
    pub place_runs: bool,
    /// The most that kept runs take on the disk, GiB; above it the steps of old runs are removed. `None` for no limit.
    pub runs_limit_gib: Option<u64>,
    /// How the development of a run is saved.
    pub reel: ReelOptions,
    /// Device, threads and memory of the networks.
    pub engine: EngineSettings,
    /// The finest method of previews that is used where it is possible.
    pub previews: PreviewMethod,
    /// Whether the window moves less.
    pub reduced_motion: bool,
    /// Whether the user is notified when a long job ends.
    pub notify: bool,
}

impl Default for Settings {
    fn default() -> Self {
        let locale = sys_locale::get_locale().unwrap_or_default();
        Self {
            language: Language::of_locale(&locale),
            theme: ThemeChoice::System,
            model: ModelSource::Builtin,
            model_crashed: false,
            recent_models: Vec::new(),
            model_answers: Answers::default(),
            starred_models: Vec::new(),
            offers_hidden: false,
            last_folder: None,
            last_saved_folder: None,
            save_metadata: true,
            window_size: [1280.0, 800.0],
            recipe_panel: true,
            enlarger: true,
            panel_widths: [RECIPE_WIDTH, ENLARGER_WIDTH],
            recipe: None,
            autosave: Autosave::default(),
            dialog_folder: None,
            keep_runs: true,
            place_runs: true,
            runs_limit_gib: Some(20),
            reel: ReelOptions::default(),
            engine: EngineSettings::default(),
            previews: PreviewMethod::default(),
            reduced_motion: false,
            notify: true,
        }
    }
}

impl Settings {
    /// The folder where a dialog that saves or opens files begins. Until the first one of its kind, that of the other.
    pub(super) fn folder(&self, saves: bool) -> Option<&Path> {
        let (saved, opened) = (self.last_saved_folder.as_deref(), self.last_folder.as_deref());
        if saves { saved.or(opened) } else { opened.or(saved) }
    }

    /// Remembers the folder that was chosen in such a dialog.
    pub(super) fn remember_folder(&mut self, saves: bool, folder: Option<&Path>) {
        let known = if saves { &mut self.last_saved_folder } else { &mut self.last_folder };
        *known = folder.map(Path::to_owned);
    }

    /// The JSON object, one entry per field.
    pub fn to_json(&self) -> Map<String, Value> {
        let fields = [
            ("language", json!(self.language)),
            ("theme", json!(self.theme)),
            ("model", model_to_json(&self.model)),
            ("model_crashed", json!(self.model_crashed)),
            ("recent_models", self.recent_models.iter().map(|path| path_to_json(path)).collect()),
            ("model_answers", self.model_answers.all().iter().map(parts_to_json).collect()),
            ("starred_models", self.starred_models.iter().map(|path| path_to_json(path)).collect()),
            ("offers_hidden", json!(self.offers_hidden)),
            ("last_folder", self.last_folder.as_deref().map_or(Value::Null, path_to_json)),
            ("last_saved_folder", self.last_saved_folder.as_deref().map_or(Value::Null, path_to_json)),
            ("dialog_folder", self.dialog_folder.as_deref().map_or(Value::Null, path_to_json)),
            ("save_metadata", json!(self.save_metadata)),
            ("window_size", json!(self.window_size)),
            ("recipe_panel", json!(self.recipe_panel)),
            ("enlarger", json!(self.enlarger)),
            ("panel_widths", json!(self.panel_widths)),
            ("autosave", autosave_to_json(&self.autosave)),
            ("keep_runs", json!(self.keep_runs)),
            ("place_runs", json!(self.place_runs)),
            ("runs_limit_gib", json!(self.runs_limit_gib)),
            ("reel", json!(self.reel)),
            ("engine", engine_to_json(&self.engine)),
            ("previews", json!(self.previews)),
            ("reduced_motion", json!(self.reduced_motion)),
            ("notify", json!(self.notify)),
            ("recipe", self.recipe.as_ref().map_or(Value::Null, recipe_to_json)),
        ];
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// Reads a JSON object. Missing and invalid fields get their defaults; the second value names the invalid ones.
    pub fn from_json(object: &Map<String, Value>) -> (Self, Vec<&'static str>) {
        let mut damaged = Vec::new();
        let default = Self::default();
        let read = Self {
            language: field(object, "language", default.language, &mut damaged, typed),
            theme: field(object, "theme", default.theme, &mut damaged, typed),
            model: field(object, "model", default.model, &mut damaged, model_from_json),
            model_crashed: field(
                object,
                "model_crashed",
                default.model_crashed,
                &mut damaged,
                Value::as_bool,
            ),
            // The valid entries of a partly invalid list are kept.
            recent_models: field(object, "recent_models", Vec::new(), &mut damaged, |v| {
                v.as_array().cloned()
            })
            .iter()
            .filter_map(path_from_json)
            .collect(),
            model_answers: field(
                object,
                "model_answers",
                default.model_answers,
                &mut damaged,
                answers_from_json,
            ),
            starred_models: field(object, "starred_models", Vec::new(), &mut damaged, |value| {
                value.as_array()?.iter().map(path_from_json).collect()
            }),
            offers_hidden: field(object, "offers_hidden", false, &mut damaged, Value::as_bool),
            last_folder: optional(object, "last_folder", &mut damaged, path_from_json),
            last_saved_folder: optional(object, "last_saved_folder", &mut damaged, path_from_json),
            dialog_folder: optional(object, "dialog_folder", &mut damaged, path_from_json),
            keep_runs: field(object, "keep_runs", default.keep_runs, &mut damaged, Value::as_bool),
            place_runs: field(object, "place_runs", default.place_runs, &mut damaged, Value::as_bool),
            runs_limit_gib: field(object, "runs_limit_gib", default.runs_limit_gib, &mut damaged, |value| {
                if value.is_null() { Some(None) } else { value.as_u64().map(Some) }
            }),
            reel: field(object, "reel", default.reel, &mut damaged, |value| {
                typed(value).map(ReelOptions::within_bounds)
            }),
            engine: field(object, "engine", default.engine, &mut damaged, engine_from_json),
            previews: field(object, "previews", previews_before(object), &mut damaged, |value| {
                PreviewMethod::deserialize(value).ok()
            }),
            reduced_motion: field(object, "reduced_motion", false, &mut damaged, Value::as_bool),
            notify: field(object, "notify", true, &mut damaged, Value::as_bool),
            save_metadata: field(
                object,
                "save_metadata",
                default.save_metadata,
                &mut damaged,
                Value::as_bool,
            ),
            // An implausible size is replaced but not reported: it may come from another monitor.
            window_size: Some(field(object, "window_size", default.window_size, &mut damaged, typed))
                .filter(|[width, height]: &[f32; 2]| {
                    (400.0..=16_384.0).contains(width) && (300.0..=16_384.0).contains(height)
                })
                .unwrap_or(default.window_size),
            recipe_panel: field(object, "recipe_panel", default.recipe_panel, &mut damaged, Value::as_bool),
            enlarger: field(object, "enlarger", default.enlarger, &mut damaged, Value::as_bool),
            // What is too wide or too narrow for the window, the panels bring into their limits.
            panel_widths: field(object, "panel_widths", default.panel_widths, &mut damaged, |value| {
                typed(value).filter(|widths: &[f32; 2]| widths.iter().all(|width| width.is_finite()))
            }),
            autosave: field(object, "autosave", default.autosave, &mut damaged, autosave_from_json),
            recipe: optional(object, "recipe", &mut damaged, recipe_from_json),
        };
        let entries = object.get("recent_models").and_then(Value::as_array).map_or(0, Vec::len);
        if read.recent_models.len() < entries {
            damaged.push("recent_models");
        }
        (read, damaged)
    }
}

/// A field of an object, or its default if it is missing or invalid. An invalid field is added to `damaged`.
fn field<T>(
    object: &Map<String, Value>,
    name: &'static str,
    default: T,
    damaged: &mut Vec<&'static str>,
    read: impl FnOnce(&Value) -> Option<T>,
) -> T {
    let Some(value) = object.get(name) else { return default };
    read(value).unwrap_or_else(|| {
        damaged.push(name);
        default
    })
}

/// The method of previews that settings of versions without [`Settings::previews`] hold.
fn previews_before(object: &Map<String, Value>) -> PreviewMethod {
    match object.get("patch_previews").and_then(Value::as_bool) {
        Some(false) => PreviewMethod::Linear,
        _ => PreviewMethod::default(),
    }
}

/// A field of an object that may be missing or null. An invalid field is added to `damaged`.
fn optional<T>(
    object: &Map<String, Value>,
    name: &'static str,
    damaged: &mut Vec<&'static str>,
    read: impl FnOnce(&Value) -> Option<T>,
) -> Option<T> {
    let value = object.get(name).filter(|value| !value.is_null())?;
    let read = read(value);
    if read.is_none() {
        damaged.push(name);
    }
    read
}

fn typed<T: serde::de::DeserializeOwned>(value: &Value) -> Option<T> {
    serde_json::from_value(value.clone()).ok()
}

fn answers_from_json(value: &Value) -> Option<Answers> {
    value.as_array()?.iter().map(parts_from_json).collect::<Option<_>>().map(Answers::new)
}

fn autosave_to_json(autosave: &Autosave) -> Value {
    json!({
        "kind": autosave.kind,
        "folder": autosave.folder.as_deref().map_or(Value::Null, path_to_json),
        "pattern": autosave.pattern,
    })
}

fn autosave_from_json(value: &Value) -> Option<Autosave> {
    let folder = value.get("folder").filter(|folder| !folder.is_null());
    Some(Autosave {
        kind: typed(value.get("kind")?)?,
        folder: match folder {
            Some(folder) => Some(path_from_json(folder)?),
            None => None,
        },
        pattern: value.get("pattern")?.as_str()?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{ImageSize, ModelParts, PredictionType, SamplerKind, ScheduleKind};
    use crate::reel::{ReelKind, ReelSize, Shown};
    use crate::request::{PromptOptions, SamplingOptions, Seed};
    use crate::session::{AutosaveKind, ModelSettings};

    fn settings() -> Settings {
        Settings {
            language: Language::Korean,
            theme: ThemeChoice::Light,
            model: ModelSource::Folder("/models/a".into()),
            model_crashed: true,
            recent_models: vec!["/models/a".into(), "/models/b".into()],
            model_answers: Answers::new(vec![ModelParts {
                model: "/models/flux.gguf".into(),
                vae: Some("/models/ae.safetensors".into()),
                prediction: Some(PredictionType::V),
                ..ModelParts::default()
            }]),
            offers_hidden: true,
            starred_models: vec!["/models/b".into()],
            last_folder: Some("/downloads".into()),
            last_saved_folder: Some("/pictures".into()),
            save_metadata: false,
            window_size: [900.0, 700.0],
            recipe_panel: false,
            enlarger: false,
            panel_widths: [320.0, 300.5],
            autosave: Autosave {
                kind: AutosaveKind::PicturesAndLatents,
                folder: Some("/pictures".into()),
                pattern: "{seed}".into(),
            },
            dialog_folder: Some("/drawn".into()),
            keep_runs: false,
            place_runs: false,
            runs_limit_gib: None,
            reel: ReelOptions {
                kind: ReelKind::Gif,
                shown: Shown::Noisy,
                size: ReelSize::Edge(256),
                seconds: 2.5,
                ..ReelOptions::default()
            },
            engine: EngineSettings { threads: Some(3), memory: Some(1 << 33), ..EngineSettings::default() },
            previews: PreviewMethod::Linear,
            reduced_motion: true,
            notify: false,
            recipe: Some(SavedRecipe {
                prompt: "a fox".into(),
                negative_prompt: "blurry".into(),
                seed: Seed(u64::MAX),
                seed_locked: true,
                batch: 3,
                settings: Some(ModelSettings {
                    size: ImageSize::new(512, 768),
                    steps: 25,
                    guidance_scale: 7.5,
                    sampler: SamplerKind::ALL[1],
                    schedule: ScheduleKind::ALL[0],
                    options: SamplingOptions { eta: Some(0.3), ..SamplingOptions::default() },
                    prompt_options: PromptOptions::default(),
                }),
            }),
        }
    }

    #[test]
    fn dialogs_that_save_begin_where_one_last_saved() {
        let mut settings = Settings { last_folder: None, last_saved_folder: None, ..settings() };
        assert_eq!(settings.folder(true), None);
        settings.remember_folder(true, Some(Path::new("/saved")));
        assert_eq!(settings.folder(false), Some(Path::new("/saved")), "better than nothing");
        settings.remember_folder(false, Some(Path::new("/opened")));
        assert_eq!(
            [true, false].map(|saves| settings.folder(saves).unwrap()),
            ["/saved", "/opened"].map(Path::new)
        );
    }

    #[test]
    fn settings_come_back() {
        assert_eq!(Settings::from_json(&settings().to_json()), (settings(), Vec::new()));
    }

    #[test]
    fn a_model_of_several_files_comes_back() {
        let parts = ModelParts {
            model: "/models/unet.safetensors".into(),
            text_encoders: [None, Some("/models/clip_g.safetensors".into()), None],
            vae: Some("/models/vae.safetensors".into()),
            prediction: Some(PredictionType::V),
            ..ModelParts::default()
        };
        let model = ModelSource::Parts(Box::new(parts));
        assert_eq!(model_from_json(&model_to_json(&model)), Some(model));
    }

    #[cfg(unix)]
    #[test]
    fn a_path_that_is_no_text_comes_back() {
        use std::os::unix::ffi::OsStringExt as _;
        let path = PathBuf::from(std::ffi::OsString::from_vec(b"/models/caf\xe9".to_vec()));
        let odd = Settings {
            model: ModelSource::Folder(path.clone()),
            recent_models: vec![path.clone()],
            last_folder: Some(path),
            ..settings()
        };
        let text = serde_json::to_string(&odd.to_json()).unwrap();
        assert_eq!(Settings::from_json(&serde_json::from_str(&text).unwrap()), (odd, Vec::new()));
    }

    #[test]
    fn each_damaged_field_alone_has_its_default() {
        for (name, wrong) in [
            ("language", json!(3)),
            ("theme", json!("purple")),
            ("model", json!({ "folder": 3 })),
            ("model_crashed", json!("yes")),
            ("recent_models", json!(["/models/a", 5, "/models/b"])),
            ("model_answers", json!([{ "vae": "/a" }])),
            ("starred_models", json!(["/models/a", 5])),
            ("last_folder", json!([])),
            ("last_saved_folder", json!(7)),
            ("dialog_folder", json!(7)),
            ("engine", json!({ "device": "cpu", "threads": 0 })),
            ("previews", json!("finest")),
            ("reduced_motion", json!("no")),
            ("notify", json!([])),
            ("save_metadata", json!(null)),
            ("window_size", json!([1])),
            ("recipe_panel", json!("no")),
            ("enlarger", json!(1)),
            ("panel_widths", json!([300])),
            ("autosave", json!({ "kind": "sometimes", "pattern": "" })),
            ("recipe", json!({ "prompt": 3 })),
        ] {
            let mut object = settings().to_json();
            object.insert(name.to_owned(), wrong);
            let (read, damaged) = Settings::from_json(&object);
            assert_eq!(damaged, [name]);
            // All other fields, and the valid entries of a list, are unchanged.
            let (mut is, mut was) = (read.to_json(), settings().to_json());
            if name != "recent_models" {
                is.remove(name);
                was.remove(name);
            }
            assert_eq!(is, was, "{name}");
        }
    }

    /// An older program wrote neither, and they have their defaults.
    #[test]
    fn settings_without_panels_are_whole() {
        let mut object = settings().to_json();
        object.remove("recipe_panel");
        object.remove("panel_widths");
        let (read, damaged) = Settings::from_json(&object);
        assert_eq!((read.recipe_panel, read.panel_widths), (true, [RECIPE_WIDTH, ENLARGER_WIDTH]));
        assert!(damaged.is_empty());
    }

    #[test]
    fn a_window_no_screen_has_is_no_damage() {
        for size in [json!([1, 1]), json!([1e9, 800])] {
            let mut object = settings().to_json();
            object.insert("window_size".to_owned(), size);
            let (read, damaged) = Settings::from_json(&object);
            assert_eq!((read.window_size, damaged.len()), ([1280.0, 800.0], 0));
        }
    }
}
