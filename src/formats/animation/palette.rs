//! The 256 colours of a picture, and its pixels as places in them.
//!
//! Colours are found by splitting the picture's colours where their variance is greatest (Wu 1992, "Color quantization by
//! dynamic programming and principal analysis", in the simpler form that splits along one axis at the mean), and pixels
//! are dithered by error diffusion (Floyd & Steinberg 1976), in rows of alternating direction. A picture that has no more
//! than 256 colours keeps them.

use std::collections::BTreeSet;

/// Colours of a frame of a GIF.
const MAX_COLOURS: usize = 256;
/// Bits of a channel by which colours are counted, and by which the nearest colour is looked up.
const COUNTED_BITS: u32 = 5;
const LOOKED_UP_BITS: u32 = 6;

/// The palette of the pixels, `[colours, 3]`, and the place of each pixel's colour in it. `rgb`: `[H, W, 3]`.
///
/// # Panics
/// If there is no pixel.
pub(super) fn indexed(rgb: &[u8], width: usize) -> (Vec<u8>, Vec<u8>) {
    if let Some(colours) = few_colours(rgb) {
        let place = |pixel: &[u8]| colours.binary_search(&as_colour(pixel)).unwrap_or_default() as u8;
        let indices = rgb.chunks_exact(3).map(place).collect();
        return (colours.concat(), indices);
    }
    let palette = palette(rgb);
    let indices = dithered(rgb, width, &palette);
    (palette.concat(), indices)
}

fn as_colour(pixel: &[u8]) -> [u8; 3] {
    [pixel[0], pixel[1], pixel[2]]
}

/// All colours in order, if there are at most [`MAX_COLOURS`].
fn few_colours(rgb: &[u8]) -> Option<Vec<[u8; 3]>> {
    let mut colours = BTreeSet::new();
    for pixel in rgb.chunks_exact(3) {
        colours.insert(as_colour(pixel));
        if colours.len() > MAX_COLOURS {
            return None;
        }
    }
    Some(colours.into_iter().collect())
}

/// Pixels of about one colour.
#[derive(Clone, Copy, Default)]
struct Cell {
    count: f64,
    mean: [f64; 3],
}

/// Cells that become one colour of the palette, or are split.
struct Group {
    cells: Vec<Cell>,
    mean: [f64; 3],
    /// The axis of the greatest variance.
    axis: usize,
    /// The sum of the squared distances from the mean along it.
    spread: f64,
}

impl Group {
    fn new(cells: Vec<Cell>) -> Self {
        let count: f64 = cells.iter().map(|cell| cell.count).sum();
        let sum = |of: &dyn Fn(&Cell) -> f64| cells.iter().map(|cell| cell.count * of(cell)).sum::<f64>();
        let mean = [0, 1, 2].map(|k| sum(&|cell| cell.mean[k]) / count.max(1.0));
        let spread = [0, 1, 2].map(|k| sum(&|cell| (cell.mean[k] - mean[k]).powi(2)));
        let axis = (0..3).max_by(|a, b| spread[*a].total_cmp(&spread[*b])).unwrap_or_default();
        Self { spread: spread[axis], axis, mean, cells }
    }

    /// Two groups on both sides of the mean; one that cannot be split stays as it is.
    fn split(self) -> [Option<Self>; 2] {
        let (axis, mean) = (self.axis, self.mean[self.axis]);
        let (low, high): (Vec<Cell>, Vec<Cell>) =
            self.cells.into_iter().partition(|cell| cell.mean[axis] <= mean);
        [low, high].map(|cells| (!cells.is_empty()).then(|| Self::new(cells)))
    }
}

fn palette(rgb: &[u8]) -> Vec<[u8; 3]> {
    let mut cells = vec![Cell::default(); 1 << (3 * COUNTED_BITS)];
    for pixel in rgb.chunks_exact(3) {
        let cell = &mut cells[place_of([pixel[0], pixel[1], pixel[2]].map(i32::from), COUNTED_BITS)];
        cell.count += 1.0;
        for (sum, value) in cell.mean.iter_mut().zip(pixel) {
            *sum += f64::from(*value);
        }
    }
    let mut groups = vec![Group::new(
        cells
            .into_iter()
            .filter(|cell| cell.count > 0.0)
            .map(|cell| Cell { mean: cell.mean.map(|sum| sum / cell.count), ..cell })
            .collect(),
    )];
    while groups.len() < MAX_COLOURS {
        let widest = (0..groups.len()).max_by(|a, b| groups[*a].spread.total_cmp(&groups[*b].spread));
        let Some(widest) = widest.filter(|at| groups[*at].spread > 0.0) else { break };
        let halves = groups.swap_remove(widest).split();
        groups.extend(halves.into_iter().flatten());
    }
    groups.iter().map(|group| group.mean.map(|value| value.round() as u8)).collect()
}

/// The cell of a colour, whose channels are counted by their highest bits.
fn place_of(colour: [i32; 3], bits: u32) -> usize {
    colour.iter().fold(0, |place, value| place << bits | (value >> (8 - bits)) as usize)
}

/// The nearest colours of a palette, each looked for once.
struct Nearest<'a> {
    palette: &'a [[u8; 3]],
    known: Vec<Option<u8>>,
}

impl Nearest<'_> {
    fn of(&mut self, colour: [i32; 3]) -> u8 {
        let place = place_of(colour, LOOKED_UP_BITS);
        if let Some(known) = self.known[place] {
            return known;
        }
        // The middle of the cell, so that its colour does not depend on which pixel came first.
        let middle = colour.map(|value| value >> (8 - LOOKED_UP_BITS) << (8 - LOOKED_UP_BITS) | 2);
        let distance = |entry: &[u8; 3]| -> i32 {
            entry.iter().zip(middle).map(|(value, wanted)| (i32::from(*value) - wanted).pow(2)).sum()
        };
        let nearest = (0..self.palette.len()).min_by_key(|at| distance(&self.palette[*at]));
        let nearest = nearest.unwrap_or_default() as u8;
        self.known[place] = Some(nearest);
        nearest
    }
}

fn dithered(rgb: &[u8], width: usize, palette: &[[u8; 3]]) -> Vec<u8> {
    let mut nearest = Nearest { palette, known: vec![None; 1 << (3 * LOOKED_UP_BITS)] };
    let mut indices = vec![0; rgb.len() / 3];
    // Sixteenths of the errors that this row and the next one take over, with a pixel more at both ends.
    let (mut here, mut below) = (vec![[0i32; 3]; width + 2], vec![[0i32; 3]; width + 2]);
    for (y, row) in rgb.chunks_exact(width * 3).enumerate() {
        let leftwards = y % 2 == 1;
        for step in 0..width {
            let x = if leftwards { width - 1 - step } else { step };
            let wanted =
                [0, 1, 2].map(|k| (i32::from(row[x * 3 + k]) + (here[x + 1][k] + 8) / 16).clamp(0, 255));
            let index = nearest.of(wanted);
            indices[y * width + x] = index;
            let got = palette[usize::from(index)];
            let (ahead, behind) = if leftwards { (x, x + 2) } else { (x + 2, x) };
            for k in 0..3 {
                let error = wanted[k] - i32::from(got[k]);
                here[ahead][k] += 7 * error;
                below[behind][k] += 3 * error;
                below[x + 1][k] += 5 * error;
                below[ahead][k] += error;
            }
        }
        std::mem::swap(&mut here, &mut below);
        below.fill([0; 3]);
    }
    indices
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The colours of the pixels.
    fn shown((palette, indices): &(Vec<u8>, Vec<u8>)) -> Vec<u8> {
        indices.iter().flat_map(|index| palette[usize::from(*index) * 3..][..3].to_vec()).collect()
    }

    #[test]
    fn a_picture_of_few_colours_keeps_them() {
        let rgb: Vec<u8> = (0..1024usize).flat_map(|i| [(i % 256) as u8, 7, 255 - (i % 256) as u8]).collect();
        let found = indexed(&rgb, 32);
        assert_eq!((found.0.len(), shown(&found)), (256 * 3, rgb));
        assert_eq!(indexed(&[1, 2, 3], 1), (vec![1, 2, 3], vec![0]));
    }

    /// A smooth picture of 128×128 pixels and many thousand colours.
    fn smooth() -> Vec<u8> {
        let pixel = |i: usize| {
            let (x, y) = (i % 128, i / 128);
            [2 * x, 2 * y, (x * y) / 64].map(|value| value as u8)
        };
        (0..128 * 128).flat_map(pixel).collect()
    }

    #[test]
    fn many_colours_become_256_that_are_near() {
        let found = indexed(&smooth(), 128);
        assert_eq!(found.0.len(), 256 * 3);
        let squares: f64 =
            shown(&found).iter().zip(smooth()).map(|(a, b)| (f64::from(*a) - f64::from(b)).powi(2)).sum();
        let off = (squares / smooth().len() as f64).sqrt();
        // A cube of 256 colours of even distances would be 12 off.
        assert!(off < 9.0, "{off}");
    }

    #[test]
    fn dithering_keeps_the_colour_of_every_part() {
        let (rgb, found) = (smooth(), shown(&indexed(&smooth(), 128)));
        for (left, top) in [(0, 0), (48, 16), (96, 96), (16, 80)] {
            for k in 0..3 {
                let mean = |rgb: &[u8]| {
                    let part = (0..16 * 16).map(|i| ((top + i / 16) * 128 + left + i % 16) * 3 + k);
                    part.map(|at| f64::from(rgb[at])).sum::<f64>() / 256.0
                };
                assert!((mean(&rgb) - mean(&found)).abs() < 1.5, "{left}, {top}, {k}");
            }
        }
    }
}
