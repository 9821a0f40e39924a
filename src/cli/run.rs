//! Runs one engine job to its end.

use anyhow::{Context as _, bail};
use indicatif::ProgressBar;

use super::arguments::EngineArguments;
use super::output;
use crate::catalog::ModelProfile;
use crate::engine::{Command, Engine, EngineSettings, Event, Job, JobKind, Stage};
use crate::request::CancelToken;

/// Starts an engine with the settings of the arguments.
pub(super) fn start(arguments: &EngineArguments) -> anyhow::Result<Engine> {
    start_with(arguments.settings())
}

/// Starts an engine with these settings.
pub(super) fn start_with(settings: EngineSettings) -> anyhow::Result<Engine> {
    Engine::start(settings, || {}).context("the engine's thread could not be started")
}

/// Sends a command and waits for its last event, which is returned. Calls `watch` for every event.
///
/// # Errors
/// A [`Failure`](crate::engine::Failure) if the job failed.
pub(super) fn to_the_end(
    engine: &Engine,
    command: Command,
    bar: &ProgressBar,
    mut watch: impl FnMut(&Event),
) -> anyhow::Result<Event> {
    let loads_only = matches!(command, Command::Run(Job { kind: JobKind::LoadModel { .. }, .. }));
    engine.send(command)?;
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

/// Loads the model, for its profile.
pub(super) fn load(
    engine: &Engine,
    arguments: &EngineArguments,
) -> anyhow::Result<(ModelProfile, String, f64)> {
    let job = crate::engine::JobId(0);
    let command = Command::Run(Job {
        id: job,
        cancel: CancelToken::new(),
        kind: JobKind::LoadModel { model: arguments.source() },
    });
    match to_the_end(engine, command, &output::progress(), |_| {})? {
        Event::ModelLoaded { profile, device, elapsed_secs, .. } => {
            Ok(((*profile).clone(), device, elapsed_secs))
        }
        other => bail!("the engine answered unexpectedly: {other:?}"),
    }
}
