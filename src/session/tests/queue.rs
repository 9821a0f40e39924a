//! Requests, the queue and stops.

use super::*;

#[test]
fn requests_made_while_the_model_loads_run_afterwards() {
    let mut session = Session::new(ModelSource::Builtin, Vec::new());
    let job = load_job(&mut session);
    session.recipe.draft.prompt = "a fox".into();
    session.apply(Action::Generate);
    assert_eq!((session.asked_while_loading(), session.unfinished()), (1, 1));
    session.recipe.draft.prompt = "an owl".into();
    session.recipe.batch = 2;
    session.apply(Action::Generate);
    assert!(sent_job(&mut session).is_none());
    session.apply_event(loaded(job, profile()));
    assert!(sent_job(&mut session).is_some());
    let fox = session.queue.running.as_ref().unwrap().request.clone();
    assert_eq!((fox.prompt.as_str(), fox.steps), ("a fox", 4), "as it was when it was asked for");
    let owls: Vec<_> =
        session.queue.waiting.iter().map(|q| (q.request.prompt.as_str(), q.request.seed)).collect();
    assert_eq!(owls, [("an owl", fox.seed.nth(1)), ("an owl", fox.seed.nth(2))]);
    assert_eq!(session.unfinished(), 3);

    let mut session = Session::new(ModelSource::Builtin, Vec::new());
    let job = load_job(&mut session);
    session.apply(Action::Generate);
    session.apply(Action::StopAll);
    session.apply_event(loaded(job, profile()));
    assert_eq!(sent_job(&mut session), None, "it was taken back");

    let mut session = Session::new(ModelSource::Folder("/gone".into()), Vec::new());
    let job = load_job(&mut session);
    session.recipe.draft.prompt = "a fox".into();
    session.apply(Action::Generate);
    let failure = Failure { task: Task::LoadModel, why: "it is gone".into(), advice: None };
    session.apply_event(Event::Failed { job, failure });
    assert_eq!((sent_job(&mut session), session.unfinished()), (None, 1), "it waits for another model");
    session.apply(Action::SetModel(ModelSource::Builtin));
    let job = load_job(&mut session);
    session.apply_event(loaded(job, profile()));
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
fn a_wrong_draft_is_a_notice_and_no_job() {
    let mut session = ready();
    session.recipe.draft.size = ImageSize::new(33, 64);
    session.apply(Action::Generate);
    assert!(session.queue.running.is_none() && sent_job(&mut session).is_none());
    assert!(
        matches!(&session.notices.list[0].message, Message::NotDrawable(error) if error.to_string().contains("33×64"))
    );
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
