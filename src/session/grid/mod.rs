//! Grids of pictures: queued as a batch, filled as they are drawn, and opened again from their kept runs. One at a time.

mod export;
mod opening;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use super::history::{HistoryAction, RunId};
use super::queue::Queued;
use super::{DocumentId, Running, Session};
use crate::catalog::ModelSource;
use crate::engine::{Event, JobId};
use crate::formats::picture::shrink_to_edge;
use crate::reason::Reason;
use crate::request::grid::{Grid, GridError, Place};
use crate::request::{GenerationDraft, GenerationRequest, Picture};
use crate::store::history::RunGrid;

pub use export::{GridExport, GridPicture};

/// Longest edge of the pictures of cells that are held for showing them, pixels.
const SHOWN_EDGE: usize = 256;

/// Something done with a grid.
#[derive(Clone, Debug, PartialEq)]
pub enum GridAction {
    /// Draw a grid of the draft.
    Start(Box<Grid>),
    /// Draw it no further; the pictures that are drawn stay.
    Stop,
    /// Draw the pictures that are missing.
    DrawMissing,
    /// Show a picture on the easel.
    Show(Place),
    /// Open the grid of a kept run.
    Open(RunId),
    /// Ask where it is to be saved: as one picture, or all pictures as a folder.
    Save {
        /// Whether as a folder.
        as_folder: bool,
    },
}

/// Why a cell has no picture.
#[derive(Clone, Debug, PartialEq)]
pub enum CellFailure {
    /// It cannot be drawn.
    Refused(GridError),
    /// Drawing it failed.
    Failed(Reason),
}

/// How far a cell is.
pub enum CellState<'a> {
    /// It is to be drawn.
    Waiting,
    /// It is being drawn.
    Drawing(&'a Running),
    /// Its picture, small.
    Drawn(&'a Picture),
    /// Its picture is kept and not read yet.
    Kept,
    /// It could not be drawn.
    Failed(&'a CellFailure),
    /// It is not drawn, and not going to be.
    Missing,
}

/// What is known of a cell.
#[derive(Clone, Debug, Default)]
struct Cell {
    job: Option<JobId>,
    /// The kept run.
    run: Option<RunId>,
    /// Its picture, small.
    picture: Option<Picture>,
    failure: Option<CellFailure>,
}

/// A grid that is drawn or was.
pub struct GridWork {
    /// Its name in its kept runs.
    id: String,
    grid: Grid,
    /// Row by row and page by page.
    cells: Vec<Cell>,
    /// The settings that no axis varies; `None` if only its kept runs are known.
    draft: Option<GenerationDraft>,
    model_name: String,
    /// Cells that are not queued yet: those of models that are still to be loaded.
    pending: Vec<Place>,
    /// The model that was loaded for it last, and the one before it was begun.
    switched: Option<[ModelSource; 2]>,
}

/// The grids of the session.
#[derive(Default)]
pub(super) struct Grids {
    current: Option<GridWork>,
}

impl GridWork {
    /// Its name.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its axes.
    pub fn grid(&self) -> &Grid {
        &self.grid
    }

    /// Whether any picture of it is there.
    pub fn has_pictures(&self) -> bool {
        self.cells.iter().any(|cell| cell.picture.is_some() || cell.run.is_some())
    }

    /// The model of a cell.
    fn model(&self, place: Place) -> Option<&ModelSource> {
        self.grid.model(place).or(self.draft.as_ref().map(|draft| &draft.model))
    }

    fn cell_of(&mut self, job: JobId) -> Option<&mut Cell> {
        self.cells.iter_mut().find(|cell| cell.job == Some(job))
    }

    fn jobs(&self) -> HashSet<JobId> {
        self.cells.iter().filter_map(|cell| cell.job).collect()
    }
}

impl Session {
    /// The grid that is drawn or was.
    pub fn grid(&self) -> Option<&GridWork> {
        self.grids.current.as_ref()
    }

    /// How far each cell of the grid is, row by row and page by page.
    pub fn cell_states(&self) -> Vec<CellState<'_>> {
        let Some(work) = &self.grids.current else { return Vec::new() };
        let waiting: HashSet<JobId> = self.queue.waiting.iter().map(|queued| queued.id).collect();
        let pending: HashSet<Place> = work.pending.iter().copied().collect();
        let running = self.queue.running.as_ref();
        work.cells
            .iter()
            .enumerate()
            .map(|(index, cell)| {
                if let Some(running) = running.filter(|running| cell.job == Some(running.id)) {
                    CellState::Drawing(running)
                } else if let Some(picture) = &cell.picture {
                    CellState::Drawn(picture)
                } else if cell.job.is_some_and(|job| waiting.contains(&job))
                    || pending.contains(&work.grid.place(index))
                {
                    CellState::Waiting
                } else if let Some(failure) = &cell.failure {
                    CellState::Failed(failure)
                } else if cell.run.is_some() && cell.job.is_none() {
                    CellState::Kept
                } else {
                    CellState::Missing
                }
            })
            .collect()
    }

    /// Whether cells of the grid are still to be drawn.
    pub fn draws_grid(&self) -> bool {
        let Some(work) = &self.grids.current else { return false };
        let is_open = || {
            let jobs = work.jobs();
            let runs = self.queue.running.as_ref().is_some_and(|running| jobs.contains(&running.id));
            runs || self.queue.waiting.iter().any(|queued| jobs.contains(&queued.id))
        };
        !work.pending.is_empty() || is_open()
    }

    /// Whether missing pictures of the grid can be drawn.
    pub fn can_draw_missing(&self) -> bool {
        let has_draft = self.grids.current.as_ref().is_some_and(|work| work.draft.is_some());
        has_draft && self.is_ready() && !self.draws_grid() && self.missing_cells().next().is_some()
    }

    fn missing_cells(&self) -> impl Iterator<Item = Place> {
        let work = self.grids.current.iter();
        work.flat_map(|work| {
            let cells = work.cells.iter().enumerate();
            let missing = cells.filter(|(_, cell)| cell.picture.is_none()).map(|(index, _)| index);
            missing.map(|index| work.grid.place(index))
        })
    }

    /// The requests of a grid of the draft, as far as they are for the loaded model. Other models are asked once they are
    /// loaded.
    ///
    /// # Errors
    /// The first [`GridError`] found.
    pub fn grid_requests(&self, grid: &Grid) -> Result<Vec<GenerationRequest>, GridError> {
        let draft = &self.recipe.draft;
        grid.check(draft)?;
        let Some(profile) = &self.model.profile else { return Ok(Vec::new()) };
        let is_loaded = |place: &Place| grid.model(*place).is_none_or(|model| *model == profile.source);
        let places = grid.order().into_iter().filter(is_loaded);
        places.map(|place| grid.request(draft, place, profile)).collect()
    }

    /// Estimated seconds that a grid of these requests with `cells` cells takes; `None` if no picture was drawn yet.
    pub fn grid_seconds(&self, requests: &[GenerationRequest], cells: usize) -> Option<f64> {
        let known = self.queue.estimate(requests.iter())?;
        (!requests.is_empty()).then(|| known * cells as f64 / requests.len() as f64)
    }

    pub(super) fn use_grid(&mut self, action: GridAction) {
        match action {
            GridAction::Start(grid) => self.start_grid(*grid),
            GridAction::Stop => self.stop_grid(),
            GridAction::DrawMissing => self.draw_missing(),
            GridAction::Show(place) => self.show_cell(place),
            GridAction::Open(run) => self.open_grid(&run),
            GridAction::Save { as_folder } => self.ask_grid(as_folder),
        }
    }

    fn start_grid(&mut self, grid: Grid) {
        if !self.is_ready() || self.draws_grid() || self.grid_requests(&grid).is_err() {
            return;
        }
        self.recipe.remember_prompt();
        self.grids.current = Some(GridWork {
            id: RunGrid::new_id(),
            cells: vec![Cell::default(); grid.len()],
            draft: Some(self.recipe.draft.clone()),
            model_name: self.model.profile.as_ref().map(|profile| profile.name.clone()).unwrap_or_default(),
            pending: grid.order(),
            switched: None,
            grid,
        });
        self.queue_cells();
        self.go_on_with_grid();
    }

    fn draw_missing(&mut self) {
        if !self.can_draw_missing() {
            return;
        }
        let missing: HashSet<Place> = self.missing_cells().collect();
        if let Some(work) = &mut self.grids.current {
            work.pending = work.grid.order();
            work.pending.retain(|place| missing.contains(place));
        }
        self.queue_cells();
        self.go_on_with_grid();
    }

    /// Queues the cells of the loaded model, and begins with the first.
    pub(super) fn queue_cells(&mut self) {
        if self.model.load.is_some() || !self.is_ready() {
            return;
        }
        let (Some(profile), Some(work)) = (self.model.profile.clone(), &mut self.grids.current) else {
            return;
        };
        let Some(draft) = work.draft.clone() else { return };
        let mut places = std::mem::take(&mut work.pending);
        work.pending = places.extract_if(.., |place| work.model(*place) != Some(&profile.source)).collect();
        for place in places {
            let Some(work) = &self.grids.current else { return };
            let index = work.grid.index(place);
            let axes = work.grid.axes().iter().map(ToString::to_string).collect();
            let grid = Some(RunGrid { id: work.id.clone(), axes, place });
            let cell = match work.grid.request(&draft, place, &profile) {
                Ok(request) => {
                    let id = self.new_job();
                    self.queue.series_grows(1);
                    self.queue.waiting.push(Queued { id, request, fork: None, grid });
                    Cell { job: Some(id), ..Cell::default() }
                }
                Err(error) => Cell { failure: Some(CellFailure::Refused(error)), ..Cell::default() },
            };
            if let Some(work) = &mut self.grids.current {
                work.cells[index] = cell;
            }
        }
        self.start_next();
    }

    /// Loads the model of the cells that come next, or at the end the one before the grid was begun.
    pub(super) fn go_on_with_grid(&mut self) {
        let is_idle =
            self.queue.running.is_none() && self.queue.waiting.is_empty() && self.model.load.is_none();
        let Some(work) = self.grids.current.as_mut().filter(|_| is_idle) else { return };
        let present = self.recipe.draft.model.clone();
        if let Some(next) = work.pending.first().and_then(|place| work.model(*place)).cloned() {
            // Those of the model that is loaded are queued.
            let before = work.switched.take().map_or(present, |[_, before]| before);
            work.switched = Some([next.clone(), before]);
            self.load_model(next);
        } else if let Some([last, before]) = work.switched.take()
            && last == present
            && before != present
        {
            self.load_model(before);
        }
    }

    /// Gives up the cells of a model that cannot be loaded.
    pub(super) fn give_up_cells(&mut self, model: &ModelSource, why: &Reason) {
        let Some(work) = &mut self.grids.current else { return };
        let mut pending = std::mem::take(&mut work.pending);
        let lost: Vec<Place> = pending.extract_if(.., |place| work.model(*place) == Some(model)).collect();
        work.pending = pending;
        for place in lost {
            let index = work.grid.index(place);
            work.cells[index].failure = Some(CellFailure::Failed(why.clone()));
        }
        // The model before it is the chosen one again.
        work.switched = work.switched.take().filter(|[last, _]| last != model);
    }

    /// Stops drawing the grid.
    fn stop_grid(&mut self) {
        let Some(work) = &mut self.grids.current else { return };
        work.pending.clear();
        let jobs = work.jobs();
        self.drop_waiting(|queued| jobs.contains(&queued.id));
        if let Some(running) = self.queue.running.as_ref().filter(|running| jobs.contains(&running.id)) {
            running.cancel.stop();
        }
        self.go_on_with_grid();
    }

    /// Keeps what an event says of a cell.
    pub(super) fn grid_sees(&mut self, event: &Event) {
        let Some(work) = &mut self.grids.current else { return };
        match event {
            Event::RunKept { job, run } => {
                if let Some(cell) = work.cell_of(*job) {
                    cell.run = Some(run.clone());
                }
            }
            Event::RunNotKept { job, .. } => {
                if let Some(cell) = work.cell_of(*job) {
                    cell.run = None;
                }
            }
            Event::Decoded { job, picture, .. } => {
                if let Some(cell) = work.cell_of(*job) {
                    cell.picture =
                        Some(shrink_to_edge(picture, SHOWN_EDGE).unwrap_or_else(|| picture.clone()));
                }
            }
            Event::Failed { job, failure } => {
                if let Some(cell) = work.cell_of(*job) {
                    cell.failure = Some(CellFailure::Failed(failure.why.clone()));
                }
            }
            _ => {}
        }
    }

    /// Shows a cell on the easel.
    fn show_cell(&mut self, place: Place) {
        let Some(work) = &self.grids.current else { return };
        let Some(cell) = work.cells.get(work.grid.index(place)) else { return };
        let document = cell.job.map(DocumentId::of_job).filter(|id| self.documents.get(*id).is_some());
        match (document, cell.run.clone()) {
            (Some(id), _) if self.documents.get(id).is_some_and(super::Document::is_drawing) => {
                self.go_live()
            }
            (Some(id), _) => self.show(id),
            (None, Some(run)) => self.use_history(HistoryAction::Show(run)),
            (None, None) => {}
        }
    }
}
