//! A model's folder of which one file is the input: opened, loaded, and asked for a picture of two steps.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use safelight::catalog::{ImageSize, ModelSource};
use safelight::engine::{Command, Engine, EngineSettings, Event, Job, JobId, JobKind, KeepRun};
use safelight::models::profile;
use safelight::request::{CancelToken, DeviceChoice, GenerationDraft, Picture};

use super::model_folders::copy_folder;
use super::{Target, fixtures};

/// A longer edge takes longer than an input may; the sizes of what was drawn are checked elsewhere.
const MAX_EDGE_PX: usize = 64;

macro_rules! targets {
    ($($name:literal $fixture:literal $file:literal;)*) => {
        pub(crate) const TARGETS: &[Target] = &[$(Target {
            name: $name,
            run: |data| draw_with($fixture, $file, data),
            seeds: &[(concat!($fixture, "/", $file), "")],
        }),*];
    };
}

targets! {
    "model-index" "sd1" "model_index.json";
    "unet-config" "sd1" "unet/config.json";
    "vae-config" "sd1" "vae/config.json";
    "text-config" "sd1" "text_encoder/config.json";
    "scheduler" "sd1" "scheduler/scheduler_config.json";
    "vocabulary" "sd1" "tokenizer/vocab.json";
    "merges" "sd1" "tokenizer/merges.txt";
    "tokenizer-config" "sd1" "tokenizer/tokenizer_config.json";
    "tokenizer" "inpainting" "tokenizer/tokenizer.json";
    "unet-weights" "sd1" "unet/diffusion_pytorch_model.safetensors";
    "vae-weights" "sd1" "vae/diffusion_pytorch_model.safetensors";
    "text-weights" "sd1" "text_encoder/model.safetensors";
    "shard-index" "sd2" "unet/diffusion_pytorch_model.safetensors.index.fp16.json";
    "shard" "sd2" "unet/diffusion_pytorch_model.fp16-00001-of-00002.safetensors";
}

/// A fixture's copy, made once.
fn folder(fixture: &str) -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = std::env::temp_dir().join(format!("safelight-fuzz-{}", std::process::id()));
        copy_folder(&fixtures::fixture(fixture), &folder);
        folder
    })
}

fn draw_with(fixture: &str, file: &str, data: &[u8]) {
    let folder = folder(fixture);
    std::fs::write(folder.join(file), data).unwrap();
    let model = ModelSource::Folder(folder.to_owned());
    let Ok(profile) = profile(&model) else { return };
    let mut draft = GenerationDraft::new(&profile);
    let edge = profile.size_multiple.max(1);
    if edge > MAX_EDGE_PX {
        return;
    }
    draft.size = ImageSize::new(edge, edge);
    draft.steps = 2;
    draft.prompt = "a (red:1.2) fox 눈 [x] BREAK <y>".into();
    draft.negative_prompt = "blur".into();
    let Ok(request) = draft.validate(&profile) else { return };
    let settings =
        EngineSettings { device: DeviceChoice::Cpu, threads: Some(1), ..EngineSettings::default() };
    let engine = Engine::start(settings, || {}).unwrap();
    let picture = Picture::new(edge, edge, vec![9; edge * edge * 3]).unwrap();
    let cancel = CancelToken::new;
    run(
        &engine,
        Job {
            id: JobId(1),
            cancel: cancel(),
            kind: JobKind::Generate { request: Box::new(request), continues: None, keep: KeepRun::default() },
        },
    );
    run(&engine, Job { id: JobId(2), cancel: cancel(), kind: JobKind::Encode { model, picture } });
}

/// Waits for a job's end. A panic, which the engine catches, is this program's.
fn run(engine: &Engine, job: Job) {
    let this = job.id;
    engine.send(Command::Run(job)).unwrap();
    while let Some(event) = engine.next_event() {
        match event {
            Event::Restarted { reason } => panic!("the engine panicked: {reason}"),
            Event::Failed { job, failure } if job == this => {
                assert!(failure.task != safelight::engine::Task::Run, "the engine panicked: {failure}");
                return;
            }
            Event::Decoded { job, .. } | Event::Encoded { job, .. } | Event::Cancelled { job }
                if job == this =>
            {
                return;
            }
            _ => {}
        }
    }
}
