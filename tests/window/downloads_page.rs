//! What the page of models shows of downloads, in states that are made up: both languages, themes and sizes.

use std::sync::Arc;

use egui::accesskit::Role;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use egui_kittest::{Harness, SnapshotResults};
use safelight::app::{ThemeChoice, Window};
use safelight::panels::{Language, Text};
use safelight::reason::Reason;
use safelight::session::downloads::{
    Download, DownloadAction, DownloadId, DownloadState, DownloadsReport, Found, Source, Wish,
};
use safelight::session::library::{LibraryReport, LibrarySnapshot};
use safelight::session::{Action, Message};
use safelight::store::hub::{
    ContentHash, HubError, Licence, Listing, RemoteFile, RepositoryId, RepositoryPath, WebAddress, choices,
};

use super::{assert_fits_sides, harness, keep_page, wait_for_examples};

fn download(id: u64, set: &str, file: &str, state: DownloadState, received: u64, size: u64) -> Download {
    let bytes_per_sec = if state == DownloadState::Running { 23_400_000.0 } else { 0.0 };
    let source = Source::Direct {
        address: WebAddress::parse(&format!("https://files.example/{file}")).unwrap(),
        file_name: RepositoryPath::parse(file).unwrap(),
    };
    let set = set.to_owned();
    Download { id: DownloadId(id), set, source, state, received, size: Some(size), bytes_per_sec }
}

fn gated() -> Reason {
    let repository = "black-forest-labs/FLUX.1-dev";
    let error = HubError::Gated {
        repository: repository.to_owned(),
        page: format!("https://huggingface.co/{repository}"),
        sent_token: false,
    };
    (&error).into()
}

fn downloads() -> Vec<Download> {
    use DownloadState as State;
    const MB: u64 = 1_000_000;
    vec![
        download(
            1,
            "Z-Image Turbo (8 bits)",
            "z_image_turbo-Q8_0.gguf",
            State::Running,
            2950 * MB,
            6577 * MB,
        ),
        download(2, "Z-Image Turbo (8 bits)", "Qwen3-4B-Q4_K_M.gguf", State::Waiting, 0, 2497 * MB),
        download(
            3,
            "SDXL Lightning (4 steps)",
            "sdxl_lightning_4step.safetensors",
            State::Paused,
            420 * MB,
            6938 * MB,
        ),
        download(4, "flux1-dev.safetensors", "flux1-dev.safetensors", State::Failed(gated()), 0, 23_802 * MB),
        download(5, "TAESD", "diffusion_pytorch_model.safetensors", State::Waiting, 0, 10 * MB),
    ]
}

/// A repository of quantisations, as people make them.
fn listing() -> Listing {
    let files = ["Q3_K_S", "Q4_K_S", "Q5_K_S", "Q6_K", "Q8_0", "F16"];
    let file = |(place, name): (usize, &str)| RemoteFile {
        path: RepositoryPath::parse(&format!("flux1-schnell-{name}.gguf")).unwrap(),
        size: 5_000_000_000 + place as u64 * 3_300_000_000,
        hash: ContentHash::git_blob(&"a".repeat(40)).unwrap(),
    };
    Listing {
        repository: RepositoryId::parse("city96/FLUX.1-schnell-gguf").unwrap(),
        revision: "main".into(),
        commit: "a".repeat(40),
        licence: Licence { name: Some("apache-2.0".into()), link: None },
        is_gated: false,
        files: files.into_iter().enumerate().map(file).collect(),
        left_out: Vec::new(),
    }
}

fn say(harness: &mut Harness<'_, Window>, report: DownloadsReport) {
    harness.state_mut().session.apply(Action::DownloadsSay(report));
    harness.run_ok();
}

fn act(harness: &mut Harness<'_, Window>, action: DownloadAction) {
    harness.state_mut().session.apply(Action::Downloads(action));
    // Nobody is asked.
    harness.state_mut().session.take_effects();
    harness.run_ok();
}

fn click(harness: &mut Harness<'_, Window>, name: &str) {
    harness.get_by_role_and_label(Role::Button, name).click();
    harness.run_ok();
}

/// Korean words everywhere but for names, and no name of the command line's program.
fn assert_is_korean(harness: &Harness<'_, Window>) {
    for node in harness.root().children_recursive() {
        let node = node.accesskit_node();
        let words = node.label().unwrap_or_default();
        assert!(!words.contains("safelight"), "{words}");
        let says_what_it_does = node.description().unwrap_or_default();
        let is_korean = |text: &str| text.chars().any(|c| ('가'..='힣').contains(&c));
        let is_address = says_what_it_does.starts_with("https://");
        if node.role() == Role::Button && !says_what_it_does.is_empty() && !is_address {
            assert!(is_korean(&says_what_it_does), "{words}: {says_what_it_does}");
        }
    }
}

#[test]
fn every_part_shows_all_of_it() {
    let mut harness = harness(|_| {});
    wait_for_examples(&mut harness);
    harness.state_mut().desk.surroundings.total_memory = Some(16 << 30);
    harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::M);
    harness.run_ok();
    click(&mut harness, "Get a model");
    let mut all = SnapshotResults::new();
    for (language, theme, size) in crate::LOOKS {
        harness.state_mut().desk.speak(language);
        harness.state_mut().desk.theme = theme;
        harness.set_size(size);
        harness.run_ok();
        let text = Text::of(language);
        for name in ["catalogue", "look", "downloads", "none"] {
            match name {
                "catalogue" => click(&mut harness, text.models_card),
                "look" => {
                    act(&mut harness, DownloadAction::Look("city96/FLUX.1-schnell-gguf".into()));
                    let listing = listing();
                    let found = choices(&listing);
                    let found = Found::Repository(Arc::new(listing), found);
                    say(&mut harness, DownloadsReport::Looked(Ok(found)));
                    click(&mut harness, text.looked_up);
                }
                "downloads" => {
                    say(&mut harness, DownloadsReport::Listed(downloads()));
                    let wish = Wish::Direct {
                        typed: "https://files.example/a.gguf".into(),
                        file_name: "a.gguf".into(),
                    };
                    act(&mut harness, DownloadAction::Get(wish));
                    say(&mut harness, DownloadsReport::Refused("a.gguf".into(), (&HubError::Offline).into()));
                    click(&mut harness, &format!("{} 5", text.downloads));
                }
                _ => {
                    act(&mut harness, DownloadAction::Cancel("a.gguf".into()));
                    say(&mut harness, DownloadsReport::Listed(Vec::new()));
                }
            }
            harness.run_ok();
            harness.hover_at(egui::pos2(2.0, 2.0));
            harness.run_ok();
            super::controls::assert_controls_are_described(&harness, &format!("{language:?}, {name}"));
            if language == Language::Korean {
                assert_is_korean(&harness);
            }
            let page = harness.get_by_role_and_label(Role::Window, text.models);
            let rect = page.rect();
            assert_fits_sides(&page, name);
            if name != "none" {
                keep_page(&mut harness, rect, &format!("models_get_{name}"), (language, theme), &mut all);
            }
        }
    }
}

/// The whole window while something is downloaded: the offers, the sign at the top, and the message at the end.
#[test]
fn the_first_start_with_offers_looks_as_designed() {
    let mut all = SnapshotResults::new();
    for (language, theme, size) in [
        (Language::English, ThemeChoice::Dark, egui::vec2(1280.0, 800.0)),
        (Language::Korean, ThemeChoice::Light, egui::vec2(1024.0, 640.0)),
    ] {
        let mut harness = harness(|settings| (settings.language, settings.theme) = (language, theme));
        harness.set_size(size);
        harness.run_ok();
        wait_for_examples(&mut harness);
        harness.state_mut().desk.surroundings.total_memory = Some(16 << 30);
        let searched = LibrarySnapshot { is_complete: true, ..LibrarySnapshot::default() };
        harness.state_mut().session.apply(Action::LibrarySays(LibraryReport::Listed(searched)));
        say(&mut harness, DownloadsReport::Listed(downloads()[..2].to_vec()));
        let path = Some("/models/a.gguf".into());
        harness.state_mut().session.notify(Message::Downloaded("TAESD".into(), path));
        harness.run_ok();
        if language == Language::Korean {
            assert_is_korean(&harness);
        }
        let rect = egui::Rect::from_min_size(egui::Pos2::ZERO, size);
        keep_page(&mut harness, rect, "offers", (language, theme), &mut all);
    }
}
