//! safetensors: ComfyUI's `.latent`, ours, and single tensors as diffusers' users save them.
//!
//! ComfyUI reads `latent_tensor` as VAE space if there is an empty tensor `latent_format_version_0`, otherwise as
//! values of an older version, multiplied by 0.18215 (its `LoadLatent`). Our files are the same with additional
//! metadata strings, which ComfyUI ignores. We do not write ComfyUI's JSON graphs `prompt` and `workflow`; our
//! settings are under `parameters`, as in pictures.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

use safetensors::tensor::{SafeTensors, TensorView};
use safetensors::{Dtype, serialize};

use super::{
    LatentFacts, LatentFileError, LatentQuantity, ReadLatent, latent_shape, latents_of, read_latents,
};
use crate::formats::atomic::{WriteFileError, write_atomically};
use crate::formats::metadata::{a1111, comfyui};
use crate::latent::{Latent, LatentSpace};
use crate::weights::header_fault;

const LATENT_KEY: &str = "latent_tensor";
const MARKER_KEY: &str = "latent_format_version_0";
/// The factor that ComfyUI applies to values of its older version.
const OLD_VERSION_FACTOR: f32 = 1.0 / 0.18215;

/// Writes a latent in **VAE space** as ComfyUI does, completely or not at all.
///
/// # Errors
/// [`WriteFileError`] with the path.
pub fn write_latent(path: &Path, latent: &Latent, facts: &LatentFacts) -> Result<(), WriteFileError> {
    let shape = latent.shape();
    let bytes: Vec<u8> = latent.values().iter().flat_map(|v| v.to_le_bytes()).collect();
    let view = |shape: Vec<usize>, bytes| {
        TensorView::new(Dtype::F32, shape, bytes).expect("the bytes fill the shape")
    };
    let tensors = [
        (LATENT_KEY, view(vec![1, shape.channels, shape.height, shape.width], &bytes)),
        (MARKER_KEY, view(vec![0], &[])),
    ];
    let file = serialize(tensors, Some(metadata_of(facts))).expect("two named tensors can be laid out");
    write_atomically(path, |writer| writer.write_all(&file))
}

/// Writes a latent in **model space** bit for bit, completely or not at all: the file's only tensor, `latent`.
///
/// # Errors
/// [`WriteFileError`] with the path.
pub fn write_model_latent(path: &Path, latent: &Latent) -> Result<(), WriteFileError> {
    let shape = latent.shape();
    let bytes: Vec<u8> = latent.values().iter().flat_map(|v| v.to_le_bytes()).collect();
    let view = TensorView::new(Dtype::F32, vec![shape.channels, shape.height, shape.width], &bytes)
        .expect("the bytes fill the shape");
    let metadata = [("safelight.version", env!("CARGO_PKG_VERSION")), ("safelight.space", "model")];
    let metadata = metadata.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let file = serialize([("latent", view)], Some(metadata)).expect("one named tensor can be laid out");
    write_atomically(path, |writer| writer.write_all(&file))
}

/// The latent in a tensor of 3 dimensions, or the first one of 4; values of f16, bf16, f32 or f64.
///
/// # Errors
/// [`LatentFileError`] if the tensor is not a latent.
pub fn latent_from_tensor(tensor: &TensorView<'_>) -> Result<Latent, LatentFileError> {
    let mut latents = latents_in(tensor, 1.0)?.into_iter();
    latents.next().ok_or_else(|| damaged("it has no values".to_owned()))
}

/// The metadata strings of a file.
fn metadata_of(facts: &LatentFacts) -> HashMap<String, String> {
    let pairs = [
        ("safelight.version", Some(env!("CARGO_PKG_VERSION").to_owned())),
        ("safelight.space", Some("vae".to_owned())),
        ("safelight.family", facts.family.clone()),
        ("safelight.scaling", facts.scaling.map(|v| v.to_string())),
        ("safelight.shift", facts.shift.map(|v| v.to_string())),
        ("safelight.step", facts.step.map(|v| v.to_string())),
        ("safelight.sigma", facts.sigma.map(|v| v.to_string())),
        ("safelight.quantity", facts.quantity.map(|v| v.id().to_owned())),
        ("safelight.vae_hash", facts.vae_hash.clone()),
        ("parameters", facts.generation.as_ref().map(a1111::write)),
    ];
    pairs.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}

fn facts_of(metadata: &HashMap<String, String>) -> LatentFacts {
    let text = |key: &str| metadata.get(key).cloned();
    let number = |key: &str| text(key)?.parse().ok().filter(|v: &f64| v.is_finite());
    LatentFacts {
        family: text("safelight.family"),
        scaling: number("safelight.scaling"),
        shift: number("safelight.shift"),
        step: text("safelight.step").and_then(|v| v.parse().ok()),
        sigma: number("safelight.sigma"),
        quantity: text("safelight.quantity")
            .and_then(|id| LatentQuantity::ALL.into_iter().find(|q| q.id() == id)),
        vae_hash: text("safelight.vae_hash"),
        generation: match metadata.get("parameters") {
            Some(text) => Some(a1111::parse(text)),
            None => metadata.get("prompt").and_then(|graph| comfyui::parse(graph)),
        },
    }
}

/// Reads the latents in safetensors: ComfyUI's, ours, or those of the only tensor of 3 or 4 dimensions.
///
/// # Errors
/// [`LatentFileError`] if the file is damaged or contains no latent.
pub fn latent_from_safetensors(bytes: &[u8]) -> Result<ReadLatent, LatentFileError> {
    let unreadable = |error| unreadable(bytes, error);
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(unreadable)?;
    let tensors = SafeTensors::deserialize(bytes).map_err(unreadable)?;
    let no_metadata = HashMap::new();
    let metadata = header.metadata().as_ref().unwrap_or(&no_metadata);
    let facts = facts_of(metadata);
    let (name, space, factor) = if tensors.tensor(LATENT_KEY).is_ok() {
        let is_new = tensors.tensor(MARKER_KEY).is_ok();
        (LATENT_KEY.to_owned(), Some(LatentSpace::Vae), if is_new { 1.0 } else { OLD_VERSION_FACTOR })
    } else {
        let is_latent = |shape: &[usize]| latent_shape(shape).is_ok();
        let mut candidates = tensors.iter().filter(|(_, tensor)| is_latent(tensor.shape()));
        let (Some((name, _)), None) = (candidates.next(), candidates.next()) else {
            return Err(LatentFileError::NoLatent { found: contents(&tensors, &[]) });
        };
        let space = match metadata.get("safelight.space").map(String::as_str) {
            Some("vae") => Some(LatentSpace::Vae),
            Some("model") => Some(LatentSpace::Model),
            _ => None,
        };
        (name.to_owned(), space, 1.0)
    };
    let tensor = tensors.tensor(&name).map_err(|e| damaged(e.to_string()))?;
    let latents = latents_in(&tensor, factor)?;
    let rest = [name.as_str(), MARKER_KEY];
    let has_rest = tensors.names().into_iter().any(|other| !rest.contains(&other));
    let not_read = if has_rest { vec![contents(&tensors, &rest)] } else { Vec::new() };
    read_latents(latents, space, facts, not_read).ok_or_else(|| damaged("it has no values".to_owned()))
}

/// The error of the safetensors reader, in plain words.
fn unreadable(bytes: &[u8], error: safetensors::SafeTensorError) -> LatentFileError {
    use safetensors::SafeTensorError as E;
    damaged(match error {
        E::HeaderTooSmall | E::InvalidHeaderLength | E::MetadataIncompleteBuffer => {
            "it does not end where its header says: it may not have been copied completely".to_owned()
        }
        other => {
            let len = bytes.first_chunk::<8>().map(|len| u64::from_le_bytes(*len) as usize);
            let header = len.and_then(|len| bytes.get(8..)?.get(..len));
            header.map_or_else(
                || other.to_string(),
                |header| format!("its header is wrong: {}", header_fault(header)),
            )
        }
    })
}

fn damaged(reason: String) -> LatentFileError {
    LatentFileError::Damaged { format: "safetensors", reason }
}

/// Names and shapes of the first tensors, except those in `without`.
fn contents(tensors: &SafeTensors<'_>, without: &[&str]) -> String {
    const SHOWN: usize = 4;
    const LONGEST_NAME: usize = 60;
    let mut names: Vec<String> = tensors
        .iter()
        .filter(|(name, _)| !without.contains(name))
        .map(|(name, t)| format!("{} {:?}", name.chars().take(LONGEST_NAME).collect::<String>(), t.shape()))
        .collect();
    names.sort();
    match names.len() {
        0 => "no tensor at all".to_owned(),
        1..=SHOWN => names.join(", "),
        n => format!("{} and {} more", names[..SHOWN].join(", "), n - SHOWN),
    }
}

fn latents_in(tensor: &TensorView<'_>, factor: f32) -> Result<Vec<Latent>, LatentFileError> {
    let (shape, batch) = latent_shape(tensor.shape())?;
    let bytes = tensor.data();
    let latents = match tensor.dtype() {
        Dtype::F32 => latents_of(shape, batch, bytes, |b| f32::from_le_bytes(b) * factor),
        Dtype::F16 => latents_of(shape, batch, bytes, |b| half::f16::from_le_bytes(b).to_f32() * factor),
        Dtype::BF16 => latents_of(shape, batch, bytes, |b| half::bf16::from_le_bytes(b).to_f32() * factor),
        Dtype::F64 => latents_of(shape, batch, bytes, |b| f64::from_le_bytes(b) as f32 * factor),
        other => return Err(LatentFileError::Dtype { found: format!("{other:?}").to_lowercase() }),
    };
    latents.map_err(damaged)
}
