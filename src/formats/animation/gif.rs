//! Animated GIF: each frame has its own 256 colours, dithered by error diffusion; what did not change is not stored again.

use std::fs::File;
use std::io::BufWriter;

use gif::{DisposalMethod, Encoder, EncodingError, Extension, Frame, Repeat};

use super::changed_rectangle::Rectangle;
use super::palette::indexed;
use super::{AnimationError, AnimationFrame, AnimationSettings, Frames};
use crate::formats::metadata::a1111;
use crate::request::Picture;

/// The shortest time that browsers do not replace by a longer one, hundredths of a second.
const SHORTEST: u64 = 2;

pub(super) fn write(
    file: &mut BufWriter<&File>,
    settings: &AnimationSettings<'_>,
    frames: &mut Frames<'_>,
) -> Result<(), AnimationError> {
    let [width, height] = settings.size.map(u16::try_from);
    let (Ok(width), Ok(height)) = (width, height) else {
        return Err(encode_error(&"an edge has more than 65 535 pixels"));
    };
    let mut encoder = Encoder::new(file, width, height, &[]).map_err(failed)?;
    match settings.plays {
        0 => encoder.set_repeat(Repeat::Infinite).map_err(failed)?,
        // Without the extension a file is shown once; the number in it is that of the repetitions.
        1 => {}
        plays => encoder.set_repeat(Repeat::Finite(plays - 1)).map_err(failed)?,
    }
    if let Some(facts) = settings.facts {
        let text = a1111::write(facts);
        encoder.write_raw_extension(Extension::Comment.into(), &[text.as_bytes()]).map_err(failed)?;
    }
    let mut before: Option<Picture> = None;
    let (mut shown_millis, mut shown_hundredths) = (0u64, 0u64);
    for frame in frames {
        let AnimationFrame { picture, millis } = frame?;
        let rectangle = before
            .as_ref()
            .map_or_else(|| Rectangle::whole(&picture), |before| Rectangle::changed(before, &picture));
        let Rectangle { left, top, width, height } = rectangle;
        let (palette, indices) = indexed(&rectangle.cut(&picture), width);
        // Rounded from the beginning, so that the whole takes as long as it should.
        shown_millis += u64::from(millis);
        let delay = ((shown_millis + 5) / 10).saturating_sub(shown_hundredths).max(SHORTEST);
        shown_hundredths += delay;
        let frame = Frame {
            delay: u16::try_from(delay).unwrap_or(u16::MAX),
            dispose: DisposalMethod::Keep,
            left: left as u16,
            top: top as u16,
            width: width as u16,
            height: height as u16,
            palette: Some(palette),
            buffer: indices.into(),
            ..Frame::default()
        };
        encoder.write_frame(&frame).map_err(failed)?;
        before = Some(picture);
    }
    // The end of the file is written here, so that its error is not lost.
    encoder.into_inner().map_err(failed)?;
    Ok(())
}

fn encode_error(reason: &impl ToString) -> AnimationError {
    AnimationError::Encode { format: "GIF", reason: reason.to_string() }
}

fn failed(error: EncodingError) -> AnimationError {
    match error {
        EncodingError::Io(error) => error.into(),
        error => encode_error(&error),
    }
}
