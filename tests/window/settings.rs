//! The settings page.

use std::collections::HashSet;

use egui::accesskit::Role;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use egui_kittest::{Harness, SnapshotResults};
use safelight::app::{ThemeChoice, Window};
use safelight::panels::{Language, PreviewMethod, Surroundings, Text};
use safelight::request::DeviceChoice;
use safelight::session::AutosaveKind;

use super::{focused, harness, keep_page, tab_to, wait, wait_for_examples};

/// A window on a machine that is the same in every test.
fn on_a_known_machine<'a>() -> Harness<'a, Window> {
    let mut harness = harness(|_| {});
    let desk = &mut harness.state_mut().desk;
    desk.pictures_folder = "/home/you/Pictures/Safelight".into();
    desk.surroundings = Surroundings {
        devices: vec![DeviceChoice::Auto, DeviceChoice::Cpu],
        threads: 16,
        free_memory: Some(12 << 30),
        total_memory: Some(16 << 30),
        settings_file: Some("/home/you/.config/safelight/settings.json".into()),
        unsaved: Some("/home/you/.local/share/safelight/unsaved".into()),
        runs: Some("/home/you/.local/share/safelight/runs".into()),
        fits: Some("/home/you/.cache/safelight/previews".into()),
        has_ffmpeg: false,
    };
    harness.ctx.memory_mut(egui::Memory::stop_text_input);
    harness.run_ok();
    harness
}

fn press_comma(harness: &mut Harness<'_, Window>) {
    harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::Comma);
    harness.run_ok();
}

fn sections(text: &Text) -> [(&'static str, &'static str); 6] {
    [
        ("general", text.settings_general),
        ("keeping", text.settings_keeping),
        ("saving", text.settings_saving),
        ("folders", text.settings_folders),
        ("drawing", text.settings_drawing),
        ("privacy", text.settings_privacy),
    ]
}

/// Nothing is cut off in any section, in both languages and themes, in a small window and in a usual one.
#[test]
fn every_section_shows_all_of_it() {
    let mut harness = on_a_known_machine();
    wait_for_examples(&mut harness);
    press_comma(&mut harness);
    let mut all = SnapshotResults::new();
    for (language, theme, size) in crate::LOOKS {
        let desk = &mut harness.state_mut().desk;
        desk.speak(language);
        desk.theme = theme;
        desk.autosave.kind = AutosaveKind::PicturesAndLatents;
        desk.dialog_folder = Some("/home/you/Pictures".into());
        harness.set_size(size);
        harness.run_ok();
        let text = Text::of(language);
        for (name, section) in sections(text) {
            harness.get_by_role_and_label(Role::Button, section).click();
            harness.run_ok();
            // The pointer leaves, so that no tooltip hides anything.
            harness.hover_at(egui::pos2(2.0, 2.0));
            harness.run_ok();
            let page = harness.get_by_role_and_label(Role::Window, text.settings.trim_end_matches('…'));
            let rect = page.rect();
            for node in page.children_recursive() {
                let node = node.accesskit_node();
                let Some(place) = node.bounding_box() else { continue };
                let place = egui::Rect::from_min_max(
                    egui::pos2(place.x0 as f32, place.y0 as f32),
                    egui::pos2(place.x1 as f32, place.y1 as f32),
                );
                assert!(rect.expand(0.5).contains_rect(place), "{name}: {place:?} {:?}", node.label());
            }
            keep_page(&mut harness, rect, &format!("settings_{name}"), (language, theme), &mut all);
        }
    }
}

/// Opens a section anew with the keys.
fn open_section(harness: &mut Harness<'_, Window>, name: &str) {
    while harness.query_by_role_and_label(Role::Window, "Settings").is_some() {
        press_comma(harness);
    }
    press_comma(harness);
    // The focus is on the chosen section; the list of sections goes around from there.
    for _ in 0..5 {
        harness.key_press_modifiers(egui::Modifiers::SHIFT, egui::Key::Tab);
        harness.run_ok();
        if focused(harness) == "General" {
            break;
        }
    }
    tab_to(harness, name);
    harness.key_press(egui::Key::Enter);
    harness.run_ok();
}

/// Moves to a control, and presses Space on it.
fn choose(harness: &mut Harness<'_, Window>, name: &str) {
    tab_to(harness, name);
    harness.key_press(egui::Key::Space);
    harness.run_ok();
}

/// Every setting is reached and set with the keys, takes effect, and stands in what is written.
#[test]
fn the_keys_alone_set_everything() {
    let mut harness = on_a_known_machine();
    press_comma(&mut harness);
    assert_eq!(focused(&harness), "General", "the page takes the focus");
    for name in ["Theme: Light", "Less motion", "When a long job ends"] {
        choose(&mut harness, name);
    }
    assert!(!harness.ctx.global_style().visuals.dark_mode);

    open_section(&mut harness, "Saving");
    choose(&mut harness, "Save pictures as they are drawn: Pictures and latents");
    tab_to(&mut harness, "Names");
    harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::A);
    harness.run_ok();
    harness.event(egui::Event::Text("{seed} {prompt:5}".to_owned()));
    harness.run_ok();
    harness.get_by_label("→ 418 a red.png");
    choose(&mut harness, "Save settings in pictures");

    open_section(&mut harness, "Folders");
    choose(&mut harness, "File dialogs: Always in this folder");
    tab_to(&mut harness, "Fitted previews: Show in folder");

    open_section(&mut harness, "Drawing");
    choose(&mut harness, "Device: Processor");
    choose(&mut harness, "Threads: At most");
    choose(&mut harness, "Memory: At most");
    tab_to(&mut harness, "Memory");
    harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::A);
    harness.run_ok();
    harness.event(egui::Event::Text("3".to_owned()));
    harness.run_ok();
    let engine = |harness: &Harness<'_, Window>| harness.state().session.engine_settings();
    assert_eq!(engine(&harness).memory, Some(12 << 30), "what is free, until another figure is typed");
    harness.key_press(egui::Key::Tab);
    harness.run_ok();
    assert_eq!((engine(&harness).memory, engine(&harness).threads), (Some(3 << 30), Some(16)));
    assert_eq!(engine(&harness).device, DeviceChoice::Cpu);
    choose(&mut harness, "Previews: Linear");
    wait(&mut harness, "the model", |window| window.session.is_ready());

    let settings = harness.state().settings_now();
    assert_eq!(settings.theme, ThemeChoice::Light);
    assert!(
        settings.reduced_motion
            && !settings.notify
            && !settings.save_metadata
            && settings.previews == PreviewMethod::Linear
    );
    assert_eq!(settings.autosave.kind, AutosaveKind::PicturesAndLatents);
    assert_eq!(settings.autosave.pattern, "{seed} {prompt:5}");
    assert_eq!(settings.dialog_folder, Some("/home/you/Pictures".into()));
    assert_eq!(settings.engine, engine(&harness));
    // They are the next window's.
    let next = super::harness(|next| *next = settings.clone());
    assert_eq!(next.state().settings_now().to_json(), {
        let mut same = settings;
        same.recipe.clone_from(&next.state().settings_now().recipe);
        same.to_json()
    });
    assert_eq!(next.state().session.engine_settings(), engine(&harness));

    harness.state_mut().session.draft_mut().prompt = "a fox".into();
    open_section(&mut harness, "Privacy");
    choose(&mut harness, "Forget prompts");
    assert_eq!(harness.state().session.draft().prompt, "");
    harness.get_by_label("Prompts forgotten");
    harness.key_press(egui::Key::Escape);
    harness.run_ok();
    assert!(harness.query_by_role_and_label(Role::Window, "Settings").is_none());
}

/// A figure that is being typed when the page is closed is not lost.
#[test]
fn closing_the_page_takes_the_figure_that_was_typed() {
    let mut harness = on_a_known_machine();
    open_section(&mut harness, "Drawing");
    choose(&mut harness, "Threads: At most");
    tab_to(&mut harness, "Threads");
    harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::A);
    harness.run_ok();
    harness.event(egui::Event::Text("2".to_owned()));
    harness.run_ok();
    harness.get_by_label("Close window").click();
    harness.run_ok();
    harness.run_ok();
    assert_eq!(harness.state().session.engine_settings().threads, Some(2));
}

#[test]
fn each_control_of_the_page_is_described() {
    let mut harness = on_a_known_machine();
    harness.state_mut().desk.dialog_folder = Some("/home/you/Pictures".into());
    let mut names = HashSet::new();
    for language in [Language::English, Language::Korean] {
        harness.state_mut().desk.speak(language);
        harness.run_ok();
        press_comma(&mut harness);
        for (name, section) in sections(Text::of(language)) {
            harness.get_by_role_and_label(Role::Button, section).click();
            harness.run_ok();
            super::controls::assert_controls_are_described(&harness, &format!("{language:?}, {name}"));
            let controls = harness.query_all_by_role(Role::RadioButton);
            names.extend(controls.filter_map(|node| node.accesskit_node().label()));
        }
        press_comma(&mut harness);
    }
    // A choice says which setting it is of, so that none has the name of another.
    assert!(names.iter().all(|name| name.contains(": ")), "{names:?}");
    assert_eq!(names.len(), 2 * (2 + 3 + 2 + 3 + 2 + 2 + 2 + 2 + 3), "{names:?}");
}
