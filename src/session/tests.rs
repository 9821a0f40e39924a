//! The session's rules.

use std::sync::Arc;

use super::*;
use crate::engine::{Command, Event, Failure};
use crate::latent::{Latent, LatentFormat, LatentShape, Trajectory};
use crate::request::{ImageSize, ModelDefaults, ModelFamily, Picture, PredictionType, SamplerKind};

fn profile() -> Arc<ModelProfile> {
    Arc::new(ModelProfile {
        choice: ModelChoice::Builtin,
        name: "Built-in".into(),
        family: ModelFamily::StableDiffusion1,
        format: LatentFormat::STABLE_DIFFUSION,
        prediction: PredictionType::V,
        size_multiple: 32,
        defaults: ModelDefaults {
            size: ImageSize::new(64, 64),
            steps: 4,
            guidance_scale: 3.0,
            sampler: SamplerKind::Ddim,
        },
        uses_guidance: true,
        parameters: 1,
        vae_hash: String::new(),
    })
}

fn ready() -> Session {
    let mut session = Session::new(ModelChoice::Builtin, Vec::new());
    let Some(Effect::Send(Command::LoadModel { job, .. })) = session.take_effects().pop() else { panic!() };
    session.apply_event(Event::ModelLoaded {
        job,
        profile: profile(),
        device: "CPU".into(),
        elapsed_secs: 0.1,
    });
    session
}

fn sent_job(session: &mut Session) -> Option<JobId> {
    session.take_effects().into_iter().find_map(|effect| match effect {
        Effect::Send(Command::Generate { job, .. }) => Some(job),
        _ => None,
    })
}

fn latent() -> Latent {
    Latent::zeros(LatentShape::new(4, 8, 8))
}

fn finish(session: &mut Session, job: JobId) {
    let trajectory = Arc::new(Trajectory::default());
    session.apply_event(Event::Sampled { job, latent: latent(), trajectory, finished_early: false });
    let picture = Picture::new(64, 64, vec![0; 64 * 64 * 3]).unwrap();
    session.apply_event(Event::Decoded { job, picture, notice: None, elapsed_secs: 1.0 });
}

#[test]
fn a_loaded_model_brings_its_suggestions_and_keeps_the_prompt() {
    let mut session = Session::new(ModelChoice::Builtin, Vec::new());
    session.draft.prompt = "a fox".into();
    let Some(Effect::Send(Command::LoadModel { job, .. })) = session.take_effects().pop() else { panic!() };
    session.apply_event(Event::ModelLoaded {
        job,
        profile: profile(),
        device: "CPU".into(),
        elapsed_secs: 0.1,
    });
    assert_eq!((session.draft.prompt.as_str(), session.draft.steps), ("a fox", 4));
    assert!(session.is_ready());
}

#[test]
fn a_batch_runs_one_after_another_with_consecutive_seeds() {
    let mut session = ready();
    session.draft.seed = Seed(10);
    session.batch = 3;
    session.apply(Action::Generate);
    assert_eq!((session.queue.len(), session.draft.seed), (2, Seed(13)));
    for expected in 0..3 {
        let job = sent_job(&mut session).unwrap();
        assert_eq!(session.running.as_ref().unwrap().request.seed, Seed(10 + expected));
        finish(&mut session, job);
    }
    assert!(session.running.is_none() && sent_job(&mut session).is_none());
    assert_eq!(session.results.len(), 3);
    assert_eq!(session.shown, Shown::Result(0), "the first picture was shown and stays");
}

#[test]
fn the_three_stops_do_what_they_say() {
    let mut session = ready();
    session.batch = 3;
    session.apply(Action::Generate);
    session.apply(Action::StopAfter);
    assert!(session.queue.is_empty() && session.running.is_some());
    session.apply(Action::FinishNow);
    let cancel = session.running.as_ref().unwrap().cancel.clone();
    assert!(cancel.ends_sampling() && !cancel.is_stopped());
    session.apply(Action::StopNow);
    assert!(cancel.is_stopped());
    let job = session.running.as_ref().unwrap().id;
    session.apply_event(Event::Cancelled { job });
    assert!(session.running.is_none());
}

#[test]
fn events_of_foreign_jobs_change_nothing() {
    let mut session = ready();
    session.apply(Action::Generate);
    let foreign = JobId(999);
    session.apply_event(Event::StepFinished {
        job: foreign,
        step: 1,
        steps: 4,
        sigma: 1.0,
        noisy: latent(),
        denoised: latent(),
        elapsed_secs: 0.1,
    });
    session.apply_event(Event::Cancelled { job: foreign });
    assert!(session.running.as_ref().unwrap().newest.is_none());
}

#[test]
fn a_failed_decode_keeps_the_latent() {
    let mut session = ready();
    session.apply(Action::Generate);
    let job = sent_job(&mut session).unwrap();
    let trajectory = Arc::new(Trajectory::default());
    session.apply_event(Event::Sampled { job, latent: latent(), trajectory, finished_early: false });
    let failure = Failure { what: "no picture".into(), why: "NaN".into(), advice: String::new() };
    session.apply_event(Event::Failed { job, failure });
    assert_eq!(session.results[0].latent, latent());
    assert!(matches!(session.results[0].outcome, Outcome::Failed(_)));
    assert_eq!(session.notices.len(), 1);
}

#[test]
fn a_wrong_draft_is_a_notice_and_no_job() {
    let mut session = ready();
    session.draft.size = ImageSize::new(33, 64);
    session.apply(Action::Generate);
    assert!(session.running.is_none() && sent_job(&mut session).is_none());
    assert!(session.notices[0].why.contains("33×64"));
}

#[test]
fn an_inspected_picture_is_encoded_and_decoded_again() {
    let mut session = ready();
    let picture = Picture::new(70, 66, vec![0; 70 * 66 * 3]).unwrap();
    session.apply(Action::InspectPicture(picture));
    let Some(Effect::Send(Command::Encode { job, picture, .. })) = session.take_effects().pop() else {
        panic!()
    };
    assert_eq!((picture.width(), picture.height()), (64, 64));
    session.apply_event(Event::Encoded { job, mean: latent(), log_variance: latent(), elapsed_secs: 0.1 });
    let Some(Effect::Send(Command::Decode { job, .. })) = session.take_effects().pop() else { panic!() };
    session.apply_event(Event::Decoded { job, picture, notice: None, elapsed_secs: 0.1 });
    assert!(session.inspector.original.is_some() && session.inspector.decoded.is_some());
    assert_eq!(session.results.len(), 0);
}

#[test]
fn adjustments_can_be_undone() {
    let mut session = ready();
    session.inspector.open(latent().map(|_, _| 1.0), LatentFormat::STABLE_DIFFUSION);
    session.inspector.remember();
    session.inspector.adjustments.channels[0].gain = 2.0;
    assert_eq!(session.inspector.adjusted().unwrap().values()[0], 2.0);
    session.inspector.undo();
    assert_eq!(session.inspector.adjusted().unwrap().values()[0], 1.0);
    session.inspector.redo();
    assert_eq!(session.inspector.adjustments.channels[0].gain, 2.0);
}

#[test]
fn a_latent_view_opened_from_the_canvas_follows_the_steps() {
    let mut session = ready();
    session.apply(Action::Generate);
    let job = sent_job(&mut session).unwrap();
    let step = |step, value: f32| Event::StepFinished {
        job,
        step,
        steps: 4,
        sigma: 1.0,
        noisy: latent(),
        denoised: latent().map(|_, _| value),
        elapsed_secs: 0.1,
    };
    session.apply_event(step(1, 1.0));
    session.apply(Action::InspectShown);
    session.apply_event(step(2, 2.0));
    assert_eq!(session.inspector.latent.as_ref().unwrap().values()[0], 2.0);
    let other = latent().map(|_, _| 9.0);
    session.apply(Action::InspectLatent(other.clone(), crate::latent::LatentSpace::Model));
    session.apply_event(step(3, 3.0));
    assert_eq!(session.inspector.latent, Some(other), "a latent opened from a file stays");
}
