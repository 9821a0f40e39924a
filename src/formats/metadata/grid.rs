//! The settings of a grid: those of its first picture, and its axes.

use super::GenerationFacts;
use crate::request::GenerationDraft;
use crate::request::grid::{Grid, GridSetting};

/// The keys of the axes in [`GenerationFacts::other`].
const AXES: [&str; 3] = ["Grid columns", "Grid rows", "Grid pages"];

impl GenerationFacts {
    /// The settings of a grid, whose pictures have those of `draft` where no axis varies them.
    pub fn of_grid(grid: &Grid, draft: &GenerationDraft, model_name: &str) -> Self {
        Self::of_request(&grid.draft(draft, [0; 3]), model_name).with_axes(grid)
    }

    /// These settings of one of its pictures as those of a grid.
    #[must_use]
    pub fn with_axes(mut self, grid: &Grid) -> Self {
        let axes = AXES.into_iter().zip(grid.axes());
        self.other.extend(axes.map(|(key, axis)| (key.to_owned(), axis.to_string())));
        self
    }

    /// The texts of the axes, if these are the settings of a grid.
    pub fn grid_axes(&self) -> Vec<&str> {
        let of = |key| self.other.iter().find(|(known, _)| known == key).map(|(_, text)| text.as_str());
        AXES.into_iter().filter_map(of).collect()
    }

    /// The settings that all pictures of a grid have, in one line.
    pub fn common_settings(&self, grid: &Grid) -> String {
        let mut facts = self.clone();
        for axis in grid.axes() {
            match axis.setting() {
                GridSetting::Seed => facts.seed = None,
                GridSetting::Steps => facts.steps = None,
                GridSetting::Guidance => facts.guidance_scale = None,
                GridSetting::Sampler => facts.sampler = None,
                GridSetting::Model => facts.model = None,
                GridSetting::Size => facts.size = None,
                GridSetting::Words
                | GridSetting::Schedule
                | GridSetting::Strength
                | GridSetting::Eta
                | GridSetting::Shift => {}
            }
        }
        facts.in_one_line()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::ModelProfile;
    use crate::formats::metadata::a1111;
    use crate::request::Seed;

    #[test]
    fn the_axes_come_back_from_the_text_of_the_file() {
        let mut draft = GenerationDraft::new(&ModelProfile::made_up());
        (draft.prompt, draft.seed) = ("a red fox".into(), Seed(3));
        let axes = ["words=red,\"a, b\"", "steps=5..7", "sampler=heun,ddim"];
        let grid = Grid::new(axes.map(|axis| axis.parse().unwrap()).to_vec()).unwrap();
        let facts = GenerationFacts::of_grid(&grid, &draft, "Built-in");
        let read = a1111::parse(&a1111::write(&facts));
        assert_eq!(read, facts);
        assert_eq!(read.grid_axes(), axes);
        assert_eq!((read.steps, read.sampler.as_deref()), (Some(5), Some("Heun")), "of the first picture");
        assert_eq!(facts.common_settings(&grid), "Built-in · guidance 3 · seed 3 · 64×64");
        assert!(GenerationFacts::of_request(&draft, "Built-in").grid_axes().is_empty());
    }
}
