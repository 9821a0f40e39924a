//! Rows as columns.

use super::prefetch::{LINE, first_level};

/// Edge of the squares that are turned at once, in registers.
const EDGE: usize = 4;
/// How many rows ahead one is asked for: short ones that lie apart no processor foresees.
const ROWS_AHEAD: usize = 16;

/// `from` of so many rows and columns, its rows `stride` apart, as `[columns, rows]`, whose rows are `to_stride` apart.
pub(super) fn transpose(from: &[f32], stride: usize, size: [usize; 2], to: &mut [f32], to_stride: usize) {
    let [rows, columns] = size;
    if rows == 0 || columns == 0 {
        return;
    }
    assert!(columns <= stride && rows <= to_stride, "rows overlap");
    assert!((rows - 1) * stride + columns <= from.len(), "too few rows");
    assert!((columns - 1) * to_stride + rows <= to.len(), "no room for the columns");
    let whole = |len: usize| if cfg!(target_arch = "x86_64") { len - len % EDGE } else { 0 };
    let (whole_rows, whole_columns) = (whole(rows), whole(columns));
    for row in 0..rows {
        let next = from.as_ptr().wrapping_add((row + ROWS_AHEAD) * stride);
        (0..columns).step_by(LINE).chain([columns - 1]).for_each(|at| first_level(next.wrapping_add(at)));
        #[cfg(target_arch = "x86_64")]
        if row < whole_rows && row % EDGE == 0 {
            for column in (0..whole_columns).step_by(EDGE) {
                #[expect(
                    unsafe_code,
                    reason = "instructions that have to be named, and places checked at once"
                )]
                // SAFETY: the square's rows and columns are among those asserted above. Every x86-64 processor has SSE.
                unsafe {
                    let (from, to) = (from.as_ptr().add(row * stride + column), to.as_mut_ptr());
                    turn(from, stride, to.add(column * to_stride + row), to_stride);
                }
            }
        }
        let first = if row < whole_rows { whole_columns } else { 0 };
        for (column, value) in from[row * stride..][..columns].iter().enumerate().skip(first) {
            to[column * to_stride + row] = *value;
        }
    }
}

/// Turns a square.
///
/// # Safety
/// There are four values at each of its rows and columns.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse")]
#[inline]
#[expect(unsafe_code, reason = "loads and stores of vectors take pointers")]
unsafe fn turn(from: *const f32, stride: usize, to: *mut f32, to_stride: usize) {
    use std::arch::x86_64::{
        _mm_loadu_ps, _mm_movehl_ps, _mm_movelh_ps, _mm_storeu_ps, _mm_unpackhi_ps, _mm_unpacklo_ps,
    };
    // SAFETY: the caller's promise.
    let [a, b, c, d] = [0, 1, 2, 3].map(|row| unsafe { _mm_loadu_ps(from.add(row * stride)) });
    let (low, high) =
        ([_mm_unpacklo_ps(a, b), _mm_unpacklo_ps(c, d)], [_mm_unpackhi_ps(a, b), _mm_unpackhi_ps(c, d)]);
    let columns = [
        _mm_movelh_ps(low[0], low[1]),
        _mm_movehl_ps(low[1], low[0]),
        _mm_movelh_ps(high[0], high[1]),
        _mm_movehl_ps(high[1], high[0]),
    ];
    for (column, values) in columns.into_iter().enumerate() {
        // SAFETY: the caller's promise.
        unsafe { _mm_storeu_ps(to.add(column * to_stride), values) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_any_number_become_rows() {
        for (rows, columns, stride, to_stride) in
            [(1, 1, 1, 1), (9, 7, 11, 12), (32, 40, 40, 32), (5, 3, 4, 8)]
        {
            let from: Vec<f32> = (0..rows * stride).map(|i| i as f32).collect();
            let mut to = vec![-1.0; columns * to_stride];
            transpose(&from, stride, [rows, columns], &mut to, to_stride);
            for (at, found) in to.iter().enumerate() {
                let (column, row) = (at / to_stride, at % to_stride);
                let wanted = if row < rows { from[row * stride + column] } else { -1.0 };
                assert_eq!(*found, wanted, "row {row}, column {column} of {rows} and {columns}");
            }
        }
    }
}
