//! Tiny decoders: opened for the loaded model, measured, and used for quick decodes.

use std::path::PathBuf;

use safelight::catalog::ModelSource;
use safelight::engine::{Engine, Event, JobKind};
use safelight::latent::{Latent, LatentShape};
use safelight::models::{ModelSettings, TinyDecoder};
use safelight::request::CancelToken;

use crate::fake::{engine, name, run, run_with, until_end};

fn fixture(file: &str) -> PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny").join(file)
}

/// The names of the events of a job that opens a decoder.
fn open(engine: &Engine, id: u64, file: &str) -> Vec<String> {
    let (model, decoder) = (ModelSource::Builtin, fixture(file));
    run(engine, id, JobKind::OpenTinyDecoder { model, decoder });
    let mut names = Vec::new();
    loop {
        let event = engine.next_event().expect("the engine lives");
        if !matches!(event, Event::ModelLoaded { .. } | Event::StageChanged { .. }) {
            names.push(name(&event));
        }
        let is_last = matches!(
            event,
            Event::TinyDecoderMeasured { .. } | Event::Cancelled { .. } | Event::Failed { .. }
        );
        if is_last {
            return names;
        }
    }
}

#[test]
fn a_decoder_is_opened_for_the_loaded_model_and_measured_once_previews_are_fitted() {
    let (engine, _) = engine();
    assert_eq!(open(&engine, 1, "taesd.safetensors"), ["cancelled"], "no model is loaded");
    run(&engine, 2, JobKind::LoadModel { model: ModelSource::Builtin });
    let opened = ["tiny decoder opened", "tiny decoder not measured"];
    assert_eq!(open(&engine, 3, "taesd.safetensors"), opened);
    let model = ModelSource::Builtin;
    run(&engine, 4, JobKind::FitPreview { model, folder: None, may_compute: true });
    let names = open(&engine, 5, "taesd_decoder.safetensors");
    assert_eq!(names, ["tiny decoder opened", "tiny decoder measured"]);
    // Latents of other channels, and a file that is none.
    let said = open(&engine, 6, "taef1.safetensors").pop().unwrap();
    assert!(said.contains("it decodes latents of 16 channels, and this model's have 4: "), "{said}");
    let said = open(&engine, 7, "taesd_encoder.safetensors").pop().unwrap();
    assert!(
        said.starts_with("failed: The tiny decoder could not be used: this is no tiny decoder but"),
        "{said}"
    );
}

#[test]
fn a_quick_decode_needs_no_model_and_stops() {
    let (engine, loads) = engine();
    let shape = LatentShape::new(4, 3, 5);
    let values: Vec<f32> = (0..shape.len()).map(|i| (i as f32 * 0.7).sin()).collect();
    let latent = Latent::new(shape, values).unwrap();
    let decoder = fixture("taesd.safetensors");
    let kind = || JobKind::DecodeQuickly { decoder: decoder.clone(), latent: latent.clone() };
    run(&engine, 1, kind());
    let picture = loop {
        if let Event::Decoded { picture, .. } = engine.next_event().unwrap() {
            break picture;
        }
    };
    let own = TinyDecoder::open(&decoder, ModelSettings::default()).unwrap();
    assert_eq!(picture, own.decode(&latent, &CancelToken::new()).unwrap());
    assert_eq!(loads.load(std::sync::atomic::Ordering::SeqCst), 0, "no model was loaded");
    let cancel = CancelToken::new();
    cancel.stop();
    run_with(&engine, 2, &cancel, kind());
    assert_eq!(until_end(&engine), ["cancelled"]);
    let broken = latent.map(|_, _| f32::NAN);
    run(&engine, 3, JobKind::DecodeQuickly { decoder, latent: broken });
    assert!(until_end(&engine).last().unwrap().starts_with("failed: The latent could not be decoded"));
}
