//! The engine's protocol: order of events, stops, failures, panics, slow clients.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic and print")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use safelight::catalog::{
    GuidanceKind, ImageSize, ModelDefaults, ModelProfile, ModelSource, PredictionType, SamplerKind,
    StepLimits,
};
use safelight::diffusion::{Branch, DenoisingNetwork, DiffusionError, Prediction, SchedulerConfig};
use safelight::engine::{Command, Engine, EngineSettings, Event, Job, JobId, JobKind, ModelHost, Stage};
use safelight::latent::{Latent, LatentFormat, LatentShape, first_non_finite};
use safelight::models::{
    Conditioning, DecodedPicture, Encoded, LatentDiffusionModel, ModelError, ModelSettings, Progress,
};
use safelight::projection::PreviewFit;
use safelight::request::{
    CancelToken, DecodeChoice, GenerationDraft, GenerationRequest, InitImage, Picture, Seed, TileChoice,
};
use safelight::weights::WeightError;

fn profile() -> ModelProfile {
    ModelProfile {
        source: ModelSource::Builtin,
        name: "Fake".into(),
        family: "Stable Diffusion 1",
        format: LatentFormat::STABLE_DIFFUSION,
        prediction: PredictionType::V,
        size_multiple: 8,
        defaults: ModelDefaults {
            size: ImageSize::new(64, 64),
            steps: 5,
            guidance_scale: 2.0,
            sampler: SamplerKind::Euler,
        },
        guidance: GuidanceKind::ClassifierFree,
        step_limits: StepLimits::default(),
        remarks: Vec::new(),
        added_tokens: Vec::new(),
        parameters: 1,
        vae_hash: "fake".into(),
    }
}

/// A model whose behaviour the prompt chooses, whose network looks at the stop switch as real ones do.
struct FakeModel {
    profile: ModelProfile,
    config: SchedulerConfig,
    calls: Arc<AtomicUsize>,
}

struct FakeNetwork<'a> {
    behaviour: String,
    cancel: &'a CancelToken,
    calls: Arc<AtomicUsize>,
}

impl DenoisingNetwork for FakeNetwork<'_> {
    fn predict(&mut self, noisy: &Latent, _: f64, branch: Branch) -> Result<Prediction, DiffusionError> {
        let calls = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        assert!(self.behaviour != "panic", "a fault of the fake");
        assert!(self.behaviour != "panic late" || calls < 4, "a late fault of the fake");
        if self.behaviour == "endless" {
            while !self.cancel.is_stopped() {
                std::thread::sleep(Duration::from_millis(1));
            }
            return Err(DiffusionError::Cancelled);
        }
        if self.behaviour == "slow" {
            std::thread::sleep(Duration::from_millis(20));
        }
        let factor = if self.behaviour == "nan" && calls == 2 { f32::NAN } else { 0.1 };
        let conditional = noisy.map(|_, value| factor * value);
        let negative = (branch == Branch::Both).then(|| conditional.clone());
        Ok(Prediction { conditional, negative })
    }
}

impl LatentDiffusionModel for FakeModel {
    fn profile(&self) -> &ModelProfile {
        &self.profile
    }
    fn device_name(&self) -> String {
        "Fake".into()
    }
    fn computes_in_halves(&self) -> bool {
        false
    }
    fn scheduler_config(&self) -> &SchedulerConfig {
        &self.config
    }
    fn check_memory(&self, latent: LatentShape, _: usize) -> Result<(), ModelError> {
        if latent.height < 64 {
            Ok(())
        } else {
            Err(ModelError::TooLittleMemory { what: "it".into(), needed: 2, available: 1 })
        }
    }
    fn condition<'a>(
        &'a mut self,
        conditioning: &Conditioning,
        cancel: &'a CancelToken,
    ) -> Result<Box<dyn DenoisingNetwork + 'a>, ModelError> {
        self.calls.store(0, Ordering::SeqCst);
        Ok(Box::new(FakeNetwork {
            behaviour: conditioning.prompt.clone(),
            cancel,
            calls: Arc::clone(&self.calls),
        }))
    }
    fn decode(
        &self,
        latent: &Latent,
        how: DecodeChoice,
        _: &CancelToken,
    ) -> Result<DecodedPicture, ModelError> {
        if first_non_finite(latent).is_some() {
            return Err(ModelError::NotANumber);
        }
        let (w, h) = self.profile.format.image_size_px(latent.shape());
        let notice = (how != DecodeChoice::default()).then(|| format!("{how:?}"));
        Ok(DecodedPicture { picture: Picture::new(w, h, vec![7; w * h * 3]).unwrap(), notice })
    }
    fn encode(&self, picture: &Picture, _: &CancelToken) -> Result<Encoded, ModelError> {
        let latent = Latent::zeros(self.profile.format.latent_shape(picture.width(), picture.height()));
        Ok(Encoded { mean: latent.clone(), log_variance: latent })
    }
}

struct FakeHost(Arc<AtomicUsize>);

impl ModelHost for FakeHost {
    fn load(
        &mut self,
        choice: &ModelSource,
        _: ModelSettings,
        progress: &mut Progress<'_>,
        _: &CancelToken,
    ) -> Result<Box<dyn LatentDiffusionModel>, ModelError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        progress("unet", 0, 1);
        match choice {
            ModelSource::Builtin => Ok(Box::new(FakeModel {
                profile: profile(),
                config: SchedulerConfig::default(),
                calls: Arc::default(),
            })),
            ModelSource::Folder(folder) if folder.ends_with("panics") => panic!("the files are bad"),
            ModelSource::Folder(folder) => {
                Err(WeightError::Damaged { reason: "the file is too short".into(), path: folder.clone() }
                    .into())
            }
        }
    }
}

fn engine() -> (Engine, Arc<AtomicUsize>) {
    let loads = Arc::new(AtomicUsize::new(0));
    let host = Box::new(FakeHost(Arc::clone(&loads)));
    (Engine::start_with(host, EngineSettings::default(), || {}).unwrap(), loads)
}

fn request(behaviour: &str, change: impl FnOnce(&mut GenerationDraft)) -> Box<GenerationRequest> {
    let mut draft = GenerationDraft::new(&profile());
    draft.prompt = behaviour.into();
    draft.seed = Seed(3);
    change(&mut draft);
    Box::new(draft.validate(&profile()).unwrap())
}

fn generate(engine: &Engine, id: u64, behaviour: &str) -> CancelToken {
    let cancel = CancelToken::new();
    let request = request(behaviour, |_| {});
    engine
        .send(Command::Run(Job {
            id: JobId(id),
            cancel: cancel.clone(),
            kind: JobKind::Generate { request },
        }))
        .unwrap();
    cancel
}

fn name(event: &Event) -> String {
    match event {
        Event::ModelLoaded { .. } => "loaded".into(),
        Event::StageChanged { stage: Stage::Loading { .. }, .. } => "loading".into(),
        Event::StageChanged { stage, .. } => format!("{stage:?}"),
        Event::Remarks { remarks, .. } => format!("remarks {}", remarks.len()),
        Event::StepFinished { step, .. } => format!("step {}", step.step),
        Event::Sampled { trajectory, finished_early, .. } => {
            format!("sampled {}{}", trajectory.steps.len(), if *finished_early { " early" } else { "" })
        }
        Event::Decoded { picture, notice, .. } => {
            format!("decoded {}{}", picture.width(), notice.as_deref().unwrap_or_default())
        }
        Event::Encoded { .. } => "encoded".into(),
        Event::Failed { failure, .. } => format!("failed: {failure}"),
        Event::Cancelled { .. } => "cancelled".into(),
        Event::PreviewFitted { .. } => "fitted".into(),
        Event::Restarted { .. } => "restarted".into(),
    }
}

/// The names of events up to and with the first that ends a job.
fn until_end(engine: &Engine) -> Vec<String> {
    let mut names = Vec::new();
    loop {
        let event = engine.next_event().expect("the engine lives");
        names.push(name(&event));
        if matches!(
            event,
            Event::Decoded { .. } | Event::Encoded { .. } | Event::Failed { .. } | Event::Cancelled { .. }
        ) {
            return names;
        }
    }
}

#[test]
fn a_picture_s_events_come_in_order() {
    let (engine, loads) = engine();
    generate(&engine, 1, "a fox");
    let mut expected = vec!["loading", "loaded", "EncodingPrompt", "Sampling"];
    expected.extend([
        "step 1",
        "step 2",
        "step 3",
        "step 4",
        "step 5",
        "sampled 5",
        "Decoding",
        "decoded 64",
    ]);
    assert_eq!(until_end(&engine), expected);
    generate(&engine, 2, "a fox");
    assert_eq!(until_end(&engine), expected[2..], "the model is kept");
    assert_eq!(loads.load(Ordering::SeqCst), 1);
}

#[test]
fn image_to_image_encodes_first_and_takes_fewer_steps() {
    let (engine, _) = engine();
    let picture = Picture::new(30, 20, vec![9; 1800]).unwrap();
    let request = request("a fox", |draft| draft.init_image = Some(InitImage { picture, strength: 0.6 }));
    engine
        .send(Command::Run(Job {
            id: JobId(1),
            cancel: CancelToken::new(),
            kind: JobKind::Generate { request },
        }))
        .unwrap();
    let names = until_end(&engine);
    assert_eq!(names[2], "EncodingPicture");
    assert!(names.contains(&"sampled 3".to_owned()), "{names:?}");
}

#[test]
fn a_stop_inside_the_network_ends_the_job_without_a_result() {
    let (engine, _) = engine();
    let cancel = generate(&engine, 1, "endless");
    std::thread::sleep(Duration::from_millis(50));
    let clock = Instant::now();
    cancel.stop();
    assert_eq!(until_end(&engine).last().unwrap(), "cancelled");
    // A block of the fake takes a millisecond; a second is a loaded machine's patience.
    assert!(clock.elapsed() < Duration::from_secs(1));
    generate(&engine, 2, "a fox");
    assert_eq!(until_end(&engine).last().unwrap(), "decoded 64");
}

#[test]
fn finishing_decodes_the_present_estimate() {
    let (engine, _) = engine();
    let cancel = generate(&engine, 1, "slow");
    loop {
        if matches!(engine.next_event().unwrap(), Event::StepFinished { step, .. } if step.step == 2) {
            break;
        }
    }
    cancel.finish();
    let names = until_end(&engine);
    assert!(names.iter().any(|n| n.starts_with("sampled") && n.ends_with("early")), "{names:?}");
    assert_eq!(names.last().unwrap(), "decoded 64");
}

#[test]
fn a_failed_load_says_why_and_the_engine_goes_on() {
    let (engine, _) = engine();
    let model = ModelSource::Folder(PathBuf::from("/models/broken"));
    engine
        .send(Command::Run(Job {
            id: JobId(1),
            cancel: CancelToken::new(),
            kind: JobKind::LoadModel { model },
        }))
        .unwrap();
    let failed = until_end(&engine).pop().unwrap();
    assert!(failed.contains("too short") && failed.contains("/models/broken"), "{failed}");
    generate(&engine, 2, "a fox");
    assert_eq!(until_end(&engine).last().unwrap(), "decoded 64");
}

#[test]
fn a_model_that_is_open_is_ready_at_once_when_it_is_opened_again() {
    let (engine, loads) = engine();
    for id in 1..=3 {
        let (model, cancel) = (ModelSource::Builtin, CancelToken::new());
        engine.send(Command::Run(Job { id: JobId(id), cancel, kind: JobKind::LoadModel { model } })).unwrap();
        let answer = loop {
            match engine.next_event().unwrap() {
                Event::StageChanged { .. } => {}
                event => break event,
            }
        };
        assert!(matches!(answer, Event::ModelLoaded { job, .. } if job == JobId(id)), "{answer:?}");
    }
    assert_eq!(loads.load(Ordering::SeqCst), 1);
}

#[test]
fn a_load_that_panics_is_a_failed_load_and_nothing_starts_again() {
    let (engine, loads) = engine();
    let panics = || ModelSource::Folder(PathBuf::from("/models/panics"));
    let load = |id, model| {
        engine.send(Command::Run(Job {
            id: JobId(id),
            cancel: CancelToken::new(),
            kind: JobKind::LoadModel { model },
        }))
    };
    load(1, panics()).unwrap();
    let names = until_end(&engine);
    let failed = names.last().unwrap();
    assert!(
        failed.starts_with("failed: The model could not be loaded") && failed.contains("engine.rs"),
        "{failed}"
    );
    // No restart comes before the answer to the next command.
    load(2, ModelSource::Builtin).unwrap();
    assert_eq!([0; 2].map(|_| name(&engine.next_event().unwrap())), ["loading", "loaded"]);
    assert_eq!(loads.load(Ordering::SeqCst), 2);
}

#[test]
fn a_job_that_was_stopped_before_its_turn_does_nothing() {
    let (engine, loads) = engine();
    let cancel = CancelToken::new();
    cancel.stop();
    let (model, picture) = (ModelSource::Builtin, Picture::new(64, 64, vec![9; 64 * 64 * 3]).unwrap());
    let latent = Latent::zeros(LatentFormat::STABLE_DIFFUSION.latent_shape(64, 64));
    let how = DecodeChoice::default();
    for command in [
        Command::Run(Job {
            id: JobId(1),
            cancel: cancel.clone(),
            kind: JobKind::LoadModel { model: model.clone() },
        }),
        Command::Run(Job {
            id: JobId(2),
            cancel: cancel.clone(),
            kind: JobKind::Encode { model: model.clone(), picture },
        }),
        Command::Run(Job {
            id: JobId(3),
            cancel: cancel.clone(),
            kind: JobKind::Decode { model, latent, how },
        }),
        Command::Run(Job {
            id: JobId(4),
            cancel,
            kind: JobKind::Generate { request: request("a fox", |_| {}) },
        }),
    ] {
        engine.send(command).unwrap();
        assert_eq!(until_end(&engine), ["cancelled"]);
    }
    assert_eq!(loads.load(Ordering::SeqCst), 0);
}

#[test]
fn values_that_are_no_numbers_fail_with_the_step_and_leave_what_was_reached() {
    let (engine, _) = engine();
    generate(&engine, 1, "nan");
    let names = until_end(&engine);
    let [.., sampled, failed] = &names[..] else { panic!("{names:?}") };
    assert_eq!(sampled, "sampled 1 early");
    assert!(failed.contains("step 2 of 5"), "{failed}");
}

#[test]
fn a_picture_that_memory_cannot_hold_is_refused_before_anything_is_done() {
    let (engine, _) = engine();
    let request = request("a fox", |draft| draft.size = ImageSize::new(64, 1024));
    engine
        .send(Command::Run(Job {
            id: JobId(1),
            cancel: CancelToken::new(),
            kind: JobKind::Generate { request },
        }))
        .unwrap();
    let names = until_end(&engine);
    assert_eq!(names[..2], ["loading", "loaded"]);
    assert!(names[2].contains("memory") && names[2].contains("choose a smaller picture"), "{names:?}");
}

#[test]
fn a_panic_on_the_way_leaves_what_was_reached() {
    let (engine, _) = engine();
    generate(&engine, 1, "panic late");
    let names = until_end(&engine);
    let [.., sampled, failed] = &names[..] else { panic!("{names:?}") };
    assert_eq!(sampled, "sampled 3 early");
    assert!(failed.contains("a late fault of the fake"), "{failed}");
    assert_eq!(name(&engine.next_event().unwrap()), "restarted");
}

#[test]
fn a_panic_loses_the_job_and_not_the_engine() {
    let (engine, loads) = engine();
    generate(&engine, 1, "panic");
    let failed = until_end(&engine).pop().unwrap();
    assert!(failed.contains("a fault of the fake"), "{failed}");
    assert_eq!(name(&engine.next_event().unwrap()), "restarted");
    generate(&engine, 2, "a fox");
    assert_eq!(until_end(&engine).last().unwrap(), "decoded 64");
    assert_eq!(loads.load(Ordering::SeqCst), 2, "the model is loaded anew");
}

#[test]
fn dropping_a_busy_engine_does_not_wait_for_the_job() {
    let (engine, _) = engine();
    generate(&engine, 1, "endless");
    generate(&engine, 2, "endless");
    std::thread::sleep(Duration::from_millis(50));
    let clock = Instant::now();
    drop(engine);
    assert!(clock.elapsed() < Duration::from_secs(1));
}

#[test]
fn a_slow_client_loses_previews_and_nothing_else() {
    let (engine, _) = engine();
    for id in 0..50 {
        generate(&engine, id, "a fox");
    }
    std::thread::sleep(Duration::from_millis(300));
    let mut ends = 0;
    while ends < 50 {
        let names = until_end(&engine);
        assert!(names.contains(&"sampled 5".to_owned()), "{names:?}");
        ends += 1;
    }
}

#[test]
fn encode_and_decode_are_jobs_too() {
    let (engine, _) = engine();
    let picture = Picture::new(64, 64, vec![9; 64 * 64 * 3]).unwrap();
    let (model, cancel) = (ModelSource::Builtin, CancelToken::new());
    engine
        .send(Command::Run(Job {
            id: JobId(1),
            cancel: cancel.clone(),
            kind: JobKind::Encode { model: model.clone(), picture },
        }))
        .unwrap();
    assert_eq!(until_end(&engine).last().unwrap(), "encoded");
    let latent = Latent::zeros(LatentFormat::STABLE_DIFFUSION.latent_shape(64, 64));
    let how = DecodeChoice { tiles: Some(TileChoice::Always), in_f32: true };
    engine
        .send(Command::Run(Job { id: JobId(2), cancel, kind: JobKind::Decode { model, latent, how } }))
        .unwrap();
    assert_eq!(until_end(&engine).last().unwrap(), &format!("decoded 64{how:?}"), "as it was asked for");
}

/// The events of a fit of the built-in model's previews, and the fit.
fn fit_builtin(engine: &Engine, folder: &Path, may_compute: bool) -> (Vec<String>, Option<Arc<PreviewFit>>) {
    let load = Command::Run(Job {
        id: JobId(1),
        cancel: CancelToken::new(),
        kind: JobKind::LoadModel { model: ModelSource::Builtin },
    });
    engine.send(load).unwrap();
    let (model, folder, cancel) = (ModelSource::Builtin, Some(folder.to_owned()), CancelToken::new());
    engine
        .send(Command::Run(Job {
            id: JobId(2),
            cancel,
            kind: JobKind::FitPreview { model, folder, may_compute },
        }))
        .unwrap();
    let mut names = Vec::new();
    loop {
        let event = engine.next_event().expect("the engine lives");
        names.push(name(&event));
        match event {
            Event::PreviewFitted { fit, .. } => return (names, Some(fit)),
            Event::Cancelled { .. } | Event::Failed { .. } => return (names, None),
            _ => {}
        }
    }
}

#[test]
fn previews_fitted_to_a_vae_beat_its_linear_map_are_kept_and_learn_from_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let start = || Engine::start(EngineSettings::default(), || {}).unwrap();
    let engine = start();
    let (names, none) = fit_builtin(&engine, folder.path(), false);
    assert!(none.is_none() && names.last().is_some_and(|n| n == "cancelled"), "{names:?}");
    let (names, fit) = fit_builtin(&engine, folder.path(), true);
    let fit = fit.unwrap();
    assert!(names.iter().any(|n| n.starts_with("FittingPreview")), "{names:?}");
    println!("linear {:?}, patch {:?}", fit.linear_quality, fit.patch_quality);
    assert!(fit.patch_is_better() && fit.patch_quality.ssim > fit.linear_quality.ssim);
    drop(engine);

    let engine = start();
    let (names, again) = fit_builtin(&engine, folder.path(), false);
    assert!(!names.iter().any(|n| n.starts_with("FittingPreview")), "it was kept: {names:?}");
    assert_eq!(again.unwrap(), fit);
    let profile = safelight::models::profile(&ModelSource::Builtin).unwrap();
    let mut draft = GenerationDraft::new(&profile);
    (draft.prompt, draft.steps) = ("green hills".into(), 2);
    let request = Box::new(draft.validate(&profile).unwrap());
    engine
        .send(Command::Run(Job {
            id: JobId(3),
            cancel: CancelToken::new(),
            kind: JobKind::Generate { request },
        }))
        .unwrap();
    loop {
        if let Event::PreviewFitted { fit: learned, .. } = engine.next_event().expect("the engine lives") {
            assert_ne!(learned.patch, fit.patch, "a picture's rows were added");
            break;
        }
    }
}

#[test]
fn a_fit_stops_when_it_is_told_to() {
    let (engine, _) = engine();
    generate(&engine, 1, "");
    until_end(&engine);
    let cancel = CancelToken::new();
    cancel.stop();
    let model = ModelSource::Builtin;
    engine
        .send(Command::Run(Job {
            id: JobId(2),
            cancel,
            kind: JobKind::FitPreview { model, folder: None, may_compute: true },
        }))
        .unwrap();
    assert_eq!(until_end(&engine).last().unwrap(), "cancelled");
}
