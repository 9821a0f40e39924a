//! Tests of the session.

mod documents;
mod inside;
mod models;
mod opening;
mod queue;
mod reels;
mod tiny;

use std::sync::Arc;

use super::*;
use crate::catalog::{ImageSize, ModelProfile};
use crate::engine::{Advice, Command, Event, Failure, Job, JobId, JobKind, Task};
use crate::latent::{
    Blend, BlendMode, ChannelAdjustment, Latent, LatentFormat, LatentShape, LatentSpace, Trajectory,
    TrajectoryStep,
};
use crate::request::{DecodeChoice, Picture, PromptLength, Seed, TileChoice};

pub(super) fn profile() -> Arc<ModelProfile> {
    Arc::new(ModelProfile::made_up())
}

/// The job that loads a model, which the engine was asked last.
fn load_job(session: &mut Session) -> JobId {
    let Some(Effect::Send(Command::Run(Job { id, kind: JobKind::LoadModel { .. }, .. }))) =
        session.take_effects().pop()
    else {
        panic!("no model is to be loaded")
    };
    id
}

pub(super) fn loaded(job: JobId, profile: Arc<ModelProfile>) -> Event {
    Event::ModelLoaded { job, profile, device: "CPU".into(), in_halves: false, elapsed_secs: 0.1 }
}

pub(super) fn ready() -> Session {
    let mut session = Session::new(ModelSource::Builtin, Vec::new());
    let job = load_job(&mut session);
    session.apply_event(loaded(job, profile()));
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

/// A step of four.
fn step(step: usize, denoised: Latent) -> std::sync::Arc<TrajectoryStep> {
    let outputs = vec![denoised.clone()];
    TrajectoryStep { step, steps: 4, sigma: 1.0, noisy: latent(), denoised, outputs, elapsed_secs: 0.1 }
        .into()
}

/// Opens a file and returns the id of its document.
fn open_file(session: &mut Session, name: &str, content: FileContent) -> DocumentId {
    session.apply(Action::OpenPaths(vec![name.into()]));
    let Some(Effect::Read(id, _)) = session.take_effects().pop() else { panic!() };
    session.apply(Action::FileRead(id, Box::new(content)));
    id
}

fn picture_content(width: usize, height: usize) -> FileContent {
    let picture = Picture::new(width, height, vec![0; width * height * 3]).unwrap();
    FileContent::Picture { picture, transparent: false, facts: None }
}

fn latent_content(value: f32) -> FileContent {
    FileContent::Latent { latent: latent().map(|_, _| value), space: Some(LatentSpace::Model) }
}

fn encode_job(session: &mut Session) -> Option<(JobId, Picture)> {
    session.take_effects().into_iter().find_map(|effect| match effect {
        Effect::Send(Command::Run(Job { id, kind: JobKind::Encode { picture, .. }, .. })) => {
            Some((id, picture))
        }
        _ => None,
    })
}

fn decode_job(session: &mut Session) -> Option<(JobId, DecodeChoice)> {
    session.take_effects().into_iter().find_map(|effect| match effect {
        Effect::Send(Command::Run(Job { id, kind: JobKind::Decode { how, .. }, .. })) => Some((id, how)),
        _ => None,
    })
}

/// The first value of the latent on the easel.
fn seen(session: &Session) -> f32 {
    session.on_easel().unwrap().inspector().latent.as_ref().unwrap().values()[0]
}

fn decoded(job: JobId) -> Event {
    let picture = Picture::new(64, 64, vec![0; 64 * 64 * 3]).unwrap();
    Event::Decoded { job, picture, notice: None, elapsed_secs: 1.0 }
}

/// A message that has left the easel can still be read.
#[test]
fn the_last_fifty_messages_are_kept() {
    let mut session = Session::new(ModelSource::Builtin, Vec::new());
    let first = session.notify(Message::NotSaved("0".into()));
    session.apply(Action::Dismiss(first));
    assert!(session.notices().is_empty());
    assert_eq!(session.past_messages().count(), 1);
    for number in 1..=50 {
        session.notify(Message::NotSaved(number.to_string().into()));
    }
    let past: Vec<&Message> = session.past_messages().map(|past| &past.message).collect();
    assert_eq!(past.len(), 50);
    assert_eq!((past[0], past[49]), (&Message::NotSaved("50".into()), &Message::NotSaved("1".into())));
}

/// One question at a time; the answer is that of the prompt that was asked about.
#[test]
fn the_prompt_is_measured_when_it_changed_and_the_engine_is_free() {
    let mut session = ready();
    let asked = |session: &mut Session| -> Vec<(JobId, String)> {
        session.measure_prompt();
        let jobs = session.take_effects().into_iter().filter_map(|effect| match effect {
            Effect::Send(Command::Run(Job { id, kind: JobKind::MeasurePrompt { prompt, .. }, .. })) => {
                Some((id, prompt))
            }
            _ => None,
        });
        jobs.collect()
    };
    session.draft_mut().prompt = "a fox".into();
    let first = asked(&mut session);
    assert_eq!((first.len(), first[0].1.as_str()), (1, "a fox"));
    session.draft_mut().prompt = "a red fox".into();
    assert!(asked(&mut session).is_empty(), "an answer is awaited");
    let length = |tokens| Some(PromptLength { chunks: vec![tokens], room: 75 });
    session.apply_event(Event::PromptMeasured { job: first[0].0, length: length(2), tokens: None });
    assert_eq!(session.prompt_length(), None, "that was another prompt");
    let second = asked(&mut session);
    assert_eq!(session.prompt_length().map(PromptLength::tokens), Some(2), "until the next answer");
    session.apply_event(Event::PromptMeasured { job: second[0].0, length: length(3), tokens: None });
    assert_eq!(session.prompt_length().map(PromptLength::tokens), Some(3));
    assert!(asked(&mut session).is_empty(), "it is known");
    // While a picture is drawn, nothing is asked.
    session.apply(Action::Generate);
    session.take_effects();
    session.draft_mut().prompt = "a blue fox".into();
    assert!(asked(&mut session).is_empty());
    assert_eq!(session.prompt_length(), None);
}
