//! Matrix products through the `gemm` crate, which chooses its instructions when the program runs.

use gemm::Parallelism;

use super::super::threads;

/// A matrix in a slice: element `(r, c)` is at `r · row_stride + c · column_stride`.
#[derive(Clone, Copy)]
pub(in super::super) struct Matrix<'a> {
    pub(in super::super) values: &'a [f32],
    pub(in super::super) row_stride: usize,
    pub(in super::super) column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// Rows one after another, `row_stride` apart (rows may overlap).
    pub(in super::super) fn rows(values: &'a [f32], row_stride: usize) -> Self {
        Self { values, row_stride, column_stride: 1 }
    }

    /// The transpose of rows one after another.
    pub(in super::super) fn transposed(values: &'a [f32], row_stride: usize) -> Self {
        Self { values, row_stride: 1, column_stride: row_stride }
    }

    fn holds(&self, rows: usize, columns: usize) -> bool {
        rows == 0
            || columns == 0
            || (rows - 1) * self.row_stride + (columns - 1) * self.column_stride < self.values.len()
    }
}

/// Products of fewer multiplications than this stay on one thread.
const PARALLEL_MULTIPLICATIONS: usize = 1 << 20;

/// `out = lhs · rhs`, or `out += lhs · rhs` with `accumulate`. `lhs`: `[m, k]`, `rhs`: `[k, n]`,
/// `out`: `[m, n]` with rows `out_stride` apart. Uses the pool when `parallel` and worth it.
pub(in super::super) fn product(
    [m, n, k]: [usize; 3],
    lhs: Matrix<'_>,
    rhs: Matrix<'_>,
    out: &mut [f32],
    out_stride: usize,
    accumulate: bool,
    parallel: bool,
) {
    if m == 0 || n == 0 {
        return;
    }
    assert!(lhs.holds(m, k) && rhs.holds(k, n), "a matrix product reads outside its operands");
    assert!((m - 1) * out_stride + n <= out.len(), "a matrix product writes outside its result");
    assert!(out_stride >= n || m == 1, "a matrix product's rows overlap");
    let threads = threads::count();
    let parallelism = if parallel && threads > 1 && m * n * k >= PARALLEL_MULTIPLICATIONS {
        Parallelism::Rayon(threads)
    } else {
        Parallelism::None
    };
    #[expect(unsafe_code, reason = "the crate takes pointers")]
    // SAFETY: the assertions above keep every access of `[m, k]`, `[k, n]` and `[m, n]` inside the
    // slices; `out` is borrowed mutably, so it overlaps neither operand.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            out_stride as isize,
            accumulate,
            lhs.values.as_ptr(),
            lhs.column_stride as isize,
            lhs.row_stride as isize,
            rhs.values.as_ptr(),
            rhs.column_stride as isize,
            rhs.row_stride as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            parallelism,
        );
    }
}
