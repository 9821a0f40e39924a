//! The program's window from its start to its end, also across graphics devices that are lost.

use std::cell::RefCell;
use std::io::IsTerminal as _;
use std::panic::resume_unwind;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use winit::event_loop::EventLoop;
use winit::platform::run_on_demand::EventLoopExtRunOnDemand as _;

use super::display::{self, NoWindow, WindowSystem};
use super::guard::{Ended, Guard};
use super::keeping::{self, Found};
use super::painter::{self, Losses, Next, Watch};
use super::window::Window;
use crate::panels::Language;
use crate::session::Message;

/// The engine's thread may be in the middle of a long read when the window is closed; the program does not wait
/// longer for it.
const LONGEST_END: Duration = Duration::from_secs(20);

/// Opens the window and returns when it is closed. Where no window can be opened, a start that no terminal sees says
/// so in a dialog, too.
pub fn run() -> anyhow::Result<()> {
    let found = keeping::find();
    let language = found.settings.language;
    let place = Rc::new(RefCell::new(Place::Start(Box::new(found))));
    let ended = display::choose().and_then(|window_system| run_until_closed(&place, window_system));
    let ended = ended.map_err(|why| told(&why, language));
    let code = i32::from(ended.is_err());
    let end = move || {
        std::thread::sleep(LONGEST_END);
        std::process::exit(code);
    };
    let _ = std::thread::Builder::new().name("safelight-end".to_owned()).spawn(end);
    ended
}

/// What is shown when the painter is there.
enum Place {
    /// The window is still to be made.
    Start(Box<Found>),
    /// It is there, with or without a painter.
    Window(Box<Window>),
    /// It could not be made: why.
    Failed(String),
}

/// Paints the window, and paints it anew with another device each time one is lost.
fn run_until_closed(place: &Rc<RefCell<Place>>, window_system: WindowSystem) -> Result<(), NoWindow> {
    let mut builder = EventLoop::with_user_event();
    window_system.tell(&mut builder);
    let mut event_loop = builder.build().map_err(|error| NoWindow::of_event_loop(&error, window_system))?;
    let mut losses = Losses::default();
    loop {
        let watch = Watch::default();
        let (content, watching) = (Rc::clone(place), watch.clone());
        let options = painter::options(size(place), losses.backends(), &watch);
        let create: eframe::AppCreator<'_> = Box::new(move |context| {
            watching.begin(context);
            show(&content, context)?;
            Ok(Box::new(Shell { place: content, watch: watching }))
        });
        let painted = eframe::create_native("safelight", options, create, &event_loop);
        let mut guard = Guard::new(painted, watch.clone());
        let ran = event_loop.run_app_on_demand(&mut guard);
        let ended = guard.end();
        if let Err(error) = ran {
            end_keeping(place);
            return Err(NoWindow::of_event_loop(&error, window_system));
        }
        match ended {
            Ended::Closed if watch.has_begun() => return Ok(()),
            // A device that was there before may still be on its way back.
            Ended::Closed if !losses.any() => {
                let is_made = !matches!(*place.borrow(), Place::Failed(_));
                if is_made && losses.find_another() {
                    continue;
                }
                return Err(why_not_made(place));
            }
            Ended::Closed | Ended::Lost => {}
            Ended::Panicked(panic) => {
                end_keeping(place);
                resume_unwind(panic);
            }
        }
        log::warn!("the graphics device was lost");
        match losses.add() {
            Next::Again(wait) => std::thread::sleep(wait),
            Next::GiveUp => {
                end_keeping(place);
                return Err(NoWindow::DeviceKeepsFailing);
            }
        }
    }
}

fn size(place: &RefCell<Place>) -> [f32; 2] {
    match &*place.borrow() {
        Place::Start(found) => found.settings.window_size,
        Place::Window(window) => window.settings.window_size,
        Place::Failed(_) => super::Settings::default().window_size,
    }
}

fn why_not_made(place: &RefCell<Place>) -> NoWindow {
    match &*place.borrow() {
        Place::Failed(why) => NoWindow::Other(why.clone()),
        Place::Start(_) | Place::Window(_) => NoWindow::NoGraphics,
    }
}

/// Makes the window, or gives the one that is there its new painter.
fn show(place: &RefCell<Place>, context: &eframe::CreationContext<'_>) -> anyhow::Result<()> {
    let mut place = place.borrow_mut();
    match std::mem::replace(&mut *place, Place::Failed(String::new())) {
        Place::Start(found) => {
            match Window::start(context, *found).context("the engine could not be started") {
                Ok(window) => *place = Place::Window(Box::new(window)),
                Err(error) => {
                    *place = Place::Failed(format!("{error:#}"));
                    return Err(error);
                }
            }
        }
        Place::Window(mut window) => {
            window.attach(context);
            window.session.notify(Message::Repainted);
            *place = Place::Window(window);
        }
        failed @ Place::Failed(_) => *place = failed,
    }
    Ok(())
}

fn end_keeping(place: &RefCell<Place>) {
    if let Ok(mut place) = place.try_borrow_mut()
        && let Place::Window(window) = &mut *place
    {
        window.end();
    }
}

/// Tells why there is no window: a dialog where nobody sees a terminal, and the error in any case.
fn told(why: &NoWindow, language: Language) -> anyhow::Error {
    let is_seen =
        std::io::stdin().is_terminal() || std::io::stdout().is_terminal() || std::io::stderr().is_terminal();
    if !is_seen && why.leaves_dialogs() {
        rfd::MessageDialog::new()
            .set_level(rfd::MessageLevel::Error)
            .set_title("Safelight")
            .set_description(why.words(language))
            .show();
    }
    anyhow!(why.words(Language::English))
}

/// The window with one painter.
struct Shell {
    place: Rc<RefCell<Place>>,
    watch: Watch,
}

impl Shell {
    /// The window, unless its painter is lost: then another one will have it.
    fn with(&self, what: impl FnOnce(&mut Window)) {
        if let (false, Place::Window(window)) = (self.watch.is_lost(), &mut *self.place.borrow_mut()) {
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
