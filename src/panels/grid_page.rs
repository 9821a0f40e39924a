//! The state of the page of grids, which stays while it is closed.

use std::collections::HashMap;

use egui::{TextureHandle, TextureId, TextureOptions, Ui};

use crate::catalog::{SamplerKind, ScheduleKind};
use crate::request::grid::{Grid, GridAxis, GridError, GridSetting, Place};
use crate::request::{GenerationDraft, Picture};

/// An axis as it is typed.
#[derive(Clone, Debug, Default)]
pub(super) struct AxisField {
    /// What it varies; `None` for an axis that there is not.
    pub(super) setting: Option<GridSetting>,
    pub(super) typed: String,
}

/// The state of the page of grids.
#[derive(Default)]
pub(super) struct GridPage {
    pub(super) is_open: bool,
    /// Whether the axes are hidden, which they are while a grid is looked at.
    pub(super) hides_axes: bool,
    pub(super) fields: [AxisField; 3],
    /// The cell that the arrow keys move from.
    pub(super) place: Place,
    /// Whether that cell is to be scrolled into view.
    pub(super) scrolls: bool,
    /// The name of the grid whose axes were written last.
    followed: String,
    /// The small pictures of the cells: more than other pictures are shown at once.
    textures: HashMap<usize, (Picture, TextureHandle)>,
}

impl std::fmt::Debug for GridPage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GridPage").field("fields", &self.fields).finish_non_exhaustive()
    }
}

impl AxisField {
    /// Varies another setting, with values around those of the draft.
    pub(super) fn vary(&mut self, setting: Option<GridSetting>, draft: &GenerationDraft) {
        if self.setting != setting {
            self.typed = setting.map(|setting| suggestion(setting, draft)).unwrap_or_default();
            self.setting = setting;
        }
    }

    /// Adds a value at the end of the list.
    pub(super) fn add(&mut self, value: &str) {
        let typed = self.typed.trim().trim_end_matches(',');
        self.typed = if typed.is_empty() { value.to_owned() } else { format!("{typed},{value}") };
    }
}

impl GridPage {
    /// The grid as it is typed; `None` if no axis has values yet.
    ///
    /// # Errors
    /// What is wrong, with the axis that it is about.
    pub(super) fn read(&self) -> Result<Option<Grid>, (Option<usize>, GridError)> {
        let mut axes = Vec::new();
        for (at, field) in self.fields.iter().enumerate() {
            match field.setting {
                Some(_) if field.typed.trim().is_empty() => return Ok(None),
                Some(setting) => {
                    let axis = GridAxis::new(setting, &field.typed).map_err(|error| (Some(at), error))?;
                    axes.push(axis);
                }
                None => {}
            }
        }
        if axes.is_empty() {
            return Ok(None);
        }
        Grid::new(axes).map(Some).map_err(|error| (None, error))
    }

    /// Writes the axes of a grid that was begun or opened, and hides them: the pictures take their room. `name`: its name.
    pub(super) fn follow(&mut self, name: &str, grid: &Grid) {
        if self.followed == name {
            return;
        }
        name.clone_into(&mut self.followed);
        (self.hides_axes, self.place) = (true, [0; 3]);
        for (at, field) in self.fields.iter_mut().enumerate() {
            *field = match grid.axes().get(at) {
                Some(axis) => AxisField { setting: Some(axis.setting()), typed: axis.list().to_owned() },
                None => AxisField::default(),
            };
        }
    }

    /// The texture of a cell's picture.
    pub(super) fn texture(&mut self, ui: &Ui, picture: &Picture) -> TextureId {
        let key = picture.rgb().as_ptr() as usize;
        if let Some((_, texture)) = self.textures.get(&key) {
            return texture.id();
        }
        if self.textures.len() >= Grid::MOST_CELLS {
            self.textures.clear();
        }
        let image = egui::ColorImage::from_rgb([picture.width(), picture.height()], picture.rgb());
        let texture = ui.ctx().load_texture("cell", image, TextureOptions::LINEAR);
        let id = texture.id();
        self.textures.insert(key, (picture.clone(), texture));
        id
    }

    /// Drops what belongs to the graphics device.
    pub(super) fn drop_textures(&mut self) {
        self.textures.clear();
    }
}

/// Values to begin with.
fn suggestion(setting: GridSetting, draft: &GenerationDraft) -> String {
    let joined = |values: Vec<String>| values.join(",");
    match setting {
        GridSetting::Words => String::new(),
        GridSetting::Seed => format!("{}..{}", draft.seed, draft.seed.0.saturating_add(3)),
        GridSetting::Steps => {
            let steps = draft.steps.max(2);
            joined([steps / 2, steps, steps * 2].map(|steps| steps.to_string()).to_vec())
        }
        GridSetting::Guidance => {
            let scale = draft.guidance_scale.max(1.0);
            joined([scale, scale + 2.0, scale + 4.0].map(|scale| scale.to_string()).to_vec())
        }
        GridSetting::Sampler => {
            let others = [SamplerKind::Euler, SamplerKind::Dpmpp2m, SamplerKind::Heun];
            let others = others.into_iter().filter(|kind| *kind != draft.sampler).take(2);
            joined(std::iter::once(draft.sampler).chain(others).map(|kind| kind.id().to_owned()).collect())
        }
        GridSetting::Schedule => {
            let others = [ScheduleKind::Model, ScheduleKind::Karras, ScheduleKind::Simple];
            let others = others.into_iter().filter(|kind| *kind != draft.schedule).take(2);
            joined(std::iter::once(draft.schedule).chain(others).map(|kind| kind.id().to_owned()).collect())
        }
        GridSetting::Model => match draft.model.path() {
            Some(path) => quoted(&path.display().to_string()),
            None => "builtin".to_owned(),
        },
        GridSetting::Size => format!("{}x{}", draft.size.width, draft.size.height),
        GridSetting::Strength | GridSetting::Eta | GridSetting::Shift => setting.example().to_owned(),
    }
}

/// A text as a value of a list.
pub(super) fn quoted(text: &str) -> String {
    GridAxis::written(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::ModelProfile;
    use crate::request::Seed;

    #[test]
    fn every_setting_but_words_begins_with_values_that_can_be_read() {
        let draft = GenerationDraft { seed: Seed(7), ..GenerationDraft::new(&ModelProfile::made_up()) };
        for setting in GridSetting::ALL {
            let mut page = GridPage::default();
            page.fields[1].vary(Some(setting), &draft);
            let read = page.read().unwrap();
            assert_eq!(read.is_none(), setting == GridSetting::Words, "{setting}");
            if let Some(grid) = read {
                assert_eq!(grid.axes()[0].setting(), setting);
            }
        }
        let mut field = AxisField::default();
        field.vary(Some(GridSetting::Seed), &draft);
        assert_eq!(field.typed, "7..10");
        field.typed = "8".into();
        field.vary(Some(GridSetting::Seed), &draft);
        field.add("9");
        assert_eq!(field.typed, "8,9", "what is typed stays");
        field.vary(None, &draft);
        assert_eq!(field.typed, "");
    }

    #[test]
    fn what_is_wrong_names_its_axis_and_an_opened_grid_is_written() {
        let mut page = GridPage::default();
        assert_eq!(page.read(), Ok(None));
        page.fields[2] = AxisField { setting: Some(GridSetting::Steps), typed: "2,x".into() };
        let (axis, error) = page.read().unwrap_err();
        assert_eq!((axis, error.to_string().contains("‘x’")), (Some(2), true));
        page.fields[0] = AxisField { setting: Some(GridSetting::Seed), typed: " ".into() };
        assert_eq!(page.read(), Ok(None), "it is still being typed");
        let grid = Grid::new(vec!["words=a,\"b, c\"".parse().unwrap()]).unwrap();
        page.follow("1", &grid);
        assert_eq!((page.read(), page.hides_axes), (Ok(Some(grid.clone())), true));
        page.fields[0].typed = "a,d".into();
        page.follow("1", &grid);
        assert_eq!(page.fields[0].typed, "a,d", "it is the same grid");
    }
}
