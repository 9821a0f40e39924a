//! The directions in which a latent varies most: its principal components.

use super::Latent;

/// The strongest three principal components of a latent's channels.
#[derive(Clone, Debug, PartialEq)]
pub struct PrincipalComponents {
    /// Unit vectors over the channels, strongest first.
    pub directions: Vec<Vec<f64>>,
    /// Share of the total variance that each explains, 0..=1.
    pub explained: Vec<f64>,
}

/// Finds the three (or fewer) strongest components over all latent pixels.
///
/// The eigenvectors of the channels' covariance by cyclic Jacobi rotations (Golub & Van Loan, 8.5).
/// Each direction's largest entry is positive, so that the result is unique.
pub fn principal_components(latent: &Latent) -> PrincipalComponents {
    let n = latent.shape().channels;
    let mut covariance = covariance(latent);
    let mut vectors: Vec<Vec<f64>> =
        (0..n).map(|i| (0..n).map(|j| f64::from(u8::from(i == j))).collect()).collect();
    // Convergence is quadratic: eight sweeps are plenty for 32 channels in f64.
    for _ in 0..8 {
        for p in 0..n {
            for q in p + 1..n {
                rotate(&mut covariance, &mut vectors, p, q);
            }
        }
    }
    let total: f64 = (0..n).map(|i| covariance[i][i]).sum::<f64>().max(f64::MIN_POSITIVE);
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| covariance[b][b].total_cmp(&covariance[a][a]));
    order.truncate(3);
    let directions = order.iter().map(|&i| upright((0..n).map(|row| vectors[row][i]).collect())).collect();
    let explained = order.iter().map(|&i| covariance[i][i].max(0.0) / total).collect();
    PrincipalComponents { directions, explained }
}

impl PrincipalComponents {
    /// The latent without its mean, projected on these directions: `[components, H, W]`.
    pub fn project(&self, latent: &Latent) -> Latent {
        let shape = latent.shape();
        let mut values = Vec::with_capacity(self.directions.len() * shape.plane_len());
        for direction in &self.directions {
            let mut component = vec![0.0_f64; shape.plane_len()];
            for (c, &weight) in direction.iter().enumerate() {
                let channel = latent.channel(c);
                let mean = mean(channel);
                for (out, &v) in component.iter_mut().zip(channel) {
                    *out += weight * (f64::from(v) - mean);
                }
            }
            values.extend(component.into_iter().map(|v| v as f32));
        }
        let shape = super::LatentShape { channels: self.directions.len(), ..shape };
        Latent { shape, values: values.into() }
    }
}

fn mean(channel: &[f32]) -> f64 {
    channel.iter().map(|&v| f64::from(v)).sum::<f64>() / channel.len().max(1) as f64
}

fn covariance(latent: &Latent) -> Vec<Vec<f64>> {
    let n = latent.shape().channels;
    let means: Vec<f64> = (0..n).map(|c| mean(latent.channel(c))).collect();
    let entry = |a: usize, b: usize| {
        let pairs = latent.channel(a).iter().zip(latent.channel(b));
        pairs.map(|(&x, &y)| (f64::from(x) - means[a]) * (f64::from(y) - means[b])).sum::<f64>()
            / latent.shape().plane_len().max(1) as f64
    };
    (0..n).map(|a| (0..n).map(|b| entry(a, b)).collect()).collect()
}

/// Rotates the plane of the axes `p` and `q` so that their covariance becomes 0.
fn rotate(matrix: &mut [Vec<f64>], vectors: &mut [Vec<f64>], p: usize, q: usize) {
    if matrix[p][q].abs() < 1e-300 {
        return;
    }
    let theta = (matrix[q][q] - matrix[p][p]) / (2.0 * matrix[p][q]);
    let tangent = theta.signum() / (theta.abs() + theta.hypot(1.0));
    let cosine = 1.0 / tangent.hypot(1.0);
    let sine = tangent * cosine;
    for row in matrix.iter_mut() {
        let (x, y) = (row[p], row[q]);
        (row[p], row[q]) = (cosine * x - sine * y, sine * x + cosine * y);
    }
    let (above, below) = matrix.split_at_mut(q);
    for (x, y) in above[p].iter_mut().zip(&mut below[0]) {
        (*x, *y) = (cosine * *x - sine * *y, sine * *x + cosine * *y);
    }
    for row in vectors {
        let (x, y) = (row[p], row[q]);
        (row[p], row[q]) = (cosine * x - sine * y, sine * x + cosine * y);
    }
}

fn upright(direction: Vec<f64>) -> Vec<f64> {
    let largest = direction.iter().copied().fold(0.0, |a: f64, b| if b.abs() > a.abs() { b } else { a });
    if largest < 0.0 { direction.into_iter().map(|v| -v).collect() } else { direction }
}

#[cfg(test)]
mod tests {
    use super::super::LatentShape;
    use super::*;

    #[test]
    fn a_latent_that_varies_along_one_line_has_one_component() {
        let line: Vec<f32> = (0..16u8).map(f32::from).collect();
        let values: Vec<f32> = line.iter().copied().chain(line.iter().map(|v| -2.0 * v + 1.0)).collect();
        let latent = Latent::new(LatentShape::new(2, 4, 4), values).unwrap();
        let components = principal_components(&latent);
        assert!((components.explained[0] - 1.0).abs() < 1e-9);
        let expected = [-1.0 / 5.0_f64.sqrt(), 2.0 / 5.0_f64.sqrt()];
        for (found, expected) in components.directions[0].iter().zip(expected) {
            assert!((found - expected).abs() < 1e-9, "{:?}", components.directions);
        }
        let projected = components.project(&latent);
        assert!(projected.channel(1).iter().all(|v| v.abs() < 1e-5));
    }

    #[test]
    fn the_components_of_many_channels_are_orthogonal() {
        let shape = LatentShape::new(16, 5, 7);
        let mut state = 1_u32;
        let values: Vec<f32> = (0..shape.len())
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / 8_388_608.0 - 1.0
            })
            .collect();
        let components = principal_components(&Latent::new(shape, values).unwrap());
        let dot = |a: usize, b: usize| -> f64 {
            components.directions[a].iter().zip(&components.directions[b]).map(|(x, y)| x * y).sum()
        };
        assert!((dot(0, 0) - 1.0).abs() < 1e-9 && dot(0, 1).abs() < 1e-9 && dot(1, 2).abs() < 1e-9);
        assert!(components.explained[0] >= components.explained[1]);
    }
}
