//! Kept runs as the session knows them.

use std::sync::Arc;

use super::{HistoryAction, HistoryCommand, HistoryReport, OpenFor, OpenedRun, RunId, RunRecord, RunStatus};
use crate::catalog::ModelSource;
use crate::engine::{Command, Event, Job, JobId, JobKind, KeepRun};
use crate::formats::metadata::GenerationFacts;
use crate::latent::{Latent, LatentShape, Trajectory, TrajectoryStep};
use crate::reason::{Reason, ReasonKind};
use crate::request::{GenerationDraft, Picture, Seed};
use crate::session::tests::{finish, profile, ready, sent_job};
use crate::session::{Action, Document, DocumentId, Effect, Message, Session};
use crate::store::history::{PartRecord, RunOrigin};

fn run_id(number: u32) -> RunId {
    format!("20261130-120000-{number:08x}").parse().unwrap()
}

fn latent(value: f32) -> Latent {
    Latent::zeros(LatentShape::new(4, 8, 8)).map(|_, _| value)
}

fn steps(count: usize, of: usize) -> Vec<Arc<TrajectoryStep>> {
    let step = |i: usize| TrajectoryStep {
        step: i,
        steps: of,
        sigma: 1.0,
        noisy: latent(0.5),
        denoised: latent(i as f32),
        outputs: vec![latent(i as f32)],
        elapsed_secs: 0.1,
    };
    (1..=count).map(|i| Arc::new(step(i))).collect()
}

fn picture() -> Picture {
    Picture::new(64, 64, vec![7; 64 * 64 * 3]).unwrap()
}

/// A run of eight steps, the first `taken` of which are finished.
fn opened(number: u32, taken: usize, status: RunStatus, model: ModelSource) -> OpenedRun {
    let draft = GenerationDraft {
        prompt: format!("run {number}"),
        seed: Seed(number.into()),
        steps: 8,
        ..GenerationDraft::new(&profile())
    };
    let facts = GenerationFacts::of_request(&draft, "test");
    let is_finished = status == RunStatus::Finished;
    let record = RunRecord {
        id: run_id(number),
        created_ms: 0,
        model,
        model_name: "test".into(),
        family: "Stable Diffusion 1".into(),
        format: profile().format,
        vae_hash: String::new(),
        parts: vec![PartRecord { facts, ..PartRecord::default() }],
        origin: None,
        grid: None,
        status,
        steps_planned: 8,
        steps_done: taken,
        steps_kept: taken,
        finished_early: false,
        elapsed_secs: 3.0,
        stars: 2,
        other: serde_json::Map::new(),
    };
    OpenedRun {
        record,
        trajectory: Trajectory { source: None, steps: steps(taken, 8) },
        latent: is_finished.then(|| latent(9.0)),
        picture: is_finished.then(picture),
        source: None,
        retouched: vec![None],
    }
}

fn commands(session: &mut Session) -> Vec<HistoryCommand> {
    let effects = session.take_effects().into_iter();
    effects
        .filter_map(|effect| match effect {
            Effect::History(command) => Some(command),
            _ => None,
        })
        .collect()
}

fn say(session: &mut Session, report: HistoryReport) {
    session.apply(Action::HistorySays(report));
}

#[test]
fn a_kept_run_is_saved_and_asks_for_no_recovery() {
    let mut session = ready();
    session.apply(Action::Generate);
    let job = sent_job(&mut session).unwrap();
    session.apply_event(Event::RunKept { job, run: run_id(1) });
    finish(&mut session, job);
    let document = session.document(DocumentId::of_job(job)).unwrap();
    assert_eq!((document.run(), document.is_unsaved()), (Some(&run_id(1)), false));
    assert!(!session.take_effects().iter().any(|effect| matches!(effect, Effect::Keep(_))));
    // What could not be kept in the end is kept as without a history.
    let why = Reason::new(ReasonKind::EngineGone, "the disk is full");
    session.apply_event(Event::RunNotKept { job, why: why.clone() });
    let document = session.document(DocumentId::of_job(job)).unwrap();
    assert_eq!((document.run(), document.is_unsaved()), (None, true));
    assert!(session.take_effects().iter().any(|effect| matches!(effect, Effect::Keep(kept) if *kept == job)));
    assert!(session.notices().iter().any(|notice| notice.message == Message::RunNotKept(why.clone())));
}

#[test]
fn a_run_is_shown_with_its_steps_its_picture_and_its_stars() {
    let mut session = ready();
    session.apply(Action::History(HistoryAction::Show(run_id(3))));
    assert_eq!(commands(&mut session), [HistoryCommand::Open(run_id(3), OpenFor::Show)]);
    let run = opened(3, 8, RunStatus::Finished, ModelSource::Folder("/another".into()));
    say(&mut session, HistoryReport::Opened(Box::new(run), OpenFor::Show));
    let document = session.on_easel().unwrap();
    assert_eq!((document.steps().len(), document.picture().is_some(), document.stars()), (8, true, 2));
    assert_eq!(document.request().unwrap().prompt, "run 3");
    assert_eq!(document.request().unwrap().seed, Seed(3));
    assert!(document.change(1).unwrap() > 0.4 && !document.is_unsaved());
    // A second time it is the same document.
    let id = document.id();
    session.apply(Action::History(HistoryAction::Show(run_id(3))));
    assert!(commands(&mut session).is_empty());
    assert_eq!((session.documents().count(), session.on_easel().unwrap().id()), (1, id));
    session.apply(Action::SetStars(id, 5));
    assert_eq!(commands(&mut session), [HistoryCommand::SetStars(run_id(3), 5)]);
    // Its removal is undone, or final once the message has left.
    session.apply(Action::Remove(id));
    assert!(commands(&mut session).is_empty());
    session.apply(Action::Dismiss(session.notices().last().unwrap().id));
    assert_eq!(commands(&mut session), [HistoryCommand::Delete(vec![run_id(3)])]);
}

#[test]
fn interrupted_runs_go_on_as_themselves_with_the_models_that_began_them() {
    let mut session = ready();
    let other = ModelSource::Folder("/other".into());
    let summaries: Vec<_> = [
        opened(1, 3, RunStatus::Running, ModelSource::Builtin),
        opened(2, 5, RunStatus::Running, other.clone()),
    ]
    .iter()
    .map(|run| (&run.record).into())
    .collect();
    say(&mut session, HistoryReport::Interrupted(summaries));
    assert!(session.notices().iter().any(|notice| notice.message == Message::Interrupted(2)));
    session.apply(Action::History(HistoryAction::GoOnWithInterrupted));
    let open = |number| HistoryCommand::Open(run_id(number), OpenFor::GoOn);
    assert_eq!(commands(&mut session), [open(1), open(2)]);
    assert!(session.notices().is_empty());
    say(
        &mut session,
        HistoryReport::Opened(
            Box::new(opened(1, 3, RunStatus::Running, ModelSource::Builtin)),
            OpenFor::GoOn,
        ),
    );
    let effects = session.take_effects();
    let job = effects.iter().find_map(|effect| match effect {
        Effect::Send(Command::Run(Job {
            id, kind: JobKind::Generate { request, continues, keep }, ..
        })) => Some((*id, request.clone(), continues.clone(), keep.clone())),
        _ => None,
    });
    let (id, request, continues, keep) = job.unwrap();
    assert_eq!(keep, KeepRun::Again(run_id(1)));
    let continues = continues.unwrap();
    assert_eq!((continues.finished.steps.len(), continues.parts.len()), (3, 1));
    assert!(!continues.begins_part(&request), "with the same settings");
    finish(&mut session, id);
    // The second waits for its model.
    say(
        &mut session,
        HistoryReport::Opened(Box::new(opened(2, 5, RunStatus::Running, other.clone())), OpenFor::GoOn),
    );
    let load = session.take_effects().into_iter().find_map(|effect| match effect {
        Effect::Send(Command::Run(Job { kind: JobKind::LoadModel { model, .. }, .. })) => Some(model),
        _ => None,
    });
    assert_eq!(load, Some(other));
}

#[test]
fn a_finished_run_is_gone_on_with_as_a_new_one_and_one_without_steps_is_not() {
    let mut session = ready();
    let stopped = opened(4, 5, RunStatus::Stopped, ModelSource::Builtin);
    say(&mut session, HistoryReport::Opened(Box::new(stopped), OpenFor::GoOn));
    let keep = session.take_effects().into_iter().find_map(|effect| match effect {
        Effect::Send(Command::Run(Job { kind: JobKind::Generate { keep, .. }, .. })) => Some(keep),
        _ => None,
    });
    assert_eq!(keep, Some(KeepRun::Fork(RunOrigin { run: run_id(4), step: 5 })));
    let mut thinned = opened(5, 8, RunStatus::Finished, ModelSource::Builtin);
    thinned.trajectory.steps.clear();
    say(&mut session, HistoryReport::Opened(Box::new(thinned), OpenFor::GoOn));
    assert!(session.notices().iter().any(|notice| notice.message == Message::RunIsThinned));
}

#[test]
fn settings_of_a_run_come_back_into_the_recipe() {
    let mut session = ready();
    let run = opened(6, 8, RunStatus::Finished, ModelSource::Builtin);
    say(&mut session, HistoryReport::Opened(Box::new(run), OpenFor::Settings));
    let draft = session.draft();
    assert_eq!((draft.prompt.as_str(), draft.seed, draft.steps), ("run 6", Seed(6), 8));
}

#[test]
fn documents_that_were_not_looked_at_hold_thumbnails_and_are_read_again() {
    let mut session = ready();
    let mut jobs: Vec<JobId> = Vec::new();
    for number in 0..30 {
        session.apply(Action::Generate);
        let job = sent_job(&mut session).unwrap();
        session.apply_event(Event::RunKept { job, run: run_id(number) });
        let trajectory = Arc::new(Trajectory { source: None, steps: steps(8, 8) });
        session.apply_event(Event::Sampled { job, latent: latent(1.0), trajectory, finished_early: false });
        session.apply_event(Event::Decoded { job, picture: picture(), notice: None, elapsed_secs: 1.0 });
        jobs.push(job);
    }
    let held =
        |session: &Session| session.documents().filter(|document| !document.steps().is_empty()).count();
    assert!(held(&session) <= 14, "{}", held(&session));
    let first = DocumentId::of_job(jobs[0]);
    let document = session.document(first).unwrap();
    assert!(document.plain_picture().is_none() && document.thumbnail().is_some() && !document.is_unsaved());
    session.take_effects();
    session.apply(Action::Show(first));
    assert_eq!(commands(&mut session), [HistoryCommand::Open(run_id(0), OpenFor::Show)]);
    let run = opened(0, 8, RunStatus::Finished, ModelSource::Builtin);
    say(&mut session, HistoryReport::Opened(Box::new(run), OpenFor::Show));
    let document = session.on_easel().unwrap();
    assert_eq!((document.id(), document.steps().len()), (first, 8));
    assert!(document.picture().is_some() && document.thumbnail().is_none());
    assert_eq!(session.documents().filter(|document| document.result().is_some()).count(), 30);
}

#[test]
fn thumbnails_are_asked_for_once_and_deleted_runs_leave() {
    let mut session = ready();
    session.runs_are_kept(true);
    let summaries = |numbers: &[u32]| {
        numbers
            .iter()
            .map(|n| (&opened(*n, 8, RunStatus::Finished, ModelSource::Builtin).record).into())
            .collect()
    };
    say(&mut session, HistoryReport::Listed(summaries(&[2, 1])));
    let want = |session: &mut Session| {
        session.apply(Action::History(HistoryAction::WantThumbnails(vec![run_id(1), run_id(2)])));
        commands(session)
    };
    assert_eq!(want(&mut session), [HistoryCommand::Thumbnails(vec![run_id(1), run_id(2)])]);
    assert!(want(&mut session).is_empty());
    say(&mut session, HistoryReport::Thumbnail(run_id(1), Some(picture())));
    say(&mut session, HistoryReport::Thumbnail(run_id(2), None));
    assert!(want(&mut session).is_empty());
    assert!(
        session.history().thumbnail(&run_id(1)).is_some()
            && session.history().thumbnail(&run_id(2)).is_none()
    );
    let run = opened(1, 8, RunStatus::Finished, ModelSource::Builtin);
    say(&mut session, HistoryReport::Opened(Box::new(run), OpenFor::Show));
    say(&mut session, HistoryReport::Deleted(vec![run_id(1)]));
    assert_eq!(session.history().runs().len(), 1);
    assert!(session.documents().all(|document: &Document| document.run().is_none()), "its document has left");
}

#[test]
fn the_thumbnail_of_a_run_that_was_being_written_is_asked_for_again() {
    let mut session = ready();
    session.runs_are_kept(true);
    let listed = |status| {
        let record = opened(1, 8, status, ModelSource::Builtin).record;
        HistoryReport::Listed(vec![(&record).into()])
    };
    let want = |session: &mut Session| {
        session.apply(Action::History(HistoryAction::WantThumbnails(vec![run_id(1)])));
        commands(session).len()
    };
    say(&mut session, listed(RunStatus::Running));
    assert_eq!(want(&mut session), 1);
    say(&mut session, HistoryReport::Thumbnail(run_id(1), None));
    say(&mut session, listed(RunStatus::Finished));
    assert_eq!(want(&mut session), 1, "it may have one now");
    say(&mut session, HistoryReport::Thumbnail(run_id(1), None));
    say(&mut session, listed(RunStatus::Finished));
    assert_eq!(want(&mut session), 0, "it has none");
}

#[test]
fn found_runs_are_listed_by_similarity_and_filtered_by_all_but_the_words() {
    use super::RunFilter;
    let mut session = ready();
    let summaries =
        [3, 2, 1].map(|n| (&opened(n, 8, RunStatus::Finished, ModelSource::Builtin).record).into());
    say(&mut session, HistoryReport::Listed(summaries.into()));
    let found = [(run_id(1), 0.9), (run_id(3), 0.5), (run_id(7), 0.4), (run_id(2), -0.1)];
    let filter = RunFilter { search: "no such words".into(), ..RunFilter::default() };
    let history = session.history();
    // One that was deleted meanwhile is left out.
    assert_eq!(history.listed_found(&found, &filter, 0), [2, 0, 1]);
    let other = RunFilter { model: Some("another".into()), ..filter };
    assert_eq!(history.listed_found(&found, &other, 0), [0; 0]);
}
