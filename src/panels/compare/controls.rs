//! How a comparison begins, and the controls below it.

use egui::{Button, RichText, Ui, UiBuilder, Vec2};

use super::draw::{has_difference, mode_of};
use super::facts::decibels;
use super::side_words;
use crate::panels::controls::{Icon, choices, icon_button, named, opens, rails, segment, tip};
use crate::panels::desk::Desk;
use crate::panels::pair_view::{PairMode, PairQuantity, RATES};
use crate::panels::theme;
use crate::session::{Action, CompareAction, Document, Session, Side};

/// Width from which sliders have room beside the buttons, points.
const SLIDERS: f32 = 190.0;

/// Whether the easel shows a step of a finished run.
fn shows_step(session: &Session) -> bool {
    session.on_easel().is_some_and(|document| {
        document.place().is_some() && !document.is_drawing() && document.final_latent().is_some()
    })
}

/// The entries of a menu that begin a comparison.
pub(in crate::panels) fn start_ui(ui: &mut Ui, session: &Session, desk: &Desk, actions: &mut Vec<Action>) {
    let text = desk.text;
    let choose = Button::new(text.compare_with).right_text(RichText::new("C").small().weak());
    if ui.add_enabled(can_choose(session), choose).clicked() {
        actions.push(Action::Compare(CompareAction::ChooseShown));
    }
    if shows_step(session) && ui.button(text.compare_with_final).clicked() {
        actions.push(Action::Compare(CompareAction::ChooseFinal));
    }
}

/// The button beside a step that compares it with the final picture.
pub(in crate::panels) fn step_button_ui(
    ui: &mut Ui,
    session: &Session,
    desk: &Desk,
    actions: &mut Vec<Action>,
) {
    if session.first_compared().is_some() || !shows_step(session) {
        return;
    }
    let name = desk.text.compare_with_final;
    if icon_button(ui, Icon::Halves, None, 28.0, name, "").clicked() {
        actions.push(Action::Compare(CompareAction::ChooseFinal));
    }
}

/// The line over the easel while a second is to be chosen.
pub(in crate::panels) fn choose_ui(
    ui: &mut Ui,
    session: &Session,
    desk: &Desk,
    room: egui::Rect,
    actions: &mut Vec<Action>,
) {
    let Some(first) = session.first_compared() else { return };
    let (text, dark) = (desk.text, ui.visuals().dark_mode);
    let line = room.with_max_y(room.top() + 36.0);
    ui.painter().rect_filled(line, 0.0, theme::raised(dark));
    let layout = egui::Layout::left_to_right(egui::Align::Center);
    let inner = line.shrink2(Vec2::new(12.0, 4.0));
    let mut ui = ui.new_child(UiBuilder::new().id_salt("choose second").max_rect(inner).layout(layout));
    let (mark, _) = ui.allocate_exact_size(Vec2::splat(8.0), egui::Sense::hover());
    ui.painter().rect_filled(mark, 2.0, super::colours(dark)[0]);
    let buttons = if shows_step(session) { 180.0 } else { 36.0 };
    let width = (ui.available_width() - buttons).max(60.0);
    let words = text.choose_second.replacen("{}", &side_words(first, text), 1);
    ui.allocate_ui_with_layout(Vec2::new(width, ui.available_height()), layout, |ui| {
        ui.set_min_width(width);
        ui.add(egui::Label::new(RichText::new(&words).small()).truncate());
    });
    if shows_step(session) {
        let last = ui.button(text.final_picture);
        if tip(last, text.compare_with_final, "").clicked() {
            actions.push(Action::Compare(CompareAction::ChooseFinal));
        }
    }
    if icon_button(&mut ui, Icon::Cross, None, 24.0, text.end_comparison, "Esc").clicked() {
        actions.push(Action::Compare(CompareAction::End));
    }
}

/// The buttons for the ways of comparing, in place of those of the views.
pub(in crate::panels) fn modes_ui(ui: &mut Ui, desk: &mut Desk, sides: &[Side]) {
    let text = desk.text;
    if let [first, second] = sides {
        let shown = mode_of(desk, sides);
        for (mode, name, why, key) in [
            (PairMode::Beside, text.pair_beside, text.pair_beside_hint, "S"),
            (PairMode::Wipe, text.wipe_view, text.pair_wipe_hint, "W"),
            (PairMode::Blink, text.pair_blink, text.pair_blink_hint, "K"),
            (PairMode::Difference, text.pair_difference, text.pair_difference_hint, "D"),
        ] {
            let before = std::mem::replace(&mut desk.compare.mode, mode);
            let able = mode_of(desk, sides) == mode;
            desk.compare.mode = before;
            let response = segment(ui, shown == mode, able, name);
            let why = match mode {
                PairMode::Difference if !has_difference(desk, [first, second]) => text.pair_no_difference,
                _ if !able => text.pair_other_proportions,
                _ => why,
            };
            if tip(response, why, key).clicked() {
                desk.compare.choose(mode, desk.reduced_motion);
            }
        }
        ui.separator();
    }
    for (quantity, name, why) in [
        (PairQuantity::Picture, text.picture, text.picture_hint),
        (PairQuantity::Latent, text.enlarger, text.pair_latent_view_hint),
    ] {
        let able = quantity == PairQuantity::Picture || sides.iter().all(|side| side.latent.is_some());
        let response = segment(ui, desk.compare.quantity == quantity, able, name);
        if tip(response, why, "T").clicked() {
            desk.compare.quantity = quantity;
        }
    }
    if desk.compare.quantity == PairQuantity::Latent {
        channel_ui(ui, desk, sides);
    }
    if ui.available_width() < SLIDERS || sides.len() < 2 {
        return;
    }
    match mode_of(desk, sides) {
        PairMode::Wipe => {
            rails(ui);
            ui.spacing_mut().slider_width = 72.0;
            let slider = ui.add(egui::Slider::new(&mut desk.wipe, 0.0..=1.0).show_value(false));
            named(&slider, text.pair_wipe_line);
            tip(slider, text.pair_wipe_line, "Shift+← →");
        }
        PairMode::Blink => {
            let icon = if desk.compare.is_paused { Icon::Play } else { Icon::Pause };
            let name = if desk.compare.is_paused { text.pair_blink_play } else { text.pause_steps };
            if icon_button(ui, icon, None, 26.0, name, "").clicked() {
                desk.compare.is_paused = !desk.compare.is_paused;
            }
            rails(ui);
            ui.spacing_mut().slider_width = 56.0;
            let slider = ui.add(egui::Slider::new(&mut desk.compare.rate, RATES).show_value(false));
            named(&slider, text.pair_rate);
            tip(slider, &format!("{}: {:.1}", text.pair_rate, desk.compare.rate), "");
        }
        PairMode::Beside | PairMode::Difference => {}
    }
}

/// The menu of the latents' channels.
fn channel_ui(ui: &mut Ui, desk: &mut Desk, sides: &[Side]) {
    let text = desk.text;
    let count = |side: &Side| side.latent.as_ref().map_or(0, |latent| latent.shape().channels);
    let channels = sides.iter().map(count).min().unwrap_or_default();
    let name = |channel: Option<usize>| match channel {
        Some(channel) => format!("{} {channel}", text.channel),
        None => text.pair_all_channels.to_owned(),
    };
    let chosen = desk.compare.channel.filter(|channel| *channel < channels);
    let menu = ui.menu_button(format!("{} ▾", name(chosen)), |ui| {
        choices(ui);
        egui::ScrollArea::vertical().max_height(320.0).show(ui, |ui| {
            for channel in std::iter::once(None).chain((0..channels).map(Some)) {
                if ui.radio(chosen == channel, name(channel)).clicked() {
                    desk.compare.channel = channel;
                }
            }
        });
    });
    opens(&menu);
    named(&menu.response, text.component_choice);
    tip(menu.response, text.component_choice, "");
}

/// The figures of what is shown, for the line beside the film strip; `None` if nothing is compared.
pub(in crate::panels) fn figures_words(session: &Session, desk: &Desk) -> Option<String> {
    let sides = super::shown_sides(session, desk);
    if sides.len() < 2 {
        return None;
    }
    let text = desk.text;
    let Some(figures) = session.pair_figures() else { return Some(text.pair_computing.to_owned()) };
    Some(match (desk.compare.quantity, &figures.pictures, &figures.latents) {
        (PairQuantity::Picture, Some(difference), _) => {
            let ssim = difference.ssim.map(|ssim| format!(" · SSIM {ssim:.3}")).unwrap_or_default();
            format!("{}{ssim}", decibels(Some(difference.psnr), text))
        }
        (PairQuantity::Latent, _, Some(difference)) => {
            let relative = difference.relative_l2.map_or("–".to_owned(), |share| format!("{share:.3}"));
            format!("L2 {relative} · {}", decibels(difference.psnr, text))
        }
        _ => text.comparison.to_owned(),
    })
}

/// Whether something is on the easel that can be the first of two.
pub(super) fn can_choose(session: &Session) -> bool {
    let has_content = |document: &Document| {
        document.inspector().latent.is_some() || document.file().is_some_and(|file| file.source.is_some())
    };
    session.on_easel().is_some_and(has_content)
}
