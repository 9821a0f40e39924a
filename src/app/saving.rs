//! Where pictures and latents are written: what a dialog or a typed path chose, and what stands there already.

use std::path::{Path, PathBuf};

use super::background::Finished;
use super::dialogs::{Answer, Purpose};
use super::files::{self, with_extension};
use super::questions::Replacing;
use super::window::Window;
use crate::catalog::ModelSource;
use crate::formats::picture::PictureFormat;
use crate::session::{Action, Export, ExportKind, Message};

/// A dialog that ended sooner than this, seconds, was never shown.
const NEVER_SHOWN: f64 = 0.25;

/// Who chose a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chooser {
    /// A dialog of the system, which asks before it gives the name of a file that exists.
    Dialog,
    /// The person's typing.
    Typing,
}

/// The files that are written when `path` is chosen, in the form in which they are written; none for what is read,
/// and for a folder in which names are found that are free.
pub(super) fn targets(purpose: &Purpose, path: &Path) -> Vec<PathBuf> {
    let Purpose::Export(export) = purpose else { return Vec::new() };
    match export.kind {
        ExportKind::Picture | ExportKind::Sheet => {
            // A name that no format has is refused by the writer, which says why.
            vec![PictureFormat::of_path(path).map_or_else(|_| path.to_owned(), |(_, path)| path)]
        }
        ExportKind::Latent => vec![with_extension(path, "latent")],
        ExportKind::Npy => vec![with_extension(path, "npy")],
        ExportKind::Channel(_) => vec![with_extension(path, "png")],
        ExportKind::ChannelPngs => {
            let channels = export.latent.as_ref().map_or(0, |latent| latent.shape().channels);
            (0..channels).map(|channel| files::channel_path(path, channel)).collect()
        }
    }
}

/// What the person must be asked about before `targets` are written: the files that would be replaced without a
/// question. The error says what is never replaced.
pub(super) fn would_replace(targets: &[PathBuf], chosen: &Path, by: Chooser) -> Result<Vec<PathBuf>, String> {
    let mut replaced = Vec::new();
    for target in targets {
        match std::fs::metadata(target) {
            Ok(metadata) if metadata.is_dir() => {
                return Err(format!("a folder has this name: choose another name: {}", target.display()));
            }
            Ok(metadata) if !metadata.is_file() => {
                let name = target.display();
                return Err(format!(
                    "this is a pipe or a device, which is not replaced: choose a file: {name}"
                ));
            }
            // A link that leads nowhere is something that stands there, too.
            Ok(_) => replaced.push(target.clone()),
            Err(_) if target.symlink_metadata().is_ok() => replaced.push(target.clone()),
            Err(_) => {}
        }
    }
    if by == Chooser::Dialog {
        // The dialog asked about this one, and only as it was chosen.
        replaced.retain(|target| target != chosen);
    }
    Ok(replaced)
}

/// The proposed file name of an export.
pub(super) fn proposed_name(export: &Export) -> String {
    let stem = &export.stem;
    match export.kind {
        ExportKind::Picture => format!("{stem}.png"),
        ExportKind::Latent => format!("{stem}.latent"),
        ExportKind::Sheet => format!("{stem}-channels.png"),
        ExportKind::ChannelPngs => format!("{stem}-channel.png"),
        ExportKind::Channel(index) => format!("{stem}-channel-{index}.png"),
        ExportKind::Npy => format!("{stem}.npy"),
    }
}

impl Window {
    /// Shows a dialog for a path.
    pub(super) fn ask(&mut self, purpose: Purpose, name: &str) {
        self.dialogs.ask(purpose, self.settings.last_folder.as_deref(), name);
    }

    pub(super) fn answered(&mut self, answer: Answer) {
        if !answer.paths.is_empty() {
            self.paths_chosen(answer.purpose, answer.paths, Chooser::Dialog);
        } else if answer.shown_secs < NEVER_SHOWN {
            let folder = self.settings.last_folder.clone().or_else(files::home).unwrap_or_default();
            let path = folder.join(answer.name).display().to_string();
            self.questions.typed_path = Some((answer.purpose, path));
        }
    }

    /// Reads or writes what was chosen; asks first where that would replace a file nobody asked about.
    pub(super) fn paths_chosen(&mut self, purpose: Purpose, paths: Vec<PathBuf>, by: Chooser) {
        let Some(chosen) = paths.first().cloned() else { return };
        let targets = targets(&purpose, &chosen);
        let replaced = match would_replace(&targets, &chosen, by) {
            Ok(replaced) => replaced,
            Err(why) => {
                self.session.notify(Message::NotSaved(why));
                return;
            }
        };
        if replaced.is_empty() {
            self.carry_out_choice(purpose, paths);
        } else {
            self.questions.replacing = Some(Replacing { purpose, chosen, replaced, by });
        }
    }

    /// Reads or writes what was chosen.
    pub(super) fn carry_out_choice(&mut self, purpose: Purpose, paths: Vec<PathBuf>) {
        let Some(path) = paths.first().cloned() else { return };
        let is_folder = matches!(purpose, Purpose::SaveAll | Purpose::AutosaveFolder);
        self.settings.last_folder =
            if is_folder { Some(path.clone()) } else { path.parent().map(Path::to_owned) };
        match purpose {
            Purpose::Open => self.session.apply(Action::OpenPaths(paths)),
            Purpose::OpenSource => {
                let background = self.session.open_options().background;
                self.background.begin(move || Finished::SourceOpened(files::open(&path, background)));
            }
            Purpose::AutosaveFolder => self.desk.autosave.folder = Some(path),
            Purpose::OpenModel => self.session.apply(Action::SetModel(ModelSource::Folder(path))),
            Purpose::Export(export) => {
                let metadata = self.desk.save_metadata;
                let document = export.saves.then_some(export.of);
                self.background.begin_writing(move || {
                    let written = files::write(&path, &export, metadata);
                    Finished::Written { document, written }
                });
            }
            Purpose::SaveAll => {
                let (metadata, unsaved) = (self.desk.save_metadata, self.session.exports_of_unsaved());
                self.questions.save_begins(unsaved.len());
                self.background
                    .begin_writing(move || Finished::AllWritten(files::save_all(&path, &unsaved, metadata)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latent::{Latent, LatentFormat, LatentShape};
    use crate::session::DocumentId;

    fn purposes() -> Vec<(Purpose, &'static str)> {
        let files = [
            (ExportKind::Picture, "precious.png"),
            (ExportKind::Latent, "precious.latent"),
            (ExportKind::Sheet, "precious.png"),
            (ExportKind::Npy, "precious.npy"),
            (ExportKind::Channel(2), "precious.png"),
            (ExportKind::ChannelPngs, "precious-2.png"),
        ];
        let purpose = |kind| {
            Purpose::Export(Box::new(Export {
                of: DocumentId(1),
                kind,
                stem: "precious".to_owned(),
                latent: Some(Latent::zeros(LatentShape::new(4, 1, 1))),
                format: LatentFormat::STABLE_DIFFUSION,
                picture: None,
                facts: None,
                profile: None,
                saves: false,
            }))
        };
        files.map(|(kind, file)| (purpose(kind), file)).into()
    }

    #[test]
    fn every_file_that_would_be_replaced_unasked_is_asked_about() {
        let folder = tempfile::tempdir().unwrap();
        for (purpose, written) in purposes() {
            let (chosen, written) = (folder.path().join("precious"), folder.path().join(written));
            let asked = |chosen: &Path, by| would_replace(&targets(&purpose, chosen), chosen, by).unwrap();
            assert!(asked(&chosen, Chooser::Typing).is_empty(), "{purpose:?}");
            std::fs::write(&written, b"older").unwrap();
            for by in [Chooser::Dialog, Chooser::Typing] {
                // The dialog asked about `precious`, which is not what is written.
                assert_eq!(asked(&chosen, by), std::slice::from_ref(&written), "{purpose:?} {by:?}");
            }
            if !matches!(&purpose, Purpose::Export(export) if export.kind == ExportKind::ChannelPngs) {
                assert!(asked(&written, Chooser::Dialog).is_empty(), "{purpose:?}: the dialog asked");
                assert_eq!(asked(&written, Chooser::Typing), std::slice::from_ref(&written), "{purpose:?}");
            }
            std::fs::remove_file(&written).unwrap();
        }
    }

    #[cfg(unix)]
    #[test]
    fn folders_pipes_and_devices_are_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe.png");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let folder_like = folder.path().join("folder.png");
        std::fs::create_dir(&folder_like).unwrap();
        for target in [pipe, folder_like, "/dev/null".into()] {
            for by in [Chooser::Dialog, Chooser::Typing] {
                assert!(would_replace(std::slice::from_ref(&target), &target, by).is_err(), "{target:?}");
            }
        }
        let dangling = folder.path().join("link.png");
        std::os::unix::fs::symlink("/nowhere/at all", &dangling).unwrap();
        let replaced = would_replace(std::slice::from_ref(&dangling), &dangling, Chooser::Typing);
        assert_eq!(replaced.unwrap(), [dangling]);
    }
}
