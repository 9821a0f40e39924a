//! Opening the grid of kept runs.

use super::{Cell, GridWork};
use crate::request::Picture;
use crate::request::grid::{Grid, GridAxis};
use crate::session::Session;
use crate::session::history::{HistoryAction, RunId, RunStatus, RunSummary};
use crate::store::history::RunGrid;

/// The axes of a kept grid; `None` if another version of the program wrote what cannot be read.
fn grid_of(kept: &RunGrid) -> Option<Grid> {
    let axes: Option<Vec<GridAxis>> = kept.axes.iter().map(|axis| axis.parse().ok()).collect();
    Grid::new(axes?).ok()
}

impl Session {
    /// Whether the grid of a kept run can be opened.
    pub fn has_grid(&self, run: &RunSummary) -> bool {
        run.grid.as_ref().is_some_and(|kept| grid_of(kept).is_some())
    }

    /// Opens the grid of a kept run, with the pictures of all its kept runs.
    pub(super) fn open_grid(&mut self, run: &RunId) {
        let runs = self.history.runs();
        let Some(kept) = runs.iter().find(|known| known.id == *run).and_then(|run| run.grid.clone()) else {
            return;
        };
        let is_open = self.grids.current.as_ref().is_some_and(|work| work.id == kept.id);
        if is_open || self.draws_grid() {
            return;
        }
        let Some(grid) = grid_of(&kept) else { return };
        let mut cells = vec![Cell::default(); grid.len()];
        // The newest of several comes first, such as where a picture was drawn again.
        for run in runs.iter().filter(|run| run.status == RunStatus::Finished) {
            let Some(own) = run.grid.as_ref().filter(|own| own.id == kept.id) else { continue };
            let is_inside = own.place.iter().zip(grid.shape()).all(|(at, most)| *at < most);
            if is_inside && cells[grid.index(own.place)].run.is_none() {
                let picture = self.history.thumbnail(&run.id).cloned();
                cells[grid.index(own.place)] = Cell { run: Some(run.id.clone()), picture, ..Cell::default() };
            }
        }
        let is_unread = |cell: &&Cell| cell.picture.is_none();
        let unread = cells.iter().filter(is_unread).filter_map(|cell| cell.run.clone()).collect();
        self.grids.current = Some(GridWork {
            id: kept.id,
            grid,
            cells,
            draft: None,
            model_name: String::new(),
            pending: Vec::new(),
            switched: None,
        });
        self.use_history(HistoryAction::WantThumbnails(unread));
    }

    /// Takes the thumbnail of a kept run, if it is of a cell.
    pub(in crate::session) fn grid_thumbnail(&mut self, run: &RunId, picture: Option<&Picture>) {
        let cells = self.grids.current.iter_mut().flat_map(|work| &mut work.cells);
        for cell in cells.filter(|cell| cell.picture.is_none() && cell.run.as_ref() == Some(run)) {
            cell.picture = picture.cloned();
        }
    }
}
