//! Animated PNG. A reader that knows no animations shows the first frame.

use std::fs::File;
use std::io::BufWriter;

use super::changed_rectangle::Rectangle;
use super::{AnimationError, AnimationFrame, AnimationSettings, Frames};
use crate::formats::picture::add_png_facts;
use crate::request::Picture;

pub(super) fn write(
    file: &mut BufWriter<&File>,
    settings: &AnimationSettings<'_>,
    frames: &mut Frames<'_>,
) -> Result<(), AnimationError> {
    let [width, height] = settings.size;
    let mut encoder = png::Encoder::new(file, width as u32, height as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_source_srgb(png::SrgbRenderingIntent::Perceptual);
    encoder.set_animated(settings.frames as u32, u32::from(settings.plays)).map_err(failed)?;
    if let Some(facts) = settings.facts {
        add_png_facts(&mut encoder, facts).map_err(failed)?;
    }
    let mut writer = encoder.write_header().map_err(failed)?;
    let mut before: Option<Picture> = None;
    for frame in frames {
        let AnimationFrame { picture, millis } = frame?;
        let rectangle = before
            .as_ref()
            .map_or_else(|| Rectangle::whole(&picture), |before| Rectangle::changed(before, &picture));
        let Rectangle { left, top, width, height } = rectangle;
        if before.is_some() {
            // The place first becomes one that every size fits.
            writer.reset_frame_position().map_err(failed)?;
            writer.set_frame_dimension(width as u32, height as u32).map_err(failed)?;
            writer.set_frame_position(left as u32, top as u32).map_err(failed)?;
        }
        let millis = u16::try_from(millis).unwrap_or(u16::MAX);
        writer.set_frame_delay(millis, 1000).map_err(failed)?;
        writer.write_image_data(&rectangle.cut(&picture)).map_err(failed)?;
        before = Some(picture);
    }
    writer.finish().map_err(failed)
}

fn failed(error: png::EncodingError) -> AnimationError {
    match error {
        png::EncodingError::IoError(error) => error.into(),
        error => AnimationError::Encode { format: "PNG", reason: error.to_string() },
    }
}
