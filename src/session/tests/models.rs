//! Loading models, and what follows from the loaded one.

use super::*;
use crate::reason::{Reason, ReasonKind};

#[test]
fn a_loaded_model_brings_its_suggestions_and_keeps_the_prompt() {
    let mut session = Session::new(ModelSource::Builtin, Vec::new());
    session.recipe.draft.prompt = "a fox".into();
    let job = load_job(&mut session);
    session.apply_event(loaded(job, profile()));
    assert_eq!((session.recipe.draft.prompt.as_str(), session.recipe.draft.steps), ("a fox", 4));
    assert!(session.is_ready());
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
    let job = load_job(&mut session);
    let theirs = ModelProfile { source: other, ..(*profile()).clone() };
    session.apply_event(loaded(job, Arc::new(theirs)));
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

#[test]
fn a_gpu_that_is_not_used_is_said_once_with_the_reason() {
    let mut session = ready();
    let why = Reason::new(ReasonKind::DeviceWrong, "it gives wrong results").with([&"GPU" as _]);
    for job in [1, 2] {
        session.apply_event(Event::DeviceRefused { job: crate::engine::JobId(job), why: why.clone() });
    }
    let said: Vec<_> = session.notices().iter().map(|notice| &notice.message).collect();
    assert_eq!(said, [&Message::DeviceRefused(why)]);
}
