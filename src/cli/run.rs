//! Starting the engine and running one job to its end.

use anyhow::{Context as _, bail};

use super::engine_arguments::EngineArguments;
use super::output;
use crate::catalog::{ModelProfile, ModelSource};
use crate::engine::{Command, Engine, EngineSettings, Event, Job, JobId, JobKind, Stage};
use crate::request::CancelToken;

/// Starts an engine with the settings of the arguments.
pub(super) fn start(arguments: &EngineArguments) -> anyhow::Result<Engine> {
    start_with(arguments.settings())
}

/// Starts an engine with these settings.
pub(super) fn start_with(settings: EngineSettings) -> anyhow::Result<Engine> {
    Engine::start(settings, || {}).context("the engine's thread could not be started")
}

/// Runs a job to its end with a progress bar. Calls `watch` for every event and returns the final one.
///
/// # Errors
/// A [`Failure`](crate::engine::Failure) if the job failed.
pub(super) fn run_job(
    engine: &Engine,
    id: JobId,
    kind: JobKind,
    watch: impl FnMut(&Event),
) -> anyhow::Result<Event> {
    match run_stoppable(engine, id, kind, &CancelToken::new(), watch)? {
        Event::Cancelled { .. } => bail!("stopped"),
        event => Ok(event),
    }
}

/// As [`run_job`], with a token by which `watch` may end it: its last event is then [`Event::Cancelled`].
///
/// # Errors
/// A [`Failure`](crate::engine::Failure) if the job failed.
pub(super) fn run_stoppable(
    engine: &Engine,
    id: JobId,
    kind: JobKind,
    cancel: &CancelToken,
    mut watch: impl FnMut(&Event),
) -> anyhow::Result<Event> {
    let bar = output::progress();
    let loads_only = matches!(kind, JobKind::LoadModel { .. });
    engine.send(Command::Run(Job { id, cancel: cancel.clone(), kind }))?;
    loop {
        let event = engine.next_event().context("the engine has ended")?;
        watch(&event);
        match event {
            Event::StageChanged { stage, .. } => bar.set_message(stage_name(&stage)),
            Event::DeviceRefused { why, .. } => {
                output::warning(&format!("the GPU is not used, and the processor is: {why}"));
            }
            Event::StepFinished { step, .. } => {
                bar.set_length(step.steps as u64);
                bar.set_position(step.step as u64);
            }
            Event::Failed { failure, .. } => {
                bar.finish_and_clear();
                return Err(failure.into());
            }
            Event::ModelLoaded { .. } if loads_only => return Ok(event),
            Event::Decoded { .. }
            | Event::Encoded { .. }
            | Event::RunsFound { .. }
            | Event::Described { .. }
            | Event::Cancelled { .. } => {
                bar.finish_and_clear();
                return Ok(event);
            }
            Event::ModelLoaded { .. }
            | Event::Remarks { .. }
            | Event::Sampled { .. }
            | Event::RunKept { .. }
            | Event::RunNotKept { .. }
            | Event::PreviewFitted { .. }
            | Event::PromptMeasured { .. }
            | Event::SeenInside { .. }
            | Event::LookedInside { .. }
            | Event::TinyDecoderOpened { .. }
            | Event::TinyDecoderMeasured { .. }
            | Event::Restarted { .. } => {}
        }
    }
}

fn stage_name(stage: &Stage) -> String {
    match stage {
        Stage::Loading { part, .. } => format!("loading {part}"),
        Stage::EncodingPrompt => "encoding the prompt".to_owned(),
        Stage::EncodingPicture => "encoding the picture".to_owned(),
        Stage::Sampling => "sampling".to_owned(),
        Stage::Decoding => "decoding".to_owned(),
        Stage::FittingPreview { .. } => "fitting the preview".to_owned(),
    }
}

/// Loads the model of the arguments. Returns its profile, the name of its device and the loading time in seconds.
pub(super) fn load(
    engine: &Engine,
    arguments: &EngineArguments,
) -> anyhow::Result<(ModelProfile, String, f64)> {
    load_source(engine, arguments.source()?)
}

/// Loads a model. Returns its profile, the name of its device and the loading time in seconds.
pub(super) fn load_source(
    engine: &Engine,
    model: ModelSource,
) -> anyhow::Result<(ModelProfile, String, f64)> {
    load_stoppable(engine, model, &CancelToken::new())
}

/// As [`load_source`], with a token by which loading is stopped.
pub(super) fn load_stoppable(
    engine: &Engine,
    model: ModelSource,
    cancel: &CancelToken,
) -> anyhow::Result<(ModelProfile, String, f64)> {
    match run_stoppable(engine, JobId(0), JobKind::LoadModel { model }, cancel, |_| {})? {
        Event::Cancelled { .. } => bail!("stopped"),
        Event::ModelLoaded { profile, device, elapsed_secs, .. } => {
            Ok(((*profile).clone(), device, elapsed_secs))
        }
        other => bail!("the engine answered unexpectedly: {other:?}"),
    }
}
