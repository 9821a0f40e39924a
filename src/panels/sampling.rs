//! Size, steps, guidance, seed, batch, source picture.

use egui::{Align2, FontId, Rect, RichText, Slider, Stroke, StrokeKind, Ui};

use super::controls::{Icon, LABEL, icon_button, named, rails, row, tip};
use super::desk::Desk;
use super::{Text, options, theme};
use crate::catalog::{ImageSize, fit_into_multiples};
use crate::request::{GenerationDraft, Seed};
use crate::session::{Action, Session};

/// The aspect ratios of the buttons.
const ASPECTS: [(&str, f64); 5] =
    [("1:1", 1.0), ("4:3", 4.0 / 3.0), ("3:4", 3.0 / 4.0), ("16:9", 16.0 / 9.0), ("9:16", 9.0 / 16.0)];

/// Width of the panel's content that the widths below fill, points; in a wider panel the sliders are longer.
const CONTENT: f32 = 271.0;
/// Widths of a slider and of the seed's field (ten digits), points.
const SLIDER: f32 = 112.0;
const SEED_WIDTH: f32 = 108.0;

pub(super) fn sampling_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, actions: &mut Vec<Action>) {
    let text = desk.text;
    let mut draft = session.draft().clone();
    let (mut batch, mut locked) = (session.batch(), session.seed_is_locked());
    let multiple = session.profile().map_or(8, |profile| profile.size_multiple);
    // The edge of a square of the area that the model was trained on.
    let area = |size: ImageSize| (size.width * size.height).isqrt();
    let native = session.profile().map_or(128, |profile| area(profile.defaults.size));
    ui.add_space(4.0);
    let wider = (ui.available_width() - CONTENT).max(0.0);
    egui::Grid::new("sampling").num_columns(2).spacing([8.0, 8.0]).min_col_width(LABEL).show(ui, |ui| {
        rails(ui);
        row(ui, text.size, |ui| size_ui(ui, &mut draft.size, multiple, text));
        row(ui, "", |ui| ratios_ui(ui, &mut draft.size, native, multiple, text));
        ui.spacing_mut().slider_width = SLIDER + wider;
        ui.spacing_mut().interact_size.x = 48.0;
        row(ui, text.steps, |ui| {
            // A list of noise levels has its own number of steps; the recipe's comes back without it.
            let mut listed = draft.options.levels.as_ref().map(|levels| levels.values().len());
            let is_listed = listed.is_some();
            let slider = Slider::new(listed.as_mut().unwrap_or(&mut draft.steps), 1..=100)
                .logarithmic(true)
                .clamping(egui::SliderClamping::Never);
            ui.add_enabled(!is_listed, slider)
                .on_hover_text(text.steps_hint)
                .on_disabled_hover_text(text.levels_steps)
        });
        let guided = session.profile().is_none_or(|profile| profile.guidance.takes_scale());
        row(ui, text.guidance, |ui| {
            let slider = Slider::new(&mut draft.guidance_scale, 1.0..=15.0).fixed_decimals(1);
            ui.add_enabled(guided, slider.clamping(egui::SliderClamping::Never))
                .on_hover_text(text.guidance_hint)
                .on_disabled_hover_text(text.guidance_off)
        });
        row(ui, text.seed, |ui| seed_ui(ui, &mut draft.seed, &mut locked, text, actions));
        row(ui, text.batch, |ui| {
            let field = egui::DragValue::new(&mut batch).range(1..=1000);
            tip(ui.add_sized([56.0, 28.0], field), text.batch_hint, "")
        });
        let top = ui.cursor().top();
        source_ui(ui, &mut draft, desk, actions);
        let bottom = ui.cursor().top() - ui.spacing().item_spacing.y;
        let row = Rect::from_x_y_ranges(ui.max_rect().x_range(), top..=bottom);
        drop_ui(ui, desk, row.expand(4.0));
    });
    options::more_ui(ui, session, desk, &mut draft, wider, actions);
    if draft != *session.draft() {
        actions.push(Action::Edit(Box::new(draft)));
    }
    if (batch, locked) != (session.batch(), session.seed_is_locked()) {
        actions.push(Action::SetBatch(batch, locked));
    }
}

fn size_ui(ui: &mut Ui, size: &mut ImageSize, multiple: usize, text: &Text) -> egui::Response {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        let said = format!("{} {multiple}", text.multiples);
        let edge = |ui: &mut Ui, value: &mut usize, name: &str| {
            let drag = egui::DragValue::new(value)
                .range(multiple..=GenerationDraft::MAX_EDGE_PX)
                .speed(multiple as f64 / 4.0)
                .update_while_editing(false);
            let field = ui.add_sized([66.0, 28.0], drag);
            named(&tip(field, &format!("{name}: {said}"), ""), name);
            *value = (*value).div_ceil(multiple).max(1) * multiple;
        };
        edge(ui, &mut size.width, text.width);
        if icon_button(ui, Icon::Swap, None, 28.0, text.swap, "").clicked() {
            (size.width, size.height) = (size.height, size.width);
        }
        edge(ui, &mut size.height, text.height);
    })
    .response
}

/// Buttons for aspect ratios; the one that the size has is marked.
fn ratios_ui(
    ui: &mut Ui,
    size: &mut ImageSize,
    native: usize,
    multiple: usize,
    text: &Text,
) -> egui::Response {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 0.0;
        for (name, aspect) in ASPECTS {
            let is_it = (size.width as f64 / size.height.max(1) as f64 / aspect - 1.0).abs() < 0.02;
            let response = super::controls::narrow_segment(ui, is_it, true, name, 4.0);
            if tip(response, &format!("{} {name}", text.aspect), "").clicked() {
                *size = fit_into_multiples(native, aspect, multiple);
            }
        }
    })
    .response
}

fn seed_ui(
    ui: &mut Ui,
    seed: &mut Seed,
    locked: &mut bool,
    text: &Text,
    actions: &mut Vec<Action>,
) -> egui::Response {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        // Less padding, so that the longest seed fits into the row.
        ui.spacing_mut().button_padding.x = 6.0;
        named(&tip(seed_field(ui, seed), text.seed_hint, ""), text.seed);
        if icon_button(ui, Icon::Die, None, 28.0, text.new_seed, "").clicked() {
            actions.push(Action::RandomSeed);
        }
        if icon_button(ui, Icon::Lock, Some(*locked), 28.0, text.lock_seed, "").clicked() {
            *locked = !*locked;
        }
    })
    .response
}

/// A seed to drag or to type; −1 is a random one. The field computes in f64, which does not hold the longest
/// seeds: what is shown and what is typed goes past it.
fn seed_field(ui: &mut Ui, seed: &mut Seed) -> egui::Response {
    let before = *seed;
    let mut dragged = before.0 as f64;
    let typed = std::cell::Cell::new(None);
    let field =
        egui::DragValue::new(&mut dragged)
            .range(0.0..=f64::from(u32::MAX))
            .clamp_existing_to_range(false)
            .speed(1.0)
            .fixed_decimals(0)
            .update_while_editing(false)
            .custom_formatter(|value, _| {
                if value == before.0 as f64 { before.to_string() } else { format!("{value:.0}") }
            })
            .custom_parser(|text| {
                typed.set(text.parse::<Seed>().ok());
                typed.get().map(|seed| seed.0 as f64)
            });
    let response = ui.add_sized([SEED_WIDTH, 28.0], field);
    if let Some(typed) = typed.get() {
        *seed = typed;
    } else if dragged != before.0 as f64 {
        *seed = Seed(dragged as u64);
    }
    response
}

/// The picture of an image-to-image run, the part of it that is used, and the strength.
fn source_ui(ui: &mut Ui, draft: &mut GenerationDraft, desk: &mut Desk, actions: &mut Vec<Action>) {
    let text = desk.text;
    let quiet = theme::quiet(ui.visuals().dark_mode);
    let Some(init) = &draft.init_image else {
        row(ui, text.source, |ui| {
            let choose = ui.button(text.source_choose);
            // The drop target has words of its own.
            let is_dragging = ui.input(|input| !input.raw.hovered_files.is_empty());
            let choose = if is_dragging { choose } else { tip(choose, text.source_hint, "") };
            if choose.clicked() {
                actions.push(Action::ChooseSource);
            }
            choose
        });
        return;
    };
    let picture = init.picture.clone();
    let target = draft.size;
    let mut kept = true;
    row(ui, text.source, |ui| {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 6.0;
            let (width, height) = (picture.width() as f32, picture.height() as f32);
            let scale = (64.0 / width).min(44.0 / height);
            let texture = desk.picture(ui, &picture);
            let image =
                ui.add(egui::Image::new((texture, egui::vec2(width, height) * scale)).corner_radius(3.0));
            let used = used_part(egui::vec2(width, height), target);
            let seen = egui::Rect::from_center_size(image.rect.center(), used * scale);
            if used.x < width - 1.0 || used.y < height - 1.0 {
                let stroke = egui::Stroke::new(1.0, theme::on_chip());
                ui.painter().rect_stroke(seen, 0.0, stroke, egui::StrokeKind::Inside);
            }
            ui.vertical(|ui| {
                ui.spacing_mut().item_spacing.y = 0.0;
                ui.label(RichText::new(format!("{width}×{height}")).small().color(quiet));
                ui.label(RichText::new(format!("→ {target}")).small().color(quiet))
                    .on_hover_text(text.crop_hint);
            });
            kept = !icon_button(ui, Icon::Cross, None, 24.0, text.source_clear, "").clicked();
        })
        .response
    });
    if !kept {
        draft.init_image = None;
    }
    if let Some(init) = &mut draft.init_image {
        row(ui, text.strength, |ui| {
            let slider = ui.add(Slider::new(&mut init.strength, 0.0..=1.0).fixed_decimals(2));
            tip(slider, text.strength_hint, "")
        });
    }
}

/// Makes the row of the source a drop target, outlined while files are dragged over the window.
fn drop_ui(ui: &Ui, desk: &mut Desk, row: Rect) {
    let seen = row.intersect(ui.clip_rect());
    desk.source_row = seen.is_positive().then_some(seen);
    let (is_dragging, pointer) =
        ui.input(|input| (!input.raw.hovered_files.is_empty(), input.pointer.latest_pos()));
    if !is_dragging {
        return;
    }
    let dark = ui.visuals().dark_mode;
    if !pointer.is_some_and(|at| seen.contains(at)) {
        ui.painter().rect_stroke(row, 6.0, Stroke::new(1.0, theme::outline(dark)), StrokeKind::Inside);
        return;
    }
    ui.painter().rect(
        row,
        6.0,
        theme::raised(dark),
        Stroke::new(2.0, theme::accent(dark)),
        StrokeKind::Inside,
    );
    let words = ui.painter().layout(
        desk.text.drop_source.to_owned(),
        FontId::proportional(14.0),
        ui.visuals().text_color(),
        row.width() - 16.0,
    );
    let place = Align2::CENTER_CENTER.anchor_size(row.center(), words.size());
    ui.painter().galley(place.min, words, ui.visuals().text_color());
}

/// The middle part of a picture that covers a target of another shape.
fn used_part(source: egui::Vec2, target: ImageSize) -> egui::Vec2 {
    let target = egui::vec2(target.width.max(1) as f32, target.height.max(1) as f32);
    target * (source.x / target.x).min(source.y / target.y)
}
