//! Drawing one picture and writing its files: what `generate`, `fork` and `runs go-on` have in common.

use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use serde_json::json;

use super::output::{self, Output};
use super::outputs::{PictureFile, latent_path_beside};
use super::run;
use super::signals::uninterrupted;
use crate::catalog::{ModelProfile, ModelSource};
use crate::engine::{Advice, Command, Engine, Event, Failure, JobId, JobKind, KeepRun};
use crate::formats::latent_file::{LatentFacts, LatentQuantity, write_latent};
use crate::formats::metadata::GenerationFacts;
use crate::formats::picture::WriteOptions;
use crate::latent::Latent;
use crate::request::{CancelToken, Continuation, GenerationRequest, Picture};
use crate::store::history::{History, RunId, RunStatus};

/// The files of a picture and its latent.
pub(super) struct Paths {
    pub(super) picture: PictureFile,
    pub(super) latent: Option<PathBuf>,
}

/// A run to be drawn.
pub(super) struct Drawn {
    pub(super) request: GenerationRequest,
    /// The run it goes on from; `None` for a new one.
    pub(super) continues: Option<Continuation>,
    /// As what the history keeps it, if there is one.
    pub(super) keep: KeepRun,
}

/// An engine with a loaded model, and what is done with its pictures.
pub(super) struct Drawing {
    engine: Engine,
    profile: ModelProfile,
    device: String,
    load_secs: f64,
    /// Whether the settings are embedded in the files.
    metadata: bool,
    as_json: bool,
    history: Option<History>,
}

/// What came of drawing a picture.
pub(super) struct Taken {
    /// The picture; `None` if it failed.
    pub(super) picture: Option<Picture>,
    pub(super) facts: GenerationFacts,
    /// Seconds it took.
    pub(super) secs: f64,
    /// The run of the history that keeps it.
    pub(super) run: Option<RunId>,
    pub(super) errors: Vec<anyhow::Error>,
    sampled: Sampled,
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

impl Drawing {
    /// With an engine that has this model loaded, and a history if the runs are kept.
    pub(super) fn new(
        engine: Engine,
        (profile, device, load_secs): (ModelProfile, String, f64),
        metadata: bool,
        as_json: bool,
        history: Option<History>,
    ) -> anyhow::Result<Self> {
        engine.send(Command::KeepRuns(history.clone()))?;
        Ok(Self { engine, profile, device, load_secs, metadata, as_json, history })
    }

    /// Loads another model, until `cancel` stops it.
    pub(super) fn load(
        &mut self,
        model: ModelSource,
        cancel: &CancelToken,
        output: &mut Output,
    ) -> anyhow::Result<()> {
        (self.profile, self.device, self.load_secs) = run::load_stoppable(&self.engine, model, cancel)?;
        self.profile.remarks.iter().for_each(|remark| output.notice(remark));
        Ok(())
    }

    /// Draws one picture and writes it with its latent, which is written before it is decoded. Returns all errors.
    pub(super) fn draw(
        &self,
        job: JobId,
        drawn: Drawn,
        paths: &Paths,
        output: &mut Output,
    ) -> Vec<anyhow::Error> {
        let seed = drawn.request.seed;
        let path = &paths.picture.path;
        let mut taken = self.take(job, drawn, paths.latent.as_deref(), path, &CancelToken::new(), output);
        let Some(picture) = taken.picture.take() else { return taken.errors };
        let options = WriteOptions { metadata: self.metadata, ..WriteOptions::default() };
        if let Err(error) = paths.picture.write(&picture, Some(&taken.facts), options) {
            let error = self.keep_latent(error.into(), &mut taken.sampled, &taken.facts, path);
            taken.errors.push(error);
            return taken.errors;
        }
        let (run, secs) = (taken.run, taken.secs);
        taken.errors.extend(run.as_ref().and_then(|run| self.check_kept(run).err()));
        if self.as_json {
            output.json(&json!({
                "output": output::text(path), "latent": taken.sampled.file.as_deref().map(output::text),
                "seed": seed.0, "width": picture.width(), "height": picture.height(),
                "model": self.profile.name, "device": self.device, "load_secs": self.load_secs, "secs": secs,
                "run": run.as_ref().map(RunId::as_str),
            }));
        } else {
            let kept = run.map(|run| format!("; kept as {run}")).unwrap_or_default();
            output::remark(&format!("{} (seed {seed}, {secs:.1} s{kept})", path.display()));
        }
        taken.errors
    }

    /// Draws one picture without writing it. Its latent is written to `latent` before it is decoded; if it cannot be
    /// decoded, it is written beside `near`, a file of the command.
    pub(super) fn take(
        &self,
        job: JobId,
        drawn: Drawn,
        latent: Option<&Path>,
        near: &Path,
        cancel: &CancelToken,
        output: &mut Output,
    ) -> Taken {
        let Drawn { request, continues, keep } = drawn;
        let facts = match &continues {
            Some(run) => {
                let parts = run.clone().parts_with(&request);
                GenerationFacts::of_parts(&request, &parts, &self.profile.name)
            }
            None => GenerationFacts::of_request(&request, &self.profile.name),
        };
        let mut errors = Vec::new();
        let mut sampled = Sampled::default();
        let continues = continues.map(Box::new);
        let kind = JobKind::Generate { request: Box::new(request), continues, keep };
        let (mut notices, mut run) = (Vec::new(), None);
        let end = run::run_stoppable(&self.engine, job, kind, cancel, |event| match event {
            Event::Remarks { remarks, .. } => notices.extend(remarks.iter().cloned()),
            Event::RunKept { run: id, .. } => run = Some(id.clone()),
            Event::RunNotKept { why, .. } => errors.push(anyhow!("the run is not kept: {why}")),
            Event::Sampled { latent: sample, trajectory, finished_early, .. } => {
                sampled.latent = Some(sample.clone());
                sampled.reached = finished_early.then_some(trajectory.steps.len());
                if let Some(path) = latent {
                    match self.write_latent(path, &facts, &sampled) {
                        Ok(()) => sampled.file = Some(path.to_owned()),
                        Err(error) => errors.push(self.keep_latent(error, &mut sampled, &facts, near)),
                    }
                }
            }
            _ => {}
        });
        for remark in &notices {
            output.notice(remark);
        }
        let (mut picture, mut secs) = (None, 0.0);
        match end {
            Ok(Event::Decoded { picture: decoded, notice, elapsed_secs, .. }) => {
                if let Some(notice) = notice {
                    output.notice(&notice);
                }
                (picture, secs) = (Some(decoded), elapsed_secs);
            }
            Ok(Event::Cancelled { .. }) => errors.push(anyhow!("stopped")),
            Ok(other) => errors.push(anyhow!("the engine answered unexpectedly: {other:?}")),
            Err(error) => errors.push(self.keep_latent(error, &mut sampled, &facts, near)),
        }
        Taken { picture, facts, secs, run, errors, sampled }
    }

    /// Waits until a run is on the disk, and checks that it is there completely.
    pub(super) fn check_kept(&self, run: &RunId) -> anyhow::Result<()> {
        let Some(history) = &self.history else { return Ok(()) };
        history.finish();
        let record = history.read(run)?;
        if record.status != RunStatus::Finished || record.steps_kept < record.steps_done {
            bail!(
                "the run is not kept completely, {} of its {} steps are; the picture is written all the same: {}",
                record.steps_kept,
                record.steps_done,
                output::text(&history.folder(run))
            );
        }
        Ok(())
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
            generation: self.metadata.then(|| generation.clone()),
            ..LatentFacts::default()
        };
        uninterrupted(|| write_latent(path, &format.vae_from_model(latent), &facts))?;
        Ok(())
    }
}
