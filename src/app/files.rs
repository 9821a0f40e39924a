//! Files that were dropped, pasted or chosen, and files that are written.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::catalog::{ModelProfile, ModelSource};
use crate::content::Content;
use crate::engine::JobId;
use crate::formats::latent_file::{
    LatentFacts, LatentQuantity, latent_from_bytes, write_channel_npy, write_latent, write_npy,
};
use crate::formats::metadata::GenerationFacts;
use crate::formats::picture::{
    ReadOptions, WriteOptions, picture_from_bytes, shrink_to_pixels, write_channel_png16, write_picture,
};
use crate::formats::{DestinationKind, FileKind, Input, Sources, channel_sheet, check_writable, read_input};
use crate::latent::{Latent, LatentFormat, LatentSpace, channel_statistics};
use crate::request::Picture;
use crate::session::{Export, ResultItem};
use crate::store::latent_channels;

/// Pictures above this many pixels are scaled down before they are encoded: tiles bound the memory, but the time
/// of the VAE's attention grows with the square of the area.
const MAX_PIXELS: usize = 4096 * 4096;

/// What a path led to.
pub(super) enum Opened {
    Picture { picture: Picture, facts: Option<Box<GenerationFacts>>, scaled: bool, transparent: bool },
    Latent { latent: Latent, space: Option<LatentSpace> },
    Model(ModelSource),
}

/// Reads whatever a path leads to; transparent pixels lie on `background`.
pub(super) fn open(path: &Path, background: [u8; 3]) -> anyhow::Result<Opened> {
    let (kind, bytes) = match read_input(path, Sources::Files)? {
        Input::Folder | Input::Weights(_) => return Ok(Opened::Model(ModelSource::Folder(path.to_owned()))),
        Input::File { kind, bytes } => (kind, bytes),
    };
    match kind {
        FileKind::Picture => {
            let read = picture_from_bytes(&bytes, &ReadOptions { background, ..ReadOptions::default() })?;
            let shrunk = shrink_to_pixels(&read.picture, MAX_PIXELS);
            let scaled = shrunk.is_some();
            let facts = read.facts.filter(GenerationFacts::has_settings).map(Box::new);
            let picture = shrunk.unwrap_or(read.picture);
            Ok(Opened::Picture { picture, facts, scaled, transparent: read.had_transparency })
        }
        FileKind::Latent => {
            let read = latent_from_bytes(&bytes)?;
            Ok(Opened::Latent { latent: read.latent, space: read.space })
        }
        FileKind::Folder | FileKind::Unknown => {
            let content = Content::of(&bytes);
            bail!(
                "This is neither a picture, a latent nor a model's folder, but {content}: {}",
                path.display()
            )
        }
    }
}

/// A pipe's reader may never take what is written, and a window must not wait for it.
fn refuse_stream(path: &Path) -> anyhow::Result<()> {
    if matches!(check_writable(path), Ok(DestinationKind::Stream)) {
        bail!("This is a pipe or a device and not a file (choose a file name): {}", path.display());
    }
    Ok(())
}

/// Writes a result's picture; gives the path with its extension.
pub(super) fn save_picture(path: &Path, item: &ResultItem, metadata: bool) -> anyhow::Result<PathBuf> {
    let picture = item.picture().context("the picture is not decoded yet")?;
    refuse_stream(path)?;
    let options = WriteOptions { metadata, ..WriteOptions::default() };
    Ok(write_picture(path, picture, Some(&item.facts()), &options)?)
}

/// Writes every result into a folder under a name that is free: its picture, or its latent where the
/// picture could not be decoded.
pub(super) fn save_all(
    folder: &Path,
    items: &[ResultItem],
    metadata: bool,
) -> Vec<(JobId, anyhow::Result<PathBuf>)> {
    let save = |item: &ResultItem| {
        let extension = if item.picture().is_some() { "png" } else { "latent" };
        let seed = item.request.seed.0;
        let names = std::iter::once(format!("safelight-{seed}"))
            .chain((2..).map(|number| format!("safelight-{seed}-{number}")));
        let mut paths = names.map(|name| folder.join(name).with_extension(extension));
        let path = paths.find(|path| !path.exists()).context("no name is free")?;
        if item.picture().is_some() {
            return save_picture(&path, item, metadata);
        }
        write_latent(&path, &item.format.vae_from_model(&item.latent), &result_latent_facts(item))?;
        Ok(path)
    };
    items.iter().map(|item| (item.job, save(item))).collect()
}

/// Writes a latent in ComfyUI's form; the path has its extension.
pub(super) fn save_latent(path: &Path, latent: &Latent, profile: &ModelProfile) -> anyhow::Result<PathBuf> {
    refuse_stream(path)?;
    let facts = LatentFacts {
        family: Some(profile.family.to_owned()),
        vae_hash: Some(profile.vae_hash.clone()),
        ..latent_facts(&profile.format)
    };
    write_latent(path, &profile.format.vae_from_model(latent), &facts)?;
    Ok(path.to_owned())
}

/// What a result's latent file says of it.
pub(super) fn result_latent_facts(item: &ResultItem) -> LatentFacts {
    LatentFacts { generation: Some(item.facts()), ..latent_facts(&item.format) }
}

/// What a finished latent's format alone says of it.
fn latent_facts(format: &LatentFormat) -> LatentFacts {
    LatentFacts {
        scaling: Some(format.scale),
        shift: Some(format.shift),
        quantity: Some(LatentQuantity::Denoised),
        ..LatentFacts::default()
    }
}

/// Writes something of the latent view: `latent` in model space, as it is adjusted.
pub(super) fn export(
    path: &Path,
    what: Export,
    latent: &Latent,
    format: &LatentFormat,
    decoded: Option<&Picture>,
) -> anyhow::Result<PathBuf> {
    refuse_stream(path)?;
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
            for index in 0..latent.shape().channels {
                save_channel(&channel_path(path, index), latent, index)?;
            }
            Ok(channel_path(path, "*"))
        }
    }
}

/// The file of one channel where all go into files of their own.
pub(super) fn channel_path(path: &Path, channel: impl std::fmt::Display) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{channel}.png"));
    path.with_file_name(name)
}

/// A channel between its own ends: the file says where they are.
fn save_channel(path: &Path, latent: &Latent, index: usize) -> anyhow::Result<()> {
    let figures = channel_statistics(latent).get(index).copied().context("there is no such channel")?;
    Ok(write_channel_png16(path, latent, index, figures.min, figures.max)?)
}

/// The person's own folder.
pub(super) fn home() -> Option<PathBuf> {
    directories::UserDirs::new().map(|folders| folders.home_dir().to_owned())
}

pub(super) fn with_extension(path: &Path, extension: &str) -> PathBuf {
    if path.extension().is_some() { path.to_owned() } else { path.with_extension(extension) }
}

/// Which of these models have a VAE with this number of channels.
pub(super) fn fitting_models(known: Vec<ModelSource>, channels: usize) -> Vec<ModelSource> {
    known.into_iter().filter(|model| latent_channels(model).ok() == Some(channels)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::latent_file::read_latent;
    use crate::latent::LatentShape;
    use crate::request::{GenerationDraft, Seed};
    use crate::session::Outcome;

    #[test]
    fn all_results_are_saved_under_names_of_their_own() {
        let profile = ModelProfile::made_up();
        let mut draft = GenerationDraft::new(&profile);
        draft.seed = Seed(7);
        let item = |job, outcome| ResultItem {
            job: JobId(job),
            request: draft.clone().validate(&profile).unwrap(),
            model_name: profile.name.clone(),
            format: profile.format,
            latent: Latent::zeros(LatentShape::new(4, 16, 16)),
            trajectory: std::sync::Arc::default(),
            outcome,
            finished_early: false,
            elapsed_secs: 1.0,
            saved: false,
        };
        let picture = Picture::new(8, 8, vec![9; 192]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("safelight-7.png"), b"older").unwrap();
        let items = [
            item(1, Outcome::Decoded(picture.clone())),
            item(2, Outcome::Decoded(picture)),
            item(3, Outcome::Failed("no memory".into())),
        ];
        let written = save_all(folder.path(), &items, true);
        let names: Vec<_> =
            written.iter().map(|(_, path)| path.as_ref().unwrap().file_name().unwrap().to_owned()).collect();
        assert_eq!(names, ["safelight-7-2.png", "safelight-7-3.png", "safelight-7.latent"]);
        assert_eq!(std::fs::read(folder.path().join("safelight-7.png")).unwrap(), b"older");
        let read = read_latent(&folder.path().join("safelight-7.latent")).unwrap();
        assert_eq!(read.latent, items[2].latent);
        assert_eq!(read.facts.generation.unwrap().seed, Some(Seed(7)));
        assert!(save_all(Path::new("/nowhere"), &items[..1], true)[0].1.is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_is_no_file_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let Err(error) = open(&pipe, [0; 3]) else { panic!() };
        assert!(error.to_string().contains("a pipe and not a file"), "{error}");
        let latent = Latent::zeros(LatentShape::new(4, 1, 1));
        let format = LatentFormat::STABLE_DIFFUSION;
        let error = export(&pipe, Export::Npy, &latent, &format, None).unwrap_err().to_string();
        assert!(error.contains("a pipe or a device"), "{error}");
    }
}
