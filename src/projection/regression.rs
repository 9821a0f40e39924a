//! Ridge regression in closed form: the normal equations `(XᵀX + λI)·W = XᵀY` are accumulated in f64 and solved by
//! Cholesky decomposition (Golub & Van Loan, 4.2). The ridge applies to the inputs, not to the bias.

/// The accumulated normal equations of a least-squares problem; the rows themselves are not stored.
#[derive(Clone, Debug, PartialEq)]
pub struct RidgeRegression {
    inputs: usize,
    outputs: usize,
    /// Lower triangle of `XᵀX`, `[inputs + 1, inputs + 1]`; the last input is the constant 1 of the bias.
    gram: Vec<f64>,
    /// `XᵀY`, `[inputs + 1, outputs]`.
    moment: Vec<f64>,
    rows: u64,
}

impl RidgeRegression {
    /// A problem without rows.
    pub fn new(inputs: usize, outputs: usize) -> Self {
        let columns = inputs + 1;
        Self {
            inputs,
            outputs,
            gram: vec![0.0; columns * columns],
            moment: vec![0.0; columns * outputs],
            rows: 0,
        }
    }

    /// A problem from stored sums: `XᵀX`, `XᵀY` and their number of rows. `None` if they do not match the sizes or are
    /// not finite.
    pub fn from_sums(
        inputs: usize,
        outputs: usize,
        gram: Vec<f64>,
        moment: Vec<f64>,
        rows: u64,
    ) -> Option<Self> {
        let columns = inputs + 1;
        let fits = gram.len() == columns * columns && moment.len() == columns * outputs;
        let finite = gram.iter().chain(&moment).all(|v| v.is_finite());
        (fits && finite).then_some(Self { inputs, outputs, gram, moment, rows })
    }

    /// `XᵀX`, `XᵀY` and their number of rows.
    pub fn sums(&self) -> (&[f64], &[f64], u64) {
        (&self.gram, &self.moment, self.rows)
    }

    /// Number of outputs.
    pub const fn outputs(&self) -> usize {
        self.outputs
    }

    /// Number of rows added.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Adds one row; `input` has `inputs` values and `output` has `outputs`. A row with a NaN or infinity is skipped.
    pub fn add(&mut self, input: &[f32], output: &[f32]) {
        if !input.iter().chain(output).all(|v| v.is_finite()) {
            return;
        }
        let columns = self.inputs + 1;
        let value = |i: usize| input.get(i).map_or(1.0, |v| f64::from(*v));
        for i in 0..columns {
            let x = value(i);
            // The matrix is symmetric: the lower triangle suffices.
            for (j, sum) in self.gram[i * columns..][..=i].iter_mut().enumerate() {
                *sum += x * value(j);
            }
            for (sum, y) in self.moment[i * self.outputs..][..self.outputs].iter_mut().zip(output) {
                *sum += x * f64::from(*y);
            }
        }
        self.rows += 1;
    }

    /// The weights, `[inputs + 1, outputs]`, the bias last. `ridge`: relative to the inputs' mean square. `None` if the
    /// rows do not determine them.
    pub fn solve(&self, ridge: f64) -> Option<Vec<f32>> {
        let columns = self.inputs + 1;
        let mean_square =
            (0..self.inputs).map(|i| self.gram[i * columns + i]).sum::<f64>() / self.inputs.max(1) as f64;
        let mut lower = self.gram.clone();
        for i in 0..self.inputs {
            lower[i * columns + i] += ridge * mean_square;
        }
        // A = L·Lᵀ, in place.
        for i in 0..columns {
            for j in 0..=i {
                let dot: f64 = (0..j).map(|k| lower[i * columns + k] * lower[j * columns + k]).sum();
                let rest = lower[i * columns + j] - dot;
                lower[i * columns + j] = if i == j {
                    if rest <= f64::EPSILON * self.gram[i * columns + i].abs() {
                        return None;
                    }
                    rest.sqrt()
                } else {
                    rest / lower[j * columns + j]
                };
            }
        }
        let mut solved = self.moment.clone();
        for i in 0..columns {
            for k in 0..i {
                let factor = lower[i * columns + k];
                let (above, own) = solved.split_at_mut(i * self.outputs);
                subtract(&mut own[..self.outputs], &above[k * self.outputs..][..self.outputs], factor);
            }
            solved[i * self.outputs..][..self.outputs].iter_mut().for_each(|v| *v /= lower[i * columns + i]);
        }
        for i in (0..columns).rev() {
            for k in i + 1..columns {
                let factor = lower[k * columns + i];
                let (own, below) = solved.split_at_mut((i + 1) * self.outputs);
                let from = (k - i - 1) * self.outputs;
                subtract(&mut own[i * self.outputs..], &below[from..][..self.outputs], factor);
            }
            solved[i * self.outputs..][..self.outputs].iter_mut().for_each(|v| *v /= lower[i * columns + i]);
        }
        Some(solved.into_iter().map(|v| v as f32).collect())
    }
}

fn subtract(from: &mut [f64], what: &[f64], factor: f64) {
    from.iter_mut().zip(what).for_each(|(a, b)| *a -= factor * b);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_go_through_a_file_and_a_nan_is_left_out() {
        let mut rows = RidgeRegression::new(1, 1);
        for x in [0.0, 1.0, 2.0_f32] {
            rows.add(&[x], &[3.0 * x + 1.0]);
        }
        rows.add(&[f32::NAN], &[0.0]);
        let (gram, moment, count) = rows.sums();
        let again = RidgeRegression::from_sums(1, 1, gram.to_vec(), moment.to_vec(), count).unwrap();
        assert_eq!(again, rows);
        let found = again.solve(0.0).unwrap();
        assert!((found[0] - 3.0).abs() < 1e-6 && (found[1] - 1.0).abs() < 1e-6);
        assert!(RidgeRegression::from_sums(2, 1, gram.to_vec(), moment.to_vec(), count).is_none());
    }
}
