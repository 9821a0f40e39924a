//! Documents: the easel, the contact sheet, the gallery and dropped files.

use egui::accesskit::Role;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use egui_kittest::{Harness, SnapshotOptions};
use safelight::app::Window;
use safelight::latent::{Latent, LatentShape};
use safelight::session::{Action, Document, FileContent};

use super::{
    draw, harness, is_drawn, open_latent, open_picture, picture_file, results, shown, wait, wait_for_examples,
};

#[test]
fn a_result_s_latent_is_laid_open_and_touched() {
    let mut harness = harness(|_| {});
    harness.state_mut().session.draft_mut().steps = 2;
    harness.state_mut().session.apply(Action::Generate);
    wait(&mut harness, "a picture", is_drawn);
    harness.run_ok();
    for channel in ["Channel 0", "Channel 3"] {
        harness.get_by_label(channel);
    }
    harness.get_by_label("Mute 0").click();
    harness.run_ok();
    assert!(shown(&harness).inspector().adjustments.channels[0].muted);
    wait(&mut harness, "the decode", |window| window.session.on_easel().unwrap().work().is_none());
    harness.get_by_label("Undo").click();
    harness.run_ok();
    assert!(!shown(&harness).inspector().adjustments.channels[0].muted);
    wait(&mut harness, "the decode", |window| window.session.on_easel().unwrap().work().is_none());
    harness.get_by_label("Decode ▾").click();
    harness.run_ok();
    assert!(harness.query_by_label("In f32").is_none(), "it is in f32 already");
    harness.get_by_label("In tiles").click();
    harness.step();
    assert!(shown(&harness).work().is_some());
    wait(&mut harness, "the decode in tiles", |window| window.session.on_easel().unwrap().work().is_none());
}

#[test]
fn a_removed_result_comes_back() {
    let mut harness = harness(|_| {});
    harness.state_mut().session.draft_mut().steps = 2;
    harness.state_mut().session.apply(Action::Generate);
    wait(&mut harness, "a picture", is_drawn);
    let id = shown(&harness).id();
    harness.state_mut().session.apply(Action::Remove(id));
    harness.run_ok();
    harness.get_by_label("Removed");
    assert!(results(harness.state()).is_empty());
    harness.get_by_label("Undo").click();
    harness.run_ok();
    assert_eq!(results(harness.state()).len(), 1);
    assert!(harness.query_by_label("Removed").is_none());
}

#[test]
fn an_opened_file_that_is_nothing_known_says_so() {
    let mut harness = harness(|_| {});
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("broken.png");
    std::fs::write(&file, b"\x89PNG\r\n\x1a\nnot really").unwrap();
    harness.state_mut().session.apply(Action::OpenPaths(vec![file]));
    wait(&mut harness, "the notice", |window| !window.session.notices().is_empty());
    harness.run_ok();
    harness.get_by_label("This could not be opened");
}

/// Arrows go along the contact sheet, Delete removes and Ctrl+Z brings back.
#[test]
fn the_contact_sheet_is_used_by_keys() {
    let mut harness = harness(|_| {});
    draw(&mut harness);
    draw(&mut harness);
    let newest = shown(&harness).id();
    harness.ctx.memory_mut(egui::Memory::stop_text_input);
    harness.run_ok();
    harness.key_press(egui::Key::ArrowRight);
    harness.run_ok();
    let older = shown(&harness).id();
    assert_ne!(older, newest);
    harness.key_press(egui::Key::Delete);
    harness.run_ok();
    assert_eq!((shown(&harness).id(), results(harness.state()).len()), (newest, 1));
    harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::Z);
    harness.run_ok();
    assert_eq!(shown(&harness).id(), older);
    let title = harness
        .get_all_by_role(Role::Button)
        .find(|node| node.accesskit_node().label().is_some_and(|label| label.starts_with("Document")));
    title.unwrap().focus();
    harness.run_ok();
    harness.key_press(egui::Key::Num3);
    harness.run_ok();
    assert_eq!(harness.state().session.documents().next().unwrap().stars(), 3);
}

#[test]
fn the_gallery_is_searched() {
    let mut harness = harness(|_| {});
    for prompt in ["a red ball", "a pine forest"] {
        harness.state_mut().session.draft_mut().prompt = prompt.into();
        draw(&mut harness);
    }
    harness.ctx.memory_mut(egui::Memory::stop_text_input);
    harness.run_ok();
    harness.key_press(egui::Key::G);
    harness.run_ok();
    let frames = |harness: &Harness<'_, Window>, prompt: &str| {
        let label = format!("Document {prompt}");
        harness
            .query_all_by_role(Role::Button)
            .filter(|node| node.accesskit_node().label().is_some_and(|name| name.starts_with(&label)))
            .count()
    };
    assert_eq!(
        [frames(&harness, "a red ball"), frames(&harness, "a pine forest")],
        [2, 2],
        "sheet and gallery"
    );
    harness.get_by_label("Search titles").focus();
    harness.run_ok();
    harness.event(egui::Event::Text("Pine".into()));
    harness.run_ok();
    assert_eq!([frames(&harness, "a red ball"), frames(&harness, "a pine forest")], [1, 2]);
    harness.get_by_label("Close").click();
    harness.run_ok();
    harness.get_by_label_contains("Easel: ");
}

#[test]
fn the_gallery_has_a_button() {
    let mut harness = harness(|_| {});
    let name = "Gallery: the contact sheet in large frames";
    assert!(harness.query_by_label(name).is_none(), "there is nothing to show");
    draw(&mut harness);
    let button = harness.get_by_label(name);
    assert!(button.accesskit_node().description().unwrap().ends_with("·  G"));
    button.click();
    harness.run_ok();
    harness.get_by_label("Search titles");
    harness.get_by_label(name).click();
    harness.run_ok();
    assert!(harness.query_by_label("Search titles").is_none());
}

#[test]
fn the_list_of_edits_goes_back_to_any_of_them() {
    let mut harness = harness(|_| {});
    open_picture(&mut harness, 128, 128);
    assert!(harness.get_by_label("Edits").accesskit_node().is_disabled(), "nothing was edited");
    for button in ["Mute 0", "Solo 2", "Mute 3"] {
        harness.get_by_label(button).click();
        harness.run_ok();
    }
    harness.get_by_label("Edits").click();
    harness.run_ok();
    for edit in ["Before all edits", "Channel 0 · Mute", "Channel 2 · Solo", "Channel 3 · Mute"] {
        harness.get_by_label(edit);
    }
    harness.get_by_label("Channel 0 · Mute").click();
    harness.run_ok();
    let edited = |harness: &Harness<'_, Window>| {
        let channels = &shown(harness).inspector().adjustments.channels;
        [channels[0].muted, channels[2].solo, channels[3].muted]
    };
    assert_eq!(edited(&harness), [true, false, false]);
    assert!(shown(&harness).work().is_some(), "it is decoded as it was then");
    // Forward again.
    harness.get_by_label("Edits").click();
    harness.run_ok();
    harness.get_by_label("Channel 2 · Solo").click();
    harness.run_ok();
    assert_eq!(edited(&harness), [true, true, false]);
}

#[derive(Debug)]
struct DroppedPath(std::path::PathBuf);

impl egui::DroppedFile for DroppedPath {
    fn path(&self) -> &std::path::Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        std::fs::read(&self.0).map_err(|error| error.to_string())
    }
}

/// A picture that is dropped on the source's row is drawn from; elsewhere, and where the place is not known, it is
/// opened.
#[test]
fn a_picture_is_dropped_on_the_source() {
    let folder = tempfile::tempdir().unwrap();
    let file = picture_file(folder.path(), 64, 48);
    let other = folder.path().join("other.png");
    std::fs::copy(&file, &other).unwrap();
    let mut harness = harness(|_| {});
    let drop = |harness: &mut Harness<'_, Window>, file: &std::path::Path| {
        harness.input_mut().hovered_files.clear();
        harness.input_mut().dropped_files = vec![std::sync::Arc::new(DroppedPath(file.to_owned()))];
        harness.step();
        harness.input_mut().dropped_files.clear();
    };
    let opened = |window: &Window| window.session.documents().filter(|d| d.file().is_some()).count();

    let row = harness.get_by_role_and_label(Role::Button, "Source").rect();
    harness.input_mut().hovered_files = vec![egui::HoveredFile::default()];
    harness.hover_at(row.center());
    harness.run_ok();
    wait_for_examples(&mut harness);
    let few_pixels = SnapshotOptions::new().max_failed_pixels(64_usize);
    harness.snapshot_options("drop_on_the_source", &few_pixels);
    drop(&mut harness, &file);
    wait(&mut harness, "the source", |window| window.session.draft().init_image.is_some());
    let source = &harness.state().session.draft().init_image.as_ref().unwrap().picture;
    assert_eq!((source.width(), source.height(), opened(harness.state())), (64, 48, 0));

    harness.hover_at(egui::pos2(640.0, 300.0));
    harness.run_ok();
    drop(&mut harness, &file);
    wait(&mut harness, "a document", |window| opened(window) == 1);
    harness.event(egui::Event::PointerGone);
    harness.run_ok();
    drop(&mut harness, &other);
    assert_eq!(opened(harness.state()), 1, "its place may still be told");
    wait(&mut harness, "another document", |window| opened(window) == 2);
    drop(&mut harness, &file);
    // The drag has ended, and the pointer is the window's again.
    harness.state_mut().session.draft_mut().init_image = None;
    harness.hover_at(row.center());
    wait(&mut harness, "the source", |window| window.session.draft().init_image.is_some());
    assert_eq!(opened(harness.state()), 2);
}

#[test]
fn an_opened_picture_shows_what_the_vae_kept_and_can_be_padded() {
    let mut harness = harness(|_| {});
    open_picture(&mut harness, 130, 130);
    let comparison = shown(&harness).file().unwrap().comparison.as_ref().unwrap();
    assert!(comparison.psnr > 15.0, "{}", comparison.psnr);
    assert!(comparison.jpeg.is_some());
    harness.get_by_label("Easel: hills.png");
    harness.get_by_label("130×130 → 128×128");
    harness.get_by_label("Decoded");
    harness.get_by_label("Pad").click_accesskit();
    harness.run_ok();
    wait(&mut harness, "the padded picture", |window| {
        window.session.on_easel().and_then(Document::file).is_some_and(|file| {
            file.comparison.is_some() && file.original.as_ref().is_some_and(|picture| picture.width() == 136)
        })
    });
}

#[test]
fn a_latent_that_does_not_say_its_space_is_asked_about() {
    let mut harness = harness(|_| {});
    let latent = Latent::zeros(LatentShape::new(4, 16, 16));
    open_latent(&mut harness, "from numpy.npy", FileContent::Latent { latent, space: None });
    harness.run_ok();
    harness.get_by_label("About this latent");
    harness.get_by_label("Open").click();
    harness.run_ok();
    assert!(harness.state().session.question().is_none());
    harness.get_by_label("Easel: from numpy.npy");
    assert!(shown(&harness).inspector().latent.is_some());
}
