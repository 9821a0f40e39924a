//! The cells of a grid.

use super::axis::GridAxis;
use super::error::{GridError, MOST_CELLS};
use super::setting::GridSetting;
use super::value::GridValue;
use crate::catalog::{ModelProfile, ModelSource};
use crate::request::{GenerationDraft, GenerationRequest};

/// Where a cell is: its column, row and page.
pub type Place = [usize; 3];

/// The most letters of the values in the name of a file.
const MOST_LETTERS: usize = 60;

/// One to three axes: columns, rows and pages.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    axes: Vec<GridAxis>,
}

impl Grid {
    /// The most pictures of a grid.
    pub const MOST_CELLS: usize = MOST_CELLS;

    /// A grid with these axes: the columns, the rows and the pages.
    ///
    /// # Errors
    /// If there are too few or too many axes or cells, or two axes vary the same.
    pub fn new(axes: Vec<GridAxis>) -> Result<Self, GridError> {
        if !(1..=3).contains(&axes.len()) {
            return Err(GridError::Axes(axes.len()));
        }
        for (at, axis) in axes.iter().enumerate() {
            let is_same = |other: &&GridAxis| other.setting() == axis.setting();
            for other in axes[..at].iter().filter(is_same) {
                if axis.setting() != GridSetting::Words {
                    return Err(GridError::SameSetting(axis.setting()));
                }
                if axis.replaced() == other.replaced() {
                    return Err(GridError::SameWords(axis.replaced().to_owned()));
                }
            }
        }
        let grid = Self { axes };
        let cells = grid.shape().into_iter().product();
        if cells > Self::MOST_CELLS {
            return Err(GridError::TooManyCells { cells });
        }
        Ok(grid)
    }

    /// The axes: the columns, the rows and the pages, as far as there are any.
    pub fn axes(&self) -> &[GridAxis] {
        &self.axes
    }

    /// The number of columns, rows and pages.
    pub fn shape(&self) -> [usize; 3] {
        [0, 1, 2].map(|at| self.axes.get(at).map_or(1, |axis| axis.values().len()))
    }

    /// The number of cells.
    pub fn len(&self) -> usize {
        self.shape().into_iter().product()
    }

    /// Never: there is a cell.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The index of a cell, row by row and page by page.
    pub fn index(&self, [column, row, page]: Place) -> usize {
        let [columns, rows, _] = self.shape();
        (page * rows + row) * columns + column
    }

    /// Where the cell with this index is.
    pub fn place(&self, index: usize) -> Place {
        let [columns, rows, _] = self.shape();
        [index % columns, index / columns % rows, index / (columns * rows)]
    }

    /// The places of all cells in the order in which they are drawn: a model is loaded once, the pictures with the same
    /// words follow each other, and the rest goes row by row and page by page.
    pub fn order(&self) -> Vec<Place> {
        let mut places: Vec<Place> = (0..self.len()).map(|index| self.place(index)).collect();
        let along = |place: &Place, wanted: GridSetting| -> Vec<usize> {
            let axes = self.axes.iter().zip(place).filter(|(axis, _)| axis.setting() == wanted);
            axes.map(|(_, index)| *index).collect()
        };
        places.sort_by_key(|place| (along(place, GridSetting::Model), along(place, GridSetting::Words)));
        places
    }

    /// The models of the cells, each once in the order in which they are drawn. `None` is that of the draft.
    pub fn models(&self) -> Vec<Option<&ModelSource>> {
        let axis = self.axes.iter().find(|axis| axis.setting() == GridSetting::Model);
        let Some(axis) = axis else { return vec![None] };
        axis.values().iter().map(model_of).collect()
    }

    /// The model of a cell; `None` is that of the draft.
    pub fn model(&self, place: Place) -> Option<&ModelSource> {
        self.axes.iter().zip(place).find_map(|(axis, index)| model_of(axis.values().get(index)?))
    }

    /// The values of a cell in one line, such as "steps 20, Euler a".
    pub fn cell_name(&self, place: Place) -> String {
        let labels: Vec<String> =
            self.axes.iter().zip(place).map(|(axis, index)| axis.label(index)).collect();
        labels.join(", ")
    }

    /// A file name for a cell without extension: its number from 1, so that files are in order, and its values.
    pub fn file_stem(&self, place: Place) -> String {
        let digits = self.len().to_string().len().max(2);
        let mut stem = format!("{:0digits$}-", self.index(place) + 1);
        for letter in self.cell_name(place).chars().take(MOST_LETTERS) {
            match letter {
                letter if letter.is_alphanumeric() || letter == '.' => stem.push(letter),
                _ if stem.ends_with('-') => {}
                _ => stem.push('-'),
            }
        }
        stem.trim_end_matches(['-', '.']).to_owned()
    }

    /// Checks what all cells have in common: that the draft has what the axes vary.
    ///
    /// # Errors
    /// If words are not in the prompts, or there is no source picture for a strength.
    pub fn check(&self, draft: &GenerationDraft) -> Result<(), GridError> {
        for axis in &self.axes {
            let words = axis.replaced();
            match axis.setting() {
                GridSetting::Words
                    if !draft.prompt.contains(words) && !draft.negative_prompt.contains(words) =>
                {
                    return Err(GridError::NotInPrompt(words.to_owned()));
                }
                GridSetting::Strength if draft.init_image.is_none() => return Err(GridError::NoSource),
                _ => {}
            }
        }
        Ok(())
    }

    /// The draft of a cell, whose other settings are those of `draft`.
    pub fn draft(&self, draft: &GenerationDraft, place: Place) -> GenerationDraft {
        let mut draft = draft.clone();
        for (axis, index) in self.axes.iter().zip(place) {
            axis.apply_to(index, &mut draft);
        }
        draft
    }

    /// The request of a cell for its model. Options of the draft that the cell's sampler or model does not have are left
    /// out, except for those that an axis varies.
    ///
    /// # Errors
    /// [`GridError::Cell`] if it cannot be drawn, and what [`Self::check`] refuses.
    pub fn request(
        &self,
        draft: &GenerationDraft,
        place: Place,
        profile: &ModelProfile,
    ) -> Result<GenerationRequest, GridError> {
        self.check(draft)?;
        let varies = |setting| self.axes.iter().any(|axis| axis.setting() == setting);
        if varies(GridSetting::Guidance)
            && !profile.guidance.takes_scale()
            && !profile.can_be_guided_classifier_free()
        {
            return Err(GridError::NoGuidance);
        }
        let wanted = self.draft(draft, place);
        let mut fitting = wanted.clone().for_run(profile);
        if varies(GridSetting::Eta) {
            fitting.options.eta = wanted.options.eta;
        }
        if varies(GridSetting::Shift) {
            fitting.options.shift = wanted.options.shift;
        }
        fitting.validate(profile).map_err(|error| GridError::Cell { cell: self.cell_name(place), error })
    }
}

fn model_of(value: &GridValue) -> Option<&ModelSource> {
    match value {
        GridValue::Model(_, source) => Some(source),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{GuidanceKind, SamplerKind};
    use crate::request::{DraftError, InitImage, NoiseLevels, Picture, Seed};

    fn grid(axes: &[&str]) -> Result<Grid, GridError> {
        Grid::new(axes.iter().map(|axis| axis.parse().unwrap()).collect())
    }

    fn draft() -> GenerationDraft {
        let mut draft = GenerationDraft::new(&ModelProfile::made_up());
        draft.prompt = "a red fox, red sky".into();
        draft.negative_prompt = "red eyes".into();
        draft.seed = Seed(3);
        draft
    }

    #[test]
    fn cells_go_row_by_row_and_their_values_are_in_their_drafts() {
        let grid = grid(&["steps=2,3,4", "words=red,blue", "sampler=euler,heun"]).unwrap();
        assert_eq!((grid.shape(), grid.len()), ([3, 2, 2], 12));
        for index in 0..12 {
            assert_eq!(grid.index(grid.place(index)), index);
        }
        let cell = grid.draft(&draft(), [2, 1, 1]);
        assert_eq!((cell.steps, cell.sampler, cell.seed), (4, SamplerKind::Heun, Seed(3)));
        assert_eq!((&*cell.prompt, &*cell.negative_prompt), ("a blue fox, blue sky", "blue eyes"));
        assert_eq!(grid.cell_name([2, 1, 1]), "steps 4, blue, Heun");
        assert_eq!(grid.file_stem([2, 1, 1]), "12-steps-4-blue-Heun");
        let words = self::grid(&["words=fox,\"/여우, \"\"x\"\"..\""]).unwrap();
        assert_eq!(words.file_stem([1, 0, 0]), "02-여우-x");
        assert_eq!(grid.draft(&draft(), [0, 0, 0]).prompt, draft().prompt, "the first words stay");
    }

    #[test]
    fn the_model_changes_last_and_then_the_words() {
        let grid = grid(&["model=builtin,b", "words=red,blue", "seed=1,2"]).unwrap();
        let order = grid.order();
        assert_eq!(
            order,
            [[0, 0, 0], [0, 0, 1], [0, 1, 0], [0, 1, 1], [1, 0, 0], [1, 0, 1], [1, 1, 0], [1, 1, 1]]
        );
        let second = ModelSource::Folder("b".into());
        assert_eq!(grid.models(), [Some(&ModelSource::Builtin), Some(&second)]);
        assert_eq!(
            (grid.model([1, 0, 0]), grid.draft(&draft(), [1, 0, 0]).model),
            (Some(&second), second.clone())
        );
        let plain = self::grid(&["steps=2,3", "seed=1,2"]).unwrap();
        assert_eq!(plain.order(), [[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]]);
        assert_eq!(plain.models(), [None]);
    }

    #[test]
    fn a_grid_that_cannot_be_says_why() {
        assert_eq!(grid(&[]), Err(GridError::Axes(0)));
        assert_eq!(grid(&["seed=1", "steps=1", "size=8x8", "eta=1"]), Err(GridError::Axes(4)));
        assert_eq!(grid(&["seed=1", "seed=2"]), Err(GridError::SameSetting(GridSetting::Seed)));
        assert_eq!(grid(&["words=a,b", "words=a,c"]), Err(GridError::SameWords("a".into())));
        assert!(grid(&["words=a,b", "words=c,d"]).is_ok());
        assert!(grid(&["seed=1..20", "steps=1..20"]).is_ok());
        let error = grid(&["seed=1..21", "steps=1..20"]).unwrap_err();
        assert_eq!(error.to_string(), "the grid would have 420 pictures, more than 400: use fewer values");
    }

    #[test]
    fn what_the_draft_or_the_model_lacks_is_said_before_anything_is_drawn() {
        let profile = ModelProfile::made_up();
        let request = |axes: &[&str], place: Place, profile: &ModelProfile| {
            grid(axes).unwrap().request(&draft(), place, profile)
        };
        assert!(request(&["words=red,blue"], [1, 0, 0], &profile).is_ok());
        let error = request(&["words=green,blue"], [1, 0, 0], &profile).unwrap_err();
        assert_eq!(error, GridError::NotInPrompt("green".into()));
        assert_eq!(request(&["strength=0.5"], [0; 3], &profile).unwrap_err(), GridError::NoSource);
        let turbo = ModelProfile { guidance: GuidanceKind::None, ..profile.clone() };
        assert_eq!(request(&["guidance=1,2"], [0; 3], &turbo).unwrap_err(), GridError::NoGuidance);
        let error = request(&["steps=4,2000", "seed=1,2"], [1, 1, 0], &profile).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the picture with steps 2000, seed 2 cannot be drawn: 2000 steps are not possible with this model and \
             sampler: choose from 1 to 1000"
        );
        let error = request(&["shift=1,2"], [0; 3], &profile).unwrap_err();
        assert!(matches!(error, GridError::Cell { error: DraftError::NoShift, .. }), "{error}");
        let error = request(&["sampler=ddim,heun", "eta=0.5"], [1, 0, 0], &profile).unwrap_err();
        assert!(error.to_string().contains("Heun, eta 0.5"), "{error}");
    }

    #[test]
    fn options_that_only_some_samplers_have_are_left_out_for_the_others() {
        let profile = ModelProfile::made_up();
        let mut base = draft();
        base.options.eta = Some(0.5);
        base.options.levels = Some(NoiseLevels::Sigmas(vec![9.0, 1.0]));
        base.init_image =
            Some(InitImage { picture: Picture::new(1, 1, vec![0; 3]).unwrap(), strength: 0.75 });
        let grid = grid(&["sampler=ddim,heun", "steps=5", "strength=0.5"]).unwrap();
        let [ddim, heun] = [0, 1].map(|column| grid.request(&base, [column, 0, 0], &profile).unwrap());
        assert_eq!((ddim.options.eta, heun.options.eta), (Some(0.5), None));
        assert_eq!((heun.steps, heun.options.levels.clone()), (5, None), "steps take the place of the list");
        assert_eq!(heun.init_image.as_ref().unwrap().strength, 0.5);
    }
}
