//! Skip-layer guidance: the typed list of layers, and where and how much they are skipped.

use egui::{RichText, Ui};

use super::controls::{field_tip, row};
use super::desk::Desk;
use super::options::{CHOICE, HEIGHT, Number, grid, number_row, pair_row};
use super::words::{draft_words, layers_words};
use super::{Language, theme};
use crate::catalog::ModelProfile;
use crate::request::{GenerationDraft, LayerSet, SkipLayers};

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
    fn read(
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
    fn follow(&mut self, now: Option<SkipLayers>, profile: &ModelProfile) {
        let ours = self.read(now, profile, Language::English).ok().flatten();
        if ours.map(|skip| skip.layers) == now.map(|skip| skip.layers) {
            return;
        }
        let numbers = now.map(|skip| skip.layers.iter().map(|layer| layer.to_string()).collect::<Vec<_>>());
        self.typed = numbers.map(|numbers| numbers.join(", ")).unwrap_or_default();
    }
}

/// The rows of skip-layer guidance, for a model that has it.
pub(super) fn skip_ui(
    ui: &mut Ui,
    profile: &ModelProfile,
    desk: &mut Desk,
    draft: &mut GenerationDraft,
    wider: f32,
) {
    let (text, language) = (desk.text, desk.language);
    let (field, skip) = (&mut desk.skip, &mut draft.prompt_options.skip_layers);
    field.follow(*skip, profile);
    let mut wrong = None;
    grid(ui, "skipped layers", |ui| {
        row(ui, text.skip_layers, |ui| {
            let edit = egui::TextEdit::singleline(&mut field.typed).hint_text("7, 8, 9");
            let edit = ui.add_sized([CHOICE + wider, HEIGHT], edit);
            field_tip(&edit, text.skip_layers_hint);
            edit
        });
        match field.read(*skip, profile, language) {
            Ok(read) => *skip = read,
            Err(why) => {
                *skip = None;
                wrong = Some(why);
            }
        }
        let Some(skip) = skip else { return };
        let own = SkipLayers::new(skip.layers);
        let most = GenerationDraft::MAX_GUIDANCE_SCALE;
        let scale = Number { unset: text.automatic, range: 0.0..=most, start: own.scale, speed: 0.02 };
        let mut set = Some(skip.scale).filter(|scale| *scale != own.scale);
        number_row(ui, text, [text.skip_scale, text.skip_scale_hint], &scale, &mut set);
        skip.scale = set.unwrap_or(own.scale);
        let ends = [own.start, own.end].map(|start| Number {
            unset: text.automatic,
            range: 0.0..=1.0,
            start,
            speed: 0.005,
        });
        let mut set = [
            Some(skip.start).filter(|start| *start != own.start),
            Some(skip.end).filter(|end| *end != own.end),
        ];
        let words = [text.skip_range, text.skip_range_hint];
        pair_row(ui, text, words, [text.skip_start, text.skip_end], &ends, &mut set);
        [skip.start, skip.end] = [set[0].unwrap_or(own.start), set[1].unwrap_or(own.end)];
    });
    if let Some(why) = wrong {
        let words = text.levels_wrong.replace("{}", &why);
        ui.label(RichText::new(words).small().color(theme::warning(ui.visuals().dark_mode)));
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
