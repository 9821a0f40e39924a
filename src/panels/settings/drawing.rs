//! Device, threads, memory and previews.

use egui::{DragValue, Ui};

use crate::panels::controls::{named, tip};
use crate::panels::desk::{Desk, PreviewMethod};
use crate::panels::page_rows::{note, radios, row};
use crate::panels::{Text, top};
use crate::request::DeviceChoice;
use crate::session::{Action, ModelState, Session};

/// Proposed limit on memory where the free memory is not known, GiB.
const USUAL_LIMIT: u64 = 8;
/// Greatest limit on memory, GiB.
const MOST_MEMORY: u64 = 4096;

pub(super) fn drawing_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, actions: &mut Vec<Action>) {
    let text = desk.text;
    let current = session.engine_settings();
    let mut engine = desk.settings.engine.unwrap_or(current);
    let machine = &desk.surroundings;
    let mut is_edited = false;
    row(ui, text.device, |ui| {
        let all: Vec<_> =
            machine.devices.iter().map(|device| (*device, device_name(*device, text))).collect();
        radios(ui, text.device, text.device_hint, &mut engine.device, &all);
        if let ModelState::Ready { device, .. } = session.model_state() {
            note(ui, text.device_in_use.replace("{}", &top::device_words(device, text)));
        }
        if machine.devices.iter().all(|device| matches!(device, DeviceChoice::Auto | DeviceChoice::Cpu)) {
            note(ui, text.device_only);
        }
    });
    row(ui, text.threads, |ui| {
        let mut threads = engine.threads.map(|threads| threads as u64);
        let figure = Figure {
            name: text.threads,
            hint: text.threads_hint,
            automatic: &text.threads_all.replace("{}", &machine.threads.to_string()),
            at_most: text.at_most,
            first: machine.threads as u64,
            most: (machine.threads as u64).max(threads.unwrap_or(1)),
            unit: "",
        };
        is_edited |= figure.show(ui, &mut threads);
        engine.threads = threads.map(|threads| threads as usize);
    });
    row(ui, text.memory, |ui| {
        // Limits of parts of a GiB can stand in the file; they stay as they are until they are edited.
        let before = engine.memory.map(|bytes| (bytes >> 30).max(1));
        let mut memory = before;
        let free = machine.free_memory.map_or(USUAL_LIMIT, |bytes| (bytes >> 30).max(1));
        let figure = Figure {
            name: text.memory,
            hint: text.memory_hint,
            automatic: text.memory_free,
            at_most: text.at_most,
            first: free,
            most: MOST_MEMORY,
            unit: " GiB",
        };
        is_edited |= figure.show(ui, &mut memory);
        if memory != before {
            engine.memory = memory.map(|gib| gib << 30);
        }
        note(ui, text.memory_hint);
        note(ui, text.engine_note);
    });
    row(ui, text.previews, |ui| {
        let all = [
            (PreviewMethod::Tiny, text.previews_tiny),
            (PreviewMethod::Patch, text.previews_fine),
            (PreviewMethod::Linear, text.previews_linear),
        ];
        radios(ui, text.previews, text.previews_hint, &mut desk.previews, &all);
        note(ui, text.previews_hint);
    });
    // Each change loads the model again, so a figure is taken once it is no longer edited.
    desk.settings.engine = (engine != current && is_edited).then_some(engine);
    if engine != current && !is_edited {
        actions.push(Action::SetEngine(engine));
    }
}

fn device_name(device: DeviceChoice, text: &Text) -> &'static str {
    match device {
        DeviceChoice::Auto => text.automatic,
        DeviceChoice::Cpu => text.processor,
        DeviceChoice::Cuda(_) => "NVIDIA GPU (CUDA)",
        DeviceChoice::Metal => "Apple GPU (Metal)",
    }
}

/// A figure that the program chooses, or at most this one.
struct Figure<'a> {
    name: &'a str,
    hint: &'a str,
    automatic: &'a str,
    at_most: &'a str,
    /// The figure to begin with.
    first: u64,
    /// The greatest figure; the least is 1.
    most: u64,
    unit: &'a str,
}

impl Figure<'_> {
    /// Returns whether the figure is being edited.
    fn show(&self, ui: &mut Ui, value: &mut Option<u64>) -> bool {
        let mut is_edited = false;
        ui.horizontal(|ui| {
            let mut is_limited = value.is_some();
            let all = [(false, self.automatic), (true, self.at_most)];
            radios(ui, self.name, self.hint, &mut is_limited, &all);
            let mut figure = value.unwrap_or(self.first).clamp(1, self.most);
            let field = DragValue::new(&mut figure).range(1..=self.most).speed(0.1).suffix(self.unit);
            let field = ui.add_enabled(is_limited, field.update_while_editing(false));
            named(&field, self.name);
            is_edited = field.has_focus() || field.dragged();
            tip(field, self.hint, "");
            *value = is_limited.then_some(figure);
        });
        is_edited
    }
}
