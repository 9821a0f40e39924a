//! What is kept comes back.

use super::*;
use crate::formats::latent_file;
use crate::formats::metadata::read_facts;
use crate::latent::LatentSpace;

#[test]
fn a_finished_run_comes_back_bit_for_bit() {
    let root = tempfile::tempdir().unwrap();
    let history = History::open(root.path().join("runs"));
    assert!(history.runs().unwrap().runs.is_empty());
    assert!(!history.root().exists(), "nothing is made before the first run");
    let id = finished(&history, "a fox");
    let record = history.read(&id).unwrap();
    let start = new_run("a fox");
    assert_eq!((&record.model, &record.parts, record.format), (&start.model, &start.parts, start.format));
    assert_eq!((record.status, record.elapsed_secs), (RunStatus::Finished, 0.75));
    assert_eq!((record.steps_planned, record.steps_done, record.steps_kept), (5, 5, 5));
    assert!(are_first(&history.steps(&id).unwrap(), 5));
    let hashes: Vec<String> = (1..=5).map(|number| step_hash(&step(number))).collect();
    assert_eq!(history.step_hashes(&id).unwrap(), hashes);
    assert_eq!(history.final_latent(&id).unwrap(), Some(latent(SHAPE, 7)));
    assert_eq!(history.picture(&id).unwrap(), Some(picture(40, 48)));
    assert_eq!(history.thumbnail(&id).unwrap(), Some(picture(40, 48)));
    assert_eq!((history.source_latent(&id).unwrap(), history.source_picture(&id).unwrap()), (None, None));
    let folder = history.folder(&id);
    assert_eq!(folder.parent().unwrap(), history.root().join(id.month()));
    let files = [
        "final.latent",
        "final.safetensors",
        "lock",
        "picture.png",
        "run.json",
        "steps.bin",
        "thumbnail.png",
    ];
    assert_eq!(names(&folder), files);
    // What other programs read.
    let read = latent_file::read_latent(&folder.join("final.latent")).unwrap();
    assert_eq!(
        (read.space, read.facts.family.as_deref()),
        (Some(LatentSpace::Vae), Some("Stable Diffusion 1"))
    );
    assert_eq!(read.latent, LatentFormat::STABLE_DIFFUSION.vae_from_model(&latent(SHAPE, 7)));
    assert_eq!(read_facts(&history.picture_path(&id)).unwrap().prompt.as_deref(), Some("a fox"));
}

#[test]
fn a_thumbnail_is_the_picture_at_256_pixels() {
    let root = tempfile::tempdir().unwrap();
    let history = History::open(root.path().to_owned());
    let writer = history.begin(new_run("wide")).unwrap();
    writer.picture(&picture(1024, 512));
    writer.flush();
    let thumbnail = history.thumbnail(writer.id()).unwrap().unwrap();
    assert_eq!((thumbnail.width(), thumbnail.height()), (256, 128));
    assert!(writer.fault().is_none());
}

#[test]
fn the_status_tells_how_far_a_run_came() {
    let root = tempfile::tempdir().unwrap();
    let history = History::open(root.path().to_owned());
    let writer = history.begin(new_run("x")).unwrap();
    let seen = || {
        writer.flush();
        let record = history.read(writer.id()).unwrap();
        (record.status, record.steps_done, record.finished_early)
    };
    writer.step(step(1));
    assert_eq!(seen(), (RunStatus::Running, 0, false));
    assert!(are_first(&history.steps(writer.id()).unwrap(), 1), "a running run can be looked at");
    writer.step(step(2));
    writer.sampled(&latent(SHAPE, 7), true, 0.5);
    assert_eq!(seen(), (RunStatus::Sampled, 2, true));
    let failed = RunStatus::Failed { reason: "the decoder gave NaN".to_owned() };
    writer.ended(failed.clone(), 0.6);
    assert_eq!(seen(), (failed, 2, true));
    assert!(
        history.final_latent(writer.id()).unwrap().is_some()
            && history.picture(writer.id()).unwrap().is_none()
    );
}

#[test]
fn a_run_that_goes_on_from_another_needs_it_no_more() {
    let root = tempfile::tempdir().unwrap();
    let history = History::open(root.path().to_owned());
    let source = (latent(SHAPE, 70), Some(picture(9, 8)));
    let writer = history.begin(NewRun { source: Some(source.clone()), ..new_run("first") }).unwrap();
    write_steps(&writer, 1..=5);
    let first = writer.id().clone();
    drop(writer);
    history.finish();
    assert_eq!(history.source_latent(&first).unwrap().as_ref(), Some(&source.0));
    assert_eq!(history.source_picture(&first).unwrap(), source.1);

    let part =
        |after| PartRecord { facts: facts("other"), after, noise_seed: Some(Seed(3)), retouched: true };
    let fork = |of: &RunId, step, parts: &[PartRecord], salt| {
        let parts = [&new_run("first").parts[..], parts].concat();
        let origin = Some(RunOrigin { run: of.clone(), step });
        let retouched = Some(latent(SHAPE, salt));
        history.begin(NewRun { parts, retouched, origin, ..new_run("") }).unwrap()
    };
    let writer = fork(&first, 3, &[part(3)], 80);
    assert_eq!(writer.steps_kept(), 3);
    // The loop takes the shared steps again, and then its own.
    write_steps(&writer, 1..=4);
    let second = writer.id().clone();
    writer.ended(RunStatus::Stopped, 1.0);
    drop(writer);
    history.finish();
    let writer = fork(&second, 4, &[part(3), part(4)], 81);
    let third = writer.id().clone();
    drop(writer);
    history.finish();
    for id in [&first, &second] {
        std::fs::remove_dir_all(history.folder(id)).unwrap();
    }

    let record = history.read(&third).unwrap();
    assert_eq!(record.origin, Some(RunOrigin { run: second, step: 4 }));
    assert_eq!((record.parts.len(), record.facts().prompt.as_deref()), (3, Some("other")));
    assert_eq!((record.steps_done, record.steps_kept), (4, 4));
    assert!(are_first(&history.steps(&third).unwrap(), 4));
    assert_eq!(history.source_latent(&third).unwrap(), Some(source.0));
    assert_eq!(history.source_picture(&third).unwrap(), source.1);
    let retouched = |part| history.retouched(&third, part).unwrap();
    assert_eq!(
        [retouched(0), retouched(1), retouched(2)],
        [None, Some(latent(SHAPE, 80)), Some(latent(SHAPE, 81))]
    );
}

#[test]
fn a_step_that_is_not_kept_is_named() {
    let root = tempfile::tempdir().unwrap();
    let history = History::open(root.path().to_owned());
    let id = finished(&history, "x");
    let begin = |run: &RunId, step| {
        let origin = Some(RunOrigin { run: run.clone(), step });
        history.begin(NewRun { origin, ..new_run("y") }).err().unwrap().to_string()
    };
    let error = begin(&id, 6);
    assert!(error.starts_with("step 6 is not kept: 5 steps of the run are"), "{error}");
    let other: RunId = "20200101-000000-00000000".parse().unwrap();
    let error = begin(&other, 1);
    assert!(error.starts_with("the run 20200101-000000-00000000 is not kept"), "{error}");
    assert_eq!(history.runs().unwrap().runs.len(), 1, "no empty run is left");
    assert!(history.steps(&other).is_err() && history.read(&other).is_err());
}

#[test]
fn what_another_version_knows_of_a_run_stays() {
    let root = tempfile::tempdir().unwrap();
    let history = History::open(root.path().to_owned());
    let id = finished(&history, "x");
    let path = history.folder(&id).join("run.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text).unwrap();
    object.insert("mood".to_owned(), "calm".into());
    // Fields that an older version did not write have their defaults.
    for field in ["stars", "elapsed_secs", "origin", "model", "vae_hash", "finished_early"] {
        object.shift_remove(field).unwrap();
    }
    std::fs::write(&path, serde_json::to_string(&object).unwrap()).unwrap();
    history.set_stars(&id, 4).unwrap();
    let record = history.read(&id).unwrap();
    assert_eq!((record.stars, record.other["mood"].as_str()), (4, Some("calm")));
    assert_eq!((record.model, record.elapsed_secs), (ModelSource::Builtin, 0.0));
    assert_eq!(history.runs().unwrap().runs[0].stars, 4);
}

#[test]
fn a_run_says_of_which_grid_it_is_a_picture() {
    let folder = tempfile::tempdir().unwrap();
    let history = History::open(folder.path().to_owned());
    let axes = vec!["words=fox,\"red, owl\"".to_owned(), "steps=1..4".to_owned()];
    let grid = RunGrid { id: RunGrid::new_id(), axes, place: [1, 3, 0] };
    let writer = history.begin(NewRun { grid: Some(grid.clone()), ..new_run("x") }).unwrap();
    let other = history.begin(new_run("y")).unwrap();
    writer.flush();
    other.flush();
    assert_eq!(history.read(writer.id()).unwrap().grid, Some(grid.clone()));
    let text = std::fs::read_to_string(history.folder(other.id()).join("run.json")).unwrap();
    assert!(!text.contains("grid"), "{text}");
    let grids: Vec<_> = history.runs().unwrap().runs.into_iter().filter_map(|run| run.grid).collect();
    assert_eq!(grids, [grid]);
    assert_ne!(RunGrid::new_id(), RunGrid::new_id());
}

#[cfg(unix)]
#[test]
fn a_path_that_is_no_text_comes_back() {
    use std::os::unix::ffi::OsStringExt as _;
    let root = tempfile::tempdir().unwrap();
    let history = History::open(root.path().to_owned());
    let model = ModelSource::Folder(std::ffi::OsString::from_vec(b"/m/\xff\xfe".to_vec()).into());
    let writer = history.begin(NewRun { model: model.clone(), ..new_run("x") }).unwrap();
    writer.flush();
    assert_eq!(history.read(writer.id()).unwrap().model, model);
}

#[test]
fn a_moment_is_a_step_or_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let history = History::open(folder.path().to_owned());
    let id = finished(&history, "a fox");
    let end = history.moment(&id, None).unwrap();
    assert!(end.step.is_none() && end.picture == Some(picture(40, 48)));
    assert_eq!(end.latent(), Some(&latent(SHAPE, 7)));
    let third = history.moment(&id, Some(3)).unwrap();
    assert_eq!(third.latent(), Some(&step(3).outputs[0]));
    assert_eq!((third.step.map(|step| step.step), third.picture), (Some(3), None));
    let error = history.moment(&id, Some(6)).unwrap_err();
    assert!(matches!(error, HistoryError::StepNotKept { wanted: 6, kept: 5, .. }), "{error}");
    // A run that was stopped ends with its last step, and a step has the settings of its part.
    let origin = Some(RunOrigin { run: id, step: 2 });
    let part = |prompt: &str, after| PartRecord { facts: facts(prompt), after, ..PartRecord::default() };
    let parts = vec![part("a fox", 0), part("an owl", 2)];
    let writer = history.begin(NewRun { parts, origin, ..new_run("an owl") }).unwrap();
    write_steps(&writer, 3..=4);
    writer.ended(RunStatus::Stopped, 0.75);
    let fork = writer.id().clone();
    drop(writer);
    history.finish();
    let end = history.moment(&fork, None).unwrap();
    assert_eq!(end.step.as_ref().map(|step| step.step), Some(4));
    assert_eq!((end.latent(), &end.picture), (Some(&step(4).outputs[0]), &None));
    let prompt = |number| history.moment(&fork, Some(number)).unwrap().facts().prompt.clone().unwrap();
    assert_eq!([2, 3].map(prompt), ["a fox", "an owl"]);
}
