//! All channels of a latent as one labelled picture.

use ab_glyph::{Font, FontRef, PxScale, ScaleFont, point};

use crate::latent::{ChannelStatistics, Latent, LatentFormat, channel_statistics};
use crate::projection::ColourMap;
use crate::reason::{Reason, ReasonKind};
use crate::request::Picture;

/// The interface's font: file names may be Korean.
const FONT: &[u8] = include_bytes!("../../assets/fonts/Pretendard-Regular.otf");
const GROUND: [u8; 3] = [0x19, 0x15, 0x15];
const INK: [u8; 3] = [0xe6, 0xdc, 0xd7];
const QUIET: [u8; 3] = [0x9a, 0x90, 0x8c];
/// Approximate width of a channel, pixels; a latent pixel is a whole number of pixels.
const TILE: usize = 256;
const MARGIN: usize = 24;
const TITLE_PX: f32 = 26.0;
const TEXT_PX: f32 = 16.0;
/// Height of the scale's bar, pixels.
const BAR: usize = 12;
/// Longest edge of a sheet, pixels.
const MAX_EDGE: usize = 16_384;

/// Why a sheet could not be drawn.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SheetError {
    /// The latent is empty.
    #[error("the latent has no values")]
    Empty,
    /// The sheet would be too large.
    #[error("the sheet would be {0}×{1} pixels, more than {MAX_EDGE} along an edge: choose a smaller latent")]
    TooLarge(usize, usize),
}

/// Draws every channel between shared limits (the largest 1st or 99th percentile), blue to red around 0,
/// with its statistics, a title, the compression and the scale. `latent`: model space.
///
/// # Errors
/// [`SheetError`] for a latent that is empty or too large.
pub fn channel_sheet(latent: &Latent, format: &LatentFormat, title: &str) -> Result<Picture, SheetError> {
    let shape = latent.shape();
    if shape.is_empty() {
        return Err(SheetError::Empty);
    }
    let statistics = channel_statistics(latent);
    let reach = statistics.iter().map(|s| s.p1.abs().max(s.p99.abs())).fold(1e-6, f32::max);
    let columns = match shape.channels {
        n @ 1..=4 => n,
        5..=16 => 4,
        _ => 8,
    };
    let scale = (TILE / shape.width.max(shape.height)).max(1);
    let [tile_width, tile_height] = [(shape.width * scale).max(TILE * 3 / 4), shape.height * scale];
    let label_height = 3 * line_height(TEXT_PX);
    let rows = shape.channels.div_ceil(columns);
    let head = line_height(TITLE_PX) + line_height(TEXT_PX) + MARGIN;
    let width = (MARGIN + columns * (tile_width + MARGIN)).max(TILE * 2);
    let height = MARGIN + head + rows * (tile_height + label_height + MARGIN) + BAR + 2 * MARGIN;
    if width > MAX_EDGE || height > MAX_EDGE {
        return Err(SheetError::TooLarge(width, height));
    }
    let mut sheet = Sheet::new(width, height);
    sheet.text(title, TITLE_PX, [MARGIN, MARGIN], INK);
    let compression = format.compression(shape);
    let line = format!(
        "{shape} · {} pixel values → {} latent values · {:.0}× smaller",
        compression.pixel_values,
        compression.latent_values,
        compression.ratio()
    );
    sheet.text(&line, TEXT_PX, [MARGIN, MARGIN + line_height(TITLE_PX)], QUIET);
    for (channel, figures) in statistics.iter().enumerate() {
        let left = MARGIN + (channel % columns) * (tile_width + MARGIN);
        let top = MARGIN + head + (channel / columns) * (tile_height + label_height + MARGIN);
        for (i, value) in latent.channel(channel).iter().enumerate() {
            let colour = ColourMap::Diverging.bytes(*value, [-reach, reach]);
            let at = [left + (i % shape.width) * scale, top + (i / shape.width) * scale];
            sheet.fill(at, [scale, scale], colour);
        }
        sheet.label(channel, figures, [left, top + tile_height + 6]);
    }
    let bottom = height - MARGIN - BAR;
    let bar_width = TILE.min(width - 2 * MARGIN);
    for x in 0..bar_width {
        let value = (2.0 * x as f32 / (bar_width - 1) as f32 - 1.0) * reach;
        sheet.fill([MARGIN + x, bottom], [1, BAR], ColourMap::Diverging.bytes(value, [-reach, reach]));
    }
    let ends = format!("−{reach:.2} … +{reach:.2}, model space");
    sheet.text(&ends, TEXT_PX, [MARGIN + bar_width + 12, bottom - 3], QUIET);
    Ok(sheet.into_picture())
}

fn line_height(size: f32) -> usize {
    (size * 1.35).ceil() as usize
}

/// The picture being drawn.
struct Sheet {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
    font: Option<FontRef<'static>>,
}

impl Sheet {
    fn new(width: usize, height: usize) -> Self {
        let font = FontRef::try_from_slice(FONT).ok();
        Self { width, height, rgb: GROUND.repeat(width * height), font }
    }

    fn fill(&mut self, [left, top]: [usize; 2], [width, height]: [usize; 2], colour: [u8; 3]) {
        for y in top..(top + height).min(self.height) {
            for x in left..(left + width).min(self.width) {
                self.rgb[(y * self.width + x) * 3..][..3].copy_from_slice(&colour);
            }
        }
    }

    fn label(&mut self, channel: usize, figures: &ChannelStatistics, [left, top]: [usize; 2]) {
        let line = line_height(TEXT_PX);
        self.text(&format!("Channel {channel}"), TEXT_PX, [left, top], INK);
        let spread = format!("mean {:+.2} · σ {:.2}", figures.mean, figures.std);
        self.text(&spread, TEXT_PX, [left, top + line], QUIET);
        let share = figures.beyond_3_sigma * 100.0;
        let range = match figures.non_finite {
            0 => format!("{:+.1} … {:+.1} · {share:.1} % > 3σ", figures.min, figures.max),
            bad => format!("{:+.1} … {:+.1} · {bad} NaN or ∞", figures.min, figures.max),
        };
        self.text(&range, TEXT_PX, [left, top + 2 * line], QUIET);
    }

    /// Draws a line of text with its upper left corner at this position, cut off at the edge of the sheet.
    fn text(&mut self, text: &str, size: f32, [left, top]: [usize; 2], colour: [u8; 3]) {
        let Some(font) = self.font.take() else { return };
        let scaled = font.as_scaled(PxScale::from(size));
        let baseline = top as f32 + scaled.ascent();
        let mut x = left as f32;
        let mut before = None;
        for letter in text.chars() {
            let id = scaled.glyph_id(letter);
            x += before.map_or(0.0, |before| scaled.kern(before, id));
            before = Some(id);
            let glyph = id.with_scale_and_position(PxScale::from(size), point(x, baseline));
            x += scaled.h_advance(id);
            let Some(outline) = font.outline_glyph(glyph) else { continue };
            let corner = outline.px_bounds().min;
            outline.draw(|dx, dy, coverage| {
                let (px, py) = (corner.x as i64 + i64::from(dx), corner.y as i64 + i64::from(dy));
                self.mix(px, py, colour, coverage.clamp(0.0, 1.0));
            });
        }
        self.font = Some(font);
    }

    fn mix(&mut self, x: i64, y: i64, colour: [u8; 3], share: f32) {
        if (0..self.width as i64).contains(&x) && (0..self.height as i64).contains(&y) {
            let at = (y as usize * self.width + x as usize) * 3;
            for (own, new) in self.rgb[at..][..3].iter_mut().zip(colour) {
                *own = (f32::from(*own) * (1.0 - share) + f32::from(new) * share).round() as u8;
            }
        }
    }

    fn into_picture(self) -> Picture {
        Picture::new(self.width, self.height, self.rgb).unwrap_or_else(|error| unreachable!("{error}"))
    }
}

impl From<&SheetError> for Reason {
    fn from(error: &SheetError) -> Self {
        match error {
            SheetError::Empty => Self::new(ReasonKind::SheetEmpty, error),
            SheetError::TooLarge(width, height) => {
                Self::new(ReasonKind::SheetTooLarge, error).with([width as _, height as _])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latent::LatentShape;

    #[test]
    fn every_channel_is_on_the_sheet_in_its_colours_and_labelled() {
        let shape = LatentShape::new(4, 8, 8);
        let values: Vec<f32> = (0..4).flat_map(|c| [c as f32 - 1.5; 64]).collect();
        let sheet =
            channel_sheet(&Latent::new(shape, values).unwrap(), &LatentFormat::STABLE_DIFFUSION, "a title")
                .unwrap();
        let head = MARGIN + line_height(TITLE_PX) + line_height(TEXT_PX) + MARGIN;
        for channel in 0..4 {
            let middle = [MARGIN + channel * (TILE + MARGIN) + TILE / 2, head + TILE / 2];
            let expected = ColourMap::Diverging.bytes(channel as f32 - 1.5, [-1.5, 1.5]);
            assert_eq!(sheet.pixel(middle[0], middle[1]), expected, "channel {channel}");
            let label = (0..TILE).flat_map(|x| (0..60).map(move |y| [x, y]));
            let inked = label.filter(|[x, y]| {
                let at = sheet.pixel(MARGIN + channel * (TILE + MARGIN) + x, head + TILE + y);
                at.iter().any(|v| *v > 100)
            });
            assert!(inked.count() > 200, "channel {channel} has a label");
        }
    }

    #[test]
    fn the_font_has_every_letter_a_sheet_writes() {
        let font = FontRef::try_from_slice(FONT).unwrap();
        for letter in "a0×·→…−+%>σ언덕é".chars() {
            assert_ne!(font.glyph_id(letter).0, 0, "{letter}");
        }
    }

    #[test]
    fn many_channels_and_long_latents_fit_or_are_refused() {
        let format = LatentFormat { channels: 32, ..LatentFormat::FLUX };
        let sheet = channel_sheet(&Latent::zeros(LatentShape::new(32, 4, 4)), &format, "32").unwrap();
        assert!(sheet.width() > 8 * TILE && sheet.height() > 4 * TILE);
        let long = Latent::zeros(LatentShape::new(4, 1, 4096));
        assert!(matches!(channel_sheet(&long, &format, ""), Err(SheetError::TooLarge(..))));
        assert_eq!(
            channel_sheet(&Latent::zeros(LatentShape::new(0, 1, 1)), &format, ""),
            Err(SheetError::Empty)
        );
    }
}
