//! The order of events, and stops.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use safelight::catalog::ModelSource;
use safelight::engine::{Event, JobId, JobKind, KeepRun};
use safelight::latent::{Latent, LatentFormat};
use safelight::request::{CancelToken, DecodeChoice, InitImage, Picture, TileChoice};

use crate::fake::{engine, generate, request, run, run_with, until_end};

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
    run(&engine, 1, JobKind::Generate { request, continues: None, keep: KeepRun::default() });
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
    // The fake checks every millisecond; a second allows for a busy machine.
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
fn a_model_that_is_open_is_ready_at_once_when_it_is_opened_again() {
    let (engine, loads) = engine();
    for id in 1..=3 {
        run(&engine, id, JobKind::LoadModel { model: ModelSource::Builtin });
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
fn a_job_that_was_stopped_before_its_turn_does_nothing() {
    let (engine, loads) = engine();
    let cancel = CancelToken::new();
    cancel.stop();
    let (model, picture) = (ModelSource::Builtin, Picture::new(64, 64, vec![9; 64 * 64 * 3]).unwrap());
    let latent = Latent::zeros(LatentFormat::STABLE_DIFFUSION.latent_shape(64, 64));
    let how = DecodeChoice::default();
    let kinds = [
        JobKind::LoadModel { model: model.clone() },
        JobKind::Encode { model: model.clone(), picture },
        JobKind::Decode { model, latent, how },
        JobKind::Generate { request: request("a fox", |_| {}), continues: None, keep: KeepRun::default() },
    ];
    for (id, kind) in (1..).zip(kinds) {
        run_with(&engine, id, &cancel, kind);
        assert_eq!(until_end(&engine), ["cancelled"]);
    }
    assert_eq!(loads.load(Ordering::SeqCst), 0);
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
    let model = ModelSource::Builtin;
    run(&engine, 1, JobKind::Encode { model: model.clone(), picture });
    assert_eq!(until_end(&engine).last().unwrap(), "encoded");
    let latent = Latent::zeros(LatentFormat::STABLE_DIFFUSION.latent_shape(64, 64));
    let how = DecodeChoice { tiles: Some(TileChoice::Always), in_f32: true };
    run(&engine, 2, JobKind::Decode { model, latent, how });
    assert_eq!(until_end(&engine).last().unwrap(), &format!("decoded 64{how:?}"), "as it was asked for");
}
