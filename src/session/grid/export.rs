//! What is saved of a grid.

use crate::formats::metadata::GenerationFacts;
use crate::request::Picture;
use crate::request::grid::Grid;
use crate::session::history::RunId;
use crate::session::{Document, DocumentId, Effect, Session};

/// A picture of a grid: in memory, or of a kept run.
#[derive(Clone, Debug)]
pub enum GridPicture {
    /// The picture and its settings.
    Here(Picture, Box<GenerationFacts>),
    /// The run that keeps both.
    Kept(RunId),
}

/// A grid as it is saved.
#[derive(Clone, Debug)]
pub struct GridExport {
    /// The proposed file name, without extension.
    pub stem: String,
    /// Its axes.
    pub grid: Grid,
    /// Its pictures, row by row and page by page; `None` where there is none.
    pub pictures: Vec<Option<GridPicture>>,
    /// Its settings; `None` if only its kept runs know them.
    pub facts: Option<GenerationFacts>,
    /// Whether each picture is saved as a file in a folder.
    pub as_folder: bool,
}

impl Session {
    pub(super) fn ask_grid(&mut self, as_folder: bool) {
        let Some(work) = self.grids.current.as_ref().filter(|work| work.has_pictures()) else { return };
        let picture = |cell: &super::Cell| {
            let document = cell.job.and_then(|job| self.documents.get(DocumentId::of_job(job)));
            let item = document.and_then(Document::result);
            let here = item
                .and_then(|item| Some(GridPicture::Here(item.picture()?.clone(), Box::new(item.facts()))));
            // The run of a cell without a picture was stopped, or failed.
            here.or_else(|| cell.run.clone().filter(|_| cell.picture.is_some()).map(GridPicture::Kept))
        };
        let facts = work.draft.as_ref();
        let facts = facts.map(|draft| GenerationFacts::of_grid(&work.grid, draft, &work.model_name));
        let seed = facts.as_ref().and_then(|facts| facts.seed);
        let export = GridExport {
            stem: seed.map_or_else(|| "safelight-grid".to_owned(), |seed| format!("safelight-grid-{seed}")),
            grid: work.grid.clone(),
            pictures: work.cells.iter().map(picture).collect(),
            facts,
            as_folder,
        };
        self.outbox.effects.push(Effect::AskGrid(Box::new(export)));
    }
}
