//! The number that makes a picture repeatable.

/// A seed of the noise generator. The same seed is the same picture on every device.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct Seed(pub u64);

impl Seed {
    /// A seed nobody chose, in the 32 bits that other programs accept.
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

impl std::fmt::Display for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
