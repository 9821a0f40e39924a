//! The page of models.

use std::path::{Path, PathBuf};

use egui::accesskit::Role;
use egui_kittest::kittest::Queryable as _;
use egui_kittest::{Harness, SnapshotResults};
use safelight::app::Window;
use safelight::catalog::PartRole;
use safelight::content::Content;
use safelight::panels::{Language, Text};
use safelight::session::Action;
use safelight::session::library::{
    Entry, EntryKind, Facts, Family, FileFormat, FolderOwner, LibraryAction, LibraryFolder, LibraryReport,
    LibrarySnapshot, MissingPart, SearchProgress,
};
use safelight::store::library::{Environment, LibraryPaths};

use super::{assert_fits_sides, harness, keep_page, wait, wait_for_examples};

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
    pickle.facts.problem = Some((&Content::Pickle).into());
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
    for (language, theme, size) in crate::LOOKS {
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
            assert_fits_sides(&page, name);
            keep_page(&mut harness, rect, &format!("models_{name}"), (language, theme), &mut all);
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

/// The arrow keys move, what is typed is searched wherever the focus is, Enter opens and Escape closes.
#[test]
fn the_keys_alone_find_and_open_a_model() {
    let mut harness = with_library(snapshot());
    assert!(is_open(&harness));
    assert_eq!(selected(&harness), "an old model with a name that is much too long for its line v1.4-ema");
    press(&mut harness, egui::Key::Enter);
    assert!(is_open(&harness), "it cannot be opened");
    for (key, wanted) in [
        (egui::Key::ArrowDown, "dreamshaper_8"),
        (egui::Key::PageDown, "z_image_turbo_bf16"),
        (egui::Key::ArrowUp, "sd-turbo"),
    ] {
        press(&mut harness, key);
        assert_eq!(selected(&harness), wanted);
    }
    write(&mut harness, "xl");
    assert_eq!(selected(&harness), "sd_xl_base_1.0");
    press(&mut harness, egui::Key::Tab);
    write(&mut harness, "_base");
    assert_eq!(harness.state().session.library().filter().words, "xl_base");
    write(&mut harness, "_1");
    assert_eq!(harness.state().session.library().filter().words, "xl_base_1", "the cursor is at the end");
    assert!(harness.state().desk.recipe && harness.state().desk.enlarger, "letters are no keys here");
    press(&mut harness, egui::Key::Escape);
    assert!(!is_open(&harness));
    press_m(&mut harness);
    press(&mut harness, egui::Key::Enter);
    assert!(!is_open(&harness));
    // The file does not exist: it was tried.
    wait(&mut harness, "the failure", |window| !window.session.notices().is_empty());
    let tried = harness
        .state()
        .session
        .recent_models()
        .iter()
        .any(|known| known.folder.ends_with("sd_xl_base_1.0.safetensors"));
    assert!(tried);
}

/// The pointer filters by kind and family, takes an entry off the list and asks before it deletes one.
#[test]
fn the_pointer_filters_removes_and_deletes() {
    let mut harness = with_library(snapshot());
    let click = |harness: &mut Harness<'_, Window>, name: &str| {
        harness.get_by_role_and_label(Role::Button, name).click();
        harness.run_ok();
    };
    let listed = |harness: &Harness<'_, Window>| harness.state().session.library().len();
    click(&mut harness, "Family: Stable Diffusion XL");
    assert_eq!((listed(&harness), selected(&harness).as_str()), (1, "sd_xl_base_1.0"));
    click(&mut harness, "All 10");
    assert_eq!(listed(&harness), 10);
    click(&mut harness, "Models 6");
    click(&mut harness, "Family: Stable Diffusion 1");
    assert_eq!(selected(&harness), "dreamshaper_8");
    click(&mut harness, "Star");
    assert_eq!(harness.state().settings_now().starred_models.len(), 1);
    click(&mut harness, "Delete…");
    harness.get_by_label("Move this to the trash?");
    press(&mut harness, egui::Key::Escape);
    assert!(harness.query_by_label("Move this to the trash?").is_none() && is_open(&harness));
    click(&mut harness, "Remove from list");
    harness.get_by_label("Taken off the list; its files stay");
    harness.get_by_label("Undo").click();
    harness.run_ok();
    assert_eq!(harness.state().session.last_taken_away(), None);
}

/// 2,000 entries are a list of few rows.
#[test]
fn long_lists_draw_the_rows_that_are_seen() {
    let mut long = snapshot();
    let all = (0..2000)
        .map(|i| entry(&format!("model {i:04}"), EntryKind::Checkpoint, &[Family::Flux1], "f16", 2.0));
    long.entries = all.collect();
    let mut harness = with_library(long);
    let rows = |harness: &Harness<'_, Window>| harness.query_all_by_role(Role::ListBoxOption).count();
    assert!((5..30).contains(&rows(&harness)), "{}", rows(&harness));
    for _ in 0..20 {
        press(&mut harness, egui::Key::PageDown);
    }
    assert_eq!(selected(&harness), "model 0160");
    let row = harness.get_by_label_contains("model 0160,");
    let page = harness.get_by_role_and_label(Role::Window, "Models").rect();
    assert!(page.contains_rect(row.rect()), "it is scrolled into view: {:?}", row.rect());
}

#[test]
fn a_search_says_how_far_it_is_and_the_page_is_described() {
    let mut harness = with_library(snapshot());
    say(&mut harness, LibraryReport::Searching(Some(SearchProgress { read: 40, total: 200 })));
    harness.get_by_label("Reading headers 40/200");
    say(&mut harness, LibraryReport::Searching(None));
    for language in [Language::English, Language::Korean] {
        harness.state_mut().desk.speak(language);
        harness.run_ok();
        super::controls::assert_controls_are_described(&harness, &format!("{language:?}, a model"));
        harness.get_by_role_and_label(Role::Button, Text::of(language).models_folders).click();
        harness.run_ok();
        super::controls::assert_controls_are_described(&harness, &format!("{language:?}, folders"));
        harness.get_by_role_and_label(Role::Button, Text::of(language).models_card).click();
        harness.run_ok();
    }
}

/// A folder on the disk, searched by the window's own thread.
#[test]
fn the_window_finds_what_is_in_its_folder() {
    let root = tempfile::tempdir().unwrap();
    let place = |name: &str| root.path().join(name);
    std::fs::create_dir(place("models")).unwrap();
    std::fs::write(place("models/old.ckpt"), b"PK\x03\x04 a pickle").unwrap();
    let paths =
        LibraryPaths { models: place("models"), config: place("config.json"), cache: place("cache.json") };
    let mut harness = harness(|_| {});
    let environment = Environment { home: Some(place("home")), ..Environment::default() };
    harness.state_mut().use_library(paths, environment, |_| Ok(()));
    press_m(&mut harness);
    wait(&mut harness, "the search", |window| window.session.library().snapshot().is_complete);
    harness.run_ok();
    assert_eq!(harness.state().session.library().snapshot().entries[0].name, "old");
}
