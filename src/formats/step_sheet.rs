//! All steps of a run as one labelled picture.

use super::canvas::{Canvas, INK, MAX_EDGE, QUIET, line_height};
use super::channel_sheet::SheetError;
use super::picture::scale;
use crate::request::Picture;

/// The longest edge of a step's picture on the sheet, pixels.
const CELL: usize = 256;
/// The shortest, below which a sheet is refused.
const MIN_CELL: usize = 48;
const MARGIN: usize = 24;
const GAP: usize = 12;
const TITLE_PX: f32 = 26.0;
const TEXT_PX: f32 = 16.0;
/// The width of a sheet over its height that is aimed at.
const PROPORTION: f64 = 1.5;

/// A picture of the sheet with the lines under it.
#[derive(Clone, Debug)]
pub struct SheetStep {
    /// The picture, which is scaled down to its cell.
    pub picture: Picture,
    /// Which step it is.
    pub name: String,
    /// Its noise level; empty for the final picture.
    pub detail: String,
}

/// The size in which the pictures of a sheet are shown, pixels: what is larger is scaled down.
fn cell_of(picture: &Picture, edge: usize) -> [usize; 2] {
    let (width, height) = (picture.width().max(1), picture.height().max(1));
    let longer = width.max(height);
    let of = |length: usize| (length * edge.min(longer) / longer).max(1);
    [of(width), of(height)]
}

/// Where everything is on a sheet.
struct Layout {
    cell: [usize; 2],
    columns: usize,
    size: [usize; 2],
}

impl Layout {
    fn new(steps: &[SheetStep], edge: usize) -> Self {
        let cell = cell_of(&steps[0].picture, edge);
        let [width, height] = Self::pitch(cell).map(|length| length as f64);
        let columns = (steps.len() as f64 * PROPORTION * height / width).sqrt().round() as usize;
        let columns = columns.clamp(1, steps.len());
        let rows = steps.len().div_ceil(columns);
        let [column, row] = Self::pitch(cell);
        Self { cell, columns, size: [2 * MARGIN + columns * column - GAP, MARGIN + head() + rows * row] }
    }

    /// From one picture to the next.
    fn pitch([width, height]: [usize; 2]) -> [usize; 2] {
        [width + GAP, height + 2 * line_height(TEXT_PX) + GAP]
    }

    fn fits(&self) -> bool {
        self.size.iter().all(|edge| *edge <= MAX_EDGE)
    }
}

/// Height of the title and of the line below it, with the room under them, pixels.
fn head() -> usize {
    line_height(TITLE_PX) + line_height(TEXT_PX) + GAP
}

/// Draws the pictures in rows, each with its lines, below a title and a line of settings. Pictures have at most 256
/// pixels of an edge, and fewer where many steps would make the sheet too large.
///
/// # Errors
/// [`SheetError`] if there is none, or there are too many for one sheet.
pub fn step_sheet(steps: &[SheetStep], title: &str, settings: &str) -> Result<Picture, SheetError> {
    if steps.is_empty() {
        return Err(SheetError::Empty);
    }
    let edges = [CELL, CELL * 3 / 4, CELL / 2, CELL / 4, MIN_CELL];
    let mut layouts = edges.into_iter().map(|edge| Layout::new(steps, edge));
    let Some(Layout { cell, columns, size: [width, height] }) = layouts.find(Layout::fits) else {
        let [width, height] = Layout::new(steps, MIN_CELL).size;
        return Err(SheetError::TooLarge(width, height));
    };
    let width = width.max(2 * CELL);
    let mut sheet = Canvas::new(width, height);
    let room = width - 2 * MARGIN;
    let title = sheet.fitting(title, TITLE_PX, room);
    sheet.text(&title, TITLE_PX, [MARGIN, MARGIN], INK);
    let settings = sheet.fitting(settings, TEXT_PX, room);
    sheet.text(&settings, TEXT_PX, [MARGIN, MARGIN + line_height(TITLE_PX)], QUIET);
    let [column, row] = Layout::pitch(cell);
    for (place, step) in steps.iter().enumerate() {
        let left = MARGIN + place % columns * column;
        let top = MARGIN + head() + place / columns * row;
        sheet.paste(&scale(&step.picture, cell[0], cell[1]), [left, top]);
        let below = top + cell[1] + 2;
        for (line, (words, colour)) in [(&step.name, INK), (&step.detail, QUIET)].into_iter().enumerate() {
            let words = sheet.fitting(words, TEXT_PX, cell[0]);
            sheet.text(&words, TEXT_PX, [left, below + line * line_height(TEXT_PX)], colour);
        }
    }
    Ok(sheet.into_picture())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(count: usize, width: usize, height: usize) -> Vec<SheetStep> {
        let step = |number: usize| SheetStep {
            picture: Picture::new(width, height, [number as u8, 200, 7].repeat(width * height)).unwrap(),
            name: format!("{number} of {count}"),
            detail: "σ 1.23".to_owned(),
        };
        (1..=count).map(step).collect()
    }

    #[test]
    fn every_step_is_in_its_place_with_its_words_below() {
        let steps = steps(7, 512, 256);
        let sheet = step_sheet(&steps, "a fox", "7 steps · Euler").unwrap();
        let Layout { cell, columns, .. } = Layout::new(&steps, CELL);
        assert_eq!((cell, columns), ([256, 128], 3));
        let [column, row] = Layout::pitch(cell);
        for place in 0..7 {
            let (left, top) = (MARGIN + place % columns * column, MARGIN + head() + place / columns * row);
            assert_eq!(sheet.pixel(left, top), [place as u8 + 1, 200, 7], "{place}");
            assert_eq!(sheet.pixel(left + 255, top + 127), [place as u8 + 1, 200, 7]);
            let inked = |line: usize| {
                let rows =
                    top + 130 + line * line_height(TEXT_PX)..top + 130 + (line + 1) * line_height(TEXT_PX);
                rows.flat_map(|y| (left..left + 100).map(move |x| (x, y)))
                    .filter(|(x, y)| sheet.pixel(*x, *y)[0] > 100)
                    .count()
            };
            assert!(inked(0) > 20 && inked(1) > 20, "{place} has its number and its noise level");
        }
    }

    #[test]
    fn small_pictures_stay_as_they_are_and_many_become_smaller() {
        let one = step_sheet(&steps(1, 32, 32), &"a long title ".repeat(20), "").unwrap();
        assert_eq!((one.width(), one.pixel(MARGIN, MARGIN + head())), (512, [1, 200, 7]));
        let many = step_sheet(&steps(5000, 64, 64), "", "").unwrap();
        assert!(many.width() <= MAX_EDGE && many.height() <= MAX_EDGE);
        let narrow = steps(2, 1, 16_000);
        assert_eq!(cell_of(&narrow[0].picture, CELL), [1, 256]);
        assert_eq!(step_sheet(&[], "", "").unwrap_err(), SheetError::Empty);
    }
}
