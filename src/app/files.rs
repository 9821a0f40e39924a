//! Files that were dropped, pasted or chosen, and files that are written.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::formats::latent_file::{
    LatentFacts, LatentQuantity, read_latent, write_channel_npy, write_latent, write_npy,
};
use crate::formats::metadata::GenerationFacts;
use crate::formats::picture::{
    ReadOptions, WriteOptions, read_picture, shrink_to_pixels, write_channel_png16, write_picture,
};
use crate::formats::{FileKind, channel_sheet, file_kind};
use crate::latent::{Latent, LatentFormat, LatentSpace, channel_statistics};
use crate::request::{ModelChoice, ModelProfile, Picture};
use crate::session::{Export, ResultItem};
use crate::store::latent_channels;

/// Pictures above this many pixels are scaled down before they are encoded: tiles bound the memory, but the time
/// of the VAE's attention grows with the square of the area.
const MAX_PIXELS: usize = 4096 * 4096;

/// What a path led to.
pub(super) enum Opened {
    Picture { picture: Picture, facts: Option<Box<GenerationFacts>>, scaled: bool, transparent: bool },
    Latent { latent: Latent, space: Option<LatentSpace> },
    Model(ModelChoice),
}

/// Reads whatever a path leads to; transparent pixels lie on `background`.
pub(super) fn open(path: &Path, background: [u8; 3]) -> anyhow::Result<Opened> {
    match file_kind(path) {
        FileKind::Folder => Ok(Opened::Model(ModelChoice::Folder(path.to_owned()))),
        FileKind::Picture => {
            let read = read_picture(path, &ReadOptions { background, ..ReadOptions::default() })?;
            let shrunk = shrink_to_pixels(&read.picture, MAX_PIXELS);
            let scaled = shrunk.is_some();
            let facts = read.facts.filter(GenerationFacts::has_settings).map(Box::new);
            let picture = shrunk.unwrap_or(read.picture);
            Ok(Opened::Picture { picture, facts, scaled, transparent: read.had_transparency })
        }
        FileKind::Latent => {
            let read = read_latent(path)?;
            Ok(Opened::Latent { latent: read.latent, space: read.space })
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
    let path = with_extension(path, "latent");
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

/// Writes something of the latent view: `latent` in model space, as it is adjusted.
pub(super) fn export(
    path: &Path,
    what: Export,
    latent: &Latent,
    format: &LatentFormat,
    decoded: Option<&Picture>,
) -> anyhow::Result<PathBuf> {
    let plain = WriteOptions { metadata: false, ..WriteOptions::default() };
    match what {
        Export::Sheet => {
            let title = path.file_stem().unwrap_or_default().to_string_lossy();
            Ok(write_picture(path, &channel_sheet(latent, format, &title)?, None, &plain)?)
        }
        Export::Reconstruction => {
            Ok(write_picture(path, decoded.context("the latent is not decoded yet")?, None, &plain)?)
        }
        Export::Npy => {
            let path = with_extension(path, "npy");
            write_npy(&path, &format.vae_from_model(latent))?;
            Ok(path)
        }
        Export::Channel(index) if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("npy")) => {
            write_channel_npy(path, &format.vae_from_model(latent), index)?;
            Ok(path.to_owned())
        }
        Export::Channel(index) => {
            let path = with_extension(path, "png");
            save_channel(&path, latent, index)?;
            Ok(path)
        }
        Export::ChannelPngs => {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            for index in 0..latent.shape().channels {
                save_channel(&path.with_file_name(format!("{stem}-{index}.png")), latent, index)?;
            }
            Ok(path.with_file_name(format!("{stem}-*.png")))
        }
    }
}

/// A channel between its own ends: the file says where they are.
fn save_channel(path: &Path, latent: &Latent, index: usize) -> anyhow::Result<()> {
    let figures = channel_statistics(latent).get(index).copied().context("there is no such channel")?;
    Ok(write_channel_png16(path, latent, index, figures.min, figures.max)?)
}

fn with_extension(path: &Path, extension: &str) -> PathBuf {
    if path.extension().is_some() { path.to_owned() } else { path.with_extension(extension) }
}

/// Which of these models have a VAE of so many channels.
pub(super) fn fitting_models(known: Vec<ModelChoice>, channels: usize) -> Vec<ModelChoice> {
    known.into_iter().filter(|model| latent_channels(model).ok() == Some(channels)).collect()
}
