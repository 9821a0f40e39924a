//! Size, steps, guidance, seed, sampler, schedule, batch, source picture.

use egui::{RichText, Slider, Ui};

use super::{Desk, Text, named, theme};
use crate::catalog::{ImageSize, SamplerKind, ScheduleKind, fit_into_multiples};
use crate::request::{GenerationDraft, Seed};
use crate::session::{Action, Session};

/// Aspect ratios that are offered.
const ASPECTS: [(&str, f64); 5] =
    [("1:1", 1.0), ("4:3", 4.0 / 3.0), ("3:4", 3.0 / 4.0), ("16:9", 16.0 / 9.0), ("9:16", 9.0 / 16.0)];

/// Width of the seed's field, points: ten digits.
const SEED_WIDTH: f32 = 88.0;

pub(super) fn sampling_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, actions: &mut Vec<Action>) {
    let text = desk.text;
    let mut draft = session.draft().clone();
    let (mut batch, mut locked) = (session.batch(), session.seed_is_locked());
    let multiple = session.profile().map_or(8, |profile| profile.size_multiple);
    // The edge of a square of the area that the model was trained on.
    let area = |size: ImageSize| (size.width * size.height).isqrt();
    let native = session.profile().map_or(128, |profile| area(profile.defaults.size));
    ui.add_space(4.0);
    egui::Grid::new("sampling").num_columns(2).spacing([10.0, 8.0]).min_col_width(88.0).show(ui, |ui| {
        row(ui, text.size, |ui| size_ui(ui, &mut draft.size, native, multiple, text));
        row(ui, text.steps, |ui| {
            let slider = Slider::new(&mut draft.steps, 1..=100)
                .logarithmic(true)
                .clamping(egui::SliderClamping::Never);
            ui.add(slider)
        });
        let guided = session.profile().is_none_or(|profile| profile.uses_guidance);
        row(ui, text.guidance, |ui| {
            let slider = Slider::new(&mut draft.guidance_scale, 1.0..=15.0).fixed_decimals(1);
            ui.add_enabled(guided, slider.clamping(egui::SliderClamping::Never))
                .on_disabled_hover_text(text.guidance_off)
        });
        row(ui, text.seed, |ui| seed_ui(ui, &mut draft.seed, &mut locked, text, actions));
        row(ui, text.batch, |ui| ui.add(egui::DragValue::new(&mut batch).range(1..=1000)));
        source_ui(ui, &mut draft, desk, actions);
    });
    ui.collapsing(text.more, |ui| {
        egui::Grid::new("more").num_columns(2).spacing([10.0, 8.0]).min_col_width(84.0).show(ui, |ui| {
            row(ui, text.sampler, |ui| {
                let names = SamplerKind::ALL.map(|kind| (kind, kind.name()));
                choose(ui, "sampler", &mut draft.sampler, &names)
            });
            row(ui, text.schedule, |ui| {
                let names = ScheduleKind::ALL.map(|kind| (kind, kind.name()));
                choose(ui, "schedule", &mut draft.schedule, &names)
            });
        });
        ui.checkbox(&mut desk.save_metadata, text.metadata);
    });
    if draft != *session.draft() {
        actions.push(Action::Edit(Box::new(draft)));
    }
    if (batch, locked) != (session.batch(), session.seed_is_locked()) {
        actions.push(Action::SetBatch(batch, locked));
    }
}

/// A label and the control it names.
fn row(ui: &mut Ui, name: &str, control: impl FnOnce(&mut Ui) -> egui::Response) {
    let label = ui.label(RichText::new(name).color(theme::quiet(ui.visuals().dark_mode)));
    let response = control(ui).labelled_by(label.id);
    named(&response, name);
    ui.end_row();
}

fn choose<T: Copy + PartialEq>(ui: &mut Ui, id: &str, value: &mut T, names: &[(T, &str)]) -> egui::Response {
    let shown = names.iter().find(|(kind, _)| kind == value).map_or("", |(_, name)| name);
    egui::ComboBox::from_id_salt(id)
        .width(170.0)
        .selected_text(shown)
        .show_ui(ui, |ui| {
            for (kind, name) in names {
                ui.selectable_value(value, *kind, *name);
            }
        })
        .response
}

fn size_ui(ui: &mut Ui, size: &mut ImageSize, native: usize, multiple: usize, text: &Text) -> egui::Response {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        let edge = |ui: &mut Ui, value: &mut usize, name: &str| {
            let drag = egui::DragValue::new(value)
                .range(multiple..=GenerationDraft::MAX_EDGE_PX)
                .speed(multiple as f64 / 4.0)
                .update_while_editing(false);
            named(&ui.add(drag), name);
            *value = (*value).div_ceil(multiple).max(1) * multiple;
        };
        edge(ui, &mut size.width, text.width);
        ui.label("×");
        edge(ui, &mut size.height, text.height);
        let fitted = |aspect: f64| fit_into_multiples(native, aspect, multiple);
        let shown = ASPECTS.iter().find(|(_, a)| fitted(*a) == *size).map_or("…", |(name, _)| name);
        let aspect = egui::ComboBox::from_id_salt("aspect")
            .width(56.0)
            .selected_text(shown)
            .show_ui(ui, |ui| {
                for (name, aspect) in ASPECTS {
                    ui.selectable_value(size, fitted(aspect), name);
                }
            })
            .response;
        named(&aspect, text.aspect);
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
        // The longest seed fits, and so does the row.
        ui.spacing_mut().button_padding.x = 6.0;
        named(&seed_field(ui, seed), text.seed);
        if ui.button(text.new_seed).clicked() {
            actions.push(Action::RandomSeed);
        }
        ui.checkbox(locked, text.lock_seed);
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

/// The picture to start from, and how far to go.
fn source_ui(ui: &mut Ui, draft: &mut GenerationDraft, desk: &mut Desk, actions: &mut Vec<Action>) {
    let text = desk.text;
    let quiet = theme::quiet(ui.visuals().dark_mode);
    let Some(init) = &draft.init_image else {
        row(ui, text.source, |ui| {
            let choose = ui.button(text.source_choose);
            if choose.clicked() {
                actions.push(Action::ChooseSource);
            }
            choose
        });
        return;
    };
    let picture = init.picture.clone();
    let mut kept = true;
    row(ui, text.source, |ui| {
        ui.horizontal(|ui| {
            let (width, height) = (picture.width() as f32, picture.height() as f32);
            let scale = (72.0 / width).min(48.0 / height);
            let texture = desk.picture(ui, &picture);
            ui.add(egui::Image::new((texture, egui::vec2(width, height) * scale)).corner_radius(3.0));
            ui.label(RichText::new(format!("{width}×{height}")).small().color(quiet));
            kept = !ui.button(text.source_clear).clicked();
        })
        .response
    });
    if !kept {
        draft.init_image = None;
    }
    if let Some(init) = &mut draft.init_image {
        row(ui, text.strength, |ui| ui.add(Slider::new(&mut init.strength, 0.0..=1.0).fixed_decimals(2)));
    }
}
