//! Left rows of a product cut into those of single register tiles.

use std::ops::Range;

use super::amx;
use super::gemm::Rows;
use super::kernel::ROWS;

/// The left rows of one tile: neighbours on a line of the rows, or with tile registers, two lots of them.
#[derive(Clone, Copy)]
pub(super) struct Strip {
    /// Where the first is among the values.
    pub(super) lhs: usize,
    /// Rows of the first lot, and how far the first one of the second is from `lhs`.
    pub(super) upper: usize,
    pub(super) lower: usize,
    /// All of them, and the number of the first among a product's rows.
    pub(super) rows: usize,
    pub(super) first: usize,
}

/// How left rows are cut.
#[derive(Clone, Copy)]
pub(super) struct Cut<'a> {
    rows: Rows<'a>,
    for_registers: bool,
    /// Strips of a line, or lots for tile registers, of which two make a strip: lines shorter than a strip share one.
    of_line: usize,
}

impl<'a> Cut<'a> {
    /// Of rows of which there are some, for tile registers or other ones.
    pub(super) fn new(rows: Rows<'a>, for_registers: bool) -> Self {
        let most = if for_registers { amx::EDGE } else { ROWS };
        Self { rows, for_registers, of_line: rows.length.div_ceil(most) }
    }

    /// Strips in all.
    pub(super) fn count(&self) -> usize {
        let of_lines = self.rows.pictures * self.rows.lines * self.of_line;
        if self.for_registers { of_lines.div_ceil(2) } else { of_lines }
    }

    /// Some of them.
    pub(super) fn strips(&self, range: Range<usize>) -> Vec<Strip> {
        range.map(|strip| if self.for_registers { self.two_lots(strip) } else { self.lot(strip) }).collect()
    }

    fn two_lots(&self, strip: usize) -> Strip {
        let upper = self.lot(2 * strip);
        if 2 * strip + 1 == self.rows.pictures * self.rows.lines * self.of_line {
            return upper;
        }
        let lower = self.lot(2 * strip + 1);
        Strip { lower: lower.lhs.wrapping_sub(upper.lhs), rows: upper.rows + lower.rows, ..upper }
    }

    fn lot(&self, number: usize) -> Strip {
        let rows = self.rows;
        let (line, number) = (number / self.of_line, number % self.of_line);
        let bound = |number: usize| {
            if self.for_registers {
                // Full ones and a rest, because the registers are configured for a number of rows.
                rows.length.min(number * amx::EDGE)
            } else {
                number * rows.length / self.of_line
            }
        };
        let (first, count) = (bound(number), bound(number + 1) - bound(number));
        let lhs = line / rows.lines * rows.picture_stride
            + line % rows.lines * rows.line_stride
            + first * rows.row_stride;
        Strip { lhs, upper: count, lower: 0, rows: count, first: line * rows.length + first }
    }
}
