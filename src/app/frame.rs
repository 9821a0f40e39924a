//! One frame of the window: input, the panels, and the actions they return.

use super::monitor::fit_to_monitor;
use super::window::{TITLE, Window, theme_preference};
use crate::panels::{theme, window_ui};
use crate::request::Picture;
use crate::session::Action;

/// Opens files that were dropped. One that was dropped on the row of the source becomes the source.
fn take_dropped(window: &mut Window, ctx: &egui::Context) {
    let Some((mut paths, place)) = window.dropping.take(ctx) else { return };
    if place.is_some_and(|place| window.desk.takes_source_at(place)) {
        window.open_source(paths.remove(0));
    }
    if !paths.is_empty() {
        window.session.apply(Action::OpenPaths(paths));
    }
}

fn take_pasted(window: &mut Window, ctx: &egui::Context) {
    let pasted = ctx.input(|input| {
        input.events.iter().find_map(|event| match event {
            egui::Event::PasteImage(image) => Some(image.clone()),
            _ => None,
        })
    });
    if let Some(image) = pasted {
        let rgb: Vec<u8> = image.pixels.iter().flat_map(|p| [p.r(), p.g(), p.b()]).collect();
        if let Ok(picture) = Picture::new(image.size[0], image.size[1], rgb) {
            let name = window.desk.text.pasted.to_owned();
            window.session.apply(Action::OpenPicture(picture, name));
        }
    }
}

/// Shows the progress in the window's title, and of all pictures in the task bar.
fn show_progress(window: &mut Window, ctx: &egui::Context) {
    let title = match window.session.running() {
        None => TITLE.to_owned(),
        Some(running) => {
            let [at, of] = window.session.series();
            let series = if of > 1 { format!("{at}/{of} · ") } else { String::new() };
            format!("{series}{:.0} % · {TITLE}", running.progress() * 100.0)
        }
    };
    window.services.show_progress(window.session.progress_of_all());
    if title != window.title {
        ctx.send_viewport_cmd(egui::ViewportCommand::Title(title.clone()));
        window.title = title;
    }
}

/// Applies the language, theme and motion that the panels have set.
fn apply_choices(window: &mut Window, ctx: &egui::Context) {
    window.keep_runs_as_chosen();
    window.settings.language = window.desk.language;
    if window.settings.reduced_motion != window.desk.reduced_motion {
        window.settings.reduced_motion = window.desk.reduced_motion;
        theme::set_motion(ctx, window.desk.reduced_motion);
    }
    if window.settings.theme != window.desk.theme {
        window.settings.theme = window.desk.theme;
        ctx.set_theme(theme_preference(window.desk.theme));
    }
}

impl eframe::App for Window {
    fn logic(&mut self, ctx: &egui::Context, _: &mut eframe::Frame) {
        self.poll(ctx);
        take_dropped(self, ctx);
        take_pasted(self, ctx);
        self.confirm_close(ctx);
        self.run_effects(ctx);
        // Here and not in `ui`, which is not called for a window that is minimised.
        show_progress(self, ctx);
        self.keep_settings();
    }

    fn raw_input_hook(&mut self, ctx: &egui::Context, input: &mut egui::RawInput) {
        if self.input_order.keep(&mut input.events) {
            ctx.request_repaint();
        }
    }

    fn ui(&mut self, ui: &mut egui::Ui, _: &mut eframe::Frame) {
        // For checks of a package, and to time the start.
        if ui.ctx().cumulative_frame_nr() == 1 && ui.ctx().current_pass_index() == 0 {
            log::info!("the window has shown its first frame");
        }
        self.desk.keys_are_taken = self.questions.captures_keys();
        let actions = window_ui(ui, &self.session, &mut self.desk);
        let ctx = ui.ctx().clone();
        self.ask_questions(&ctx);
        // Edits first, so that a job queued in the same frame uses the text typed in it.
        let (edits, others): (Vec<_>, Vec<_>) =
            actions.into_iter().partition(|action| matches!(action, Action::Edit(_) | Action::SetBatch(..)));
        for action in edits.into_iter().chain(others) {
            self.session.apply(action);
        }
        apply_choices(self, &ctx);
        self.run_effects(&ctx);
        self.is_fitted = self.is_fitted || fit_to_monitor(&ctx);
        if let Some(rect) = ctx.input(|input| input.viewport().inner_rect) {
            self.settings.window_size = [rect.width(), rect.height()];
        }
    }

    fn on_exit(&mut self) {
        self.end();
    }
}
