//! Saving the development of a run.

use super::*;
use crate::reason::ReasonKind;
use crate::reel::{PreviewProjection, ReelKind, ReelOptions, Shown};
use crate::request::CancelToken;
use crate::session::history::{HistoryCommand, HistoryReport, OpenFor, OpenedRun};
use crate::store::history::{History, NewRun, PartRecord, RunId, RunSummary};

/// A session with a picture of two steps, and its document.
fn drawn() -> (Session, DocumentId) {
    let mut session = ready();
    session.take_effects();
    session.apply(Action::Generate);
    let job = sent_job(&mut session).unwrap();
    let steps = vec![step(1, latent()), step(2, latent().map(|_, _| 1.0))];
    let trajectory = Arc::new(Trajectory { source: None, steps });
    session.apply_event(Event::Sampled { job, latent: latent(), trajectory, finished_early: false });
    let picture = Picture::new(64, 64, vec![9; 64 * 64 * 3]).unwrap();
    session.apply_event(Event::Decoded { job, picture, notice: None, elapsed_secs: 1.0 });
    session.take_effects();
    (session, DocumentId::of_job(job))
}

fn order(of: ReelOf, shown: Shown) -> Action {
    let projection = PreviewProjection::for_format(&LatentFormat::FLUX);
    let options = ReelOptions { shown, kind: ReelKind::Gif, seconds: f64::NAN, ..ReelOptions::default() };
    Action::Reel(ReelAction::Save(Box::new(ReelOrder { of, options, projection })))
}

/// The reel that the window is to ask about.
fn asked(session: &mut Session) -> Option<Box<ReelWork>> {
    session.take_effects().into_iter().find_map(|effect| match effect {
        Effect::AskReel(work) => Some(work),
        _ => None,
    })
}

/// The reel that the window is to make.
fn making(session: &mut Session) -> Option<Box<ReelWork>> {
    session.take_effects().into_iter().find_map(|effect| match effect {
        Effect::MakeReel { work, path, .. } => {
            assert_eq!(path, std::path::Path::new("a.gif"));
            Some(work)
        }
        _ => None,
    })
}

/// The latent that is to be decoded.
fn decoding(session: &mut Session) -> Option<(JobId, f32, CancelToken)> {
    session.take_effects().into_iter().find_map(|effect| match effect {
        Effect::Send(Command::Run(Job { id, cancel, kind: JobKind::Decode { latent, .. } })) => {
            Some((id, latent.values()[0], cancel))
        }
        _ => None,
    })
}

fn make(session: &mut Session, work: Box<ReelWork>) {
    session.apply(Action::Reel(ReelAction::Make(work, "a.gif".into())));
}

#[test]
fn the_steps_of_a_document_are_made_and_the_file_is_told() {
    let (mut session, id) = drawn();
    assert!(session.has_reel(id) && session.can_decode_reel(&ReelOf::Document(id)));
    session.apply(order(ReelOf::Document(id), Shown::Estimate));
    let work = asked(&mut session).unwrap();
    assert_eq!((work.development.steps.len(), work.stem.starts_with("safelight-")), (2, true));
    assert_eq!(work.options.seconds, 4.0, "within bounds");
    assert_eq!(work.projection.channels(), 4, "that of another family's latents is not used");
    assert_eq!(session.reel_progress(), None);
    make(&mut session, work);
    assert!(making(&mut session).is_some());
    assert_eq!(session.reel_progress(), Some([0, 0]));
    session.apply(order(ReelOf::Document(id), Shown::Estimate));
    assert!(asked(&mut session).is_none(), "one at a time");
    session.apply(Action::Reel(ReelAction::Made(Ok("a.gif".into()))));
    assert_eq!(session.reel_progress(), None);
    assert_eq!(session.notices().last().unwrap().message, Message::Saved("a.gif".into()));
}

#[test]
fn true_decodes_are_taken_one_after_another() {
    let (mut session, id) = drawn();
    session.apply(order(ReelOf::Document(id), Shown::Decoded));
    let work = asked(&mut session).unwrap();
    make(&mut session, work);
    let decodes = [(0.0, 0), (1.0, 1)].map(|(value, done)| {
        let (job, first, _) = decoding(&mut session).unwrap();
        assert_eq!((first, session.reel_progress()), (value, Some([done, 2])));
        assert!(session.decodes_for_reel() && making(&mut session).is_none());
        let notices = session.notices().len();
        session.apply_event(Event::StageChanged { job, stage: crate::engine::Stage::Decoding });
        let effects = session.take_effects().len();
        session.apply_event(decoded(job));
        assert_eq!((effects, session.notices().len()), (0, notices));
        job
    });
    assert_ne!(decodes[0], decodes[1]);
    let work = making(&mut session).unwrap();
    assert_eq!((work.development.decodes.len(), session.decodes_for_reel()), (2, false));
    assert_eq!(session.documents().count(), 1, "a decode is no document");
}

#[test]
fn a_stopped_reel_says_nothing_and_a_failed_one_why() {
    let (mut session, id) = drawn();
    let begin = |session: &mut Session| {
        session.apply(order(ReelOf::Document(id), Shown::Decoded));
        let work = asked(session).unwrap();
        make(session, work);
        decoding(session).unwrap()
    };
    let notices = session.notices().len();
    let (job, _, cancel) = begin(&mut session);
    session.apply(Action::Reel(ReelAction::Stop));
    assert!(cancel.is_stopped());
    session.apply_event(Event::Cancelled { job });
    assert_eq!((session.reel_progress(), session.notices().len()), (None, notices));

    let (job, ..) = begin(&mut session);
    let failure = Failure { task: Task::Decode, why: "no memory".into(), advice: None };
    session.apply_event(Event::Failed { job, failure });
    assert_eq!(session.notices().last().unwrap().message, Message::NotSaved("no memory".into()));

    // Another model is chosen meanwhile: its VAE is another one.
    let (job, ..) = begin(&mut session);
    session.apply(Action::SetModel(ModelSource::Folder("/models/other".into())));
    session.take_effects();
    session.apply_event(decoded(job));
    let Message::NotSaved(why) = &session.notices().last().unwrap().message else { panic!() };
    assert_eq!((why.kind(), session.reel_progress()), (ReasonKind::OtherModelLoaded, None));
    assert!(!session.can_decode_reel(&ReelOf::Document(id)));
}

#[test]
fn a_picture_without_steps_has_no_development() {
    let mut session = ready();
    session.take_effects();
    session.apply(Action::Generate);
    let job = sent_job(&mut session).unwrap();
    let id = DocumentId::of_job(job);
    assert!(!session.has_reel(id), "it is still drawn");
    finish(&mut session, job);
    assert!(!session.has_reel(id));
    session.apply(order(ReelOf::Document(id), Shown::Estimate));
    assert!(asked(&mut session).is_none());
    let Message::NotSaved(why) = &session.notices().last().unwrap().message else { panic!() };
    assert_eq!(why.kind(), ReasonKind::NoSteps);
}

/// A kept run of one step, as it is read.
fn kept(folder: &std::path::Path) -> (RunSummary, OpenedRun) {
    let history = History::open(folder.to_owned());
    let profile = profile();
    let draft =
        crate::request::GenerationDraft { seed: Seed(5), ..crate::request::GenerationDraft::new(&profile) };
    let request = draft.validate(&profile).unwrap();
    let facts = crate::formats::metadata::GenerationFacts::of_request(&request, &profile.name);
    let new = NewRun {
        model: ModelSource::Builtin,
        model_name: profile.name.clone(),
        family: profile.family.to_owned(),
        format: profile.format,
        vae_hash: String::new(),
        parts: vec![PartRecord { facts, after: 0, noise_seed: None, retouched: false }],
        steps_planned: 4,
        source: None,
        retouched: None,
        origin: None,
        grid: None,
    };
    let writer = history.begin(new).unwrap();
    writer.step(step(1, latent()));
    drop(writer);
    history.finish();
    let run: RunId = history.ids().unwrap().remove(0);
    let summary = history.runs().unwrap().runs.remove(0);
    (summary, history.open_run(&run).unwrap())
}

#[test]
fn a_run_of_the_gallery_is_read_before_it_is_asked_about() {
    let folder = tempfile::tempdir().unwrap();
    let (summary, run) = kept(folder.path());
    let mut session = ready();
    session.take_effects();
    session.apply(Action::HistorySays(HistoryReport::Listed(vec![summary.clone()])));
    let of = ReelOf::Run(summary.id.clone());
    assert!(session.can_decode_reel(&of));
    session.apply(order(of, Shown::Estimate));
    let told = session.take_effects().into_iter().find_map(|effect| match effect {
        Effect::History(command) => Some(command),
        _ => None,
    });
    assert_eq!(told, Some(HistoryCommand::Open(summary.id.clone(), OpenFor::Reel)));
    session.apply(Action::HistorySays(HistoryReport::Opened(Box::new(run), OpenFor::Reel)));
    let work = asked(&mut session).unwrap();
    assert_eq!((work.stem.as_str(), work.development.steps.len()), ("safelight-5", 1));
    assert_eq!(session.documents().count(), 0, "it is not shown");
}
