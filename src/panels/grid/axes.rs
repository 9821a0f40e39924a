//! The rows in which the axes of a grid are typed.

use egui::{Align, Layout, TextEdit, Ui, Vec2};

use super::setting_name;
use crate::catalog::{ModelSource, SamplerKind, ScheduleKind};
use crate::panels::Text;
use crate::panels::controls::{field_tip, named, opens, quiet, tip};
use crate::panels::desk::Desk;
use crate::panels::grid_page::{AxisField, quoted};
use crate::panels::option_rows::choose;
use crate::request::grid::GridSetting;
use crate::session::Session;

/// Width of the names of the axes, points.
const NAME: f32 = 64.0;
/// Width of the button of the list of values, points.
const LIST: f32 = 29.0;
const HEIGHT: f32 = 26.0;

/// The names of the axes.
pub(super) fn names(text: &Text) -> [&'static str; 3] {
    [text.grid_columns, text.grid_rows, text.grid_pages]
}

pub(super) fn axes_ui(ui: &mut Ui, session: &Session, desk: &mut Desk) {
    let text = desk.text;
    let models: Vec<ModelSource> = std::iter::once(ModelSource::Builtin)
        .chain(session.recent_models().iter().map(|recent| ModelSource::Folder(recent.folder.clone())))
        .collect();
    ui.add_enabled_ui(!session.draws_grid(), |ui| {
        for (at, name) in names(text).into_iter().enumerate() {
            ui.horizontal(|ui| {
                ui.spacing_mut().item_spacing.x = 8.0;
                let layout = Layout::left_to_right(Align::Center);
                ui.allocate_ui_with_layout(Vec2::new(NAME, HEIGHT), layout, |ui| {
                    ui.set_min_size(Vec2::new(NAME, HEIGHT));
                    quiet(ui, name);
                });
                axis_ui(ui, session, desk, at, name, &models);
            });
        }
    });
}

fn axis_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, at: usize, name: &str, models: &[ModelSource]) {
    let text = desk.text;
    let mut setting = desk.grid.fields[at].setting;
    let settings = GridSetting::ALL.map(|setting| (Some(setting), setting_name(setting, text)));
    let all: Vec<_> = std::iter::once((None, text.grid_not_varied)).chain(settings).collect();
    let chosen = choose(ui, &format!("grid axis {at}"), -36.0, &mut setting, &all);
    named(&chosen, format!("{name}: {}", text.grid_setting));
    desk.grid.fields[at].vary(setting, session.draft());
    let Some(setting) = setting else { return };
    let field = &mut desk.grid.fields[at];
    let has_list = matches!(setting, GridSetting::Sampler | GridSetting::Schedule | GridSetting::Model);
    let list = if has_list { LIST + ui.spacing().item_spacing.x } else { 0.0 };
    let hint = if setting == GridSetting::Words { text.grid_words_hint } else { setting.example() };
    let edit = TextEdit::singleline(&mut field.typed).hint_text(hint);
    let typed = ui.add_sized([(ui.available_width() - list).max(80.0), HEIGHT], edit);
    named(&typed, format!("{name}: {}", text.grid_values));
    let about = if setting == GridSetting::Words { text.grid_words_hint } else { text.grid_values_hint };
    field_tip(&typed, about);
    if has_list {
        let menu = ui.menu_button("+", |ui| {
            egui::ScrollArea::vertical()
                .max_height(320.0)
                .show(ui, |ui| values_ui(ui, field, setting, models));
        });
        opens(&menu);
        named(&menu.response, format!("{name}: {}", text.grid_add));
        tip(menu.response, text.grid_add, "");
    }
}

/// The values that can be added to a list.
fn values_ui(ui: &mut Ui, field: &mut AxisField, setting: GridSetting, models: &[ModelSource]) {
    let values: Vec<(String, String)> = match setting {
        GridSetting::Sampler => {
            SamplerKind::ALL.map(|kind| (kind.name().to_owned(), kind.id().to_owned())).to_vec()
        }
        GridSetting::Schedule => {
            ScheduleKind::ALL.map(|kind| (kind.name().to_owned(), kind.id().to_owned())).to_vec()
        }
        _ => {
            let value = |model: &ModelSource| match model.path() {
                Some(path) => quoted(&path.display().to_string()),
                None => "builtin".to_owned(),
            };
            models.iter().map(|model| (model.short_name(), value(model))).collect()
        }
    };
    for (name, value) in values {
        if ui.button(name).clicked() {
            field.add(&value);
        }
    }
}
