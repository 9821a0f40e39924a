//! Previews fitted to a VAE.

use std::path::Path;
use std::sync::Arc;

use safelight::catalog::ModelSource;
use safelight::engine::{Engine, EngineSettings, Event, JobKind, KeepRun};
use safelight::projection::PreviewFit;
use safelight::request::{CancelToken, GenerationDraft};

use crate::fake::{engine, generate, name, run, run_with, until_end};

/// The events of a fit of the built-in model's previews, and the fit.
fn fit_builtin(engine: &Engine, folder: &Path, may_compute: bool) -> (Vec<String>, Option<Arc<PreviewFit>>) {
    run(engine, 1, JobKind::LoadModel { model: ModelSource::Builtin });
    let (model, folder) = (ModelSource::Builtin, Some(folder.to_owned()));
    run(engine, 2, JobKind::FitPreview { model, folder, may_compute });
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
    run(&engine, 3, JobKind::Generate { request, continues: None, keep: KeepRun::default() });
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
    run_with(&engine, 2, &cancel, JobKind::FitPreview { model, folder: None, may_compute: true });
    assert_eq!(until_end(&engine).last().unwrap(), "cancelled");
}
