//! What is known of a run besides its latents and its picture: the content of its `run.json`.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::catalog::{ImageSize, ModelSource};
use crate::formats::metadata::GenerationFacts;
use crate::latent::LatentFormat;
use crate::request::Seed;
use crate::store::calendar::utc;
use crate::store::model_json;

/// Names a run, and its folder: `YYYYMMDD-HHMMSS-xxxxxxxx`, the time in UTC and eight hexadecimal digits: three for the
/// part of the second that is over, so that ids are in the order of their runs, and five at random.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunId(String);

/// A text that is not the id of a run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("‘{0}’ is not the id of a run, which looks like 20261130-144734-0a1b2c3d")]
pub struct RunIdError(pub String);

impl RunId {
    /// The id of a run that began so long after the beginning of 1970. The lower 20 bits of `random` are taken.
    pub(super) fn new(since_1970: Duration, random: u32) -> Self {
        let [year, month, day, hour, minute, second] = utc(since_1970.as_secs());
        let part = (u64::from(since_1970.subsec_nanos()) << 12) / 1_000_000_000;
        let random = random & 0xf_ffff;
        Self(format!("{year:04}{month:02}{day:02}-{hour:02}{minute:02}{second:02}-{part:03x}{random:05x}"))
    }

    /// The text of the id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The month in which the run began, as `YYYY-MM`.
    pub(super) fn month(&self) -> String {
        format!("{}-{}", &self.0[..4], &self.0[4..6])
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Accepts nothing that could lead out of the folder of the runs.
impl FromStr for RunId {
    type Err = RunIdError;

    fn from_str(text: &str) -> Result<Self, RunIdError> {
        const LENGTHS: [usize; 3] = [8, 6, 8];
        let groups: Vec<&str> = text.split('-').collect();
        let is_digits = |group: &str| group.bytes().all(|b| b.is_ascii_digit());
        let is_hexadecimal = |group: &str| group.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let is_id = match groups[..] {
            [date, time, random] => {
                groups.iter().map(|group| group.len()).eq(LENGTHS)
                    && is_digits(date)
                    && is_digits(time)
                    && is_hexadecimal(random)
            }
            _ => false,
        };
        if is_id { Ok(Self(text.to_owned())) } else { Err(RunIdError(text.to_owned())) }
    }
}

impl TryFrom<String> for RunId {
    type Error = RunIdError;

    fn try_from(text: String) -> Result<Self, RunIdError> {
        text.parse()
    }
}

impl From<RunId> for String {
    fn from(id: RunId) -> Self {
        id.0
    }
}

/// How far a run came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// It is sampled, or it was when its process ended.
    Running,
    /// Its final latent is kept and not decoded.
    Sampled,
    /// Its picture is kept, too.
    Finished,
    /// The user stopped it.
    Stopped,
    /// It failed.
    Failed {
        /// Why, in English.
        reason: String,
    },
}

/// The step of another run from which a run went on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RunOrigin {
    /// The other run, which may have been deleted since.
    pub run: RunId,
    /// The number of steps that both have in common.
    pub step: usize,
}

/// Which picture of which grid a run is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RunGrid {
    /// Names the grid: the same text for all its runs, and for no others.
    pub id: String,
    /// The texts of its axes: columns, rows and pages.
    pub axes: Vec<String>,
    /// Its column, row and page.
    pub place: [usize; 3],
}

impl RunGrid {
    /// A new name of a grid.
    pub fn new_id() -> String {
        format!("{:08x}{:08x}", Seed::random().0, Seed::random().0)
    }
}

/// A part of a run: from where its settings take over to where those of the next part do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PartRecord {
    /// Its settings.
    pub facts: GenerationFacts,
    /// Steps of the run that are taken before it.
    pub after: usize,
    /// The seed of its noise; `None` goes on with that of the part before.
    pub noise_seed: Option<Seed>,
    /// Whether a retouched latent replaced the estimate of the step before.
    pub retouched: bool,
}

/// What is known of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Its id.
    pub id: RunId,
    /// When it began, milliseconds after the beginning of 1970.
    #[serde(default)]
    pub created_ms: u64,
    /// Where its model is.
    #[serde(default, with = "model_json")]
    pub model: ModelSource,
    /// The name of its model.
    #[serde(default)]
    pub model_name: String,
    /// The model's family.
    #[serde(default)]
    pub family: String,
    /// The format of its latents.
    #[serde(rename = "latent_format")]
    pub format: LatentFormat,
    /// Hash of the VAE's weights (blake3, hex).
    #[serde(default)]
    pub vae_hash: String,
    /// Its parts, at least one.
    pub parts: Vec<PartRecord>,
    /// Where it went on from another run.
    #[serde(default)]
    pub origin: Option<RunOrigin>,
    /// The grid of which it is a picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grid: Option<RunGrid>,
    /// How far it came.
    pub status: RunStatus,
    /// Steps that it takes if nothing ends it.
    #[serde(default)]
    pub steps_planned: usize,
    /// Steps that it took. Not counted while it is running.
    #[serde(default)]
    pub steps_done: usize,
    /// Steps whose latents are kept. Not counted while it is running; 0 once they were removed to save space.
    #[serde(default)]
    pub steps_kept: usize,
    /// Whether the user ended it before its last step, with that step's estimate.
    #[serde(default)]
    pub finished_early: bool,
    /// Seconds it took.
    #[serde(default)]
    pub elapsed_secs: f64,
    /// The user's stars.
    #[serde(default)]
    pub stars: u8,
    /// What other versions of the program know of it, which stays.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl RunRecord {
    /// Whether its process ended before it did. A run that is being written looks the same: see
    /// [`History::is_being_written`](super::History::is_being_written).
    pub fn is_interrupted(&self) -> bool {
        match self.status {
            RunStatus::Running => true,
            // It was to be decoded.
            RunStatus::Sampled => !self.finished_early,
            RunStatus::Finished | RunStatus::Stopped | RunStatus::Failed { .. } => false,
        }
    }

    /// Its settings: those of its last part.
    pub fn facts(&self) -> &GenerationFacts {
        static NONE: LazyLock<GenerationFacts> = LazyLock::new(GenerationFacts::default);
        self.parts.last().map_or(&NONE, |part| &part.facts)
    }

    /// The settings with which it took this step, from 1: those of the part to which the step belongs.
    pub fn facts_at(&self, step: usize) -> &GenerationFacts {
        let part = self.parts.iter().rev().find(|part| part.after < step);
        part.map_or_else(|| self.facts(), |part| &part.facts)
    }
}

/// What a list of runs shows of one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    /// Its id.
    pub id: RunId,
    /// When it began, milliseconds after the beginning of 1970.
    pub created_ms: u64,
    /// The name of its model.
    pub model_name: String,
    /// The model's family.
    pub family: String,
    /// The prompt.
    pub prompt: String,
    /// The negative prompt.
    pub negative_prompt: String,
    /// The seed.
    pub seed: Option<Seed>,
    /// Picture size.
    pub size: Option<ImageSize>,
    /// Whether it started from a picture.
    pub from_picture: bool,
    /// Where it went on from another run.
    pub origin: Option<RunOrigin>,
    /// The grid of which it is a picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grid: Option<RunGrid>,
    /// How far it came.
    pub status: RunStatus,
    /// Steps that it takes if nothing ends it.
    pub steps_planned: usize,
    /// Steps that it took.
    pub steps_done: usize,
    /// Steps whose latents are kept.
    pub steps_kept: usize,
    /// Seconds it took.
    pub elapsed_secs: f64,
    /// The user's stars.
    pub stars: u8,
}

impl RunSummary {
    /// Whether the prompt, the negative prompt or the seed contains each of these words, in any order.
    pub fn has_words(&self, words: &str) -> bool {
        if words.trim().is_empty() {
            return true;
        }
        let seed = self.seed.map(|seed| seed.to_string()).unwrap_or_default();
        let text = format!("{}\n{}\n{seed}", self.prompt, self.negative_prompt).to_lowercase();
        words.to_lowercase().split_whitespace().all(|word| text.contains(word))
    }
}

impl From<&RunRecord> for RunSummary {
    fn from(record: &RunRecord) -> Self {
        let facts = record.facts();
        Self {
            id: record.id.clone(),
            created_ms: record.created_ms,
            model_name: record.model_name.clone(),
            family: record.family.clone(),
            prompt: facts.prompt.clone().unwrap_or_default(),
            negative_prompt: facts.negative_prompt.clone().unwrap_or_default(),
            seed: facts.seed,
            size: facts.size,
            from_picture: facts.denoising_strength.is_some(),
            origin: record.origin.clone(),
            grid: record.grid.clone(),
            status: record.status.clone(),
            steps_planned: record.steps_planned,
            steps_done: record.steps_done,
            steps_kept: record.steps_kept,
            elapsed_secs: record.elapsed_secs,
            stars: record.stars,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_a_time_and_is_read_back() {
        let id = RunId::new(Duration::from_millis(1_709_210_096_500), 0x0a1b_2c3d);
        assert_eq!((id.as_str(), id.month().as_str()), ("20240229-123456-800b2c3d", "2024-02"));
        assert_eq!(id.as_str().parse(), Ok(id));
    }

    #[test]
    fn ids_are_in_the_order_of_their_runs() {
        let at =
            |millis| RunId::new(Duration::from_millis(1_709_210_096_000 + millis), 0xf_ffff - millis as u32);
        assert!((0_u64..2000).is_sorted_by(|a, b| at(*a) < at(*b)));
    }

    #[test]
    fn what_is_no_id_is_refused() {
        let names = [
            "",
            "..",
            "20240229-123456-0a1b2c3D",
            "20240229-123456-0a1b2c3",
            "20240229-123456",
            "2024022é-123456-0a1b2c3d",
        ];
        for name in names.into_iter().chain(["../40229-123456-0a1b2c3d", "20240229-123456-0a1b2c3d-x"]) {
            let error = name.parse::<RunId>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("‘{name}’ is not the id")), "{error}");
            assert!(serde_json::from_value::<RunId>(Value::from(name)).is_err());
        }
    }
}
