//! The session's rules.

use std::sync::Arc;

use super::*;
use crate::catalog::{ImageSize, ModelProfile};
use crate::engine::{Advice, Command, Event, Failure, Job, JobKind, Task};
use crate::latent::{
    Blend, BlendMode, ChannelAdjustment, Latent, LatentFormat, LatentShape, LatentSpace, Trajectory,
    TrajectoryStep,
};
use crate::request::{DecodeChoice, Picture, Seed, TileChoice};

pub(super) fn profile() -> Arc<ModelProfile> {
    Arc::new(ModelProfile::made_up())
}

pub(super) fn ready() -> Session {
    let mut session = Session::new(ModelSource::Builtin, Vec::new());
    let Some(Effect::Send(Command::Run(Job { id: job, kind: JobKind::LoadModel { .. }, .. }))) =
        session.take_effects().pop()
    else {
        panic!()
    };
    session.apply_event(Event::ModelLoaded {
        job,
        profile: profile(),
        device: "CPU".into(),
        in_halves: false,
        elapsed_secs: 0.1,
    });
    session
}

pub(super) fn sent_job(session: &mut Session) -> Option<JobId> {
    session.take_effects().into_iter().find_map(|effect| match effect {
        Effect::Send(Command::Run(Job { id: job, kind: JobKind::Generate { .. }, .. })) => Some(job),
        _ => None,
    })
}

pub(super) fn latent() -> Latent {
    Latent::zeros(LatentShape::new(4, 8, 8))
}

pub(super) fn finish(session: &mut Session, job: JobId) {
    let trajectory = Arc::new(Trajectory::default());
    session.apply_event(Event::Sampled { job, latent: latent(), trajectory, finished_early: false });
    let picture = Picture::new(64, 64, vec![0; 64 * 64 * 3]).unwrap();
    session.apply_event(Event::Decoded { job, picture, notice: None, elapsed_secs: 1.0 });
}

#[test]
fn a_loaded_model_brings_its_suggestions_and_keeps_the_prompt() {
    let mut session = Session::new(ModelSource::Builtin, Vec::new());
    session.recipe.draft.prompt = "a fox".into();
    let Some(Effect::Send(Command::Run(Job { id: job, kind: JobKind::LoadModel { .. }, .. }))) =
        session.take_effects().pop()
    else {
        panic!()
    };
    session.apply_event(Event::ModelLoaded {
        job,
        profile: profile(),
        device: "CPU".into(),
        in_halves: false,
        elapsed_secs: 0.1,
    });
    assert_eq!((session.recipe.draft.prompt.as_str(), session.recipe.draft.steps), ("a fox", 4));
    assert!(session.is_ready());
}

#[test]
fn what_is_asked_for_while_the_model_loads_is_drawn_when_it_is_there() {
    let load = |session: &mut Session| {
        let Some(Effect::Send(Command::Run(Job { id: job, kind: JobKind::LoadModel { .. }, .. }))) =
            session.take_effects().pop()
        else {
            panic!()
        };
        job
    };
    let loaded = |job| Event::ModelLoaded {
        job,
        profile: profile(),
        device: "CPU".into(),
        in_halves: false,
        elapsed_secs: 0.1,
    };
    let mut session = Session::new(ModelSource::Builtin, Vec::new());
    let job = load(&mut session);
    session.recipe.draft.prompt = "a fox".into();
    session.apply(Action::Generate);
    assert_eq!((session.asked_while_loading(), session.unfinished()), (1, 1));
    session.recipe.draft.prompt = "an owl".into();
    session.recipe.batch = 2;
    session.apply(Action::Generate);
    assert!(sent_job(&mut session).is_none());
    session.apply_event(loaded(job));
    assert!(sent_job(&mut session).is_some());
    let fox = session.queue.running.as_ref().unwrap().request.clone();
    assert_eq!((fox.prompt.as_str(), fox.steps), ("a fox", 4), "as it was when it was asked for");
    let owls: Vec<_> =
        session.queue.waiting.iter().map(|q| (q.request.prompt.as_str(), q.request.seed)).collect();
    assert_eq!(owls, [("an owl", fox.seed.nth(1)), ("an owl", fox.seed.nth(2))]);
    assert_eq!(session.unfinished(), 3);

    let mut session = Session::new(ModelSource::Builtin, Vec::new());
    let job = load(&mut session);
    session.apply(Action::Generate);
    session.apply(Action::StopNow);
    session.apply_event(loaded(job));
    assert_eq!(sent_job(&mut session), None, "it was taken back");

    let mut session = Session::new(ModelSource::Folder("/gone".into()), Vec::new());
    let job = load(&mut session);
    session.recipe.draft.prompt = "a fox".into();
    session.apply(Action::Generate);
    let failure = Failure { task: Task::LoadModel, why: "it is gone".into(), advice: None };
    session.apply_event(Event::Failed { job, failure });
    assert_eq!((sent_job(&mut session), session.unfinished()), (None, 1), "it waits for another model");
    session.apply(Action::SetModel(ModelSource::Builtin));
    let job = load(&mut session);
    session.apply_event(loaded(job));
    assert!(sent_job(&mut session).is_some());
    let request = &session.queue.running.as_ref().unwrap().request;
    assert_eq!((request.prompt.as_str(), &request.model), ("a fox", &ModelSource::Builtin));
}

#[test]
fn a_batch_runs_one_after_another_with_consecutive_seeds() {
    let mut session = ready();
    session.recipe.draft.seed = Seed(10);
    session.recipe.batch = 3;
    session.apply(Action::Generate);
    assert_eq!((session.queue.waiting.len(), session.recipe.draft.seed), (2, Seed(13)));
    for expected in 0..3 {
        let job = sent_job(&mut session).unwrap();
        assert_eq!(session.queue.running.as_ref().unwrap().request.seed, Seed(10 + expected));
        finish(&mut session, job);
    }
    assert!(session.queue.running.is_none() && sent_job(&mut session).is_none());
    assert_eq!(session.results.items.len(), 3);
    assert_eq!(session.results.shown, Shown::Result(0), "the first picture was shown and stays");
}

#[test]
fn the_three_stops_do_what_they_say() {
    let mut session = ready();
    session.recipe.batch = 3;
    session.apply(Action::Generate);
    session.apply(Action::StopAfter);
    assert!(session.queue.waiting.is_empty() && session.queue.running.is_some());
    session.apply(Action::FinishNow);
    let cancel = session.queue.running.as_ref().unwrap().cancel.clone();
    assert!(cancel.ends_sampling() && !cancel.is_stopped());
    session.apply(Action::StopNow);
    assert!(cancel.is_stopped());
    let job = session.queue.running.as_ref().unwrap().id;
    session.apply_event(Event::Cancelled { job });
    assert!(session.queue.running.is_none());
}

/// A step of four.
fn step(step: usize, denoised: Latent) -> std::sync::Arc<TrajectoryStep> {
    TrajectoryStep { step, steps: 4, sigma: 1.0, noisy: latent(), denoised, elapsed_secs: 0.1 }.into()
}

#[test]
fn events_of_foreign_jobs_change_nothing() {
    let mut session = ready();
    session.apply(Action::Generate);
    let foreign = JobId(999);
    session.apply_event(Event::StepFinished { job: foreign, step: step(1, latent()) });
    session.apply_event(Event::Cancelled { job: foreign });
    assert!(session.queue.running.as_ref().unwrap().newest.is_none());
}

#[test]
fn a_failed_decode_keeps_the_latent() {
    let mut session = ready();
    session.apply(Action::Generate);
    let job = sent_job(&mut session).unwrap();
    let trajectory = Arc::new(Trajectory::default());
    session.apply_event(Event::Sampled { job, latent: latent(), trajectory, finished_early: false });
    let failure = Failure { task: Task::Decode, why: "NaN".into(), advice: Some(Advice::OtherVae) };
    session.apply_event(Event::Failed { job, failure });
    assert_eq!(session.results.items[0].latent, latent());
    assert!(matches!(session.results.items[0].outcome, Outcome::Failed(_)));
    assert_eq!(session.notices.list.len(), 1);
}

#[test]
fn a_load_that_fails_ends_there_and_one_that_is_stopped_begins_again() {
    let loads = |session: &mut Session| {
        let effects = session.take_effects();
        effects
            .iter()
            .filter(|effect| {
                matches!(effect, Effect::Send(Command::Run(Job { kind: JobKind::LoadModel { .. }, .. })))
            })
            .count()
    };
    // A picture whose model has to be loaded anew: the device was changed.
    let mut session = ready();
    session.apply(Action::Generate);
    let job = sent_job(&mut session).unwrap();
    let loading = |job| Event::StageChanged {
        job,
        stage: crate::engine::Stage::Loading { part: "unet".into(), done: 0, total: 3 },
    };
    session.apply_event(loading(job));
    let failure = Failure { task: Task::LoadModel, why: "it is damaged".into(), advice: None };
    session.apply_event(Event::Failed { job, failure });
    assert_eq!(loads(&mut session), 0);
    assert_eq!(session.model.state, ModelState::Failed("it is damaged".into()));

    let mut session = ready();
    session.apply(Action::Generate);
    let job = sent_job(&mut session).unwrap();
    session.apply_event(loading(job));
    session.apply(Action::StopNow);
    session.apply_event(Event::Cancelled { job });
    assert_eq!(loads(&mut session), 1);
}

#[test]
fn a_wrong_draft_is_a_notice_and_no_job() {
    let mut session = ready();
    session.recipe.draft.size = ImageSize::new(33, 64);
    session.apply(Action::Generate);
    assert!(session.queue.running.is_none() && sent_job(&mut session).is_none());
    assert!(
        matches!(&session.notices.list[0].message, Message::NotDrawable(error) if error.to_string().contains("33×64"))
    );
}

#[test]
fn an_inspected_picture_is_encoded_and_decoded_again() {
    let mut session = ready();
    let picture = Picture::new(70, 66, vec![0; 70 * 66 * 3]).unwrap();
    session.apply(Action::InspectPicture { picture, name: "a.png".into(), transparent: false });
    let Some(Effect::Send(Command::Run(Job { id: job, kind: JobKind::Encode { picture, .. }, .. }))) =
        session.take_effects().pop()
    else {
        panic!()
    };
    assert_eq!((picture.width(), picture.height()), (64, 64));
    session.apply_event(Event::Encoded { job, mean: latent(), log_variance: latent(), elapsed_secs: 0.1 });
    let Some(Effect::Send(Command::Run(Job { id: job, kind: JobKind::Decode { .. }, .. }))) =
        session.take_effects().pop()
    else {
        panic!()
    };
    session.apply_event(Event::Decoded { job, picture, notice: None, elapsed_secs: 0.1 });
    assert!(session.inspector.original.is_some() && session.inspector.decoded.is_some());
    assert_eq!(session.results.items.len(), 0);
    assert_eq!(session.inspector.name, "a.png");
    assert_eq!(session.inspector.posterior_sigma, [1.0; 4], "a log-variance of 0");
    let compares =
        |effect: &Effect| matches!(effect, Effect::Compare { downscale: 8, latent_bytes: 512, .. });
    assert!(session.take_effects().iter().any(compares));

    let wanted = DecodeChoice { tiles: Some(TileChoice::Always), in_f32: false };
    session.apply(Action::DecodeInspected(wanted));
    let Some(Effect::Send(Command::Run(Job { kind: JobKind::Decode { how, .. }, .. }))) =
        session.take_effects().pop()
    else {
        panic!()
    };
    assert_eq!(how, wanted);
}

#[test]
fn adjustments_can_be_undone() {
    let mut session = ready();
    session.inspector.open(latent().map(|_, _| 1.0), LatentFormat::STABLE_DIFFUSION);
    let doubled = ChannelAdjustment { gain: 2.0, ..ChannelAdjustment::default() };
    session.apply(Action::Touch(Touch::Channel { index: 0, adjustment: doubled, begins: true }));
    assert_eq!(session.inspector.adjusted().unwrap().values()[0], 2.0);
    session.apply(Action::Touch(Touch::Undo));
    assert_eq!(session.inspector.adjusted().unwrap().values()[0], 1.0);
    session.apply(Action::Touch(Touch::Redo));
    assert_eq!(session.inspector.adjustments.channels[0].gain, 2.0);
}

#[test]
fn a_latent_view_opened_from_the_canvas_follows_the_steps() {
    let mut session = ready();
    session.apply(Action::Generate);
    let job = sent_job(&mut session).unwrap();
    let step = |at, value: f32| Event::StepFinished { job, step: step(at, latent().map(|_, _| value)) };
    session.apply_event(step(1, 1.0));
    session.apply(Action::InspectShown);
    session.apply_event(step(2, 2.0));
    assert_eq!(session.inspector.latent.as_ref().unwrap().values()[0], 2.0);
    let other = latent().map(|_, _| 9.0);
    let space = Some(LatentSpace::Model);
    session.apply(Action::InspectLatent { latent: other.clone(), space, name: "a.npy".into() });
    session.apply_event(step(3, 3.0));
    assert_eq!(session.inspector.latent, Some(other), "a latent opened from a file stays");
}

#[test]
fn a_picture_that_is_no_multiple_can_be_padded_instead() {
    let mut session = ready();
    let picture = Picture::new(70, 66, vec![0; 70 * 66 * 3]).unwrap();
    session.apply(Action::InspectPicture { picture, name: String::new(), transparent: false });
    session.take_effects();
    let padded = OpenOptions { framing: Framing::Pad, ..OpenOptions::default() };
    session.apply(Action::SetOpenOptions(padded));
    let Some(Effect::Send(Command::Run(Job { kind: JobKind::Encode { picture, .. }, .. }))) =
        session.take_effects().pop()
    else {
        panic!()
    };
    assert_eq!((picture.width(), picture.height()), (72, 72));
}

#[test]
fn files_opened_together_are_turned_one_by_one() {
    let mut session = ready();
    session.apply(Action::OpenPaths(vec!["a".into(), "b".into()]));
    let read = |session: &mut Session| match session.take_effects().pop() {
        Some(Effect::Read(path)) => path.display().to_string(),
        _ => String::new(),
    };
    assert_eq!(read(&mut session), "a");
    session.apply(Action::TurnRoll(1));
    assert_eq!((read(&mut session).as_str(), session.opening.roll_at), ("b", 1));
    session.apply(Action::TurnRoll(1));
    assert_eq!(read(&mut session), "", "there is no third");
}

#[test]
fn a_latent_that_does_not_say_its_space_is_asked_about() {
    let mut session = ready();
    let ones = latent().map(|_, _| 1.0);
    session.apply(Action::InspectLatent { latent: ones.clone(), space: None, name: "a.npy".into() });
    assert!(matches!(session.opening.question, Some(Question::LatentKind { .. })));
    assert!(session.inspector.latent.is_none());
    // In SDXL's model space: 1 / 0.13025 in VAE space, times 0.18215 in this model's.
    session.apply(Action::AnswerKind(LatentSpace::Model, LatentFormat::SDXL));
    let opened = session.inspector.latent.as_ref().unwrap().values()[0];
    assert!((opened - 0.18215 / 0.13025).abs() < 1e-6);
    assert!(session.opening.question.is_none());
}

#[test]
fn a_latent_of_other_channels_waits_for_a_model_that_fits() {
    let mut session = ready();
    let sixteen = Latent::zeros(LatentShape::new(16, 8, 8));
    session.apply(Action::InspectLatent {
        latent: sixteen.clone(),
        space: Some(LatentSpace::Vae),
        name: "f".into(),
    });
    assert!(matches!(session.take_effects()[..], [Effect::FindModels(16)]));
    let flux = ModelSource::Folder("/models/flux".into());
    session.apply(Action::ModelsFound(vec![flux.clone()]));
    session.apply(Action::AnswerModel(flux.clone()));
    let Some(Effect::Send(Command::Run(Job { id: job, kind: JobKind::LoadModel { .. }, .. }))) =
        session.take_effects().pop()
    else {
        panic!()
    };
    let other = ModelProfile { source: flux, format: LatentFormat::FLUX, ..(*profile()).clone() };
    let loaded = Event::ModelLoaded {
        job,
        profile: Arc::new(other),
        device: "CPU".into(),
        in_halves: false,
        elapsed_secs: 0.1,
    };
    session.apply_event(loaded);
    assert_eq!(session.inspector.latent.as_ref().unwrap().shape(), sixteen.shape());
}

#[test]
fn a_blend_is_one_of_the_touches_and_the_kept_latent_survives_the_next_file() {
    let mut session = ready();
    session.inspector.open(latent().map(|_, _| 2.0), LatentFormat::STABLE_DIFFUSION);
    session.apply(Action::Touch(Touch::Hold));
    let zeros = latent();
    session.apply(Action::InspectLatent { latent: zeros, space: Some(LatentSpace::Model), name: "z".into() });
    let (_, held) = session.inspector.held.clone().unwrap();
    let blend = Some(Blend { with: held, amount: 0.25, mode: BlendMode::Lerp });
    session.apply(Action::Touch(Touch::Blend { blend, begins: true }));
    assert_eq!(session.inspector.adjusted().unwrap().values()[0], 0.5);
    session.apply(Action::Touch(Touch::Reset));
    assert_eq!(session.inspector.adjusted().unwrap().values()[0], 0.0);
}

#[test]
fn a_preview_is_fitted_after_the_first_picture_and_gives_way_to_the_next() {
    let mut session = ready();
    let other = ModelSource::Folder("/models/other".into());
    session.apply(Action::SetModel(other.clone()));
    let Some(Effect::Send(Command::Run(Job { id: job, kind: JobKind::LoadModel { .. }, .. }))) =
        session.take_effects().pop()
    else {
        panic!()
    };
    let theirs = ModelProfile { source: other, ..(*profile()).clone() };
    let loaded = Event::ModelLoaded {
        job,
        profile: Arc::new(theirs),
        device: "CPU".into(),
        in_halves: false,
        elapsed_secs: 0.1,
    };
    session.apply_event(loaded);
    let fit = |session: &mut Session| {
        session.take_effects().into_iter().find_map(|effect| match effect {
            Effect::Send(Command::Run(Job {
                id: job,
                cancel,
                kind: JobKind::FitPreview { may_compute, .. },
                ..
            })) => Some((job, may_compute, cancel)),
            _ => None,
        })
    };
    let (job, may_compute, _) = fit(&mut session).expect("a kept fit is looked for");
    assert!(!may_compute);
    session.apply_event(Event::Cancelled { job });
    assert!(fit(&mut session).is_none(), "never before the first picture");
    session.apply(Action::Generate);
    let job = sent_job(&mut session).unwrap();
    finish(&mut session, job);
    let (job, may_compute, cancel) = fit(&mut session).expect("a quiet moment");
    assert!(may_compute && !cancel.is_stopped());
    session.apply(Action::Generate);
    assert!(cancel.is_stopped(), "the person comes first");
    let drawing = sent_job(&mut session).unwrap();
    session.apply_event(Event::Cancelled { job });
    assert!(fit(&mut session).is_none(), "not while a picture is drawn");
    finish(&mut session, drawing);
    assert!(fit(&mut session).is_some());
}
