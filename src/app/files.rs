//! Reading dropped, pasted and chosen files, and writing exports.

use std::path::{Path, PathBuf};

use crate::catalog::ModelSource;
use crate::content::Content;
use crate::formats::latent_file::{
    LatentFacts, LatentQuantity, latent_from_bytes, write_channel_npy, write_latent, write_npy,
};
use crate::formats::metadata::GenerationFacts;
use crate::formats::picture::{
    ReadOptions, WriteOptions, picture_from_bytes, shrink_to_pixels, write_channel_png16, write_picture,
};
use crate::formats::{DestinationKind, FileKind, Input, Sources, channel_sheet, check_writable, read_input};
use crate::latent::{Latent, LatentFormat, channel_statistics};
use crate::reason::{Reason, ReasonKind};
use crate::session::{DocumentId, Export, ExportKind, FileContent, ResultItem};
use crate::store::latent_channels;

/// Pictures with more pixels than this are scaled down before they are encoded. Tiling bounds the memory, but the time
/// of the VAE's attention grows with the square of the area.
const MAX_PIXELS: usize = 4096 * 4096;

/// The content of an opened path.
pub(super) struct Opened {
    pub(super) content: FileContent,
    /// The new width and height, pixels, of a picture that was scaled down.
    pub(super) scaled: Option<(usize, usize)>,
}

/// Reads a picture, latent or model folder. Transparent pixels are blended onto `background` (sRGB bytes).
pub(super) fn open(path: &Path, background: [u8; 3]) -> anyhow::Result<Opened> {
    let (kind, bytes) = match read_input(path, Sources::Files)? {
        Input::Folder | Input::Weights(_) => {
            let content = FileContent::Model(ModelSource::Folder(path.to_owned()));
            return Ok(Opened { content, scaled: None });
        }
        Input::File { kind, bytes } => (kind, bytes),
    };
    match kind {
        FileKind::Picture => {
            let read = picture_from_bytes(&bytes, &ReadOptions { background, ..ReadOptions::default() })?;
            let shrunk = shrink_to_pixels(&read.picture, MAX_PIXELS);
            let scaled = shrunk.as_ref().map(|picture| (picture.width(), picture.height()));
            let facts = read.facts.filter(GenerationFacts::has_settings).map(Box::new);
            let picture = shrunk.unwrap_or(read.picture);
            let content = FileContent::Picture { picture, transparent: read.had_transparency, facts };
            Ok(Opened { content, scaled })
        }
        FileKind::Latent => {
            let read = latent_from_bytes(&bytes)?;
            let content = FileContent::Latent { latent: read.latent, space: read.space };
            Ok(Opened { content, scaled: None })
        }
        FileKind::Folder | FileKind::Unknown => {
            let content = Content::of(&bytes);
            let why = format!(
                "This is neither a picture, a latent nor a model's folder, but {content}: {}",
                path.display()
            );
            Err(Reason::new(ReasonKind::NothingKnown, why).because(&content).at(path).into())
        }
    }
}

/// Refuses pipes and devices: writing to a pipe blocks until its reader takes the data.
fn refuse_stream(path: &Path) -> anyhow::Result<()> {
    if matches!(check_writable(path), Ok(DestinationKind::Stream)) {
        let why =
            format!("This is a pipe or a device and not a file (choose a file name): {}", path.display());
        return Err(Reason::new(ReasonKind::IsStream, why).at(path).into());
    }
    Ok(())
}

/// Writes every document into a folder, under a name that does not exist yet.
pub(super) fn save_all(
    folder: &Path,
    exports: &[Export],
    metadata: bool,
) -> Vec<(DocumentId, anyhow::Result<PathBuf>)> {
    let save = |export: &Export| {
        let extension = if export.kind == ExportKind::Picture { "png" } else { "latent" };
        let names = std::iter::once(export.stem.clone())
            .chain((2..).map(|number| format!("{}-{number}", export.stem)));
        let mut paths = names.map(|name| folder.join(format!("{name}.{extension}")));
        let path = paths
            .find(|path| !path.exists())
            .ok_or_else(|| Reason::new(ReasonKind::NoNameFree, "no name is free"))?;
        write(&path, export, metadata)
    };
    exports.iter().map(|export| (export.of, save(export))).collect()
}

/// The metadata of a result's latent file.
pub(super) fn result_latent_facts(item: &ResultItem) -> LatentFacts {
    LatentFacts { generation: Some(item.facts()), ..latent_facts(&item.format) }
}

/// The metadata that follows from the latent format alone.
fn latent_facts(format: &LatentFormat) -> LatentFacts {
    LatentFacts {
        scaling: Some(format.scale),
        shift: Some(format.shift),
        quantity: Some(LatentQuantity::Denoised),
        ..LatentFacts::default()
    }
}

/// Writes an export. Returns the path with the extension that was added.
pub(super) fn write(path: &Path, export: &Export, metadata: bool) -> anyhow::Result<PathBuf> {
    refuse_stream(path)?;
    let format = &export.format;
    let plain = WriteOptions { metadata: false, ..WriteOptions::default() };
    let latent = export.latent.as_ref().ok_or_else(|| missing("there is no latent yet"))?;
    match export.kind {
        ExportKind::Picture => {
            let picture = export.picture.as_ref().ok_or_else(|| missing("the picture is not decoded yet"))?;
            let options = WriteOptions { metadata, ..WriteOptions::default() };
            Ok(write_picture(path, picture, export.facts.as_ref(), &options)?)
        }
        ExportKind::Latent => {
            let facts = LatentFacts {
                family: export.profile.as_ref().map(|profile| profile.family.to_owned()),
                vae_hash: export.profile.as_ref().map(|profile| profile.vae_hash.clone()),
                generation: export.facts.clone(),
                ..latent_facts(format)
            };
            let path = with_extension(path, "latent");
            write_latent(&path, &format.vae_from_model(latent), &facts)?;
            Ok(path)
        }
        ExportKind::Sheet => {
            let title = path.file_stem().unwrap_or_default().to_string_lossy();
            Ok(write_picture(path, &channel_sheet(latent, format, &title)?, None, &plain)?)
        }
        ExportKind::Npy => {
            let path = with_extension(path, "npy");
            write_npy(&path, &format.vae_from_model(latent))?;
            Ok(path)
        }
        ExportKind::Channel(index) if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("npy")) => {
            write_channel_npy(path, &format.vae_from_model(latent), index)?;
            Ok(path.to_owned())
        }
        ExportKind::Channel(index) => {
            let path = with_extension(path, "png");
            save_channel(&path, latent, index)?;
            Ok(path)
        }
        ExportKind::ChannelPngs => {
            for index in 0..latent.shape().channels {
                save_channel(&channel_path(path, index), latent, index)?;
            }
            Ok(channel_path(path, "*"))
        }
    }
}

/// That a document does not hold what should be written.
fn missing(what: &str) -> Reason {
    Reason::new(ReasonKind::NothingToWrite, what)
}

/// The path of one channel's file when each channel is exported to its own file.
pub(super) fn channel_path(path: &Path, channel: impl std::fmt::Display) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{channel}.png"));
    path.with_file_name(name)
}

/// Writes a channel as a 16-bit PNG, scaled to its own minimum and maximum, which are stored in the file.
fn save_channel(path: &Path, latent: &Latent, index: usize) -> anyhow::Result<()> {
    let figures =
        channel_statistics(latent).get(index).copied().ok_or_else(|| missing("there is no such channel"))?;
    Ok(write_channel_png16(path, latent, index, figures.min, figures.max)?)
}

/// The folder to show for a path: itself, or the nearest one above it that exists.
fn shown_folder(path: &Path) -> &Path {
    path.ancestors().find(|folder| folder.is_dir()).unwrap_or(path)
}

/// Shows a file or a folder in the system's file manager; on platforms that cannot select a file, opens its folder.
pub(super) fn show_in_folder(path: &Path) {
    let folder = shown_folder(path);
    let command = if cfg!(target_os = "macos") {
        let mut command = std::process::Command::new("open");
        // What does not exist cannot be selected.
        if path.is_file() {
            command.arg("-R").arg(path)
        } else {
            command.arg(folder)
        };
        command
    } else if cfg!(windows) {
        let mut command = std::process::Command::new("explorer");
        command.arg(folder);
        command
    } else {
        let mut command = std::process::Command::new("xdg-open");
        command.arg(folder);
        command
    };
    spawn(command);
}

/// Opens a page in the system's browser.
pub(super) fn open_page(address: &str) {
    // Nothing else is opened: what a hub names as a page may be anything.
    if !address.starts_with("https://") && !address.starts_with("http://") {
        return log::warn!("this is no address of a page: {address}");
    }
    let program = if cfg!(target_os = "macos") {
        "open"
    } else if cfg!(windows) {
        "explorer"
    } else {
        "xdg-open"
    };
    let mut command = std::process::Command::new(program);
    command.arg(address);
    spawn(command);
}

/// Starts a program of the desktop.
fn spawn(mut command: std::process::Command) {
    match command.spawn() {
        // The child has to be reaped, or it stays a zombie process.
        Ok(mut shown) => {
            let thread = std::thread::Builder::new().name("safelight-folder".to_owned());
            drop(thread.spawn(move || shown.wait()));
        }
        Err(error) => log::warn!("the desktop's program could not be started: {error}"),
    }
}

/// The default folder for autosaved pictures.
pub(super) fn pictures_folder() -> PathBuf {
    let folders = directories::UserDirs::new();
    let pictures = folders.as_ref().and_then(|folders| folders.picture_dir().map(Path::to_owned));
    pictures.or_else(home).unwrap_or_default().join("Safelight")
}

/// The user's home folder.
pub(super) fn home() -> Option<PathBuf> {
    directories::UserDirs::new().map(|folders| folders.home_dir().to_owned())
}

pub(super) fn with_extension(path: &Path, extension: &str) -> PathBuf {
    if path.extension().is_some() { path.to_owned() } else { path.with_extension(extension) }
}

/// The models whose VAE has this number of latent channels.
pub(super) fn fitting_models(known: Vec<ModelSource>, channels: usize) -> Vec<ModelSource> {
    known.into_iter().filter(|model| latent_channels(model).ok() == Some(channels)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::ModelProfile;
    use crate::formats::latent_file::read_latent;
    use crate::latent::LatentShape;
    use crate::request::{GenerationDraft, Picture, Seed};

    fn export(kind: ExportKind) -> Export {
        Export {
            of: DocumentId(1),
            kind,
            stem: "safelight-7".to_owned(),
            latent: Some(Latent::zeros(LatentShape::new(4, 1, 1))),
            format: LatentFormat::STABLE_DIFFUSION,
            picture: (kind == ExportKind::Picture).then(|| Picture::new(8, 8, vec![9; 192]).unwrap()),
            facts: Some(GenerationFacts::of_request(
                &GenerationDraft { seed: Seed(7), ..GenerationDraft::new(&ModelProfile::made_up()) },
                "a model",
            )),
            profile: None,
            saves: true,
        }
    }

    #[test]
    fn saved_documents_get_unique_names() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("safelight-7.png"), b"older").unwrap();
        let exports = [ExportKind::Picture, ExportKind::Picture, ExportKind::Latent].map(export);
        let written = save_all(folder.path(), &exports, true);
        let names: Vec<_> =
            written.iter().map(|(_, path)| path.as_ref().unwrap().file_name().unwrap().to_owned()).collect();
        assert_eq!(names, ["safelight-7-2.png", "safelight-7-3.png", "safelight-7.latent"]);
        assert_eq!(std::fs::read(folder.path().join("safelight-7.png")).unwrap(), b"older");
        let read = read_latent(&folder.path().join("safelight-7.latent")).unwrap();
        assert_eq!(Some(read.latent), exports[2].latent);
        assert_eq!(read.facts.generation.unwrap().seed, Some(Seed(7)), "a latent carries its settings");
        assert!(save_all(Path::new("/nowhere"), &exports[..1], true)[0].1.is_err());
    }

    #[test]
    fn the_nearest_folder_that_exists_is_shown() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.png"), b"").unwrap();
        for name in ["a.png", "none.png", "no/such/folder", ""] {
            assert_eq!(shown_folder(&folder.path().join(name)), folder.path(), "{name}");
        }
    }

    /// Regression test: opening a weights file must say what the file is, not only what it does not contain.
    #[test]
    fn weights_are_told_from_latents() {
        let header = br#"{"conv_in.weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(header);
        bytes.extend_from_slice(&[0; 4]);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("unet.safetensors");
        std::fs::write(&file, &bytes).unwrap();
        let Err(error) = open(&file, [0; 3]) else { panic!() };
        let said = error.to_string();
        assert!(said.contains("conv_in.weight") && said.contains("a model's weights"), "{said}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn pipes_are_refused_without_blocking() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let Err(error) = open(&pipe, [0; 3]) else { panic!() };
        assert!(error.to_string().contains("a pipe and not a file"), "{error}");
        let error = write(&pipe, &export(ExportKind::Npy), false).unwrap_err().to_string();
        assert!(error.contains("a pipe or a device"), "{error}");
    }
}
