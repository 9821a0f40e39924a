//! The typed list of layers of skip-layer guidance.

use super::Language;
use super::words::{draft_words, layers_words};
use crate::catalog::ModelProfile;
use crate::request::{LayerSet, SkipLayers};

/// The layers as they are typed, which may be wrong.
#[derive(Clone, Debug, Default)]
pub(super) struct SkipField {
    pub(super) typed: String,
}

impl SkipField {
    /// Skip-layer guidance of the typed layers, with the other values of `now` or diffusers' own; `None` without layers.
    ///
    /// # Errors
    /// A sentence for a list that is wrong or has layers that the model has not.
    pub(super) fn read(
        &self,
        now: Option<SkipLayers>,
        profile: &ModelProfile,
        language: Language,
    ) -> Result<Option<SkipLayers>, String> {
        if self.typed.trim().is_empty() {
            return Ok(None);
        }
        let layers = LayerSet::of_typed(&self.typed).map_err(|why| layers_words(why, language))?;
        let skip = SkipLayers { layers, ..now.unwrap_or(SkipLayers::new(layers)) };
        skip.check(profile).map_err(|error| draft_words(&error, language))?;
        Ok(Some(skip))
    }

    /// Takes over layers that were set elsewhere, such as by a picture's settings or another model.
    pub(super) fn follow(&mut self, now: Option<SkipLayers>, profile: &ModelProfile) {
        let ours = self.read(now, profile, Language::English).ok().flatten();
        if ours.map(|skip| skip.layers) == now.map(|skip| skip.layers) {
            return;
        }
        let numbers = now.map(|skip| skip.layers.iter().map(|layer| layer.to_string()).collect::<Vec<_>>());
        self.typed = numbers.map(|numbers| numbers.join(", ")).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::PromptFeatures;

    #[test]
    fn layers_follow_what_was_set_elsewhere_and_keep_what_is_being_typed() {
        let prompt_features = PromptFeatures { skip_layers: 24, ..PromptFeatures::default() };
        let profile = ModelProfile { prompt_features, ..ModelProfile::made_up() };
        let mut field = SkipField::default();
        let restored: SkipLayers = "7 8 9 x 1.7 0.01-0.3".parse().unwrap();
        field.follow(Some(restored), &profile);
        assert_eq!(field.typed, "7, 8, 9");
        assert_eq!(field.read(Some(restored), &profile, Language::English), Ok(Some(restored)));
        field.typed = "7 8 9 ".into();
        field.follow(Some(restored), &profile);
        assert_eq!(field.typed, "7 8 9 ", "the same layers");
        for (wrong, says) in [("7, x", "‘x’ is not a layer"), ("24", "24")] {
            field.typed = wrong.into();
            assert!(field.read(None, &profile, Language::English).unwrap_err().contains(says));
            assert!(!field.read(None, &profile, Language::Korean).unwrap_err().contains("layer"));
            field.follow(None, &profile);
            assert_eq!(field.typed, wrong);
        }
        field.typed = "7".into();
        let one = field.read(None, &profile, Language::English).unwrap().unwrap();
        assert_eq!(one, SkipLayers::new(one.layers));
        field.follow(None, &profile);
        assert_eq!(field.typed, "");
    }
}
