//! Where pictures and latents are written: what a dialog or a typed path chose, and what stands there already.

use std::path::{Path, PathBuf};

use super::background::{Finished, Use};
use super::dialogs::{Answer, Purpose};
use super::files::{self, with_extension};
use super::questions::Replacing;
use super::window::Window;
use crate::catalog::ModelSource;
use crate::formats::picture::PictureFormat;
use crate::session::{Action, Export, Message};

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
pub(super) fn targets(purpose: &Purpose, path: &Path, channels: usize) -> Vec<PathBuf> {
    match purpose {
        Purpose::SavePicture(_) | Purpose::Export(Export::Sheet | Export::Reconstruction) => {
            // A name that no format has is refused by the writer, which says why.
            vec![PictureFormat::of_path(path).map_or_else(|_| path.to_owned(), |(_, path)| path)]
        }
        Purpose::SaveLatent(_) => vec![with_extension(path, "latent")],
        Purpose::Export(Export::Npy) => vec![with_extension(path, "npy")],
        Purpose::Export(Export::Channel(_)) => vec![with_extension(path, "png")],
        Purpose::Export(Export::ChannelPngs) => {
            (0..channels).map(|channel| files::channel_path(path, channel)).collect()
        }
        Purpose::SaveAll | Purpose::Open | Purpose::OpenSource | Purpose::OpenModel => Vec::new(),
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

impl Window {
    /// The proposed file name of an export.
    pub(super) fn export_name(&self, what: Export) -> String {
        let name = &self.session.inspector().name;
        let stem = Path::new(name).file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let stem = stem.unwrap_or_else(|| format!("safelight-{}", self.shown_seed()));
        match what {
            Export::Sheet => format!("{stem}-channels.png"),
            Export::ChannelPngs => format!("{stem}-channel.png"),
            Export::Channel(index) => format!("{stem}-channel-{index}.png"),
            Export::Npy => format!("{stem}.npy"),
            Export::Reconstruction => format!("{stem}-decoded.png"),
        }
    }

    pub(super) fn shown_seed(&self) -> u64 {
        self.session.shown_result().map_or(0, |item| item.request.seed.0)
    }

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
        let latent = self.session.inspector().latent.as_ref();
        let targets = targets(&purpose, &chosen, latent.map_or(0, |latent| latent.shape().channels));
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
        let is_folder = matches!(purpose, Purpose::SaveAll);
        self.settings.last_folder =
            if is_folder { Some(path.clone()) } else { path.parent().map(Path::to_owned) };
        match purpose {
            Purpose::Open => self.session.apply(Action::OpenPaths(paths)),
            Purpose::OpenSource => self.read(path, Use::Source),
            Purpose::OpenModel => self.session.apply(Action::SetModel(ModelSource::Folder(path))),
            Purpose::SavePicture(job) => {
                let item = self.session.results().iter().find(|item| item.job == job).cloned();
                let metadata = self.desk.save_metadata;
                self.background.begin_writing(move || {
                    let written = match &item {
                        Some(item) => files::save_picture(&path, item, metadata),
                        None => Err(anyhow::anyhow!("the picture was removed")),
                    };
                    Finished::Written { job: Some(job), written }
                });
            }
            Purpose::SaveAll => {
                let (metadata, results) = (self.desk.save_metadata, self.session.results());
                let unsaved: Vec<_> = results.iter().filter(|item| !item.saved).cloned().collect();
                self.questions.save_begins(unsaved.len());
                self.background
                    .begin_writing(move || Finished::AllWritten(files::save_all(&path, &unsaved, metadata)));
            }
            Purpose::SaveLatent(latent) => {
                let Some(profile) = self.session.profile().cloned() else { return };
                let path = with_extension(&path, "latent");
                self.background.begin_writing(move || {
                    let written = files::save_latent(&path, &latent, &profile);
                    Finished::Written { job: None, written }
                });
            }
            Purpose::Export(what) => {
                let inspector = self.session.inspector();
                let (Some(latent), Some(format)) = (inspector.adjusted(), inspector.format) else { return };
                let decoded = inspector.decoded.clone();
                self.background.begin_writing(move || {
                    let written = files::export(&path, what, &latent, &format, decoded.as_ref());
                    Finished::Written { job: None, written }
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::JobId;
    use crate::latent::{Latent, LatentShape};

    fn purposes() -> Vec<(Purpose, &'static str)> {
        vec![
            (Purpose::SavePicture(JobId(1)), "precious.png"),
            (Purpose::SaveLatent(Latent::zeros(LatentShape::new(4, 1, 1))), "precious.latent"),
            (Purpose::Export(Export::Sheet), "precious.png"),
            (Purpose::Export(Export::Reconstruction), "precious.png"),
            (Purpose::Export(Export::Npy), "precious.npy"),
            (Purpose::Export(Export::Channel(2)), "precious.png"),
            (Purpose::Export(Export::ChannelPngs), "precious-2.png"),
        ]
    }

    #[test]
    fn every_file_that_would_be_replaced_unasked_is_asked_about() {
        let folder = tempfile::tempdir().unwrap();
        for (purpose, written) in purposes() {
            let (chosen, written) = (folder.path().join("precious"), folder.path().join(written));
            let asked = |chosen: &Path, by| would_replace(&targets(&purpose, chosen, 4), chosen, by).unwrap();
            assert!(asked(&chosen, Chooser::Typing).is_empty(), "{purpose:?}");
            std::fs::write(&written, b"older").unwrap();
            for by in [Chooser::Dialog, Chooser::Typing] {
                // The dialog asked about `precious`, which is not what is written.
                assert_eq!(asked(&chosen, by), std::slice::from_ref(&written), "{purpose:?} {by:?}");
            }
            if !matches!(purpose, Purpose::Export(Export::ChannelPngs)) {
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
