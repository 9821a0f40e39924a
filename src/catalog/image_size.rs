//! Picture sizes.

/// A picture's size in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct ImageSize {
    /// Width, pixels.
    pub width: usize,
    /// Height, pixels.
    pub height: usize,
}

impl ImageSize {
    /// A size from its edges in pixels.
    pub const fn new(width: usize, height: usize) -> Self {
        Self { width, height }
    }
}

impl std::fmt::Display for ImageSize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}×{}", self.width, self.height)
    }
}

/// The size with this aspect ratio (width / height) and an area of about `native²` whose edges are multiples of
/// `multiple`, pixels.
pub fn fit_into_multiples(native: usize, aspect: f64, multiple: usize) -> ImageSize {
    let edge = |length: f64| (((length / multiple as f64).round() as usize) * multiple).max(multiple);
    let root = aspect.sqrt();
    ImageSize::new(edge(native as f64 * root), edge(native as f64 / root))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_aspect_ratio_keeps_the_area_in_multiples() {
        assert_eq!(fit_into_multiples(512, 1.0, 8), ImageSize::new(512, 512));
        assert_eq!(fit_into_multiples(512, 16.0 / 9.0, 8), ImageSize::new(680, 384));
        assert_eq!(fit_into_multiples(128, 0.01, 64), ImageSize::new(64, 1280));
    }
}
