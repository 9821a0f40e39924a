//! The look of the window: one function for each region. A panel reads the session and returns [`Action`]s that change
//! it; state that only drawing needs is in the [`Desk`].

mod announcement;
mod bath;
mod compare;
mod controls;
mod desk;
mod easel;
mod enlarger;
mod film_strip;
mod foot;
mod grid;
mod grid_page;
mod keys;
mod lens_input;
mod levels_field;
mod library;
mod messages;
mod option_rows;
mod options;
mod overlay;
mod page_rows;
mod pair_view;
mod preview_choice;
mod preview_menu;
mod prompt;
mod question;
mod reasons;
mod reel;
mod runs;
mod runs_page;
mod sampling;
mod settings;
mod sheet;
mod skip_field;
mod text;
pub mod theme;
mod toasts;
mod top;
mod waiting;
mod weight;
mod wipe_line;
mod words;

use egui::{Margin, Ui, Vec2};

use crate::session::{Action, Session};

pub use announcement::announcement;
pub(crate) use controls::{field_tip, named, tip};
pub use desk::{Desk, PreviewMethod, Surroundings, ThemeChoice, View};
pub use text::{Language, Text};

use desk::{NarrowTab, Overlay};

/// Heights and widths of the regions, points.
const TOP: f32 = 44.0;
/// Default width of the recipe, and the least one: its controls need it. Points.
pub const RECIPE_WIDTH: f32 = 296.0;
/// Default and least width of the enlarger, points.
pub const ENLARGER_WIDTH: f32 = 280.0;
/// Greatest width of both panels, points.
const WIDEST: f32 = 520.0;
/// Least width of the easel, which panels leave free, points.
const EASEL: f32 = 400.0;
/// Width of the window up to which recipe and enlarger share one panel, points.
const NARROW: f32 = 1100.0;
const MARGIN: i8 = 12;

/// Draws the whole window; returns the actions of the user in this frame.
pub fn window_ui(ui: &mut Ui, session: &Session, desk: &mut Desk) -> Vec<Action> {
    let mut actions = Vec::new();
    if !desk.keys_are_taken {
        keys::keys(ui, session, desk, &mut actions);
    }
    desk.probed = None;
    desk.source_row = None;
    let width = ui.available_width();
    let frame = panel(ui, MARGIN, 0);
    egui::Panel::top("top").resizable(false).exact_size(TOP).frame(frame).show(ui, |ui| {
        top::top_ui(ui, session, desk, &mut actions);
    });
    // The contact sheet is the last in the order of the focus, but its room is taken first.
    let room = ui.available_rect_before_wrap();
    let upper = room.with_max_y((room.bottom() - sheet::HEIGHT).max(room.top()));
    let upper = egui::UiBuilder::new().id_salt("upper").max_rect(upper);
    middle_ui(&mut ui.new_child(upper), session, desk, width, &mut actions);
    let frame = panel(ui, MARGIN, 10);
    egui::Panel::bottom("sheet").resizable(false).exact_size(sheet::HEIGHT).frame(frame).show(ui, |ui| {
        sheet::sheet_ui(ui, session, desk, &mut actions);
    });
    question::question_ui(ui, session, desk, &mut actions);
    overlay::overlay_ui(ui, session, desk, &mut actions);
    controls::focus_ring(ui.ctx());
    desk.probe = desk.probed;
    actions
}

fn panel(ui: &Ui, x: i8, y: i8) -> egui::Frame {
    egui::Frame::side_top_panel(ui.style()).inner_margin(Margin::symmetric(x, y))
}

/// What lies between the bar at the top and the contact sheet: the recipe, the enlarger and the easel over its bath.
fn middle_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, width: f32, actions: &mut Vec<Action>) {
    let shares = width <= NARROW && desk.recipe && desk.enlarger;
    // The figures of a comparison stand in place of the latent's channels.
    // A grid takes all the room there is.
    let is_beside = compare::shown_sides(session, desk).is_empty() && !desk.grid.is_open;
    let beside = desk.enlarger && !shares && is_beside;
    if desk.recipe {
        let other = if beside { desk.enlarger_width.min(WIDEST) } else { 0.0 };
        let side = egui::Panel::left("recipe").default_size(desk.recipe_width);
        let side = side.size_range(widths(RECIPE_WIDTH, width - other)).frame(panel(ui, MARGIN, 0));
        let shown = side.show(ui, |ui| held(ui, |ui| recipe_ui(ui, session, desk, shares, actions)));
        desk.recipe_width = shown.response.rect.width();
        name_handle(ui, "recipe", desk.text.recipe_width);
    }
    if beside {
        let other = if desk.recipe { desk.recipe_width.min(WIDEST) } else { 0.0 };
        let side = egui::Panel::right("enlarger").default_size(desk.enlarger_width);
        let side = side.size_range(widths(ENLARGER_WIDTH, width - other)).frame(panel(ui, MARGIN, 6));
        let shown = side.show(ui, |ui| held(ui, |ui| enlarger::enlarger_ui(ui, session, desk, actions)));
        desk.enlarger_width = shown.response.rect.width();
        name_handle(ui, "enlarger", desk.text.enlarger_width);
    }
    let frame = egui::Frame::central_panel(ui.style()).inner_margin(Margin::ZERO);
    egui::CentralPanel::default().frame(frame).show(ui, |ui| {
        let room = ui.available_rect_before_wrap();
        let height = bath::height(ui.ctx());
        let easel = Vec2::new(room.width(), room.height() - height);
        let bath = egui::Panel::bottom("bath").resizable(false).exact_size(height);
        // It is about the picture on the easel, whose place a grid takes.
        if !desk.grid.is_open {
            bath.frame(panel(ui, MARGIN, 7)).show(ui, |ui| {
                bath::bath_ui(ui, session, desk, easel, actions);
            });
        }
        let easel = ui.available_rect_before_wrap();
        let sides = compare::shown_sides(session, desk);
        let is_easel = !desk.gallery && !desk.grid.is_open && sides.is_empty();
        easel::inside::tell(ui, session, desk, is_easel, actions);
        if desk.grid.is_open {
            desk.runs.close(session, actions);
            grid::grid_ui(ui, session, desk, actions);
        } else if desk.gallery && session.history().is_kept() {
            runs::runs_ui(ui, session, desk, actions);
        } else if desk.gallery {
            sheet::gallery_ui(ui, session, desk, actions);
        } else {
            desk.runs.close(session, actions);
            if sides.is_empty() {
                easel::easel_ui(ui, session, desk, actions);
                compare::choose_ui(ui, session, desk, easel, actions);
            } else {
                compare::pair_ui(ui, session, desk, &sides, easel, actions);
            }
        }
        // Toasts do not cover the list of all messages.
        if desk.overlay != Some(Overlay::Messages) {
            toasts::toasts_ui(ui, session, desk, easel, actions);
        }
    });
}

/// Draws the content of a panel within its present width. Without this, a resizable panel grows with content that
/// overflows for a frame.
fn held(ui: &mut Ui, content: impl FnOnce(&mut Ui)) {
    let room = ui.available_rect_before_wrap();
    content(&mut ui.new_child(egui::UiBuilder::new().max_rect(room)));
    ui.expand_to_include_rect(room);
}

/// Names the resize handle of a panel for screen readers; egui names it in English.
fn name_handle(ui: &Ui, panel: &str, name: &str) {
    if let Some(handle) = ui.read_response(ui.scope_id().with(panel).with("__resize")) {
        controls::named(&handle, name);
    }
}

/// The range of a panel's width, where `room` points are free for it and the easel.
fn widths(least: f32, room: f32) -> egui::Rangef {
    egui::Rangef::new(least, (room - EASEL).clamp(least, WIDEST))
}

/// The recipe over a foot that never moves. A narrow window shows the recipe and the enlarger as two tabs of this
/// panel. The foot comes last, so that the focus goes through the panel from the top.
fn recipe_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, shares: bool, actions: &mut Vec<Action>) {
    let room = ui.available_rect_before_wrap();
    let (above, below) = room.split_top_bottom_at_y(room.bottom() - foot::HEIGHT);
    ui.scope_builder(egui::UiBuilder::new().max_rect(above), |ui| {
        ui.add_space(8.0);
        if shares && tabs_ui(ui, desk) == NarrowTab::Enlarger {
            return enlarger::enlarger_ui(ui, session, desk, actions);
        }
        egui::ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            ui.set_width(ui.available_width());
            prompt::prompt_ui(ui, session, desk, actions);
            sampling::sampling_ui(ui, session, desk, actions);
            ui.add_space(8.0);
            controls::scroll_to_focus(ui);
        });
    });
    let foot = egui::Frame::NONE.inner_margin(Margin { top: 6, bottom: 10, ..Margin::ZERO });
    ui.scope_builder(egui::UiBuilder::new().max_rect(below), |ui| {
        egui::Panel::bottom("foot").resizable(false).exact_size(foot::HEIGHT).frame(foot).show(ui, |ui| {
            foot::foot_ui(ui, session, desk, actions);
        });
    });
}

/// The two tabs of a narrow window's panel; the chosen one.
fn tabs_ui(ui: &mut Ui, desk: &mut Desk) -> NarrowTab {
    let text = desk.text;
    ui.horizontal(|ui| {
        for (tab, name, why) in [
            (NarrowTab::Recipe, text.recipe, text.recipe_tab_hint),
            (NarrowTab::Enlarger, text.enlarger, text.enlarger_hint),
        ] {
            let segment = controls::segment(ui, desk.narrow_tab == tab, true, name);
            if controls::tip(segment, why, "").clicked() {
                desk.narrow_tab = tab;
            }
        }
    });
    desk.narrow_tab
}
