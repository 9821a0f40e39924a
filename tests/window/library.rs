//! The page of models.

use std::path::{Path, PathBuf};

use egui::accesskit::Role;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use egui_kittest::{Harness, SnapshotResults};
use safelight::app::{ThemeChoice, Window};
use safelight::catalog::PartRole;
use safelight::panels::{Language, Text};
use safelight::session::library::{
    Entry, EntryKind, Facts, Family, FileFormat, FolderOwner, LibraryAction, LibraryFolder, LibraryReport,
    LibrarySnapshot, LibraryWork, MissingPart,
};
use safelight::session::{Action, ModelState};
use safelight::store::library::{Environment, LibraryPaths};

use super::{harness, wait, wait_for_examples};

fn entry(name: &str, kind: EntryKind, families: &[Family], precision: &str, gib: f64) -> Entry {
    let bytes = (gib * f64::from(1 << 30)) as u64;
    let path = Path::new("/home/you/ComfyUI/models/checkpoints").join(format!("{name}.safetensors"));
    Entry {
        name: name.to_owned(),
        repository: None,
        files: vec![path.clone()],
        path,
        bytes,
        facts: Facts {
            kind,
            families: families.to_vec(),
            format: FileFormat::Safetensors,
            precision: precision.to_owned(),
            parameters: bytes / 2,
            weight_bytes: bytes,
            needs: Vec::new(),
            offer: None,
            absent: Vec::new(),
            problem: None,
            title: None,
        },
        missing: Vec::new(),
        bytes_with_parts: bytes,
        sha256: None,
    }
}

fn part(role: PartRole, what: &str, completed_by: &[&str]) -> MissingPart {
    MissingPart {
        role: Some(role),
        what: what.to_owned(),
        is_optional: false,
        completed_by: completed_by.iter().map(PathBuf::from).collect(),
        lacks_tokenizer: false,
    }
}

/// A library as people have one.
fn snapshot() -> LibrarySnapshot {
    use EntryKind as Kind;
    let mut flux = entry("flux1-schnell-Q4_K_S", Kind::DiffusionModel, &[Family::Flux1], "Q4_K", 6.3);
    flux.facts.format = FileFormat::Gguf;
    flux.bytes_with_parts = 12 << 30;
    flux.missing = vec![
        part(PartRole::TextEncoder(0), "CLIP-L (clip_l.safetensors)", &["/m/clip_l.safetensors", "/m/other"]),
        part(
            PartRole::TextEncoder(1),
            "T5-XXL (t5xxl_fp16.safetensors)",
            &["/m/t5xxl_fp8_e4m3fn.safetensors"],
        ),
        part(PartRole::Vae, "FLUX's VAE (ae.safetensors)", &[]),
    ];
    let mut cached = entry("sd-turbo", Kind::Folder, &[Family::StableDiffusion2], "f16", 2.4);
    cached.repository = Some("stabilityai/sd-turbo".into());
    cached.path = "/home/you/.cache/huggingface/hub/models--stabilityai--sd-turbo/snapshots/b26".into();
    cached.files.clear();
    let mut pickle = entry(
        "an old model with a name that is much too long for its line v1.4-ema",
        Kind::Unknown,
        &[],
        "",
        4.0,
    );
    pickle.facts.kind = Kind::Checkpoint;
    pickle.facts.problem = Some(
        "its weights are a Python pickle, which may run any code when it is opened; convert it to safetensors".into(),
    );
    pickle.facts.format = FileFormat::Pickle;
    let entries = vec![
        pickle,
        entry("dreamshaper_8", Kind::Checkpoint, &[Family::StableDiffusion1], "f16", 2.0),
        flux,
        entry("sd_xl_base_1.0", Kind::Checkpoint, &[Family::StableDiffusionXl], "f16", 6.5),
        cached,
        entry("z_image_turbo_bf16", Kind::DiffusionModel, &[Family::ZImage], "bf16", 11.5),
        entry(
            "clip_l",
            Kind::TextEncoder,
            &[Family::StableDiffusion1, Family::StableDiffusionXl, Family::Flux1],
            "f16",
            0.23,
        ),
        entry("vae-ft-mse-840000", Kind::Vae, &[Family::StableDiffusion1], "f32", 0.31),
        entry("add-detail-xl", Kind::Lora, &[Family::StableDiffusionXl], "f16", 0.21),
        entry("4x-UltraSharp", Kind::Upscaler, &[], "f32", 0.06),
    ];
    let folder = |path: &str, owner| LibraryFolder { path: path.into(), owner };
    LibrarySnapshot {
        entries: entries.into(),
        folders: vec![
            folder("/home/you/.local/share/safelight/models", FolderOwner::Own),
            folder("/home/you/ComfyUI", FolderOwner::ComfyUi),
            folder("/home/you/.cache/huggingface/hub", FolderOwner::HuggingFace),
        ],
        offered: vec![
            folder("/home/you/stable-diffusion-webui", FolderOwner::Automatic1111),
            folder("/home/you/invokeai", FolderOwner::InvokeAi),
        ],
        notes: Vec::new(),
        is_complete: true,
    }
}

fn say(harness: &mut Harness<'_, Window>, report: LibraryReport) {
    harness.state_mut().session.apply(Action::LibrarySays(report));
    harness.run_ok();
}

/// A window with a library, whose page is open.
fn with_library<'a>(snapshot: LibrarySnapshot) -> Harness<'a, Window> {
    let mut harness = harness(|_| {});
    harness.state_mut().desk.surroundings.free_memory = Some(8 << 30);
    say(&mut harness, LibraryReport::Listed(snapshot));
    wait_for_examples(&mut harness);
    press_m(&mut harness);
    harness
}

fn press_m(harness: &mut Harness<'_, Window>) {
    harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::M);
    harness.run_ok();
    harness.run_ok();
}

fn press(harness: &mut Harness<'_, Window>, key: egui::Key) {
    harness.key_press(key);
    harness.run_ok();
}

fn write(harness: &mut Harness<'_, Window>, text: &str) {
    harness.event(egui::Event::Text(text.to_owned()));
    harness.run_ok();
}

fn is_open(harness: &Harness<'_, Window>) -> bool {
    harness.query_by_role_and_label(Role::Window, "Models").is_some()
}

fn selected(harness: &Harness<'_, Window>) -> String {
    harness.state().session.library().selected().map(|entry| entry.name.clone()).unwrap_or_default()
}

/// Everything within the page is within its window; pictures in both languages and themes.
#[test]
fn the_page_shows_all_of_it() {
    let mut harness = with_library(snapshot());
    harness.state_mut().session.apply(Action::Library(LibraryAction::Star(
        "/home/you/ComfyUI/models/checkpoints/sd_xl_base_1.0.safetensors".into(),
    )));
    let mut all = SnapshotResults::new();
    for (language, theme, size) in [
        (Language::English, ThemeChoice::Dark, egui::vec2(1280.0, 800.0)),
        (Language::Korean, ThemeChoice::Light, egui::vec2(1024.0, 640.0)),
        (Language::English, ThemeChoice::Light, egui::vec2(1024.0, 640.0)),
        (Language::Korean, ThemeChoice::Dark, egui::vec2(1280.0, 800.0)),
    ] {
        harness.state_mut().desk.speak(language);
        harness.state_mut().desk.theme = theme;
        harness.set_size(size);
        harness.run_ok();
        let text = Text::of(language);
        for (name, wanted) in [
            ("flux", Some("flux1-schnell-Q4_K_S")),
            ("cached", Some("sd-turbo")),
            ("pickle", Some("an old model")),
            ("folders", None),
            ("empty", None),
        ] {
            if let Some(wanted) = wanted {
                harness
                    .get_by(|node| {
                        node.role() == Role::ListBoxOption
                            && node.label().is_some_and(|label| label.starts_with(wanted))
                    })
                    .click();
            } else if name == "folders" {
                harness.get_by_role_and_label(Role::Button, text.models_folders).click();
            } else {
                let snapshot = LibrarySnapshot { entries: [].into(), ..snapshot() };
                harness.state_mut().session.apply(Action::LibrarySays(LibraryReport::Listed(snapshot)));
            }
            harness.run_ok();
            harness.hover_at(egui::pos2(2.0, 2.0));
            harness.run_ok();
            let page = harness.get_by_role_and_label(Role::Window, text.models);
            let rect = page.rect();
            for node in page.children_recursive() {
                let node = node.accesskit_node();
                let Some(place) = node.bounding_box() else { continue };
                assert!(
                    place.x0 as f32 >= rect.left() - 0.5 && place.x1 as f32 <= rect.right() + 0.5,
                    "{name}: {place:?} {:?}",
                    node.label()
                );
            }
            let file = format!("models_{name}_{language:?}_{theme:?}").to_lowercase();
            let picture = harness.render().unwrap();
            let part = |low: f32, high: f32| (low.floor() as u32, (high - low).ceil() as u32);
            let ((x, width), (y, height)) =
                (part(rect.left(), rect.right()), part(rect.top(), rect.bottom()));
            let cut = image::imageops::crop_imm(&picture, x, y, width, height).to_image();
            if [(Language::English, ThemeChoice::Dark), (Language::Korean, ThemeChoice::Light)]
                .contains(&(language, theme))
            {
                all.add(egui_kittest::try_image_snapshot(&cut, &file));
            }
            if let Some(folder) = std::env::var_os("SAFELIGHT_SCREENSHOTS") {
                picture.save(Path::new(&folder).join(file).with_extension("png")).unwrap();
            }
            if name == "empty" {
                harness
                    .state_mut()
                    .session
                    .apply(Action::LibrarySays(LibraryReport::Listed(self::snapshot())));
                harness.run_ok();
            }
        }
        harness.get_by_role_and_label(Role::Button, text.models_card).click();
        harness.run_ok();
    }
}
