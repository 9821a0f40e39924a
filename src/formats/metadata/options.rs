//! Further settings of sampling as keys and values in a picture's file.

use crate::catalog::ImageSize;
use crate::request::{NoiseLevels, PromptOptions, SamplingOptions};

const ETA: &str = "Eta";
const GUIDANCE_RESCALE: &str = "CFG rescale";
const SHIFT: &str = "Shift";
const SIGMAS: &str = "Sigmas";
const TIMESTEPS: &str = "Timesteps";
const TRUE_GUIDANCE: &str = "True CFG scale";
const MAX_TOKENS: &str = "Max tokens";
const ORIGINAL_SIZE: &str = "Original size";
const CROP: &str = "Crop";
const TARGET_SIZE: &str = "Target size";
const SKIP_LAYERS: &str = "Skip layers";
const KEYS: [&str; 11] = [
    ETA,
    GUIDANCE_RESCALE,
    SHIFT,
    SIGMAS,
    TIMESTEPS,
    TRUE_GUIDANCE,
    MAX_TOKENS,
    ORIGINAL_SIZE,
    CROP,
    TARGET_SIZE,
    SKIP_LAYERS,
];

/// The keys and values of the options that are not left to the sampler and the model.
pub(super) fn pairs_of(options: &SamplingOptions, prompt: &PromptOptions) -> Vec<(String, String)> {
    let SamplingOptions { eta, guidance_rescale, shift, levels } = options;
    let rescale = Some(*guidance_rescale).filter(|share| *share != 0.0);
    let PromptOptions {
        true_guidance_scale, max_tokens, original_size, crop, target_size, skip_layers, ..
    } = prompt;
    let numbers =
        [(ETA, *eta), (GUIDANCE_RESCALE, rescale), (SHIFT, *shift), (TRUE_GUIDANCE, *true_guidance_scale)];
    let mut pairs: Vec<(String, String)> = numbers
        .into_iter()
        .filter_map(|(key, value)| value.map(|value| (key.to_owned(), value.to_string())))
        .collect();
    if let Some(levels) = levels {
        let key = match levels {
            NoiseLevels::Sigmas(_) => SIGMAS,
            NoiseLevels::Timesteps(_) => TIMESTEPS,
        };
        // Commas would part the settings of the text.
        pairs.push((key.to_owned(), levels.joined(" ")));
    }
    let size = |size: ImageSize| format!("{}x{}", size.width, size.height);
    let texts = [
        (MAX_TOKENS, max_tokens.map(|tokens| tokens.to_string())),
        (ORIGINAL_SIZE, original_size.map(size)),
        (CROP, (*crop != [0; 2]).then(|| format!("{} {}", crop[0], crop[1]))),
        (TARGET_SIZE, target_size.map(size)),
        (SKIP_LAYERS, skip_layers.map(|skip| skip.to_string())),
    ];
    pairs.extend(texts.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
    pairs
}

/// Sets the option of a key; `None` if its value cannot be read or the key is none of an option.
pub(super) fn restore_option(
    key: &str,
    value: &str,
    options: &mut SamplingOptions,
    prompt: &mut PromptOptions,
) -> Option<()> {
    let number = || value.parse::<f64>().ok().filter(|number| number.is_finite());
    match key {
        ETA => options.eta = Some(number()?),
        GUIDANCE_RESCALE => options.guidance_rescale = number()?,
        SHIFT => options.shift = Some(number()?),
        SIGMAS => options.levels = Some(NoiseLevels::of_sigmas(value).ok()?),
        TIMESTEPS => options.levels = Some(NoiseLevels::of_timesteps(value).ok()?),
        TRUE_GUIDANCE => prompt.true_guidance_scale = Some(number()?),
        MAX_TOKENS => prompt.max_tokens = Some(value.parse().ok()?),
        ORIGINAL_SIZE => prompt.original_size = Some(PromptOptions::size_of(value).ok()?),
        CROP => prompt.crop = PromptOptions::crop_of(value).ok()?,
        TARGET_SIZE => prompt.target_size = Some(PromptOptions::size_of(value).ok()?),
        SKIP_LAYERS => prompt.skip_layers = Some(value.parse().ok()?),
        _ => return None,
    }
    Some(())
}

/// Whether a key is that of an option.
pub(super) fn is_option(key: &str) -> bool {
    KEYS.contains(&key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_written_if_they_are_asked_for() {
        assert!(pairs_of(&SamplingOptions::default(), &PromptOptions::default()).is_empty());
        let options = SamplingOptions {
            eta: Some(0.3),
            levels: Some(NoiseLevels::Timesteps(vec![999.0, 12.5, 0.0])),
            ..SamplingOptions::default()
        };
        let prompt = PromptOptions {
            max_tokens: Some(64),
            crop: [8, 0],
            target_size: Some(ImageSize::new(64, 32)),
            ..PromptOptions::default()
        };
        let pairs = pairs_of(&options, &prompt);
        let expected = [
            ("Eta", "0.3"),
            ("Timesteps", "999 12.5 0"),
            ("Max tokens", "64"),
            ("Crop", "8 0"),
            ("Target size", "64x32"),
        ];
        assert_eq!(pairs, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
        assert!(pairs.iter().all(|(key, _)| is_option(key)) && !is_option("RNG"));
    }
}
