//! The page of grids in place of the easel: its axes, and its pictures as they are drawn.

mod axes;
mod cells;
mod words;

use egui::{RichText, Ui};

use super::controls::{Icon, icon_button, named, opens, quiet, segment, tip, trailing};
use super::desk::Desk;
use super::foot::duration;
use super::{Text, theme};
use crate::request::grid::{Grid, GridSetting};
use crate::session::{Action, CellState, GridAction, Session};

/// Opens the page, or closes it.
pub(super) fn toggle(desk: &mut Desk) {
    desk.grid.is_open = !desk.grid.is_open;
    if desk.grid.is_open {
        desk.gallery = false;
    }
}

/// Opens the page on a grid that is opened.
pub(super) fn open(desk: &mut Desk) {
    (desk.grid.is_open, desk.gallery) = (true, false);
}

pub(super) fn grid_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, actions: &mut Vec<Action>) {
    let frame = egui::Frame::NONE.fill(theme::easel(ui.visuals().dark_mode)).inner_margin(12);
    frame.show(ui, |ui| {
        ui.set_min_size(ui.available_size());
        let states = session.cell_states();
        if let Some(work) = session.grid() {
            desk.grid.follow(work.id(), work.grid());
        }
        head_ui(ui, session, desk, actions);
        ui.add_space(4.0);
        if !desk.grid.hides_axes || states.is_empty() {
            axes::axes_ui(ui, session, desk);
            ui.add_space(2.0);
        }
        order_ui(ui, session, desk, &states, actions);
        ui.add_space(6.0);
        match session.grid() {
            Some(work) => cells::cells_ui(ui, session, desk, work.grid(), &states, actions),
            None => {
                ui.centered_and_justified(|ui| quiet(ui, desk.text.grid_empty));
            }
        }
    });
}

/// The title, and what is done with the whole grid.
fn head_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, actions: &mut Vec<Action>) {
    let text = desk.text;
    ui.horizontal(|ui| {
        ui.label(RichText::new(text.grid).family(theme::strong()).size(15.0));
        let has_grid = session.grid().is_some();
        let has_pictures = session.grid().is_some_and(crate::session::GridWork::has_pictures);
        trailing(ui, "grid head", |ui| {
            if has_grid {
                let shown = segment(ui, !desk.grid.hides_axes, true, text.grid_axes);
                if tip(shown, text.grid_axes_hint, "").clicked() {
                    desk.grid.hides_axes = !desk.grid.hides_axes;
                }
            }
            ui.add_enabled_ui(has_pictures, |ui| {
                let menu = ui.menu_button(format!("{} ▾", text.save_grid), |ui| {
                    for (name, as_folder) in [(text.save_grid_sheet, false), (text.save_cells, true)] {
                        if ui.button(name).clicked() {
                            actions.push(Action::Grid(GridAction::Save { as_folder }));
                        }
                    }
                });
                opens(&menu);
                tip(menu.response, text.save_grid_hint, "");
            });
            if icon_button(ui, Icon::Cross, None, 26.0, text.gallery_close_hint, "Esc").clicked() {
                desk.grid.is_open = false;
            }
        });
    });
}

/// The button that draws the grid, or stops it, and how far it is or what is wrong.
fn order_ui(
    ui: &mut Ui,
    session: &Session,
    desk: &mut Desk,
    states: &[CellState<'_>],
    actions: &mut Vec<Action>,
) {
    let text = desk.text;
    ui.horizontal(|ui| {
        ui.set_min_height(28.0);
        if session.draws_grid() {
            let stop = ui.button(text.grid_stop);
            if tip(stop, text.grid_stop_hint, "").clicked() {
                actions.push(Action::Grid(GridAction::Stop));
            }
            progress_ui(ui, session, states, text);
            return;
        }
        if desk.grid.hides_axes && !states.is_empty() {
            if session.can_draw_missing() {
                let missing = ui.button(text.grid_missing);
                if tip(missing, text.grid_missing_hint, "").clicked() {
                    actions.push(Action::Grid(GridAction::DrawMissing));
                }
            }
            progress_ui(ui, session, states, text);
            return;
        }
        let read = desk.grid.read();
        let checked = match &read {
            Ok(Some(grid)) => session.grid_requests(grid).map(Some).map_err(|error| (None, error)),
            Ok(None) => Ok(None),
            Err(error) => Err(error.clone()),
        };
        let may = session.is_ready() && matches!(checked, Ok(Some(_)));
        let label = RichText::new(text.grid_start).family(theme::strong()).color(theme::on_accent());
        let dark = ui.visuals().dark_mode;
        let button = egui::Button::new(label).fill(theme::lamp(dark));
        let start = tip(ui.add_enabled(may, button), text.grid_start_hint, "");
        match (read, checked) {
            (Ok(Some(grid)), Ok(Some(requests))) => {
                let count = text.grid_count.replace("{}", &grid.len().to_string());
                let time = session.grid_seconds(&requests, grid.len());
                let time = time.map(|secs| text.grid_about.replace("{}", &duration(secs)));
                let words = [Some(count), time].into_iter().flatten().collect::<Vec<_>>().join(" · ");
                quiet(ui, if session.is_ready() { words } else { text.no_model.to_owned() });
                if start.clicked() {
                    actions.push(Action::Grid(GridAction::Start(Box::new(grid))));
                }
            }
            (_, Err((axis, error))) => {
                let why = words::grid_error_words(&error, desk.language);
                let words = match axis {
                    Some(at) => format!("{}: {why}", axes::names(text)[at]),
                    None => why,
                };
                let label = RichText::new(&words).small().color(theme::warning(dark));
                let shown = ui.add(egui::Label::new(label).truncate());
                named(&shown, &words);
                shown.on_hover_text(words);
            }
            _ => {
                quiet(ui, text.grid_values_missing);
            }
        }
    });
}

/// How many pictures are drawn, and how long the rest takes.
fn progress_ui(ui: &mut Ui, session: &Session, states: &[CellState<'_>], text: &Text) {
    let is_there = |state: &&CellState<'_>| matches!(state, CellState::Drawn(_) | CellState::Kept);
    let done = states.iter().filter(is_there).count();
    let words = text.grid_done.replace("{done}", &done.to_string());
    let words = words.replace("{all}", &states.len().to_string());
    let left = session.seconds_left_all().filter(|_| session.draws_grid());
    let left = left.map(|secs| format!(" · {}", text.grid_about.replace("{}", &duration(secs))));
    let axes = session.grid().map(|work| axes_words(work.grid(), text)).unwrap_or_default();
    let words = format!("{words}{} · {axes}", left.unwrap_or_default());
    let words = RichText::new(words).small().color(theme::quiet(ui.visuals().dark_mode));
    ui.add(egui::Label::new(words).truncate());
}

/// The axes in one line, such as "Steps 10,20 × Sampler euler,heun".
fn axes_words(grid: &Grid, text: &Text) -> String {
    let axes =
        grid.axes().iter().map(|axis| format!("{} {}", setting_name(axis.setting(), text), axis.list()));
    axes.collect::<Vec<_>>().join(" × ")
}

/// The name of a setting.
fn setting_name(setting: GridSetting, text: &Text) -> &'static str {
    match setting {
        GridSetting::Words => text.grid_words,
        GridSetting::Seed => text.seed,
        GridSetting::Steps => text.steps,
        GridSetting::Guidance => text.guidance,
        GridSetting::Sampler => text.sampler,
        GridSetting::Schedule => text.schedule,
        GridSetting::Model => text.model,
        GridSetting::Size => text.size,
        GridSetting::Strength => text.strength,
        GridSetting::Eta => text.eta,
        GridSetting::Shift => text.shift,
    }
}
