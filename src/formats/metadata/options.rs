//! Further settings of sampling as keys and values in a picture's file.

use crate::request::{NoiseLevels, SamplingOptions};

const ETA: &str = "Eta";
const GUIDANCE_RESCALE: &str = "CFG rescale";
const SHIFT: &str = "Shift";
const SIGMAS: &str = "Sigmas";
const TIMESTEPS: &str = "Timesteps";

/// The keys and values of the options that are not left to the sampler and the model.
pub(super) fn pairs_of(options: &SamplingOptions) -> Vec<(String, String)> {
    let SamplingOptions { eta, guidance_rescale, shift, levels } = options;
    let rescale = Some(*guidance_rescale).filter(|share| *share != 0.0);
    let numbers = [(ETA, *eta), (GUIDANCE_RESCALE, rescale), (SHIFT, *shift)];
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
        let values: Vec<String> = levels.values().iter().map(f64::to_string).collect();
        pairs.push((key.to_owned(), values.join(" ")));
    }
    pairs
}

/// Whether a key is that of an option.
pub(super) fn is_option(key: &str) -> bool {
    [ETA, GUIDANCE_RESCALE, SHIFT, SIGMAS, TIMESTEPS].contains(&key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_written_if_they_are_asked_for() {
        assert!(pairs_of(&SamplingOptions::default()).is_empty());
        let options = SamplingOptions {
            eta: Some(0.3),
            levels: Some(NoiseLevels::Timesteps(vec![999.0, 12.5, 0.0])),
            ..SamplingOptions::default()
        };
        let pairs = pairs_of(&options);
        let expected = [("Eta", "0.3"), ("Timesteps", "999 12.5 0")];
        assert_eq!(pairs, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
        assert!(pairs.iter().all(|(key, _)| is_option(key)) && !is_option("RNG"));
    }
}
