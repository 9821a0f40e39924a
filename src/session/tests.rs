//! Tests of the session.

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
fn requests_made_while_the_model_loads_run_afterwards() {
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
    session.apply(Action::StopAll);
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
    assert_eq!(session.unsaved().count(), 3);
    assert_eq!(session.on_easel().unwrap().id(), session.documents().next().unwrap().id());
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
    session.apply(Action::Stop);
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
    let item = session.result(job).unwrap();
    assert_eq!(item.latent, latent());
    assert!(matches!(item.outcome, Outcome::Failed(_)));
    assert_eq!(session.notices.list.len(), 1);
}

#[test]
fn a_failed_load_is_not_repeated_and_a_stopped_one_is() {
    let loads = |session: &mut Session| {
        let effects = session.take_effects();
        effects
            .iter()
            .filter(|effect| {
                matches!(effect, Effect::Send(Command::Run(Job { kind: JobKind::LoadModel { .. }, .. })))
            })
            .count()
    };
    // A job whose model has to be loaded again, because the device was changed.
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
    assert_eq!(session.model.state, ModelState::Failed(Some("it is damaged".into())));

    let mut session = ready();
    session.apply(Action::Generate);
    let job = sent_job(&mut session).unwrap();
    session.apply_event(loading(job));
    session.apply(Action::StopAll);
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

#[test]
fn an_opened_picture_is_encoded_decoded_and_measured() {
    let mut session = ready();
    let id = open_file(&mut session, "a.png", picture_content(70, 66));
    let (job, picture) = encode_job(&mut session).unwrap();
    assert_eq!((picture.width(), picture.height()), (64, 64));
    assert_eq!(session.on_easel().unwrap().work().unwrap().kind, WorkKind::Encoding);
    session.apply_event(Event::Encoded { job, mean: latent(), log_variance: latent(), elapsed_secs: 0.1 });
    let (job, _) = decode_job(&mut session).unwrap();
    session.apply_event(decoded(job));
    let document = session.document(id).unwrap();
    assert!(document.original().is_some() && document.picture().is_some() && document.work().is_none());
    assert_eq!(document.title(), Title::File("a.png".into()));
    let file = document.file().unwrap();
    assert_eq!(file.posterior_sigma, [1.0; 4], "a log-variance of 0");
    assert!(!document.is_unsaved(), "it is a file already");
    let compares =
        |effect: &Effect| matches!(effect, Effect::Compare { downscale: 8, latent_bytes: 512, .. });
    assert!(session.take_effects().iter().any(compares));

    let wanted = DecodeChoice { tiles: Some(TileChoice::Always), in_f32: false };
    session.apply(Action::Decode(wanted));
    assert_eq!(decode_job(&mut session).unwrap().1, wanted);
}

/// Regression test: showing another document used to lose an opened file.
#[test]
fn no_document_is_lost_by_looking_at_another() {
    let mut session = ready();
    let file = open_file(&mut session, "a.latent", latent_content(1.0));
    let job = decode_job(&mut session).unwrap().0;
    session.apply_event(decoded(job));
    let doubled = ChannelAdjustment { gain: 2.0, ..ChannelAdjustment::default() };
    session.apply(Action::Touch(Touch::Channel { index: 0, adjustment: doubled, begins: true }));
    session.apply(Action::SetLens(Lens::at_scale(3.0)));
    session.apply(Action::Generate);
    let job = sent_job(&mut session).unwrap();
    finish(&mut session, job);
    let drawn = session.on_easel().unwrap();
    assert_eq!((drawn.id(), drawn.lens()), (DocumentId::of_job(job), Lens::default()), "a lens of its own");
    session.apply(Action::Show(file));
    let back = session.on_easel().unwrap();
    assert_eq!((back.id(), back.lens()), (file, Lens::at_scale(3.0)));
    assert_eq!(back.inspector().adjusted().unwrap().values()[0], 2.0, "its edits");
    session.apply(Action::Touch(Touch::Undo));
    assert_eq!(session.on_easel().unwrap().inspector().adjusted().unwrap().values()[0], 1.0, "its undo");
}

/// Regression test: only the first picture of a batch was shown while it was generated.
#[test]
fn the_easel_follows_a_batch_until_another_document_is_looked_at() {
    let mut session = ready();
    session.recipe.batch = 3;
    session.apply(Action::Generate);
    let first = sent_job(&mut session).unwrap();
    assert_eq!(session.on_easel().unwrap().id(), DocumentId::of_job(first));
    finish(&mut session, first);
    let second = sent_job(&mut session).unwrap();
    assert_eq!(session.on_easel().unwrap().id(), DocumentId::of_job(first), "until something of it is there");
    session.apply_event(Event::StepFinished { job: second, step: step(1, latent()) });
    assert_eq!(session.on_easel().unwrap().id(), DocumentId::of_job(second));
    session.apply(Action::Show(DocumentId::of_job(first)));
    session.apply_event(Event::StepFinished { job: second, step: step(2, latent()) });
    finish(&mut session, second);
    let third = sent_job(&mut session).unwrap();
    session.apply_event(Event::StepFinished { job: third, step: step(1, latent()) });
    assert_eq!(session.on_easel().unwrap().id(), DocumentId::of_job(first), "the user chose it");
    session.apply(Action::GoLive);
    assert_eq!(session.on_easel().unwrap().id(), DocumentId::of_job(third));
}

/// Regression test: stopping a run used to discard its steps and leave the window empty.
#[test]
fn a_stopped_run_stays_as_a_document_with_its_steps() {
    let mut session = ready();
    session.apply(Action::Generate);
    let job = sent_job(&mut session).unwrap();
    for at in 1..=2 {
        session.apply_event(Event::StepFinished { job, step: step(at, latent().map(|_, _| at as f32)) });
    }
    session.apply(Action::Stop);
    session.apply_event(Event::Cancelled { job });
    let document = session.on_easel().unwrap();
    assert_eq!((document.id(), document.steps().len()), (DocumentId::of_job(job), 2));
    let item = document.result().unwrap();
    assert!(matches!(item.outcome, Outcome::Stopped) && item.finished_early);
    assert_eq!((item.latent.values()[0], document.is_unsaved()), (2.0, true));
    // It can still be decoded.
    session.apply(Action::Decode(DecodeChoice::default()));
    let (job, _) = decode_job(&mut session).unwrap();
    session.apply_event(decoded(job));
    assert!(session.on_easel().unwrap().picture().is_some());

    // Before the first step there is nothing to keep: the easel shows what was there before.
    let before = session.on_easel().unwrap().id();
    session.apply(Action::Generate);
    let job = sent_job(&mut session).unwrap();
    session.apply(Action::Stop);
    session.apply_event(Event::Cancelled { job });
    assert_eq!(session.on_easel().unwrap().id(), before);
}

/// Regression test: Escape used to clear the whole queue without confirmation or undo.
#[test]
fn a_queue_is_dropped_only_after_a_question_and_can_come_back() {
    let mut session = ready();
    session.recipe.batch = 4;
    session.apply(Action::Generate);
    sent_job(&mut session).unwrap();
    session.apply(Action::Stop);
    let running = session.running().unwrap().cancel.clone();
    assert_eq!(session.question(), Some(&Question::StopAll { waiting: 3 }));
    assert!(!running.is_stopped() && session.waiting().len() == 3);
    session.apply(Action::DropQuestion);
    assert!(session.question().is_none() && !running.is_stopped());
    session.apply(Action::Stop);
    session.apply(Action::StopAll);
    assert!(running.is_stopped() && session.waiting().is_empty() && session.question().is_none());
    let notice = session.notices().last().unwrap().clone();
    assert_eq!(notice.message, Message::Dropped(3));
    assert!(session.can_take_back(notice.id));
    session.apply(Action::TakeBack(notice.id));
    assert_eq!(session.waiting().len(), 3);
    assert!(!session.can_take_back(notice.id));

    // Stops only the running job; the next one starts.
    session.apply(Action::Stop);
    session.apply(Action::StopRunning);
    assert_eq!(session.waiting().len(), 3);
}

/// Regression test: removing the shown result used to leave an empty window, without undo.
#[test]
fn a_removed_document_leaves_its_neighbour_on_the_easel_and_comes_back() {
    let mut session = ready();
    let ids: Vec<DocumentId> =
        ["a", "b", "c"].map(|name| open_file(&mut session, name, latent_content(1.0))).into();
    let order: Vec<DocumentId> = session.documents().map(Document::id).collect();
    assert_eq!(order, [ids[2], ids[1], ids[0]], "the newest first");
    session.apply(Action::Show(ids[1]));
    session.apply(Action::Remove(ids[1]));
    assert_eq!(session.on_easel().unwrap().id(), ids[0]);
    let notice = session.last_taken_away().unwrap();
    session.apply(Action::TakeBack(notice));
    assert_eq!(session.on_easel().unwrap().id(), ids[1]);
    assert_eq!(session.documents().map(Document::id).collect::<Vec<_>>(), order);
    session.apply(Action::ShowNeighbour(1));
    assert_eq!(session.on_easel().unwrap().id(), ids[0]);
    session.apply(Action::ShowNeighbour(1));
    assert_eq!(session.on_easel().unwrap().id(), ids[0], "it is the last one");
}

/// Regression test: exports used to differ from what was displayed.
#[test]
fn exports_match_what_is_displayed() {
    let mut session = ready();
    session.apply(Action::Generate);
    let job = sent_job(&mut session).unwrap();
    finish(&mut session, job);
    let drawn = DocumentId::of_job(job);
    let file = open_file(&mut session, "photo.latent", latent_content(3.0));
    session.take_effects();
    let export = |session: &mut Session, kind| {
        session.apply(Action::Export(kind));
        match session.take_effects().pop() {
            Some(Effect::AskExport(export)) => Some(export),
            _ => None,
        }
    };
    let latent_of = |export: &Export| export.latent.as_ref().unwrap().values()[0];
    let saved = export(&mut session, ExportKind::Latent).unwrap();
    assert_eq!((saved.of, saved.stem.as_str(), latent_of(&saved)), (file, "photo", 3.0));
    assert!(!session.can_export(ExportKind::Picture), "it is not decoded yet");
    assert!(export(&mut session, ExportKind::Picture).is_none());
    session.apply(Action::Show(drawn));
    let saved = export(&mut session, ExportKind::Picture).unwrap();
    assert!(saved.of == drawn && saved.saves && saved.facts.is_some());
    let muted = ChannelAdjustment { offset: 5.0, ..ChannelAdjustment::default() };
    session.apply(Action::Touch(Touch::Channel { index: 0, adjustment: muted, begins: true }));
    assert!(!session.can_export(ExportKind::Picture), "the edited latent is not decoded yet");
    let saved = export(&mut session, ExportKind::Latent).unwrap();
    assert_eq!((latent_of(&saved), saved.saves), (5.0, false));
    assert!(saved.facts.is_none(), "these settings would not give it");
    assert!(session.document(drawn).unwrap().is_unsaved());
    session.mark_saved(drawn);
    assert!(!session.document(drawn).unwrap().is_unsaved());
}

#[test]
fn edits_stay_while_steps_are_looked_at() {
    let mut session = ready();
    session.apply(Action::Generate);
    let job = sent_job(&mut session).unwrap();
    for at in 1..=3 {
        session.apply_event(Event::StepFinished { job, step: step(at, latent().map(|_, _| at as f32)) });
    }
    assert_eq!(seen(&session), 3.0, "live");
    // The timeline works while the picture is being generated.
    session.apply(Action::Scrub(Some(0)));
    assert_eq!(seen(&session), 1.0);
    session.apply_event(Event::StepFinished { job, step: step(4, latent().map(|_, _| 4.0)) });
    assert_eq!(seen(&session), 1.0, "the step that is looked at stays");
    let doubled = ChannelAdjustment { gain: 2.0, ..ChannelAdjustment::default() };
    session.apply(Action::Touch(Touch::Channel { index: 1, adjustment: doubled, begins: true }));
    session.apply(Action::Scrub(Some(1)));
    let document = session.on_easel().unwrap();
    assert_eq!(document.inspector().adjusted().unwrap().channel(1)[0], 4.0, "the edit is seen on each step");
    session.apply(Action::GoLive);
    assert_eq!(seen(&session), 4.0);
}

/// Regression test: a failed load used to unload the working model.
#[test]
fn a_load_that_fails_leaves_the_working_model_and_says_why_in_the_list() {
    let mut session = ready();
    let broken = std::path::PathBuf::from("/models/broken");
    session.apply(Action::SetModel(ModelSource::Folder(broken.clone())));
    let Some(Effect::Send(Command::Run(Job { id: job, .. }))) = session.take_effects().pop() else {
        panic!()
    };
    let failure = Failure { task: Task::LoadModel, why: "it is damaged".into(), advice: None };
    session.apply_event(Event::Failed { job, failure });
    assert!(session.is_ready() && session.is_builtin());
    let [recent] = session.recent_models() else { panic!() };
    assert_eq!((&recent.folder, &recent.failed), (&broken, &Some("it is damaged".into())));
    assert!(!recent.has_worked, "it is not remembered");
    session.apply(Action::Generate);
    assert!(sent_job(&mut session).is_some());
}

/// Regression test: the number of remaining pictures and the total time left were not shown.
#[test]
fn a_series_reports_its_progress() {
    let mut session = ready();
    session.recipe.batch = 3;
    session.apply(Action::Generate);
    let job = sent_job(&mut session).unwrap();
    assert_eq!(session.series(), [1, 3]);
    assert_eq!(session.progress_of_all(), Some(0.0));
    finish(&mut session, job);
    assert_eq!(session.series(), [2, 3]);
    let job = sent_job(&mut session).unwrap();
    session.apply_event(Event::StepFinished { job, step: step(2, latent()) });
    // One of three pictures, and two of four steps of the second.
    assert!((session.progress_of_all().unwrap() - 0.5).abs() < 1e-9);
    // Two steps of 0.1 s and one picture of 1 s, like the first one, are left.
    assert!((session.seconds_left_all().unwrap() - 1.2).abs() < 1e-9);
    session.apply(Action::RemoveQueued(session.waiting()[0].id));
    assert_eq!(session.series(), [2, 2]);
}

/// Regression test: an encode job could not be stopped.
#[test]
fn encoding_can_be_stopped() {
    let mut session = ready();
    let id = open_file(&mut session, "a.png", picture_content(64, 64));
    let cancel = session.on_easel().unwrap().work().unwrap().cancel.clone();
    session.apply(Action::StopWork(id));
    assert!(cancel.is_stopped());
    let (job, _) = encode_job(&mut session).unwrap();
    session.apply_event(Event::Cancelled { job });
    assert!(session.on_easel().unwrap().work().is_none(), "the picture stays");
}

#[test]
fn a_picture_that_is_no_multiple_can_be_padded_instead() {
    let mut session = ready();
    open_file(&mut session, "a.png", picture_content(70, 66));
    session.take_effects();
    let padded = OpenOptions { framing: Framing::Pad, ..OpenOptions::default() };
    session.apply(Action::SetOpenOptions(padded));
    let (_, picture) = encode_job(&mut session).unwrap();
    assert_eq!((picture.width(), picture.height()), (72, 72));
}

#[test]
fn files_opened_together_are_documents_that_are_read_when_they_are_looked_at() {
    let mut session = ready();
    session.apply(Action::OpenPaths(vec!["a".into(), "b".into()]));
    let reads = |session: &mut Session| {
        let effects = session.take_effects().into_iter();
        let path = |effect| if let Effect::Read(_, path) = effect { Some(path) } else { None };
        effects.filter_map(path).map(|path| path.display().to_string()).collect::<Vec<_>>()
    };
    assert_eq!((reads(&mut session), session.documents().count()), (vec!["a".to_owned()], 2));
    session.apply(Action::ShowNeighbour(-1));
    assert_eq!(reads(&mut session), ["b"]);
    // An open file is not opened again.
    session.apply(Action::OpenPaths(vec!["a".into()]));
    assert_eq!((reads(&mut session).len(), session.documents().count()), (0, 2));
    let first = session.on_easel().unwrap().id();
    session.apply(Action::FileRead(first, Box::new(FileContent::Unreadable("it is damaged".into()))));
    assert_eq!(session.documents().count(), 1);
    assert_eq!(session.notices()[0].message, Message::NotOpened("it is damaged".into()));
}

#[test]
fn a_latent_that_does_not_say_its_space_is_asked_about() {
    let mut session = ready();
    let content = || FileContent::Latent { latent: latent().map(|_, _| 1.0), space: None };
    open_file(&mut session, "a.npy", content());
    assert!(matches!(session.question(), Some(Question::LatentKind { .. })));
    assert!(session.on_easel().unwrap().inspector().latent.is_none());
    // In SDXL's model space: 1 / 0.13025 in VAE space, times 0.18215 in this model's.
    session.apply(Action::AnswerKind(LatentSpace::Model, LatentFormat::SDXL));
    assert!((seen(&session) - 0.18215 / 0.13025).abs() < 1e-6);
    assert!(session.question().is_none());
    open_file(&mut session, "b.npy", content());
    session.apply(Action::DropQuestion);
    assert_eq!(session.documents().count(), 1, "it is nothing without an answer");
}

#[test]
fn a_latent_of_other_channels_waits_for_a_model_that_fits() {
    let mut session = ready();
    let sixteen = Latent::zeros(LatentShape::new(16, 8, 8));
    let content = FileContent::Latent { latent: sixteen.clone(), space: Some(LatentSpace::Vae) };
    open_file(&mut session, "f", content);
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
    let shown = session.on_easel().unwrap();
    assert_eq!(shown.inspector().latent.as_ref().unwrap().shape(), sixteen.shape());
}

#[test]
fn a_kept_latent_is_a_document_and_can_be_blended_into_others() {
    let mut session = ready();
    open_file(&mut session, "two", latent_content(2.0));
    let halved = ChannelAdjustment { gain: 0.5, ..ChannelAdjustment::default() };
    session.apply(Action::Touch(Touch::Channel { index: 0, adjustment: halved, begins: true }));
    session.apply(Action::KeepLatent);
    let kept = session.documents().next().unwrap();
    assert_eq!(kept.title(), Title::Kept(Box::new(Title::File("two".into()))));
    assert!(kept.is_unsaved());
    let with = kept.final_latent().unwrap().clone();
    assert_eq!((with.channel(0)[0], with.channel(1)[0]), (1.0, 2.0), "as it was edited");
    open_file(&mut session, "zero", latent_content(0.0));
    let blend = Some(Blend { with, amount: 0.25, mode: BlendMode::Lerp });
    session.apply(Action::Touch(Touch::Blend { blend, begins: true }));
    let adjusted =
        |session: &Session| session.on_easel().unwrap().inspector().adjusted().unwrap().values()[0];
    assert_eq!(adjusted(&session), 0.25);
    session.apply(Action::Touch(Touch::Reset));
    assert_eq!(adjusted(&session), 0.0);
    session.apply(Action::Touch(Touch::Undo));
    assert_eq!(adjusted(&session), 0.25);
    session.apply(Action::Touch(Touch::Redo));
    assert_eq!(adjusted(&session), 0.0);
    let exports = session.exports_of_unsaved();
    assert_eq!(
        (exports.len(), exports[0].kind, exports[0].stem.as_str()),
        (1, ExportKind::Latent, "two-kept")
    );
}

#[test]
fn a_document_s_settings_are_used_again() {
    let mut session = ready();
    session.recipe.draft.prompt = "a fox".into();
    session.recipe.draft.seed = Seed(5);
    session.apply(Action::Generate);
    let job = sent_job(&mut session).unwrap();
    finish(&mut session, job);
    session.recipe.draft.prompt = "an owl".into();
    session.apply(Action::Reuse(DocumentId::of_job(job), Reuse::Seed));
    let draft = session.draft();
    assert_eq!((draft.prompt.as_str(), draft.seed, session.seed_is_locked()), ("an owl", Seed(5), true));
    session.apply(Action::Reuse(DocumentId::of_job(job), Reuse::All));
    assert_eq!(session.draft().prompt, "a fox");
    session.apply(Action::TurnPrompt { earlier: true });
    assert_eq!(session.draft().prompt, "an owl", "what was replaced can be called back");
}

#[test]
fn options_are_restored_where_the_model_has_them_and_left_out_of_a_run_where_not() {
    use crate::formats::metadata::{GenerationFacts, Unrestored};
    let mut session = ready();
    let mut asked = session.draft().clone();
    asked.options.eta = Some(0.4);
    asked.options.shift = Some(3.0);
    asked.prompt_options.clip_skip = Some(2);
    let facts = GenerationFacts::of_request(&asked, "elsewhere");
    session.apply(Action::RestoreFacts(Box::new(facts)));
    let missing = [Unrestored::Option("Shift 3".into()), Unrestored::ClipSkip(2)];
    let said = &session.notices.list.last().unwrap().message;
    assert!(matches!(said, Message::Restored(named) if *named == missing), "{said:?}");
    let options = &session.draft().options;
    assert_eq!((options.eta, options.shift), (Some(0.4), None));

    // The recipe keeps it for a sampler that has it.
    session.recipe.draft.sampler = crate::catalog::SamplerKind::Heun;
    session.apply(Action::Generate);
    assert_eq!(session.running().unwrap().request.options.eta, None);
    assert_eq!(session.draft().options.eta, Some(0.4));
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
    assert!(cancel.is_stopped(), "the user's job has priority");
    let drawing = sent_job(&mut session).unwrap();
    session.apply_event(Event::Cancelled { job });
    assert!(fit(&mut session).is_none(), "not while a picture is drawn");
    finish(&mut session, drawing);
    assert!(fit(&mut session).is_some());
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
    session.apply_event(Event::PromptMeasured { job: first[0].0, length: length(2) });
    assert_eq!(session.prompt_length(), None, "that was another prompt");
    let second = asked(&mut session);
    assert_eq!(session.prompt_length().map(PromptLength::tokens), Some(2), "until the next answer");
    session.apply_event(Event::PromptMeasured { job: second[0].0, length: length(3) });
    assert_eq!(session.prompt_length().map(PromptLength::tokens), Some(3));
    assert!(asked(&mut session).is_empty(), "it is known");
    // While a picture is drawn, nothing is asked.
    session.apply(Action::Generate);
    session.take_effects();
    session.draft_mut().prompt = "a blue fox".into();
    assert!(asked(&mut session).is_empty());
    assert_eq!(session.prompt_length(), None);
}
