//! Strassen's products: seven of half the rows, half the depth and half the columns, where there are eight.
//!
//! Sources: Strassen 1969, <https://doi.org/10.1007/BF02165411>; with fifteen additions, Winograd's form (Higham, Accuracy and
//! Stability of Numerical Algorithms, chapter 23); sums made as matrices are packed, and results put together tile by tile: Huang et
//! al. 2016, <https://doi.org/10.1109/SC.2016.58>.
//!
//! With the rows above and below `A1`, `A2`, the depths `A·1`, `A·2`, and the columns left and right `B·1`, `B·2`:
//!
//! ```text
//! S1 = A21 + A22   T1 = B12 − B11   P1 = A11·B11   P5 = S1·T1   U = P1 + P6   C11 = P1 + P2
//! S2 = S1 − A11    T2 = B22 − T1    P2 = A12·B21   P6 = S2·T2   V = U + P7    C12 = U + P5 + P3
//! S3 = A11 − A21   T3 = B22 − B12   P3 = S4·B22    P7 = S3·T3                 C21 = V + P4
//! S4 = A12 − S2    T4 = B21 − T2    P4 = A22·T4                               C22 = V + P5
//! ```
//!
//! The rows are those of two register tiles, the columns those of two panels. Rounding errors are about twice those of
//! products as they are written.

use std::ops::Range;

use super::super::kernel::{PANEL, ROWS};
use super::super::lanes::{Bf16, F16, F32, LANES, Lane, StoredRows, lane};
use super::super::pack::{Form, Panels};
use super::super::prefetch::{Ahead, LINE, first_level, second_level};
use super::super::scratch::Scratch;
use super::super::simd::multiversioned;
use super::{Packed, Panel, Rows, Work, multiply_panel};

const PRODUCTS: usize = 7;
/// `S1` to `S4`, and as many of the right matrix.
const SUMS: usize = 4;
/// Left rows of one lot: those above, and those below.
const LOT: usize = 2 * ROWS;
/// Panels of one lot.
pub(super) const PAIR: usize = 2;
/// Values of one of a lot's products.
const TILE: usize = ROWS * PANEL;
/// Half of the greatest depth of a pass: the right sides of a lot's products, 280 KiB, stay in the second-level cache.
const HALF_DEPTH: usize = 320;
/// Below these, sums take as long as the product that is saved.
const LEAST_ROWS: usize = 48;
const LEAST_DEPTH: usize = 256;
const LEAST_PANELS: usize = 4;

/// Panels of some that are worth it, an even number of whole ones from the first on.
pub(super) fn panels_for(rows: Rows<'_>, rhs: Packed<'_>) -> usize {
    let panels = rhs.columns / (PAIR * PANEL) * PAIR;
    let is_worth_it = rows.length >= LEAST_ROWS && rhs.depth >= LEAST_DEPTH && panels >= LEAST_PANELS;
    if rows.are_plain() && is_worth_it && rhs.depth.is_multiple_of(2) { panels } else { 0 }
}

/// The depths of a pass: half of them from `first` on, and as many after those.
#[derive(Clone, Copy)]
struct Pass {
    first: usize,
    half: usize,
    is_first: bool,
    is_last: bool,
}

/// An even depth in passes, all but the last of whole fours in each half.
fn passes(depth: usize) -> Vec<Pass> {
    let count = depth.div_ceil(2 * HALF_DEPTH);
    let bound = |pass: usize| if pass == count { depth } else { pass * depth / count / 8 * 8 };
    let pass = |pass: usize| Pass {
        first: bound(pass),
        half: (bound(pass + 1) - bound(pass)) / 2,
        is_first: pass == 0,
        is_last: pass + 1 == count,
    };
    (0..count).map(pass).collect()
}

/// Rows of a lot.
#[derive(Clone, Copy)]
struct Lot {
    first: usize,
    above: usize,
    /// As many, or one less.
    below: usize,
}

/// Some rows in lots.
fn lots(rows: Range<usize>) -> Vec<Lot> {
    let lot = |first: usize| {
        let count = LOT.min(rows.end - first);
        Lot { first, above: count.div_ceil(2), below: count / 2 }
    };
    rows.clone().step_by(LOT).map(lot).collect()
}

impl Work<'_> {
    /// Computes some tiles of rows for some panels, which are whole ones and go in pairs.
    pub(super) fn run_by_sevens(&self, tiles: Range<usize>, panels: Range<usize>) {
        let strips = self.cut.strips(tiles);
        let (Some(first), Some(last)) = (strips.first(), strips.last()) else { return };
        let (lots, passes) = (lots(first.first..last.first + last.rows), passes(self.rhs.depth));
        let most = passes.iter().map(|pass| pass.half).max().unwrap_or(0);
        let mut sums = Scratch::new(lots.len() * SUMS * ROWS * most);
        let mut right = Scratch::new(PRODUCTS * most * PANEL);
        let mut products = Scratch::new(PRODUCTS * TILE);
        for pass in passes {
            let len = SUMS * ROWS * pass.half;
            for (lot, sums) in lots.iter().zip(sums.chunks_exact_mut(len)) {
                self.add_left(*lot, pass, sums);
            }
            let right = &mut right[..PRODUCTS * pass.half * PANEL];
            for pair in panels.clone().step_by(PAIR) {
                self.add_right(pair, pass, right);
                let next = (pair + PAIR < panels.end).then(|| self.ahead(pair + PAIR, pass));
                for (number, (lot, sums)) in lots.iter().zip(sums.chunks_exact(len)).enumerate() {
                    for product in 0..PRODUCTS {
                        let (part, parts) = (number * PRODUCTS + product, lots.len() * PRODUCTS);
                        for panel in next.iter().flatten() {
                            panel.fetch(part, parts);
                        }
                        self.fetch_places(*lot, pair, pass, product);
                        let right = &right[product * pass.half * PANEL..][..pass.half * PANEL];
                        let panel = Panel { values: right, width: PANEL, columns: PANEL };
                        let to = &mut products[product * TILE..][..TILE];
                        multiply_panel(self.left(*lot, pass, product, sums), panel, false, to, PANEL);
                    }
                    put_together(&products, &self.place(*lot, pair, pass));
                }
            }
        }
    }

    /// Half of a pass's depths of some left rows.
    fn rows(&self, first: usize, count: usize, depth: usize) -> Rows<'_> {
        let stride = self.rows.row_stride;
        // Of no rows there is no first one.
        let values = if count > 0 { &self.rows.values[first * stride + depth..] } else { &[] };
        Rows::plain(values, count, stride)
    }

    /// `S1` to `S4` of a lot, `[4, 12, half]`. A row that is missing below counts as zeros.
    fn add_left(&self, lot: Lot, pass: Pass, sums: &mut [f32]) {
        let (stride, half) = (self.rows.row_stride, pass.half);
        let missing = if lot.below < lot.above { vec![0.0; half] } else { Vec::new() };
        for row in 0..lot.above {
            let places = [lot.first + row, lot.first + lot.above + row].map(|row| row * stride + pass.first);
            let part = |at: usize| &self.rows.values[at..][..half];
            let [a21, a22] = if row < lot.below {
                [part(places[1]), part(places[1] + half)]
            } else {
                [missing.as_slice(); 2]
            };
            for place in places {
                // The next row of each, of which the processor foresees the first values only when they are read.
                let next = self.rows.values.as_ptr().wrapping_add(place + stride);
                (0..2 * half).step_by(LINE).for_each(|at| first_level(next.wrapping_add(at)));
            }
            let at = |sum: usize| (sum * ROWS + row) * half..(sum * ROWS + row + 1) * half;
            if let Ok(sums) = sums.get_disjoint_mut([at(0), at(1), at(2), at(3)]) {
                add_left([part(places[0]), part(places[0] + half), a21, a22], sums);
            }
        }
    }

    /// The right sides of the products, `[7, half, PANEL]`: `B11`, `B21`, `B22`, `T4`, `T1`, `T2`, `T3`.
    fn add_right(&self, pair: usize, pass: Pass, right: &mut [f32]) {
        let (rhs, len) = (self.rhs, pass.half * PANEL);
        let panels = [pair, pair + 1].map(|panel| rhs.panels.after(panel * PANEL * rhs.depth));
        let at = |product: usize| product * len..(product + 1) * len;
        if let Ok(right) = right.get_disjoint_mut([at(0), at(1), at(2), at(3), at(4), at(5), at(6)]) {
            add_right(panels, pass, right);
        }
    }

    /// What [`Self::add_right`] reads.
    fn ahead(&self, pair: usize, pass: Pass) -> [Ahead; PAIR] {
        [pair, pair + 1].map(|panel| {
            let from = (panel * self.rhs.depth + pass.first) * PANEL;
            self.rhs.panels.ahead(from..from + 2 * pass.half * PANEL, Form::F32)
        })
    }

    /// The left side of a product.
    fn left<'b>(&'b self, lot: Lot, pass: Pass, product: usize, sums: &'b [f32]) -> Rows<'b> {
        let sum = |number: usize| Rows::plain(&sums[number * ROWS * pass.half..], lot.above, pass.half);
        match product {
            0 => self.rows(lot.first, lot.above, pass.first),
            1 => self.rows(lot.first, lot.above, pass.first + pass.half),
            2 => sum(3),
            3 => self.rows(lot.first + lot.above, lot.below, pass.first + pass.half),
            _ => sum(product - 4),
        }
    }

    /// Asks for a seventh of a lot's place in the result, and of what is added there: from the first-level cache the products
    /// to come would drive them out again.
    fn fetch_places(&self, lot: Lot, pair: usize, pass: Pass, part: usize) {
        let of_row = PAIR * PANEL / LINE;
        let lines = (lot.above + lot.below) * of_row;
        let residual = self.extra.residual.filter(|_| pass.is_last);
        for line in part * lines / PRODUCTS..(part + 1) * lines / PRODUCTS {
            let row = lot.first + line / of_row;
            let at = row * self.out_stride + pair * PANEL + line % of_row * LINE;
            second_level(self.out.at(at));
            if let Some(residual) = residual {
                second_level(residual.as_ptr().wrapping_add(at));
            }
        }
    }

    fn place(&self, lot: Lot, pair: usize, pass: Pass) -> Place<'_> {
        let (extra, first) = (self.extra, lot.first * self.out_stride + pair * PANEL);
        let has_bias = pass.is_last && !extra.bias.is_empty();
        Place {
            first: self.out.at(first),
            stride: self.out_stride,
            above: lot.above,
            below: lot.below,
            accumulate: extra.accumulate || !pass.is_first,
            bias: has_bias.then(|| &extra.bias[pair * PANEL..][..PAIR * PANEL]),
            residual: extra.residual.filter(|_| pass.is_last).map(|residual| &residual[first..]),
        }
    }
}

/// A lot's place in the result, and what is added there.
struct Place<'a> {
    /// Of `above + below` rows, `stride` apart, of two panels; nobody else uses them.
    first: *mut f32,
    stride: usize,
    above: usize,
    below: usize,
    accumulate: bool,
    bias: Option<&'a [f32]>,
    residual: Option<&'a [f32]>,
}

impl Place<'_> {
    /// Writes a result with what is added to it.
    #[inline(always)]
    fn write(&self, row: usize, column: usize, mut value: Lane) {
        let at = row * self.stride + column;
        if let Some(bias) = self.bias {
            value = sum(value, lane(&bias[column..]));
        }
        if let Some(residual) = self.residual {
            value = sum(value, lane(&residual[at..]));
        }
        debug_assert!(row < self.above + self.below && column < PAIR * PANEL);
        #[expect(unsafe_code, reason = "threads write one result, each its own rows and panels")]
        // SAFETY: the row and the columns are this place's; what is added to was written by an earlier pass, or given.
        unsafe {
            let to = self.first.add(at).cast::<Lane>();
            if self.accumulate {
                value = sum(value, *to);
            }
            *to = value;
        }
    }
}

multiversioned! {
    /// `S1` to `S4` of a row above and one below.
    fn add_left(parts: [&[f32]; 4], sums: [&mut [f32]; SUMS]) {
        let len = parts[0].len();
        let [a11, a12, a21, a22] = parts.map(|part| &part[..len]);
        let [s1, s2, s3, s4] = sums.map(|sum| &mut sum[..len]);
        for i in 0..len {
            s1[i] = a21[i] + a22[i];
            s2[i] = s1[i] - a11[i];
            s3[i] = a11[i] - a21[i];
            s4[i] = a12[i] - s2[i];
        }
    }
}

multiversioned! {
    /// See [`Work::add_right`].
    fn add_right<const FMA: bool>(panels: [Panels<'_>; PAIR], pass: Pass, right: [&mut [f32]; PRODUCTS]) {
        match panels {
            [Panels::F32(left), Panels::F32(next)] => add_columns::<FMA>([F32(left), F32(next)], pass, right),
            [Panels::F16(left), Panels::F16(next)] => add_columns::<FMA>([F16(left), F16(next)], pass, right),
            [Panels::Bf16(left), Panels::Bf16(next)] => add_columns::<FMA>([Bf16(left), Bf16(next)], pass, right),
            _ => unreachable!("f32 rows go with none of pairs"),
        }
    }
}

#[inline(always)]
fn add_columns<const F16C: bool>(panels: [impl StoredRows; PAIR], pass: Pass, right: [&mut [f32]; PRODUCTS]) {
    let end = pass.first + 2 * pass.half;
    assert!(panels.iter().all(|panel| panel.rows(PANEL) >= end), "panels of all depths");
    let lanes = pass.half * PANEL / LANES;
    // All of one length that the loop ends at: no place needs a check then.
    let right = right.map(|side| &mut side.as_chunks_mut().0[..lanes]);
    let [to_b11, to_b21, to_b22, to_t4, to_t1, to_t2, to_t3] = right;
    for lane in 0..lanes {
        let (row, column) = (lane * LANES / PANEL, lane * LANES % PANEL);
        let depths = [pass.first + row, pass.first + pass.half + row];
        let mut quarters = [[[0.0; LANES]; PAIR]; 2];
        for (depth, quarters) in depths.into_iter().zip(&mut quarters) {
            for (panel, quarter) in panels.into_iter().zip(quarters) {
                #[expect(unsafe_code, reason = "see `StoredRows::lane`")]
                // SAFETY: these depths are there, as asserted. On x86-64, code with FMA is compiled for F16C.
                unsafe {
                    *quarter = panel.lane::<F16C>(PANEL, depth, column);
                }
            }
        }
        let [[b11, b12], [b21, b22]] = quarters;
        let t1 = difference(b12, b11);
        let t2 = difference(b22, t1);
        to_b11[lane] = b11;
        to_b21[lane] = b21;
        to_b22[lane] = b22;
        to_t4[lane] = difference(b21, t2);
        to_t1[lane] = t1;
        to_t2[lane] = t2;
        to_t3[lane] = difference(b22, b12);
    }
}

#[inline(always)]
fn difference(mut a: Lane, b: Lane) -> Lane {
    for l in 0..LANES {
        a[l] -= b[l];
    }
    a
}

#[inline(always)]
fn sum(mut a: Lane, b: Lane) -> Lane {
    for l in 0..LANES {
        a[l] += b[l];
    }
    a
}

multiversioned! {
    /// A lot's part of the result from its products, `[7, 12, PANEL]`.
    fn put_together(products: &[f32], place: &Place<'_>) {
        for row in 0..place.above {
            for column in (0..PANEL).step_by(LANES) {
                let product = |number: usize| lane(&products[(number - 1) * TILE + row * PANEL + column..]);
                let (p1, p5) = (product(1), product(5));
                let u = sum(p1, product(6));
                let v = sum(u, product(7));
                let below = place.above + row;
                place.write(row, column, sum(p1, product(2)));
                place.write(row, PANEL + column, sum(sum(u, p5), product(3)));
                if row < place.below {
                    place.write(below, column, sum(v, product(4)));
                    place.write(below, PANEL + column, sum(v, p5));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::super::threads;
    use super::super::super::pack::{PackedMatrix, Place, Stored};
    use super::super::super::simd::{Level, limit};
    use super::super::{Extra, Workers, product};
    use super::*;

    fn made_up(len: usize, salt: usize) -> Vec<f32> {
        (0..len).map(|i| ((i * 7919 + salt * 31) % 2003) as f32 / 1001.0 - 1.0).collect()
    }

    /// Rows that go up in lots and others, one missing below, panels that have no other one, several passes.
    #[test]
    fn seven_products_are_as_eight() {
        let sizes = [(48, 256, 128), (77, 768, 160), (61, 642, 190), (300, 1290, 133), (48, 254, 128)];
        for (count, depth, columns) in sizes {
            let (a, b) = (made_up(count * (depth + 3), 1), made_up(depth * columns, 2));
            let (bias, residual) = (made_up(columns.next_multiple_of(PANEL), 3), made_up(count * columns, 4));
            let at = Place { row: |k: usize| k * columns, column_stride: 1 };
            let halves: Vec<half::f16> = b.iter().map(|b| half::f16::from_f32(*b)).collect();
            let packed = PackedMatrix::new([depth, columns], Stored::F16(&halves), &at, false);
            let rhs = Packed { panels: packed.panels(), depth, columns };
            let rows = Rows::plain(&a, count, depth + 3);
            assert_eq!(panels_for(rows, rhs) > 0, depth >= LEAST_DEPTH, "{count}, {depth}, {columns}");
            let bias = &bias[..super::super::super::pack::packed_columns(columns)];
            for accumulate in [false, true] {
                let wanted: Vec<f64> = (0..count * columns)
                    .map(|at| {
                        let (row, column) = (at / columns, at % columns);
                        let product = |k: usize| {
                            f64::from(a[row * (depth + 3) + k]) * f64::from(halves[k * columns + column])
                        };
                        let begun = if accumulate { 0.5 } else { 0.0 };
                        (0..depth).map(product).sum::<f64>()
                            + f64::from(bias[column])
                            + f64::from(residual[at])
                            + begun
                    })
                    .collect();
                for level in Level::available().into_iter().filter(|level| !level.splits_values()) {
                    for threads in [1, 3] {
                        limit(Some(level));
                        threads::set_count(Some(threads));
                        let mut out = vec![if accumulate { 0.5 } else { f32::NAN }; count * columns];
                        let extra = Extra { accumulate, bias, residual: Some(&residual) };
                        threads::run(|| product(rows, rhs, extra, &mut out, columns, Workers::Pool));
                        threads::set_count(None);
                        limit(None);
                        let norm = wanted.iter().map(|w| w * w).sum::<f64>();
                        let error = wanted.iter().zip(&out).map(|(w, o)| (w - f64::from(*o)).powi(2));
                        let error = (error.sum::<f64>() / norm).sqrt();
                        assert!(error < 2e-6, "{count}, {depth}, {columns} with {level:?}: {error:e}");
                    }
                }
            }
        }
    }
}
