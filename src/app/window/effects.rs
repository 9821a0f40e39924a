//! What the session asks the window to do.

use std::path::PathBuf;

use super::Window;
use crate::app::autosave::autosave;
use crate::app::background::Finished;
use crate::app::dialogs::Purpose;
use crate::app::files;
use crate::app::saving::{proposed_grid_name, proposed_name, proposed_reel_name};
use crate::catalog::ModelSource;
use crate::formats::compare;
use crate::panels::announcement;
use crate::reason::Reason;
use crate::reel;
use crate::session::{DocumentId, Effect, EndedWork, Message, ReelWork};

impl Window {
    /// Executes the session's effects, oldest first.
    pub(in crate::app) fn run_effects(&mut self, ctx: &egui::Context) {
        self.session.measure_prompt();
        self.session.open_tiny_decoder();
        self.session.draw_example();
        self.session.measure_pair();
        if self.session.look_inside() {
            ctx.request_repaint();
        }
        for effect in self.session.take_effects() {
            match effect {
                Effect::Send(command) => {
                    self.persistence.before_send(&command);
                    if let Err(error) = self.engine.send(command) {
                        self.session.notify(Message::NotTaken((&error).into()));
                    }
                }
                Effect::Watch(watched) => self.engine.watch(watched),
                Effect::AskExport(export) => {
                    let name = proposed_name(&export);
                    self.ask(Purpose::Export(export), &name);
                }
                Effect::AskReel(work) => {
                    let name = proposed_reel_name(&work.stem, work.options.kind);
                    self.ask(Purpose::Reel(work), &name);
                }
                Effect::AskGrid(export) => {
                    let name = proposed_grid_name(&export);
                    self.ask(Purpose::Grid(export), &name);
                }
                Effect::MakeReel { work, path, progress } => {
                    let metadata = self.desk.save_metadata;
                    self.background.begin_writing(move || {
                        let ReelWork { development, options, projection, .. } = &*work;
                        let made = reel::write(&path, development, options, projection, metadata, &progress);
                        Finished::ReelMade(made.map_err(|error| Reason::from(&error)))
                    });
                }
                Effect::ShowInFolder(path) => files::show_in_folder(&path),
                Effect::AskOpen => self.ask(Purpose::Open, ""),
                Effect::AskSource => self.ask(Purpose::OpenSource, ""),
                Effect::Drawn(document) => {
                    let (reserved, background) = (&mut self.autosaved, &mut self.background);
                    autosave(document, &self.session, &self.desk, reserved, background);
                }
                Effect::AskFolder(purpose) => self.ask(Purpose::Folder(purpose), ""),
                Effect::Announce(ended) => self.announce(ctx, &ended),
                Effect::AskOpenModel => self.ask(Purpose::OpenModel, ""),
                Effect::Library(command) => self.library.send(command),
                Effect::History(command) => self.history.send(command),
                Effect::Downloads(command) => self.downloads.send(command),
                Effect::OpenPage(address) => files::open_page(&address),
                Effect::AskPart => self.ask(Purpose::Part, ""),
                Effect::Copy(picture) => {
                    ctx.copy_image(egui::ColorImage::from_rgb(
                        [picture.width(), picture.height()],
                        picture.rgb(),
                    ));
                }
                Effect::Read(document, path) => self.read(document, path),
                Effect::Keep(job) => self.persistence.keep(self.session.result(job)),
                Effect::IsKeptAs(job, files) => self.persistence.is_kept_as(job, files),
                Effect::Forget(job) => self.persistence.forget(job),
                Effect::Compare { job, original, decoded, downscale, latent_bytes } => {
                    self.background.begin(move || {
                        let found = compare(&original, &decoded, downscale, latent_bytes);
                        Finished::Compared(job, found.map(Box::new))
                    });
                }
                Effect::MeasurePair(content) => self.background.begin(move || {
                    let figures = Box::new(content.figures());
                    Finished::PairMeasured(content, figures)
                }),
                Effect::FindModels(channels) => {
                    let folders = self.session.recent_models().iter().filter(|known| known.failed.is_none());
                    let folders = folders.map(|known| ModelSource::Folder(known.folder.clone()));
                    let known = std::iter::once(ModelSource::Builtin).chain(folders).collect();
                    self.background
                        .begin(move || Finished::ModelsFound(files::fitting_models(known, channels)));
                }
            }
        }
    }

    /// Notifies the user of long work that ended, unless the window has the focus.
    fn announce(&mut self, ctx: &egui::Context, ended: &EndedWork) {
        let is_seen = ctx.input(|input| input.viewport().focused.unwrap_or(true));
        if self.desk.notify && !is_seen {
            let [title, body] = announcement(ended, self.desk.language);
            self.services.notify(ctx, title, body);
        }
    }

    /// Reads a document's file in the background.
    fn read(&mut self, document: DocumentId, path: PathBuf) {
        let background = self.session.open_options().background;
        self.background.begin(move || Finished::Opened(document, files::open(&path, background)));
    }
}
