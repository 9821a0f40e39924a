//! The library of models, and `--model` by a name in it.

use std::path::{Path, PathBuf};

use anyhow::bail;

use super::output;
use crate::catalog::{ModelProfile, ModelSource};
use crate::models::TinyDecoder;
use crate::request::CancelToken;
use crate::store::library::{
    Entry, Environment, Library, LibraryError, LibraryPaths, source_of, tiny_decoder_of, tiny_decoders,
};

/// The library, not searched yet.
pub(super) fn unscanned() -> Result<Library, LibraryError> {
    Ok(Library::new(LibraryPaths::of_system()?, Environment::of_process()))
}

/// The library, searched, with a progress bar. With `anew`, headers are read also of files that have not changed.
pub(super) fn scanned(anew: bool) -> Result<Library, LibraryError> {
    let mut library = unscanned()?;
    let bar = output::progress();
    bar.set_message("reading headers");
    library.scan(anew, &CancelToken::new(), &|progress| {
        bar.set_length(progress.total as u64);
        bar.set_position(progress.read as u64);
    });
    bar.finish_and_clear();
    Ok(library)
}

/// Whether a text that names no file may be a name in the library and not a path that was mistyped.
fn may_be_name(text: &str) -> bool {
    let path = Path::new(text);
    !text.is_empty() && !path.is_absolute() && !text.starts_with(['.', '~']) && !text.ends_with(['/', '\\'])
}

/// The model that `--model` names: `builtin`, a path, or a name in the library. A path that does not exist is given back
/// where the library has no such name, and opening it says that it does not exist.
///
/// # Errors
/// If the library has several models of this name, or none that can be opened; and for a plain name that is in neither.
pub(super) fn model(argument: &str) -> anyhow::Result<ModelSource> {
    let named = ModelSource::from_argument(argument);
    let ModelSource::Folder(path) = &named else { return Ok(named) };
    // A broken link exists, too.
    if std::fs::symlink_metadata(path).is_ok() || !may_be_name(argument) {
        return Ok(named);
    }
    match scanned(false)?.model(argument) {
        Err(LibraryError::NotFound { close, .. }) if argument.contains(['/', '\\']) && close.is_empty() => {
            Ok(named)
        }
        found => Ok(found?),
    }
}

/// The file of the tiny decoder that `--tiny` names: a path, a name in the library, or if it is empty, the library's
/// decoder for the latents of this model.
///
/// # Errors
/// If there is none.
pub(super) fn tiny_decoder(named: &str, profile: &ModelProfile) -> anyhow::Result<PathBuf> {
    let downscale = profile.format.downscale;
    if downscale != TinyDecoder::DOWNSCALE {
        bail!(
            "a latent pixel of this model is {downscale}×{downscale} pixels, and of a tiny decoder's {0}×{0}: decode with \
             the VAE, without --tiny",
            TinyDecoder::DOWNSCALE
        );
    }
    let path = PathBuf::from(named);
    if !named.is_empty() && (std::fs::symlink_metadata(&path).is_ok() || !may_be_name(named)) {
        return Ok(path);
    }
    if named.is_empty() && profile.source == ModelSource::Builtin {
        bail!(
            "no tiny decoder is of the built-in model's VAE: decode without --tiny, name the model that the latent is of \
             with --model, or a file with --tiny=FILE"
        );
    }
    let library = scanned(false)?;
    if !named.is_empty() {
        return Ok(library.find(named)?.path.clone());
    }
    let found = tiny_decoders(&library.entries, profile.format);
    if let Some(candidate) = found.iter().find(|candidate| candidate.is_named) {
        return Ok(candidate.entry.path.clone());
    }
    match (tiny_decoder_of(profile.format), found.first()) {
        (Some(name), Some(other)) => bail!(
            "no tiny decoder in the library says that it is {name}, which this model's latents need; if {} is one, name \
             it with --tiny=FILE",
            output::text(&other.entry.path)
        ),
        (Some(name), None) => bail!(
            "the library has no tiny decoder for this model's latents: fetch one with ‘safelight models get {name}’, or \
             name a file with --tiny=FILE"
        ),
        (None, _) => bail!(
            "no tiny decoder is known for this model's latents: decode them with the VAE, without --tiny, or name a \
             file with --tiny=FILE"
        ),
    }
}

/// An entry of the library that a path to inspect names instead: its model, or else its file.
pub(super) enum Named {
    Model(ModelSource),
    File(Box<Entry>),
}

/// What a path that does not exist names in the library; `None` if nothing.
///
/// # Errors
/// If it is the name of several entries.
pub(super) fn named(path: &Path) -> anyhow::Result<Option<Named>> {
    let Some(text) = path.to_str().filter(|text| may_be_name(text)) else { return Ok(None) };
    if std::fs::symlink_metadata(path).is_ok() {
        return Ok(None);
    }
    let Ok(library) = scanned(false) else { return Ok(None) };
    match library.find(text) {
        Ok(entry) => {
            Ok(Some(source_of(entry).map_or_else(|_| Named::File(Box::new(entry.clone())), Named::Model)))
        }
        Err(LibraryError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
