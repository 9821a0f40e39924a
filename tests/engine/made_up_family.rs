//! A model family that is defined in this file alone is recognised, loaded, sampled, previewed and decoded through the
//! public interfaces.

use safelight::catalog::{
    GuidanceKind, ImageSize, ModelDefaults, ModelProfile, ModelSource, PredictionType, PromptFeatures,
    SamplerKind, StepLimits,
};
use safelight::diffusion::{Branch, DenoisingNetwork, DiffusionError, Prediction, SchedulerConfig};
use safelight::engine::{Command, DiskHost, Engine, EngineSettings, Event, Job, JobId, JobKind, KeepRun};
use safelight::latent::{Latent, LatentFormat, LatentShape};
use safelight::models::{
    Conditioning, DecodedPicture, Encoded, LatentDiffusionModel, MemoryNeed, ModelError, ModelFamily,
    ModelSettings, Progress, family_of,
};
use safelight::projection::RgbProjection;
use safelight::request::{CancelToken, DecodeChoice, GenerationDraft, Picture};
use safelight::store::Checkpoint;

/// Two channels, each latent pixel one pixel of the picture.
const FORMAT: LatentFormat = LatentFormat { channels: 2, downscale: 1, scale: 1.0, shift: 0.0 };

/// A family whose pictures are one grey, which the configuration in the folder sets.
struct Grey;

#[derive(serde::Deserialize)]
struct Config {
    grey: f32,
}

struct GreyModel {
    profile: ModelProfile,
    scheduler: SchedulerConfig,
    grey: f32,
}

impl ModelFamily for Grey {
    fn matches(&self, checkpoint: &Checkpoint) -> bool {
        checkpoint.class_name() == "GreyPipeline"
    }

    fn profile(&self, checkpoint: &Checkpoint) -> Result<ModelProfile, ModelError> {
        Ok(ModelProfile {
            source: checkpoint.source().clone(),
            name: checkpoint.files().name(),
            family: "Grey",
            format: FORMAT,
            prediction: PredictionType::Epsilon,
            prediction_is_open: false,
            size_multiple: 1,
            defaults: ModelDefaults {
                size: ImageSize::new(4, 3),
                steps: 5,
                guidance_scale: 1.0,
                sampler: SamplerKind::Euler,
            },
            guidance: GuidanceKind::None,
            prompt_features: PromptFeatures::default(),
            step_limits: StepLimits::default(),
            remarks: Vec::new(),
            added_tokens: Vec::new(),
            parameters: 1,
            vae_hash: "grey".into(),
        })
    }

    fn memory_need(&self, _: &Checkpoint) -> Result<MemoryNeed, ModelError> {
        Ok(MemoryNeed { together: 4, in_turn: None })
    }

    fn load(
        &self,
        checkpoint: &Checkpoint,
        _: ModelSettings,
        progress: &mut Progress<'_>,
        _: &CancelToken,
    ) -> Result<Box<dyn LatentDiffusionModel>, ModelError> {
        progress("grey", 0, 1);
        let Config { grey } = checkpoint.files().json("grey/config.json")?;
        Ok(Box::new(GreyModel {
            profile: self.profile(checkpoint)?,
            scheduler: SchedulerConfig::default(),
            grey,
        }))
    }
}

impl LatentDiffusionModel for GreyModel {
    fn profile(&self) -> &ModelProfile {
        &self.profile
    }
    fn device_name(&self) -> String {
        "Processor".into()
    }
    fn computes_in_halves(&self) -> bool {
        false
    }
    fn scheduler_config(&self) -> &SchedulerConfig {
        &self.scheduler
    }
    fn check_memory(&self, _: LatentShape, _: usize) -> Result<(), ModelError> {
        Ok(())
    }
    fn condition<'a>(
        &'a mut self,
        _: &Conditioning,
        _: &'a CancelToken,
    ) -> Result<Box<dyn DenoisingNetwork + 'a>, ModelError> {
        Ok(Box::new(GreyNetwork { grey: self.grey, config: &self.scheduler }))
    }
    fn decode(
        &self,
        latent: &Latent,
        _: DecodeChoice,
        _: &CancelToken,
    ) -> Result<DecodedPicture, ModelError> {
        let byte = |v: f32| ((v * 0.5 + 0.5).clamp(0.0, 1.0) * 255.0).round() as u8;
        let rgb = latent.channel(0).iter().flat_map(|v| [byte(*v); 3]).collect::<Vec<_>>();
        let LatentShape { width, height, .. } = latent.shape();
        Ok(DecodedPicture { picture: Picture::new(width, height, rgb).unwrap(), notice: None })
    }
    fn encode(&self, picture: &Picture, _: &CancelToken) -> Result<Encoded, ModelError> {
        let latent = Latent::zeros(FORMAT.latent_shape(picture.width(), picture.height()));
        Ok(Encoded { mean: latent.clone(), log_variance: latent })
    }
}

/// The exact denoiser: every picture is the same grey, so the noise in a latent is known.
struct GreyNetwork<'a> {
    grey: f32,
    config: &'a SchedulerConfig,
}

impl DenoisingNetwork for GreyNetwork<'_> {
    fn predict(&mut self, noisy: &Latent, timestep: f64, _: Branch) -> Result<Prediction, DiffusionError> {
        // The signal's share at a timestep of diffusers' default betas, linear from 0.0001 to 0.02.
        let train = self.config.num_train_timesteps as f64;
        let beta = |t: f64| 0.0001 + (0.02 - 0.0001) * t / (train - 1.0);
        let signal: f64 = (0..=timestep.round() as usize).map(|t| 1.0 - beta(t as f64)).product();
        let (alpha, sigma) = (signal.sqrt() as f32, (1.0 - signal).sqrt() as f32);
        let conditional = noisy.map(|_, v| (v - alpha * self.grey) / sigma);
        Ok(Prediction { conditional, negative: None })
    }
}

static FAMILIES: &[&dyn ModelFamily] = &[&Grey];

#[test]
fn a_family_of_this_file_draws_through_the_public_seams() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("model_index.json"), r#"{"_class_name": "GreyPipeline"}"#).unwrap();
    std::fs::create_dir(folder.path().join("grey")).unwrap();
    std::fs::write(folder.path().join("grey/config.json"), r#"{"grey": 0.25}"#).unwrap();
    let source = ModelSource::Folder(folder.path().to_owned());

    let checkpoint = Checkpoint::open(&source).unwrap();
    let profile = family_of(FAMILIES, &checkpoint).unwrap().profile(&checkpoint).unwrap();
    assert_eq!(profile.family, "Grey");
    let unknown = family_of(safelight::models::FAMILIES, &checkpoint).map(|_| ()).unwrap_err().to_string();
    assert!(unknown.contains("GreyPipeline models are not supported yet"), "{unknown}");

    let engine =
        Engine::start_with(Box::new(DiskHost::new(FAMILIES)), EngineSettings::default(), || {}).unwrap();
    let request = Box::new(GenerationDraft::new(&profile).validate(&profile).unwrap());
    engine
        .send(Command::Run(Job {
            id: JobId(1),
            cancel: CancelToken::new(),
            kind: JobKind::Generate { request, continues: None, keep: KeepRun::default() },
        }))
        .unwrap();
    let (mut steps, mut sampled) = (0, None);
    let picture = loop {
        match engine.next_event().unwrap() {
            Event::StepFinished { step, .. } => {
                steps += 1;
                let preview = RgbProjection::for_format(&profile.format);
                assert_eq!(preview.rgb_from_latent(&step.denoised).len(), 12, "a preview without a table");
            }
            Event::Sampled { latent, .. } => sampled = Some(latent),
            Event::Decoded { picture, .. } => break picture,
            Event::Failed { failure, .. } => panic!("{failure}"),
            _ => {}
        }
    };
    assert_eq!(steps, 5);
    assert!(sampled.unwrap().values().iter().all(|v| (v - 0.25).abs() < 1e-3));
    assert_eq!((picture.width(), picture.height(), picture.rgb()[0]), (4, 3, 159));
}
