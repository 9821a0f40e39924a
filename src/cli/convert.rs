//! `safelight encode` and `safelight decode`.

use anyhow::bail;
use serde_json::json;

use super::{ConvertArguments, output, run};
use crate::engine::{Command, Event, JobId};
use crate::formats::latent_file::{LatentFacts, LatentQuantity, read_latent, write_latent};
use crate::formats::picture::{
    PictureFormat, ReadOptions, WriteOptions, crop_to_multiple, read_picture, write_picture,
};
use crate::latent::LatentSpace;
use crate::request::CancelToken;

pub(super) fn encode(arguments: &ConvertArguments) -> anyhow::Result<()> {
    let read = read_picture(&arguments.input, &ReadOptions::default())?;
    let engine = run::start(&arguments.engine)?;
    let (profile, ..) = run::load(&engine, &arguments.engine)?;
    let Some((picture, _)) = crop_to_multiple(&read.picture, profile.format.downscale) else {
        bail!("the picture is smaller than one latent pixel ({0}×{0} pixels)", profile.format.downscale);
    };
    if (picture.width(), picture.height()) != (read.picture.width(), read.picture.height()) {
        output::remark(&format!("cropped to {}×{}", picture.width(), picture.height()));
    }
    let cancel = CancelToken::new();
    let command = Command::Encode { job: JobId(1), model: arguments.engine.choice(), picture, cancel };
    let end = run::to_the_end(&engine, command, &output::progress(), |_| {})?;
    let Event::Encoded { mean, elapsed_secs, .. } = end else {
        bail!("an unexpected answer of the engine: {end:?}");
    };
    let facts = LatentFacts {
        family: Some(profile.family.name().to_owned()),
        scaling: Some(profile.format.scale),
        shift: Some(profile.format.shift),
        quantity: Some(LatentQuantity::Encoded),
        vae_hash: Some(profile.vae_hash.clone()),
        ..LatentFacts::default()
    };
    write_latent(&arguments.output, &profile.format.vae_from_model(&mean), &facts)?;
    if arguments.json {
        let shape = mean.shape();
        let ratio = profile.format.compression(shape).ratio();
        let result = json!({
            "output": arguments.output, "shape": [shape.channels, shape.height, shape.width],
            "compression": ratio, "secs": elapsed_secs,
        });
        output::line(&result.to_string());
    }
    Ok(())
}

pub(super) fn decode(arguments: &ConvertArguments) -> anyhow::Result<()> {
    PictureFormat::of_path(&arguments.output)?;
    let read = read_latent(&arguments.input)?;
    let engine = run::start(&arguments.engine)?;
    let (profile, ..) = run::load(&engine, &arguments.engine)?;
    // A file that does not say is taken for what ComfyUI writes.
    let latent = match read.space.unwrap_or(LatentSpace::Vae) {
        LatentSpace::Vae => profile.format.model_from_vae(&read.latent),
        LatentSpace::Model => read.latent,
    };
    let cancel = CancelToken::new();
    let command = Command::Decode { job: JobId(1), model: arguments.engine.choice(), latent, cancel };
    let end = run::to_the_end(&engine, command, &output::progress(), |_| {})?;
    let Event::Decoded { picture, elapsed_secs, .. } = end else {
        bail!("an unexpected answer of the engine: {end:?}");
    };
    let facts = read.facts.generation.as_ref();
    let path = write_picture(&arguments.output, &picture, facts, &WriteOptions::default())?;
    if arguments.json {
        let result = json!({
            "output": path, "width": picture.width(), "height": picture.height(), "secs": elapsed_secs,
        });
        output::line(&result.to_string());
    }
    Ok(())
}
