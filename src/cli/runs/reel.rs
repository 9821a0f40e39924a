//! `safelight reel`.

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::{Args, ValueEnum};
use serde_json::json;

use super::super::output::{self, Output};
use super::super::outputs::Files;
use super::super::signals::stoppable;
use super::super::{numbers, run};
use super::model::{self, RunModelArguments};
use super::named::{RunsFolder, find};
use crate::catalog::ModelSource;
use crate::engine::{Event, JobId, JobKind, cached_fit};
use crate::reel::{
    AnimationFormat, Development, Easing, Pace, PreviewProjection, ReelKind, ReelOptions, ReelProgress,
    ReelSize, Shown, decode_to_keep, size_of, write,
};
use crate::request::{DecodeChoice, Picture};
use crate::store::history::OpenedRun;
use crate::store::{builtin_previews, preview_cache};

#[derive(Clone, Debug, Args)]
#[command(group = clap::ArgGroup::new("files").required(true).multiple(true))]
pub(in crate::cli) struct ReelArguments {
    /// The run: its id, the beginning of its id, or ‘last’.
    run: String,
    /// The animation to write: .webp, .gif, .png or .apng, .mp4 (by ffmpeg), or a new folder for numbered pictures.
    #[arg(long, value_name = "FILE|FOLDER", group = "files")]
    output: Option<PathBuf>,
    /// The sheet of all steps to write, with their numbers and noise levels.
    #[arg(long, value_name = "FILE.png", group = "files")]
    sheet: Option<PathBuf>,
    /// The kind of animation [default: that of the extension].
    #[arg(long, value_name = "KIND")]
    format: Option<FormatArgument>,
    /// What is seen of a step: the preview of the denoised estimate, that of the noisy latent, or the decode by the
    /// model's VAE, for which the model is loaded.
    #[arg(long, value_name = "WHAT", default_value = "estimate")]
    show: ShownArgument,
    /// The preview: linear, or patch where there is a fit of the model's VAE [default: the better one].
    #[arg(long, value_name = "METHOD")]
    preview: Option<PreviewArgument>,
    /// Which steps take as long: all (even), or those with as much change to the eye (change).
    #[arg(long, value_name = "HOW", default_value = "change")]
    pace: PaceArgument,
    /// What is between two steps: nothing, an even blend, or one that is slow at the steps.
    #[arg(long, value_name = "HOW", default_value = "smooth")]
    easing: EasingArgument,
    /// Seconds from the first step to the last picture [default: 4].
    #[arg(long, value_name = "S", allow_hyphen_values = true, value_parser = numbers::reel_seconds)]
    seconds: Option<f64>,
    /// Seconds for which the last picture stands [default: 1.5].
    #[arg(long, value_name = "S", allow_hyphen_values = true, value_parser = numbers::reel_hold)]
    hold: Option<f64>,
    /// Frames of a second [default: 20].
    #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = numbers::frames_per_second)]
    fps: Option<u32>,
    /// The longest edge in pixels, at most the picture's [default: 512; of .mp4 and a folder the picture's].
    #[arg(long, value_name = "PX", allow_hyphen_values = true, value_parser = numbers::reel_edge)]
    edge: Option<usize>,
    /// The size as a factor of the picture's, up to 1.
    #[arg(long, value_name = "F", allow_hyphen_values = true, conflicts_with = "edge", value_parser = numbers::reel_scale)]
    scale: Option<f64>,
    /// How often the animation is shown, 0 for without end.
    #[arg(long, value_name = "N", default_value_t = 0)]
    plays: u16,
    #[command(flatten)]
    folder: RunsFolder,
    #[command(flatten)]
    model: RunModelArguments,
    /// Do not embed the settings in the files.
    #[arg(long)]
    no_metadata: bool,
    /// Print JSON on standard output.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FormatArgument {
    Webp,
    Gif,
    #[value(alias = "png")]
    Apng,
    Mp4,
    #[value(alias = "folder")]
    Frames,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ShownArgument {
    Estimate,
    Noisy,
    Decoded,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PreviewArgument {
    Linear,
    Patch,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum PaceArgument {
    Even,
    Change,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum EasingArgument {
    None,
    Linear,
    Smooth,
}

impl ReelArguments {
    fn kind(&self, path: &Path) -> anyhow::Result<ReelKind> {
        Ok(match self.format {
            Some(FormatArgument::Webp) => ReelKind::Webp,
            Some(FormatArgument::Gif) => ReelKind::Gif,
            Some(FormatArgument::Apng) => ReelKind::Apng,
            Some(FormatArgument::Mp4) => ReelKind::Mp4,
            Some(FormatArgument::Frames) => ReelKind::Frames,
            None => ReelKind::of(AnimationFormat::of_path(path)?),
        })
    }

    fn options(&self, kind: ReelKind) -> ReelOptions {
        let default = ReelOptions::default();
        ReelOptions {
            kind,
            shown: match self.show {
                ShownArgument::Estimate => Shown::Estimate,
                ShownArgument::Noisy => Shown::Noisy,
                ShownArgument::Decoded => Shown::Decoded,
            },
            pace: match self.pace {
                PaceArgument::Even => Pace::Even,
                PaceArgument::Change => Pace::Change,
            },
            easing: match self.easing {
                EasingArgument::None => Easing::None,
                EasingArgument::Linear => Easing::Linear,
                EasingArgument::Smooth => Easing::Smooth,
            },
            seconds: self.seconds.unwrap_or(default.seconds),
            hold: self.hold.unwrap_or(default.hold),
            frames_per_second: self.fps.unwrap_or(default.frames_per_second),
            size: match (self.edge, self.scale) {
                (Some(edge), _) => ReelSize::Edge(edge),
                (None, Some(scale)) => ReelSize::Scale(scale),
                (None, None) => ReelSize::Automatic,
            },
            plays: self.plays,
        }
    }

    /// The preview of the run's latents.
    ///
    /// # Errors
    /// If a patch preview is wanted and there is none.
    fn projection(&self, run: &OpenedRun) -> anyhow::Result<PreviewProjection> {
        let (record, wants_patch) = (&run.record, self.preview != Some(PreviewArgument::Linear));
        let fit = if record.model == ModelSource::Builtin {
            builtin_previews().cloned()
        } else {
            let folder = preview_cache::folder_of_system();
            folder.and_then(|folder| cached_fit(&folder, &record.vae_hash, &record.format))
        };
        let fit = fit.filter(|fit| fit.linear.channels() == record.format.channels);
        let projection = fit
            .map_or_else(|| PreviewProjection::for_format(&record.format), |fit| fit.projection(wants_patch));
        if self.preview == Some(PreviewArgument::Patch) && !matches!(projection, PreviewProjection::Patch(_))
        {
            bail!(
                "no patch preview that is better than the linear one is fitted to the VAE of ‘{}’ yet: the window fits \
                 one in quiet moments while the model is open; use --preview linear",
                record.model_name
            );
        }
        Ok(projection)
    }
}

/// Writes the development of a run as an animation, and all its steps on a sheet.
pub(in crate::cli) fn run(arguments: &ReelArguments, output: &mut Output) -> anyhow::Result<()> {
    let history = arguments.folder.history()?;
    let id = find(&history, &arguments.run)?;
    let mut opened = history.open_run(&id)?;
    let folder = output::text(&history.folder(&id));
    model::name_model(&mut opened, &arguments.model)?;
    if opened.trajectory.steps.is_empty() {
        match history.damage_of(&opened) {
            Some(damage) => return Err(damage.into()),
            None if opened.is_thinned() => bail!(
                "the steps of this run were removed to save space; draw it again with the same settings: {folder}"
            ),
            None => bail!("the run took no step yet, so that there is nothing to show: {folder}"),
        }
    }
    if let Some(damage) = history.damage_of(&opened) {
        let damage = output::sentence(&anyhow::anyhow!(damage));
        output.notice(&format!("{damage}; the steps before are shown"));
    }
    let works = arguments.works(&opened)?;
    let projection = arguments.projection(&opened)?;
    let mut development = Development {
        steps: opened.trajectory.steps.clone(),
        latent: opened.latent.clone(),
        picture: opened.picture.clone(),
        decodes: Vec::new(),
        format: opened.record.format,
        facts: Some(opened.record.facts().clone()),
    };
    let decodes = match works[0].options.shown {
        Shown::Decoded => decode(&opened, &development, &works, arguments, output)?,
        Shown::Estimate | Shown::Noisy => works.iter().map(|_| Vec::new()).collect(),
    };
    let mut written = Vec::new();
    for (work, decodes) in works.iter().zip(decodes) {
        development.decodes = decodes;
        written.push(work.write(&development, &projection, !arguments.no_metadata)?);
    }
    if arguments.json {
        let of = |sheet: bool| {
            let found = works.iter().position(|work| (work.options.kind == ReelKind::Sheet) == sheet);
            found.map(|at| output::text(&written[at].path))
        };
        let frames = works.iter().position(|work| work.options.kind != ReelKind::Sheet);
        output.json(&json!({
            "run": id.as_str(),
            "output": of(false),
            "sheet": of(true),
            "steps": development.steps.len(),
            "frames": frames.map(|at| written[at].frames),
            "size": frames.and_then(|at| size_of(&development, &works[at].options)),
        }));
    } else {
        for written in &written {
            output::remark(&output::text(&written.path));
        }
    }
    Ok(())
}

/// A file to be made.
struct ReelFile {
    path: PathBuf,
    options: ReelOptions,
}

/// A file that was made.
struct Written {
    path: PathBuf,
    frames: usize,
}

impl ReelArguments {
    /// The files to make, which can be written.
    fn works(&self, run: &OpenedRun) -> anyhow::Result<Vec<ReelFile>> {
        let mut files = Files::of_model(&run.record.model);
        let mut works = Vec::new();
        if let Some(path) = &self.output {
            let kind = self.kind(path)?;
            // A folder may be there already, if it is empty.
            let names_a_folder = path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/");
            if kind != ReelKind::Frames || !names_a_folder {
                files.other(path)?;
            }
            works.push(ReelFile { path: path.clone(), options: self.options(kind) });
        } else if self.format.is_some() {
            bail!("--format is that of the animation: name its file with --output");
        }
        if let Some(path) = &self.sheet {
            let file = files.picture(path, 0, 1)?;
            works.push(ReelFile { path: file.path, options: self.options(ReelKind::Sheet) });
        }
        files.check()?;
        for work in &works {
            crate::reel::check(&work.path, work.options.kind)?;
        }
        Ok(works)
    }
}

impl ReelFile {
    fn write(
        &self,
        development: &Development,
        projection: &PreviewProjection,
        metadata: bool,
    ) -> anyhow::Result<Written> {
        let (bar, progress) = (output::progress(), ReelProgress::default());
        bar.set_message("frames");
        let written = std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                stoppable(&progress.cancel, || {
                    write(&self.path, development, &self.options, projection, metadata, &progress)
                })
            });
            while !writer.is_finished() {
                let [done, all] = progress.frames();
                bar.set_length(all as u64);
                bar.set_position(done as u64);
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            writer.join()
        });
        bar.finish_and_clear();
        let path = written.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        Ok(Written { path, frames: progress.frames()[1] })
    }
}

/// The decodes of all steps by the run's model, for each file in its size.
fn decode(
    run: &OpenedRun,
    development: &Development,
    works: &[ReelFile],
    arguments: &ReelArguments,
    output: &mut Output,
) -> anyhow::Result<Vec<Vec<Picture>>> {
    let loaded = model::load(run, &arguments.model, output)?;
    let mut decodes: Vec<Vec<Picture>> = works.iter().map(|_| Vec::new()).collect();
    let bar = output::progress();
    bar.set_message("decoding");
    bar.set_length(development.steps.len() as u64);
    for (index, step) in development.steps.iter().enumerate() {
        let (model, how) = (run.record.model.clone(), DecodeChoice::default());
        let kind = JobKind::Decode { model, latent: step.denoised.clone(), how };
        let Event::Decoded { picture, notice, .. } =
            run::run_job(&loaded.engine, JobId(index as u64 + 1), kind, |_| {})?
        else {
            bail!("the engine answered unexpectedly");
        };
        if let Some(notice) = notice {
            output.notice(&notice);
        }
        for (work, decodes) in works.iter().zip(&mut decodes) {
            let size = size_of(development, &work.options).unwrap_or([picture.width(), picture.height()]);
            decodes.push(decode_to_keep(&picture, size));
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(decodes)
}
