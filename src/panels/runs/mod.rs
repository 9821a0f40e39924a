//! The gallery: the kept runs of all sessions in place of the easel, searched, filtered and chosen.

mod family;
mod filters;
mod grid;
mod meaning;

use std::collections::BTreeSet;

use egui::Ui;

use super::controls::{field_tip, named, quiet, segment, tip};
use super::desk::Desk;
use super::{Text, reel, theme};
use crate::session::history::{HistoryAction, RunId, RunStatus, RunSummary};
use crate::session::{Action, Document, GridAction, ReelOf, Session};

/// Seconds after which the list is read again while runs are being written.
const READ_AGAIN_SECS: f64 = 1.0;

pub(super) fn runs_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, actions: &mut Vec<Action>) {
    let is_family = session.history().family_view().is_some();
    let frame = egui::Frame::NONE.fill(theme::easel(ui.visuals().dark_mode));
    frame.inner_margin(if is_family { 0 } else { 12 }).show(ui, |ui| {
        let finished = session.documents().filter(|document: &&Document| document.run().is_some()).count();
        let now = ui.input(|input| input.time);
        let is_writing = is_writing(session);
        if desk.runs.seen != Some(finished) || (is_writing && now - desk.runs.read_at > READ_AGAIN_SECS) {
            (desk.runs.seen, desk.runs.read_at) = (Some(finished), now);
            actions.push(Action::History(HistoryAction::List));
        }
        if is_writing || session.running().is_some() {
            ui.ctx().request_repaint_after_secs(READ_AGAIN_SECS as f32);
        }
        if is_family {
            family::family_ui(ui, session, desk, actions);
            return;
        }
        top_ui(ui, session, desk, actions);
        ui.add_space(4.0);
        ui.horizontal_wrapped(|ui| filters::filters_ui(ui, session.history(), desk));
        desk.runs.list(session.history(), session.meaning(), now_ms());
        ui.add_space(4.0);
        chosen_ui(ui, session, desk, actions);
        ui.add_space(4.0);
        grid::grid_ui(ui, session, desk, actions);
    });
}

/// Whether a run of this session is not yet kept to its end.
fn is_writing(session: &Session) -> bool {
    let own: BTreeSet<&RunId> = session.documents().filter_map(Document::run).collect();
    let is_open = |run: &RunSummary| matches!(run.status, RunStatus::Running | RunStatus::Sampled);
    session.history().runs().iter().any(|run| is_open(run) && own.contains(&run.id))
}

fn now_ms() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| now.as_millis() as u64)
}

fn top_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, actions: &mut Vec<Action>) {
    let text = desk.text;
    ui.horizontal(|ui| {
        if desk.runs.by_meaning {
            meaning::field_ui(ui, session, desk, actions);
        } else {
            let search = &mut desk.runs.filter.search;
            let field =
                egui::TextEdit::singleline(search).hint_text(text.search_prompts).desired_width(280.0);
            let field = ui.add(field);
            named(&field, text.search_prompts);
            field_tip(&field, text.search_prompts);
            desk.runs.search_field = Some(field.id);
        }
        let by_meaning = segment(ui, desk.runs.by_meaning, true, text.find_by_meaning);
        if tip(by_meaning, text.find_by_meaning_hint, "").clicked() {
            desk.runs.by_meaning = !desk.runs.by_meaning;
        }
        if tip(ui.button(text.close), text.gallery_close_hint, "G").clicked() {
            desk.gallery = false;
        }
        if desk.runs.by_meaning {
            meaning::state_ui(ui, session, desk);
        } else {
            quiet(ui, count_words(session.history().runs().len(), desk.runs.listed.len(), text));
        }
    });
}

/// The number of pictures, and how many of them are listed.
fn count_words(all: usize, listed: usize, text: &Text) -> String {
    if listed == all { format!("{all} {}", text.pictures_kept) } else { format!("{listed} / {all}") }
}

/// What can be done with the chosen runs; with none, how they are chosen.
fn chosen_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, actions: &mut Vec<Action>) {
    let text = desk.text;
    ui.horizontal_wrapped(|ui| {
        ui.set_min_height(28.0);
        if desk.runs.chosen.is_empty() {
            quiet(ui, text.choose_runs_hint);
            return;
        }
        ui.label(format!("{}: {}", text.chosen, desk.runs.chosen.len()));
        if let Some(run) = desk.runs.only_chosen().cloned() {
            one_ui(ui, session, desk, &run, actions);
        }
        if let Some([first, second]) = desk.runs.two_chosen(session.history())
            && tip(ui.button(text.compare_runs), text.compare_runs_hint, "C").clicked()
        {
            actions.push(Action::History(HistoryAction::Compare(first, second)));
            desk.gallery = false;
        }
        if tip(ui.button(text.delete_runs), text.delete_runs_hint, "Delete").clicked() {
            actions.push(Action::History(HistoryAction::Delete(desk.runs.chosen.iter().cloned().collect())));
        }
        if tip(ui.button(text.choose_none), text.choose_none, "").clicked() {
            desk.runs.chosen.clear();
        }
    });
}

/// What can be done with one run.
fn one_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, run: &RunId, actions: &mut Vec<Action>) {
    let text = desk.text;
    if tip(ui.button(text.show_run), text.show_run_hint, "Enter").clicked() {
        open(desk, run, actions);
    }
    if tip(ui.button(text.restore), text.reuse_hint, "").clicked() {
        actions.push(Action::History(HistoryAction::UseSettings(run.clone())));
        desk.gallery = false;
    }
    let summary = session.history().runs().iter().find(|summary| summary.id == *run);
    if summary.is_some_and(can_go_on) && tip(ui.button(text.go_on), text.go_on_with_hint, "").clicked() {
        actions.push(Action::History(HistoryAction::GoOn(run.clone())));
        desk.gallery = false;
    }
    let has_steps = summary.is_some_and(|summary| summary.steps_kept > 0);
    let animation = ui.add_enabled(has_steps, egui::Button::new(text.save_reel));
    if tip(animation, text.save_reel_hint, "").clicked() {
        reel::open(desk, ReelOf::Run(run.clone()));
    }
    if summary.is_some_and(|run| session.has_grid(run))
        && tip(ui.button(text.open_grid), text.open_grid_hint, "").clicked()
    {
        open_grid(desk, run, actions);
    }
    if has_family(session, run) && tip(ui.button(text.family_tree), text.family_tree_hint, "").clicked() {
        show_family(desk, run, actions);
    }
    if summary.is_some_and(|run| run.status == RunStatus::Finished)
        && tip(ui.button(text.more_like_this), text.more_like_this_hint, "").clicked()
    {
        meaning::more_like(desk, run, actions);
    }
    if tip(ui.button(text.show_in_folder), text.show_in_folder_hint, "").clicked() {
        actions.push(Action::History(HistoryAction::ShowInFolder(run.clone())));
    }
}

/// Whether a run went on from another, or another from it.
fn has_family(session: &Session, run: &RunId) -> bool {
    let is_of_it = |other: &RunSummary| match &other.origin {
        Some(origin) => origin.run == *run || other.id == *run,
        None => false,
    };
    session.history().runs().iter().any(is_of_it)
}

fn show_family(desk: &mut Desk, run: &RunId, actions: &mut Vec<Action>) {
    desk.runs.scrolls = true;
    actions.push(Action::History(HistoryAction::ShowFamily(run.clone())));
}

/// Opens the grid of which a run is a picture.
fn open_grid(desk: &mut Desk, run: &RunId, actions: &mut Vec<Action>) {
    actions.push(Action::Grid(GridAction::Open(run.clone())));
    super::grid::open(desk);
}

/// Whether steps are left to take.
fn can_go_on(run: &RunSummary) -> bool {
    run.steps_done < run.steps_planned
}

/// Shows a run on the easel.
fn open(desk: &mut Desk, run: &RunId, actions: &mut Vec<Action>) {
    actions.push(Action::History(HistoryAction::Show(run.clone())));
    desk.gallery = false;
}
