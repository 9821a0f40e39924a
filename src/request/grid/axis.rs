//! An axis of a grid, and its text.

use std::fmt;
use std::str::FromStr;

use super::error::{GridError, MOST_CELLS};
use super::setting::GridSetting;
use super::value::GridValue;
use super::words::{self, Word};
use crate::catalog::ModelSource;
use crate::request::{GenerationDraft, Seed};

/// A setting with the values that it takes along an axis.
///
/// Its text is `SETTING=VALUE,VALUE,…`. A value with a comma stands in quotes, in which a quote is written twice:
/// `words=red,"red, blue"`. The first of the words are those of the prompt that the others replace. Numbers may be ranges,
/// with both ends: `seed=1..4`, `guidance=1..7:2`. Samplers and schedules have their names of the command line or of the
/// window. The text of an axis is read back as the same axis.
#[derive(Clone, Debug, PartialEq)]
pub struct GridAxis {
    setting: GridSetting,
    values: Vec<GridValue>,
    /// The list of values, as it is written.
    list: String,
}

impl GridAxis {
    /// The axis of a setting with a list of values as it is typed after the `=`.
    ///
    /// # Errors
    /// A [`GridError`] that names the value which is wrong.
    pub fn new(setting: GridSetting, list: &str) -> Result<Self, GridError> {
        let (mut values, mut written) = (Vec::new(), Vec::new());
        for word in words::split(setting, list)? {
            if let Some((range, text)) = range_of(setting, &word)? {
                values.extend(range);
                written.push(text);
            } else {
                let value = GridValue::parse(setting, &word.text)?;
                written.push(value.typed());
                values.push(value);
            }
        }
        check_count(values.len())?;
        check_different(setting, &values)?;
        if setting == GridSetting::Words {
            match &values[..] {
                [GridValue::Words(first), ..] if first.is_empty() => return Err(GridError::NoWords),
                [GridValue::Words(first)] => return Err(GridError::NothingInstead(first.clone())),
                _ => {}
            }
        }
        Ok(Self { setting, values, list: written.join(",") })
    }

    /// A text as a value of a list: in quotes where it needs them.
    pub fn written(text: &str) -> String {
        words::quoted(text)
    }

    /// What it varies.
    pub fn setting(&self) -> GridSetting {
        self.setting
    }

    /// The values, at least one.
    pub fn values(&self) -> &[GridValue] {
        &self.values
    }

    /// The list of values as text.
    pub fn list(&self) -> &str {
        &self.list
    }

    /// The words that the others replace; empty for another setting.
    pub fn replaced(&self) -> &str {
        match self.values.first() {
            Some(GridValue::Words(first)) => first,
            _ => "",
        }
    }

    /// The label of a value in English, such as "steps 20".
    pub fn label(&self, index: usize) -> String {
        let Some(value) = self.values.get(index) else { return String::new() };
        match (self.setting.prefix(), value) {
            (Some(prefix), value) => format!("{prefix} {}", value.name()),
            (None, GridValue::Words(text)) if text.trim().is_empty() => {
                format!("without ‘{}’", self.replaced())
            }
            (None, value) => value.name(),
        }
    }

    /// Says where the models are that the axis names.
    ///
    /// # Errors
    /// The first error of `find`, and [`GridError::Twice`] if two names are of one model.
    pub fn find_models<E: From<GridError>>(
        &mut self,
        find: impl Fn(&str) -> Result<ModelSource, E>,
    ) -> Result<(), E> {
        for value in &mut self.values {
            if let GridValue::Model(name, source) = value {
                *source = find(name)?;
            }
        }
        Ok(check_different(self.setting, &self.values)?)
    }

    /// Sets a value in a draft.
    pub(super) fn apply_to(&self, index: usize, draft: &mut GenerationDraft) {
        if let Some(value) = self.values.get(index) {
            value.apply_to(self.setting, self.replaced(), draft);
        }
    }
}

impl FromStr for GridAxis {
    type Err = GridError;

    fn from_str(text: &str) -> Result<Self, GridError> {
        let (name, list) = text.split_once('=').ok_or_else(|| GridError::NoSetting(text.to_owned()))?;
        let setting =
            GridSetting::of_name(name).ok_or_else(|| GridError::UnknownSetting(name.trim().to_owned()))?;
        Self::new(setting, list)
    }
}

impl fmt::Display for GridAxis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.setting, self.list)
    }
}

fn check_count(cells: usize) -> Result<(), GridError> {
    if cells > MOST_CELLS { Err(GridError::TooManyCells { cells }) } else { Ok(()) }
}

fn check_different(setting: GridSetting, values: &[GridValue]) -> Result<(), GridError> {
    let is_same = |a: &GridValue, b: &GridValue| match (a, b) {
        // A model may have several names.
        (GridValue::Model(_, a), GridValue::Model(_, b)) => a == b,
        (a, b) => a == b,
    };
    for (at, value) in values.iter().enumerate() {
        if values[..at].iter().any(|before| is_same(before, value)) {
            return Err(GridError::Twice { setting, value: value.typed() });
        }
    }
    Ok(())
}

/// The values of a range with its text; `None` for what is none.
fn range_of(setting: GridSetting, word: &Word) -> Result<Option<(Vec<GridValue>, String)>, GridError> {
    let Some((first, rest)) = word.text.split_once("..").filter(|_| !word.is_quoted) else { return Ok(None) };
    let (last, distance) = match rest.split_once(':') {
        Some((last, distance)) => (last.trim(), Some(distance.trim())),
        None => (rest.trim(), None),
    };
    let first = first.trim();
    let text = match distance {
        Some(distance) => format!("{first}..{last}:{distance}"),
        None => format!("{first}..{last}"),
    };
    let values = match setting {
        GridSetting::Seed | GridSetting::Steps => {
            let whole = |typed: &str| {
                let error = || GridError::Value { setting, text: typed.to_owned() };
                typed.parse::<u64>().map_err(|_| error())
            };
            let (from, to) = (whole(first)?, whole(last)?);
            let by = distance.map_or(Ok(1), whole)?;
            if from > to || by == 0 || (setting == GridSetting::Steps && from == 0) {
                return Err(GridError::Range(text));
            }
            check_count(usize::try_from((to - from) / by).unwrap_or(usize::MAX).saturating_add(1))?;
            let by = usize::try_from(by).unwrap_or(usize::MAX);
            let value = |number: u64| match setting {
                GridSetting::Seed => GridValue::Seed(Seed(number)),
                _ => GridValue::Steps(number as usize),
            };
            (from..=to).step_by(by).map(value).collect()
        }
        GridSetting::Guidance | GridSetting::Strength | GridSetting::Eta | GridSetting::Shift => {
            let number = |typed: &str| {
                let number = typed.parse::<f64>().ok().filter(|number| number.is_finite());
                number.ok_or_else(|| GridError::Value { setting, text: typed.to_owned() })
            };
            let (from, to) = (number(first)?, number(last)?);
            let by = match distance {
                Some(distance) => number(distance)?,
                None if matches!(setting, GridSetting::Guidance | GridSetting::Shift) => 1.0,
                None => return Err(GridError::RangeWithoutDistance(text)),
            };
            if from > to || by <= 0.0 {
                return Err(GridError::Range(text));
            }
            // Fractions such as 0.1 are not exact: the last value may be a hair beyond the end.
            let steps = ((to - from) / by + 1e-6).floor() as usize;
            check_count(steps.saturating_add(1))?;
            let nth = |index: usize| ((from + by * index as f64) * 1e6).round() / 1e6;
            (0..=steps).map(|index| GridValue::Number(nth(index))).collect()
        }
        // Paths and words may have two dots.
        GridSetting::Words
        | GridSetting::Sampler
        | GridSetting::Schedule
        | GridSetting::Model
        | GridSetting::Size => return Ok(None),
    };
    Ok(Some((values, text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{ImageSize, SamplerKind, ScheduleKind};

    fn axis(text: &str) -> GridAxis {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn error(text: &str) -> String {
        text.parse::<GridAxis>().unwrap_err().to_string()
    }

    #[test]
    fn values_of_every_setting_are_read_and_written() {
        let numbers = |numbers: &[f64]| numbers.iter().copied().map(GridValue::Number).collect::<Vec<_>>();
        for (text, written, values) in [
            ("steps=10, 20", "steps=10,20", vec![GridValue::Steps(10), GridValue::Steps(20)]),
            ("Step=2..6:2", "steps=2..6:2", [2, 4, 6].map(GridValue::Steps).to_vec()),
            ("seeds=7,1..3", "seed=7,1..3", [7, 1, 2, 3].map(|s| GridValue::Seed(Seed(s))).to_vec()),
            ("guidance=1 .. 8 : 2", "guidance=1..8:2", numbers(&[1.0, 3.0, 5.0, 7.0])),
            ("guidance=1..3", "guidance=1..3", numbers(&[1.0, 2.0, 3.0])),
            ("strength=0.1..0.3:0.1", "strength=0.1..0.3:0.1", numbers(&[0.1, 0.2, 0.3])),
            (
                "sampler=Euler a,dpmpp-2m",
                "sampler=euler-ancestral,dpmpp-2m",
                [SamplerKind::EulerAncestral, SamplerKind::Dpmpp2m].map(GridValue::Sampler).to_vec(),
            ),
            ("schedule=Karras", "schedule=karras", vec![GridValue::Schedule(ScheduleKind::Karras)]),
            ("size=64x32", "size=64x32", vec![GridValue::Size(ImageSize::new(64, 32))]),
            (
                "words=red,\"a, b\",\"\",\"1..3\"",
                "words=red,\"a, b\",\"\",1..3",
                ["red", "a, b", "", "1..3"].map(|text| GridValue::Words(text.into())).to_vec(),
            ),
            (
                "model=builtin,../a",
                "model=builtin,../a",
                vec![
                    GridValue::Model("builtin".into(), ModelSource::Builtin),
                    GridValue::Model("../a".into(), ModelSource::Folder("../a".into())),
                ],
            ),
        ] {
            let read = axis(text);
            assert_eq!((read.values(), read.to_string().as_str()), (&values[..], written), "{text}");
            assert_eq!(axis(written), read, "{text}");
        }
        for setting in GridSetting::ALL {
            axis(&format!("{setting}={}", setting.example()));
        }
    }

    #[test]
    fn a_random_seed_is_drawn_once_and_written_as_it_is() {
        let read = axis("seed=-1,5");
        let [GridValue::Seed(drawn), GridValue::Seed(Seed(5))] = read.values() else { panic!("{read}") };
        assert_eq!(read.to_string(), format!("seed={drawn},5"));
    }

    #[test]
    fn what_is_no_axis_says_what_is_wrong_and_what_to_write() {
        for (text, said) in [
            ("steps", "‘steps’ is no axis of a grid: write a setting and its values"),
            ("colour=1,2", "‘colour’ is no setting that a grid can vary: use words, seed, steps,"),
            ("steps=", "there are no values for steps: write some, such as steps=10,20,30"),
            ("steps=5,,6", "a value of steps is missing"),
            ("steps=0", "‘0’ is no value of steps"),
            ("steps=0..3", "‘0..3’ is no range"),
            ("steps=x..3", "‘x’ is no value of steps: use whole numbers"),
            ("seed=3..1", "‘3..1’ is no range: write the smaller value first"),
            ("guidance=1..2:0", "‘1..2:0’ is no range"),
            ("guidance=nan", "‘nan’ is no value of guidance"),
            ("strength=0..1", "write for example 0..1:0.1"),
            ("sampler=heun,euler 2", "‘euler 2’ is no value of sampler: use dpmpp-2m, euler,"),
            ("schedule=x", "‘x’ is no value of schedule: use model, leading,"),
            ("size=64", "‘64’ is no value of size: use a width and a height"),
            ("steps=5,6,5", "5 is there twice in steps"),
            ("steps=5..7,6", "6 is there twice in steps"),
            ("guidance=7,7.0", "7 is there twice in guidance"),
            ("words=red", "nothing replaces ‘red’"),
            ("words=\"\",red", "cannot be empty"),
            ("words=red,red", "red is there twice in words"),
            ("model=a,a/", "a/ is there twice in model"),
            ("words=red,\"blue", "the quote of ‘\"blue’ is not closed"),
        ] {
            assert!(error(text).contains(said), "{text}: {}", error(text));
        }
        assert_eq!(axis("seed=18446744073709551614..18446744073709551615").values().len(), 2);
        for text in ["seed=0..18446744073709551615", "steps=1..401", "shift=0..1:0.0000001"] {
            assert!(error(text).contains("pictures, more than 400"), "{text}: {}", error(text));
        }
    }

    #[test]
    fn two_names_of_one_model_are_refused() {
        let mut models = axis("model=sd,sd15,other");
        let found = |name: &str| match name {
            "gone" => Err(GridError::NoWords),
            "other" => Ok(ModelSource::Builtin),
            _ => Ok(ModelSource::Folder("/models/sd15".into())),
        };
        assert!(models.find_models(found).unwrap_err().to_string().contains("sd15 is there twice in model"));
        let mut models = axis("model=sd,other");
        assert_eq!(models.find_models(found), Ok(()));
        assert_eq!((models.label(0), models.list()), ("sd15".to_owned(), "sd,other"));
        assert_eq!(axis("model=gone").find_models(found), Err(GridError::NoWords));
    }

    #[test]
    fn labels_say_what_their_values_are() {
        assert_eq!(axis("steps=10,20").label(1), "steps 20");
        assert_eq!(axis("guidance=2.5").label(0), "guidance 2.5");
        assert_eq!(axis("sampler=euler-ancestral").label(0), "Euler a");
        let words = axis("words=red,blue,\"\"");
        assert_eq!([0, 1, 2].map(|at| words.label(at)), ["red", "blue", "without ‘red’"]);
    }
}
