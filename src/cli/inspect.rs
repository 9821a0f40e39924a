//! `safelight inspect`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::bail;
use serde_json::{Value, json};

use super::library::{self, Named};
use super::output::{self, Output};
use crate::catalog::ModelSource;
use crate::content::Content;
use crate::formats::latent_file::latent_from_bytes;
use crate::formats::picture::{ReadOptions, picture_from_bytes};
use crate::formats::{FileKind, Input, Sources, read_input};
use crate::latent::channel_statistics;
use crate::models;
use crate::store::ModelFiles;
use crate::weights::{
    self, TensorSource, WeightsKind, kind_of_weights, models_of_tiny_decoder, models_of_vae, open_weights,
};

/// Reports every input. Errors are printed on standard error, and the next input follows.
pub(super) fn run(paths: &[PathBuf], as_json: bool, output: &mut Output) -> anyhow::Result<()> {
    let mut failed = 0;
    for path in paths {
        if output.is_closed() {
            break;
        }
        match inspect(path) {
            Ok(facts) if as_json => output.json(&facts),
            Ok(facts) => print(path, &facts, output),
            Err(error) => {
                failed += 1;
                output.failure(&output::named(path, error));
            }
        }
    }
    if failed > 0 && paths.len() > 1 {
        bail!("{failed} of {} inputs could not be read", paths.len());
    }
    Ok(())
}

fn print(path: &Path, facts: &Value, output: &mut Output) {
    output.line(&output::text(path));
    for (key, value) in facts.as_object().into_iter().flatten() {
        match value {
            Value::Array(rows) if rows.iter().any(Value::is_object) => {
                for row in rows {
                    output.line(&format!("  {key}: {row}"));
                }
            }
            Value::String(text) => output.line(&format!("  {key}: {text}")),
            Value::Null => {}
            value => output.line(&format!("  {key}: {value}")),
        }
    }
}

fn inspect(path: &Path) -> anyhow::Result<Value> {
    if path.as_os_str() == "builtin" {
        return model(&ModelSource::Builtin);
    }
    match library::named(path)? {
        Some(Named::Model(source)) => return model(&source),
        Some(Named::File(entry)) => return inspect(&entry.path),
        None => {}
    }
    match read_input(path, Sources::Any)? {
        Input::Folder => match of_pictures(path) {
            Some((file, kind)) => weights_file(&file, kind),
            None => model(&ModelSource::Folder(path.to_owned())),
        },
        Input::Weights(kind) => weights_file(path, kind),
        Input::File { kind: FileKind::Picture, bytes } => picture(&bytes),
        Input::File { kind: FileKind::Latent, bytes } => latent(&bytes),
        Input::File { bytes, .. } => {
            bail!("this is neither a model folder nor a picture nor a latent but {}", Content::of(&bytes))
        }
    }
}

/// The weights in a folder of transformers that find or describe pictures.
fn of_pictures(folder: &Path) -> Option<(PathBuf, WeightsKind)> {
    let file = folder.join("model.safetensors");
    let kind = kind_of_weights(&file)?;
    let is_one = matches!(
        kind,
        WeightsKind::PictureSearch
            | WeightsKind::SigLip
            | WeightsKind::SigLipOther
            | WeightsKind::PictureDescription
    );
    is_one.then_some((file, kind))
}

fn model(choice: &ModelSource) -> anyhow::Result<Value> {
    let profile = models::profile(choice)?;
    let (parts, bytes) = parts(choice)?;
    let need = models::memory_need(choice)?;
    let size = profile.defaults.size;
    let shape = profile.format.latent_shape(size.width, size.height);
    let compression = profile.format.compression(shape);
    Ok(json!({
        "kind": "model",
        "name": profile.name,
        "family": profile.family,
        "parameters": profile.parameters,
        "part": parts,
        "weights": size_text(bytes),
        "memory needed": size_text(need.together),
        "memory needed in turn": need.in_turn.map(size_text),
        "free memory": models::available_bytes().map(size_text),
        "prediction": profile.prediction,
        "size": size.to_string(),
        "latent": shape.to_string(),
        "pixel values": compression.pixel_values,
        "latent values": compression.latent_values,
        "compression": compression.ratio(),
        "steps": profile.defaults.steps,
        "guidance scale": profile.defaults.guidance_scale,
        "sampler": profile.defaults.sampler.id(),
        "added tokens": (!profile.added_tokens.is_empty()).then(|| profile.added_tokens.join(", ")),
        "remarks": (!profile.remarks.is_empty()).then(|| profile.remarks.join(" ")),
    }))
}

/// The number formats of a source with the number of tensors of each.
fn formats(source: &dyn TensorSource) -> String {
    let mut formats: BTreeMap<&str, usize> = BTreeMap::new();
    for info in source.names().into_iter().filter_map(|name| source.info(name)) {
        *formats.entry(info.dtype.name()).or_default() += 1;
    }
    let formats: Vec<String> = formats.iter().map(|(format, count)| format!("{format} ({count})")).collect();
    formats.join(", ")
}

/// A size in KiB, MiB or GiB.
pub(super) fn size_text(bytes: u64) -> String {
    match bytes {
        0..0x10_0000 => format!("{} KiB", bytes.div_ceil(1 << 10)),
        0x10_0000..0x4000_0000 => format!("{} MiB", bytes >> 20),
        _ => format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30)),
    }
}

/// The networks of a model as JSON rows, and their total size in bytes.
fn parts(choice: &ModelSource) -> anyhow::Result<(Vec<Value>, u64)> {
    const PARTS: [&str; 6] =
        ["text_encoder", "text_encoder_2", "text_encoder_3", "unet", "transformer", "vae"];
    let files = ModelFiles::open(choice)?;
    let (mut rows, mut total) = (Vec::new(), 0);
    for part in PARTS {
        let Ok(source) = files.tensors(part) else { continue };
        let bytes = weights::stored_bytes(&*source);
        total += bytes;
        rows.push(json!({
            "name": part, "parameters": weights::parameters(&*source), "formats": formats(&*source), "size": size_text(bytes),
        }));
    }
    Ok((rows, total))
}

/// Facts about a weights file: those of a model, or the kind and tensors of another file.
fn weights_file(path: &Path, kind: WeightsKind) -> anyhow::Result<Value> {
    let opened = model(&ModelSource::Folder(path.to_owned()));
    if kind == WeightsKind::StableDiffusion {
        return opened;
    }
    let missing = match opened {
        Ok(facts) => return Ok(facts),
        // For a denoiser alone the error names the parts that are missing.
        Err(error) => kind.is_denoiser().then(|| error.to_string()),
    };
    let source = open_weights(path)?;
    Ok(json!({
        "kind": "weights",
        "holds": kind.to_string(),
        "may belong to": match kind {
            WeightsKind::Vae => models_of_vae(&*source),
            WeightsKind::TinyVae => models_of_tiny_decoder(&*source),
            _ => None,
        },
        "tensors": source.names().len(),
        "parameters": weights::parameters(&*source),
        "formats": formats(&*source),
        "size": size_text(weights::stored_bytes(&*source)),
        "missing": missing,
    }))
}

fn picture(bytes: &[u8]) -> anyhow::Result<Value> {
    let read = picture_from_bytes(bytes, &ReadOptions::default())?;
    Ok(json!({
        "kind": "picture",
        "format": read.format,
        "size": format!("{}×{}", read.picture.width(), read.picture.height()),
        "bits": read.bits_per_channel,
        "transparency": read.had_transparency,
        "colour profile converted": read.converted_profile,
        "remarks": output::remarks(&read.remarks),
        "settings": read.facts,
    }))
}

fn latent(bytes: &[u8]) -> anyhow::Result<Value> {
    let read = latent_from_bytes(bytes)?;
    let rounded = |v: f64| (v * 1e4).round() / 1e4;
    let count = read.count();
    let mut channels = Vec::new();
    for (index, latent) in read.latents().enumerate() {
        for (i, s) in channel_statistics(latent).iter().enumerate() {
            let mut row = json!({
                "channel": i, "mean": rounded(s.mean), "std": rounded(s.std), "min": rounded(s.min.into()),
                "max": rounded(s.max.into()), "beyond 3 sigma": rounded(s.beyond_3_sigma),
                "not finite": s.non_finite,
            });
            if count > 1 {
                row["latent"] = (index + 1).into();
            }
            channels.push(row);
        }
    }
    Ok(json!({
        "kind": "latent",
        "shape": read.latent.shape().to_string(),
        "space": read.space,
        "latents in file": count,
        "not read": (!read.not_read.is_empty()).then(|| read.not_read.join("; ")),
        "family": read.facts.family,
        "settings": read.facts.generation,
        "channels": channels,
    }))
}
