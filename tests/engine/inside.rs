//! Looking into the steps of runs of the built-in model.

use std::collections::BTreeMap;
use std::sync::Arc;

use safelight::catalog::{ModelSource, SamplerKind};
use safelight::engine::{Engine, EngineSettings, Event, Insight, JobKind, KeepRun};
use safelight::latent::{Latent, LatentShape, Trajectory};
use safelight::models;
use safelight::request::{
    Continuation, FinishedPart, GenerationDraft, GenerationRequest, InitImage, Picture, Seed, Watched,
};

use crate::continuation;
use crate::fake::run;

const ALL: Watched = Watched { guidance: true, words: true };

/// As a sampler with two calls in each step draws it.
fn request(change: impl FnOnce(&mut GenerationDraft)) -> GenerationRequest {
    continuation::request(|draft| {
        (draft.steps, draft.sampler) = (5, SamplerKind::Heun);
        change(draft);
    })
}

type Seen = BTreeMap<usize, Arc<Insight>>;

/// Draws a picture: its latent, its steps, and their insights.
fn draw(
    engine: &Engine,
    request: &GenerationRequest,
    continues: Option<Continuation>,
) -> (Latent, Trajectory, Seen) {
    let request = Box::new(request.clone());
    run(engine, 1, JobKind::Generate { request, continues: continues.map(Box::new), keep: KeepRun::No });
    let (mut seen, mut sampled) = (Seen::new(), None);
    loop {
        match engine.next_event().unwrap() {
            Event::SeenInside { step, insight, .. } => assert!(seen.insert(step, insight).is_none()),
            Event::StepFinished { step, .. } => {
                assert!(seen.is_empty() || seen.contains_key(&step.step), "what is inside comes first");
            }
            Event::Sampled { latent, trajectory, .. } => sampled = Some((latent, (*trajectory).clone())),
            Event::Decoded { .. } => {
                let (latent, trajectory) = sampled.unwrap();
                return (latent, trajectory, seen);
            }
            Event::Failed { failure, .. } => panic!("{failure}"),
            _ => {}
        }
    }
}

/// Looks into a step of a finished run.
fn look(engine: &Engine, parts: &[FinishedPart], whole: &Trajectory, step: usize, watched: Watched) -> Seen {
    let finished = Trajectory { source: whole.source.clone(), steps: whole.steps[..step - 1].to_vec() };
    let request = Box::new(parts.last().unwrap().request.clone());
    let continues =
        Box::new(Continuation { parts: parts.to_vec(), finished, retouched: None, noise_seed: None });
    run(engine, 2, JobKind::LookInside { request, continues, watched });
    let mut seen = Seen::new();
    loop {
        match engine.next_event().unwrap() {
            Event::SeenInside { step, insight, .. } => assert!(seen.insert(step, insight).is_none()),
            Event::LookedInside { .. } => return seen,
            Event::StageChanged { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_watched_run_is_the_same_and_its_steps_are_looked_into_again() {
    let engine = Engine::start(EngineSettings::default(), || {}).unwrap();
    let request = request(|_| {});
    let (latent, trajectory, seen) = draw(&engine, &request, None);
    assert!(seen.is_empty(), "nobody watches");
    engine.watch(ALL);
    let (watched_latent, watched, seen) = draw(&engine, &request, None);
    engine.watch(Watched::default());
    assert_eq!((&watched_latent, watched.steps.len()), (&latent, 5));
    assert_eq!(seen.keys().copied().collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    let third = &seen[&3];
    let guidance = third.guidance.as_ref().unwrap();
    assert_eq!(guidance.shape(), LatentShape::new(1, 8, 8));
    assert!(guidance.values().iter().all(|value| *value >= 0.0));
    let words = third.words.as_ref().unwrap();
    let names: Vec<String> = words.tokens.words().into_iter().map(|word| word.text).collect();
    assert_eq!(names, ["a", "red", "cube", "on", "the", "sand"]);
    assert_eq!(words.maps.shape(), LatentShape::new(words.tokens.used(), 8, 8));
    let all: Vec<usize> = (0..words.tokens.used()).collect();
    assert!(words.of(&all).values().iter().all(|share| *share > 0.0 && *share <= 1.0 + 1e-5));
    // The sampler has two calls in each step; the first one is looked into.
    let whole = [FinishedPart::whole(request)];
    for step in [1, 3, 5] {
        let again = look(&engine, &whole, &trajectory, step, ALL);
        assert_eq!(again.len(), 1);
        assert_eq!(again[&step], seen[&step], "step {step}");
    }
    let alone = look(&engine, &whole, &trajectory, 2, Watched { guidance: true, words: false });
    assert_eq!((&alone[&2].guidance, &alone[&2].words), (&seen[&2].guidance, &None));
}

#[test]
fn runs_from_a_picture_and_forks_are_looked_into_as_they_were_drawn() {
    let engine = Engine::start(EngineSettings::default(), || {}).unwrap();
    engine.watch(ALL);
    let bytes: Vec<u8> = (0..64 * 64 * 3).map(|i| (i * 7 % 256) as u8).collect();
    let picture = Picture::new(64, 64, bytes).unwrap();
    let from_picture = request(|draft| {
        draft.init_image = Some(InitImage { picture, strength: 0.8 });
        draft.sampler = SamplerKind::EulerAncestral;
    });
    let (_, trajectory, seen) = draw(&engine, &from_picture, None);
    let whole = FinishedPart::whole(from_picture.clone());
    assert_eq!(look(&engine, std::slice::from_ref(&whole), &trajectory, 2, ALL)[&2], seen[&2]);
    // The fork has other words from its third step on.
    let other = {
        let profile = models::profile(&ModelSource::Builtin).unwrap();
        let draft = GenerationDraft { prompt: "a blue ball".into(), steps: 6, ..(*from_picture).clone() };
        draft.validate(&profile).unwrap()
    };
    let finished = Trajectory { source: trajectory.source.clone(), steps: trajectory.steps[..2].to_vec() };
    let continues = Continuation { parts: vec![whole], finished, retouched: None, noise_seed: Some(Seed(5)) };
    let parts = continues.clone().parts_with(&other);
    let (_, trajectory, seen) = draw(&engine, &other, Some(continues));
    assert!(!seen.contains_key(&2), "the network is not called for steps that were taken before");
    assert_eq!(look(&engine, &parts, &trajectory, 3, ALL)[&3], seen[&3]);
    assert_eq!(
        look(&engine, &parts[..1], &trajectory, 2, ALL)[&2].words.as_ref().unwrap().tokens.words().len(),
        6
    );
}

#[test]
fn a_run_without_guidance_has_none_to_show() {
    let engine = Engine::start(EngineSettings::default(), || {}).unwrap();
    engine.watch(ALL);
    let (_, _, seen) = draw(&engine, &request(|draft| draft.guidance_scale = 1.0), None);
    assert!(seen[&1].guidance.is_none() && seen[&1].words.is_some());
    let (_, _, seen) = draw(&engine, &request(|draft| draft.prompt = String::new()), None);
    assert!(seen[&1].guidance.is_some() && seen[&1].words.is_none(), "no words");
}
