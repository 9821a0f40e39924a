//! Reading what the headers of files say. The values of tensors are not read.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::layout::{missing_parts, offers, repository_name};
use super::super::{Checkpoint, ModelFiles, StoreError};
use super::entry::{EntryKind, Facts, FileFormat};
use super::family::Family;
use crate::catalog::ModelSource;
use crate::content::Content;
use crate::reason::{Reason, ReasonKind};
use crate::weights::{
    self, SafetensorsFiles, TensorSource, WeightError, WeightFile, WeightsKind, open_weights,
};

/// Networks in a folder in diffusers' layout, the denoiser first.
const PARTS: [&str; 6] = ["transformer", "unet", "text_encoder", "text_encoder_2", "text_encoder_3", "vae"];

impl Facts {
    /// Nothing but why nothing is known.
    pub(super) fn of_problem(format: FileFormat, problem: Reason) -> Self {
        Self {
            kind: EntryKind::Unknown,
            families: Vec::new(),
            format,
            precision: String::new(),
            parameters: 0,
            weight_bytes: 0,
            needs: Vec::new(),
            offer: None,
            absent: Vec::new(),
            problem: Some(problem),
            title: None,
        }
    }

    /// What one file says.
    pub fn of_file(path: &Path) -> Self {
        let format = match Content::of_file(path) {
            Ok(Content::Safetensors) => FileFormat::Safetensors,
            Ok(Content::Gguf) => FileFormat::Gguf,
            Ok(Content::Pickle) => return Self::of_problem(FileFormat::Pickle, (&Content::Pickle).into()),
            Ok(content) => return Self::of_problem(FileFormat::Other, (&content).into()),
            Err(error) => return Self::of_problem(FileFormat::Other, unreadable(&error)),
        };
        match open_weights(path) {
            Ok(source) => Self::of_source(&*source, format, || unopened(path)),
            Err(error) => Self::of_problem(format, reason(error)),
        }
    }

    /// What several files of one network say.
    pub(super) fn of_shards(paths: &[PathBuf]) -> Self {
        let files: Result<Vec<WeightFile>, _> = paths.iter().map(|path| WeightFile::open(path)).collect();
        let files = match files {
            Ok(files) => files,
            Err(error) => return Self::of_problem(FileFormat::Other, unreadable(&error)),
        };
        let source = match SafetensorsFiles::open(files) {
            Ok(source) => source,
            Err(error) => return Self::of_problem(FileFormat::Safetensors, reason(error)),
        };
        let mut facts = Self::of_source(&source, FileFormat::Safetensors, || None);
        // Neither models nor parts open from several files outside of a folder in diffusers' layout.
        facts.needs.clear();
        facts.offer = None;
        facts.problem.get_or_insert_with(|| {
            let why =
                "it is in several files, and these open only inside a model's folder in diffusers' layout";
            Reason::new(ReasonKind::SeveralFiles, why)
        });
        facts
    }

    /// What the tensors of a file say. `unopened`: why a denoiser does not open, if it does not.
    fn of_source(
        source: &dyn TensorSource,
        format: FileFormat,
        unopened: impl FnOnce() -> Option<Reason>,
    ) -> Self {
        let kind = WeightsKind::of(source);
        let needs = missing_parts(kind, source);
        let offer = offers(kind, source);
        let families = Family::of_weights(kind, source, offer.as_ref());
        let (precision, is_read) = precision(source);
        let is_whole = needs.as_ref().is_some_and(|needs| needs.iter().all(|need| need.is_optional));
        let mut entry_kind = EntryKind::of_weights(kind, is_whole);
        let problem = match kind {
            WeightsKind::Refiner
            | WeightsKind::Lumina
            | WeightsKind::QwenImage
            | WeightsKind::Video
            | WeightsKind::SigLipOther
            | WeightsKind::Unknown => Some(it_is(kind)),
            WeightsKind::LanguageModel | WeightsKind::Qwen3 if offer.is_none() => {
                entry_kind = EntryKind::Unknown;
                Some(it_is(kind))
            }
            _ if kind.is_denoiser() && needs.is_none() => unopened(),
            _ if !is_read => Some(
                Reason::new(
                    ReasonKind::PrecisionUnsupported,
                    format!("its number format {precision} is not supported"),
                )
                .with([&precision as _]),
            ),
            _ => None,
        };
        Self {
            kind: entry_kind,
            families,
            format,
            precision,
            parameters: weights::parameters(source),
            weight_bytes: weights::stored_bytes(source),
            needs: needs.unwrap_or_default(),
            offer,
            absent: Vec::new(),
            problem,
            title: None,
        }
    }

    /// What a folder in diffusers' layout says.
    pub(super) fn of_folder(path: &Path) -> Self {
        let choice = ModelSource::Folder(path.to_owned());
        let checkpoint = match Checkpoint::open(&choice) {
            Ok(checkpoint) => checkpoint,
            Err(error) => {
                let problem = Self::of_problem(FileFormat::Other, problem_of(error));
                return Self { kind: EntryKind::Folder, ..problem };
            }
        };
        let mut parts = FolderParts::default();
        for part in PARTS.into_iter().filter(|part| checkpoint.part_class(part).is_some()) {
            parts.add(part, checkpoint.files().tensors(part));
        }
        let FolderParts { sources, absent, mut problem } = parts;
        let denoiser = sources.first().filter(|(part, _)| ["transformer", "unet"].contains(part));
        let kind = denoiser.map(|(_, source)| WeightsKind::of(&**source));
        let families =
            denoiser.zip(kind).map(|((_, source), kind)| Family::of_weights(kind, &**source, None));
        if let Some(kind) = kind.filter(|kind| !kind.is_denoiser()) {
            problem.get_or_insert_with(|| match kind {
                WeightsKind::Unknown => {
                    let class = checkpoint.class_name();
                    let why = format!("its pipeline ‘{class}’ is not one that this program knows");
                    Reason::new(ReasonKind::UnsupportedFamily, why).with([&class as _])
                }
                kind => it_is(kind),
            });
        }
        let sum = |of: fn(&dyn TensorSource) -> u64| {
            sources.iter().map(|(_, source)| of(&**source)).fold(0, u64::saturating_add)
        };
        Self {
            kind: EntryKind::Folder,
            families: families.unwrap_or_default(),
            format: FileFormat::Safetensors,
            precision: denoiser.map(|(_, source)| precision(&**source).0).unwrap_or_default(),
            parameters: sum(weights::parameters),
            weight_bytes: sum(weights::stored_bytes),
            needs: Vec::new(),
            offer: None,
            absent,
            problem,
            title: Some(repository_name(checkpoint.origin()).to_owned()).filter(|title| !title.is_empty()),
        }
    }
}

/// The networks of a folder.
#[derive(Default)]
struct FolderParts {
    sources: Vec<(&'static str, Arc<dyn TensorSource>)>,
    absent: Vec<String>,
    problem: Option<Reason>,
}

impl FolderParts {
    fn add(&mut self, part: &'static str, opened: Result<Arc<dyn TensorSource>, StoreError>) {
        match opened {
            Ok(source) => self.sources.push((part, source)),
            Err(StoreError::NotAModel { .. }) => self.absent.push(part.to_owned()),
            Err(error) => {
                self.problem.get_or_insert_with(|| {
                    let why = problem_of(error);
                    Reason::new(ReasonKind::PartUnusable, format!("its part ‘{part}’: {why}"))
                        .with([&part as _])
                        .because(why)
                });
            }
        }
    }
}

/// Why the denoiser in a file does not open: what opening it says before any other part is searched.
fn unopened(path: &Path) -> Option<Reason> {
    let opened = ModelFiles::open(&ModelSource::Folder(path.to_owned()));
    opened.err().map(problem_of)
}

/// An error without the path, which the entry has.
fn problem_of(error: StoreError) -> Reason {
    match error {
        StoreError::Weights(error) => reason(error),
        StoreError::Damaged { reason, .. } => {
            Reason::new(ReasonKind::ModelFileDamaged, &reason).with([&reason as _])
        }
        StoreError::Read { reason, .. } => Reason::new(ReasonKind::FileUnread, &reason).with([&reason as _]),
        StoreError::Pickled(_) => (&Content::Pickle).into(),
        error => (&error).into(),
    }
}

fn reason(error: WeightError) -> Reason {
    match error {
        WeightError::Damaged { reason, .. } => {
            Reason::new(ReasonKind::WeightsDamaged, &reason).with([&reason as _])
        }
        error => (&error).into(),
    }
}

/// That a file is of a kind that does not draw.
fn it_is(kind: WeightsKind) -> Reason {
    Reason::from(kind).said(format!("it is {kind}"))
}

fn unreadable(error: &std::io::Error) -> Reason {
    match error.kind() {
        std::io::ErrorKind::PermissionDenied => {
            Reason::new(ReasonKind::ReadDenied, "this user may not read it")
        }
        _ => Reason::new(ReasonKind::FileUnread, format!("it cannot be read: {error}")).with([error as _]),
    }
}

/// The number format of most values, and whether it is one that this program reads.
fn precision(source: &dyn TensorSource) -> (String, bool) {
    let mut values: BTreeMap<Cow<'_, str>, (u64, bool)> = BTreeMap::new();
    for name in source.names() {
        let (Some(format), Some(info)) = (source.format_name(name), source.info(name)) else { continue };
        let is_read = format == info.dtype.name();
        let sum = values.entry(format).or_insert((0, is_read));
        sum.0 = sum.0.saturating_add(info.values());
    }
    let most = values.into_iter().max_by_key(|(_, (values, _))| *values);
    most.map_or((String::new(), true), |(format, (_, is_read))| (format.into_owned(), is_read))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixture(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
    }

    #[test]
    fn a_file_says_what_it_is() {
        for (file, kind, family, precision) in [
            ("single/sd1.safetensors", EntryKind::Checkpoint, Family::StableDiffusion1, "f32"),
            ("single/sdxl.safetensors", EntryKind::Checkpoint, Family::StableDiffusionXl, "f32"),
            ("single/flux_transformer.gguf", EntryKind::DiffusionModel, Family::Flux1, "bf16"),
            ("single/flux2_transformer.safetensors", EntryKind::DiffusionModel, Family::Flux2, "bf16"),
            ("single/sd3_whole.safetensors", EntryKind::Checkpoint, Family::StableDiffusion3, "bf16"),
        ] {
            let facts = Facts::of_file(&fixture(file));
            assert_eq!((facts.kind, &facts.families[..]), (kind, &[family][..]), "{file}");
            assert_eq!((facts.problem, facts.precision.as_str()), (None, precision), "{file}");
            assert!(facts.parameters > 1000 && facts.weight_bytes >= facts.parameters, "{file}");
        }
    }

    #[test]
    fn networks_that_find_and_describe_pictures_are_kinds_of_their_own() {
        for (file, kind) in [
            ("clip/model.safetensors", EntryKind::PictureSearch),
            ("siglip/model.safetensors", EntryKind::PictureSearch),
            ("siglip2/model.safetensors", EntryKind::PictureSearch),
            ("blip/model.safetensors", EntryKind::PictureDescription),
        ] {
            let facts = Facts::of_file(&fixture(file));
            assert_eq!((facts.kind, facts.problem), (kind, None), "{file}");
        }
        // The text encoder of a whole CLIP model is one that a model may have.
        assert!(Facts::of_file(&fixture("clip/model.safetensors")).offer.is_some());
        for other in ["siglip", "blip"] {
            assert!(Facts::of_file(&fixture(other).join("model.safetensors")).offer.is_none(), "{other}");
        }
    }

    #[test]
    fn a_folder_says_what_it_is_and_lacks() {
        for (folder, family) in [
            ("sd1", Family::StableDiffusion1),
            ("sdxl", Family::StableDiffusionXl),
            ("flux2", Family::Flux2),
            ("z_image", Family::ZImage),
        ] {
            let facts = Facts::of_folder(&fixture(folder));
            assert_eq!((facts.kind, facts.problem), (EntryKind::Folder, None), "{folder}");
            assert_eq!(facts.families, [family], "{folder}");
        }
        let folder = tempfile::tempdir().unwrap();
        let index = r#"{"_class_name": "StableDiffusionPipeline", "_name_or_path": "someone/dream",
            "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"]}"#;
        std::fs::write(folder.path().join("model_index.json"), index).unwrap();
        std::fs::create_dir(folder.path().join("vae")).unwrap();
        let weights = "vae/diffusion_pytorch_model.safetensors";
        std::fs::copy(fixture("sd1").join(weights), folder.path().join(weights)).unwrap();
        let facts = Facts::of_folder(folder.path());
        assert_eq!((facts.absent, facts.title), (vec!["unet".to_owned()], Some("dream".to_owned())));
        std::fs::write(folder.path().join(weights), b"<html>").unwrap();
        let problem = Facts::of_folder(folder.path()).problem.unwrap().to_string();
        assert!(problem.starts_with("its part ‘vae’: ") && problem.contains("a web page"), "{problem}");
        std::fs::write(folder.path().join("model_index.json"), b"{").unwrap();
        let facts = Facts::of_folder(folder.path());
        assert_eq!(facts.kind, EntryKind::Folder);
        assert!(facts.problem.is_some());
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let said = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            let facts = Facts::of_file(&path);
            assert_eq!(facts.kind, EntryKind::Unknown);
            facts.problem.unwrap().to_string()
        };
        assert!(said("a.ckpt", b"\x80\x02}q\0.").contains("pickle"));
        assert!(said("b.safetensors", b"<!DOCTYPE html>").contains("a web page"));
        assert!(said("c.safetensors", b"").contains("an empty file"));
        let whole = std::fs::read(fixture("single/sd1.safetensors")).unwrap();
        assert!(said("d.safetensors", &whole[..whole.len() - 1]).contains("the file ends too early"));
        assert!(said("e.safetensors", b"\x02\0\0\0\0\0\0\0{}").contains("none of the names"));
        let problem = Facts::of_file(&folder.path().join("gone")).problem.unwrap();
        assert!(problem.english().contains("cannot be read"));
    }
}
