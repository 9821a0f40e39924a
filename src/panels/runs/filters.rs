//! The filters of the gallery.

use egui::Ui;

use crate::panels::Text;
use crate::panels::controls::{choices, named, opens, tip};
use crate::panels::desk::Desk;
use crate::session::history::{RunAge, RunFilter, RunHistory, RunKind};

pub(super) fn filters_ui(ui: &mut Ui, history: &RunHistory, desk: &mut Desk) {
    let text = desk.text;
    let filter = &mut desk.runs.filter;
    let models = history.values(|run| Some(run.model_name.clone()));
    choose(ui, text.model, &mut filter.model, models, text.all, Clone::clone);
    let families = history.values(|run| Some(run.family.clone()));
    choose(ui, text.family, &mut filter.family, families, text.all, Clone::clone);
    let sizes = history.values(|run| run.size.map(|size| (size.width, size.height)));
    let size_words = |(width, height): &(usize, usize)| format!("{width}×{height}");
    choose(ui, text.size, &mut filter.size, sizes, text.all, size_words);
    let kinds = RunKind::ALL.map(|kind| (kind, kind_words(kind, text)));
    menu(ui, text.run_kind, &mut filter.kind, &kinds);
    let ages = RunAge::ALL.map(|age| (age, age_words(age, text)));
    menu(ui, text.run_age, &mut filter.age, &ages);
    let stars: Vec<(u8, String)> = (0..=5).map(|stars| (stars, stars_words(stars, text))).collect();
    let stars: Vec<(u8, &str)> = stars.iter().map(|(stars, words)| (*stars, words.as_str())).collect();
    menu(ui, text.stars, &mut filter.stars, &stars);
    let is_filtered = *filter != RunFilter::default();
    ui.add_enabled_ui(is_filtered, |ui| {
        if tip(ui.button(text.show_all), text.show_all_hint, "").clicked() {
            *filter = RunFilter::default();
        }
    });
}

/// A menu of values that the runs have, and all of them.
fn choose<T: Clone + PartialEq>(
    ui: &mut Ui,
    name: &str,
    chosen: &mut Option<T>,
    values: Vec<T>,
    all: &str,
    words: impl Fn(&T) -> String,
) {
    let names: Vec<(Option<T>, String)> = std::iter::once((None, all.to_owned()))
        .chain(values.into_iter().map(|value| (Some(value.clone()), words(&value))))
        .collect();
    let names: Vec<(Option<T>, &str)> =
        names.iter().map(|(value, name)| (value.clone(), name.as_str())).collect();
    menu(ui, name, chosen, &names);
}

fn menu<T: Clone + PartialEq>(ui: &mut Ui, name: &str, chosen: &mut T, values: &[(T, &str)]) {
    let shown = values.iter().find(|(value, _)| value == chosen).map_or("", |(_, name)| name);
    let menu = ui.menu_button(format!("{name}: {shown} ▾"), |ui| {
        choices(ui);
        egui::ScrollArea::vertical().max_height(320.0).show(ui, |ui| {
            for (value, name) in values {
                if ui.radio(value == chosen, *name).clicked() {
                    *chosen = value.clone();
                }
            }
        });
    });
    opens(&menu);
    named(&menu.response, name);
    tip(menu.response, name, "");
}

fn kind_words(kind: RunKind, text: &Text) -> &'static str {
    match kind {
        RunKind::All => text.all,
        RunKind::FromWords => text.runs_from_words,
        RunKind::FromPicture => text.runs_from_pictures,
        RunKind::Fork => text.runs_forked,
        RunKind::Unfinished => text.runs_unfinished,
    }
}

fn age_words(age: RunAge, text: &Text) -> &'static str {
    match age {
        RunAge::All => text.all,
        RunAge::Day => text.last_day,
        RunAge::Week => text.last_week,
        RunAge::Month => text.last_month,
    }
}

fn stars_words(stars: u8, text: &Text) -> String {
    match stars {
        0 => text.all.to_owned(),
        5 => "★".repeat(5),
        stars => format!("{}+", "★".repeat(stars.into())),
    }
}
