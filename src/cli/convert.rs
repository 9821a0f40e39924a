//! `safelight encode`, `safelight decode` and `safelight channels`.

use anyhow::bail;
use serde_json::json;

use super::{ConvertArguments, output, run};
use crate::engine::{Command, Event, JobId};
use crate::formats::latent_file::{LatentFacts, LatentQuantity, ReadLatent, read_latent, write_latent};
use crate::formats::picture::{
    PictureFormat, ReadOptions, WriteOptions, crop_to_multiple, read_picture, write_picture,
};
use crate::formats::{FileKind, channel_sheet, file_kind};
use crate::latent::{Latent, LatentFormat, LatentSpace};
use crate::models;
use crate::request::{CancelToken, DecodeChoice, ModelProfile};

/// A picture's latent in model space, cropped to whole latent pixels.
struct EncodedFile {
    profile: ModelProfile,
    mean: Latent,
    elapsed_secs: f64,
}

fn encode_file(arguments: &ConvertArguments) -> anyhow::Result<EncodedFile> {
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
    match run::to_the_end(&engine, command, &output::progress(), |_| {})? {
        Event::Encoded { mean, elapsed_secs, .. } => Ok(EncodedFile { profile, mean, elapsed_secs }),
        other => bail!("an unexpected answer of the engine: {other:?}"),
    }
}

/// A latent file's values in model space: a file that does not say is taken for what ComfyUI writes.
fn in_model_space(read: &ReadLatent, format: &LatentFormat) -> Latent {
    match read.space.unwrap_or(LatentSpace::Vae) {
        LatentSpace::Vae => format.model_from_vae(&read.latent),
        LatentSpace::Model => read.latent.clone(),
    }
}

pub(super) fn encode(arguments: &ConvertArguments) -> anyhow::Result<()> {
    let EncodedFile { profile, mean, elapsed_secs } = encode_file(arguments)?;
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
    let latent = in_model_space(&read, &profile.format);
    let cancel = CancelToken::new();
    let (model, how) = (arguments.engine.choice(), DecodeChoice::default());
    let command = Command::Decode { job: JobId(1), model, latent, how, cancel };
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

pub(super) fn channels(arguments: &ConvertArguments) -> anyhow::Result<()> {
    PictureFormat::of_path(&arguments.output)?;
    let (format, latent) = if file_kind(&arguments.input) == FileKind::Latent {
        let read = read_latent(&arguments.input)?;
        // The values need no network, only what the model's files say of its latents.
        let format = models::profile(&arguments.engine.choice())?.format;
        let found = read.latent.shape().channels;
        if found != format.channels {
            bail!(
                "the latent has {found} channels and the model's VAE {}: name the model it belongs to with --model",
                format.channels
            );
        }
        (format, in_model_space(&read, &format))
    } else {
        let EncodedFile { profile, mean, .. } = encode_file(arguments)?;
        (profile.format, mean)
    };
    let title = arguments.input.file_name().unwrap_or_default().to_string_lossy();
    let sheet = channel_sheet(&latent, &format, &title)?;
    let options = WriteOptions { metadata: false, ..WriteOptions::default() };
    let path = write_picture(&arguments.output, &sheet, None, &options)?;
    if arguments.json {
        let shape = latent.shape();
        let result = json!({
            "output": path, "shape": [shape.channels, shape.height, shape.width],
            "width": sheet.width(), "height": sheet.height(),
        });
        output::line(&result.to_string());
    }
    Ok(())
}
