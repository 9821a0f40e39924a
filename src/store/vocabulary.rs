//! Assets of the built-in model besides its weights: its vocabulary and preview projections.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::projection::{PatchProjection, PreviewFit, ProjectionQuality, RgbProjection};

/// The vocabulary of the built-in model.
#[derive(Clone, Debug, Default, serde::Deserialize)]
pub struct Vocabulary {
    /// Example prompts.
    pub examples: Vec<String>,
    /// The grammar of its prompts.
    pub grammar: Grammar,
    /// Every word in its training captions, sorted.
    pub words: Vec<String>,
}

/// Prompt templates with placeholders such as `{list}`, and the texts that replace them.
#[derive(Clone, Debug, Default, serde::Deserialize)]
pub struct Grammar {
    /// Templates such as `{terrain} {time}, {sky}`.
    pub templates: Vec<String>,
    /// The texts that may replace each placeholder.
    pub lists: BTreeMap<String, Vec<String>>,
}

impl Vocabulary {
    /// Composes a prompt from the grammar; `random` returns a random number for each choice.
    pub fn compose(&self, mut random: impl FnMut() -> u64) -> String {
        let mut pick = |from: &[String]| -> String {
            if from.is_empty() {
                String::new()
            } else {
                from[(random() % from.len() as u64) as usize].clone()
            }
        };
        let mut prompt = String::new();
        let template = pick(&self.grammar.templates);
        for (i, part) in template.split(['{', '}']).enumerate() {
            // Parts with an odd index were in braces.
            match self.grammar.lists.get(part) {
                Some(list) if i % 2 == 1 => prompt.push_str(&pick(list)),
                _ => prompt.push_str(part),
            }
        }
        prompt
    }

    /// Whether the model was trained on this word.
    pub fn knows(&self, word: &str) -> bool {
        let word = word.to_lowercase();
        self.words.binary_search_by(|w| w.as_str().cmp(&word)).is_ok()
    }

    /// The known words with this prefix, in alphabetical order, at most `limit`.
    pub fn completions(&self, start: &str, limit: usize) -> Vec<&str> {
        let start = start.to_lowercase();
        let from = self.words.partition_point(|w| w.as_str() < start.as_str());
        self.words[from..]
            .iter()
            .take_while(|w| w.starts_with(&start))
            .take(limit)
            .map(String::as_str)
            .collect()
    }
}

/// The vocabulary of the built-in model; empty if its file is damaged.
pub fn builtin_vocabulary() -> &'static Vocabulary {
    static VOCABULARY: OnceLock<Vocabulary> = OnceLock::new();
    VOCABULARY.get_or_init(|| {
        let mut vocabulary: Vocabulary =
            serde_json::from_str(include_str!("../../assets/builtin-model/vocabulary.json"))
                .unwrap_or_default();
        vocabulary.words.sort();
        vocabulary
    })
}

/// The preview projections of the built-in model; `None` if their file is damaged.
pub fn builtin_previews() -> Option<&'static PreviewFit> {
    #[derive(serde::Deserialize)]
    struct File {
        linear: Linear,
        patch: Patch,
    }
    #[derive(serde::Deserialize)]
    struct Linear {
        #[serde(flatten)]
        projection: RgbProjection,
        #[serde(flatten)]
        quality: ProjectionQuality,
    }
    #[derive(serde::Deserialize)]
    struct Patch {
        #[serde(flatten)]
        projection: PatchProjection,
        #[serde(flatten)]
        quality: ProjectionQuality,
    }
    static FITS: OnceLock<Option<PreviewFit>> = OnceLock::new();
    FITS.get_or_init(|| {
        let file: File =
            serde_json::from_str(include_str!("../../assets/builtin-model/previews.json")).ok()?;
        let (linear, patch) = (file.linear, file.patch);
        (patch.projection.weight.len() == patch.projection.rows() * patch.projection.columns()).then_some(
            PreviewFit {
                linear: linear.projection.into(),
                linear_quality: linear.quality,
                patch: patch.projection.into(),
                patch_quality: patch.quality,
            },
        )
    })
    .as_ref()
}
