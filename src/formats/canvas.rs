//! A picture that is drawn: rectangles, pictures and lines of text, for sheets.

use ab_glyph::{Font, FontRef, PxScale, ScaleFont, point};

use crate::request::Picture;

/// The interface's font: file names and prompts may be Korean.
const FONT: &[u8] = include_bytes!("../../assets/fonts/Pretendard-Regular.otf");
const GROUND: [u8; 3] = [0x19, 0x15, 0x15];
/// The colour of what is read first, and of the rest.
pub(super) const INK: [u8; 3] = [0xe6, 0xdc, 0xd7];
/// See [`INK`].
pub(super) const QUIET: [u8; 3] = [0x9a, 0x90, 0x8c];
/// Longest edge of a sheet, pixels.
pub(super) const MAX_EDGE: usize = 16_384;

/// Letters of a line that are measured to shorten it.
const MAX_LETTERS: usize = 1000;

/// Height of a line of text, pixels.
pub(super) fn line_height(size: f32) -> usize {
    (size * 1.35).ceil() as usize
}

/// The picture being drawn.
pub(super) struct Canvas {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
    font: Option<FontRef<'static>>,
}

impl Canvas {
    /// An empty canvas.
    pub(super) fn new(width: usize, height: usize) -> Self {
        let font = FontRef::try_from_slice(FONT).ok();
        Self { width, height, rgb: GROUND.repeat(width * height), font }
    }

    /// Fills a rectangle, as far as it is on the canvas.
    pub(super) fn fill(&mut self, [left, top]: [usize; 2], [width, height]: [usize; 2], colour: [u8; 3]) {
        for y in top..(top + height).min(self.height) {
            for x in left..(left + width).min(self.width) {
                self.rgb[(y * self.width + x) * 3..][..3].copy_from_slice(&colour);
            }
        }
    }

    /// Draws a picture with its upper left corner at this position, as far as it is on the canvas.
    pub(super) fn paste(&mut self, picture: &Picture, [left, top]: [usize; 2]) {
        let columns = picture.width().min(self.width.saturating_sub(left));
        for y in 0..picture.height().min(self.height.saturating_sub(top)) {
            let row = &picture.rgb()[y * picture.width() * 3..][..columns * 3];
            self.rgb[((top + y) * self.width + left) * 3..][..columns * 3].copy_from_slice(row);
        }
    }

    /// The width of a line of text, pixels.
    pub(super) fn text_width(&self, text: &str, size: f32) -> f32 {
        let Some(font) = &self.font else { return 0.0 };
        let scaled = font.as_scaled(PxScale::from(size));
        text.chars().map(|letter| scaled.h_advance(scaled.glyph_id(letter))).sum()
    }

    /// The text, shortened to this width with an ellipsis if it is longer.
    pub(super) fn fitting(&self, text: &str, size: f32, width: usize) -> String {
        if self.text_width(text, size) <= width as f32 {
            return text.to_owned();
        }
        // No line has room for more, and a prompt may have many thousands.
        let mut letters: Vec<char> = text.chars().take(MAX_LETTERS).collect();
        loop {
            letters.pop();
            let shortened: String = letters.iter().collect::<String>().trim_end().to_owned() + "…";
            if letters.is_empty() || self.text_width(&shortened, size) <= width as f32 {
                return shortened;
            }
        }
    }

    /// The text in at most `most` lines of this width, broken between words; what does not fit is shortened.
    pub(super) fn lines(&self, text: &str, size: f32, width: usize, most: usize) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        let mut rest = text.split_whitespace().peekable();
        while let Some(word) = rest.next() {
            let mut line = word.to_owned();
            let is_last = lines.len() + 1 == most;
            while let Some(next) = rest.peek() {
                let longer = format!("{line} {next}");
                if !is_last && self.text_width(&longer, size) > width as f32 {
                    break;
                }
                line = longer;
                rest.next();
                // The last line is shortened, and no line has room for more.
                if line.len() > MAX_LETTERS {
                    break;
                }
            }
            lines.push(self.fitting(&line, size, width));
            if lines.len() == most {
                break;
            }
        }
        lines
    }

    /// Draws a line of text with its upper left corner at this position, cut off at the edge of the canvas.
    pub(super) fn text(&mut self, text: &str, size: f32, [left, top]: [usize; 2], colour: [u8; 3]) {
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

    /// The picture.
    pub(super) fn into_picture(self) -> Picture {
        Picture::new(self.width, self.height, self.rgb).unwrap_or_else(|error| unreachable!("{error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_font_has_every_letter_a_sheet_writes() {
        let font = FontRef::try_from_slice(FONT).unwrap();
        for letter in "a0×·→…−+%>σ언덕é".chars() {
            assert_ne!(font.glyph_id(letter).0, 0, "{letter}");
        }
    }

    #[test]
    fn a_long_line_is_shortened_to_its_room() {
        let canvas = Canvas::new(10, 10);
        assert_eq!(canvas.fitting("a fox", 16.0, 200), "a fox");
        let long = canvas.fitting(&"snowy mountains ".repeat(9), 16.0, 200);
        assert!(long.starts_with("snowy mountains s") && long.ends_with('…'), "{long}");
        assert!(canvas.text_width(&long, 16.0) <= 200.0);
        assert_eq!(canvas.fitting("a fox", 16.0, 0), "…");
    }

    #[test]
    fn words_are_broken_into_lines_and_the_last_one_is_shortened() {
        let canvas = Canvas::new(10, 10);
        let width = canvas.text_width("snowy mountains", 16.0).ceil() as usize;
        let lines = |text: &str, most: usize| canvas.lines(text, 16.0, width, most);
        assert_eq!(lines("a fox", 3), ["a fox"]);
        assert_eq!(lines("snowy mountains snowy  mountains", 3), ["snowy mountains"; 2]);
        let cut = lines(&"snowy mountains ".repeat(5), 2);
        assert!(cut.len() == 2 && cut[1].ends_with('…'), "{cut:?}");
        assert!(lines("incomprehensibilities of mountains", 2)[0].ends_with('…'));
        assert!(lines("", 2).is_empty());
    }

    #[test]
    fn a_picture_at_the_edge_is_cut_off() {
        let mut canvas = Canvas::new(4, 3);
        canvas.paste(&Picture::new(3, 3, vec![200; 27]).unwrap(), [2, 1]);
        let picture = canvas.into_picture();
        assert_eq!([picture.pixel(1, 1), picture.pixel(2, 0)], [GROUND; 2]);
        assert_eq!([picture.pixel(2, 1), picture.pixel(3, 2)], [[200; 3]; 2]);
    }
}
