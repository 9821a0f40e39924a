//! Autosave: writes each picture as soon as it is decoded, if the user turned that on.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use super::background::{Background, Finished};
use super::files;
use crate::panels::Desk;
use crate::session::{Autosave, AutosaveKind, DocumentId, ExportKind, Session, autosave_name};

/// Paths (without extension) this window has already assigned; the files of some may not be written yet.
pub(super) type ReservedPaths = HashSet<PathBuf>;

/// Reserves a path without extension that neither exists on disk nor is being written. A picture and its latent share
/// it.
fn reserve_stem(
    settings: &Autosave,
    folder: PathBuf,
    reserved: &mut ReservedPaths,
    name: impl Fn(usize) -> String,
) -> Option<PathBuf> {
    let folder = settings.folder.clone().unwrap_or(folder);
    // Bounded, because a pattern without a counter gives the same name every time.
    let stem = (1..100_000).map(|n| folder.join(name(n))).find(|stem| {
        let exists = |extension: &str| {
            let mut path = stem.clone().into_os_string();
            path.push(extension);
            PathBuf::from(path).symlink_metadata().is_ok()
        };
        !reserved.contains(stem) && !exists(".png") && !exists(".latent")
    })?;
    reserved.insert(stem.clone());
    Some(stem)
}

/// Writes a newly decoded picture, and its latent if configured, on a background thread. Does nothing if autosave is
/// off.
pub(super) fn autosave(
    document: DocumentId,
    session: &Session,
    desk: &Desk,
    reserved: &mut ReservedPaths,
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
    let Some(stem) = reserve_stem(settings, files::pictures_folder(), reserved, name) else { return };
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
    fn existing_and_reserved_files_are_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("fox.latent"), b"older").unwrap();
        let mut reserved = ReservedPaths::new();
        let settings = Autosave { folder: Some(folder.path().to_owned()), ..Autosave::default() };
        let name = |n: usize| if n == 1 { "fox".to_owned() } else { format!("fox-{n}") };
        let mut next = || reserve_stem(&settings, PathBuf::new(), &mut reserved, name).unwrap();
        assert_eq!(next(), folder.path().join("fox-2"), "a latent has taken the first name");
        assert_eq!(next(), folder.path().join("fox-3"), "the second name is reserved");
    }
}
