//! The arguments of a grid of pictures.

use std::path::{Path, PathBuf};

use clap::Args;

use super::engine_arguments::EngineArguments;
use crate::catalog::ModelSource;
use crate::request::grid::{Grid, GridAxis};

/// A grid instead of one picture.
#[derive(Clone, Debug, Args)]
pub(super) struct GridArguments {
    /// Draw a grid: a setting with its values along the columns; a second one for the rows, a third one for further grids
    /// below. Settings: words, seed, steps, guidance, sampler, schedule, model, size, strength, eta, shift. Values stand
    /// between commas, or in double quotes if they have commas themselves; numbers may be ranges such as 1..4 or 1..7:2.
    /// The first of the words are those that the others replace: words=red,blue,"red, blue".
    #[arg(long, value_name = "SETTING=VALUES", conflicts_with_all = ["batch", "save_latent"])]
    grid: Vec<GridAxis>,
    /// Save every picture of the grid too, in this new folder.
    #[arg(long, value_name = "FOLDER", requires = "grid")]
    grid_folder: Option<PathBuf>,
}

impl GridArguments {
    /// Whether a grid is to be drawn.
    pub(super) fn is_wanted(&self) -> bool {
        !self.grid.is_empty()
    }

    /// The folder of all pictures, if one is named.
    pub(super) fn folder(&self) -> Option<&Path> {
        self.grid_folder.as_deref()
    }

    /// The grid, whose models are found. `is_kept`: whether their paths are to be the same from every folder.
    ///
    /// # Errors
    /// If a model is not found, or there is no such grid.
    pub(super) fn grid(&self, engine: &EngineArguments, is_kept: bool) -> anyhow::Result<Grid> {
        let mut axes = self.grid.clone();
        for axis in &mut axes {
            // A kept run is found from every folder.
            let absolute = |model: ModelSource| if is_kept { model.absolute() } else { model };
            axis.find_models(|name| engine.other(name).map(absolute))?;
        }
        Ok(Grid::new(axes)?)
    }
}
