//! The window without a display: the real panels, the real engine and the built-in model.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::{Duration, Instant};

use egui::accesskit::Role;
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use safelight::app::{Settings, ThemeChoice, Window};
use safelight::panels::{Language, Tab};
use safelight::session::{Action, Shown};

fn harness<'a>(change: impl FnOnce(&mut Settings)) -> Harness<'a, Window> {
    let mut settings =
        Settings { language: Language::English, theme: ThemeChoice::Dark, ..Settings::default() };
    change(&mut settings);
    let mut harness = Harness::builder()
        .with_size([1280.0, 800.0])
        .with_theme(if settings.theme == ThemeChoice::Light { egui::Theme::Light } else { egui::Theme::Dark })
        .wgpu()
        .build_eframe(|context| Window::new(context, settings, None).unwrap());
    wait(&mut harness, "the model", |window| window.session.is_ready());
    harness.run_ok();
    harness
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
    assert_eq!(harness.state().session.draft.prompt, "green hills at noon");
    harness.get_by_label("Generate").click();
    harness.run_ok();
    assert!(harness.state().session.running.is_some());
    wait(&mut harness, "a picture", |window| {
        window.session.results.iter().any(|item| item.picture().is_some())
    });
    let steps = harness.state().session.results[0].trajectory.steps.len();
    assert_eq!((steps, harness.state().session.shown), (20, Shown::Result(0)));
    harness.run_ok();
    assert!(!harness.get_by_label("Save…").accesskit_node().is_disabled());
    harness.state_mut().session.apply(Action::Scrub(Some(3)));
    harness.run_ok();
    harness.get_by_label("4/20");
}

#[test]
fn the_shortcut_generates_and_escape_stops() {
    let mut harness = harness(|_| {});
    harness.state_mut().session.draft.steps = 900;
    harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::Enter);
    harness.step();
    wait(&mut harness, "a step", |window| {
        window.session.running.as_ref().is_some_and(|running| running.newest.is_some())
    });
    harness.key_press(egui::Key::Escape);
    harness.step();
    wait(&mut harness, "the stop", |window| window.session.running.is_none());
    assert!(harness.state().session.results.is_empty());
}

#[test]
fn a_result_s_latent_is_laid_open_and_touched() {
    let mut harness = harness(|_| {});
    harness.state_mut().session.draft.steps = 2;
    harness.state_mut().session.apply(Action::Generate);
    wait(&mut harness, "a picture", |window| {
        window.session.results.iter().any(|item| item.picture().is_some())
    });
    harness.get_by_label("Latent").click();
    harness.run_ok();
    assert_eq!(harness.state().desk.tab, Tab::Latent);
    for channel in ["Channel 0", "Channel 3"] {
        harness.get_by_label(channel);
    }
    harness.get_all_by_label("Mute").next().unwrap().click_accesskit();
    harness.run_ok();
    assert!(harness.state().session.inspector.adjustments.channels[0].muted);
    wait(&mut harness, "the decode", |window| window.session.inspector.pending.is_none());
    harness.get_by_label("Undo").click_accesskit();
    harness.run_ok();
    assert!(!harness.state().session.inspector.adjustments.channels[0].muted);
}

#[test]
fn an_opened_file_that_is_nothing_known_says_so() {
    let mut harness = harness(|_| {});
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("broken.png");
    std::fs::write(&file, b"\x89PNG\r\n\x1a\nnot really").unwrap();
    harness.state_mut().session.apply(Action::OpenPaths(vec![file]));
    wait(&mut harness, "the notice", |window| !window.session.notices.is_empty());
    harness.run_ok();
    harness.get_by_label("This could not be opened");
}

#[test]
fn the_first_start_looks_as_designed() {
    let mut harness = harness(|_| {});
    harness.state_mut().session.draft.seed = safelight::request::Seed(1);
    harness.run_ok();
    harness.snapshot("first_start");
}

#[test]
fn the_first_start_in_korean_and_light_looks_as_designed() {
    let mut harness = harness(|settings| {
        settings.language = Language::Korean;
        settings.theme = ThemeChoice::Light;
    });
    harness.state_mut().session.draft.seed = safelight::request::Seed(1);
    harness.run_ok();
    harness.get_by_label("생성");
    harness.snapshot("first_start_korean_light");
}

/// Also remakes README's pictures where `SAFELIGHT_SCREENSHOTS` names a folder.
#[test]
fn pictures_of_the_readme() {
    let mut harness = harness(|_| {});
    harness.state_mut().session.draft.prompt =
        "green hills on a bright day, clouds, a red hot air balloon".into();
    harness.state_mut().session.draft.seed = safelight::request::Seed(4);
    harness.state_mut().session.batch = 6;
    harness.state_mut().session.apply(Action::Generate);
    wait(&mut harness, "pictures", |window| {
        window.session.results.len() == 6 && window.session.running.is_none()
    });
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
    harness.get_by_label("Latent").click();
    harness.run_ok();
    shoot(&mut harness, "latent.png");
}
