//! The seed of the noise, which makes a picture reproducible.

use std::str::FromStr;

/// A seed of the noise generator. The same seed gives the same noise on every device.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct Seed(pub u64);

/// A text that is not a seed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("‘{0}’ is not a seed: use a whole number from 0 to {max}, or −1 for a random one", max = u64::MAX)]
pub struct SeedError(pub String);

impl Seed {
    /// A random seed of 32 bits, which other programs accept too.
    pub fn random() -> Self {
        use std::hash::{BuildHasher, Hasher};
        // The standard library seeds its hash maps from the operating system's randomness.
        let hash = std::collections::hash_map::RandomState::new().build_hasher().finish();
        Self(hash >> 32)
    }

    /// The seed of picture `index` of a batch that starts with this one.
    #[must_use]
    pub fn nth(self, index: u64) -> Self {
        Self(self.0.wrapping_add(index))
    }
}

/// Parses a seed. A negative number gives a random seed, as in AUTOMATIC1111, ComfyUI's exporters and
/// stable-diffusion.cpp.
impl FromStr for Seed {
    type Err = SeedError;

    fn from_str(text: &str) -> Result<Self, SeedError> {
        let error = || SeedError(text.to_owned());
        let text = text.trim();
        let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        // A copied text may contain a typographic minus.
        match text.strip_prefix(['-', '−']) {
            Some(digits) if is_number(digits) && digits.bytes().any(|b| b != b'0') => Ok(Self::random()),
            Some(digits) if is_number(digits) => Ok(Self(0)),
            Some(_) => Err(error()),
            None => text.parse().map(Self).map_err(|_| error()),
        }
    }
}

impl std::fmt::Display for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_negative_seed_is_a_random_one() {
        for text in ["-1", " -1 ", "−1", "-42", "-99999999999999999999999"] {
            let drawn: Vec<Seed> = (0..8).map(|_| text.parse().unwrap()).collect();
            assert!(drawn.iter().any(|seed| *seed != drawn[0]), "‘{text}’ gave {drawn:?}");
        }
    }

    #[test]
    fn a_seed_is_read_exactly() {
        for (text, value) in [("0", 0), ("-0", 0), (" 42\n", 42), ("18446744073709551615", u64::MAX)] {
            assert_eq!(text.parse(), Ok(Seed(value)));
        }
    }

    #[test]
    fn what_is_no_seed_says_what_is() {
        for text in ["", "-", "fox", "1.5", "--1", "0x10", "18446744073709551616"] {
            let error = text.parse::<Seed>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("‘{text}’ is not a seed")) && error.contains("−1"), "{error}");
        }
    }
}
