//! What is compared: a picture, a latent file, a kept run or one of its steps.

use std::path::Path;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::super::numbers;
use super::super::output;
use super::super::runs::{RunsFolder, find};
use crate::content::Content;
use crate::formats::latent_file::latent_from_bytes;
use crate::formats::metadata::GenerationFacts;
use crate::formats::picture::{ReadOptions, picture_from_bytes};
use crate::formats::{FileKind, Input, Sources, read_input};
use crate::latent::{Latent, LatentFormat, LatentSpace};
use crate::request::Picture;
use crate::store::history::RunId;

/// One of the two.
#[derive(Default)]
pub(super) struct Side {
    /// The path of a file as it was given.
    file: Option<String>,
    run: Option<RunId>,
    /// The number of the step, and of how many.
    step: Option<(usize, usize)>,
    pub(super) picture: Option<Picture>,
    pub(super) latent: Option<Latent>,
    /// The space of the latent; `None` if the file does not say.
    space: Option<LatentSpace>,
    /// The scale and the shift between both spaces.
    scaling: Option<(f64, f64)>,
    pub(super) facts: Option<GenerationFacts>,
    pub(super) notices: Vec<String>,
}

impl Side {
    /// What it is, in words.
    pub(super) fn words(&self) -> String {
        let mut words = match (&self.file, &self.run) {
            (Some(file), _) => file.clone(),
            (None, run) => run.as_ref().map(|run| format!("run {run}")).unwrap_or_default(),
        };
        if let Some((step, steps)) = self.step {
            words = format!("{words}, step {step} of {steps}");
        }
        if let Some(picture) = &self.picture {
            words = format!("{words}, picture {}×{}", picture.width(), picture.height());
        }
        if let Some(latent) = &self.latent {
            words = format!("{words}, latent {}", latent.shape());
        }
        words
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "file": self.file,
            "run": self.run.as_ref().map(RunId::as_str),
            "step": self.step.map(|(step, _)| step),
            "width": self.picture.as_ref().map(Picture::width),
            "height": self.picture.as_ref().map(Picture::height),
            "latent": self.latent.as_ref().map(|latent| latent.shape().to_string()),
        })
    }

    /// The latent in VAE space; `None` if its file does not say how to get there.
    fn in_vae_space(&self) -> Option<Latent> {
        let latent = self.latent.as_ref()?;
        match (self.space?, self.scaling) {
            (LatentSpace::Vae, _) => Some(latent.clone()),
            (LatentSpace::Model, Some((scale, shift))) => {
                let channels = latent.shape().channels;
                Some(LatentFormat { channels, downscale: 8, scale, shift }.vae_from_model(latent))
            }
            (LatentSpace::Model, None) => None,
        }
    }
}

/// The latents of both in one space; `None` if one has none.
///
/// # Errors
/// A part of a sentence: why they cannot be brought into one.
pub(super) fn comparable_latents(sides: &[Side; 2]) -> Result<Option<(Latent, Latent)>, String> {
    let (Some(first), Some(second)) = (&sides[0].latent, &sides[1].latent) else { return Ok(None) };
    // A file that does not say its space is taken to have that of the other.
    if sides[0].space == sides[1].space || sides.iter().any(|side| side.space.is_none()) {
        return Ok(Some((first.clone(), second.clone())));
    }
    match (sides[0].in_vae_space(), sides[1].in_vae_space()) {
        (Some(first), Some(second)) => Ok(Some((first, second))),
        _ => Err("one latent is in model space and the other in VAE space, and the scale between them is not known"
            .to_owned()),
    }
}

/// Reads what a path names, or else a kept run.
pub(super) fn read_side(path: &Path, folder: &RunsFolder) -> anyhow::Result<Side> {
    // A broken link exists, too.
    if std::fs::symlink_metadata(path).is_ok() {
        return Ok(Side { file: Some(output::text(path)), ..file(path)? });
    }
    let named = path.to_str().filter(|name| may_be_run(name));
    let Some(name) = named else {
        return Ok(Side { file: Some(output::text(path)), ..file(path)? });
    };
    let (name, step) = match name.rsplit_once(':') {
        Some((name, step)) => {
            let number = numbers::positive(step).map_err(anyhow::Error::msg);
            (name, Some(number.with_context(|| format!("‘{step}’ is no step of a run"))?))
        }
        None => (name, None),
    };
    run(name, step, folder)
}

/// Whether a text that names no file may be a run and not a path that was mistyped.
fn may_be_run(name: &str) -> bool {
    let name = name.split(':').next().unwrap_or_default();
    name == "last"
        || (!name.is_empty() && name.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f' | b'-')))
}

fn run(name: &str, step: Option<usize>, folder: &RunsFolder) -> anyhow::Result<Side> {
    let history = folder.history()?;
    let id = find(&history, name)?;
    let moment = history.moment(&id, step)?;
    let format = moment.record.format;
    Ok(Side {
        run: Some(id),
        step: moment.step.as_ref().map(|step| (step.step, step.steps)),
        latent: moment.latent().cloned(),
        space: Some(LatentSpace::Model),
        scaling: Some((format.scale, format.shift)),
        facts: Some(moment.facts().clone()),
        picture: moment.picture,
        ..Side::default()
    })
}

fn file(path: &Path) -> anyhow::Result<Side> {
    match read_input(path, Sources::Any)? {
        Input::File { kind: FileKind::Picture, bytes } => {
            let read = picture_from_bytes(&bytes, &ReadOptions::default())?;
            Ok(Side {
                notices: read.remarks.iter().map(ToString::to_string).collect(),
                picture: Some(read.picture),
                facts: read.facts,
                ..Side::default()
            })
        }
        Input::File { kind: FileKind::Latent, bytes } => {
            let read = latent_from_bytes(&bytes)?;
            let mut notices = Vec::new();
            if read.count() > 1 {
                notices.push(format!("the first of its {} latents is compared", read.count()));
            }
            if read.space.is_none() {
                notices.push(
                    "its file does not say whether its values are scaled; they are compared as they are"
                        .to_owned(),
                );
            }
            let scaling = read.facts.scaling.map(|scale| (scale, read.facts.shift.unwrap_or_default()));
            Ok(Side {
                latent: Some(read.latent),
                space: read.space,
                scaling,
                facts: read.facts.generation,
                notices,
                ..Side::default()
            })
        }
        Input::File { bytes, .. } => bail!(
            "this is neither a picture nor a latent but {}, and nothing else is compared",
            Content::of(&bytes)
        ),
        Input::Folder | Input::Weights(_) => {
            bail!("this is a model, and pictures, latents and kept runs are compared")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latent::LatentShape;

    fn side(value: f32, space: Option<LatentSpace>, scaling: Option<(f64, f64)>) -> Side {
        let latent = Latent::zeros(LatentShape::new(1, 1, 1)).map(|_, _| value);
        Side { latent: Some(latent), space, scaling, ..Side::default() }
    }

    #[test]
    fn latents_of_two_spaces_are_brought_into_one() {
        let values = |sides: [Side; 2]| {
            let latents = comparable_latents(&sides)?;
            Ok::<_, String>(latents.map(|(a, b)| [a.values()[0], b.values()[0]]))
        };
        let (vae, model) = (Some(LatentSpace::Vae), Some(LatentSpace::Model));
        assert_eq!(values([side(2.0, vae, None), side(1.0, model, Some((0.5, 1.0)))]), Ok(Some([2.0, 3.0])));
        assert_eq!(values([side(2.0, model, None), side(1.0, model, None)]), Ok(Some([2.0, 1.0])));
        assert_eq!(values([side(2.0, vae, None), side(1.0, None, None)]), Ok(Some([2.0, 1.0])));
        assert!(values([side(2.0, vae, None), side(1.0, model, None)]).is_err());
        assert_eq!(values([side(2.0, vae, None), Side::default()]), Ok(None));
    }

    #[test]
    fn a_mistyped_path_is_no_run() {
        for name in ["last", "last:3", "20261130", "20261130-120000-0a1b2c3d:12"] {
            assert!(may_be_run(name), "{name}");
        }
        for name in ["fox.png", "folder/20261130", "", ":3", "C:\\fox"] {
            assert!(!may_be_run(name), "{name}");
        }
    }
}
