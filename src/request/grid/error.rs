//! What is wrong with a grid.

use super::setting::GridSetting;
use crate::catalog::{SamplerKind, ScheduleKind};
use crate::request::DraftError;

/// The most pictures of a grid.
pub(super) const MOST_CELLS: usize = 400;

/// Why a grid cannot be drawn. Each message says what to change.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum GridError {
    /// A text without a setting.
    #[error("‘{0}’ is no axis of a grid: write a setting and its values, such as steps=10,20,30")]
    NoSetting(String),
    /// A setting that no axis can vary.
    #[error("‘{0}’ is no setting that a grid can vary: use {known}", known = all_settings())]
    UnknownSetting(String),
    /// A setting without values.
    #[error("there are no values for {0}: write some, such as {0}={example}", example = .0.example())]
    NoValues(GridSetting),
    /// Nothing between two commas.
    #[error("a value of {0} is missing between two commas; an empty text is written \"\"")]
    EmptyValue(GridSetting),
    /// A quote that no other one ends.
    #[error("the quote of ‘{0}’ is not closed; a quote in quotes is written twice")]
    OpenQuote(String),
    /// Something between a quoted value and the next comma.
    #[error("‘{0}’ follows a closed quote: write a comma between two values, and a quote in quotes twice")]
    AfterQuote(String),
    /// A text that is no value of its setting.
    #[error("‘{text}’ is no value of {setting}: use {known}", known = expected(*.setting))]
    Value {
        /// The setting.
        setting: GridSetting,
        /// What was typed.
        text: String,
    },
    /// A range without a value.
    #[error("‘{0}’ is no range: write the smaller value first and a distance above 0, such as 1..7:2")]
    Range(String),
    /// A range of fractions that does not say how far apart they are.
    #[error("‘{0}’ does not say how far apart its values are: write for example {0}:0.1")]
    RangeWithoutDistance(String),
    /// Two equal values.
    #[error("{value} is there twice in {setting}: remove one")]
    Twice {
        /// The setting.
        setting: GridSetting,
        /// The value.
        value: String,
    },
    /// Words without others that replace them.
    #[error(
        "nothing replaces ‘{0}’: write the words of the prompt first and then others, such as red,blue,green"
    )]
    NothingInstead(String),
    /// An empty text as the words that are replaced.
    #[error("the first of the words are those that are replaced, which cannot be empty")]
    NoWords,
    /// No axis, or more than three.
    #[error("a grid has one to three axes, and not {0}")]
    Axes(usize),
    /// Two axes vary the same.
    #[error("two axes vary {0}: put all its values into one")]
    SameSetting(GridSetting),
    /// Two axes replace the same words.
    #[error("two axes replace ‘{0}’: put all words into one")]
    SameWords(String),
    /// More cells than a grid may have.
    #[error("the grid would have {cells} pictures, more than {most}: use fewer values", most = MOST_CELLS)]
    TooManyCells {
        /// How many.
        cells: usize,
    },
    /// The prompts do not have the words that are to be replaced.
    #[error("‘{0}’ is neither in the prompt nor in the negative prompt, so that it cannot be replaced")]
    NotInPrompt(String),
    /// A strength for a run from noise.
    #[error("strength needs a source picture, which there is none of")]
    NoSource,
    /// Guidance for a model that it was distilled out of.
    #[error("this model has no guidance scale: leave guidance out")]
    NoGuidance,
    /// A cell that cannot be drawn.
    #[error("the picture with {cell} cannot be drawn: {error}")]
    Cell {
        /// Its values.
        cell: String,
        /// Why.
        error: DraftError,
    },
}

fn all_settings() -> String {
    GridSetting::ALL.map(GridSetting::id).join(", ")
}

/// What the values of a setting look like.
fn expected(setting: GridSetting) -> String {
    match setting {
        GridSetting::Words => "a text".to_owned(),
        GridSetting::Seed => "whole numbers from 0, −1 for a random one, or a range such as 1..4".to_owned(),
        GridSetting::Steps => "whole numbers, or a range such as 10..30:10".to_owned(),
        GridSetting::Guidance | GridSetting::Shift => {
            "numbers with a decimal point, or a range such as 1..7:2".to_owned()
        }
        GridSetting::Strength | GridSetting::Eta => {
            "numbers from 0 to 1, or a range such as 0.2..0.8:0.2".to_owned()
        }
        GridSetting::Sampler => SamplerKind::ALL.map(SamplerKind::id).join(", "),
        GridSetting::Schedule => ScheduleKind::ALL.map(ScheduleKind::id).join(", "),
        GridSetting::Model => "builtin, a path, or a name in the library".to_owned(),
        GridSetting::Size => "a width and a height, such as 512x768".to_owned(),
    }
}
