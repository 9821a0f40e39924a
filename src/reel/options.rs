//! What a reel is to be.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::formats::animation::AnimationFormat;

/// A kind of file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReelKind {
    /// Animated WebP.
    #[default]
    Webp,
    /// GIF.
    Gif,
    /// Animated PNG.
    Apng,
    /// MP4, by ffmpeg.
    Mp4,
    /// Numbered PNG files in a folder.
    Frames,
    /// All steps on one PNG.
    Sheet,
}

impl ReelKind {
    /// Every kind, in the order a chooser shows them.
    pub const ALL: [Self; 6] = [Self::Webp, Self::Gif, Self::Apng, Self::Mp4, Self::Frames, Self::Sheet];

    /// The format of the animation; `None` for a sheet.
    pub const fn animation(self) -> Option<AnimationFormat> {
        match self {
            Self::Webp => Some(AnimationFormat::Webp),
            Self::Gif => Some(AnimationFormat::Gif),
            Self::Apng => Some(AnimationFormat::Apng),
            Self::Mp4 => Some(AnimationFormat::Mp4),
            Self::Frames => Some(AnimationFormat::Frames),
            Self::Sheet => None,
        }
    }

    /// The kind of an animation's format.
    pub const fn of(format: AnimationFormat) -> Self {
        match format {
            AnimationFormat::Webp => Self::Webp,
            AnimationFormat::Gif => Self::Gif,
            AnimationFormat::Apng => Self::Apng,
            AnimationFormat::Mp4 => Self::Mp4,
            AnimationFormat::Frames => Self::Frames,
        }
    }
}

/// What is seen of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shown {
    /// The preview of the denoised estimate, x̂₀.
    #[default]
    Estimate,
    /// The preview of the noisy latent, x_t.
    Noisy,
    /// The VAE's decode of the denoised estimate.
    Decoded,
}

/// How the time is divided between the steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pace {
    /// Every step takes as long.
    Even,
    /// As long as the picture changes, so that the eye sees an even change.
    #[default]
    Change,
}

/// What is between two steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Easing {
    /// Nothing: a step stands until the next one.
    None,
    /// An even blend.
    Linear,
    /// A blend that is slow at the steps and fast between them.
    #[default]
    Smooth,
}

/// The size of the frames. They are never larger than the picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReelSize {
    /// At most 512 pixels of an edge; a video and single pictures have the picture's size.
    #[default]
    Automatic,
    /// At most this many pixels of an edge.
    Edge(usize),
    /// The picture's size times this, 0..=1.
    Scale(f64),
}

impl ReelSize {
    /// The longest edge where nothing else is chosen, pixels.
    pub const DEFAULT_EDGE: usize = 512;

    /// The longest edge of a picture on a sheet, pixels.
    const SHEET_EDGE: usize = 256;

    /// The size for a picture of this size, pixels. Pictures on a sheet have always the same.
    pub fn of(self, [width, height]: [usize; 2], kind: ReelKind) -> [usize; 2] {
        let longer = width.max(height).max(1);
        let scale = match self {
            _ if kind == ReelKind::Sheet => Self::SHEET_EDGE as f64 / longer as f64,
            Self::Automatic if matches!(kind, ReelKind::Mp4 | ReelKind::Frames) => 1.0,
            Self::Automatic => Self::DEFAULT_EDGE as f64 / longer as f64,
            Self::Edge(edge) => edge as f64 / longer as f64,
            Self::Scale(scale) => scale,
        };
        let scaled = |edge: usize| ((edge as f64 * scale.min(1.0)).round() as usize).clamp(1, edge.max(1));
        let [width, height] = [scaled(width), scaled(height)];
        kind.animation().map_or([width, height], |format| format.size_within(width, height))
    }
}

/// What a reel is to be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReelOptions {
    /// The kind of file.
    pub kind: ReelKind,
    /// What is seen of a step.
    pub shown: Shown,
    /// How the time is divided.
    pub pace: Pace,
    /// What is between two steps.
    pub easing: Easing,
    /// Seconds from the first step to the last picture.
    pub seconds: f64,
    /// Seconds for which the last picture stands.
    pub hold: f64,
    /// Frames of a second.
    pub frames_per_second: u32,
    /// The size.
    pub size: ReelSize,
    /// How often it is shown, 0 for without end.
    pub plays: u16,
}

impl Default for ReelOptions {
    fn default() -> Self {
        Self {
            kind: ReelKind::default(),
            shown: Shown::default(),
            pace: Pace::default(),
            easing: Easing::default(),
            seconds: 4.0,
            hold: 1.5,
            frames_per_second: 20,
            size: ReelSize::default(),
            plays: 0,
        }
    }
}

impl ReelOptions {
    /// Seconds that the development may take.
    pub const SECONDS: RangeInclusive<f64> = 0.1..=600.0;
    /// Seconds that the last picture may stand: an animated PNG has no longer ones.
    pub const HOLD: RangeInclusive<f64> = 0.0..=60.0;
    /// Frames of a second. Browsers show frames of less than 20 ms for longer.
    pub const FRAMES_PER_SECOND: RangeInclusive<u32> = 1..=50;
    /// Pixels of an edge.
    pub const EDGE: RangeInclusive<usize> = 16..=16_384;
    /// Factors of the picture's size.
    pub const SCALE: RangeInclusive<f64> = 0.01..=1.0;

    /// The options with every number within its bounds.
    #[must_use]
    pub fn within_bounds(self) -> Self {
        let within = |value: f64, bounds: RangeInclusive<f64>, default: f64| {
            if value.is_finite() { value.clamp(*bounds.start(), *bounds.end()) } else { default }
        };
        let default = Self::default();
        Self {
            seconds: within(self.seconds, Self::SECONDS, default.seconds),
            hold: within(self.hold, Self::HOLD, default.hold),
            frames_per_second: self
                .frames_per_second
                .clamp(*Self::FRAMES_PER_SECOND.start(), *Self::FRAMES_PER_SECOND.end()),
            size: match self.size {
                ReelSize::Automatic => ReelSize::Automatic,
                ReelSize::Edge(edge) => ReelSize::Edge(edge.clamp(*Self::EDGE.start(), *Self::EDGE.end())),
                ReelSize::Scale(scale) => ReelSize::Scale(within(scale, Self::SCALE, 1.0)),
            },
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_never_larger_than_the_picture_and_a_video_has_even_edges() {
        let of = |size: ReelSize, picture, kind| size.of(picture, kind);
        let automatic = ReelSize::Automatic;
        assert_eq!(of(automatic, [1024, 768], ReelKind::Gif), [512, 384]);
        assert_eq!(of(automatic, [1024, 768], ReelKind::Mp4), [1024, 768]);
        assert_eq!(of(automatic, [1024, 768], ReelKind::Frames), [1024, 768]);
        assert_eq!(of(automatic, [256, 64], ReelKind::Webp), [256, 64]);
        assert_eq!(of(ReelSize::Edge(4096), [256, 64], ReelKind::Webp), [256, 64]);
        assert_eq!(of(ReelSize::Edge(100), [50, 400], ReelKind::Gif), [13, 100]);
        assert_eq!(of(ReelSize::Edge(100), [50, 400], ReelKind::Mp4), [12, 100]);
        assert_eq!(of(ReelSize::Scale(0.5), [333, 1], ReelKind::Webp), [167, 1]);
        assert_eq!(of(ReelSize::Scale(0.5), [333, 1], ReelKind::Mp4), [166, 2]);
        assert_eq!(of(ReelSize::Scale(1.0), [1024, 512], ReelKind::Sheet), [256, 128]);
    }

    #[test]
    fn odd_numbers_come_within_bounds() {
        let odd = ReelOptions {
            seconds: f64::NAN,
            hold: 1e9,
            frames_per_second: 0,
            size: ReelSize::Scale(-1.0),
            ..ReelOptions::default()
        };
        let options = odd.within_bounds();
        assert_eq!((options.seconds, options.hold, options.frames_per_second), (4.0, 60.0, 1));
        assert_eq!(options.size, ReelSize::Scale(0.01));
        assert_eq!(ReelOptions::default().within_bounds(), ReelOptions::default());
    }
}
