//! Comparisons as the session knows them.

use std::sync::Arc;

use super::*;
use crate::engine::{Command, Event, Job, JobId, JobKind};
use crate::formats::metadata::{GenerationFacts, SettingName};
use crate::latent::{Latent, LatentShape, Trajectory, TrajectoryStep};
use crate::reason::{Reason, ReasonKind};
use crate::request::Picture;
use crate::session::history::{HistoryReport, RunRecord, RunStatus, RunSummary};
use crate::session::tests::{profile, ready, sent_job};
use crate::session::{Message, Title};
use crate::store::history::{PartRecord, RunOrigin};

fn latent(value: f32) -> Latent {
    Latent::zeros(LatentShape::new(4, 8, 8)).map(|c, _| value + c as f32)
}

fn step(number: usize, of: usize) -> Arc<TrajectoryStep> {
    let (noisy, denoised) = (latent(0.5), latent(number as f32));
    let outputs = vec![denoised.clone()];
    TrajectoryStep { step: number, steps: of, sigma: 1.0, noisy, denoised, outputs, elapsed_secs: 0.1 }.into()
}

fn picture(value: u8) -> Picture {
    Picture::new(64, 64, vec![value; 64 * 64 * 3]).unwrap()
}

/// Draws a picture of four steps with these words.
fn draw(session: &mut Session, prompt: &str, value: u8) -> DocumentId {
    session.draft_mut().prompt = prompt.into();
    session.apply(Action::Generate);
    let job = sent_job(session).unwrap();
    let trajectory = Arc::new(Trajectory { source: None, steps: (1..=4).map(|n| step(n, 4)).collect() });
    let (latent, finished_early) = (latent(f32::from(value)), false);
    session.apply_event(Event::Sampled { job, latent, trajectory, finished_early });
    session.apply_event(Event::Decoded { job, picture: picture(value), notice: None, elapsed_secs: 1.0 });
    let id = DocumentId::of_job(job);
    session.apply(Action::Show(id));
    id
}

/// Computes the figures that the session asks for.
fn measure(session: &mut Session) -> bool {
    session.measure_pair();
    let asked = session.take_effects().into_iter().find_map(|effect| match effect {
        Effect::MeasurePair(content) => Some(content),
        _ => None,
    });
    let Some(content) = asked else { return false };
    let figures = content.figures();
    session.apply(Action::PairMeasured(content, Box::new(figures)));
    true
}

fn titles(session: &Session) -> Option<[String; 2]> {
    let pair = session.pair()?;
    Some(pair.map(|side| match side.title {
        Title::Picture { prompt, .. } => prompt,
        other => format!("{other:?}"),
    }))
}

fn compare(action: CompareAction) -> Action {
    Action::Compare(action)
}

#[test]
fn what_is_shown_next_is_compared_with_what_was_chosen() {
    let mut session = ready();
    let fox = draw(&mut session, "a fox", 10);
    let owl = draw(&mut session, "an owl", 20);
    session.apply(compare(CompareAction::ChooseShown));
    assert_eq!(session.first_compared().unwrap().document, Some(owl));
    assert_eq!(titles(&session), None, "a second is still to be chosen");
    session.apply(Action::Show(fox));
    assert_eq!(titles(&session).unwrap(), ["an owl", "a fox"]);
    assert!(session.pair_figures().is_none());
    assert!(measure(&mut session));
    assert!(!measure(&mut session), "they are known");
    let figures = session.pair_figures().unwrap();
    let psnr = figures.pictures.as_ref().unwrap().psnr;
    assert!((psnr - 10.0 * (255.0f64.powi(2) / 100.0).log10()).abs() < 1e-9, "{psnr}");
    let latents = figures.latents.as_ref().unwrap();
    assert_eq!(latents.channel_rms, [10.0; 4]);
    let [first, second] = session.pair().unwrap();
    let differences = first.facts.unwrap().differences(&second.facts.unwrap());
    let names: Vec<&SettingName> = differences.iter().map(|difference| &difference.name).collect();
    assert_eq!(names, [&SettingName::Prompt, &SettingName::Seed]);

    // Both change places, and zoom and pan belong to the comparison.
    let lens = Lens::at_scale(3.0);
    session.apply(Action::SetLens(lens));
    session.apply(compare(CompareAction::Swap));
    assert_eq!(titles(&session).unwrap(), ["a fox", "an owl"]);
    assert_eq!(session.on_easel().unwrap().id(), owl);
    session.apply(compare(CompareAction::End));
    assert_eq!((session.pair().is_none(), session.lens()), (true, Lens::default()));
}

#[test]
fn a_step_is_compared_with_the_last_and_with_other_steps() {
    let mut session = ready();
    draw(&mut session, "a fox", 10);
    session.apply(Action::Scrub(Some(1)));
    session.apply(compare(CompareAction::ChooseFinal));
    let [first, second] = session.pair().unwrap();
    assert_eq!((first.step, second.step.map(|step| (step.step, step.steps))), (None, Some((2, 4))));
    assert!(first.picture.is_some() && second.picture.is_none());
    measure(&mut session);
    let figures = session.pair_figures().unwrap();
    assert!(figures.pictures.is_none() && figures.latents.is_some());
    // The film strip changes the second.
    session.apply(Action::Scrub(Some(2)));
    assert_eq!(session.pair().unwrap()[1].step.unwrap().step, 3);
    assert!(session.pair_figures().is_none(), "they are of another step");
    assert!(measure(&mut session));
    assert_eq!(session.pair_figures().unwrap().latents.as_ref().unwrap().channel_rms, [7.0; 4]);
    session.apply(Action::Scrub(None));
    assert!(session.pair().is_none(), "it is the same");
    // Swapped, the step stays the step.
    session.apply(Action::Scrub(Some(0)));
    session.apply(compare(CompareAction::Swap));
    let [first, second] = session.pair().unwrap();
    assert_eq!((first.step.map(|step| step.step), second.step), (Some(1), None));
    session.apply(compare(CompareAction::Swap));
    assert_eq!(session.pair().unwrap()[1].step.map(|step| step.step), Some(1));
}

#[test]
fn what_has_no_picture_is_decoded_when_it_is_asked_for() {
    let mut session = ready();
    draw(&mut session, "a fox", 10);
    session.apply(Action::Scrub(Some(1)));
    session.apply(compare(CompareAction::ChooseFinal));
    session.take_effects();
    assert_eq!(session.pair_decode(), PairDecode::Possible);
    session.apply(compare(CompareAction::Decode));
    let jobs: Vec<(JobId, Latent)> = session
        .take_effects()
        .into_iter()
        .filter_map(|effect| match effect {
            Effect::Send(Command::Run(Job { id, kind: JobKind::Decode { latent, .. }, .. })) => {
                Some((id, latent))
            }
            _ => None,
        })
        .collect();
    let [(job, of)] = &jobs[..] else { panic!("one is decoded: {}", jobs.len()) };
    assert_eq!(*of, latent(2.0));
    assert_eq!(session.pair_decode(), PairDecode::Running);
    session.apply_event(Event::Decoded { job: *job, picture: picture(30), notice: None, elapsed_secs: 0.1 });
    assert_eq!(session.pair_decode(), PairDecode::NotNeeded);
    measure(&mut session);
    assert!(session.pair_figures().unwrap().pictures.is_some());
    // The document itself is as it was.
    assert!(session.on_easel().unwrap().picture().is_none());
    // One that failed can be tried again.
    session.apply(Action::Scrub(Some(2)));
    session.apply(compare(CompareAction::Decode));
    let job = session.take_effects().into_iter().find_map(|effect| match effect {
        Effect::Send(Command::Run(Job { id, .. })) => Some(id),
        _ => None,
    });
    session.apply_event(Event::Cancelled { job: job.unwrap() });
    assert_eq!(session.pair_decode(), PairDecode::Possible);
}

#[test]
fn the_first_stays_as_it_was_when_its_document_changes_or_leaves() {
    let mut session = ready();
    let fox = draw(&mut session, "a fox", 10);
    draw(&mut session, "an owl", 20);
    session.apply(compare(CompareAction::With(fox)));
    assert_eq!(titles(&session).unwrap(), ["a fox", "an owl"]);
    session.apply(Action::Remove(fox));
    assert_eq!(titles(&session).unwrap(), ["a fox", "an owl"]);
    assert!(!session.can_swap_pair(), "it is in no document any more");
    assert!(session.pair().unwrap()[0].picture.is_some());
}

fn run_id(number: u32) -> RunId {
    format!("20261130-120000-{number:08x}").parse().unwrap()
}

fn record(number: u32, origin: Option<(u32, usize)>) -> RunRecord {
    let facts = GenerationFacts { prompt: Some(format!("run {number}")), ..GenerationFacts::default() };
    RunRecord {
        id: run_id(number),
        created_ms: number.into(),
        model: crate::catalog::ModelSource::Builtin,
        model_name: "test".into(),
        family: "Stable Diffusion 1".into(),
        format: profile().format,
        vae_hash: String::new(),
        parts: vec![PartRecord { facts, ..PartRecord::default() }],
        origin: origin.map(|(run, step)| RunOrigin { run: run_id(run), step }),
        grid: None,
        status: RunStatus::Finished,
        steps_planned: 4,
        steps_done: 4,
        steps_kept: 4,
        finished_early: false,
        elapsed_secs: 1.0,
        stars: 0,
        other: serde_json::Map::new(),
    }
}

fn moment(record: RunRecord, number: Option<usize>) -> RunMoment {
    match number {
        Some(number) => RunMoment { record, step: Some(step(number, 4)), final_latent: None, picture: None },
        None => RunMoment { record, step: None, final_latent: Some(latent(9.0)), picture: Some(picture(9)) },
    }
}

fn say(session: &mut Session, report: HistoryReport) {
    session.apply(Action::HistorySays(report));
}

/// The moments that are asked for.
fn asked(session: &mut Session) -> Vec<(RunId, Option<usize>, MomentFor)> {
    let effects = session.take_effects().into_iter();
    effects
        .filter_map(|effect| match effect {
            Effect::History(HistoryCommand::Moment(run, step, purpose)) => Some((run, step, purpose)),
            _ => None,
        })
        .collect()
}

#[test]
fn two_kept_runs_are_compared() {
    let mut session = ready();
    let second = draw(&mut session, "an owl", 20);
    session.documents.get_mut(second).unwrap().run = Some(run_id(2));
    session.take_effects();
    session.apply(Action::History(HistoryAction::Compare(run_id(1), run_id(2))));
    assert_eq!(asked(&mut session), [(run_id(1), None, MomentFor::First)]);
    assert!(session.pair().is_none());
    say(&mut session, HistoryReport::Moment(Box::new(moment(record(1, None), None)), MomentFor::First));
    assert_eq!(titles(&session).unwrap(), ["run 1", "an owl"]);
    assert!(session.can_swap_pair());
    // One that cannot be read is said.
    let why = Reason::new(ReasonKind::EngineGone, "gone");
    say(&mut session, HistoryReport::NoMoment(run_id(3), MomentFor::First, why.clone()));
    assert!(session.notices().iter().any(|notice| notice.message == Message::HistoryFailed(why.clone())));
}

#[test]
fn a_family_is_walked_through_with_each_run_beside_the_step_it_left() {
    let mut session = ready();
    session.runs_are_kept(true);
    let records = [record(1, None), record(2, Some((1, 2))), record(3, Some((2, 3)))];
    let summaries: Vec<RunSummary> = records.iter().rev().map(RunSummary::from).collect();
    say(&mut session, HistoryReport::Listed(summaries));
    session.apply(Action::History(HistoryAction::ShowFamily(run_id(2))));
    let view = session.history().family_view().unwrap();
    assert_eq!((view.family.members.len(), view.selected), (3, 1));
    let wanted = [(run_id(2), None, MomentFor::FamilyEnd), (run_id(2), Some(2), MomentFor::FamilyStep)];
    assert_eq!(asked(&mut session), wanted);
    // Who walks on meanwhile asks for the last alone.
    for run in [1, 2, 3] {
        session.apply(Action::History(HistoryAction::ShowFamily(run_id(run))));
    }
    assert_eq!(asked(&mut session), []);
    let end = |record: &RunRecord| {
        HistoryReport::Moment(Box::new(moment(record.clone(), None)), MomentFor::FamilyEnd)
    };
    let left = |record: &RunRecord, step| {
        HistoryReport::Moment(Box::new(moment(record.clone(), Some(step))), MomentFor::FamilyStep)
    };
    say(&mut session, end(&records[1]));
    say(&mut session, left(&records[1], 2));
    assert!(session.pair().is_none(), "another one is selected");
    let wanted = [(run_id(3), None, MomentFor::FamilyEnd), (run_id(3), Some(3), MomentFor::FamilyStep)];
    assert_eq!(asked(&mut session), wanted);
    say(&mut session, end(&records[2]));
    say(&mut session, left(&records[2], 3));
    let [first, second] = session.pair().unwrap();
    assert_eq!((first.run, first.step.map(|step| step.step)), (Some(run_id(2)), Some(3)));
    assert_eq!((second.run, second.step, second.picture), (Some(run_id(3)), None, Some(picture(9))));
    assert_eq!(titles(&session).unwrap(), ["run 2", "run 3"]);
    assert!(measure(&mut session));

    // The first of a family left no other.
    session.apply(Action::History(HistoryAction::ShowFamily(run_id(1))));
    assert_eq!(asked(&mut session), [(run_id(1), None, MomentFor::FamilyEnd)]);
    say(&mut session, end(&records[0]));
    assert!(session.pair().is_none());
    assert_eq!(session.history().family_view().unwrap().end().unwrap().run, Some(run_id(1)));
    // A step that was removed is said, and the rest is shown.
    session.apply(Action::History(HistoryAction::ShowFamily(run_id(2))));
    asked(&mut session);
    say(&mut session, end(&records[1]));
    let why = Reason::new(ReasonKind::StepNotKept, "gone");
    say(&mut session, HistoryReport::NoMoment(run_id(2), MomentFor::FamilyStep, why));
    let view = session.history().family_view().unwrap();
    assert!(view.lacks_step && view.end().is_some() && session.notices().is_empty());
    // A run that was deleted leaves its place.
    say(&mut session, HistoryReport::Deleted(vec![run_id(1)]));
    let view = session.history().family_view().unwrap();
    assert!(view.family.members[0].run.is_none() && view.selected == 1);
    session.apply(Action::History(HistoryAction::CloseFamily));
    assert!(session.history().family_view().is_none());
}
