//! Looking into the steps of documents.

use super::*;
use crate::engine::{Insight, TokenActivity};
use crate::request::{PromptToken, PromptTokens, Watched};

/// Queues a picture of four steps and returns its job.
fn begun(session: &mut Session) -> JobId {
    session.recipe.draft.prompt = "a lighthouse".into();
    session.apply(Action::Generate);
    sent_job(session).unwrap()
}

fn finished(session: &mut Session) -> JobId {
    let job = begun(session);
    let steps = (1..=4).map(|at| step(at, latent().map(|_, _| at as f32))).collect();
    let trajectory = Arc::new(Trajectory { source: None, steps });
    session.apply_event(Event::Sampled { job, latent: latent(), trajectory, finished_early: false });
    session.apply_event(decoded(job));
    session.apply(Action::Show(DocumentId::of_job(job)));
    session.take_effects();
    job
}

fn look(session: &mut Session, view: InsideView) -> Vec<Effect> {
    session.apply(Action::Inside(InsideAction::Look(Some(view))));
    session.look_inside();
    session.take_effects()
}

/// The jobs that look into a step, each with the number of finished steps before it.
fn asked(effects: &[Effect]) -> Vec<(JobId, CancelToken, usize, Watched)> {
    let job = |effect: &Effect| match effect {
        Effect::Send(Command::Run(Job {
            id,
            cancel,
            kind: JobKind::LookInside { continues, watched, .. },
        })) => Some((*id, cancel.clone(), continues.finished.steps.len(), *watched)),
        _ => None,
    };
    effects.iter().filter_map(job).collect()
}

fn watched(effects: &[Effect]) -> Vec<Watched> {
    effects
        .iter()
        .filter_map(|effect| if let Effect::Watch(watched) = effect { Some(*watched) } else { None })
        .collect()
}

const GUIDANCE: Watched = Watched { guidance: true, words: false };
const WORDS: Watched = Watched { guidance: false, words: true };

fn guidance(value: f32) -> Arc<Insight> {
    let map = Latent::zeros(LatentShape::new(1, 8, 8)).map(|_, _| value);
    Arc::new(Insight { guidance: Some(map), words: None })
}

/// The start token and two words, of which the second acts in proportion to the place.
fn words() -> Arc<Insight> {
    let token =
        |text: &str| PromptToken { text: text.into(), weight: 1.0, begins_word: true, is_of_prompt: true };
    let tokens = PromptTokens { chunks: vec![vec![PromptToken::added(), token("a"), token("lighthouse")]] };
    let values: Vec<f32> =
        (0..3 * 64).map(|i| if i < 128 { 0.25 } else { (i - 128) as f32 / 64.0 }).collect();
    let maps = Latent::new(LatentShape::new(3, 8, 8), values).unwrap();
    let embeddings = Latent::zeros(LatentShape::new(1, 3, 16));
    Arc::new(Insight { guidance: None, words: Some(TokenActivity { tokens, maps, embeddings }) })
}

#[test]
fn a_finished_step_is_taken_once_more_and_what_is_known_is_not_asked_again() {
    let mut session = ready();
    finished(&mut session);
    assert_eq!(session.inside_obstacle(), None, "nobody looks");
    let effects = look(&mut session, InsideView::Guidance);
    let [(job, _, before, what)] = &asked(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!((*before, *what), (3, GUIDANCE), "the final picture is that of its last step");
    assert_eq!(session.inside_obstacle(), Some(InsideObstacle::Computing));
    session.look_inside();
    assert!(asked(&session.take_effects()).is_empty(), "an answer is awaited");
    session.apply_event(Event::SeenInside { job: *job, step: 4, insight: guidance(0.5) });
    session.apply_event(Event::LookedInside { job: *job });
    assert!(session.look_inside(), "there is something new");
    assert_eq!(session.inside_obstacle(), None);
    let map = session.inside_map().unwrap();
    assert_eq!((map.values.values()[0], map.range), (0.5, [0.0, 0.5]));
    // Another step is asked about, and the first one again without a question.
    session.apply(Action::Scrub(Some(1)));
    session.look_inside();
    let effects = session.take_effects();
    let [(second, cancel, 1, _)] = &asked(&effects)[..] else { panic!("{effects:?}") };
    session.apply(Action::Scrub(None));
    session.look_inside();
    assert!(cancel.is_stopped(), "nobody looks at that step any more");
    assert!(session.inside_map().is_some());
    session.apply_event(Event::Cancelled { job: *second });
    session.look_inside();
    assert!(asked(&session.take_effects()).is_empty());
    // Nobody looks any more, and another document has steps of its own.
    session.apply(Action::Inside(InsideAction::Look(None)));
    assert!(!session.look_inside() && session.inside_map().is_none());
    finished(&mut session);
    assert_eq!(asked(&look(&mut session, InsideView::Guidance)).len(), 1);
}

#[test]
fn a_running_picture_is_watched_while_it_is_looked_at() {
    let mut session = ready();
    let job = begun(&mut session);
    session.apply_event(Event::StepFinished { job, step: step(1, latent()) });
    assert_eq!(watched(&look(&mut session, InsideView::Words)), [WORDS]);
    assert_eq!(session.inside_obstacle(), Some(InsideObstacle::NextStep));
    session.look_inside();
    assert!(session.take_effects().is_empty(), "the engine knows");
    session.apply_event(Event::SeenInside { job, step: 2, insight: words() });
    session.apply_event(Event::StepFinished { job, step: step(2, latent()) });
    session.look_inside();
    assert_eq!(session.inside_obstacle(), None);
    assert_eq!(watched(&look(&mut session, InsideView::Change)), [Watched::default()]);
    look(&mut session, InsideView::Words);
    session.apply(Action::Inside(InsideAction::Look(None)));
    session.look_inside();
    assert_eq!(watched(&session.take_effects()), [Watched::default()]);
}

#[test]
fn words_are_chosen_and_their_activities_added() {
    let mut session = ready();
    finished(&mut session);
    let effects = look(&mut session, InsideView::Words);
    let job = asked(&effects)[0].0;
    session.apply_event(Event::SeenInside { job, step: 4, insight: words() });
    session.apply_event(Event::LookedInside { job });
    session.look_inside();
    let shown = |session: &Session| -> Vec<(String, bool)> {
        session.inside_words().into_iter().map(|shown| (shown.word.text, shown.is_chosen)).collect()
    };
    assert_eq!(shown(&session), [("a".to_owned(), false), ("lighthouse".to_owned(), true)]);
    let map = session.inside_map().unwrap();
    assert_eq!((map.values.values()[32], map.range[0]), (0.5, 0.0));
    session.apply(Action::Inside(InsideAction::ChooseWord { word: 0, alone: true }));
    assert!(session.look_inside());
    assert_eq!(session.inside_map().unwrap().values.values()[32], 0.25);
    session.apply(Action::Inside(InsideAction::ChooseWord { word: 1, alone: false }));
    session.look_inside();
    assert_eq!(session.inside_map().unwrap().values.values()[32], 0.75);
    assert!(shown(&session).iter().all(|(_, chosen)| *chosen));
    assert_eq!(session.inside_embeddings_size(), Some([3, 16]));
}

#[test]
fn changes_and_spectra_need_no_engine() {
    let mut session = ready();
    finished(&mut session);
    assert!(look(&mut session, InsideView::Change).is_empty());
    assert_eq!(session.inside_map().unwrap().values.values()[0], 1.0);
    session.apply(Action::Scrub(Some(0)));
    session.look_inside();
    assert_eq!(session.inside_obstacle(), Some(InsideObstacle::FirstStep));
    assert!(session.inside_map().is_none());
    assert!(look(&mut session, InsideView::Spectrum).is_empty());
    while session.look_inside() {}
    let changes: Vec<bool> =
        session.inside_spectra().iter().map(|own| own.as_ref().unwrap().change.is_some()).collect();
    assert_eq!(changes, [false, true, true, true]);
    assert!(session.inside_noisy_spectrum().is_some());
}

#[test]
fn what_cannot_be_seen_says_why() {
    let mut session = ready();
    open_file(&mut session, "a.latent", latent_content(1.0));
    look(&mut session, InsideView::Words);
    assert_eq!(session.inside_obstacle(), Some(InsideObstacle::NoSteps));
    let job = finished(&mut session);
    // The network has no attention to words.
    let effects = look(&mut session, InsideView::Words);
    let asking = asked(&effects)[0].0;
    session.apply_event(Event::SeenInside { job: asking, step: 4, insight: Arc::default() });
    session.apply_event(Event::LookedInside { job: asking });
    assert_eq!(session.inside_obstacle(), Some(InsideObstacle::NoWords));
    // The engine fails: it is not asked about this step again.
    let effects = look(&mut session, InsideView::Guidance);
    let asking = asked(&effects)[0].0;
    let failure = Failure { task: Task::Sample, why: "too little memory".into(), advice: None };
    session.apply_event(Event::Failed { job: asking, failure });
    session.look_inside();
    assert_eq!(session.inside_obstacle(), Some(InsideObstacle::Failed));
    assert!(asked(&session.take_effects()).is_empty());
    session.apply(Action::Scrub(Some(2)));
    session.look_inside();
    assert_eq!(session.inside_obstacle(), Some(InsideObstacle::Computing));
    // Steps that a slow window did not receive, and another model.
    let id = DocumentId::of_job(job);
    let item = session.documents.get_mut(id).and_then(Document::result_mut).unwrap();
    let mut trajectory = (*item.trajectory).clone();
    trajectory.steps.remove(0);
    item.trajectory = trajectory.into();
    session.apply(Action::Scrub(Some(1)));
    assert_eq!(session.inside_obstacle(), Some(InsideObstacle::StepsMissing));
    finished(&mut session);
    look(&mut session, InsideView::Guidance);
    session.recipe.draft.model = ModelSource::Folder("/other".into());
    assert_eq!(session.inside_obstacle(), Some(InsideObstacle::OtherModel));
    // Without guidance there is nothing that pulls.
    let mut session = ready();
    session.recipe.draft.guidance_scale = 1.0;
    finished(&mut session);
    assert!(asked(&look(&mut session, InsideView::Guidance)).is_empty());
    assert_eq!(session.inside_obstacle(), Some(InsideObstacle::NoGuidance));
}
