//! Rows as columns.

/// Edge of the squares that are turned at once, in registers.
const EDGE: usize = 4;

/// `[rows, columns]`, whose rows are `stride` apart, as `[columns, rows]`, whose rows are `to_stride` apart.
pub(super) fn transpose(
    from: &[f32],
    stride: usize,
    [rows, columns]: [usize; 2],
    to: &mut [f32],
    to_stride: usize,
) {
    if rows == 0 || columns == 0 {
        return;
    }
    assert!(columns <= stride && rows <= to_stride, "rows overlap");
    let (whole_rows, whole_columns) = (rows - rows % EDGE, columns - columns % EDGE);
    for row in (0..whole_rows).step_by(EDGE) {
        let lines: [&[f32]; EDGE] = std::array::from_fn(|i| &from[(row + i) * stride..][..columns]);
        for column in (0..whole_columns).step_by(EDGE) {
            let square: [[f32; EDGE]; EDGE] =
                std::array::from_fn(|i| std::array::from_fn(|j| lines[i][column + j]));
            for j in 0..EDGE {
                let turned = [square[0][j], square[1][j], square[2][j], square[3][j]];
                to[(column + j) * to_stride + row..][..EDGE].copy_from_slice(&turned);
            }
        }
    }
    for row in 0..rows {
        let first = if row < whole_rows { whole_columns } else { 0 };
        for (column, value) in from[row * stride..][..columns].iter().enumerate().skip(first) {
            to[column * to_stride + row] = *value;
        }
    }
}

/// Eight rows of eight bytes as columns.
///
/// Source: Warren 2012, Hacker's Delight, section 7-3, with bytes for its bits.
#[inline(always)]
pub(super) fn transpose_bytes(rows: [[u8; 8]; 8]) -> [[u8; 8]; 8] {
    let mut rows = rows.map(u64::from_le_bytes);
    // Squares of one byte are exchanged across the diagonal, then of two, then of four.
    let mut exchange = |size: usize, mask: u64, firsts: [usize; 4]| {
        for first in firsts {
            let (above, below) = (rows[first], rows[first + size]);
            let exchanged = ((above >> (8 * size)) ^ below) & mask;
            rows[first] = above ^ (exchanged << (8 * size));
            rows[first + size] = below ^ exchanged;
        }
    };
    exchange(1, 0x00ff_00ff_00ff_00ff, [0, 2, 4, 6]);
    exchange(2, 0x0000_ffff_0000_ffff, [0, 1, 4, 5]);
    exchange(4, 0x0000_0000_ffff_ffff, [0, 1, 2, 3]);
    rows.map(u64::to_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_columns_whatever_their_number() {
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

    #[test]
    fn eight_rows_of_bytes_become_columns() {
        let rows: [[u8; 8]; 8] = std::array::from_fn(|y| std::array::from_fn(|x| (y * 8 + x) as u8));
        let columns = transpose_bytes(rows);
        for (y, x) in (0..8).flat_map(|y| (0..8).map(move |x| (y, x))) {
            assert_eq!(columns[x][y], rows[y][x]);
        }
    }
}
