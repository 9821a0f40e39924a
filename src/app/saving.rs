//! Target paths of exports, and which existing files a write would overwrite.

use std::path::{Path, PathBuf};

use super::dialogs::{Answer, Purpose};
use super::files::{self, with_extension};
use crate::formats::picture::PictureFormat;
use crate::reason::{Reason, ReasonKind};
use crate::reel::{AnimationFormat, ReelKind};
use crate::session::{Export, ExportKind, GridExport};

/// A dialog that returned sooner than this, seconds, was never shown.
const MIN_SHOWN_SECS: f64 = 0.25;

/// How a path was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chooser {
    /// In a native dialog, which itself asks before it returns an existing file.
    Dialog,
    /// Typed by the user.
    Typing,
}

/// The files that will be written when `path` is chosen, extensions included. Empty for purposes that only read, and
/// for folders in which unused names are picked.
pub(super) fn targets(purpose: &Purpose, path: &Path) -> Vec<PathBuf> {
    let export = match purpose {
        Purpose::Export(export) => export,
        // A folder for numbered pictures is new.
        Purpose::Reel(work) if work.options.kind == ReelKind::Frames => return Vec::new(),
        Purpose::Reel(work) => return vec![reel_path(path, work.options.kind)],
        Purpose::Grid(export) if export.as_folder => return Vec::new(),
        Purpose::Grid(_) => return vec![picture_path(path)],
        _ => return Vec::new(),
    };
    match export.kind {
        ExportKind::Picture | ExportKind::Sheet => vec![picture_path(path)],
        ExportKind::Latent => vec![with_extension(path, "latent")],
        ExportKind::Npy => vec![with_extension(path, "npy")],
        ExportKind::Channel(_) => vec![with_extension(path, "png")],
        ExportKind::ChannelPngs => {
            let channels = export.latent.as_ref().map_or(0, |latent| latent.shape().channels);
            (0..channels).map(|channel| files::channel_path(path, channel)).collect()
        }
    }
}

/// The path of a picture, with the extension that is added. An unknown one is refused by the writer, with a message.
fn picture_path(path: &Path) -> PathBuf {
    PictureFormat::of_path(path).map_or_else(|_| path.to_owned(), |(_, path)| path)
}

/// The existing files among `targets` that the user has to confirm before they are overwritten.
///
/// # Errors
/// A message if a target is a folder, pipe or device, which is never overwritten.
pub(super) fn would_replace(targets: &[PathBuf], chosen: &Path, by: Chooser) -> Result<Vec<PathBuf>, Reason> {
    let mut replaced = Vec::new();
    for target in targets {
        match std::fs::metadata(target) {
            Ok(metadata) if metadata.is_dir() => {
                let why = format!("a folder has this name: choose another name: {}", target.display());
                return Err(Reason::new(ReasonKind::NameIsFolder, why).at(target));
            }
            Ok(metadata) if !metadata.is_file() => {
                let name = target.display();
                let why = format!("this is a pipe or a device, which is not replaced: choose a file: {name}");
                return Err(Reason::new(ReasonKind::IsStream, why).at(target));
            }
            // A dangling symbolic link would be overwritten, too.
            Ok(_) => replaced.push(target.clone()),
            Err(_) if target.symlink_metadata().is_ok() => replaced.push(target.clone()),
            Err(_) => {}
        }
    }
    if by == Chooser::Dialog {
        // The dialog has asked about exactly this path, without an added extension.
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

/// The proposed file name of a grid, or name of its folder.
pub(super) fn proposed_grid_name(export: &GridExport) -> String {
    if export.as_folder { export.stem.clone() } else { format!("{}.png", export.stem) }
}

/// The proposed file name of an animation or of a sheet of steps.
pub(super) fn proposed_reel_name(stem: &str, kind: ReelKind) -> String {
    match kind {
        ReelKind::Sheet => format!("{stem}-steps.png"),
        ReelKind::Frames => format!("{stem}-steps"),
        _ => reel_path(Path::new(&format!("{stem}-steps")), kind).display().to_string(),
    }
}

/// The path of an animation or of a sheet, with the extension of its kind.
pub(super) fn reel_path(path: &Path, kind: ReelKind) -> PathBuf {
    let extensions = kind.animation().map_or(&["png"][..], AnimationFormat::extensions);
    let Some(usual) = extensions.first() else { return path.to_owned() };
    let own = path.extension().map(|own| own.to_string_lossy().to_lowercase());
    if own.is_some_and(|own| extensions.contains(&own.as_str())) {
        return path.to_owned();
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{usual}"));
    name.into()
}

/// A chosen path whose write would overwrite files without confirmation.
pub(super) struct Replacing {
    pub(super) purpose: Purpose,
    pub(super) chosen: PathBuf,
    /// The files that would be overwritten.
    pub(super) replaced: Vec<PathBuf>,
    pub(super) by: Chooser,
}

/// Whether the dialog was shown. One that could not be shown returns at once without a path.
pub(super) fn was_shown(answer: &Answer) -> bool {
    !answer.paths.is_empty() || answer.shown_secs >= MIN_SHOWN_SECS
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
    fn every_overwrite_needs_one_confirmation() {
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
