//! `safelight generate`.

use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use serde_json::json;

use super::arguments::GenerateArguments;
use super::output::{self, Output};
use super::outputs::{Files, PictureFile, latent_path_beside};
use super::run;
use super::signals::uninterrupted;
use crate::catalog::ModelProfile;
use crate::engine::{Advice, Engine, Event, Failure, JobId, JobKind, Task};
use crate::formats::check_writable;
use crate::formats::latent_file::{LatentFacts, LatentQuantity, write_latent};
use crate::formats::metadata::GenerationFacts;
use crate::formats::picture::{ReadOptions, WriteOptions, read_picture};
use crate::latent::Latent;
use crate::request::{
    GenerationDraft, GenerationRequest, InitImage, PromptOptions, SamplingOptions, SkipLayers,
};

/// The files of a picture and its latent.
struct Paths {
    picture: PictureFile,
    latent: Option<PathBuf>,
}

/// The common data of a batch.
struct Batch<'a> {
    arguments: &'a GenerateArguments,
    engine: Engine,
    profile: ModelProfile,
    device: String,
    load_secs: f64,
}

/// The result of sampling, and the file it was written to.
#[derive(Default)]
struct Sampled {
    latent: Option<Latent>,
    /// Number of finished steps, if the run ended before its last one.
    reached: Option<usize>,
    /// The file it was written to, if any.
    file: Option<PathBuf>,
}

/// Generates the pictures of a batch. If one fails, the others are still generated. A latent is written before it is
/// decoded.
pub(super) fn run(arguments: &GenerateArguments, output: &mut Output) -> anyhow::Result<()> {
    let paths = checked_paths(arguments, output)?;
    let init_image = match &arguments.init_image {
        Some(path) => {
            let read = read_picture(path, &ReadOptions::default()).map_err(|e| output::named(path, e))?;
            output.remarks(path, &read.remarks);
            Some(InitImage { picture: read.picture, strength: arguments.strength })
        }
        None => None,
    };
    let engine = run::start(&arguments.engine)?;
    let (profile, device, load_secs) = run::load(&engine, &arguments.engine)?;
    profile.remarks.iter().for_each(|remark| output.notice(remark));
    let mut draft = GenerationDraft::new(&profile);
    draft.prompt.clone_from(&arguments.prompt);
    draft.negative_prompt.clone_from(&arguments.negative_prompt);
    draft.size.width = arguments.width.unwrap_or(draft.size.width);
    draft.size.height = arguments.height.unwrap_or(draft.size.height);
    draft.steps = arguments.steps.unwrap_or(draft.steps);
    draft.guidance_scale = arguments.guidance_scale.unwrap_or(draft.guidance_scale);
    draft.seed = arguments.seed.unwrap_or(draft.seed);
    draft.sampler = arguments.sampler.unwrap_or(draft.sampler);
    draft.schedule = arguments.schedule;
    let levels = arguments.sigmas.clone().or_else(|| arguments.timesteps.clone());
    draft.steps = levels.as_ref().map_or(draft.steps, |levels| levels.values().len());
    let (eta, guidance_rescale, shift) = (arguments.eta, arguments.guidance_rescale, arguments.shift);
    draft.options = SamplingOptions { eta, guidance_rescale, shift, levels };
    draft.prompt_options = PromptOptions {
        clip_skip: arguments.clip_skip,
        max_tokens: arguments.max_tokens,
        true_guidance_scale: arguments.true_guidance_scale,
        original_size: arguments.original_size,
        crop: arguments.crop,
        target_size: arguments.target_size,
        skip_layers: arguments.skip_layers.map(|layers| SkipLayers {
            layers,
            scale: arguments.skip_scale,
            start: arguments.skip_start,
            end: arguments.skip_end,
        }),
    };
    draft.init_image = init_image;

    let batch = Batch { arguments, engine, profile, device, load_secs };
    let mut failed = 0;
    for (index, paths) in paths.iter().enumerate() {
        let draft = GenerationDraft { seed: draft.seed.nth(index as u64), ..draft.clone() };
        let errors = batch.draw(JobId(index as u64 + 1), draft.validate(&batch.profile)?, paths, output);
        failed += usize::from(!errors.is_empty());
        let no_model = errors.iter().any(|error| is_about(error, Task::LoadModel));
        for error in errors {
            output.failure(&error);
        }
        if no_model {
            break;
        }
    }
    if failed > 0 && arguments.batch > 1 {
        bail!("{failed} of {} pictures failed", arguments.batch);
    }
    Ok(())
}

/// The files of every picture. Checks that they can be written.
///
/// If the latents cannot be written as requested, a failure is reported and they are written beside the pictures.
fn checked_paths(arguments: &GenerateArguments, output: &mut Output) -> anyhow::Result<Vec<Paths>> {
    let mut files = Files::of_model(&arguments.engine.source()?);
    if let Some(path) = &arguments.init_image {
        files.input(path);
    }
    let count = arguments.batch;
    let mut paths = Vec::with_capacity(count);
    for index in 0..count {
        let picture = files.picture(&arguments.output, index, count)?;
        paths.push(Paths { picture, latent: None });
    }
    files.check()?;
    let Some(latent) = &arguments.save_latent else { return Ok(paths) };
    let unwritable = check_writable(latent).err().filter(|_| !latent.is_dir());
    for (index, paths) in paths.iter_mut().enumerate() {
        paths.latent = match unwritable {
            Some(_) => latent_path_beside(&paths.picture.path),
            None => Some(files.latent(latent, index, count)?),
        };
    }
    files.check()?;
    if let Some(error) = unwritable {
        let error = anyhow::Error::from(error);
        output
            .failure(&anyhow!("{}. Latents are saved beside the pictures instead", output::sentence(&error)));
    }
    Ok(paths)
}

fn is_about(error: &anyhow::Error, task: Task) -> bool {
    error.downcast_ref::<Failure>().is_some_and(|failure| failure.task == task)
}

impl Batch<'_> {
    /// Generates one picture and writes it with its latent. Returns all errors.
    fn draw(
        &self,
        job: JobId,
        request: GenerationRequest,
        paths: &Paths,
        output: &mut Output,
    ) -> Vec<anyhow::Error> {
        let seed = request.seed;
        let facts = GenerationFacts::of_request(&request, &self.profile.name);
        let mut errors = Vec::new();
        let mut sampled = Sampled::default();
        let kind = JobKind::Generate { request: Box::new(request) };
        let mut notices = Vec::new();
        let end = run::run_job(&self.engine, job, kind, |event| {
            let Event::Sampled { latent, trajectory, finished_early, .. } = event else {
                if let Event::Remarks { remarks, .. } = event {
                    notices.extend(remarks.iter().cloned());
                }
                return;
            };
            sampled.latent = Some(latent.clone());
            sampled.reached = finished_early.then_some(trajectory.steps.len());
            if let Some(path) = &paths.latent {
                match self.write_latent(path, &facts, &sampled) {
                    Ok(()) => sampled.file = Some(path.clone()),
                    Err(error) => {
                        errors.push(self.keep_latent(error, &mut sampled, &facts, &paths.picture.path))
                    }
                }
            }
        });
        for remark in &notices {
            output.notice(remark);
        }
        let (picture, notice, secs) = match end {
            Ok(Event::Decoded { picture, notice, elapsed_secs, .. }) => (picture, notice, elapsed_secs),
            Ok(other) => {
                errors.push(anyhow!("the engine answered unexpectedly: {other:?}"));
                return errors;
            }
            Err(error) => {
                errors.push(self.keep_latent(error, &mut sampled, &facts, &paths.picture.path));
                return errors;
            }
        };
        if let Some(notice) = notice {
            output.notice(&notice);
        }
        let arguments = self.arguments;
        let options = WriteOptions { metadata: !arguments.no_metadata, ..WriteOptions::default() };
        let path = &paths.picture.path;
        if let Err(error) = paths.picture.write(&picture, Some(&facts), options) {
            errors.push(self.keep_latent(error.into(), &mut sampled, &facts, path));
            return errors;
        }
        if arguments.json {
            output.json(&json!({
                "output": output::text(path), "latent": sampled.file.as_deref().map(output::text), "seed": seed.0,
                "width": picture.width(), "height": picture.height(), "model": self.profile.name,
                "device": self.device, "load_secs": self.load_secs, "secs": secs,
            }));
        } else {
            output::remark(&format!("{} (seed {seed}, {secs:.1} s)", path.display()));
        }
        errors
    }

    /// Saves the latent of a picture that could not be decoded or written, beside the picture, unless it is already in
    /// a file. Returns the error with the path of the latent.
    fn keep_latent(
        &self,
        error: anyhow::Error,
        sampled: &mut Sampled,
        facts: &GenerationFacts,
        picture: &Path,
    ) -> anyhow::Error {
        if sampled.file.is_none()
            && sampled.latent.is_some()
            && sampled.reached.is_none()
            && let Some(path) = latent_path_beside(picture)
            && self.write_latent(&path, facts, sampled).is_ok()
        {
            sampled.file = Some(path);
        }
        let Some(file) = sampled.file.as_deref().map(output::text) else { return error };
        // Drops the advice to save the latent, which has been done.
        let error = match error.downcast_ref::<Failure>() {
            Some(failure) if failure.advice == Some(Advice::OtherVae) => {
                anyhow!("{}", Failure { advice: None, ..failure.clone() })
            }
            _ => error,
        };
        let what = match sampled.reached {
            Some(step) => format!("The latent of step {step} is kept"),
            None => "The latent is kept, and can be decoded again".to_owned(),
        };
        anyhow!("{}. {what}: {file}", output::sentence(&error))
    }

    fn write_latent(
        &self,
        path: &Path,
        generation: &GenerationFacts,
        sampled: &Sampled,
    ) -> anyhow::Result<()> {
        let Some(latent) = &sampled.latent else { return Ok(()) };
        let (profile, format) = (&self.profile, self.profile.format);
        let facts = LatentFacts {
            family: Some(profile.family.to_owned()),
            scaling: Some(format.scale),
            shift: Some(format.shift),
            step: sampled.reached,
            quantity: Some(LatentQuantity::Denoised),
            vae_hash: Some(profile.vae_hash.clone()),
            generation: (!self.arguments.no_metadata).then(|| generation.clone()),
            ..LatentFacts::default()
        };
        uninterrupted(|| write_latent(path, &format.vae_from_model(latent), &facts))?;
        Ok(())
    }
}
