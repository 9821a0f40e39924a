//! Options of prompt encoding and of guidance, whose defaults suit most pictures.

use std::str::FromStr;

use super::SkipLayers;
use crate::catalog::{GuidanceKind, ImageSize};

/// How a prompt is encoded and how it guides, where not as the model's authors suggest.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PromptOptions {
    /// CLIP skip: the text encoder's layer whose hidden states are used, counted from the last one, which is 1.
    pub clip_skip: Option<usize>,
    /// The largest number of tokens of a prompt, for text encoders with a fixed sequence length.
    pub max_tokens: Option<usize>,
    /// The scale of classifier-free guidance of a guidance-distilled model, beside the embedded one; `None` is off.
    pub true_guidance_scale: Option<f64>,
    /// Size conditioning of Stable Diffusion XL: the size of the imagined original picture.
    pub original_size: Option<ImageSize>,
    /// The left and top pixels that the crop removed from it.
    pub crop: [usize; 2],
    /// The size of the imagined result.
    pub target_size: Option<ImageSize>,
    /// Skip-layer guidance (Stable Diffusion 3.5).
    pub skip_layers: Option<SkipLayers>,
}

impl PromptOptions {
    /// The largest edge of a size condition, pixels.
    pub const MAX_CONDITION_PX: usize = 16_384;

    /// Whether a size condition is set.
    pub fn has_size_conditions(&self) -> bool {
        self.original_size.is_some() || self.crop != [0; 2] || self.target_size.is_some()
    }

    /// The scale of classifier-free guidance on a model with this kind of guidance, whose guidance scale is `scale`; up to
    /// 1 is one pass.
    pub fn classifier_free_scale(&self, guidance: GuidanceKind, scale: f64) -> f64 {
        match guidance {
            GuidanceKind::ClassifierFree => scale,
            GuidanceKind::Embedded | GuidanceKind::None => self.true_guidance_scale.unwrap_or(1.0),
        }
    }

    /// A size as it is typed: `1024x1024`.
    ///
    /// # Errors
    /// A sentence for any other text.
    pub fn size_of(typed: &str) -> Result<ImageSize, String> {
        let [width, height] =
            pair(typed, ['x', '×', 'X']).ok_or("use a width and a height, such as 1024x1024")?;
        if width == 0 || height == 0 {
            return Err("use edges of at least 1 pixel".to_owned());
        }
        Ok(ImageSize::new(width, height))
    }

    /// A crop as it is typed: `0,0`, left and top.
    ///
    /// # Errors
    /// A sentence for any other text.
    pub fn crop_of(typed: &str) -> Result<[usize; 2], String> {
        pair(typed, [',', ' ', ';']).ok_or_else(|| "use the left and the top pixel, such as 0,0".to_owned())
    }
}

/// Two numbers, each within the bounds of a condition.
fn pair(typed: &str, between: [char; 3]) -> Option<[usize; 2]> {
    let (first, second) = typed.trim().split_once(between)?;
    let number = |text: &str| {
        usize::from_str(text.trim()).ok().filter(|number| *number <= PromptOptions::MAX_CONDITION_PX)
    };
    Some([number(first)?, number(second)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_crops_are_parsed_or_refused() {
        assert_eq!(PromptOptions::size_of("1024x768"), Ok(ImageSize::new(1024, 768)));
        assert_eq!(PromptOptions::size_of(" 1 × 2 "), Ok(ImageSize::new(1, 2)));
        assert_eq!(PromptOptions::crop_of("12, 0"), Ok([12, 0]));
        for wrong in ["", "1024", "0x5", "-1x5", "99999x5", "axb"] {
            assert!(PromptOptions::size_of(wrong).is_err(), "{wrong}");
        }
        assert!(PromptOptions::crop_of("1").is_err());
    }
}
