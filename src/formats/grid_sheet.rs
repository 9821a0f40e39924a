//! A grid of pictures as one labelled picture: columns and rows with their values, pages below each other.

use super::canvas::{Canvas, INK, QUIET, line_height};
use super::channel_sheet::SheetError;
use super::picture::scale;
use crate::catalog::ImageSize;
use crate::request::Picture;
use crate::request::grid::Grid;

/// Longest edge of a sheet, pixels: that of WebP.
const MAX_EDGE: usize = 16_383;
/// The most pixels of a sheet.
const MAX_PIXELS: usize = 100_000_000;
/// The longest edges that pictures are scaled down to where a sheet would be too large, pixels.
const EDGES: [usize; 11] = [2048, 1024, 768, 512, 384, 256, 192, 128, 96, 64, 32];
/// The edge down to which pictures are scaled before pages lie beside each other.
const BELOW_EACH_OTHER: usize = 256;
const MARGIN: usize = 24;
/// The most lines of a label.
const LINES: usize = 3;
/// Where a picture is not drawn.
const EMPTY: [u8; 3] = [0x26, 0x21, 0x21];

/// Where everything is on a sheet.
struct Layout {
    /// Share of the pictures' own size.
    factor: f64,
    cell: [usize; 2],
    gap: usize,
    text_px: f32,
    row_label_width: usize,
    column_label_lines: usize,
    has_page_title: bool,
    shape: [usize; 3],
    /// Pages beside each other.
    pages_across: usize,
}

impl Layout {
    /// The largest layout that fits.
    fn of(grid: &Grid, largest: ImageSize) -> Result<Self, SheetError> {
        let pages = grid.shape()[2];
        let (tall, small) = EDGES.into_iter().partition::<Vec<_>, _>(|edge| *edge >= BELOW_EACH_OTHER);
        let below = tall.iter().map(|edge| (*edge, 1));
        let beside = tall.iter().chain(&small);
        let beside = beside.flat_map(|edge| (1..=pages).map(|across| (*edge, across)));
        let mut layouts = below.chain(beside).map(|(edge, across)| Self::new(grid, largest, edge, across));
        layouts.find(Self::fits).ok_or_else(|| {
            let [width, height] = Self::new(grid, largest, EDGES[EDGES.len() - 1], 1).size();
            SheetError::TooLarge(width, height)
        })
    }

    fn new(grid: &Grid, largest: ImageSize, edge: usize, pages_across: usize) -> Self {
        let longer = largest.width.max(largest.height).max(1);
        let factor = (edge as f64 / longer as f64).min(1.0);
        let of = |length: usize| ((length as f64 * factor).round() as usize).max(1);
        let cell = [of(largest.width), of(largest.height)];
        let text_px = (cell[0] as f32 / 16.0).clamp(13.0, 34.0);
        let canvas = Canvas::new(0, 0);
        let widest = |axis: usize| {
            let axis = grid.axes().get(axis)?;
            let widths = (0..axis.values().len()).map(|at| canvas.text_width(&axis.label(at), text_px));
            Some(widths.fold(0.0, f32::max).ceil() as usize)
        };
        let most = (cell[0] / 2).max(120);
        let lines = |axis: usize, width: usize| {
            let axis = grid.axes().get(axis);
            let count = axis.map_or(0, |axis| axis.values().len());
            let lines = |at| axis.map_or(0, |a| canvas.lines(&a.label(at), text_px, width, LINES).len());
            (0..count).map(lines).max().unwrap_or_default()
        };
        Self {
            factor,
            cell,
            gap: (cell[0] / 32).clamp(4, 16),
            text_px,
            row_label_width: widest(1).map_or(0, |width| width.min(most)),
            column_label_lines: lines(0, cell[0]),
            has_page_title: grid.axes().len() > 2,
            shape: grid.shape(),
            pages_across,
        }
    }

    fn title_px(&self) -> f32 {
        self.text_px * 1.4
    }

    /// Height of the title and the line below it, with the room under them.
    fn head(&self) -> usize {
        line_height(self.title_px()) + line_height(self.text_px) + 2 * self.gap
    }

    /// From the corner of a page to that of its first picture.
    fn corner(&self) -> [usize; 2] {
        let row_labels = if self.row_label_width > 0 { self.row_label_width + 2 * self.gap } else { 0 };
        let title = if self.has_page_title { line_height(self.title_px()) + self.gap } else { 0 };
        [row_labels, title + self.column_label_lines * line_height(self.text_px) + self.gap]
    }

    /// From one page to the next.
    fn page(&self) -> [usize; 2] {
        let [columns, rows, _] = self.shape;
        let ([left, top], [width, height]) = (self.corner(), self.cell);
        [left + columns * (width + self.gap) + MARGIN, top + rows * (height + self.gap) + MARGIN]
    }

    fn size(&self) -> [usize; 2] {
        let [width, height] = self.page();
        let pages = self.shape[2];
        let across = pages.min(self.pages_across);
        let right = MARGIN + across * width - self.gap;
        [right.max(360), MARGIN + self.head() + pages.div_ceil(self.pages_across) * height]
    }

    fn fits(&self) -> bool {
        let [width, height] = self.size();
        width <= MAX_EDGE && height <= MAX_EDGE && width * height <= MAX_PIXELS
    }

    /// The corner of a page.
    fn page_corner(&self, page: usize) -> [usize; 2] {
        let [width, height] = self.page();
        let (across, down) = (page % self.pages_across, page / self.pages_across);
        [MARGIN + across * width, MARGIN + self.head() + down * height]
    }

    /// The corner of a picture.
    fn cell_corner(&self, [column, row, page]: [usize; 3]) -> [usize; 2] {
        let ([x, y], [left, top], [width, height]) = (self.page_corner(page), self.corner(), self.cell);
        [x + left + column * (width + self.gap), y + top + row * (height + self.gap)]
    }
}

/// Checks before the work whether the pictures fit on a sheet. `largest`: width and height that no picture exceeds, pixels.
///
/// # Errors
/// [`SheetError::TooLarge`].
pub fn check_grid_sheet(grid: &Grid, largest: ImageSize) -> Result<(), SheetError> {
    Layout::of(grid, largest).map(drop)
}

/// Draws a grid with its labels below a title and a line of settings. `cells`: the pictures row by row and page by page,
/// as [`Grid::index`] counts them; `None` where there is none, which is marked. Pictures keep their sizes if the sheet does
/// not become too large.
///
/// # Errors
/// [`SheetError`] if there is no picture, or there are too many for one sheet.
pub fn grid_sheet(
    grid: &Grid,
    cells: &[Option<Picture>],
    title: &str,
    settings: &str,
) -> Result<Picture, SheetError> {
    let sizes = || cells.iter().flatten().map(|picture| (picture.width(), picture.height()));
    let largest = sizes().fold(ImageSize::new(0, 0), |most, (width, height)| {
        ImageSize::new(most.width.max(width), most.height.max(height))
    });
    if largest.width == 0 {
        return Err(SheetError::Empty);
    }
    let layout = Layout::of(grid, largest)?;
    let [width, height] = layout.size();
    let mut sheet = Canvas::new(width, height);
    let room = width - 2 * MARGIN;
    let title = sheet.fitting(&title.replace('\n', " "), layout.title_px(), room);
    sheet.text(&title, layout.title_px(), [MARGIN, MARGIN], INK);
    let settings = sheet.fitting(settings, layout.text_px, room);
    sheet.text(&settings, layout.text_px, [MARGIN, MARGIN + line_height(layout.title_px())], QUIET);
    for page in 0..layout.shape[2] {
        draw_labels(&mut sheet, grid, &layout, page);
    }
    for index in 0..grid.len() {
        let place = grid.place(index);
        let corner = layout.cell_corner(place);
        match cells.get(index).and_then(Option::as_ref) {
            Some(picture) => {
                let of = |length: usize| ((length as f64 * layout.factor).round() as usize).max(1);
                sheet.paste(&scale(picture, of(picture.width()), of(picture.height())), corner);
            }
            None => draw_missing(&mut sheet, &layout, corner),
        }
    }
    Ok(sheet.into_picture())
}

/// The title of a page, and the values along its edges.
fn draw_labels(sheet: &mut Canvas, grid: &Grid, layout: &Layout, page: usize) {
    let ([x, y], [left, top]) = (layout.page_corner(page), layout.corner());
    let (text_px, line) = (layout.text_px, line_height(layout.text_px));
    if let Some(axis) = grid.axes().get(2) {
        let room = layout.page()[0] - MARGIN;
        let title = sheet.fitting(&axis.label(page), layout.title_px(), room);
        sheet.text(&title, layout.title_px(), [x, y], INK);
    }
    if let Some(axis) = grid.axes().first() {
        for column in 0..layout.shape[0] {
            let words = sheet.lines(&axis.label(column), text_px, layout.cell[0], LINES);
            let corner = layout.cell_corner([column, 0, page]);
            // The last line stands on the picture.
            let first = y + top - layout.gap / 2 - words.len() * line;
            for (at, words) in words.iter().enumerate() {
                let free = layout.cell[0] as f32 - sheet.text_width(words, text_px);
                let from = corner[0] + (free.max(0.0) / 2.0) as usize;
                sheet.text(words, text_px, [from, first + at * line], INK);
            }
        }
    }
    if let Some(axis) = grid.axes().get(1) {
        for row in 0..layout.shape[1] {
            let most = LINES.min(layout.cell[1] / line).max(1);
            let words = sheet.lines(&axis.label(row), text_px, layout.row_label_width, most);
            let corner = layout.cell_corner([0, row, page]);
            let first = corner[1] + layout.cell[1].saturating_sub(words.len() * line) / 2;
            for (at, words) in words.iter().enumerate() {
                let right = x + left - 2 * layout.gap;
                let from = (right as f32 - sheet.text_width(words, text_px)).max(x as f32) as usize;
                sheet.text(words, text_px, [from, first + at * line], INK);
            }
        }
    }
}

fn draw_missing(sheet: &mut Canvas, layout: &Layout, corner: [usize; 2]) {
    sheet.fill(corner, layout.cell, EMPTY);
    let words = sheet.fitting("not drawn", layout.text_px, layout.cell[0]);
    let free = layout.cell[0] as f32 - sheet.text_width(&words, layout.text_px);
    let down = layout.cell[1].saturating_sub(line_height(layout.text_px)) / 2;
    let at = [corner[0] + (free.max(0.0) / 2.0) as usize, corner[1] + down];
    sheet.text(&words, layout.text_px, at, QUIET);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(axes: &[&str]) -> Grid {
        Grid::new(axes.iter().map(|axis| axis.parse().unwrap()).collect()).unwrap()
    }

    fn picture(width: usize, height: usize, red: u8) -> Picture {
        Picture::new(width, height, [red, 200, 7].repeat(width * height)).unwrap()
    }

    /// The pixels in this rectangle that are as bright as a label.
    fn inked(sheet: &Picture, [left, top]: [usize; 2], [width, height]: [usize; 2]) -> usize {
        let pixels = (top..top + height).flat_map(|y| (left..left + width).map(move |x| (x, y)));
        pixels.filter(|(x, y)| sheet.pixel(*x, *y)[2] > 100).count()
    }

    #[test]
    fn every_picture_is_in_its_place_as_it_is_with_labels_at_the_edges() {
        let grid = grid(&["steps=2,3,4", "sampler=euler,heun", "words=red,blue"]);
        let mut cells: Vec<_> = (0..12).map(|index| Some(picture(128, 64, index * 20))).collect();
        cells[7] = None;
        let sheet = grid_sheet(&grid, &cells, "a red fox", "guidance 3").unwrap();
        let layout = Layout::of(&grid, ImageSize::new(128, 64)).unwrap();
        assert_eq!((layout.cell, layout.pages_across), ([128, 64], 1));
        assert_eq!([sheet.width(), sheet.height()], layout.size());
        for (index, cell) in cells.iter().enumerate() {
            let [left, top] = layout.cell_corner(grid.place(index));
            for at in [[left, top], [left + 127, top + 63]] {
                let expected = cell.as_ref().map_or(EMPTY, |cell| cell.pixel(0, 0));
                assert_eq!(sheet.pixel(at[0], at[1]), expected, "{index}");
            }
        }
        let line = line_height(layout.text_px);
        for page in 0..2 {
            let ([x, y], [left, top]) = (layout.page_corner(page), layout.corner());
            assert!(inked(&sheet, [x, y], [100, line]) > 20, "page {page} has a title");
            for column in 0..3 {
                let [from, _] = layout.cell_corner([column, 0, page]);
                let above = [from, y + top - layout.gap / 2 - line];
                assert!(inked(&sheet, above, [128, line]) > 20, "column {column}");
            }
            for row in 0..2 {
                let [_, from] = layout.cell_corner([0, row, page]);
                assert!(inked(&sheet, [x, from], [left - layout.gap, 64]) > 20, "row {row}");
            }
        }
        assert!(inked(&sheet, layout.cell_corner(grid.place(7)), [128, 64]) > 20, "it says so");
    }

    #[test]
    fn one_axis_has_no_room_for_others_and_sizes_may_differ() {
        let grid = grid(&["size=64x64,32x96"]);
        let cells = [Some(picture(64, 64, 1)), Some(picture(32, 96, 2))];
        let sheet = grid_sheet(&grid, &cells, "", "").unwrap();
        let layout = Layout::of(&grid, ImageSize::new(64, 96)).unwrap();
        assert_eq!((layout.cell, layout.corner()[0], layout.has_page_title), ([64, 96], 0, false));
        let [left, top] = layout.cell_corner([1, 0, 0]);
        assert_eq!([sheet.pixel(left + 31, top + 95)[0], sheet.pixel(left, top)[0]], [2, 2]);
        assert_ne!(sheet.pixel(left + 32, top)[1], 200);
        assert_eq!(grid_sheet(&grid, &[None, None], "", "").unwrap_err(), SheetError::Empty);
    }

    #[test]
    fn large_grids_become_smaller_and_many_pages_lie_beside_each_other() {
        let large = ImageSize::new(1024, 1024);
        for axes in [
            &["seed=1..20", "steps=1..20"][..],
            &["seed=1..400"],
            &["seed=1", "steps=1..400"],
            &["seed=1", "eta=0", "steps=1..400"],
            &["seed=1..7", "steps=1..7", "size=8x8,16x16,24x24,32x32,40x40,48x48,56x56,64x64"],
        ] {
            let layout = Layout::of(&grid(axes), large).unwrap_or_else(|error| panic!("{axes:?}: {error}"));
            assert!(layout.fits() && layout.factor <= 0.5, "{axes:?}: {}", layout.factor);
        }
        let few = Layout::of(&grid(&["seed=1..3", "steps=1..3", "eta=0,1"]), large).unwrap();
        assert_eq!((few.cell, few.pages_across), ([1024, 1024], 1));
    }
}
