//! Starting the engine and running one job to its end.

use anyhow::{Context as _, bail};

use super::arguments::EngineArguments;
use super::output;
use crate::catalog::ModelProfile;
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
    mut watch: impl FnMut(&Event),
) -> anyhow::Result<Event> {
    let bar = output::progress();
    let loads_only = matches!(kind, JobKind::LoadModel { .. });
    engine.send(Command::Run(Job { id, cancel: CancelToken::new(), kind }))?;
    loop {
        let event = engine.next_event().context("the engine has ended")?;
        watch(&event);
        match event {
            Event::StageChanged { stage, .. } => bar.set_message(stage_name(&stage)),
            Event::StepFinished { step, .. } => {
                bar.set_length(step.steps as u64);
                bar.set_position(step.step as u64);
            }
            Event::Failed { failure, .. } => {
                bar.finish_and_clear();
                return Err(failure.into());
            }
            Event::Cancelled { .. } => bail!("stopped"),
            Event::ModelLoaded { .. } if loads_only => return Ok(event),
            Event::Decoded { .. } | Event::Encoded { .. } => {
                bar.finish_and_clear();
                return Ok(event);
            }
            Event::ModelLoaded { .. }
            | Event::Remarks { .. }
            | Event::Sampled { .. }
            | Event::PreviewFitted { .. }
            | Event::PromptMeasured { .. }
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

/// Loads the model. Returns its profile, the name of its device and the loading time in seconds.
pub(super) fn load(
    engine: &Engine,
    arguments: &EngineArguments,
) -> anyhow::Result<(ModelProfile, String, f64)> {
    let kind = JobKind::LoadModel { model: arguments.source()? };
    match run_job(engine, JobId(0), kind, |_| {})? {
        Event::ModelLoaded { profile, device, elapsed_secs, .. } => {
            Ok(((*profile).clone(), device, elapsed_secs))
        }
        other => bail!("the engine answered unexpectedly: {other:?}"),
    }
}
