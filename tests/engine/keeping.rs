//! Runs of the built-in model that the history keeps, or cannot.

use std::path::Path;

use safelight::catalog::{ImageSize, ModelSource};
use safelight::engine::{Command, Engine, EngineSettings, Event, JobKind, KeepRun};
use safelight::latent::Latent;
use safelight::models;
use safelight::request::{GenerationDraft, GenerationRequest, Picture, Seed};
use safelight::store::history::{History, RunId, RunStatus};

use crate::fake::{run, run_with};

fn request() -> GenerationRequest {
    let profile = models::profile(&ModelSource::Builtin).unwrap();
    let draft = GenerationDraft {
        prompt: "a red cube on the sand".into(),
        size: ImageSize::new(64, 64),
        seed: Seed(11),
        steps: 6,
        ..GenerationDraft::new(&profile)
    };
    draft.validate(&profile).unwrap()
}

pub(crate) fn keeping_in(root: &Path) -> (Engine, History) {
    let (engine, history) =
        (Engine::start(EngineSettings::default(), || {}).unwrap(), History::open(root.to_owned()));
    engine.send(Command::KeepRuns(Some(history.clone()))).unwrap();
    (engine, history)
}

pub(crate) fn generate(keep: KeepRun) -> JobKind {
    JobKind::Generate { request: Box::new(request()), continues: None, keep }
}

/// What the client heard of a run.
#[derive(Default)]
struct Heard {
    run: Option<RunId>,
    latent: Option<Latent>,
    picture: Option<Picture>,
    not_kept: Vec<String>,
}

/// Runs a job and one that follows it, before which everything of the first is heard.
fn heard(engine: &Engine, kind: JobKind, on_kept: impl Fn(&RunId)) -> Heard {
    run(engine, 1, kind);
    let model = ModelSource::Builtin;
    run(engine, 2, JobKind::MeasurePrompt { model, prompt: "over".into() });
    let mut heard = Heard::default();
    loop {
        match engine.next_event().unwrap() {
            Event::RunKept { run, .. } => {
                on_kept(&run);
                heard.run = Some(run);
            }
            Event::RunNotKept { why, .. } => heard.not_kept.push(why.to_string()),
            Event::Sampled { latent, .. } => heard.latent = Some(latent),
            Event::Decoded { picture, .. } => heard.picture = Some(picture),
            Event::Failed { failure, .. } => panic!("{failure}"),
            Event::PromptMeasured { .. } => return heard,
            _ => {}
        }
    }
}

#[test]
fn what_the_client_takes_for_kept_is_on_the_disk() {
    let root = tempfile::tempdir().unwrap();
    let (engine, history) = keeping_in(root.path());
    let done = heard(&engine, generate(KeepRun::New), |_| {});
    assert_eq!(done.not_kept, [""; 0]);
    let run = done.run.unwrap();
    let record = history.read(&run).unwrap();
    assert_eq!((record.status, record.steps_kept), (RunStatus::Finished, 6));
    assert_eq!(history.final_latent(&run).unwrap(), done.latent, "to the bit");
    assert_eq!(history.picture(&run).unwrap(), done.picture);
    let done = heard(&engine, generate(KeepRun::No), |_| {});
    assert!(done.run.is_none() && done.picture.is_some());
    assert_eq!(history.runs().unwrap().runs.len(), 1);
}

#[test]
fn a_run_that_cannot_be_kept_is_drawn_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a file in the place of the folder");
    std::fs::write(&file, b"").unwrap();
    let (engine, _history) = keeping_in(&file);
    let done = heard(&engine, generate(KeepRun::New), |_| {});
    assert!(done.run.is_none() && done.picture.is_some());
    assert_eq!(done.not_kept.len(), 1, "{:?}", done.not_kept);
}

#[test]
fn a_folder_that_goes_away_during_a_run_is_said_once_it_ends() {
    let root = tempfile::tempdir().unwrap();
    let (engine, history) = keeping_in(root.path());
    let take_away = |run: &RunId| {
        // The writer may be making files in it.
        while history.folder(run).exists() {
            let _ = std::fs::remove_dir_all(history.folder(run));
        }
    };
    let done = heard(&engine, generate(KeepRun::New), take_away);
    assert!(done.run.is_some() && done.picture.is_some());
    assert_eq!(done.not_kept.len(), 1, "{:?}", done.not_kept);
}

#[test]
fn a_stopped_run_is_kept_as_one_with_its_steps() {
    let root = tempfile::tempdir().unwrap();
    let (engine, history) = keeping_in(root.path());
    let cancel = safelight::request::CancelToken::new();
    run_with(&engine, 1, &cancel, generate(KeepRun::New));
    let mut kept = None;
    loop {
        match engine.next_event().unwrap() {
            Event::RunKept { run, .. } => kept = Some(run),
            Event::StepFinished { step, .. } if step.step == 2 => cancel.stop(),
            Event::Cancelled { .. } | Event::Decoded { .. } => break,
            _ => {}
        }
    }
    let record = history.read(&kept.unwrap()).unwrap();
    assert!(matches!(record.status, RunStatus::Stopped | RunStatus::Finished), "{:?}", record.status);
    assert!(record.steps_kept >= 2 && history.steps(&record.id).unwrap().len() == record.steps_kept);
}
