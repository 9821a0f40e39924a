//! `safelight compare`.

mod sides;

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::{Value, json};

use self::sides::{Side, comparable_latents, read_side};
use super::output::{self, Output, aligned};
use super::outputs::{Files, PictureFile};
use super::runs::RunsFolder;
use crate::catalog::ModelSource;
use crate::formats::metadata::{GenerationFacts, SettingDifference};
use crate::formats::picture::{WriteOptions, enlarged};
use crate::formats::{PictureDifference, heat_picture, picture_difference};
use crate::latent::LatentDifference;
use crate::request::Picture;

/// Pixels of the heat map of a latent along an edge of a latent pixel.
const LATENT_PIXEL: usize = 8;

#[derive(Clone, Debug, Args)]
pub(super) struct CompareArguments {
    /// The first, which is the reference: a picture, a latent file, or a kept run (its id, the beginning of its id, or
    /// ‘last’), with a step of it after a colon.
    #[arg(value_name = "FILE|RUN[:STEP]")]
    first: PathBuf,
    /// The second.
    #[arg(value_name = "FILE|RUN[:STEP]")]
    second: PathBuf,
    #[command(flatten)]
    folder: RunsFolder,
    /// Write where they differ as a heat map: .png, .jpg or .webp. Of latents where there are no two pictures of one size.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print JSON on standard output.
    #[arg(long)]
    json: bool,
}

/// What the comparison of two found.
struct Found {
    pictures: Option<PictureDifference>,
    /// Why there are no figures of pictures or of latents.
    no_pictures: Option<String>,
    latents: Option<LatentDifference>,
    no_latents: Option<String>,
    /// `None` if the settings of one are not known.
    settings: Option<Vec<SettingDifference>>,
}

/// Compares two pictures, latents, runs or steps.
pub(super) fn run(arguments: &CompareArguments, output: &mut Output) -> anyhow::Result<()> {
    let mut files = Files::of_model(&ModelSource::Builtin);
    for input in [&arguments.first, &arguments.second] {
        files.input(input);
    }
    let heat = arguments.output.as_deref().map(|path| files.picture(path, 0, 1)).transpose()?;
    files.check()?;
    let side = |path| read_side(path, &arguments.folder).map_err(|error| output::named(path, error));
    let sides = [side(&arguments.first)?, side(&arguments.second)?];
    for (side, path) in sides.iter().zip([&arguments.first, &arguments.second]) {
        for notice in &side.notices {
            output.notice(&format!("{notice}: {}", output::text(path)));
        }
    }
    let found = compare(&sides);
    if found.pictures.is_none() && found.latents.is_none() && found.settings.is_none() {
        let why = [&found.no_pictures, &found.no_latents].into_iter().flatten();
        bail!("the two cannot be compared: {}", why.map(String::as_str).collect::<Vec<_>>().join("; "));
    }
    let scale = heat.as_ref().map(|file| write_heat(file, &found)).transpose()?;
    if arguments.json {
        let mut object = found_json(&sides, &found);
        object["output"] = heat.as_ref().map(|file| output::text(&file.path)).into();
        object["heat_scale"] = scale.map(|scale| scale.limit).into();
        output.json(&object);
        return Ok(());
    }
    print(&sides, &found, output);
    if let Some((file, scale)) = heat.as_ref().zip(scale) {
        output.line(&format!("heat map: from 0 to {} in {}", scale.words, output::text(&file.path)));
    }
    Ok(())
}

fn compare(sides: &[Side; 2]) -> Found {
    let [first, second] = sides;
    let (pictures, no_pictures) = match (&first.picture, &second.picture) {
        (Some(a), Some(b)) => match picture_difference(a, b) {
            Some(difference) => (Some(difference), None),
            None => (None, Some(format!("the pictures have different sizes, {} and {}", size(a), size(b)))),
        },
        (None, None) => (None, None),
        _ => (None, Some("one of the two has no picture".to_owned())),
    };
    let (latents, no_latents) = match comparable_latents(sides) {
        Ok(Some((a, b))) => {
            if let Some(difference) = LatentDifference::of(&a, &b) {
                (Some(difference), None)
            } else {
                let shapes = [&a, &b].map(|latent| latent.shape().to_string());
                (None, Some(format!("the latents have different shapes, {} and {}", shapes[0], shapes[1])))
            }
        }
        Ok(None) if first.latent.is_some() || second.latent.is_some() => {
            (None, Some("one of the two has no latent".to_owned()))
        }
        Ok(None) => (None, None),
        Err(why) => (None, Some(why)),
    };
    let settings =
        first.facts.as_ref().zip(second.facts.as_ref()).map(|(a, b): (&GenerationFacts, _)| a.differences(b));
    Found { pictures, no_pictures, latents, no_latents, settings }
}

fn size(picture: &Picture) -> String {
    format!("{}×{}", picture.width(), picture.height())
}

fn print(sides: &[Side; 2], found: &Found, output: &mut Output) {
    for (name, side) in ["first", "second"].iter().zip(sides) {
        output.line(&format!("{name}: {}", side.words()));
    }
    if let Some(difference) = &found.pictures {
        output.line(&format!("picture PSNR: {}", decibels(Some(difference.psnr))));
        let ssim = difference.ssim.map_or("smaller than its window".to_owned(), |ssim| format!("{ssim:.4}"));
        output.line(&format!("picture SSIM: {ssim}"));
    }
    if let Some(difference) = &found.latents {
        let relative = difference.relative_l2.map_or("undefined".to_owned(), |share| format!("{share:.4}"));
        output.line(&format!("latent distance: {relative} (L2, relative to the first)"));
        output.line(&format!("latent PSNR: {}", decibels(difference.psnr)));
    }
    for why in [&found.no_pictures, &found.no_latents].into_iter().flatten() {
        output.line(&format!("not compared: {why}"));
    }
    match &found.settings {
        None => output.line("settings: those of at least one are not known"),
        Some(settings) if settings.is_empty() => output.line("settings: the same"),
        Some(settings) => {
            output.line("settings that differ:");
            let text = |value: &Option<String>| value.as_deref().map_or("–".to_owned(), output::one_line);
            let row = |setting: &SettingDifference| {
                let [first, second] = setting.values.each_ref().map(text);
                [format!("  {}", setting.name), first, second]
            };
            let rows: Vec<[String; 3]> = settings.iter().map(row).collect();
            for line in &aligned(&rows) {
                output.line(line);
            }
        }
    }
}

fn decibels(figure: Option<f64>) -> String {
    match figure {
        Some(figure) if figure == f64::INFINITY => "infinite: no value differs".to_owned(),
        Some(figure) => format!("{figure:.2} dB"),
        None => "undefined".to_owned(),
    }
}

fn found_json(sides: &[Side; 2], found: &Found) -> Value {
    // JSON has no infinity.
    let finite = |figure: f64| figure.is_finite().then_some(figure);
    let not_compared: Vec<&String> = [&found.no_pictures, &found.no_latents].into_iter().flatten().collect();
    json!({
        "first": sides[0].json(),
        "second": sides[1].json(),
        "picture": found.pictures.as_ref().map(|difference| json!({
            "same": difference.psnr == f64::INFINITY,
            "psnr": finite(difference.psnr),
            "ssim": difference.ssim,
        })),
        "latent": found.latents.as_ref().map(|difference| json!({
            "same": difference.psnr == Some(f64::INFINITY),
            "relative_l2": difference.relative_l2,
            "psnr": difference.psnr.and_then(finite),
            "channel_rms": difference.channel_rms,
        })),
        "not_compared": not_compared,
        "settings": found.settings.as_ref().map(|settings| settings.iter().map(|setting| json!({
            "name": setting.name.to_string(), "first": setting.values[0], "second": setting.values[1],
        })).collect::<Vec<_>>()),
    })
}

/// The scale of a heat map.
struct Scale {
    /// The value that has the brightest colour.
    limit: f32,
    words: String,
}

/// Writes the heat map of the pictures, or else of the latents.
fn write_heat(file: &PictureFile, found: &Found) -> anyhow::Result<Scale> {
    let (picture, scale) = match (&found.pictures, &found.latents) {
        (Some(difference), _) => {
            let limit = difference.heat_limit;
            (difference.heat.clone(), Scale { limit, words: format!("{:.1} % of the range", limit * 100.0) })
        }
        (None, Some(difference)) => {
            let (mean, limit) = (&difference.mean_magnitude, difference.limit(None));
            let heat = heat_picture(mean.values(), mean.shape().width, limit)
                .context("the latents have no values")?;
            (
                enlarged(&heat, LATENT_PIXEL),
                Scale { limit, words: format!("{limit:.3} of the latents' mean difference") },
            )
        }
        (None, None) => bail!(
            "there is no heat map: {}",
            found
                .no_pictures
                .as_ref()
                .or(found.no_latents.as_ref())
                .map_or("nothing to compare", String::as_str)
        ),
    };
    file.write(&picture, None, WriteOptions { metadata: false, ..WriteOptions::default() })?;
    Ok(scale)
}
