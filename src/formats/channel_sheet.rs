//! All channels of a latent as one labelled picture.

use super::canvas::{Canvas, INK, MAX_EDGE, QUIET, line_height};
use crate::latent::{ChannelStatistics, Latent, LatentFormat, channel_statistics};
use crate::projection::ColourMap;
use crate::reason::{Reason, ReasonKind};
use crate::request::Picture;

/// Approximate width of a channel, pixels; a latent pixel is a whole number of pixels.
const TILE: usize = 256;
const MARGIN: usize = 24;
const TITLE_PX: f32 = 26.0;
const TEXT_PX: f32 = 16.0;
/// Height of the scale's bar, pixels.
const BAR: usize = 12;

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
    let mut sheet = Canvas::new(width, height);
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
        label(&mut sheet, channel, figures, [left, top + tile_height + 6]);
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

/// Draws the figures of a channel with the upper left corner at this position.
fn label(sheet: &mut Canvas, channel: usize, figures: &ChannelStatistics, [left, top]: [usize; 2]) {
    let line = line_height(TEXT_PX);
    sheet.text(&format!("Channel {channel}"), TEXT_PX, [left, top], INK);
    let spread = format!("mean {:+.2} · σ {:.2}", figures.mean, figures.std);
    sheet.text(&spread, TEXT_PX, [left, top + line], QUIET);
    let share = figures.beyond_3_sigma * 100.0;
    let range = match figures.non_finite {
        0 => format!("{:+.1} … {:+.1} · {share:.1} % > 3σ", figures.min, figures.max),
        bad => format!("{:+.1} … {:+.1} · {bad} NaN or ∞", figures.min, figures.max),
    };
    sheet.text(&range, TEXT_PX, [left, top + 2 * line], QUIET);
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
