//! One latent channel as a 16-bit grey PNG.

use std::path::Path;

use crate::formats::atomic::{WriteFileError, write_atomically};
use crate::latent::Latent;

/// Writes a channel as a 16-bit grey PNG: `low` is black, `high` white, values outside are clipped and
/// NaN is black. The range is in the file's `Comment`, so that the values can be recovered:
/// `low + grey / 65535 · (high − low)`.
///
/// # Errors
/// [`WriteFileError`] with the path.
///
/// # Panics
/// If the latent has no such channel or no pixels.
pub fn write_channel_png16(
    path: &Path,
    latent: &Latent,
    channel: usize,
    low: f32,
    high: f32,
) -> Result<(), WriteFileError> {
    let shape = latent.shape();
    let scale = 65_535.0 / f64::from(high - low).max(f64::from(f32::MIN_POSITIVE));
    let grey: Vec<u8> = latent
        .channel(channel)
        .iter()
        // A cast takes NaN to 0 and clips.
        .flat_map(|&v| ((f64::from(v - low) * scale).round() as u16).to_be_bytes())
        .collect();
    let comment = format!("latent channel {channel}: 0 is {low}, 65535 is {high}");
    write_atomically(path, |file| {
        let mut encoder = png::Encoder::new(file, shape.width as u32, shape.height as u32);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::Sixteen);
        encoder.add_text_chunk("Comment".to_owned(), comment)?;
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&grey)?;
        writer.finish()?;
        Ok(())
    })
}
