//! Closing the window with unsaved or unfinished pictures.

use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use safelight::app::Window;
use safelight::session::Action;

use super::{harness, results, type_prompt, wait};

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
