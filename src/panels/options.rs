//! Further settings of the next picture: sampler, schedule, and the options that the model has.

use std::cell::Cell;
use std::ops::RangeInclusive;

use egui::{Response, RichText, Ui};

use super::controls::{Icon, LABEL, field_tip, icon_button, named, row, tip};
use super::desk::Desk;
use super::levels_field::LevelsKind;
use super::skip_field::skip_ui;
use super::{Text, theme};
use crate::catalog::{ImageSize, ModelProfile, PredictionType, SamplerKind, ScheduleKind};
use crate::request::{GenerationDraft, PromptOptions, SamplingOptions};
use crate::session::{Action, Session};

/// Width of a list of choices, points.
pub(super) const CHOICE: f32 = 172.0;
/// Widths of the field of a number, and of one of two in a row, points.
const NUMBER: f32 = 108.0;
const EDGE: f32 = 66.0;
/// Height of the fields, points.
pub(super) const HEIGHT: f32 = 28.0;

/// The options that the loaded model has; all others are hidden.
struct Has {
    shift: bool,
    rescale: bool,
    true_guidance: bool,
    clip_layers: usize,
    max_tokens: Option<usize>,
    size_conditions: bool,
    skips_layers: bool,
}

impl Has {
    fn of(profile: &ModelProfile) -> Self {
        let features = profile.prompt_features;
        Self {
            shift: profile.prediction == PredictionType::Flow,
            rescale: profile.can_be_guided_classifier_free(),
            true_guidance: features.true_guidance,
            clip_layers: features.clip_layers,
            max_tokens: features.max_tokens,
            size_conditions: features.size_conditions,
            skips_layers: features.skip_layers > 0,
        }
    }
}

/// The settings below the usual ones. `wider`: points that the panel is wider than its least width.
pub(super) fn more_ui(
    ui: &mut Ui,
    session: &Session,
    desk: &mut Desk,
    draft: &mut GenerationDraft,
    wider: f32,
    actions: &mut Vec<Action>,
) {
    let text = desk.text;
    // Options that are set are counted, so that none is forgotten in the closed part.
    let title = match session.profile().map_or(0, |profile| options_set(draft, profile)) {
        0 => text.more.to_owned(),
        count => format!("{} · {count}", text.more),
    };
    let more = egui::CollapsingHeader::new(title).id_salt("more settings").show_unindented(ui, |ui| {
        grid(ui, "more", |ui| {
            row(ui, text.sampler, |ui| {
                let names = SamplerKind::ALL.map(|kind| (kind, kind.name()));
                tip(choose(ui, "sampler", wider, &mut draft.sampler, &names), text.sampler_hint, "")
            });
            let is_listed = draft.options.levels.is_some();
            row(ui, text.schedule, |ui| {
                let names = ScheduleKind::ALL.map(|kind| (kind, kind.name()));
                let chosen = &mut draft.schedule;
                let shown = ui.add_enabled_ui(!is_listed, |ui| choose(ui, "schedule", wider, chosen, &names));
                shown.inner.on_hover_text(text.schedule_hint).on_disabled_hover_text(text.levels_instead)
            });
            let Some(profile) = session.profile() else { return };
            options_ui(ui, text, &Has::of(profile), draft);
        });
        let Some(profile) = session.profile() else { return };
        let advanced = egui::CollapsingHeader::new(text.advanced).id_salt("advanced settings");
        let advanced = advanced.show_unindented(ui, |ui| {
            levels_ui(ui, profile, desk, draft, wider);
            if Has::of(profile).skips_layers {
                skip_ui(ui, profile, desk, draft, wider);
            }
            if profile.prediction_is_open {
                prediction_ui(ui, text, draft.model.prediction(), wider, actions);
            }
            if Has::of(profile).size_conditions {
                grid(ui, "sizes", |ui| sizes_ui(ui, text, draft.size, &mut draft.prompt_options));
            }
        });
        tip(advanced.header_response, text.advanced_hint, "");
    });
    tip(more.header_response, text.more_hint, "");
}

pub(super) fn grid(ui: &mut Ui, name: &str, content: impl FnOnce(&mut Ui)) {
    egui::Grid::new(name).num_columns(2).spacing([8.0, 8.0]).min_col_width(LABEL).show(ui, content);
}

/// How many options have an effect on a run of the model.
fn options_set(draft: &GenerationDraft, profile: &ModelProfile) -> usize {
    let run = draft.clone().for_run(profile);
    let SamplingOptions { eta, guidance_rescale, shift, levels } = &run.options;
    let prompt = &run.prompt_options;
    [
        eta.is_some(),
        *guidance_rescale != 0.0,
        shift.is_some(),
        levels.is_some(),
        prompt.clip_skip.is_some(),
        prompt.max_tokens.is_some(),
        prompt.true_guidance_scale.is_some(),
        prompt.original_size.is_some(),
        prompt.crop != [0; 2],
        prompt.target_size.is_some(),
        prompt.skip_layers.is_some(),
        draft.model.prediction().is_some() && profile.prediction_is_open,
    ]
    .into_iter()
    .filter(|is_set| *is_set)
    .count()
}

/// A row for each option that the model or the sampler has.
fn options_ui(ui: &mut Ui, text: &Text, has: &Has, draft: &mut GenerationDraft) {
    let (options, prompt) = (&mut draft.options, &mut draft.prompt_options);
    if draft.sampler.takes_eta() {
        let start = if draft.sampler.is_stochastic() { 1.0 } else { 0.0 };
        let number = Number { unset: text.automatic, range: 0.0..=1.0, start, speed: 0.01 };
        number_row(ui, text, [text.eta, text.eta_hint], &number, &mut options.eta);
    }
    if has.shift {
        let range = GenerationDraft::MIN_SHIFT..=GenerationDraft::MAX_SHIFT;
        let number = Number { unset: text.automatic, range, start: 3.0, speed: 0.05 };
        number_row(ui, text, [text.shift, text.shift_hint], &number, &mut options.shift);
    }
    if has.true_guidance {
        let range = 0.0..=GenerationDraft::MAX_GUIDANCE_SCALE;
        let number = Number { unset: text.off, range, start: 1.0, speed: 0.05 };
        let words = [text.true_guidance, text.true_guidance_hint];
        number_row(ui, text, words, &number, &mut prompt.true_guidance_scale);
    }
    if has.rescale {
        let number = Number { unset: text.off, range: 0.0..=1.0, start: 0.0, speed: 0.01 };
        let mut share = Some(options.guidance_rescale).filter(|share| *share != 0.0);
        number_row(ui, text, [text.rescale, text.rescale_hint], &number, &mut share);
        options.guidance_rescale = share.unwrap_or_default();
    }
    let mut whole_row = |words, most: usize, start: usize, value: &mut Option<usize>| {
        let range = 1.0..=most as f64;
        let number = Number { unset: text.automatic, range, start: start as f64, speed: 0.1 };
        let mut shown = value.map(|value| value as f64);
        number_row(ui, text, words, &number, &mut shown);
        *value = shown.map(|value| value.round() as usize);
    };
    if has.clip_layers > 0 {
        whole_row([text.clip_skip, text.clip_skip_hint], has.clip_layers, 1, &mut prompt.clip_skip);
    }
    if let Some(most) = has.max_tokens {
        whole_row([text.max_tokens, text.max_tokens_hint], most, most, &mut prompt.max_tokens);
    }
}

/// What the network predicts, for a model whose files do not say.
fn prediction_ui(
    ui: &mut Ui,
    text: &Text,
    now: Option<PredictionType>,
    wider: f32,
    actions: &mut Vec<Action>,
) {
    grid(ui, "prediction", |ui| {
        row(ui, text.prediction, |ui| {
            let kinds = [
                (None, text.automatic),
                (Some(PredictionType::Epsilon), text.prediction_epsilon),
                (Some(PredictionType::V), text.prediction_v),
                (Some(PredictionType::Flow), text.prediction_flow),
            ];
            let mut chosen = now;
            let response = choose(ui, "prediction", wider, &mut chosen, &kinds);
            if chosen != now {
                actions.push(Action::SetPrediction(chosen));
            }
            tip(response, text.prediction_hint, "")
        });
    });
}

/// The size conditioning of Stable Diffusion XL for a picture of this size.
fn sizes_ui(ui: &mut Ui, text: &Text, picture: ImageSize, prompt: &mut PromptOptions) {
    let most = PromptOptions::MAX_CONDITION_PX as f64;
    let size_row = |ui: &mut Ui, [name, hint]: [&str; 2], size: &mut Option<ImageSize>| {
        let mut edges = [size.map(|size| size.width as f64), size.map(|size| size.height as f64)];
        let starts = [picture.width as f64, picture.height as f64];
        let numbers =
            starts.map(|start| Number { unset: text.automatic, range: 1.0..=most, start, speed: 4.0 });
        pair_row(ui, text, [name, hint], [text.width, text.height], &numbers, &mut edges);
        // One edge that was set brings the other.
        *size = (edges != [None, None]).then(|| {
            let edge = |place: usize| edges[place].unwrap_or(starts[place]).round() as usize;
            ImageSize::new(edge(0), edge(1))
        });
    };
    size_row(ui, [text.original_size, text.original_size_hint], &mut prompt.original_size);
    let mut edges = prompt.crop.map(|pixels| Some(pixels as f64).filter(|pixels| *pixels != 0.0));
    let numbers = [(); 2].map(|()| Number { unset: "0", range: 0.0..=most, start: 0.0, speed: 1.0 });
    let words = [text.cut_off, text.cut_off_hint];
    pair_row(ui, text, words, [text.left_edge, text.top_edge], &numbers, &mut edges);
    prompt.crop = edges.map(|edge| edge.unwrap_or_default().round() as usize);
    size_row(ui, [text.target_size, text.target_size_hint], &mut prompt.target_size);
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

fn choose<T: Copy + PartialEq>(
    ui: &mut Ui,
    id: &str,
    wider: f32,
    value: &mut T,
    names: &[(T, &str)],
) -> Response {
    let shown = names.iter().find(|(kind, _)| kind == value).map_or("", |(_, name)| name);
    egui::ComboBox::from_id_salt(id)
        .width(CHOICE + wider)
        .height(400.0)
        .truncate()
        .selected_text(shown)
        .show_ui(ui, |ui| {
            for (kind, name) in names {
                ui.selectable_value(value, *kind, *name);
            }
        })
        .response
}

fn levels_ui(ui: &mut Ui, profile: &ModelProfile, desk: &mut Desk, draft: &mut GenerationDraft, wider: f32) {
    let (text, language) = (desk.text, desk.language);
    let field = &mut desk.levels;
    field.follow(draft.options.levels.as_ref(), profile);
    grid(ui, "levels", |ui| {
        row(ui, text.levels, |ui| {
            let kinds = [
                (LevelsKind::Schedule, text.levels_schedule),
                (LevelsKind::Sigmas, text.levels_sigmas),
                (LevelsKind::Timesteps, text.levels_timesteps),
            ];
            tip(choose(ui, "levels", wider, &mut field.kind, &kinds), text.levels_hint, "")
        });
        let (name, example) = match (field.kind, profile.prediction) {
            (LevelsKind::Schedule, _) => return,
            (LevelsKind::Sigmas, PredictionType::Flow) => (text.levels_sigmas, "1, 0.75, 0.5, 0.25"),
            (LevelsKind::Sigmas, _) => (text.levels_sigmas, "14.6, 5, 1.5, 0.4"),
            (LevelsKind::Timesteps, _) => (text.levels_timesteps, "999, 750, 500, 250"),
        };
        row(ui, name, |ui| {
            let edit = egui::TextEdit::singleline(&mut field.typed).hint_text(example);
            let edit = ui.add_sized([CHOICE + wider, HEIGHT], edit);
            field_tip(&edit, text.levels_list_hint);
            edit
        });
    });
    match field.read(profile, language) {
        Ok(levels) => draft.options.levels = levels,
        Err(why) => {
            draft.options.levels = None;
            let words = text.levels_wrong.replace("{}", &why);
            ui.label(RichText::new(words).small().color(theme::warning(ui.visuals().dark_mode)));
        }
    }
}
