//! Failures and panics: the job ends with a reason, and the engine continues.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use safelight::catalog::{ImageSize, ModelSource};
use safelight::engine::{Advice, Command, Engine, EngineSettings, Event, JobKind, KeepRun};

use crate::fake::{engine, generate, name, request, run, until_end};

#[test]
fn a_failed_load_says_why_and_the_engine_goes_on() {
    let (engine, _) = engine();
    let model = ModelSource::Folder(PathBuf::from("/models/broken"));
    run(&engine, 1, JobKind::LoadModel { model });
    let failed = until_end(&engine).pop().unwrap();
    assert!(failed.contains("too short") && failed.contains("/models/broken"), "{failed}");
    generate(&engine, 2, "a fox");
    assert_eq!(until_end(&engine).last().unwrap(), "decoded 64");
}

#[test]
fn a_load_that_panics_is_a_failed_load_and_nothing_starts_again() {
    let (engine, loads) = engine();
    let model = ModelSource::Folder(PathBuf::from("/models/panics"));
    run(&engine, 1, JobKind::LoadModel { model });
    let names = until_end(&engine);
    let failed = names.last().unwrap();
    assert!(
        failed.starts_with("failed: The model could not be loaded") && failed.contains("fake.rs"),
        "{failed}"
    );
    // There is no restart event before the answer to the next command.
    run(&engine, 2, JobKind::LoadModel { model: ModelSource::Builtin });
    assert_eq!([0; 2].map(|_| name(&engine.next_event().unwrap())), ["loading", "loaded"]);
    assert_eq!(loads.load(Ordering::SeqCst), 2);
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
    run(&engine, 1, JobKind::Generate { request, continues: None, keep: KeepRun::default() });
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

/// The limit on memory comes with the settings: what is above it is refused, and a higher one is enough.
#[test]
fn a_limit_on_memory_is_kept_and_can_be_raised() {
    let settings = |memory| EngineSettings { memory, ..EngineSettings::default() };
    let engine = Engine::start(settings(Some(1 << 20)), || {}).unwrap();
    let ended = |id| {
        run(&engine, id, JobKind::LoadModel { model: ModelSource::Builtin });
        loop {
            match engine.next_event().unwrap() {
                Event::ModelLoaded { .. } => return Ok(()),
                Event::Failed { failure, .. } => return Err(failure),
                _ => {}
            }
        }
    };
    let failure = ended(1).unwrap_err();
    assert_eq!(failure.advice, Some(Advice::MemoryLimit));
    assert!(failure.why.english().contains("left of the 1 MiB that the program may use"), "{failure}");
    engine.send(Command::Configure(settings(Some(8 << 30)))).unwrap();
    ended(2).unwrap();
}
