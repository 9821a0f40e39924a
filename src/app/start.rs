//! Runs the window from startup to exit, and recreates its graphics device after a device loss.

use std::cell::RefCell;
use std::io::IsTerminal as _;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use winit::event_loop::EventLoop;
use winit::platform::run_on_demand::EventLoopExtRunOnDemand as _;

use super::display::{self, NoWindow, WindowSystem};
use super::graphics::{self, DeviceLosses, DeviceWatch, LossAction};
use super::guard::{Ended, Guard};
use super::persistence::{self, StartupState};
use super::window::Window;
use crate::panels::Language;
use crate::session::Message;

/// How long exit waits for the engine's thread, which may be blocked in a long read, before the process is ended.
const EXIT_TIMEOUT: Duration = Duration::from_secs(20);

/// Opens the window, on these files and folders, and returns when it is closed.
///
/// # Errors
/// If no window can be opened. Without a terminal the error is also shown in a dialog.
pub fn run(files: Vec<PathBuf>) -> anyhow::Result<()> {
    let found = StartupState { files, ..persistence::load() };
    let language = found.settings.language;
    let slot = Rc::new(RefCell::new(WindowSlot::Start(Box::new(found))));
    let ended = display::choose().and_then(|window_system| run_until_closed(&slot, window_system));
    let ended = ended.map_err(|why| report(&why, language));
    let code = i32::from(ended.is_err());
    let end = move || {
        std::thread::sleep(EXIT_TIMEOUT);
        std::process::exit(code);
    };
    let _ = std::thread::Builder::new().name("safelight-end".to_owned()).spawn(end);
    ended
}

/// The window's state, which outlives the eframe application that displays it.
enum WindowSlot {
    /// The window is not created yet.
    Start(Box<StartupState>),
    /// The window, with or without a graphics device.
    Window(Box<Window>),
    /// The window could not be created: the reason.
    Failed(String),
}

/// Runs the eframe application, and starts another one with a new device after each device loss.
fn run_until_closed(slot: &Rc<RefCell<WindowSlot>>, window_system: WindowSystem) -> Result<(), NoWindow> {
    let mut builder = EventLoop::with_user_event();
    window_system.configure(&mut builder);
    let mut event_loop = builder.build().map_err(|error| NoWindow::of_event_loop(&error, window_system))?;
    let mut losses = DeviceLosses::default();
    loop {
        let watch = DeviceWatch::default();
        let (content, watching) = (Rc::clone(slot), watch.clone());
        let options = graphics::native_options(size(slot), losses.backends(), &watch);
        let create: eframe::AppCreator<'_> = Box::new(move |context| {
            watching.watch_device(context);
            create_or_attach(&content, context)?;
            Ok(Box::new(Shell { slot: content, watch: watching }))
        });
        let painted = eframe::create_native("safelight", options, create, &event_loop);
        let mut guard = Guard::new(painted, watch.clone());
        let ran = event_loop.run_app_on_demand(&mut guard);
        let ended = guard.end();
        if let Err(error) = ran {
            end_window(slot);
            return Err(NoWindow::of_event_loop(&error, window_system));
        }
        match ended {
            Ended::Closed if watch.has_device() => return Ok(()),
            // After an earlier loss the driver may still be recovering; that case retries below.
            Ended::Closed if !losses.any() => {
                let is_made = !matches!(*slot.borrow(), WindowSlot::Failed(_));
                if is_made && losses.fall_back() {
                    continue;
                }
                return Err(creation_error(slot));
            }
            Ended::Closed | Ended::Lost => {}
            Ended::Panicked(panic) => {
                end_window(slot);
                resume_unwind(panic);
            }
        }
        log::warn!("the graphics device was lost");
        match losses.add() {
            LossAction::Retry(wait) => std::thread::sleep(wait),
            LossAction::GiveUp => {
                end_window(slot);
                return Err(NoWindow::DeviceKeepsFailing);
            }
        }
    }
}

fn size(slot: &RefCell<WindowSlot>) -> [f32; 2] {
    match &*slot.borrow() {
        WindowSlot::Start(found) => found.settings.window_size,
        WindowSlot::Window(window) => window.settings.window_size,
        WindowSlot::Failed(_) => super::Settings::default().window_size,
    }
}

fn creation_error(slot: &RefCell<WindowSlot>) -> NoWindow {
    match &*slot.borrow() {
        WindowSlot::Failed(why) => NoWindow::Other(why.clone()),
        WindowSlot::Start(_) | WindowSlot::Window(_) => NoWindow::NoGraphics,
    }
}

/// Creates the window, or attaches the existing one to a new eframe context.
fn create_or_attach(slot: &RefCell<WindowSlot>, context: &eframe::CreationContext<'_>) -> anyhow::Result<()> {
    let mut slot = slot.borrow_mut();
    match std::mem::replace(&mut *slot, WindowSlot::Failed(String::new())) {
        WindowSlot::Start(found) => {
            match Window::start(context, *found).context("the engine could not be started") {
                Ok(window) => *slot = WindowSlot::Window(Box::new(window)),
                Err(error) => {
                    *slot = WindowSlot::Failed(format!("{error:#}"));
                    return Err(error);
                }
            }
        }
        WindowSlot::Window(mut window) => {
            window.attach(context);
            window.session.notify(Message::Repainted);
            *slot = WindowSlot::Window(window);
        }
        failed @ WindowSlot::Failed(_) => *slot = failed,
    }
    Ok(())
}

fn end_window(slot: &RefCell<WindowSlot>) {
    if let Ok(mut slot) = slot.try_borrow_mut()
        && let WindowSlot::Window(window) = &mut *slot
    {
        window.end();
    }
}

/// Turns the reason into an error. Without a terminal it is also shown in a dialog.
fn report(why: &NoWindow, language: Language) -> anyhow::Error {
    let has_terminal =
        std::io::stdin().is_terminal() || std::io::stdout().is_terminal() || std::io::stderr().is_terminal();
    if !has_terminal && why.can_show_dialogs() {
        rfd::MessageDialog::new()
            .set_level(rfd::MessageLevel::Error)
            .set_title("Safelight")
            .set_description(why.message(language))
            .show();
    }
    anyhow!(why.message(Language::English))
}

/// The eframe application: shows the shared window until its device is lost.
struct Shell {
    slot: Rc<RefCell<WindowSlot>>,
    watch: DeviceWatch,
}

impl Shell {
    /// Runs `what` on the window, unless the device is lost: then the next application takes over.
    fn with(&self, what: impl FnOnce(&mut Window)) {
        if let (false, WindowSlot::Window(window)) = (self.watch.is_lost(), &mut *self.slot.borrow_mut()) {
            what(window);
        }
    }
}

impl eframe::App for Shell {
    fn logic(&mut self, ctx: &egui::Context, frame: &mut eframe::Frame) {
        self.with(|window| window.logic(ctx, frame));
    }

    fn raw_input_hook(&mut self, ctx: &egui::Context, input: &mut egui::RawInput) {
        self.with(|window| window.raw_input_hook(ctx, input));
    }

    fn ui(&mut self, ui: &mut egui::Ui, frame: &mut eframe::Frame) {
        self.with(|window| window.ui(ui, frame));
    }

    fn on_exit(&mut self) {
        self.with(eframe::App::on_exit);
    }
}
