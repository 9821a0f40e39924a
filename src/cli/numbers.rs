//! Parsers of numeric arguments. Errors name the bounds.

use std::ops::RangeInclusive;

use crate::reel::ReelOptions;
use crate::request::GenerationDraft;

/// Upper limit of `--threads`.
const MAX_THREADS: usize = 1024;
/// Upper limit of `--batch`.
const MAX_BATCH: usize = 10_000;

/// A whole number within bounds.
fn whole(typed: &str, bounds: RangeInclusive<usize>) -> Result<usize, String> {
    let number = typed.trim().parse().ok().filter(|number| bounds.contains(number));
    number.ok_or_else(|| format!("use a whole number from {} to {}", bounds.start(), bounds.end()))
}

/// A number within bounds.
fn number(typed: &str, bounds: RangeInclusive<f64>) -> Result<f64, String> {
    let (typed, range) = (typed.trim(), format!("use a number from {} to {}", bounds.start(), bounds.end()));
    if let Some(number) = typed.parse().ok().filter(|number| bounds.contains(number)) {
        return Ok(number);
    }
    // Suggests a decimal point to users of a decimal comma.
    let with_point = typed.replacen(',', ".", 1);
    let meant = with_point.parse::<f64>().is_ok_and(|number| bounds.contains(&number));
    Err(if meant { format!("{range}, with a point: {with_point}") } else { range })
}

/// An edge of a picture, pixels.
pub(super) fn edge(typed: &str) -> Result<usize, String> {
    whole(typed, 1..=GenerationDraft::MAX_EDGE_PX)
}

/// A count whose upper bound depends on the model, such as sampling steps.
pub(super) fn positive(typed: &str) -> Result<usize, String> {
    let number = typed.trim().parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "use a whole number of at least 1".to_owned())
}

/// Batch size.
pub(super) fn batch(typed: &str) -> Result<usize, String> {
    whole(typed, 1..=MAX_BATCH)
}

/// Number of CPU threads.
pub(super) fn threads(typed: &str) -> Result<usize, String> {
    whole(typed, 1..=MAX_THREADS)
}

/// A guidance scale.
pub(super) fn guidance_scale(typed: &str) -> Result<f64, String> {
    number(typed, 0.0..=GenerationDraft::MAX_GUIDANCE_SCALE)
        .map_err(|error| format!("{error} (1 or less turns guidance off)"))
}

/// A fraction, 0..=1.
pub(super) fn share(typed: &str) -> Result<f64, String> {
    number(typed, 0.0..=1.0)
}

/// Seconds that an animation takes.
pub(super) fn reel_seconds(typed: &str) -> Result<f64, String> {
    number(typed, ReelOptions::SECONDS)
}

/// Seconds for which the last picture of an animation stands.
pub(super) fn reel_hold(typed: &str) -> Result<f64, String> {
    number(typed, ReelOptions::HOLD)
}

/// Frames of a second of an animation.
pub(super) fn frames_per_second(typed: &str) -> Result<u32, String> {
    let (first, last) = (*ReelOptions::FRAMES_PER_SECOND.start(), *ReelOptions::FRAMES_PER_SECOND.end());
    whole(typed, first as usize..=last as usize).map(|number| number as u32)
}

/// The longest edge of an animation, pixels.
pub(super) fn reel_edge(typed: &str) -> Result<usize, String> {
    whole(typed, ReelOptions::EDGE)
}

/// The size of an animation as a factor of the picture's.
pub(super) fn reel_scale(typed: &str) -> Result<f64, String> {
    number(typed, ReelOptions::SCALE)
}

/// The timestep shift of a flow model.
pub(super) fn shift(typed: &str) -> Result<f64, String> {
    number(typed, GenerationDraft::MIN_SHIFT..=GenerationDraft::MAX_SHIFT)
}

/// The strength of image-to-image, 0..=1.
pub(super) fn strength(typed: &str) -> Result<f64, String> {
    number(typed, 0.0..=1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_within_bounds_are_accepted() {
        assert_eq!((positive("1"), positive(" 20 "), positive("1000")), (Ok(1), Ok(20), Ok(1000)));
        assert_eq!((edge("512"), batch("10000"), threads("2")), (Ok(512), Ok(10_000), Ok(2)));
        assert_eq!(
            (guidance_scale("0"), guidance_scale("7.5"), guidance_scale("1e1")),
            (Ok(0.0), Ok(7.5), Ok(10.0))
        );
        assert_eq!((strength("0"), strength("1"), strength(".5")), (Ok(0.0), Ok(1.0), Ok(0.5)));
    }

    #[test]
    fn whole_numbers_out_of_bounds_are_refused_with_the_bounds() {
        for typed in
            ["-1", "0", "99999999999999999999", "2.5", "NaN", "inf", "-inf", "", "ten", "--json", "1e2"]
        {
            assert_eq!(positive(typed), Err("use a whole number of at least 1".to_owned()), "{typed}");
        }
        assert!(edge("8193").is_err() && edge("-8").is_err() && batch("0").is_err() && threads("0").is_err());
    }

    #[test]
    fn numbers_out_of_bounds_are_refused_with_the_bounds() {
        for typed in ["-0.1", "1.01", "NaN", "inf", "-inf", "1e400", "", "much", "--json"] {
            assert_eq!(strength(typed), Err("use a number from 0 to 1".to_owned()), "{typed}");
        }
        for typed in ["-1", "-1e400", "50.5"] {
            assert!(guidance_scale(typed).unwrap_err().starts_with("use a number from 0 to 50 ("), "{typed}");
        }
    }

    #[test]
    fn a_decimal_comma_gets_a_hint() {
        let error = guidance_scale("7,5").unwrap_err();
        assert!(error.contains("with a point: 7.5"), "{error}");
        assert!(!strength("7,5").unwrap_err().contains("point"));
    }
}
