//! Saving grids: as one labelled picture, or every picture as a file in a folder.

use std::path::{Path, PathBuf};

use crate::formats::grid_sheet;
use crate::formats::metadata::GenerationFacts;
use crate::formats::picture::{WriteOptions, write_picture};
use crate::reason::{Reason, ReasonKind};
use crate::reel::{self, ReelKind};
use crate::request::Picture;
use crate::session::{GridExport, GridPicture};
use crate::store::history::History;

/// Writes a grid. `history`: where the pictures are that are no more in memory. Returns the path with the extension that
/// was added.
pub(super) fn write_grid(
    path: &Path,
    export: &GridExport,
    metadata: bool,
    history: Option<&History>,
) -> anyhow::Result<PathBuf> {
    let pictures: Vec<_> = export.pictures.iter().map(|picture| read(picture.as_ref()?, history)).collect();
    if pictures.iter().all(Option::is_none) {
        return Err(Reason::new(
            ReasonKind::NothingToWrite,
            "no picture of the grid is drawn yet, or all were deleted from the gallery",
        )
        .into());
    }
    let options = WriteOptions { metadata, ..WriteOptions::default() };
    if export.as_folder {
        reel::check(path, ReelKind::Frames).map_err(|error| Reason::from(&error))?;
        std::fs::create_dir_all(path)?;
        for (index, found) in pictures.iter().enumerate() {
            let Some((picture, facts)) = found else { continue };
            let name = format!("{}.png", export.grid.file_stem(export.grid.place(index)));
            write_picture(&path.join(name), picture, Some(facts), &options)?;
        }
        return Ok(path.to_owned());
    }
    let first = || pictures.iter().flatten().next().map(|(_, facts)| facts.clone().with_axes(&export.grid));
    let facts = export.facts.clone().or_else(first).unwrap_or_default();
    let title = facts.prompt.clone().unwrap_or_default();
    let common = facts.common_settings(&export.grid);
    let cells: Vec<Option<Picture>> =
        pictures.into_iter().map(|found| found.map(|(picture, _)| picture)).collect();
    let sheet = grid_sheet(&export.grid, &cells, &title, &common)?;
    Ok(write_picture(path, &sheet, Some(&facts), &options)?)
}

/// A picture of a grid with its settings; `None` if its run is no more there.
fn read(picture: &GridPicture, history: Option<&History>) -> Option<(Picture, GenerationFacts)> {
    match picture {
        GridPicture::Here(picture, facts) => Some((picture.clone(), (**facts).clone())),
        GridPicture::Kept(run) => {
            let history = history?;
            let read = || Ok((history.picture(run)?, history.read(run)?));
            match read() {
                Ok((picture, record)) => Some((picture?, record.facts().clone())),
                Err(error) => {
                    let error: crate::store::history::HistoryError = error;
                    log::warn!("a picture of a grid cannot be read: {error}");
                    None
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::ModelProfile;
    use crate::formats::picture::{ReadOptions, read_picture};
    use crate::request::GenerationDraft;
    use crate::request::grid::Grid;

    fn export(as_folder: bool) -> GridExport {
        let grid = Grid::new(vec!["steps=2,3".parse().unwrap()]).unwrap();
        let draft =
            GenerationDraft { prompt: "a fox".into(), ..GenerationDraft::new(&ModelProfile::made_up()) };
        let facts = GenerationFacts::of_request(&grid.draft(&draft, [1, 0, 0]), "test");
        let picture = Picture::new(64, 64, vec![200; 64 * 64 * 3]).unwrap();
        let facts_of_grid = GenerationFacts::of_grid(&grid, &draft, "test");
        GridExport {
            stem: "grid".into(),
            grid,
            pictures: vec![None, Some(GridPicture::Here(picture, Box::new(facts)))],
            facts: Some(facts_of_grid),
            as_folder,
        }
    }

    #[test]
    fn a_grid_is_one_picture_with_its_axes_or_a_folder_of_pictures_with_their_settings() {
        let folder = tempfile::tempdir().unwrap();
        let path = write_grid(&folder.path().join("grid"), &export(false), true, None).unwrap();
        assert_eq!(path, folder.path().join("grid.png"));
        let facts = |path: &Path| read_picture(path, &ReadOptions::default()).unwrap().facts;
        assert_eq!(facts(&path).unwrap().grid_axes(), ["steps=2,3"]);
        // Without its own settings, those of its first picture stand for it.
        let of_runs = GridExport { facts: None, ..export(false) };
        write_grid(&path, &of_runs, true, None).unwrap();
        let of_picture = facts(&path).unwrap();
        assert_eq!((of_picture.grid_axes(), of_picture.steps), (vec!["steps=2,3"], Some(3)));
        write_grid(&path, &export(false), false, None).unwrap();
        assert!(facts(&path).is_none());

        let cells = folder.path().join("cells");
        write_grid(&cells, &export(true), true, None).unwrap();
        assert_eq!(facts(&cells.join("02-steps-3.png")).unwrap().steps, Some(3));
        assert_eq!(std::fs::read_dir(&cells).unwrap().count(), 1);
        let error = write_grid(&cells, &export(true), true, None).unwrap_err();
        assert!(error.to_string().contains("is not empty"), "{error}");
        let gone = GridExport { pictures: vec![None, None], ..export(false) };
        assert!(write_grid(&path, &gone, true, None).is_err());
    }
}
