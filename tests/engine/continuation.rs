//! Runs of the built-in model that go on from another.

use safelight::catalog::{ImageSize, ModelSource, SamplerKind};
use safelight::engine::{Engine, EngineSettings, Event, JobKind, KeepRun};
use safelight::latent::{Latent, Trajectory};
use safelight::models;
use safelight::request::{
    Continuation, FinishedPart, GenerationDraft, GenerationRequest, InitImage, Picture, Seed,
};

use crate::fake::run;

/// A small picture of the built-in model.
pub(crate) fn request(change: impl FnOnce(&mut GenerationDraft)) -> GenerationRequest {
    let profile = models::profile(&ModelSource::Builtin).unwrap();
    let mut draft = GenerationDraft {
        prompt: "a red cube on the sand".into(),
        size: ImageSize::new(64, 64),
        seed: Seed(11),
        steps: 6,
        sampler: SamplerKind::EulerAncestral,
        ..GenerationDraft::new(&profile)
    };
    change(&mut draft);
    draft.validate(&profile).unwrap()
}

/// The latent, every step, and the picture.
fn draw(
    engine: &Engine,
    request: &GenerationRequest,
    continues: Option<Continuation>,
) -> (Latent, Trajectory, Picture) {
    let request = Box::new(request.clone());
    run(engine, 1, JobKind::Generate { request, continues: continues.map(Box::new), keep: KeepRun::No });
    let mut sampled = None;
    loop {
        match engine.next_event().unwrap() {
            Event::Sampled { latent, trajectory, .. } => sampled = Some((latent, (*trajectory).clone())),
            Event::Decoded { picture, .. } => {
                let (latent, trajectory) = sampled.unwrap();
                return (latent, trajectory, picture);
            }
            Event::Failed { failure, .. } => panic!("{failure}"),
            _ => {}
        }
    }
}

/// Goes on from the first steps of a run with these settings.
fn from(request: &GenerationRequest, whole: &Trajectory, taken: usize) -> Continuation {
    let finished = Trajectory { source: whole.source.clone(), steps: whole.steps[..taken].to_vec() };
    let part = FinishedPart { request: request.clone(), after: 0, retouched: None, noise_seed: None };
    Continuation { parts: vec![part], finished, retouched: None, noise_seed: None }
}

fn bits(latent: &Latent) -> Vec<u32> {
    latent.values().iter().map(|value| value.to_bits()).collect()
}

#[test]
fn a_run_with_the_same_settings_goes_on_to_the_same_picture() {
    let engine = Engine::start(EngineSettings::default(), || {}).unwrap();
    let pixels: Vec<u8> = (0..64 * 64 * 3).map(|i| (i % 251) as u8).collect();
    let picture = Picture::new(64, 64, pixels).unwrap();
    let from_picture =
        |draft: &mut GenerationDraft| draft.init_image = Some(InitImage { picture, strength: 0.7 });
    for request in
        [request(|_| {}), request(from_picture), request(|draft| draft.sampler = SamplerKind::Dpmpp2m)]
    {
        let whole = draw(&engine, &request, None);
        assert_eq!(whole.1.source.is_some(), request.init_image.is_some());
        for taken in [0, 2, whole.1.steps.len()] {
            let again = draw(&engine, &request, Some(from(&request, &whole.1, taken)));
            assert_eq!(bits(&again.0), bits(&whole.0), "from step {taken}");
            assert_eq!(again.2, whole.2);
            assert_eq!(again.1.steps.len(), whole.1.steps.len());
        }
    }
}

#[test]
fn a_fork_shares_the_steps_before_it_and_follows_other_settings_from_there() {
    let engine = Engine::start(EngineSettings::default(), || {}).unwrap();
    let first = request(|_| {});
    let whole = draw(&engine, &first, None);
    let words = request(|draft| draft.prompt = "a blue sphere at night".into());
    let sampler = request(|draft| (draft.sampler, draft.steps) = (SamplerKind::Dpmpp2m, 9));
    for other in [&words, &sampler] {
        let forked = draw(&engine, other, Some(from(&first, &whole.1, 3)));
        for (step, was) in forked.1.steps.iter().zip(&whole.1.steps[..4]) {
            assert_eq!(bits(&step.noisy), bits(&was.noisy), "step {}", step.step);
        }
        assert_ne!(bits(&forked.0), bits(&whole.0));
        assert_ne!(forked.2, whole.2);
    }
    // A fork of a fork replays both.
    let forked = draw(&engine, &sampler, Some(from(&first, &whole.1, 3)));
    let mut parts = from(&first, &whole.1, 3).parts_with(&sampler);
    assert_eq!(parts.iter().map(|part| part.after).collect::<Vec<_>>(), [0, 3]);
    let finished = Trajectory { source: None, steps: forked.1.steps[..5].to_vec() };
    let again =
        Continuation { parts: parts.clone(), finished: finished.clone(), retouched: None, noise_seed: None };
    assert_eq!(bits(&draw(&engine, &sampler, Some(again)).0), bits(&forked.0));
    // With another latent in the middle.
    let retouched = forked.1.steps[4].denoised.map(|_, value| value * 0.5);
    let again = Continuation {
        parts: std::mem::take(&mut parts),
        finished,
        retouched: Some(retouched),
        noise_seed: None,
    };
    assert_ne!(bits(&draw(&engine, &sampler, Some(again)).0), bits(&forked.0));
}
