//! `safelight generate --grid`.

use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use serde_json::json;

use super::arguments::GenerateArguments;
use super::drawing::{Drawing, Drawn, Taken};
use super::generate::{draft, init_image, is_about};
use super::output::{self, Output};
use super::outputs::{Files, PictureFile};
use super::run;
use super::runs::history;
use super::signals::finished_early;
use crate::catalog::{ImageSize, ModelSource};
use crate::engine::{JobId, KeepRun, Task};
use crate::formats::metadata::GenerationFacts;
use crate::formats::picture::{PictureFormat, WriteOptions};
use crate::formats::{check_grid_sheet, grid_sheet};
use crate::models;
use crate::reel::{self, ReelKind};
use crate::request::grid::{Grid, Place};
use crate::request::{CancelToken, GenerationDraft, GenerationRequest, InitImage, Picture};
use crate::store::history::{RunGrid, RunId};

/// Draws the pictures of a grid, and writes it as one picture. If a picture fails, the others are still drawn.
pub(super) fn run(arguments: &GenerateArguments, output: &mut Output) -> anyhow::Result<()> {
    let (file, folder) = checked_paths(arguments)?;
    let is_kept = arguments.keep || arguments.keep_in.is_some();
    let grid = arguments.grid.grid(&arguments.engine, is_kept)?;
    let init_image = init_image(arguments, output)?;
    let history = is_kept.then(|| history(arguments.keep_in.as_deref())).transpose()?;
    let parts = parts(arguments, &grid, init_image.as_ref(), is_kept)?;
    let sizes = parts.iter().flat_map(|part| &part.cells).map(|(_, request)| request.size);
    let largest = sizes.fold(ImageSize::new(0, 0), |most, size| {
        ImageSize::new(most.width.max(size.width), most.height.max(size.height))
    });
    check_grid_sheet(&grid, largest)?;
    let engine = run::start(&arguments.engine)?;
    let (profile, device, load_secs) = run::load_source(&engine, parts[0].model.clone())?;
    profile.remarks.iter().for_each(|remark| output.notice(remark));
    let facts = GenerationFacts::of_grid(&grid, &parts[0].draft, &profile.name);
    let loaded = (profile, device, load_secs);
    let drawing = Drawing::new(engine, loaded, !arguments.no_metadata, arguments.json, history)?;
    let cells = vec![None; grid.len()];
    let kept_as = is_kept.then(RunGrid::new_id);
    let mut drawn = DrawnGrid {
        grid,
        facts,
        drawing,
        file,
        folder,
        near: arguments.output.clone(),
        kept_as,
        cells,
        failed: 0,
        cancel: CancelToken::new(),
        as_json: arguments.json,
        metadata: !arguments.no_metadata,
    };
    let cancel = drawn.cancel.clone();
    finished_early(&cancel, || {
        drawn.draw(&parts, output);
        drawn.write(output)
    })?;
    match drawn.failed {
        0 => Ok(()),
        failed => bail!("{failed} of {} pictures failed", drawn.grid.len()),
    }
}

/// The file of the grid, and the folder of its pictures. Checks that they can be written.
fn checked_paths(arguments: &GenerateArguments) -> anyhow::Result<(PictureFile, Option<PathBuf>)> {
    let mut files = Files::of_model(&arguments.engine.source()?);
    if let Some(path) = &arguments.init_image {
        files.input(path);
    }
    let file = files.picture(&arguments.output, 0, 1)?;
    files.check()?;
    let folder = arguments.grid.folder().map(Path::to_owned);
    if let Some(folder) = &folder {
        reel::check(folder, ReelKind::Frames)?;
    }
    Ok((file, folder))
}

/// The pictures of one model.
struct ModelCells {
    model: ModelSource,
    /// The settings that no axis varies.
    draft: GenerationDraft,
    cells: Vec<(Place, GenerationRequest)>,
}

/// The pictures in the order in which they are drawn, all of which are possible. What is not given is each model's own
/// default, as for a single picture; the seed is the same for all.
fn parts(
    arguments: &GenerateArguments,
    grid: &Grid,
    init_image: Option<&InitImage>,
    is_kept: bool,
) -> anyhow::Result<Vec<ModelCells>> {
    let mut parts: Vec<ModelCells> = Vec::new();
    for wanted in grid.models() {
        let model = wanted.cloned().map_or_else(|| arguments.engine.source(), Ok)?;
        let model = if is_kept { model.absolute() } else { model };
        let profile = models::profile(&model)?;
        let mut draft = draft(arguments, &profile, init_image.cloned());
        draft.seed = parts.first().map_or(draft.seed, |first| first.draft.seed);
        let places = grid.order().into_iter().filter(|place| grid.model(*place) == wanted);
        let request = |place| Ok((place, grid.request(&draft, place, &profile)?));
        let cells = places.map(request).collect::<anyhow::Result<_>>()?;
        parts.push(ModelCells { model, draft, cells });
    }
    Ok(parts)
}

/// A grid as far as it is drawn.
struct DrawnGrid {
    grid: Grid,
    facts: GenerationFacts,
    drawing: Drawing,
    file: PictureFile,
    folder: Option<PathBuf>,
    /// A file beside which the latent of a picture is kept that cannot be decoded.
    near: PathBuf,
    /// The name of the grid in its kept runs; `None` if they are not kept.
    kept_as: Option<String>,
    cells: Vec<Option<Picture>>,
    failed: usize,
    cancel: CancelToken,
    as_json: bool,
    metadata: bool,
}

impl DrawnGrid {
    /// Draws all pictures, or those until it is stopped.
    fn draw(&mut self, parts: &[ModelCells], output: &mut Output) {
        let mut number = 0;
        for (at, part) in parts.iter().enumerate() {
            if at > 0
                && !self.cancel.is_stopped()
                && let Err(error) = self.drawing.load(part.model.clone(), &self.cancel, output)
            {
                if !self.cancel.is_stopped() {
                    output.failure(&error);
                    self.failed += part.cells.len();
                }
                continue;
            }
            for (place, request) in &part.cells {
                if self.cancel.is_stopped() {
                    return;
                }
                number += 1;
                let is_lost = self.draw_cell(number, *place, request, output);
                if is_lost {
                    break;
                }
            }
        }
    }

    /// Draws one picture, and writes it into the folder. Returns whether the model is lost.
    fn draw_cell(
        &mut self,
        number: usize,
        place: Place,
        request: &GenerationRequest,
        output: &mut Output,
    ) -> bool {
        let axes = || self.grid.axes().iter().map(ToString::to_string).collect();
        let keep = match &self.kept_as {
            Some(id) => KeepRun::InGrid(RunGrid { id: id.clone(), axes: axes(), place }),
            None => KeepRun::No,
        };
        let drawn = Drawn { request: request.clone(), continues: None, keep };
        let taken = self.drawing.take(JobId(number as u64), drawn, None, &self.near, &self.cancel, output);
        if self.cancel.is_stopped() {
            return false;
        }
        let Taken { picture, facts, secs, run, mut errors, .. } = taken;
        let mut written = None;
        if let (Some(picture), Some(folder)) = (&picture, &self.folder) {
            match self.write_cell(folder, place, picture, &facts) {
                Ok(path) => written = Some(path),
                Err(error) => errors.push(error),
            }
        }
        errors.extend(run.as_ref().and_then(|run| self.drawing.check_kept(run).err()));
        let (name, all) = (self.grid.cell_name(place), self.grid.len());
        if self.as_json {
            output.json(&json!({
                "cell": place, "name": name, "output": written.as_deref().map(output::text),
                "seed": request.seed.0, "secs": picture.is_some().then_some(secs),
                "run": run.as_ref().map(RunId::as_str),
                "error": errors.first().map(output::sentence),
            }));
        } else if picture.is_some() {
            output::remark(&format!("{number}/{all} {name} ({secs:.1} s)"));
        }
        let index = self.grid.index(place);
        self.cells[index] = picture;
        self.failed += usize::from(!errors.is_empty());
        for error in &errors {
            output.failure(&anyhow!("{name}: {}", output::sentence(error)));
        }
        errors.iter().any(|error| is_about(error, Task::LoadModel))
    }

    fn write_cell(
        &self,
        folder: &Path,
        place: Place,
        picture: &Picture,
        facts: &GenerationFacts,
    ) -> anyhow::Result<PathBuf> {
        std::fs::create_dir_all(folder).map_err(|error| output::named(folder, error))?;
        let path = folder.join(format!("{}.png", self.grid.file_stem(place)));
        let file = PictureFile { format: PictureFormat::Png, path };
        let options = WriteOptions { metadata: self.metadata, ..WriteOptions::default() };
        file.write(picture, Some(facts), options)?;
        Ok(file.path)
    }

    /// Writes the grid, if any picture of it was drawn.
    fn write(&self, output: &mut Output) -> anyhow::Result<()> {
        let drawn = self.cells.iter().flatten().count();
        if drawn == 0 {
            return Ok(());
        }
        let title = self.facts.prompt.as_deref().unwrap_or_default();
        let sheet = grid_sheet(&self.grid, &self.cells, title, &self.facts.common_settings(&self.grid))?;
        let options = WriteOptions { metadata: self.metadata, ..WriteOptions::default() };
        self.file.write(&sheet, Some(&self.facts), options)?;
        let path = &self.file.path;
        if self.as_json {
            let axes: Vec<String> = self.grid.axes().iter().map(ToString::to_string).collect();
            output.json(&json!({
                "output": output::text(path), "folder": self.folder.as_deref().map(output::text),
                "axes": axes, "shape": self.grid.shape(), "drawn": drawn,
                "width": sheet.width(), "height": sheet.height(),
            }));
        } else {
            output::remark(&format!("{} ({drawn} of {} pictures)", path.display(), self.grid.len()));
        }
        Ok(())
    }
}
