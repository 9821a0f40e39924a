//! The choice of `auto`, and devices that fail while they compute: a GPU that is the processor, with errors injected.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use safelight::catalog::{ImageSize, ModelSource};
use safelight::engine::{
    Advice, Command, DiskHost, Engine, EngineSettings, Event, Failure, JobKind, KeepRun, Task,
};
use safelight::models::{self, FAMILIES};
use safelight::networks::ops::Operation;
use safelight::reason::{Reason, ReasonKind};
use safelight::request::{DeviceChoice, GenerationDraft, Seed};
use safelight::store::history::{History, RunStatus};

use crate::common::fake_device::{Fault, State, machine_with};
use crate::fake::run;

/// An engine on a machine whose GPU has a fault, with a folder for the verdicts.
fn engine_with(fault: Fault, device: DeviceChoice, folder: &Path) -> (Engine, Arc<State>) {
    let (devices, state) = machine_with(fault);
    (engine_on(devices, device, folder), state)
}

fn engine_on(devices: models::Devices, device: DeviceChoice, folder: &Path) -> Engine {
    let host = DiskHost::on(FAMILIES, devices, Some(folder.to_owned()));
    let settings = EngineSettings { device, threads: Some(2), ..EngineSettings::default() };
    Engine::start_with(Box::new(host), settings, || {}).unwrap()
}

fn generate() -> JobKind {
    let profile = models::profile(&ModelSource::Builtin).unwrap();
    let draft = GenerationDraft {
        prompt: "a red cube on the sand".into(),
        size: ImageSize::new(64, 64),
        seed: Seed(11),
        steps: 4,
        ..GenerationDraft::new(&profile)
    };
    let request = Box::new(draft.validate(&profile).unwrap());
    JobKind::Generate { request, continues: None, keep: KeepRun::New }
}

/// What the client heard of a job.
#[derive(Debug, Default)]
struct Heard {
    refused: Vec<Reason>,
    device: Option<String>,
    steps_sampled: Option<usize>,
    has_picture: bool,
    failure: Option<Failure>,
}

fn heard(engine: &Engine, id: u64, kind: JobKind) -> Heard {
    let loads_only = matches!(kind, JobKind::LoadModel { .. });
    run(engine, id, kind);
    let mut heard = Heard::default();
    loop {
        match engine.next_event().unwrap() {
            Event::DeviceRefused { why, .. } => heard.refused.push(why),
            Event::ModelLoaded { device, .. } => {
                heard.device = Some(device);
                if loads_only {
                    return heard;
                }
            }
            Event::Sampled { trajectory, .. } => heard.steps_sampled = Some(trajectory.steps.len()),
            Event::Decoded { .. } => {
                heard.has_picture = true;
                return heard;
            }
            Event::Failed { failure, .. } => {
                heard.failure = Some(failure);
                return heard;
            }
            _ => {}
        }
    }
}

fn load() -> JobKind {
    JobKind::LoadModel { model: ModelSource::Builtin }
}

#[test]
fn auto_chooses_a_gpu_that_passes_and_checks_it_once_for_each_driver() {
    let folder = tempfile::tempdir().unwrap();
    let (devices, state) = machine_with(Fault::None);
    let opened = || state.opened.load(Ordering::SeqCst);
    let device = || heard(&engine_on(devices, DeviceChoice::Auto, folder.path()), 1, load()).device.unwrap();
    assert_eq!(device(), "Fake GPU, f16");
    let with_check = opened();
    assert!(folder.path().join("devices.json").exists());
    // The next start finds the verdict and only opens the device for the model.
    assert_eq!(device(), "Fake GPU, f16");
    assert_eq!(opened(), with_check + 1);
    *state.driver.lock().unwrap() = "581.0".into();
    assert_eq!(device(), "Fake GPU, f16");
    assert_eq!(opened(), with_check + 1 + with_check);
}

#[test]
fn a_gpu_with_wrong_results_is_named_once_and_the_processor_draws() {
    let folder = tempfile::tempdir().unwrap();
    let (devices, state) = machine_with(Fault::Wrong(Operation::Attention));
    let engine = engine_on(devices, DeviceChoice::Auto, folder.path());
    let first = heard(&engine, 1, generate());
    assert_eq!(first.device.as_deref(), Some("Processor, f32"));
    assert!(first.has_picture);
    let [why] = &first.refused[..] else { panic!("{:?}", first.refused) };
    assert_eq!(why.kind(), ReasonKind::DeviceWrong);
    assert_eq!(why.details()[..2], ["Fake GPU", "attention"]);
    assert!(why.english().starts_with("Fake GPU gives wrong results: attention of "), "{why}");
    let again = heard(&engine, 2, generate());
    assert!(again.refused.is_empty() && again.has_picture);
    // The verdict is kept, and the next start says it again without a check.
    let calls = state.calls.load(Ordering::SeqCst);
    let next = heard(&engine_on(devices, DeviceChoice::Auto, folder.path()), 1, load());
    assert_eq!(next.refused, first.refused);
    assert_eq!(state.calls.load(Ordering::SeqCst), calls);
    // The user's own choice is not overruled.
    let chosen = heard(&engine_on(devices, DeviceChoice::Cuda(0), folder.path()), 1, load());
    assert_eq!(chosen.device.as_deref(), Some("Fake GPU, f16"));
    assert!(chosen.refused.is_empty());
}

#[test]
fn a_gpu_that_does_not_open_is_refused_by_auto_and_an_error_when_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, state) = engine_with(Fault::DoesNotOpen, DeviceChoice::Auto, folder.path());
    let auto = heard(&engine, 1, load());
    assert_eq!(auto.device.as_deref(), Some("Processor, f32"));
    assert_eq!(auto.refused.len(), 1);
    assert!(auto.refused[0].english().contains("CUDA_ERROR_NO_DEVICE"), "{}", auto.refused[0]);
    // It may open the next time.
    assert!(!folder.path().join("devices.json").exists());
    drop(state);
    let (engine, _) = engine_with(Fault::DoesNotOpen, DeviceChoice::Cuda(0), folder.path());
    let failure = heard(&engine, 1, load()).failure.unwrap();
    assert_eq!((failure.task, failure.advice), (Task::LoadModel, Some(Advice::OtherDevice)));
    assert_eq!(failure.why.kind(), ReasonKind::DeviceUnusable);
}

/// Calls of the device in a run of four steps.
fn calls_of_a_run(engine: &Engine, state: &State) -> usize {
    state.set(Fault::None);
    assert!(heard(engine, 90, generate()).has_picture);
    state.calls.load(Ordering::SeqCst)
}

#[test]
fn a_device_that_runs_out_of_memory_in_a_run_ends_it_with_its_steps_kept() {
    let folder = tempfile::tempdir().unwrap();
    let history = History::open(folder.path().join("runs"));
    let (engine, state) = engine_with(Fault::None, DeviceChoice::Cuda(0), folder.path());
    engine.send(Command::KeepRuns(Some(history.clone()))).unwrap();
    let calls = calls_of_a_run(&engine, &state);
    // About the middle of the second step and of the third.
    state.set(Fault::OutOfMemory(calls / 2));
    let failed = heard(&engine, 1, generate());
    let failure = failed.failure.unwrap();
    assert_eq!((failure.task, failure.advice), (Task::Sample, Some(Advice::LessDeviceMemory)));
    assert_eq!(failure.why.kind(), ReasonKind::DeviceOutOfMemory);
    let said = failure.to_string();
    assert!(
        said.starts_with(
            "Sampling failed: the device's memory is too short in the unet: CUDA_ERROR_OUT_OF_MEMORY (What was drawn so far is kept."
        ),
        "{said}"
    );
    let steps = failed.steps_sampled.unwrap();
    assert!((1..4).contains(&steps), "{steps}");
    history.finish();
    let kept = history.runs().unwrap().runs;
    let failed = kept.iter().find(|run| matches!(run.status, RunStatus::Failed { .. })).unwrap();
    assert_eq!(failed.steps_kept, steps);
    // The device works again, and the model is still on it.
    let next = heard(&engine, 2, generate());
    assert!(next.has_picture && next.device.is_none());
}

#[test]
fn a_device_that_is_lost_in_a_run_is_not_chosen_again() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, state) = engine_with(Fault::None, DeviceChoice::Auto, folder.path());
    let calls = calls_of_a_run(&engine, &state);
    state.set(Fault::Lost(calls / 2));
    let failed = heard(&engine, 1, generate());
    let failure = failed.failure.unwrap();
    assert_eq!((failure.task, failure.advice), (Task::Sample, Some(Advice::GoOnOnProcessor)));
    assert_eq!(failure.why.kind(), ReasonKind::DeviceLost);
    assert!(failure.to_string().contains("in the unet: CUDA_ERROR_ILLEGAL_ADDRESS"), "{failure}");
    assert!(failed.steps_sampled.is_some_and(|steps| (1..4).contains(&steps)));
    let next = heard(&engine, 2, generate());
    assert_eq!(next.device.as_deref(), Some("Processor, f32"));
    assert!(next.has_picture);
}

#[test]
fn a_decoder_that_runs_out_of_memory_is_run_again_in_tiles() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, state) = engine_with(Fault::None, DeviceChoice::Cuda(0), folder.path());
    let calls = calls_of_a_run(&engine, &state);
    // The decoder's last call.
    state.set(Fault::OutOfMemory(calls));
    let done = heard(&engine, 1, generate());
    assert!(done.has_picture, "{:?}", done.failure);
    assert_eq!(done.steps_sampled, Some(4));
    assert!(state.calls.load(Ordering::SeqCst) > calls + 10);
}
