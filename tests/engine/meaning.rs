//! Pictures that are placed in idle time and found, and pictures that are described.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use safelight::engine::{Command, Engine, Event, JobKind, KeepRun, Like};
use safelight::store::history::{History, RunId};

use crate::fake::{run, until_end};
use crate::keeping::{generate, keeping_in};

/// A file of a small network.
fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// Waits until runs have places.
fn wait_for_places(history: &History, runs: &[RunId]) {
    let begun = Instant::now();
    while runs.iter().any(|run| history.meaning(run).is_none()) {
        assert!(begun.elapsed() < Duration::from_mins(2), "nothing is placed");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The runs that a search finds, and how many have no place.
fn found(engine: &Engine, id: u64, like: Like) -> (Vec<(RunId, f32)>, usize) {
    let weights = fixture("clip/model.safetensors");
    run(engine, id, JobKind::FindRuns { weights, like: Box::new(like) });
    loop {
        match engine.next_event().unwrap() {
            Event::RunsFound { found, .. } => return (found.runs, found.without_place),
            Event::Failed { failure, .. } => panic!("{failure}"),
            _ => {}
        }
    }
}

fn drawn(engine: &Engine, id: u64) -> RunId {
    run(engine, id, generate(KeepRun::New));
    let mut kept = None;
    loop {
        match engine.next_event().unwrap() {
            Event::RunKept { run, .. } => kept = Some(run),
            Event::Decoded { .. } => return kept.unwrap(),
            Event::Failed { failure, .. } => panic!("{failure}"),
            _ => {}
        }
    }
}

#[test]
fn kept_pictures_are_placed_while_nothing_is_drawn_and_found() {
    let root = tempfile::tempdir().unwrap();
    let (engine, history) = keeping_in(root.path());
    let first = drawn(&engine, 1);
    // Nobody asked for places yet.
    let (none, without) = found(&engine, 2, Like::Words("a fox".into()));
    assert_eq!((none.len(), without), (0, 1));
    assert!(history.meaning(&first).is_none());
    engine.send(Command::PlaceRuns(Some(fixture("clip/model.safetensors")))).unwrap();
    wait_for_places(&history, std::slice::from_ref(&first));
    // A later run is placed, too, and what a search leaves to do.
    let second = drawn(&engine, 3);
    wait_for_places(&history, &[first.clone(), second.clone()]);
    let (runs, without) = found(&engine, 4, Like::Run(first.clone()));
    assert_eq!((runs.len(), without), (1, 0));
    assert_eq!(runs[0].0, second);
    assert!(runs[0].1 > 0.9999, "both are the same picture: {}", runs[0].1);
    let picture = history.picture(&first).unwrap().unwrap();
    assert_eq!(found(&engine, 5, Like::Picture(picture)).0.len(), 2);
    // The place of another model is made again.
    let place = safelight::store::history::PictureMeaning::new("another", &[1.0, 2.0]).unwrap();
    history.set_meaning(&first, &place).unwrap();
    assert_eq!(found(&engine, 6, Like::Words("a fox".into())).1, 1);
    let begun = Instant::now();
    while history.meaning(&first).is_none_or(|place| place.model() == "another") {
        assert!(begun.elapsed() < Duration::from_mins(2), "it is not placed again");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_model_that_does_not_open_fails_its_job_alone() {
    let root = tempfile::tempdir().unwrap();
    let (engine, history) = keeping_in(root.path());
    let weights = root.path().join("model.safetensors");
    std::fs::write(&weights, b"{").unwrap();
    std::fs::write(root.path().join("config.json"), b"{\"model_type\": \"clip\"}").unwrap();
    engine.send(Command::PlaceRuns(Some(weights.clone()))).unwrap();
    let drawn = drawn(&engine, 1);
    run(&engine, 2, JobKind::FindRuns { weights: weights.clone(), like: Box::new(Like::Words("a".into())) });
    let events = until_end(&engine);
    let said = events.last().unwrap();
    assert!(said.starts_with("failed: The pictures could not be searched: "), "{said}");
    assert!(said.contains("model.safetensors") && said.contains("Download the model again"), "{said}");
    let picture = history.picture(&drawn).unwrap().unwrap();
    run(&engine, 3, JobKind::Describe { weights: weights.clone(), picture: picture.clone() });
    let said = until_end(&engine).pop().unwrap();
    assert!(said.starts_with("failed: The picture could not be described: "), "{said}");
    run(&engine, 4, JobKind::Describe { weights: fixture("blip/model.safetensors"), picture });
    assert!(until_end(&engine).pop().unwrap().starts_with("described "));
}
