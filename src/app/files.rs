//! Files that were dropped, pasted or chosen, and files that are written.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::formats::latent_file::{LatentFacts, LatentQuantity, read_latent, write_latent};
use crate::formats::metadata::GenerationFacts;
use crate::formats::picture::{ReadOptions, WriteOptions, read_picture, shrink_to_pixels, write_picture};
use crate::formats::{FileKind, file_kind};
use crate::latent::{Latent, LatentSpace};
use crate::request::{ModelChoice, ModelProfile, Picture};
use crate::session::ResultItem;

/// Pictures above this many pixels are scaled down before they are encoded.
const MAX_PIXELS: usize = 2048 * 2048;

/// What a path led to.
pub(super) enum Opened {
    Picture { picture: Picture, facts: Option<Box<GenerationFacts>>, scaled: bool },
    Latent { latent: Latent, space: LatentSpace },
    Model(ModelChoice),
}

/// Reads whatever a path leads to.
pub(super) fn open(path: &Path) -> anyhow::Result<Opened> {
    match file_kind(path) {
        FileKind::Folder => Ok(Opened::Model(ModelChoice::Folder(path.to_owned()))),
        FileKind::Picture => {
            let read = read_picture(path, &ReadOptions::default())?;
            let shrunk = shrink_to_pixels(&read.picture, MAX_PIXELS);
            let scaled = shrunk.is_some();
            let facts = read.facts.filter(GenerationFacts::has_settings).map(Box::new);
            Ok(Opened::Picture { picture: shrunk.unwrap_or(read.picture), facts, scaled })
        }
        FileKind::Latent => {
            let read = read_latent(path)?;
            Ok(Opened::Latent { latent: read.latent, space: read.space.unwrap_or(LatentSpace::Vae) })
        }
        FileKind::Unknown => {
            bail!("This is neither a picture, a latent nor a model's folder: {}", path.display())
        }
    }
}

/// Writes a result's picture; gives the path with its extension.
pub(super) fn save_picture(path: &Path, item: &ResultItem, metadata: bool) -> anyhow::Result<PathBuf> {
    let picture = item.picture().context("the picture is not decoded yet")?;
    let options = WriteOptions { metadata, ..WriteOptions::default() };
    Ok(write_picture(path, picture, Some(&item.facts()), &options)?)
}

/// Writes a latent in ComfyUI's form.
pub(super) fn save_latent(path: &Path, latent: &Latent, profile: &ModelProfile) -> anyhow::Result<PathBuf> {
    let path = if path.extension().is_some() { path.to_owned() } else { path.with_extension("latent") };
    let facts = LatentFacts {
        family: Some(profile.family.name().to_owned()),
        scaling: Some(profile.format.scale),
        shift: Some(profile.format.shift),
        quantity: Some(LatentQuantity::Denoised),
        vae_hash: Some(profile.vae_hash.clone()),
        ..LatentFacts::default()
    };
    write_latent(&path, &profile.format.vae_from_model(latent), &facts)?;
    Ok(path)
}
