//! The conditioning of a run.

use crate::catalog::{GuidanceKind, ImageSize};
use crate::request::{GenerationRequest, PromptOptions};

/// Everything that steers a run besides its noise. The inputs of LoRA, ControlNet and inpainting become fields here.
#[derive(Clone, Debug, PartialEq)]
pub struct Conditioning {
    /// What to draw.
    pub prompt: String,
    /// What to avoid.
    pub negative_prompt: String,
    /// The picture's size in pixels, an input of some networks (SDXL).
    pub size: ImageSize,
    /// Scale of classifier-free guidance, or the scale that a guidance-distilled network takes as an input; 1 is off.
    pub guidance_scale: f64,
    /// Options of prompt encoding and guidance.
    pub options: PromptOptions,
}

impl Conditioning {
    /// The conditioning of a request.
    pub fn of_request(request: &GenerationRequest) -> Self {
        Self {
            prompt: request.prompt.clone(),
            negative_prompt: request.negative_prompt.clone(),
            size: request.size,
            guidance_scale: request.guidance_scale,
            options: request.prompt_options,
        }
    }

    /// The scale of classifier-free guidance on a model with this kind of guidance; up to 1 is one pass.
    pub fn classifier_free_scale(&self, guidance: GuidanceKind) -> f64 {
        self.options.classifier_free_scale(guidance, self.guidance_scale)
    }

    /// Remarks on fields that have no effect on a model with this kind of guidance, one sentence each.
    pub(super) fn unused(&self, guidance: GuidanceKind) -> Vec<String> {
        let mut unused = Vec::new();
        let takes_negative = guidance.takes_negative_prompt() || self.classifier_free_scale(guidance) > 1.0;
        if !takes_negative && !self.negative_prompt.trim().is_empty() {
            unused.push("This model takes no negative prompt: it is left out.".to_owned());
        }
        // A scale of up to 1 asks for no guidance, which is what the model does anyway.
        if !guidance.takes_scale() && self.guidance_scale > 1.0 {
            let scale = self.guidance_scale;
            unused.push(format!(
                "This model was distilled and takes no guidance: the scale of {scale} has no effect."
            ));
        }
        unused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_without_effect_are_remarked_on() {
        let asked = Conditioning {
            prompt: "a fox".into(),
            negative_prompt: "blur".into(),
            size: ImageSize::new(64, 64),
            guidance_scale: 3.5,
            options: PromptOptions::default(),
        };
        let count = |guidance| asked.unused(guidance).len();
        assert_eq!(
            [GuidanceKind::ClassifierFree, GuidanceKind::Embedded, GuidanceKind::None].map(count),
            [0, 1, 2]
        );
        let options = PromptOptions { true_guidance_scale: Some(2.0), ..PromptOptions::default() };
        let truly_guided = Conditioning { options, ..asked.clone() };
        assert_eq!(truly_guided.unused(GuidanceKind::Embedded).len(), 0);
        assert_eq!(truly_guided.classifier_free_scale(GuidanceKind::Embedded), 2.0);
        let plain = Conditioning { negative_prompt: " ".into(), guidance_scale: 1.0, ..asked };
        assert!(plain.unused(GuidanceKind::None).is_empty());
    }
}
