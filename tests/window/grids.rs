//! The page of grids, by keys and by the pointer.

use std::path::Path;
use std::sync::Arc;

use egui::accesskit::Role;
use egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use egui_kittest::{Harness, SnapshotResults};
use safelight::app::Window;
use safelight::engine::{Event, Failure, Task};
use safelight::latent::{Latent, LatentShape, Trajectory, TrajectoryStep};
use safelight::reason::{Reason, ReasonKind};
use safelight::request::grid::Grid;
use safelight::request::{Picture, Seed};
use safelight::session::{Action, CellState, GridAction};

use crate::{harness, keep_page, shown, type_into, type_prompt, wait, wait_for_count};

fn press(harness: &mut Harness<'_, Window>, key: Key) {
    harness.key_press(key);
    harness.run_ok();
}

fn open_page(harness: &mut Harness<'_, Window>) {
    harness.ctx.memory_mut(egui::Memory::stop_text_input);
    harness.run_ok();
    harness.key_press_modifiers(Modifiers::COMMAND, Key::G);
    harness.run_ok();
}

/// Chooses what an axis varies.
fn vary(harness: &mut Harness<'_, Window>, axis: &str, setting: &str) {
    harness.get_by_role_and_label(Role::ComboBox, &format!("{axis}: what differs")).click();
    harness.run_ok();
    // The recipe has some of these words, too.
    let entries = harness.get_all_by_role_and_label(Role::Button, setting);
    entries.max_by_key(|entry| entry.rect().left() as i32).unwrap().click();
    harness.run_ok();
}

fn drawn(window: &Window) -> usize {
    window.session.cell_states().iter().filter(|state| matches!(state, CellState::Drawn(_))).count()
}

#[test]
fn a_grid_is_typed_drawn_and_walked_through() {
    let mut harness = harness(|_| {});
    type_prompt(&mut harness, "green hills at noon");
    harness.state_mut().session.draft_mut().steps = 2;
    open_page(&mut harness);
    harness.get_by_label("Choose what differs, and write its values");
    vary(&mut harness, "Columns", "Steps");
    assert_eq!(
        harness.get_by_role_and_label(Role::TextInput, "Columns: values").value().as_deref(),
        Some("1,2,4")
    );
    type_into(&mut harness, Role::TextInput, "Columns: values", "2,x");
    harness.get_by_label_contains("Columns: ‘x’ is no value of steps");
    assert!(harness.get_by_label("Draw grid").accesskit_node().is_disabled());
    type_into(&mut harness, Role::TextInput, "Columns: values", "2,3");
    vary(&mut harness, "Rows", "Words");
    type_into(&mut harness, Role::TextInput, "Rows: values", "midnight,noon");
    harness.get_by_label_contains("‘midnight’ is neither in the prompt");
    type_into(&mut harness, Role::TextInput, "Rows: values", "noon,\"dawn, fog\"");
    harness.get_by_label("4 pictures");
    harness.get_by_label("Draw grid").click();
    harness.run_ok();
    harness.get_by_label("Stop grid");
    wait(&mut harness, "the grid", |window| drawn(window) == 4 && !window.session.draws_grid());
    harness.run_ok();
    harness.get_by_label("4 of 4 drawn · Steps 2,3 × Words noon,\"dawn, fog\"");
    let cells: Vec<_> = ["Steps 2 · noon", "Steps 3 · noon", "Steps 2 · dawn, fog", "Steps 3 · dawn, fog"]
        .map(|name| harness.get_by_label(&format!("{name}: Drawn")).rect().min)
        .to_vec();
    assert!(cells[0].x < cells[1].x && cells[0].y == cells[1].y && cells[0].y < cells[2].y);

    for key in [Key::ArrowRight, Key::ArrowDown, Key::ArrowDown, Key::Enter] {
        press(&mut harness, key);
    }
    let request = shown(&harness).request().unwrap();
    assert_eq!((request.steps, request.prompt.as_str()), (3, "green hills at dawn, fog"));
    assert!(harness.query_by_label("4 of 4 drawn").is_none() && shown(&harness).picture().is_some());
    // The page is as it was, and a click shows a cell, too.
    open_page(&mut harness);
    harness.get_by_label("Steps 2 · noon: Drawn").click();
    harness.run_ok();
    assert_eq!(shown(&harness).request().unwrap().steps, 2);
    open_page(&mut harness);
    press(&mut harness, Key::Escape);
    assert!(harness.query_by_label("Steps 2 · noon: Drawn").is_none());
}

fn start(axes: &[&str]) -> Action {
    let grid = Grid::new(axes.iter().map(|axis| axis.parse().unwrap()).collect());
    Action::Grid(GridAction::Start(Box::new(grid.unwrap())))
}

/// Begins a grid that the engine does not hear of.
fn tell_grid(harness: &mut Harness<'_, Window>, axes: &[&str]) {
    let session = &mut harness.state_mut().session;
    session.draft_mut().prompt = "a red fox in the snow".into();
    session.draft_mut().seed = Seed(41);
    session.apply(start(axes));
    session.take_effects();
}

/// A landscape that is another one for each number.
fn landscape(number: usize) -> Picture {
    let pixel = |at: usize| {
        let (x, y) = ((at % 128) as f32 / 128.0, (at / 128) as f32 / 128.0);
        let hill = 0.55 + 0.12 * (x * 6.0 + number as f32).sin();
        let shade = (number * 23 % 90) as u8;
        if y > hill { [40 + shade, 110, 60] } else { [90, 130 + shade / 2, 200 - shade] }
    };
    Picture::new(128, 128, (0..128 * 128).flat_map(pixel).collect::<Vec<_>>()).unwrap()
}

/// The running picture is drawn, as the engine would say.
fn tell_drawn(harness: &mut Harness<'_, Window>, number: usize) {
    let session = &mut harness.state_mut().session;
    let job = session.running().unwrap().id;
    let latent = Latent::zeros(LatentShape::new(4, 16, 16));
    let trajectory = Arc::new(Trajectory::default());
    session.apply_event(Event::Sampled { job, latent, trajectory, finished_early: false });
    session.apply_event(Event::Decoded { job, picture: landscape(number), notice: None, elapsed_secs: 4.0 });
    session.take_effects();
}

/// The running picture fails, and the next one is at its third step.
fn tell_failed(harness: &mut Harness<'_, Window>) {
    let session = &mut harness.state_mut().session;
    let job = session.running().unwrap().id;
    let why = Reason::new(ReasonKind::Bug, "made up");
    session.apply_event(Event::Failed { job, failure: Failure { task: Task::Sample, why, advice: None } });
    let notice = session.notices().last().unwrap().id;
    session.apply(Action::Dismiss(notice));
    let job = session.running().unwrap().id;
    let shape = LatentShape::new(4, 16, 16);
    let values = (0..shape.len()).map(|i| ((i % 16) as f32 * 0.2 - (i / 16 % 16) as f32 * 0.1).sin());
    let denoised = Latent::new(shape, values.collect::<Vec<_>>()).unwrap();
    let (noisy, outputs) = (denoised.clone(), vec![denoised.clone()]);
    let step = TrajectoryStep { step: 3, steps: 8, sigma: 2.34, noisy, denoised, outputs, elapsed_secs: 0.5 };
    session.apply_event(Event::StepFinished { job, step: step.into() });
    session.take_effects();
}

/// Nothing is cut off, in both languages and themes, in a small window and in a usual one.
#[test]
fn the_page_shows_all_of_it() {
    let mut all = SnapshotResults::new();
    let mut look = |harness: &mut Harness<'_, Window>, name: &str| {
        for (language, theme, size) in crate::LOOKS {
            let desk = &mut harness.state_mut().desk;
            desk.speak(language);
            desk.theme = theme;
            harness.set_size(size);
            harness.hover_at(egui::pos2(2.0, 2.0));
            harness.run_ok();
            let page = egui::Rect::from_min_size(egui::Pos2::ZERO, size);
            keep_page(harness, page, name, (language, theme), &mut all);
        }
        harness.state_mut().desk.speak(safelight::panels::Language::English);
        harness.set_size(egui::vec2(1280.0, 800.0));
        harness.run_ok();
    };
    let mut empty = harness(|_| {});
    empty.state_mut().session.draft_mut().prompt = "a red fox in the snow".into();
    open_page(&mut empty);
    vary(&mut empty, "Columns", "Steps");
    vary(&mut empty, "Rows", "Sampler");
    type_into(&mut empty, Role::TextInput, "Rows: values", "euler,heun,euler");
    wait_for_count(&mut empty);
    look(&mut empty, "grid_axes");

    let mut half = harness(|_| {});
    open_page(&mut half);
    let words = "words=red,blue,\"grey and very small, almost white\",\"\"";
    tell_grid(&mut half, &["guidance=2,4,6,8", words]);
    (0..5).for_each(|number| tell_drawn(&mut half, number));
    tell_failed(&mut half);
    look(&mut half, "grid_half");

    let mut pages = harness(|_| {});
    open_page(&mut pages);
    tell_grid(&mut pages, &["seed=41..50", "steps=4..9", "sampler=euler,heun,dpmpp-2m"]);
    (0..33).for_each(|number| tell_drawn(&mut pages, number));
    pages.state_mut().session.apply(Action::Grid(GridAction::Stop));
    let job = pages.state().session.running().unwrap().id;
    pages.state_mut().session.apply_event(Event::Cancelled { job });
    let notice = pages.state().session.notices().last().unwrap().id;
    pages.state_mut().session.apply(Action::Dismiss(notice));
    pages.run_ok();
    press(&mut pages, Key::ArrowRight);
    wait_for_count(&mut pages);
    look(&mut pages, "grid_pages");
    press(&mut pages, Key::PageDown);
    pages.get_by_label("Seed 42 · Steps 4 · Heun: Not drawn");
}

/// A trash that is a folder beside the runs.
fn to_trash(path: &Path) -> Result<(), String> {
    std::fs::remove_dir_all(path).map_err(|error| error.to_string())
}

#[test]
fn a_grid_of_an_earlier_session_is_opened_from_the_gallery() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = harness(|_| {});
    first.state_mut().use_history(folder.path().to_owned(), to_trash);
    let session = &mut first.state_mut().session;
    (session.draft_mut().prompt, session.draft_mut().steps) = ("green hills at noon".into(), 2);
    session.apply(start(&["seed=5,6"]));
    wait(&mut first, "the grid", |window| drawn(window) == 2 && !window.session.draws_grid());
    drop(first);

    let mut harness = harness(|_| {});
    harness.state_mut().use_history(folder.path().to_owned(), to_trash);
    harness.ctx.memory_mut(egui::Memory::stop_text_input);
    harness.run_ok();
    press(&mut harness, Key::G);
    wait(&mut harness, "the list", |window| window.session.history().runs().len() == 2);
    harness.run_ok();
    press(&mut harness, Key::Home);
    harness.get_by_label("Open grid").click();
    wait(&mut harness, "the pictures", |window| drawn(window) == 2);
    harness.run_ok();
    harness.get_by_label("2 of 2 drawn · Seed 5,6");
    harness.get_by_label("Seed 6: Drawn").click();
    let is_shown = |window: &Window| {
        let request = window.session.on_easel().and_then(|document| document.request().cloned());
        request.is_some_and(|request| request.seed == Seed(6))
    };
    wait(&mut harness, "the run", is_shown);
    harness.run_ok();
    assert!(shown(&harness).picture().is_some());
}
