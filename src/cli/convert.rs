//! `safelight encode`, `safelight decode` and `safelight channels`.

use anyhow::{Context as _, bail};
use serde_json::json;

use super::arguments::{ConvertArguments, DecodeArguments};
use super::library;
use super::output::{self, Output};
use super::outputs::{Files, PictureFile};
use super::run;
use super::signals::uninterrupted;
use crate::catalog::ModelProfile;
use crate::engine::{Engine, Event, JobId, JobKind};
use crate::formats::latent_file::{
    LatentFacts, LatentQuantity, ReadLatent, latent_from_bytes, read_latent, write_latent,
};
use crate::formats::picture::{
    ReadOptions, ReadPicture, WriteOptions, crop_to_multiple, picture_from_bytes, read_picture,
};
use crate::formats::{FileKind, Input, Sources, channel_sheet, read_input};
use crate::latent::{Latent, LatentFormat, LatentSpace, check_finite};
use crate::models;
use crate::request::DecodeChoice;

/// The latent (model space) of a picture that was cropped to whole latent pixels.
struct EncodedFile {
    profile: ModelProfile,
    mean: Latent,
    elapsed_secs: f64,
}

fn encode_picture(
    arguments: &ConvertArguments,
    read: &ReadPicture,
    output: &mut Output,
) -> anyhow::Result<EncodedFile> {
    let input = &arguments.input;
    output.remarks(input, &read.remarks);
    let engine = run::start(&arguments.engine)?;
    let (profile, ..) = run::load(&engine, &arguments.engine)?;
    let Some((picture, _)) = crop_to_multiple(&read.picture, profile.format.downscale) else {
        bail!(
            "the picture is smaller than one latent pixel ({0}×{0} pixels): {1}",
            profile.format.downscale,
            output::text(input)
        );
    };
    if (picture.width(), picture.height()) != (read.picture.width(), read.picture.height()) {
        output.notice(&format!(
            "the picture was cropped to {}×{} pixels, a multiple of {}: {}",
            picture.width(),
            picture.height(),
            profile.format.downscale,
            output::text(input)
        ));
    }
    let kind = JobKind::Encode { model: arguments.engine.source()?, picture };
    match run::run_job(&engine, JobId(1), kind, |_| {})? {
        Event::Encoded { mean, elapsed_secs, .. } => Ok(EncodedFile { profile, mean, elapsed_secs }),
        other => bail!("the engine answered unexpectedly: {other:?}"),
    }
}

/// The input file and the model of a command.
fn files(arguments: &ConvertArguments) -> anyhow::Result<Files> {
    let mut files = Files::of_model(&arguments.engine.source()?);
    files.input(&arguments.input);
    Ok(files)
}

/// The pictures to write, numbered if there are several. Checks that they can be written.
fn picture_files(arguments: &ConvertArguments, count: usize) -> anyhow::Result<Vec<PictureFile>> {
    let mut files = files(arguments)?;
    let pictures = (0..count)
        .map(|index| files.picture(&arguments.output, index, count))
        .collect::<anyhow::Result<_>>()?;
    files.check()?;
    Ok(pictures)
}

/// The values of a latent file in model space. If the file does not state the space, it is VAE space, as in ComfyUI.
fn in_model_space(latent: &Latent, space: Option<LatentSpace>, format: &LatentFormat) -> Latent {
    match space.unwrap_or(LatentSpace::Vae) {
        LatentSpace::Vae => format.model_from_vae(latent),
        LatentSpace::Model => latent.clone(),
    }
}

pub(super) fn encode(arguments: &ConvertArguments, output: &mut Output) -> anyhow::Result<()> {
    let mut files = files(arguments)?;
    let path = files.latent(&arguments.output, 0, 1)?;
    files.check()?;
    let read = read_picture(&arguments.input, &ReadOptions::default())
        .map_err(|error| output::named(&arguments.input, error))?;
    let EncodedFile { profile, mean, elapsed_secs } = encode_picture(arguments, &read, output)?;
    let facts = LatentFacts {
        family: Some(profile.family.to_owned()),
        scaling: Some(profile.format.scale),
        shift: Some(profile.format.shift),
        quantity: Some(LatentQuantity::Encoded),
        vae_hash: Some(profile.vae_hash.clone()),
        ..LatentFacts::default()
    };
    uninterrupted(|| write_latent(&path, &profile.format.vae_from_model(&mean), &facts))?;
    if arguments.json {
        let shape = mean.shape();
        let ratio = profile.format.compression(shape).ratio();
        output.json(&json!({
            "output": output::text(&path), "shape": [shape.channels, shape.height, shape.width],
            "compression": ratio, "secs": elapsed_secs,
        }));
    }
    Ok(())
}

fn report_ignored_tensors(read: &ReadLatent, arguments: &ConvertArguments, output: &mut Output) {
    if !read.not_read.is_empty() {
        let (names, input) = (read.not_read.join("; "), output::text(&arguments.input));
        output.notice(&format!("tensors that are not latents are ignored: {names}: {input}"));
    }
}

/// Decodes every latent of a file. If one fails, the others are still decoded.
pub(super) fn decode(arguments: &DecodeArguments, output: &mut Output) -> anyhow::Result<()> {
    let DecodeArguments { convert: arguments, tiny } = arguments;
    // One name is checked before a large file is read, all names once the number of latents is known.
    picture_files(arguments, 1)?;
    let read = read_latent(&arguments.input).map_err(|error| output::named(&arguments.input, error))?;
    report_ignored_tensors(&read, arguments, output);
    let count = read.count();
    let paths = picture_files(arguments, count)?;
    let source = arguments.engine.source()?;
    // A tiny decoder needs no more of the model than the format of its latents.
    let (engine, profile, decoder) = if let Some(named) = tiny {
        let profile = models::profile(&source)?;
        let decoder = library::tiny_decoder(named, &profile)?;
        (run::start(&arguments.engine)?, profile, Some(decoder))
    } else {
        let engine = run::start(&arguments.engine)?;
        let (profile, ..) = run::load(&engine, &arguments.engine)?;
        (engine, profile, None)
    };
    let mut failed = 0;
    for (index, (latent, path)) in read.latents().zip(&paths).enumerate() {
        let latent = in_model_space(latent, read.space, &profile.format);
        let kind = match &decoder {
            Some(decoder) => JobKind::DecodeQuickly { decoder: decoder.clone(), latent },
            None => JobKind::Decode { model: source.clone(), latent, how: DecodeChoice::default() },
        };
        if let Err(error) = decode_one(arguments, &engine, kind, &read, path, index, count, output) {
            failed += 1;
            let error =
                if count > 1 { error.context(format!("latent {} of {count}", index + 1)) } else { error };
            output.failure(&output::named(&arguments.input, error));
        }
    }
    if failed > 0 && count > 1 {
        bail!("{failed} of {count} latents could not be decoded: {}", output::text(&arguments.input));
    }
    Ok(())
}

fn decode_one(
    arguments: &ConvertArguments,
    engine: &Engine,
    kind: JobKind,
    read: &ReadLatent,
    path: &PictureFile,
    index: usize,
    count: usize,
    output: &mut Output,
) -> anyhow::Result<()> {
    let end = run::run_job(engine, JobId(index as u64 + 1), kind, |_| {})?;
    let Event::Decoded { picture, notice, elapsed_secs, .. } = end else {
        bail!("the engine answered unexpectedly: {end:?}");
    };
    if let Some(notice) = notice {
        output.notice(&notice);
    }
    path.write(&picture, read.facts.generation.as_ref(), WriteOptions::default())?;
    if arguments.json {
        output.json(&json!({
            "output": output::text(&path.path), "width": picture.width(), "height": picture.height(),
            "secs": elapsed_secs, "latent": index + 1, "latents": count,
        }));
    }
    Ok(())
}

pub(super) fn channels(arguments: &ConvertArguments, output: &mut Output) -> anyhow::Result<()> {
    let path = picture_files(arguments, 1)?.pop().context("a picture is to be written")?;
    let input = &arguments.input;
    let (format, latent) = match read_input(input, Sources::Any)? {
        Input::Folder => bail!("this is a folder and not a file: {}", output::text(input)),
        Input::Weights(kind) => bail!("this is {kind}: {}", output::text(input)),
        Input::File { kind: FileKind::Latent, bytes } => {
            let read = latent_from_bytes(&bytes).map_err(|error| output::named(input, error))?;
            report_ignored_tensors(&read, arguments, output);
            if read.count() > 1 {
                let input = output::text(input);
                output.notice(&format!("the first of {} latents is drawn: {input}", read.count()));
            }
            // Only the latent format of the model is needed, so it is not loaded.
            let format = models::profile(&arguments.engine.source()?)?.format;
            let found = read.latent.shape().channels;
            if found != format.channels {
                bail!(
                    "the latent has {found} channels and the model's VAE {}: choose the model it belongs to with --model",
                    format.channels
                );
            }
            (format, in_model_space(&read.latent, read.space, &format))
        }
        Input::File { bytes, .. } => {
            let read = picture_from_bytes(&bytes, &ReadOptions::default())
                .map_err(|error| output::named(input, error))?;
            let EncodedFile { profile, mean, .. } = encode_picture(arguments, &read, output)?;
            (profile.format, mean)
        }
    };
    if let Err(error) = check_finite(&latent) {
        output.notice(&format!("{error}: {}", output::text(input)));
    }
    let title = arguments.input.file_name().unwrap_or_default().to_string_lossy();
    let sheet = channel_sheet(&latent, &format, &title)?;
    let options = WriteOptions { metadata: false, ..WriteOptions::default() };
    path.write(&sheet, None, options)?;
    if arguments.json {
        let shape = latent.shape();
        output.json(&json!({
            "output": output::text(&path.path), "shape": [shape.channels, shape.height, shape.width],
            "width": sheet.width(), "height": sheet.height(),
        }));
    }
    Ok(())
}
