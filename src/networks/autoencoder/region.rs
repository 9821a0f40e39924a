//! Rectangles of a feature map, in its pixels.

/// A rectangle of a feature map: rows and columns `from..to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Region {
    pub(super) from: [usize; 2],
    pub(super) to: [usize; 2],
}

impl Region {
    /// All of a feature map of this height and width.
    pub(super) fn whole(size: [usize; 2]) -> Self {
        Self { from: [0, 0], to: size }
    }

    /// Height and width.
    pub(super) fn size(self) -> [usize; 2] {
        [self.to[0] - self.from[0], self.to[1] - self.from[1]]
    }

    /// Grown by `pixels` on every side, within a map of this height and width.
    pub(super) fn grown(self, pixels: usize, size: [usize; 2]) -> Self {
        Self {
            from: self.from.map(|edge| edge.saturating_sub(pixels)),
            to: [0, 1].map(|axis| (self.to[axis] + pixels).min(size[axis])),
        }
    }

    /// Its region after upsampling by 2.
    pub(super) fn doubled(self) -> Self {
        Self { from: self.from.map(|edge| 2 * edge), to: self.to.map(|edge| 2 * edge) }
    }

    /// The smallest rectangle that covers it once doubled.
    pub(super) fn halved(self) -> Self {
        Self { from: self.from.map(|edge| edge / 2), to: self.to.map(|edge| edge.div_ceil(2)) }
    }

    /// The same region relative to a larger one.
    pub(super) fn within(self, outer: Self) -> Self {
        let shifted = |edge: [usize; 2]| [edge[0] - outer.from[0], edge[1] - outer.from[1]];
        Self { from: shifted(self.from), to: shifted(self.to) }
    }
}

/// Cuts of `0..edge` into equal parts of at most `most`, each a multiple of `multiple`, as `edge` is.
fn cuts(edge: usize, most: usize, multiple: usize) -> Vec<usize> {
    let units = edge / multiple;
    let parts = units.div_ceil((most / multiple).max(1)).max(1);
    (0..=parts).map(|i| i * units / parts * multiple).collect()
}

/// Tiles of a map of this height and width, of at most `most` pixels' edge, whose corners are multiples of `multiple`,
/// as the size is.
pub(super) fn grid(size: [usize; 2], most: usize, multiple: usize) -> Vec<Region> {
    let (rows, columns) = (cuts(size[0], most, multiple), cuts(size[1], most, multiple));
    let row_pairs = rows.windows(2);
    row_pairs
        .flat_map(|y| columns.windows(2).map(move |x| Region { from: [y[0], x[0]], to: [y[1], x[1]] }))
        .collect()
}

/// At most `count` squares of this edge, spread evenly over a map of this height and width from border to
/// border, without overlap; their corners are multiples of `multiple`, as the size is.
pub(super) fn spread(size: [usize; 2], edge: usize, count: usize, multiple: usize) -> Vec<Region> {
    let aspect = size[0] as f64 / size[1] as f64;
    let fitting = size.map(|length| (length / edge).max(1));
    let rows = ((count as f64 * aspect).sqrt().round() as usize).clamp(1, fitting[0].min(count.max(1)));
    let columns = (count / rows).clamp(1, fitting[1]);
    let starts = |length: usize, n: usize| {
        let (edge, room) = (edge.min(length), length.saturating_sub(edge) / multiple);
        (0..n).map(move |i| {
            // The middle, if there is only one.
            let start = if n == 1 { room / 2 } else { room * i / (n - 1) } * multiple;
            [start, start + edge]
        })
    };
    starts(size[0], rows)
        .flat_map(|y| starts(size[1], columns).map(move |x| Region { from: [y[0], x[0]], to: [y[1], x[1]] }))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_covers_every_pixel_once() {
        for (size, most, multiple) in [([24, 40], 16, 8), ([8, 8], 64, 8), ([7, 30], 4, 1), ([16, 8], 1, 8)] {
            let mut covered = vec![0; size[0] * size[1]];
            for tile in grid(size, most, multiple) {
                assert!(tile.size().iter().all(|edge| *edge > 0 && *edge <= most.max(multiple)), "{tile:?}");
                for y in tile.from[0]..tile.to[0] {
                    covered[y * size[1] + tile.from[1]..y * size[1] + tile.to[1]]
                        .iter_mut()
                        .for_each(|n| *n += 1);
                }
            }
            assert!(covered.iter().all(|n| *n == 1), "{size:?} in {most}");
        }
    }

    #[test]
    fn squares_are_spread_from_border_to_border() {
        let squares = spread([64, 128], 8, 18, 4);
        assert_eq!(squares.len(), 18);
        assert_eq!(squares[0], Region { from: [0, 0], to: [8, 8] });
        assert_eq!(squares[17], Region { from: [56, 120], to: [64, 128] });
        for (i, a) in squares.iter().enumerate() {
            for b in &squares[..i] {
                assert!((0..2).any(|axis| a.to[axis] <= b.from[axis] || b.to[axis] <= a.from[axis]));
            }
        }
        assert_eq!(spread([16, 16], 8, 1, 1), [Region { from: [4, 4], to: [12, 12] }]);
    }

    #[test]
    fn a_rectangle_grows_only_within_its_map() {
        let region = Region { from: [1, 4], to: [6, 8] };
        assert_eq!(region.grown(2, [7, 16]), Region { from: [0, 2], to: [7, 10] });
        assert_eq!(region.halved(), Region { from: [0, 2], to: [3, 4] });
        assert_eq!(region.halved().doubled(), Region { from: [0, 4], to: [6, 8] });
    }
}
