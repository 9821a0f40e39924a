//! Layouts of weights files, presented as parts and configuration files in diffusers' layout.
//!
//! Model families read diffusers' layout only. Weights files are read through [`Assembled`]: tensors under diffusers'
//! names, and configurations derived from the shapes of the tensors.

mod flux;
mod flux2;
mod flux3;
mod gguf_tokenizer;
mod location;
mod need;
mod part;
mod sd3;
mod sources;
mod stable_diffusion;
mod survey;
mod z_image;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use self::part::Part;
use self::sources::PartSources;
use super::StoreError;
use super::names::Renamed;
use crate::catalog::ModelParts;
use crate::weights::{TensorSource, WeightsKind, kind_of_weights, open_weights};

pub(super) use location::{Location, repository_name};
pub use need::{PartKind, PartNeed, PartOffer};
pub(super) use stable_diffusion::{Design, design_of};
pub(super) use survey::{missing_parts, offers};

/// A virtual folder in diffusers' layout: parts and configuration files by name.
pub(super) struct Assembled {
    /// The model's file.
    origin: PathBuf,
    /// Configurations and tokenizers.
    small_files: BTreeMap<String, SmallFile>,
    /// The tensors of each part.
    parts: BTreeMap<&'static str, Arc<dyn TensorSource>>,
}

/// A configuration or a tokenizer.
struct SmallFile {
    /// Its content, or why it cannot be derived.
    content: Result<Cow<'static, [u8]>, String>,
    /// The file it is derived from, for messages.
    origin: PathBuf,
}

impl std::fmt::Debug for Assembled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Assembled").field(&self.origin).finish()
    }
}

impl Assembled {
    fn new(origin: PathBuf) -> Self {
        Self { origin, small_files: BTreeMap::new(), parts: BTreeMap::new() }
    }

    /// Adds a part and its configuration.
    fn add(&mut self, name: &'static str, source: &Arc<dyn TensorSource>, Part { names, config }: Part) {
        self.parts.insert(name, Arc::new(Renamed::new(source.clone(), names)));
        self.add_small(&format!("{name}/config.json"), source.path(""), Ok(in_bytes(&config)));
    }

    /// Adds the tokenizer inside a GGUF file, if there is one.
    fn add_gguf_tokenizer(&mut self, name: &str, source: &dyn TensorSource) {
        if let Some(tokenizer) = source.gguf_metadata().and_then(gguf_tokenizer::tokenizer_json) {
            self.add_small(name, source.path(""), tokenizer.as_ref().map(in_bytes).map_err(Clone::clone));
        }
    }

    fn add_small(&mut self, name: &str, origin: PathBuf, content: Result<Cow<'static, [u8]>, String>) {
        self.small_files.insert(name.to_owned(), SmallFile { content, origin });
    }

    /// The parts and their files.
    pub(super) fn part_files(&self) -> impl Iterator<Item = (&'static str, PathBuf)> {
        self.parts.iter().map(|(part, source)| (*part, source.path("")))
    }

    fn add_json(&mut self, name: &str, value: &Value) {
        self.add_small(name, self.origin.clone(), Ok(in_bytes(value)));
    }

    fn add_bytes(&mut self, name: &str, bytes: &'static [u8]) {
        self.add_small(name, self.origin.clone(), Ok(Cow::Borrowed(bytes)));
    }
}

/// CLIP's vocabulary, which ships with the program, in the folder `clip`.
pub(super) fn clip_vocabulary() -> Location {
    let mut words = Assembled::new(PathBuf::from("CLIP's vocabulary"));
    stable_diffusion::add_tokenizer(&mut words, "clip", false);
    Location::Assembled(Arc::new(words))
}

fn in_bytes(value: &Value) -> Cow<'static, [u8]> {
    value.to_string().into_bytes().into()
}

/// The error for a file given for a part that does not contain one that fits the model.
pub(super) fn wrong_part(what: &str, path: &Path) -> StoreError {
    let kind = kind_of_weights(path).unwrap_or(WeightsKind::Unknown).to_string();
    StoreError::WrongPart { what: what.to_owned(), kind, path: path.to_owned() }
}

/// Assembles a model whose denoiser is in the file `path`. The other parts are in files given in `parts`, in the same
/// file, or in files next to it.
///
/// # Errors
/// If a file is damaged, a part is missing, or `path` does not contain a denoiser.
pub(super) fn from_files(path: &Path, parts: &ModelParts) -> Result<Assembled, StoreError> {
    let source = open_weights(path)?;
    let kind = WeightsKind::of(&*source);
    let assemble = match kind {
        WeightsKind::StableDiffusion | WeightsKind::Unet => stable_diffusion::assemble,
        WeightsKind::Flux | WeightsKind::Chroma => flux::assemble,
        WeightsKind::Flux2 => flux2::assemble,
        WeightsKind::Flux3 => flux3::assemble,
        WeightsKind::StableDiffusion3 => sd3::assemble,
        WeightsKind::ZImage => z_image::assemble,
        kind => {
            return Err(StoreError::NotAWholeModel { kind, path: path.to_owned() });
        }
    };
    let sources = PartSources::open(path, source, parts)?;
    let model = assemble(&sources)?;
    sources.check_all_used()?;
    Ok(model)
}

/// Opens parts in files that replace those of a folder. The folder's configurations are kept.
///
/// # Errors
/// As [`from_files`].
pub(super) fn replacement_parts(parts: &ModelParts) -> Result<Assembled, StoreError> {
    const TEXT_ENCODERS: [&str; 3] = ["text_encoder", "text_encoder_2", "text_encoder_3"];
    let mut model = Assembled::new(parts.model.clone());
    let mut add = |name: &'static str, file: &PathBuf, part: fn(&dyn TensorSource) -> Option<Part>| {
        let source = open_weights(file)?;
        let Some(Part { names, .. }) = part(&*source) else {
            return Err(wrong_part(name, file));
        };
        model.parts.insert(name, Arc::new(Renamed::new(source, names)));
        Ok(())
    };
    if let Some(file) = &parts.vae {
        // Unused: scale and shift come from the folder's configuration.
        add("vae", file, |source| part::vae(source, 1.0, 0.0))?;
    }
    for (index, (name, file)) in TEXT_ENCODERS.into_iter().zip(&parts.text_encoders).enumerate() {
        let Some(file) = file else { continue };
        // A single-file model may contain both CLIP (the first) and OpenCLIP (the second).
        if index == 2 {
            add(name, file, flux::t5)?;
        } else if index == 1 {
            let second = |source: &dyn TensorSource| {
                part::open_clip(source, 0).or_else(|| part::clip(source)).or_else(|| flux::t5(source))
            };
            add(name, file, second)?;
        } else {
            let first = |source: &dyn TensorSource| {
                part::clip(source)
                    .or_else(|| part::open_clip(source, 0))
                    .or_else(|| z_image::qwen3(source))
                    .or_else(|| flux::t5(source))
            };
            add(name, file, first)?;
        }
    }
    if let Some(file) = &parts.diffusion_model {
        match WeightsKind::of(&*open_weights(file)?) {
            WeightsKind::Flux | WeightsKind::Chroma => add("transformer", file, flux::transformer)?,
            WeightsKind::StableDiffusion3 => add("transformer", file, sd3::transformer)?,
            WeightsKind::Flux2 => add("transformer", file, flux2::transformer)?,
            WeightsKind::Flux3 => add("transformer", file, flux3::transformer)?,
            WeightsKind::ZImage => add("transformer", file, z_image::transformer)?,
            _ => add("unet", file, stable_diffusion::unet)?,
        }
    }
    Ok(model)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::weights::{StoredTensor, TensorMap};

    /// The tensors of a single-file model among the fixtures.
    fn whole(file: &str) -> TensorMap {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/single");
        let source = open_weights(&folder.join(file)).unwrap();
        let mut tensors = TensorMap::default();
        for name in source.names() {
            tensors.insert(name, source.read(name).unwrap());
        }
        tensors
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        /// A complete model is assembled. One with a few tensors in other shapes is assembled or refused without a
        /// panic, and tensors that can be read have the announced shapes.
        #[test]
        fn a_model_with_changed_tensors_is_assembled_or_refused(
            file in prop::sample::select(&[
                "sd1.safetensors", "sd2.safetensors", "sdxl.safetensors", "flux_whole.safetensors", "sd3_whole.safetensors",
            ][..]),
            changes in prop::collection::vec((any::<prop::sample::Index>(), prop::collection::vec(0_usize..4, 0..5)), 0..4),
        ) {
            let mut tensors = whole(file);
            let names: Vec<String> = tensors.names().into_iter().map(str::to_owned).collect();
            for (index, shape) in &changes {
                let len = shape.iter().product();
                tensors.insert(index.get(&names).clone(), StoredTensor::from_f32(shape, &vec![0.0; len]));
            }
            let source: Arc<dyn TensorSource> = Arc::new(tensors);
            let sources = PartSources::of_one(source.clone());
            let assembled = match file {
                "flux_whole.safetensors" => flux::assemble(&sources),
                "sd3_whole.safetensors" => sd3::assemble(&sources),
                _ => stable_diffusion::assemble(&sources),
            };
            if changes.is_empty() {
                prop_assert!(assembled.is_ok(), "{file}: {:?}", assembled.err());
            }
            for part in assembled.into_iter().flat_map(|model| model.parts.into_values()) {
                prop_assert!(!part.names().is_empty());
                for name in part.names() {
                    if let (Some(info), Ok(tensor)) = (part.info(name), part.read(name)) {
                        prop_assert_eq!(info.shape, tensor.shape());
                    }
                }
            }
        }
    }

    /// Tensor names of every layout.
    fn names() -> Vec<String> {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        let shapes = std::fs::read(fixtures.join("single/shapes.json")).unwrap();
        let shapes: BTreeMap<String, BTreeMap<String, Vec<usize>>> = serde_json::from_slice(&shapes).unwrap();
        let mut names: Vec<String> = shapes.into_values().flat_map(BTreeMap::into_keys).collect();
        for file in [
            "flux_whole.safetensors",
            "sd3_whole.safetensors",
            "z_image_transformer.safetensors",
            "flux2_transformer.safetensors",
            "flux2_vae.safetensors",
            "flux3_transformer.safetensors",
            "t5.gguf",
            "qwen3.gguf",
        ] {
            let source = open_weights(&fixtures.join("single").join(file)).unwrap();
            names.extend(source.names().into_iter().map(str::to_owned));
        }
        names.push("input_blocks.18446744073709551615.0.op.weight".to_owned());
        names
    }

    /// A source with some of the names, in the given shapes.
    fn some(names: &[String], picks: &[(prop::sample::Index, Vec<usize>)]) -> Arc<dyn TensorSource> {
        let mut source = TensorMap::default();
        for (index, shape) in picks {
            let len = shape.iter().product();
            source.insert(index.get(names).clone(), StoredTensor::from_f32(shape, &vec![0.0; len]));
        }
        Arc::new(source)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        /// Files with a few tensors in arbitrary shapes are recognised or refused, and read without a panic.
        #[test]
        fn any_tensors_are_parts_or_refused(
            picks in prop::collection::vec((any::<prop::sample::Index>(), prop::collection::vec(0_usize..4, 0..5)), 1..120),
        ) {
            let names = names();
            let source = some(&names, &picks);
            let _ = WeightsKind::of(&*source);
            for part in [
                part::clip(&*source),
                part::open_clip(&*source, 1),
                part::vae(&*source, 1.0, 0.0),
                flux::t5(&*source),
                z_image::qwen3(&*source),
                stable_diffusion::unet(&*source),
                flux::transformer(&*source),
                sd3::transformer(&*source),
                z_image::transformer(&*source),
                flux2::transformer(&*source),
                flux3::transformer(&*source),
            ].into_iter().flatten() {
                let renamed = Renamed::new(source.clone(), part.names);
                for name in renamed.names() {
                    if let (Some(info), Ok(tensor)) = (renamed.info(name), renamed.read(name)) {
                        prop_assert_eq!(info.shape, tensor.shape());
                    }
                }
            }
        }
    }
}
