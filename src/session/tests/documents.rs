//! Documents: which is shown, their steps, edits, exports and settings.

use super::*;

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
