//! `safelight generate`.

use anyhow::{anyhow, bail};

use super::arguments::GenerateArguments;
use super::drawing::{Drawing, Drawn, Paths};
use super::output::{self, Output};
use super::outputs::{Files, latent_path_beside};
use super::run;
use super::runs::history;
use crate::catalog::ModelProfile;
use crate::engine::{Failure, JobId, KeepRun, Task};
use crate::formats::check_writable;
use crate::formats::picture::{ReadOptions, read_picture};
use crate::request::{GenerationDraft, InitImage};

/// Generates the pictures of a batch. If one fails, the others are still generated.
pub(super) fn run(arguments: &GenerateArguments, output: &mut Output) -> anyhow::Result<()> {
    let paths = checked_paths(arguments, output)?;
    let init_image = init_image(arguments, output)?;
    let is_kept = arguments.keep || arguments.keep_in.is_some();
    let history = is_kept.then(|| history(arguments.keep_in.as_deref())).transpose()?;
    // A kept run is found from every folder.
    let model = arguments.engine.source()?;
    let model = if is_kept { model.absolute() } else { model };
    let engine = run::start(&arguments.engine)?;
    let (profile, device, load_secs) = run::load_source(&engine, model)?;
    profile.remarks.iter().for_each(|remark| output.notice(remark));
    let draft = draft(arguments, &profile, init_image);
    let loaded = (profile.clone(), device, load_secs);
    let drawing = Drawing::new(engine, loaded, !arguments.no_metadata, arguments.json, history)?;
    let keep = if is_kept { KeepRun::New } else { KeepRun::No };
    let mut failed = 0;
    for (index, paths) in paths.iter().enumerate() {
        let draft = GenerationDraft { seed: draft.seed.nth(index as u64), ..draft.clone() };
        let request = draft.validate(&profile)?;
        let drawn = Drawn { request, continues: None, keep: keep.clone() };
        let errors = drawing.draw(JobId(index as u64 + 1), drawn, paths, output);
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

/// The source picture, if one is named.
pub(super) fn init_image(
    arguments: &GenerateArguments,
    output: &mut Output,
) -> anyhow::Result<Option<InitImage>> {
    let Some(path) = &arguments.init_image else { return Ok(None) };
    let read = read_picture(path, &ReadOptions::default()).map_err(|e| output::named(path, e))?;
    output.remarks(path, &read.remarks);
    Ok(Some(InitImage { picture: read.picture, strength: arguments.strength }))
}

/// The settings of the arguments on a model, whose defaults hold for the rest.
pub(super) fn draft(
    arguments: &GenerateArguments,
    profile: &ModelProfile,
    init_image: Option<InitImage>,
) -> GenerationDraft {
    let mut draft = GenerationDraft::new(profile);
    draft.prompt.clone_from(&arguments.prompt);
    draft.negative_prompt.clone_from(&arguments.negative_prompt);
    draft.size.width = arguments.width.unwrap_or(draft.size.width);
    draft.size.height = arguments.height.unwrap_or(draft.size.height);
    draft.seed = arguments.seed.unwrap_or(draft.seed);
    arguments.sampling.apply_to(&mut draft);
    draft.init_image = init_image;
    draft
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

/// Whether a failure is that of a task.
pub(super) fn is_about(error: &anyhow::Error, task: Task) -> bool {
    error.downcast_ref::<Failure>().is_some_and(|failure| failure.task == task)
}
