//! Pictures that are written as soon as they are drawn, if the person wishes so.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use super::background::{Background, Finished};
use super::files;
use crate::panels::Desk;
use crate::session::{Autosave, AutosaveKind, DocumentId, ExportKind, Session, autosave_name};

/// Names that were given in this window: some may not be written yet.
pub(super) type Given = HashSet<PathBuf>;

/// A path without extension at which there is no file, and none is being written. One name for a picture and its
/// latent.
fn free_stem(
    settings: &Autosave,
    folder: PathBuf,
    given: &mut Given,
    name: impl Fn(usize) -> String,
) -> Option<PathBuf> {
    let folder = settings.folder.clone().unwrap_or(folder);
    // Not without end: a pattern may give the same name again and again.
    let stem = (1..100_000).map(|n| folder.join(name(n))).find(|stem| {
        let is_there = |extension: &str| {
            let mut path = stem.clone().into_os_string();
            path.push(extension);
            PathBuf::from(path).symlink_metadata().is_ok()
        };
        !given.contains(stem) && !is_there(".png") && !is_there(".latent")
    })?;
    given.insert(stem.clone());
    Some(stem)
}

/// A picture was drawn: writes it, if that is wished.
pub(super) fn autosave(
    document: DocumentId,
    session: &Session,
    desk: &Desk,
    given: &mut Given,
    background: &mut Background,
) {
    let settings = &desk.autosave;
    if settings.kind == AutosaveKind::Off {
        return;
    }
    let Some(picture) = session.export_as_it_came(document, ExportKind::Picture) else { return };
    let facts = picture.facts.clone().unwrap_or_default();
    let secs = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let name = |n| autosave_name(&settings.pattern, &facts, secs, n);
    let Some(stem) = free_stem(settings, files::pictures_folder(), given, name) else { return };
    let mut exports = vec![(picture, ".png")];
    if settings.kind == AutosaveKind::PicturesAndLatents {
        let latent = session.export_as_it_came(document, ExportKind::Latent);
        exports.extend(latent.map(|latent| (latent, ".latent")));
    }
    let metadata = desk.save_metadata;
    background.begin_writing(move || {
        let written = stem.parent().map_or(Ok(()), std::fs::create_dir_all).map_err(anyhow::Error::from);
        let written = written.and_then(|()| {
            for (export, extension) in &exports {
                let mut path = stem.clone().into_os_string();
                path.push(extension);
                files::write(&PathBuf::from(path), export, metadata)?;
            }
            Ok(())
        });
        Finished::Autosaved(document, written)
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_ever_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("fox.latent"), b"older").unwrap();
        let mut given = Given::new();
        let settings = Autosave { folder: Some(folder.path().to_owned()), ..Autosave::default() };
        let name = |n: usize| if n == 1 { "fox".to_owned() } else { format!("fox-{n}") };
        let mut next = || free_stem(&settings, PathBuf::new(), &mut given, name).unwrap();
        assert_eq!(next(), folder.path().join("fox-2"), "a latent has the first name");
        assert_eq!(next(), folder.path().join("fox-3"), "the second is being written");
    }
}
