//! An engine with a fake model, whose behaviour the prompt selects, and names for its events.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use safelight::catalog::{
    GuidanceKind, ImageSize, ModelDefaults, ModelProfile, ModelSource, PredictionType, PromptFeatures,
    SamplerKind, StepLimits,
};
use safelight::diffusion::{Branch, DenoisingNetwork, DiffusionError, Prediction, SchedulerConfig};
use safelight::engine::{
    Command, Engine, EngineSettings, Event, Job, JobId, JobKind, KeepRun, ModelHost, Stage,
};
use safelight::latent::{Latent, LatentFormat, LatentShape, first_non_finite};
use safelight::models::{
    Conditioning, DecodedPicture, Encoded, LatentDiffusionModel, ModelError, ModelSettings, Progress,
};
use safelight::request::{CancelToken, DecodeChoice, GenerationDraft, GenerationRequest, Picture, Seed};
use safelight::weights::WeightError;

pub(crate) fn profile() -> ModelProfile {
    ModelProfile {
        source: ModelSource::Builtin,
        name: "Fake".into(),
        family: "Stable Diffusion 1",
        format: LatentFormat::STABLE_DIFFUSION,
        prediction: PredictionType::V,
        prediction_is_open: false,
        size_multiple: 8,
        defaults: ModelDefaults {
            size: ImageSize::new(64, 64),
            steps: 5,
            guidance_scale: 2.0,
            sampler: SamplerKind::Euler,
        },
        guidance: GuidanceKind::ClassifierFree,
        prompt_features: PromptFeatures::default(),
        step_limits: StepLimits::default(),
        remarks: Vec::new(),
        added_tokens: Vec::new(),
        parameters: 1,
        vae_hash: "fake".into(),
    }
}

/// A model whose behaviour the prompt selects. Its network checks the cancel token as real ones do.
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
            ModelSource::Parts(_) => unreachable!("no test opens one"),
            ModelSource::Folder(folder) => {
                Err(WeightError::Damaged { reason: "the file is too short".into(), path: folder.clone() }
                    .into())
            }
        }
    }
}

pub(crate) fn engine() -> (Engine, Arc<AtomicUsize>) {
    let loads = Arc::new(AtomicUsize::new(0));
    let host = Box::new(FakeHost(Arc::clone(&loads)));
    (Engine::start_with(host, EngineSettings::default(), || {}).unwrap(), loads)
}

pub(crate) fn request(behaviour: &str, change: impl FnOnce(&mut GenerationDraft)) -> Box<GenerationRequest> {
    let mut draft = GenerationDraft::new(&profile());
    draft.prompt = behaviour.into();
    draft.seed = Seed(3);
    change(&mut draft);
    Box::new(draft.validate(&profile()).unwrap())
}

/// Sends a job. Returns its cancel token.
pub(crate) fn run(engine: &Engine, id: u64, kind: JobKind) -> CancelToken {
    let cancel = CancelToken::new();
    run_with(engine, id, &cancel, kind);
    cancel
}

/// Sends a job with this cancel token.
pub(crate) fn run_with(engine: &Engine, id: u64, cancel: &CancelToken, kind: JobKind) {
    engine.send(Command::Run(Job { id: JobId(id), cancel: cancel.clone(), kind })).unwrap();
}

/// Generates a picture with this behaviour of the model.
pub(crate) fn generate(engine: &Engine, id: u64, behaviour: &str) -> CancelToken {
    run(
        engine,
        id,
        JobKind::Generate { request: request(behaviour, |_| {}), continues: None, keep: KeepRun::default() },
    )
}

pub(crate) fn name(event: &Event) -> String {
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
        Event::RunsFound { found, .. } => format!("found {}", found.runs.len()),
        Event::Described { words, .. } => format!("described {words}"),
        Event::Failed { failure, .. } => format!("failed: {failure}"),
        Event::Cancelled { .. } => "cancelled".into(),
        Event::PreviewFitted { .. } => "fitted".into(),
        Event::PromptMeasured { .. } => "measured".into(),
        Event::SeenInside { step, .. } => format!("seen inside {step}"),
        Event::LookedInside { .. } => "looked inside".into(),
        Event::TinyDecoderOpened { network, .. } => {
            format!("tiny decoder opened{}", if network.is_some() { "" } else { ", not for the shader" })
        }
        Event::TinyDecoderMeasured { quality, .. } => {
            format!("tiny decoder {}", if quality.is_some() { "measured" } else { "not measured" })
        }
        Event::Restarted { .. } => "restarted".into(),
        Event::RunKept { .. } => "kept".into(),
        Event::DeviceRefused { why, .. } => format!("refused: {why}"),
        Event::RunNotKept { why, .. } => format!("not kept: {why}"),
    }
}

/// The names of the events up to and including the first that ends a job.
pub(crate) fn until_end(engine: &Engine) -> Vec<String> {
    let mut names = Vec::new();
    loop {
        let event = engine.next_event().expect("the engine lives");
        names.push(name(&event));
        if matches!(
            event,
            Event::Decoded { .. }
                | Event::Encoded { .. }
                | Event::RunsFound { .. }
                | Event::Described { .. }
                | Event::Failed { .. }
                | Event::Cancelled { .. }
        ) {
            return names;
        }
    }
}
