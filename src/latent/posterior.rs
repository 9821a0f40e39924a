//! The posterior of a VAE's encoder: its standard deviation and its divergence from the prior.

use super::{Latent, LatentShape};

/// One value for each latent pixel, as a latent of one channel.
fn plane(of: LatentShape, values: Vec<f32>) -> Latent {
    let shape = LatentShape { channels: 1, ..of };
    Latent { shape, values: values.into() }
}

/// The posterior's standard deviation `exp(log_variance / 2)`, `[C, H, W]`, VAE space.
///
/// The log-variance is clamped to −30..=20 as in diffusers' `DiagonalGaussianDistribution`.
pub fn posterior_sigma(log_variance: &Latent) -> Latent {
    log_variance.map(|_, v| (0.5 * v.clamp(-30.0, 20.0)).exp())
}

/// The Kullback–Leibler divergence from N(0, 1) at each latent pixel, summed over channels, nats: `[1, H, W]`.
///
/// `½ · Σ_c (μ² + σ² − 1 − ln σ²)`. Source: Kingma & Welling 2013, appendix B.
/// `mean` and `log_variance`: VAE space.
pub fn kl_map(mean: &Latent, log_variance: &Latent) -> Latent {
    let shape = mean.shape();
    let mut sums = vec![0.0_f64; shape.plane_len()];
    for c in 0..shape.channels {
        for (sum, (&m, &v)) in sums.iter_mut().zip(mean.channel(c).iter().zip(log_variance.channel(c))) {
            let log = f64::from(v.clamp(-30.0, 20.0));
            *sum += 0.5 * (f64::from(m).powi(2) + log.exp() - 1.0 - log);
        }
    }
    plane(shape, sums.into_iter().map(|v| v as f32).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standard_normal_posterior_says_nothing() {
        let zeros = Latent::zeros(LatentShape::new(4, 2, 2));
        assert_eq!(kl_map(&zeros, &zeros).values(), [0.0; 4]);
        assert_eq!(posterior_sigma(&zeros).values(), [1.0; 16]);
    }

    /// numpy: `0.5 * (4 + np.exp(-2) - 1 + 2)`.
    #[test]
    fn the_divergence_is_the_closed_form() {
        let shape = LatentShape::new(1, 1, 1);
        let mean = Latent::new(shape, vec![2.0]).unwrap();
        let log_variance = Latent::new(shape, vec![-2.0]).unwrap();
        assert!((kl_map(&mean, &log_variance).values()[0] - 2.567_667_6).abs() < 1e-6);
    }
}
