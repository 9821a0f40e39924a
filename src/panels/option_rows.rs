//! Rows of options: numbers that may be left to the model, and lists of choices.

use std::cell::Cell;
use std::ops::RangeInclusive;

use egui::{Response, Ui};

use super::controls::{Icon, LABEL, icon_button, named, opens, row, tip};
use super::{Text, theme};

/// Width of a list of choices, points.
pub(super) const CHOICE: f32 = 172.0;
/// Widths of the field of a number, and of one of two in a row, points.
const NUMBER: f32 = 108.0;
const EDGE: f32 = 66.0;
/// Height of the fields, points.
pub(super) const HEIGHT: f32 = 28.0;

/// A grid of rows of a name and a control.
pub(super) fn grid(ui: &mut Ui, name: &str, content: impl FnOnce(&mut Ui)) {
    egui::Grid::new(name).num_columns(2).spacing([8.0, 8.0]).min_col_width(LABEL).show(ui, content);
}

/// A number that may be left to the model.
pub(super) struct Number<'a> {
    /// What is shown while it is not set.
    pub(super) unset: &'a str,
    pub(super) range: RangeInclusive<f64>,
    /// The value from which it is dragged when it is not set.
    pub(super) start: f64,
    /// Change per point of a drag.
    pub(super) speed: f64,
}

/// A row of one number. `words`: its name and its tooltip.
pub(super) fn number_row(
    ui: &mut Ui,
    text: &Text,
    words: [&str; 2],
    number: &Number<'_>,
    value: &mut Option<f64>,
) {
    let [name, hint] = words;
    row(ui, name, |ui| {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 4.0;
            named(&tip(number_field(ui, NUMBER, number, value), hint, ""), name);
            if value.is_some() && back_button(ui, text, name) {
                *value = None;
            }
        })
        .response
    });
}

/// A row of two numbers, which are called `parts`.
pub(super) fn pair_row(
    ui: &mut Ui,
    text: &Text,
    [name, hint]: [&str; 2],
    parts: [&str; 2],
    numbers: &[Number<'_>; 2],
    values: &mut [Option<f64>; 2],
) {
    row(ui, name, |ui| {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 4.0;
            for ((part, number), value) in parts.iter().zip(numbers).zip(values.iter_mut()) {
                let field = number_field(ui, EDGE, number, value);
                named(&tip(field, hint, ""), format!("{name}: {part}"));
            }
            if *values != [None, None] && back_button(ui, text, name) {
                *values = [None, None];
            }
        })
        .response
    });
}

/// A number to drag or to type; dimmed while it is not set.
fn number_field(ui: &mut Ui, width: f32, number: &Number<'_>, value: &mut Option<f64>) -> Response {
    let before = *value;
    let shown = before.unwrap_or(number.start);
    let mut dragged = shown;
    let typed = Cell::new(false);
    let response = ui.scope(|ui| {
        if before.is_none() {
            ui.visuals_mut().override_text_color = Some(theme::quiet(ui.visuals().dark_mode));
        }
        let field = egui::DragValue::new(&mut dragged)
            .range(number.range.clone())
            .speed(number.speed)
            .update_while_editing(false)
            .custom_formatter(|value, _| {
                if before.is_none() && value == number.start {
                    number.unset.to_owned()
                } else {
                    value.to_string()
                }
            })
            .custom_parser(|words| {
                let number = words.trim().parse::<f64>().ok().filter(|number| number.is_finite());
                typed.set(number.is_some());
                number
            });
        ui.add_sized([width, HEIGHT], field)
    });
    if typed.get() || dragged != shown {
        *value = Some(dragged);
    }
    response.inner
}

fn back_button(ui: &mut Ui, text: &Text, name: &str) -> bool {
    icon_button(ui, Icon::Cross, None, HEIGHT, &format!("{name}: {}", text.back_to_own), "").clicked()
}

/// A list of choices. `wider`: points that it is wider than usual.
pub(super) fn choose<T: Copy + PartialEq>(
    ui: &mut Ui,
    id: &str,
    wider: f32,
    value: &mut T,
    names: &[(T, &str)],
) -> Response {
    let shown = names.iter().find(|(kind, _)| kind == value).map_or("", |(_, name)| name);
    let list = egui::ComboBox::from_id_salt(id)
        .width(CHOICE + wider)
        .height(400.0)
        .truncate()
        .selected_text(shown)
        .show_ui(ui, |ui| {
            for (kind, name) in names {
                ui.selectable_value(value, *kind, *name);
            }
        });
    opens(&list);
    list.response
}
