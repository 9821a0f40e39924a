//! Colour maps for single values.
//!
//! `shaders/channel_view.wgsl` computes the same.

/// A colour map over a range of values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ColourMap {
    /// Blue below the middle of the range, white at the middle, red above; distinguishable with colour blindness.
    #[default]
    Diverging,
    /// Black to white.
    Grey,
    /// Black through purple and orange to pale yellow, with evenly rising brightness; for magnitudes.
    Heat,
}

/// The colour of NaN and infinity: RGB in 0..=1.
pub const ERROR_COLOUR: [f32; 3] = [1.0, 0.0, 1.0];

/// ColorBrewer 2.0 (Brewer & Harrower), RdBu of five classes, blue to red.
const DIVERGING: [[f32; 3]; 5] = [
    [5.0, 113.0, 176.0],
    [146.0, 197.0, 222.0],
    [247.0, 247.0, 247.0],
    [244.0, 165.0, 130.0],
    [202.0, 0.0, 32.0],
];

/// Five evenly spaced colours of matplotlib's inferno (Smith & van der Walt 2015, CC0).
const HEAT: [[f32; 3]; 5] =
    [[0.0, 0.0, 4.0], [87.0, 16.0, 110.0], [188.0, 55.0, 84.0], [249.0, 142.0, 9.0], [252.0, 255.0, 164.0]];

impl ColourMap {
    /// The colour, RGB in 0..=1, of a value in the range `low..=high`; values outside are clamped to it.
    pub fn colour(self, value: f32, [low, high]: [f32; 2]) -> [f32; 3] {
        if !value.is_finite() {
            return ERROR_COLOUR;
        }
        let share = ((value - low) / (high - low)).clamp(0.0, 1.0);
        match self {
            Self::Grey => [share; 3],
            Self::Diverging => interpolate(&DIVERGING, share),
            Self::Heat => interpolate(&HEAT, share),
        }
    }

    /// [`colour`](Self::colour) as bytes.
    pub fn bytes(self, value: f32, limits: [f32; 2]) -> [u8; 3] {
        self.colour(value, limits).map(|v| (v * 255.0).round() as u8)
    }
}

/// Linear interpolation interpolate five evenly spaced colours; `share` in 0..=1.
fn interpolate(stops: &[[f32; 3]; 5], share: f32) -> [f32; 3] {
    let place = share * 4.0;
    let below = (place as usize).min(3);
    let t = place - below as f32;
    std::array::from_fn(|k| (stops[below][k] * (1.0 - t) + stops[below + 1][k] * t) / 255.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_the_diverging_map_is_nearly_white_and_a_nan_is_seen() {
        assert_eq!(ColourMap::Diverging.bytes(0.0, [-1.0, 1.0]), [247; 3]);
        assert_eq!(ColourMap::Diverging.bytes(9.0, [-1.0, 1.0]), [202, 0, 32]);
        assert_eq!(ColourMap::Heat.bytes(f32::NAN, [0.0, 1.0]), [255, 0, 255]);
    }

    #[test]
    fn heat_grows_brighter_all_the_way() {
        let brightness = |share: f32| ColourMap::Heat.colour(share, [0.0, 1.0]).iter().sum::<f32>();
        assert!(
            (0..100u8).all(|i| { brightness(f32::from(i) / 100.0) < brightness(f32::from(i + 1) / 100.0) })
        );
    }
}
