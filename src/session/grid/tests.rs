//! Tests of grids: queueing, filling, stopping, other models, and kept runs.

use std::sync::Arc;

use super::super::tests::{loaded, profile, ready, sent_job};
use super::super::{Action, Effect, ModelState};
use super::*;
use crate::catalog::{ModelProfile, SamplerKind};
use crate::engine::{Advice, Command, Failure, Job, JobKind, KeepRun, Task};
use crate::latent::{Latent, LatentShape, Trajectory};
use crate::reason::ReasonKind;
use crate::request::Seed;
use crate::request::grid::GridAxis;
use crate::session::history::{HistoryReport, RunStatus, RunSummary};

fn grid(axes: &[&str]) -> Grid {
    Grid::new(axes.iter().map(|axis| axis.parse::<GridAxis>().unwrap()).collect()).unwrap()
}

fn start(session: &mut Session, axes: &[&str]) {
    session.apply(Action::Grid(GridAction::Start(Box::new(grid(axes)))));
}

/// One letter for each cell: waiting, drawing, Picture, kept, failed, missing.
fn letters(session: &Session) -> String {
    let letter = |state: CellState<'_>| match state {
        CellState::Waiting => 'w',
        CellState::Drawing(_) => 'd',
        CellState::Drawn(_) => 'P',
        CellState::Kept => 'k',
        CellState::Failed(_) => 'f',
        CellState::Missing => '-',
    };
    session.cell_states().into_iter().map(letter).collect()
}

fn picture(side: usize) -> Picture {
    Picture::new(side, side, vec![7; side * side * 3]).unwrap()
}

fn run_id(number: u32) -> RunId {
    format!("20261130-120000-{number:08x}").parse().unwrap()
}

/// Draws the running picture to its end.
fn draw(session: &mut Session) {
    let job = session.running().unwrap().id;
    session.apply_event(Event::RunKept { job, run: run_id(job.0 as u32) });
    let latent = Latent::zeros(LatentShape::new(4, 8, 8));
    let trajectory = Arc::new(Trajectory { source: None, steps: Vec::new() });
    session.apply_event(Event::Sampled { job, latent, trajectory, finished_early: false });
    session.apply_event(Event::Decoded { job, picture: picture(600), notice: None, elapsed_secs: 8.0 });
}

/// The last request that was sent, and as what it is kept.
fn sent(session: &mut Session) -> (GenerationRequest, KeepRun) {
    let effects = session.take_effects().into_iter().rev();
    let mut jobs = effects.filter_map(|effect| match effect {
        Effect::Send(Command::Run(Job { kind: JobKind::Generate { request, keep, .. }, .. })) => {
            Some((*request, keep))
        }
        _ => None,
    });
    jobs.next().unwrap()
}

#[test]
fn a_grid_is_queued_as_a_batch_and_filled_as_it_is_drawn() {
    let mut session = ready();
    session.recipe.draft.prompt = "a red fox".into();
    session.recipe.draft.seed = Seed(5);
    start(&mut session, &["steps=2,3", "words=red,blue"]);
    assert_eq!((letters(&session).as_str(), session.series()), ("dwww", [1, 4]));
    let (request, keep) = sent(&mut session);
    assert_eq!((request.steps, request.prompt.as_str(), request.seed), (2, "a red fox", Seed(5)));
    let KeepRun::InGrid(kept) = keep else { panic!("{keep:?}") };
    assert_eq!((kept.place, &kept.axes[..]), ([0, 0, 0], &["steps=2,3".into(), "words=red,blue".into()][..]));
    draw(&mut session);
    assert_eq!(letters(&session), "Pdww");
    let CellState::Drawn(shown) = &session.cell_states()[0] else { panic!() };
    assert_eq!((shown.width(), shown.height()), (256, 256), "small");
    draw(&mut session);
    let (request, keep) = sent(&mut session);
    assert_eq!((request.steps, request.prompt.as_str()), (2, "a blue fox"));
    assert!(matches!(keep, KeepRun::InGrid(RunGrid { place: [0, 1, 0], id, .. }) if id == kept.id));
    // Six steps are left, and the last three took eight seconds.
    let requests = session.grid_requests(&grid(&["steps=3,6"])).unwrap();
    assert!((session.grid_seconds(&requests, 2).unwrap() - 24.0).abs() < 1e-9);
    draw(&mut session);
    draw(&mut session);
    assert_eq!((letters(&session).as_str(), session.draws_grid()), ("PPPP", false));
    assert!(!session.can_draw_missing());
    // A cell is shown on the easel.
    session.apply(Action::Grid(GridAction::Show([1, 1, 0])));
    let request = session.on_easel().and_then(|document| document.request().cloned()).unwrap();
    assert_eq!((request.steps, request.prompt.as_str()), (3, "a blue fox"));
}

#[test]
fn a_stopped_grid_keeps_its_pictures_and_draws_the_missing_ones_later() {
    let mut session = ready();
    start(&mut session, &["seed=1..4"]);
    session.apply(Action::Generate);
    draw(&mut session);
    assert_eq!((letters(&session).as_str(), session.waiting().len()), ("Pdww", 3));
    let running = session.running().unwrap();
    let (job, cancel) = (running.id, running.cancel.clone());
    session.apply(Action::Grid(GridAction::Stop));
    assert!(cancel.is_stopped());
    assert_eq!(session.waiting().len(), 1, "the other picture stays");
    session.apply_event(Event::Cancelled { job });
    assert_eq!(letters(&session), "P---");
    draw(&mut session);
    // What was removed from the queue can be brought back, as any removal.
    assert!(session.can_draw_missing());
    session.apply(Action::Grid(GridAction::DrawMissing));
    assert_eq!(letters(&session), "Pdww");
    let (request, _) = sent(&mut session);
    assert_eq!(request.seed, Seed(2));
    // One that fails says why, and the others are drawn.
    let job = session.running().unwrap().id;
    let failure =
        Failure { task: Task::Sample, why: Reason::new(ReasonKind::Bug, "no"), advice: Some(Advice::Report) };
    session.apply_event(Event::Failed { job, failure });
    assert_eq!(letters(&session), "Pfdw");
    let CellState::Failed(CellFailure::Failed(why)) = &session.cell_states()[1] else { panic!() };
    assert_eq!(why.english(), "no");
}

#[test]
fn what_cannot_be_drawn_is_not_begun() {
    let mut session = ready();
    let refused = |session: &Session, axes: &[&str]| session.grid_requests(&grid(axes)).unwrap_err();
    assert_eq!(refused(&session, &["words=red,blue"]), GridError::NotInPrompt("red".into()));
    assert!(matches!(refused(&session, &["steps=3,5000"]), GridError::Cell { .. }));
    start(&mut session, &["steps=3,5000"]);
    assert!(session.grid().is_none() && session.running().is_none());
    let mut loading = Session::new(ModelSource::Builtin, Vec::new());
    start(&mut loading, &["steps=3,5"]);
    assert!(loading.grid().is_none());
}

/// A profile of another model.
fn other_model() -> Arc<ModelProfile> {
    let source = ModelSource::Folder("/models/b".into());
    Arc::new(ModelProfile { source, name: "b".into(), size_multiple: 64, ..ModelProfile::made_up() })
}

fn load(session: &mut Session, profile: Arc<ModelProfile>) {
    let job = session.model.load.as_ref().unwrap().job;
    session.apply_event(loaded(job, profile));
}

#[test]
fn each_model_is_loaded_once_and_at_the_end_the_first_one_again() {
    let mut session = ready();
    session.recipe.draft.steps = 3;
    start(&mut session, &["model=/models/b,builtin", "size=64x64,96x96"]);
    assert_eq!(letters(&session), "wdww", "the loaded model comes first");
    draw(&mut session);
    draw(&mut session);
    assert_eq!(session.loading(), Some(&ModelSource::Folder("/models/b".into())));
    assert_eq!(letters(&session), "wPwP");
    load(&mut session, other_model());
    // The other model takes no picture of 96×96.
    assert_eq!(letters(&session), "dPfP");
    let (request, _) = sent(&mut session);
    assert_eq!((request.steps, request.model.clone()), (3, ModelSource::Folder("/models/b".into())));
    draw(&mut session);
    assert_eq!((letters(&session).as_str(), session.draws_grid()), ("PPfP", false));
    assert_eq!(session.loading(), Some(&ModelSource::Builtin));
    load(&mut session, profile());
    assert!(session.loading().is_none() && session.draft().steps == 3);
}

#[test]
fn a_model_that_cannot_be_loaded_leaves_its_cells_failed() {
    let mut session = ready();
    start(&mut session, &["model=builtin,/models/b"]);
    draw(&mut session);
    let job = session.model.load.as_ref().unwrap().job;
    let failure = Failure { task: Task::LoadModel, why: Reason::new(ReasonKind::Bug, "gone"), advice: None };
    session.apply_event(Event::Failed { job, failure });
    assert_eq!((letters(&session).as_str(), session.draws_grid()), ("Pf", false));
    assert_eq!(session.draft().model, ModelSource::Builtin);
    assert!(session.loading().is_none());
    assert!(matches!(session.model_state(), ModelState::Ready { .. }));
}

fn kept(number: u32, place: Place, axes: &[&str]) -> RunSummary {
    let axes = axes.iter().map(|axis| (*axis).to_owned()).collect();
    RunSummary {
        id: run_id(number),
        created_ms: number.into(),
        model_name: "test".into(),
        family: String::new(),
        prompt: "a fox".into(),
        negative_prompt: String::new(),
        seed: Some(Seed(1)),
        size: None,
        from_picture: false,
        origin: None,
        grid: Some(RunGrid { id: "ab".into(), axes, place }),
        status: RunStatus::Finished,
        steps_planned: 3,
        steps_done: 3,
        steps_kept: 3,
        elapsed_secs: 1.0,
        stars: 0,
    }
}

#[test]
fn the_grid_of_kept_runs_is_opened_and_saved() {
    let mut session = ready();
    session.runs_are_kept(true);
    let axes = &["seed=1,2", "sampler=heun,euler"];
    let unread = kept(9, [0, 0, 0], &["colour=1"]);
    let runs = vec![kept(4, [1, 1, 0], axes), kept(3, [0, 0, 0], axes), kept(2, [0, 0, 0], axes), unread];
    assert_eq!(runs.iter().map(|run| session.has_grid(run)).collect::<Vec<_>>(), [true, true, true, false]);
    session.apply(Action::HistorySays(HistoryReport::Listed(runs)));
    session.apply(Action::HistorySays(HistoryReport::Thumbnail(run_id(4), Some(picture(8)))));
    session.take_effects();
    session.apply(Action::Grid(GridAction::Open(run_id(3))));
    assert_eq!(letters(&session), "k--P");
    let wanted: Vec<_> = session.take_effects().into_iter().map(|effect| format!("{effect:?}")).collect();
    assert!(
        wanted.len() == 1 && wanted[0].contains("Thumbnails") && wanted[0].contains("00000003"),
        "{wanted:?}"
    );
    session.apply(Action::HistorySays(HistoryReport::Thumbnail(run_id(3), Some(picture(8)))));
    assert_eq!(letters(&session), "P--P");
    assert_eq!(
        session.grid().unwrap().grid().axes()[1].values()[1],
        crate::request::grid::GridValue::Sampler(SamplerKind::Euler)
    );
    assert!(!session.can_draw_missing(), "their settings are not all known");
    session.apply(Action::Grid(GridAction::Save { as_folder: true }));
    let effects = session.take_effects();
    let [Effect::AskGrid(export)] = &effects[..] else { panic!("{effects:?}") };
    assert!(export.as_folder && export.facts.is_none());
    let run = |picture: &Option<GridPicture>| match picture {
        Some(GridPicture::Kept(run)) => Some(run.clone()),
        _ => None,
    };
    let runs: Vec<_> = export.pictures.iter().map(run).collect();
    assert_eq!(runs, [Some(run_id(3)), None, None, Some(run_id(4))]);
}

#[test]
fn a_drawn_grid_is_saved_with_its_settings() {
    let mut session = ready();
    start(&mut session, &["seed=1,2"]);
    draw(&mut session);
    session.take_effects();
    session.apply(Action::Grid(GridAction::Save { as_folder: false }));
    let effects = session.take_effects();
    let [Effect::AskGrid(export)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(export.facts.as_ref().unwrap().grid_axes(), ["seed=1,2"]);
    let [Some(GridPicture::Here(shown, facts)), None] = &export.pictures[..] else { panic!() };
    assert_eq!((shown.width(), facts.seed), (600, Some(Seed(1))));
    assert!(sent_job(&mut session).is_none());
}
