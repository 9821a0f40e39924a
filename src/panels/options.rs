//! Further settings of the next picture: sampler, schedule, and the options that the model has.

use egui::{RichText, Ui};

use super::controls::{field_tip, row, tip};
use super::desk::Desk;
use super::levels_field::LevelsKind;
use super::option_rows::{CHOICE, HEIGHT, Number, choose, grid, number_row, pair_row};
use super::{Text, theme};
use crate::catalog::{ImageSize, ModelProfile, PredictionType, SamplerKind, ScheduleKind};
use crate::request::{GenerationDraft, PromptOptions, SamplingOptions, SkipLayers};
use crate::session::{Action, Session};

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

/// The rows of skip-layer guidance, for a model that has it.
fn skip_ui(ui: &mut Ui, profile: &ModelProfile, desk: &mut Desk, draft: &mut GenerationDraft, wider: f32) {
    let (text, language) = (desk.text, desk.language);
    let (field, skip) = (&mut desk.skip, &mut draft.prompt_options.skip_layers);
    field.follow(*skip, profile);
    let mut wrong = None;
    grid(ui, "skipped layers", |ui| {
        row(ui, text.skip_layers, |ui| {
            let edit = egui::TextEdit::singleline(&mut field.typed).hint_text("7, 8, 9");
            let edit = ui.add_sized([CHOICE + wider, HEIGHT], edit);
            field_tip(&edit, text.skip_layers_hint);
            edit
        });
        match field.read(*skip, profile, language) {
            Ok(read) => *skip = read,
            Err(why) => {
                *skip = None;
                wrong = Some(why);
            }
        }
        let Some(skip) = skip else { return };
        let own = SkipLayers::new(skip.layers);
        let most = GenerationDraft::MAX_GUIDANCE_SCALE;
        let scale = Number { unset: text.automatic, range: 0.0..=most, start: own.scale, speed: 0.02 };
        let mut set = Some(skip.scale).filter(|scale| *scale != own.scale);
        number_row(ui, text, [text.skip_scale, text.skip_scale_hint], &scale, &mut set);
        skip.scale = set.unwrap_or(own.scale);
        let ends = [own.start, own.end].map(|start| Number {
            unset: text.automatic,
            range: 0.0..=1.0,
            start,
            speed: 0.005,
        });
        let mut set = [
            Some(skip.start).filter(|start| *start != own.start),
            Some(skip.end).filter(|end| *end != own.end),
        ];
        let words = [text.skip_range, text.skip_range_hint];
        pair_row(ui, text, words, [text.skip_start, text.skip_end], &ends, &mut set);
        [skip.start, skip.end] = [set[0].unwrap_or(own.start), set[1].unwrap_or(own.end)];
    });
    if let Some(why) = wrong {
        let words = text.levels_wrong.replace("{}", &why);
        ui.label(RichText::new(words).small().color(theme::warning(ui.visuals().dark_mode)));
    }
}
