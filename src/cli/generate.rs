//! `safelight generate`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde_json::json;

use super::{GenerateArguments, output, run};
use crate::engine::{Command, Event, JobId};
use crate::formats::latent_file::{LatentFacts, LatentQuantity, write_latent};
use crate::formats::metadata::GenerationFacts;
use crate::formats::picture::{PictureFormat, ReadOptions, WriteOptions, read_picture, write_picture};
use crate::request::{CancelToken, GenerationDraft, InitImage, Seed};

pub(super) fn run(arguments: &GenerateArguments) -> anyhow::Result<()> {
    // What would fail at the end fails before the work.
    PictureFormat::of_path(&arguments.output)?;
    let init_image = match &arguments.init_image {
        Some(path) => {
            let picture = read_picture(path, &ReadOptions::default())?.picture;
            Some(InitImage { picture, strength: arguments.strength })
        }
        None => None,
    };
    let engine = run::start(&arguments.engine)?;
    let (profile, device, load_secs) = run::load(&engine, &arguments.engine)?;
    let mut draft = GenerationDraft::new(&profile);
    draft.prompt.clone_from(&arguments.prompt);
    draft.negative_prompt.clone_from(&arguments.negative_prompt);
    draft.size.width = arguments.width.unwrap_or(draft.size.width);
    draft.size.height = arguments.height.unwrap_or(draft.size.height);
    draft.steps = arguments.steps.unwrap_or(draft.steps);
    draft.guidance_scale = arguments.guidance_scale.unwrap_or(draft.guidance_scale);
    draft.seed = arguments.seed.map_or(draft.seed, Seed);
    draft.sampler = arguments.sampler.unwrap_or(draft.sampler);
    draft.schedule = arguments.schedule;
    draft.init_image = init_image;

    for index in 0..arguments.batch {
        let draft = GenerationDraft { seed: draft.seed.nth(index), ..draft.clone() };
        let facts = GenerationFacts::of_request(&draft, &profile.name);
        let request = Box::new(draft.validate(&profile)?);
        let seed = request.seed;
        let mut latent = None;
        let bar = output::progress();
        let command = Command::Generate { job: JobId(index + 1), request, cancel: CancelToken::new() };
        let end = run::to_the_end(&engine, command, &bar, |event| {
            if let Event::Sampled { latent: sampled, .. } = event {
                latent = Some(sampled.clone());
            }
        })?;
        let Event::Decoded { picture, notice, elapsed_secs, .. } = end else {
            bail!("an unexpected answer of the engine: {end:?}");
        };
        if let Some(notice) = notice {
            output::remark(&notice);
        }
        if let (Some(path), Some(latent)) = (&arguments.save_latent, latent) {
            let facts = LatentFacts {
                family: Some(profile.family.name().to_owned()),
                scaling: Some(profile.format.scale),
                shift: Some(profile.format.shift),
                quantity: Some(LatentQuantity::Denoised),
                vae_hash: Some(profile.vae_hash.clone()),
                generation: (!arguments.no_metadata).then(|| facts.clone()),
                ..LatentFacts::default()
            };
            let path = numbered(path, index, arguments.batch);
            write_latent(&path, &profile.format.vae_from_model(&latent), &facts)
                .with_context(|| format!("the latent could not be saved: {}", path.display()))?;
        }
        let options = WriteOptions { metadata: !arguments.no_metadata, ..WriteOptions::default() };
        let path = numbered(&arguments.output, index, arguments.batch);
        let path = write_picture(&path, &picture, Some(&facts), &options)?;
        if arguments.json {
            let result = json!({
                "output": path, "seed": seed.0, "width": picture.width(), "height": picture.height(),
                "model": profile.name, "device": device, "load_secs": load_secs, "secs": elapsed_secs,
            });
            output::line(&result.to_string());
        } else {
            output::remark(&format!("{} (seed {seed}, {elapsed_secs:.1} s)", path.display()));
        }
    }
    Ok(())
}

/// `name-2.png` for the second picture of a batch.
fn numbered(path: &Path, index: u64, batch: u64) -> PathBuf {
    if batch == 1 {
        return path.to_owned();
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension = path.extension().map(|e| format!(".{}", e.to_string_lossy())).unwrap_or_default();
    path.with_file_name(format!("{stem}-{}{extension}", index + 1))
}
