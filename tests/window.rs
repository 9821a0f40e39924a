//! The window without a display: the real panels, the real engine and the built-in model.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "common/mod.rs"]
mod common;

use std::time::{Duration, Instant};

use egui::accesskit::Role;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use egui_kittest::{Harness, SnapshotOptions};
use safelight::app::{Settings, ThemeChoice, Window};
use safelight::catalog::{
    GuidanceKind, ImageSize, ModelProfile, ModelSource, PredictionType, PromptFeatures, SamplerKind,
};
use safelight::engine::{Command, Event, Job, Stage};
use safelight::latent::{Latent, LatentFormat, LatentShape, LatentSpace, TrajectoryStep};
use safelight::panels::{Language, View};
use safelight::request::{InitImage, NoiseLevels, Picture, Seed};
use safelight::session::{
    Action, Autosave, AutosaveKind, Document, Effect, FileContent, Message, ResultItem,
};

fn harness<'a>(change: impl FnOnce(&mut Settings)) -> Harness<'a, Window> {
    harness_of(egui::vec2(1280.0, 800.0), 1.0, change)
}

/// A window of this size in points, each of `scale` pixels.
fn harness_of<'a>(size: egui::Vec2, scale: f32, change: impl FnOnce(&mut Settings)) -> Harness<'a, Window> {
    let mut settings =
        Settings { language: Language::English, theme: ThemeChoice::Dark, ..Settings::default() };
    change(&mut settings);
    let mut harness = Harness::builder()
        .with_size(size)
        .with_pixels_per_point(scale)
        .with_theme(if settings.theme == ThemeChoice::Light { egui::Theme::Light } else { egui::Theme::Dark })
        .wgpu()
        .build_eframe(|context| Window::new(context, settings, None).unwrap());
    wait(&mut harness, "the model", |window| window.session.is_ready());
    // The longest there is, and the same in every picture.
    harness.state_mut().session.draft_mut().seed = Seed(4_294_967_295);
    harness.run_ok();
    harness
}

/// The drawn pictures, newest first.
fn results(window: &Window) -> Vec<&ResultItem> {
    window.session.documents().filter_map(Document::result).collect()
}

/// Whether a picture was drawn and decoded.
fn is_drawn(window: &Window) -> bool {
    results(window).iter().any(|item| item.picture().is_some())
}

fn shown<'a>(harness: &'a Harness<'_, Window>) -> &'a Document {
    harness.state().session.on_easel().unwrap()
}

/// Lays a latent open that a file might have held.
fn open_latent(harness: &mut Harness<'_, Window>, name: &str, content: FileContent) {
    let session = &mut harness.state_mut().session;
    session.apply(Action::OpenPaths(vec![name.into()]));
    session.take_effects();
    let id = session.on_easel().unwrap().id();
    session.apply(Action::FileRead(id, Box::new(content)));
}

/// Steps until `done`; the engine works on its own thread meanwhile.
fn wait(harness: &mut Harness<'_, Window>, what: &str, done: impl Fn(&Window) -> bool) {
    let start = Instant::now();
    while !done(harness.state()) {
        assert!(start.elapsed() < Duration::from_mins(2), "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
        harness.step();
    }
}

/// Waits for the pictures on the empty easel.
fn wait_for_examples(harness: &mut Harness<'_, Window>) {
    let drawn = |window: &Window| window.session.examples().all(|(_, picture)| picture.is_some());
    wait(harness, "the examples", drawn);
    harness.run_ok();
}

fn type_prompt(harness: &mut Harness<'_, Window>, text: &str) {
    harness.get_by_role_and_label(Role::MultilineTextInput, "Prompt").focus();
    harness.run_ok();
    harness.get_by_role_and_label(Role::MultilineTextInput, "Prompt").type_text(text);
    harness.run_ok();
}

#[test]
fn a_typed_prompt_becomes_a_picture_with_a_timeline() {
    let mut harness = harness(|_| {});
    type_prompt(&mut harness, "green hills at noon");
    assert_eq!(harness.state().session.draft().prompt, "green hills at noon");
    harness.get_by_label("Generate").click();
    harness.run_ok();
    assert!(harness.state().session.running().is_some());
    wait(&mut harness, "a picture", is_drawn);
    harness.run_ok();
    assert_eq!((shown(&harness).steps().len(), shown(&harness).picture().is_some()), (20, true));
    harness.get_by_label("Final picture");
    // The timeline is a slider for the keyboard.
    harness.get_by_role_and_label(Role::Slider, "Timeline").focus();
    harness.run_ok();
    harness.key_press(egui::Key::ArrowLeft);
    harness.run_ok();
    assert_eq!(shown(&harness).place(), Some(19));
    harness.get_by_label_contains("step 20/20 · σ");
    harness.get_by_label("Export ▾").click();
    harness.run_ok();
    assert!(
        harness.get_by_label_contains("Picture…").accesskit_node().is_disabled(),
        "a step is not decoded"
    );
}

/// What the empty easel shows is what the model draws, and a key press draws one's own.
#[test]
fn an_example_on_the_empty_easel_is_drawn_by_the_model_and_starts_a_run() {
    let mut harness = harness(|_| {});
    wait_for_examples(&mut harness);
    let (prompt, picture) = harness.state().session.examples().nth(1).unwrap();
    let picture = picture.unwrap().clone();
    let others =
        harness.state().session.examples().filter(|(_, other)| other.unwrap().rgb() != picture.rgb());
    assert_eq!(others.count(), 3);
    assert_eq!(harness.state().session.documents().count(), 0);
    harness.state_mut().session.draft_mut().seed = Seed(1);
    harness.get_by_role_and_label(Role::Button, prompt).focus();
    harness.run_ok();
    harness.key_press(egui::Key::Enter);
    harness.step();
    wait(&mut harness, "a picture", is_drawn);
    let item = results(harness.state())[0];
    assert_eq!(item.request.prompt, prompt);
    assert!(item.picture().unwrap().rgb() == picture.rgb(), "the same prompt and seed give the same picture");
}

#[test]
fn a_window_with_unsaved_pictures_asks_before_it_closes() {
    let mut harness = harness(|_| {});
    let close = |harness: &mut Harness<'_, Window>| {
        let viewport = harness.input_mut().viewports.entry(egui::ViewportId::ROOT).or_default();
        viewport.events.push(egui::ViewportEvent::Close);
        harness.step();
        let commands = &harness.output().viewport_output[&egui::ViewportId::ROOT].commands;
        let held = commands.contains(&egui::ViewportCommand::CancelClose);
        harness.input_mut().viewports.entry(egui::ViewportId::ROOT).or_default().events.clear();
        harness.run_ok();
        held
    };
    assert!(!close(&mut harness), "there is nothing to lose");
    type_prompt(&mut harness, "green hills at noon");
    harness.get_by_label("Generate").click();
    wait(&mut harness, "a picture", |window| results(window).len() == 1);
    assert!(close(&mut harness));
    harness.get_by_label_contains("Pictures not saved: 1");
    harness.get_by_label("Stay").click();
    harness.run_ok();
    assert!(harness.query_by_label("Save all…").is_none());
    assert!(close(&mut harness));
    harness.get_by_label("Close without saving").click();
    harness.step();
    harness.step();
    let commands = &harness.output().viewport_output[&egui::ViewportId::ROOT].commands;
    assert!(commands.contains(&egui::ViewportCommand::Close));
}

#[test]
fn a_window_that_is_drawing_asks_before_it_closes() {
    let mut harness = harness(|_| {});
    harness.state_mut().session.draft_mut().steps = 900;
    harness.state_mut().session.apply(Action::SetBatch(2, false));
    harness.state_mut().session.apply(Action::Generate);
    harness.step();
    let viewport = harness.input_mut().viewports.entry(egui::ViewportId::ROOT).or_default();
    viewport.events.push(egui::ViewportEvent::Close);
    harness.step();
    let commands = &harness.output().viewport_output[&egui::ViewportId::ROOT].commands;
    assert!(commands.contains(&egui::ViewportCommand::CancelClose));
    harness.input_mut().viewports.entry(egui::ViewportId::ROOT).or_default().events.clear();
    harness.step();
    harness.get_by_label_contains("Still being drawn or waiting: 2");
    assert!(harness.query_by_label("Save all…").is_none(), "there is nothing to save yet");
    // The safe answer has the focus.
    harness.key_press(egui::Key::Enter);
    harness.step();
    harness.step();
    assert!(harness.query_by_label_contains("Still being drawn").is_none());
    assert!(harness.state().session.running().is_some());
    harness.state_mut().session.apply(Action::StopAll);
}

#[test]
fn the_shortcut_generates_and_escape_stops() {
    let mut harness = harness(|_| {});
    harness.state_mut().session.draft_mut().steps = 900;
    harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::Enter);
    harness.step();
    wait(&mut harness, "a step", |window| {
        window.session.running().is_some_and(|running| running.newest.is_some())
    });
    harness.key_press(egui::Key::Escape);
    harness.step();
    wait(&mut harness, "the stop", |window| window.session.running().is_none());
    let item = results(harness.state())[0];
    assert!(item.finished_early && !item.trajectory.steps.is_empty(), "what was drawn is a document");
}

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
fn a_seed_of_minus_one_is_random_and_a_long_one_stays_as_it_is() {
    let mut harness = harness(|_| {});
    // More than 32 bits, and more than an f64 holds: ComfyUI's seeds are so long.
    let long = Seed(18_446_744_073_709_551_615);
    harness.state_mut().session.draft_mut().seed = long;
    harness.run_ok();
    assert_eq!(harness.state().session.draft().seed, long);
    harness.get_by_value("18446744073709551615");

    let mut type_seed = |text: &str| {
        harness.get_by_role_and_label(Role::SpinButton, "Seed").focus();
        harness.run_ok();
        harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::A);
        harness.run_ok();
        harness.event(egui::Event::Text(text.to_owned()));
        harness.run_ok();
        harness.key_press(egui::Key::Enter);
        harness.run_ok();
        harness.state().session.draft().seed
    };
    assert_eq!(type_seed("1234567890123456789"), Seed(1_234_567_890_123_456_789));
    let drawn: Vec<Seed> = (0..4).map(|_| type_seed("-1")).collect();
    assert!(drawn.iter().any(|seed| *seed != drawn[0]), "{drawn:?}");
    assert!(drawn.iter().all(|seed| u32::try_from(seed.0).is_ok()), "{drawn:?}");
}

#[test]
fn a_model_that_ended_the_program_is_loaded_on_demand_only() {
    let mut harness = Harness::builder().with_size([1280.0, 800.0]).wgpu().build_eframe(|context| {
        let model = ModelSource::Folder("/nowhere/deadly".into());
        let settings =
            Settings { language: Language::English, model, model_crashed: true, ..Settings::default() };
        Window::new(context, settings, None).unwrap()
    });
    harness.run_ok();
    harness.get_by_label("The last model was not loaded");
    harness.get_by_label_contains("Not loaded");
    assert!(harness.state().session.loading().is_none());
    harness.get_by_label("Try again").click();
    wait(&mut harness, "the failure", |window| window.session.notices().len() == 2);
    harness.run_ok();
    harness.get_by_label_contains("Could not be loaded");
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

/// Draws one picture in two steps.
fn draw(harness: &mut Harness<'_, Window>) {
    harness.state_mut().session.draft_mut().steps = 2;
    harness.state_mut().session.apply(Action::Generate);
    wait(harness, "a picture", |window| is_drawn(window) && window.session.running().is_none());
    harness.run_ok();
}

/// B2: Escape that was meant for a list ended the run and all that waited.
#[test]
fn escape_closes_a_list_before_it_stops_anything() {
    let mut harness = harness(|_| {});
    harness.state_mut().session.draft_mut().steps = 900;
    harness.state_mut().session.apply(Action::SetBatch(3, false));
    harness.state_mut().session.apply(Action::Generate);
    harness.step();
    harness.get_by_label("Language, theme, keys").click();
    harness.step();
    harness.step();
    harness.get_by_label("About Safelight…");
    harness.key_press(egui::Key::Escape);
    harness.step();
    harness.step();
    assert!(harness.query_by_label("About Safelight…").is_none());
    let session = &harness.state().session;
    assert!(!session.running().unwrap().cancel.is_stopped() && session.question().is_none());
    // The next one asks, since pictures wait.
    harness.key_press(egui::Key::Escape);
    harness.step();
    harness.step();
    harness.get_by_label("Pictures still waiting: 2");
    harness.get_by_label("Stop all").click();
    harness.step();
    wait(&mut harness, "the stop", |window| window.session.running().is_none());
    assert_eq!(harness.state().session.waiting().len(), 0);
    harness.step();
    harness.get_by_label("2 waiting pictures removed");
}

/// B3: suggested words moved everything below them, and the click that took the focus missed.
#[test]
fn suggested_words_move_nothing_and_end_the_word_at_the_cursor() {
    let mut harness = harness(|_| {});
    let before = harness.get_by_role_and_label(Role::Button, "Source").rect();
    type_prompt(&mut harness, "green mou");
    harness.get_by_label_contains("mountains");
    assert_eq!(harness.get_by_role_and_label(Role::Button, "Source").rect(), before);
    harness.key_press_modifiers(egui::Modifiers::CTRL, egui::Key::Space);
    harness.run_ok();
    let prompt = &harness.state().session.draft().prompt;
    assert!(prompt.starts_with("green mou") && prompt.ends_with(' ') && prompt.len() > 10, "{prompt:?}");
}

/// B7: messages never left. B4: what is copied is said.
#[test]
fn good_news_leaves_by_itself_and_an_error_stays() {
    let mut harness = harness(|_| {});
    draw(&mut harness);
    harness.state_mut().session.apply(Action::Copy);
    harness.state_mut().session.notify(Message::NotSaved("the disk is full".into()));
    harness.run_ok();
    harness.get_by_label("Picture copied");
    for _ in 0..20 {
        harness.step();
    }
    assert!(harness.query_by_label("Picture copied").is_none());
    harness.get_by_label("Not saved");
    harness.get_by_label("Dismiss").click();
    harness.run_ok();
    assert!(harness.query_by_label("Not saved").is_none());
}

/// B8: a channel's controls jumped away when they were used. B19: so did the buttons below the recipe.
#[test]
fn nothing_moves_under_the_hand() {
    let mut harness = harness(|_| {});
    let generate = harness.get_by_label("Generate").rect();
    open_picture(&mut harness, 128, 128);
    let before = harness.get_by_label("Mute 2").rect();
    harness.get_by_label("Mute 2").click();
    harness.run_ok();
    assert_eq!(harness.get_by_label("Mute 2").rect(), before);
    wait(&mut harness, "the decode", |window| window.session.on_easel().unwrap().work().is_none());
    harness.run_ok();
    assert_eq!(harness.get_by_label("Mute 2").rect(), before);
    assert!(shown(&harness).file().unwrap().comparison.is_some(), "its figures stay");
    harness.state_mut().session.draft_mut().steps = 900;
    harness.get_by_label("Generate").click();
    harness.step();
    harness.step();
    let stop = harness.get_by_label("Stop").rect();
    assert_eq!((stop.left(), stop.y_range()), (generate.left(), generate.y_range()));
    harness.state_mut().session.apply(Action::StopAll);
}

/// B13: what has the focus could not be seen, and the order ran backwards.
#[test]
fn the_focus_goes_through_the_window_as_the_eye_does() {
    let mut harness = harness(|_| {});
    open_picture(&mut harness, 128, 128);
    let mut visited = Vec::new();
    for _ in 0..90 {
        harness.key_press(egui::Key::Tab);
        harness.run_ok();
        let Some(id) = harness.ctx.memory(egui::Memory::focused) else { continue };
        let Some(response) = harness.ctx.read_response(id) else { panic!("a focus nowhere: {visited:?}") };
        assert!(response.interact_rect.is_positive(), "a focus that cannot be seen: {response:?}");
        if visited.iter().any(|(known, _)| *known == id) {
            break;
        }
        visited.push((id, response.rect));
    }
    assert!(visited.len() > 40, "{}", visited.len());
    // The bar at the top goes from left to right.
    let top: Vec<f32> =
        visited.iter().filter(|(_, rect)| rect.bottom() < 44.0).map(|(_, r)| r.left()).collect();
    assert!(top.len() >= 5 && top.is_sorted(), "{top:?}");
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

/// A drawn picture is written at once where that is wished, and nothing is asked at the end.
#[test]
fn pictures_are_saved_as_they_are_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_owned();
    let mut harness = harness(move |settings| {
        settings.autosave = Autosave {
            kind: AutosaveKind::PicturesAndLatents,
            folder: Some(place),
            pattern: "{seed}".to_owned(),
        };
    });
    draw(&mut harness);
    wait(&mut harness, "the files", |window| window.session.unsaved().count() == 0);
    let file = folder.path().join("4294967295.png");
    let facts = safelight::formats::metadata::read_facts(&file).unwrap();
    assert_eq!(facts.seed, Some(Seed(4_294_967_295)));
    assert!(file.with_extension("latent").is_file());
    // The same seed again: another name.
    harness.state_mut().session.draft_mut().seed = Seed(4_294_967_295);
    harness.state_mut().session.apply(Action::Generate);
    wait(&mut harness, "the second file", |_| folder.path().join("4294967295-2.png").is_file());
}

/// Words in the interface's language only. What is a name, a unit or a key is the same in both.
#[test]
fn korean_is_not_mixed_with_english() {
    let mut harness = harness(|settings| settings.language = Language::Korean);
    open_picture(&mut harness, 130, 130);
    draw(&mut harness);
    let mut seen = Vec::new();
    let mut look = |harness: &Harness<'_, Window>| {
        let root = harness.root();
        for node in root.children_recursive() {
            let node = node.accesskit_node();
            seen.extend(node.label());
            seen.extend(node.value());
        }
    };
    look(&harness);
    for menu in ["언어, 테마, 단축키", "내보내기 ▾", "보기 ▾", "디코딩 ▾", "미리보기 방식"]
    {
        harness.get_by_label(menu).click();
        harness.run_ok();
        look(&harness);
        harness.key_press(egui::Key::Escape);
        harness.run_ok();
    }
    for overlay in ["설정…", "메시지…", "단축키…", "Safelight 정보…"] {
        harness.get_by_label("언어, 테마, 단축키").click();
        harness.run_ok();
        harness.get_by_label_contains(overlay).click();
        harness.run_ok();
        look(&harness);
        harness.key_press(egui::Key::Escape);
        harness.run_ok();
    }
    let same = [
        "Ctrl",
        "Enter",
        "Esc",
        "Alt",
        "Shift",
        "Space",
        "Delete",
        "F",
        "L",
        "V",
        "S",
        "M",
        "R",
        "O",
        "C",
        "Z",
        "F1",
        "Safelight",
        "Stable",
        "Diffusion",
        "English",
        "VAE",
        "SSIM",
        "JPEG",
        "KL",
        "DDIM",
        "dB",
        "nats",
        "B",
        "s",
        "f32",
        "png",
        "hills",
        "date",
        "time",
        "seed",
        "model",
        "prompt",
        "n",
        "sd15",
        "MIT",
        "Apache",
        "x",
        "t",
        "G",
        "PNG",
        "npy",
        // The toolkit's own button of a window.
        "Close",
        "window",
    ];
    // A folder's name is the person's own.
    for text in seen.iter().filter(|text| !text.contains(std::path::MAIN_SEPARATOR)) {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| {
            word.chars().any(|c| c.is_ascii_alphabetic()) && !word.chars().any(|c| c.is_ascii_digit())
        });
        for word in words {
            assert!(same.contains(&word), "{word:?} in {text:?}");
        }
    }
    assert!(seen.len() > 150, "{}", seen.len());
}

/// Every control that can be seen has a name and says what it does where the pointer rests on it. Menus are closed:
/// their entries say it themselves.
fn assert_controls_are_described(harness: &Harness<'_, Window>, state: &str) {
    let roles = [
        Role::Button,
        Role::CheckBox,
        Role::ComboBox,
        Role::MultilineTextInput,
        Role::RadioButton,
        Role::Slider,
        Role::SpinButton,
        Role::TextInput,
    ];
    let (mut count, mut missing) = (0, Vec::new());
    // The number in a slider belongs to it.
    let sliders: Vec<_> =
        harness.query_all_by_role(Role::Slider).filter_map(|node| node.accesskit_node().label()).collect();
    for node in harness.root().children_recursive() {
        let node = node.accesskit_node();
        if !roles.contains(&node.role()) {
            continue;
        }
        let name = node.label().unwrap_or_default();
        if node.role() == Role::SpinButton && sliders.contains(&name) {
            continue;
        }
        let tip = node.description().unwrap_or_default();
        count += 1;
        // The toolkit's own button of a window says it in its name.
        if name.trim().is_empty() || (tip.trim().is_empty() && name != "Close window") {
            missing.push((name, node.role(), node.value(), node.bounding_box()));
        }
    }
    assert!(missing.is_empty(), "{state}: no name or no tooltip: {missing:#?}");
    assert!(count > 10, "{state}: {count} controls");
}

#[test]
fn every_control_has_a_name_and_a_tooltip() {
    for language in [Language::English, Language::Korean] {
        let mut harness = harness(|settings| settings.language = language);
        let look = |harness: &mut Harness<'_, Window>, state: &str| {
            harness.run_ok();
            assert_controls_are_described(harness, &format!("{language:?}, {state}"));
        };
        look(&mut harness, "first start");
        open_picture(&mut harness, 130, 130);
        for view in [View::Picture, View::Wipe, View::Error, View::Components] {
            harness.state_mut().desk.view = view;
            look(&mut harness, "an opened picture");
        }
        let session = &mut harness.state_mut().session;
        session.apply(Action::KeepLatent);
        session.notify(Message::NotSaved("the disk is full".into()));
        session.notify(Message::NotOpened("no such file".into()));
        session.notify(Message::Saved("/pictures/a.png".into()));
        session.draft_mut().init_image = Some(InitImage {
            picture: Picture::new(16, 9, [90, 120, 160].repeat(16 * 9)).unwrap(),
            strength: 0.6,
        });
        look(&mut harness, "messages and a source");
        let session = &mut harness.state_mut().session;
        session.draft_mut().steps = 900;
        session.draft_mut().init_image = None;
        session.apply(Action::SetBatch(3, false));
        session.apply(Action::Generate);
        harness.step();
        harness.step();
        assert_controls_are_described(&harness, &format!("{language:?}, drawing"));
        harness.state_mut().session.apply(Action::StopAll);
        wait(&mut harness, "the stop", |window| window.session.running().is_none());
        harness.ctx.memory_mut(egui::Memory::stop_text_input);
        harness.run_ok();
        harness.key_press(egui::Key::G);
        look(&mut harness, "the gallery");
        harness.set_size(egui::vec2(1024.0, 640.0));
        look(&mut harness, "a narrow window");
    }
}

/// The tooltip of a control says its key.
#[test]
fn a_tooltip_says_the_key() {
    let mut harness = harness(|_| {});
    for (name, key) in [("Open…", "Ctrl+O"), ("Latent", "L"), ("Fit", "0"), ("Generate", "Ctrl+Enter")] {
        let tip = harness.get_by_role_and_label(Role::Button, name).accesskit_node().description().unwrap();
        assert!(tip.ends_with(&format!("·  {key}")), "{name}: {tip:?}");
    }
    // It is drawn where the pointer rests.
    harness.get_by_label("Swap width and height").hover();
    harness.run_ok();
    assert_eq!(harness.query_all_by_label("Swap width and height").count(), 2);
}

/// Types into a field, which is left with Enter.
fn type_into(harness: &mut Harness<'_, Window>, role: Role, name: &str, text: &str) {
    harness.get_by_role_and_label(role, name).focus();
    harness.run_ok();
    harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::A);
    harness.run_ok();
    harness.event(egui::Event::Text(text.to_owned()));
    harness.run_ok();
    harness.key_press(egui::Key::Enter);
    harness.run_ok();
}

/// The fields of numbers below the usual settings.
fn has_option(harness: &Harness<'_, Window>, name: &str) -> bool {
    harness.query_by_role_and_label(Role::SpinButton, name).is_some()
}

fn is_off(harness: &Harness<'_, Window>, role: Role, name: &str) -> bool {
    harness.get_by_role_and_label(role, name).accesskit_node().is_disabled()
}

/// The window has the options of the command line, where the model has them.
#[test]
fn options_of_the_model_are_set_and_go_back_to_its_own() {
    let mut harness = harness_of(egui::vec2(1280.0, 1200.0), 1.0, |_| {});
    harness.get_by_label("More settings").click();
    harness.run_ok();
    let options = ["Eta", "Rescale", "CLIP skip", "Shift", "True guidance", "Max tokens"];
    let shown = |harness: &Harness<'_, Window>| options.map(|name| has_option(harness, name));
    assert_eq!(shown(&harness), [true, true, true, false, false, false]);
    assert_eq!(harness.query_all_by_value("Auto").count(), 2, "eta and CLIP skip");

    type_into(&mut harness, Role::SpinButton, "Eta", "0.4");
    type_into(&mut harness, Role::SpinButton, "Rescale", "7");
    type_into(&mut harness, Role::SpinButton, "CLIP skip", "1");
    let draft = harness.state().session.draft();
    assert_eq!(
        (draft.options.eta, draft.options.guidance_rescale),
        (Some(0.4), 1.0),
        "7 is beyond its bounds"
    );
    assert_eq!(
        draft.prompt_options.clip_skip,
        Some(1),
        "what is typed is set, though it is where a drag starts"
    );
    harness.get_by_label("More settings · 3");
    harness.get_by_label("CLIP skip: Back to the model's own").click();
    harness.run_ok();
    harness.get_by_label("Rescale: Back to the model's own").click();
    harness.run_ok();
    let draft = harness.state().session.draft();
    assert_eq!((draft.options.guidance_rescale, draft.prompt_options.clip_skip), (0.0, None));

    // Another sampler has no eta, and draws without it.
    harness.state_mut().session.draft_mut().sampler = SamplerKind::Heun;
    harness.run_ok();
    assert!(!has_option(&harness, "Eta"));
    draw(&mut harness);
    assert_eq!(results(harness.state())[0].request.options.eta, None);
    harness.state_mut().session.draft_mut().sampler = SamplerKind::Ddim;
    harness.run_ok();
    harness.get_by_value("0.4");
}

#[test]
fn noise_levels_are_typed_in_place_of_a_schedule() {
    let mut harness = harness_of(egui::vec2(1280.0, 1200.0), 1.0, |_| {});
    harness.get_by_label("More settings").click();
    harness.run_ok();
    harness.get_by_label("Advanced").click();
    harness.run_ok();
    harness.get_by_role_and_label(Role::ComboBox, "Noise levels").click();
    harness.run_ok();
    harness.get_by_label("Sigmas").click();
    harness.run_ok();
    assert!(!is_off(&harness, Role::Slider, "Steps"), "nothing is listed yet");
    type_into(&mut harness, Role::TextInput, "Sigmas", "5, 2, 0.5");
    let draft = harness.state().session.draft();
    assert_eq!(draft.options.levels, Some(NoiseLevels::Sigmas(vec![5.0, 2.0, 0.5])));
    assert!(is_off(&harness, Role::Slider, "Steps") && is_off(&harness, Role::ComboBox, "Schedule"));
    harness.state_mut().session.apply(Action::Generate);
    wait(&mut harness, "a picture", is_drawn);
    harness.run_ok();
    assert_eq!(results(harness.state())[0].request.steps, 3);

    for (wrong, why) in [
        ("5, x", "Not used: ‘x’ is not a number"),
        ("5, 7", "Not used: use falling numbers: 5 is followed by 7"),
        ("9999", "Not used: 9999 is not a sigma of this model: choose from 0.000001 to 4096"),
    ] {
        type_into(&mut harness, Role::TextInput, "Sigmas", wrong);
        harness.get_by_label(why);
        assert_eq!(harness.state().session.draft().options.levels, None);
    }
    // The recipe's own steps are back.
    let draft = harness.state().session.draft();
    assert_eq!((draft.steps, is_off(&harness, Role::Slider, "Steps")), (20, false));
}

/// As FLUX.1 and Stable Diffusion XL together, so that every option is there.
fn with_every_option(profile: &mut ModelProfile) {
    profile.prediction = PredictionType::Flow;
    profile.guidance = GuidanceKind::Embedded;
    profile.prompt_features = PromptFeatures {
        clip_layers: 12,
        max_tokens: Some(512),
        true_guidance: true,
        size_conditions: true,
        skip_layers: 0,
    };
    profile.defaults.size = ImageSize::new(1024, 1024);
}

#[test]
fn every_option_has_its_place_and_true_guidance_takes_a_negative_prompt() {
    let mut all = egui_kittest::SnapshotResults::new();
    for (name, language, theme, size) in [
        ("options", Language::English, ThemeChoice::Dark, egui::vec2(1280.0, 800.0)),
        ("options_korean_narrow", Language::Korean, ThemeChoice::Light, egui::vec2(1024.0, 640.0)),
    ] {
        let mut harness = harness_of(size, 1.0, |settings| {
            (settings.language, settings.theme) = (language, theme);
        });
        tell_loaded(&mut harness, with_every_option);
        harness.run_ok();
        let text = safelight::panels::Text::of(language);
        assert!(is_off(&harness, Role::MultilineTextInput, text.negative_prompt));
        for heading in [text.more, text.advanced] {
            harness.get_by_label(heading).click_accesskit();
            harness.run_ok();
        }
        for option in
            [text.eta, text.shift, text.true_guidance, text.rescale, text.clip_skip, text.max_tokens]
        {
            assert!(has_option(&harness, option), "{option}");
        }
        for pair in [
            [text.original_size, text.width, text.height],
            [text.cut_off, text.left_edge, text.top_edge],
            [text.target_size, text.width, text.height],
        ] {
            for part in &pair[1..] {
                assert!(has_option(&harness, &format!("{}: {part}", pair[0])), "{pair:?}");
            }
        }
        let draft = harness.state_mut().session.draft_mut();
        draft.prompt_options.true_guidance_scale = Some(1.0);
        harness.run_ok();
        assert!(is_off(&harness, Role::MultilineTextInput, text.negative_prompt), "1 is no guidance");
        let draft = harness.state_mut().session.draft_mut();
        draft.prompt_options.true_guidance_scale = Some(3.5);
        draft.prompt_options.original_size = Some(ImageSize::new(640, 480));
        draft.options.levels = Some(NoiseLevels::Sigmas(vec![1.0, 0.75, 0.5, 0.25]));
        harness.run_ok();
        assert!(!is_off(&harness, Role::MultilineTextInput, text.negative_prompt));
        assert_controls_are_described(&harness, name);
        // Down to the end of the recipe.
        harness.hover_at(egui::pos2(150.0, 300.0));
        harness.event(egui::Event::MouseWheel {
            source: egui::MouseWheelSource::Wheel,
            unit: egui::MouseWheelUnit::Point,
            delta: egui::vec2(0.0, -4000.0),
            phase: egui::TouchPhase::Move,
            modifiers: egui::Modifiers::NONE,
        });
        harness.run_ok();
        harness.event(egui::Event::PointerGone);
        harness.run_ok();
        harness.snapshot(name);
        all.extend(harness.take_snapshot_results());
    }
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
fn the_window_of_keys_is_called_as_a_window_is() {
    let mut harness = harness(|_| {});
    harness.ctx.memory_mut(egui::Memory::stop_text_input);
    harness.run_ok();
    harness.key_press(egui::Key::F1);
    harness.run_ok();
    harness.get_by_role_and_label(Role::Window, "Keys");
    assert!(harness.query_by_label_contains("Keys…").is_none());
    harness.get_by_label("Open a picture, a latent, or a model (a folder or a file)");
    let last = harness.get_by_label("These keys").rect();
    assert!(last.bottom() < 790.0, "the whole list is in sight: {last:?}");
    wait_for_examples(&mut harness);
    let few_pixels = SnapshotOptions::new().max_failed_pixels(64_usize);
    harness.snapshot_options("keys", &few_pixels);
}

/// Panels are dragged wider and narrower within limits, and keep their widths.
#[test]
fn panels_are_dragged_and_hidden() {
    let mut harness = harness(|settings| settings.panel_widths = [330.0, 5000.0]);
    let easel = |harness: &Harness<'_, Window>| harness.get_by_role(Role::Image).rect();
    for handle in ["Width of the recipe", "Width of the latent's panel"] {
        harness.get_by_role_and_label(Role::Splitter, handle);
    }
    // A width from the settings, and one that no window has room for.
    assert_eq!((easel(&harness).left(), easel(&harness).right()), (330.0, 1280.0 - 520.0));
    let drag = |harness: &mut Harness<'_, Window>, from: f32, to: f32| {
        harness.drag_at(egui::pos2(from, 300.0));
        harness.run_ok();
        harness.hover_at(egui::pos2(to, 300.0));
        harness.run_ok();
        harness.drop_at(egui::pos2(to, 300.0));
        harness.run_ok();
    };
    drag(&mut harness, 762.0, 960.0);
    assert_eq!(easel(&harness).right(), 960.0);
    drag(&mut harness, 328.0, 100.0);
    assert_eq!(easel(&harness).left(), 296.0, "its controls have room");
    drag(&mut harness, 294.0, 900.0);
    assert_eq!(easel(&harness).left(), 520.0);
    assert_eq!((harness.state().desk.recipe_width, harness.state().desk.enlarger_width), (520.0, 320.0));

    // The key hides the recipe, and so does its button.
    harness.ctx.memory_mut(egui::Memory::stop_text_input);
    harness.run_ok();
    harness.key_press(egui::Key::R);
    harness.run_ok();
    assert_eq!(easel(&harness).left(), 0.0);
    assert!(harness.query_by_label("Generate").is_none());
    // Without its foot there is still a way to stop.
    harness.state_mut().session.draft_mut().steps = 900;
    harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::Enter);
    harness.step();
    harness.step();
    harness.get_by_label("Stop").click();
    wait(&mut harness, "the stop", |window| window.session.running().is_none());
    harness.run_ok();
    harness.get_by_label("Recipe").click();
    harness.run_ok();
    assert_eq!(easel(&harness).left(), 520.0, "as wide as before");
    harness.get_by_label("Generate");
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

#[test]
fn messages_that_have_left_are_read_again() {
    let mut harness = harness(|_| {});
    harness.ctx.memory_mut(egui::Memory::stop_text_input);
    harness.run_ok();
    harness.key_press(egui::Key::M);
    harness.run_ok();
    harness.get_by_label("There are no messages yet");
    harness.key_press(egui::Key::M);
    let session = &mut harness.state_mut().session;
    session.notify(Message::Saved("/pictures/a.png".into()));
    session.notify(Message::NotSaved("the disk is full".into()));
    for _ in 0..40 {
        harness.step();
    }
    assert!(harness.query_by_label("Saved").is_none());
    harness.get_by_label("Dismiss").click();
    harness.run_ok();
    harness.get_by_label("Language, theme, keys").click();
    harness.run_ok();
    harness.get_by_label_contains("Messages…").click();
    harness.run_ok();
    for said in ["Not saved", "the disk is full", "Saved", "/pictures/a.png"] {
        harness.get_by_label(said);
    }
    let places = ["Not saved", "Saved"].map(|said| harness.get_by_label(said).rect().top());
    assert!(places[0] < places[1], "the newest comes first");
    wait_for_examples(&mut harness);
    let few_pixels = SnapshotOptions::new().max_failed_pixels(64_usize);
    harness.snapshot_options("messages", &few_pixels);
    harness.get_by_label("Copy all").click();
    harness.step();
    let copied = harness.output().platform_output.commands.iter().find_map(|command| match command {
        egui::OutputCommand::CopyText(text) => Some(text.clone()),
        _ => None,
    });
    let wanted = "Not saved (just now)\nthe disk is full\n\nSaved (just now)\n/pictures/a.png";
    assert_eq!(copied.as_deref(), Some(wanted));
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

/// The built-in model's CLIP reads a prompt in chunks of 46 tokens.
#[test]
fn the_tokens_of_the_prompt_are_counted() {
    let mut harness = harness(|_| {});
    type_prompt(&mut harness, "green hills at noon");
    let measured = |tokens: usize| {
        move |window: &Window| window.session.prompt_length().is_some_and(|length| length.tokens() == tokens)
    };
    wait(&mut harness, "the count", measured(4));
    harness.run_ok();
    harness.get_by_label("4 / 46");
    harness.state_mut().session.draft_mut().prompt = "hills, ".repeat(50);
    wait(&mut harness, "the count", measured(100));
    harness.run_ok();
    harness.get_by_label("100 / 138");
    wait_for_examples(&mut harness);
    let few_pixels = SnapshotOptions::new().max_failed_pixels(64_usize);
    harness.snapshot_options("chunks", &few_pixels);
    // Nothing is asked of an engine that draws.
    harness.state_mut().session.draft_mut().steps = 900;
    harness.state_mut().session.apply(Action::Generate);
    harness.step();
    harness.state_mut().session.draft_mut().prompt = "hills".into();
    harness.step();
    harness.step();
    assert!(harness.state().session.prompt_length().is_none());
    harness.state_mut().session.apply(Action::StopAll);
    wait(&mut harness, "the count", measured(1));
}

#[test]
fn two_documents_are_compared() {
    let mut harness = harness(|_| {});
    open_picture(&mut harness, 128, 128);
    let first = shown(&harness).id();
    harness.state_mut().session.draft_mut().prompt = "a pine forest at dawn, fog, the sun".into();
    draw(&mut harness);
    harness.state_mut().session.apply(Action::CompareWith(Some(first)));
    harness.run_ok();
    harness.get_by_label("Wipe").click();
    harness.run_ok();
    harness.get_by_label("hills.png | a pine forest at dawn, fog, the sun · 4294967295");
    let counted = |window: &Window| window.session.prompt_length().is_some_and(|length| length.tokens() > 0);
    wait(&mut harness, "the count", counted);
    harness.run_ok();
    let few_pixels = SnapshotOptions::new().max_failed_pixels(64_usize);
    harness.snapshot_options("compared", &few_pixels);
    // The line follows the hand.
    let easel = harness.get_by_label_contains("Easel: ").rect();
    harness.drag_at(easel.center());
    harness.run_ok();
    harness.drop_at(easel.center() + egui::vec2(-120.0, 0.0));
    harness.run_ok();
}

/// In a wide window, two documents stand beside each other and share zoom and pan.
#[test]
fn two_documents_stand_beside_each_other_in_a_wide_window() {
    let mut harness = harness_of(egui::vec2(1920.0, 1080.0), 1.0, |_| {});
    open_picture(&mut harness, 128, 128);
    let other = shown(&harness).id();
    harness.state_mut().session.draft_mut().prompt = "a pine forest at dawn, fog, the sun".into();
    draw(&mut harness);
    let counted = |window: &Window| window.session.prompt_length().is_some_and(|length| length.tokens() > 0);
    wait(&mut harness, "the count", counted);
    harness.state_mut().session.apply(Action::CompareWith(Some(other)));
    harness.run_ok();
    harness.get_by_label("Easel: a pine forest at dawn, fog, the sun · 4294967295 | hills.png");
    // Scrolling over the second zooms both.
    assert_eq!(shown(&harness).lens().zoom, None);
    let easel = harness.get_by_role(Role::Image).rect();
    harness.hover_at(easel.center() + egui::vec2(easel.width() / 4.0, 60.0));
    harness.run_ok();
    harness.event(egui::Event::MouseWheel {
        unit: egui::MouseWheelUnit::Point,
        delta: egui::vec2(0.0, 160.0),
        phase: egui::TouchPhase::Move,
        source: egui::MouseWheelSource::Wheel,
        modifiers: egui::Modifiers::NONE,
    });
    harness.run_ok();
    harness.run_ok();
    let fit = (easel.width() / 2.0 * 0.96).min((easel.height() - 32.0) * 0.96) / 128.0;
    assert!(shown(&harness).lens().zoom.unwrap() > 1.2 * fit, "{:?}", shown(&harness).lens());
    let few_pixels = SnapshotOptions::new().max_failed_pixels(256_usize);
    harness.snapshot_options("side_by_side", &few_pixels);
    // A narrower window shows one of them.
    let name = "Easel: a pine forest at dawn, fog, the sun · 4294967295";
    harness.set_size(egui::vec2(1699.0, 1000.0));
    harness.run_ok();
    harness.get_by_label(name);
    harness.set_size(egui::vec2(1700.0, 1000.0));
    harness.run_ok();
    harness.get_by_label("End the comparison").click();
    harness.run_ok();
    harness.get_by_label(name);
    assert!(harness.state().session.compared().is_none());
}

#[test]
fn messages_and_the_narrow_window_look_as_designed() {
    let mut harness = harness(|settings| settings.theme = ThemeChoice::Light);
    harness.set_size(egui::vec2(1024.0, 640.0));
    harness.run_ok();
    open_picture(&mut harness, 96, 160);
    // The tab, not the switch in the bar at the top.
    harness.get_all_by_label("Latent").find(|node| node.rect().right() < 296.0).unwrap().click();
    harness.run_ok();
    let session = &mut harness.state_mut().session;
    session
        .notify(Message::NotOpened("notes.txt is neither a picture, a latent nor a model's folder".into()));
    session.apply(Action::KeepLatent);
    harness.run_ok();
    let few_pixels = SnapshotOptions::new().max_failed_pixels(64_usize);
    harness.snapshot_options("narrow_light", &few_pixels);
}

#[test]
fn a_large_and_a_fine_screen_look_as_designed() {
    let mut all = egui_kittest::SnapshotResults::new();
    for (name, size, scale) in
        [("large", egui::vec2(1920.0, 1080.0), 1.0), ("fine", egui::vec2(1280.0, 800.0), 2.0)]
    {
        let mut harness = harness_of(size, scale, |_| {});
        open_picture(&mut harness, 160, 96);
        let few_pixels = SnapshotOptions::new().max_failed_pixels(256_usize);
        harness.snapshot_options(name, &few_pixels);
        all.extend(harness.take_snapshot_results());
    }
}

#[test]
fn the_first_start_looks_as_designed() {
    let mut harness = harness(|_| {});
    harness.run_ok();
    wait_for_examples(&mut harness);
    let few_pixels = SnapshotOptions::new().max_failed_pixels(64_usize);
    harness.snapshot_options("first_start", &few_pixels);
}

#[test]
fn the_first_start_in_korean_and_light_looks_as_designed() {
    let mut harness = harness(|settings| {
        settings.language = Language::Korean;
        settings.theme = ThemeChoice::Light;
    });
    harness.run_ok();
    harness.get_by_label("생성");
    wait_for_examples(&mut harness);
    let few_pixels = SnapshotOptions::new().max_failed_pixels(64_usize);
    harness.snapshot_options("first_start_korean_light", &few_pixels);
}

/// A picture with smooth and sharp parts, as a file.
fn picture_file(folder: &std::path::Path, width: u32, height: u32) -> std::path::PathBuf {
    let path = folder.join("hills.png");
    image::RgbImage::from_fn(width, height, |x, y| {
        let (u, v) = (x as f32 / width as f32, y as f32 / height as f32);
        if (u - 0.3).hypot(v - 0.3) < 0.15 {
            image::Rgb([230, 60, 40])
        } else if v > 0.6 + 0.1 * (u * 7.0).sin() {
            image::Rgb([(60.0 + 60.0 * u) as u8, 140, 60])
        } else {
            image::Rgb([(120.0 * v) as u8 + 90, (150.0 * v) as u8 + 90, 220])
        }
    })
    .save(&path)
    .unwrap();
    path
}

fn open_picture(harness: &mut Harness<'_, Window>, width: u32, height: u32) {
    let folder = tempfile::tempdir().unwrap();
    let file = picture_file(folder.path(), width, height);
    harness.state_mut().session.apply(Action::OpenPaths(vec![file]));
    let compared = |window: &Window| {
        window.session.on_easel().and_then(Document::file).is_some_and(|file| file.comparison.is_some())
    };
    wait(harness, "the comparison", compared);
    harness.run_ok();
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
fn an_opened_picture_looks_as_designed() {
    let mut harness = harness(|_| {});
    open_picture(&mut harness, 128, 128);
    harness.hover_at(egui::pos2(560.0, 330.0));
    harness.run_ok();
    harness.run_ok();
    // Instruction sets differ in the last bits of a latent, which the colour maps round.
    let few_pixels = SnapshotOptions::new().max_failed_pixels(64_usize);
    harness.snapshot_options("latent_of_a_picture", &few_pixels);
}

/// Tells the window that another model was loaded, which the test does not have.
fn tell_loaded(harness: &mut Harness<'_, Window>, change: impl FnOnce(&mut ModelProfile)) {
    let session = &mut harness.state_mut().session;
    let mut profile = (**session.profile().unwrap()).clone();
    change(&mut profile);
    session.apply(Action::SetModel(ModelSource::Builtin));
    let job = session.take_effects().into_iter().find_map(|effect| match effect {
        Effect::Send(Command::Run(Job { id, .. })) => Some(id),
        _ => None,
    });
    session.apply_event(Event::ModelLoaded {
        job: job.unwrap(),
        profile: profile.into(),
        device: "Processor, f32".into(),
        in_halves: false,
        elapsed_secs: 0.1,
    });
}

/// Lays a latent open as with a model of FLUX's family, which the test does not have.
fn open_flux(harness: &mut Harness<'_, Window>, latent: Latent) {
    tell_loaded(harness, |profile| profile.format = LatentFormat::FLUX);
    open_latent(harness, "flux.latent", FileContent::Latent { latent, space: Some(LatentSpace::Model) });
    let session = &mut harness.state_mut().session;
    session.take_effects();
    let document = session.on_easel().unwrap();
    let (id, work) = (document.id(), document.work().map(|work| work.job));
    session.apply(Action::StopWork(id));
    session.apply_event(Event::Cancelled { job: work.unwrap() });
}

/// A latent of 16 channels needs another model: only the view is drawn.
#[test]
fn sixteen_channels_lay_out_well() {
    let mut harness = harness(|settings| settings.theme = ThemeChoice::Light);
    let shape = LatentShape::new(16, 16, 24);
    let values: Vec<f32> = (0..shape.len())
        .map(|i| {
            let (c, y, x) = (i / 384, i % 384 / 24, i % 24);
            ((x as f32 * 0.3 + c as f32).sin() + (y as f32 * 0.4 - c as f32 * 0.7).cos())
                * (1.0 + c as f32 * 0.1)
        })
        .collect();
    let latent = Latent::new(shape, values).unwrap();
    open_flux(&mut harness, latent);
    harness.run_ok();
    harness.get_by_label("Channel 15");
    harness.snapshot("latent_of_16_channels_light");
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

#[test]
fn a_failed_load_says_what_why_and_what_to_try_in_korean() {
    let mut harness = harness(|settings| settings.language = Language::Korean);
    harness.state_mut().session.apply(Action::SetModel(ModelSource::Folder("/nowhere/a model".into())));
    wait(&mut harness, "the failure", |window| !window.session.notices().is_empty());
    harness.run_ok();
    harness.get_by_label("모델을 불러오지 못했습니다");
    wait_for_examples(&mut harness);
    let few_pixels = SnapshotOptions::new().max_failed_pixels(64_usize);
    harness.snapshot_options("failed_load_korean", &few_pixels);
}

/// A running job as the engine would report it, so that every start draws the same.
fn tell_sampling(harness: &mut Harness<'_, Window>) {
    let session = &mut harness.state_mut().session;
    session.draft_mut().prompt = "snowy mountains over a lake at night, two moons, and a very long prompt that goes on \
        about clouds, boats, lighthouses, islands and the light on the water until nobody can see its end any more, \
        because a field for prompts has to hold what people type into it"
        .into();
    session.draft_mut().init_image = Some(InitImage {
        picture: Picture::new(160, 90, [90, 120, 160].repeat(160 * 90)).unwrap(),
        strength: 0.6,
    });
    session.apply(Action::SetBatch(3, false));
    session.apply(Action::Generate);
    session.take_effects();
    let job = session.running().unwrap().id;
    let shape = LatentShape::new(4, 16, 16);
    let denoised: Vec<f32> =
        (0..shape.len()).map(|i| ((i % 16) as f32 * 0.2 - (i / 16 % 16) as f32 * 0.1).sin()).collect();
    let denoised = Latent::new(shape, denoised).unwrap();
    session.apply_event(Event::StageChanged { job, stage: Stage::Sampling });
    let noisy = denoised.clone();
    let step = TrajectoryStep { step: 7, steps: 12, sigma: 2.34, noisy, denoised, elapsed_secs: 0.1 };
    session.apply_event(Event::StepFinished { job, step: step.into() });
    harness.run_ok();
}

/// The time that is left is said without the recipe too.
#[test]
fn sampling_without_the_recipe_looks_as_designed() {
    let mut harness = harness(|settings| settings.recipe_panel = false);
    tell_sampling(&mut harness);
    harness.get_by_label("1/3 · step 7/12 · 1 s · all 5 s");
    harness.snapshot("sampling_without_recipe");
    // Also while another document is looked at.
    open_latent(
        &mut harness,
        "a.latent",
        FileContent::Latent {
            latent: Latent::zeros(LatentShape::new(4, 16, 16)),
            space: Some(LatentSpace::Model),
        },
    );
    harness.run_ok();
    harness.get_by_label("1/3 · step 7/12 · 1 s · all 5 s");
    let live = harness.get_by_label_contains("Live").rect();
    assert!(live.right() < 1000.0, "{live:?}");
}

#[test]
fn sampling_looks_as_designed() {
    let mut harness = harness(|_| {});
    tell_sampling(&mut harness);
    harness.get_by_label("patch x̂₀ · step 7/12 · σ 2.34");
    harness.snapshot("sampling");
}

#[test]
fn the_smallest_window_holds_everything() {
    let mut harness = harness(|_| {});
    harness.set_size(egui::vec2(840.0, 540.0));
    harness.run_ok();
    wait_for_examples(&mut harness);
    let few_pixels = SnapshotOptions::new().max_failed_pixels(64_usize);
    harness.snapshot_options("smallest", &few_pixels);
}

/// Also remakes README's pictures where `SAFELIGHT_SCREENSHOTS` names a folder.
#[test]
fn pictures_of_the_readme() {
    let mut harness = harness(|_| {});
    harness.state_mut().session.draft_mut().prompt =
        "a shiny blue cone and a red ball, rainbow, sand, rolling hills, at sunrise".into();
    harness.state_mut().session.draft_mut().seed = Seed(2);
    harness.state_mut().session.apply(Action::SetBatch(6, false));
    harness.state_mut().session.apply(Action::Generate);
    wait(&mut harness, "pictures", |window| results(window).len() == 6 && window.session.running().is_none());
    harness.run_ok();
    let shoot = |harness: &mut Harness<'_, Window>, name: &str| {
        let picture = harness.render().unwrap();
        let colours: std::collections::HashSet<_> = picture.pixels().map(|pixel| pixel.0).collect();
        assert!(colours.len() > 500, "{name}: only {} colours", colours.len());
        if let Some(folder) = std::env::var_os("SAFELIGHT_SCREENSHOTS") {
            picture.save(std::path::Path::new(&folder).join(name)).unwrap();
        }
    };
    shoot(&mut harness, "window.png");
    let first = results(harness.state()).last().unwrap().job;
    harness.state_mut().session.apply(Action::Show(safelight::session::DocumentId::of_job(first)));
    harness.state_mut().desk.view = View::Components;
    harness.run_ok();
    shoot(&mut harness, "latent.png");
}

/// A transformer in a file, completed by what lies beside it, is chosen where files are opened, and draws.
#[test]
fn flux_in_files_is_opened_and_draws() {
    let folder = tempfile::tempdir().unwrap();
    let transformer = common::flux_files::write_flux(folder.path());
    let mut harness = harness(|_| {});
    harness.state_mut().session.apply(Action::OpenPaths(vec![transformer]));
    let is_flux = |window: &Window| {
        window.session.is_ready()
            && window.session.profile().is_some_and(|profile| profile.family == "FLUX.1")
    };
    wait(&mut harness, "the model", is_flux);
    type_prompt(&mut harness, "a red fox in the snow");
    harness.state_mut().session.draft_mut().size = ImageSize::new(32, 32);
    let counted = |window: &Window| window.session.prompt_length().is_some_and(|length| length.tokens() >= 6);
    wait(&mut harness, "the count", counted);
    let length = harness.state().session.prompt_length().unwrap();
    // T5 reads one chunk of a prompt, and ends it.
    assert_eq!((length.chunks.len(), length.room), (1, 255));
    draw(&mut harness);
    let profile = harness.state().session.profile().unwrap();
    assert_eq!((profile.name.as_str(), profile.format.channels), ("flux1-small", 16));
    let picture = results(harness.state())[0].picture().unwrap();
    assert_eq!((picture.width(), picture.height()), (32, 32));
}
