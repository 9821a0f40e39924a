//! `safelight inspect`.

use std::path::{Path, PathBuf};

use anyhow::bail;
use serde_json::{Value, json};

use super::output;
use crate::formats::latent_file::read_latent;
use crate::formats::picture::{ReadOptions, read_picture};
use crate::formats::{FileKind, file_kind};
use crate::latent::channel_statistics;
use crate::models;
use crate::request::ModelChoice;

pub(super) fn run(paths: &[PathBuf], as_json: bool) -> anyhow::Result<()> {
    for path in paths {
        let facts = inspect(path)?;
        if as_json {
            output::line(&facts.to_string());
            continue;
        }
        output::line(&path.display().to_string());
        if let Some(facts) = facts.as_object() {
            for (key, value) in facts {
                match value {
                    Value::Array(rows) if rows.iter().any(Value::is_object) => {
                        for row in rows {
                            output::line(&format!("  {key}: {row}"));
                        }
                    }
                    Value::String(text) => output::line(&format!("  {key}: {text}")),
                    Value::Null => {}
                    value => output::line(&format!("  {key}: {value}")),
                }
            }
        }
    }
    Ok(())
}

fn inspect(path: &Path) -> anyhow::Result<Value> {
    if path.as_os_str() == "builtin" {
        return model(&ModelChoice::Builtin);
    }
    match file_kind(path) {
        FileKind::Folder => model(&ModelChoice::Folder(path.to_owned())),
        FileKind::Picture => picture(path),
        FileKind::Latent => latent(path),
        FileKind::Unknown if !path.exists() => bail!("there is no such file or folder: {}", path.display()),
        FileKind::Unknown => bail!("neither a model folder, a picture nor a latent: {}", path.display()),
    }
}

fn model(choice: &ModelChoice) -> anyhow::Result<Value> {
    let profile = models::profile(choice)?;
    let size = profile.defaults.size;
    let shape = profile.format.latent_shape(size.width, size.height);
    let compression = profile.format.compression(shape);
    Ok(json!({
        "kind": "model",
        "name": profile.name,
        "family": profile.family.name(),
        "parameters": profile.parameters,
        "prediction": profile.prediction,
        "size": size.to_string(),
        "latent": shape.to_string(),
        "pixel values": compression.pixel_values,
        "latent values": compression.latent_values,
        "compression": compression.ratio(),
        "steps": profile.defaults.steps,
        "guidance scale": profile.defaults.guidance_scale,
        "sampler": profile.defaults.sampler.id(),
    }))
}

fn picture(path: &Path) -> anyhow::Result<Value> {
    let read = read_picture(path, &ReadOptions::default())?;
    Ok(json!({
        "kind": "picture",
        "format": read.format,
        "size": format!("{}×{}", read.picture.width(), read.picture.height()),
        "bits": read.bits_per_channel,
        "transparency": read.had_transparency,
        "colour profile converted": read.converted_profile,
        "settings": read.facts,
    }))
}

fn latent(path: &Path) -> anyhow::Result<Value> {
    let read = read_latent(path)?;
    let rounded = |v: f64| (v * 1e4).round() / 1e4;
    let channels: Vec<Value> = channel_statistics(&read.latent)
        .iter()
        .enumerate()
        .map(|(i, s)| {
            json!({
                "channel": i, "mean": rounded(s.mean), "std": rounded(s.std), "min": rounded(s.min.into()),
                "max": rounded(s.max.into()), "beyond 3 sigma": rounded(s.beyond_3_sigma),
            })
        })
        .collect();
    Ok(json!({
        "kind": "latent",
        "shape": read.latent.shape().to_string(),
        "space": read.space,
        "latents in file": read.batch,
        "family": read.facts.family,
        "settings": read.facts.generation,
        "channels": channels,
    }))
}
