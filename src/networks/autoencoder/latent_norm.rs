//! Means and deviations by which latents are normalised beside a scale: of each channel (Playground v2.5), or, in the
//! batch norm of FLUX.2's latents over 2×2 patches, of each of the four positions in a patch.
//!
//! Source: diffusers' `StableDiffusionXLPipeline`; `AutoencoderKLFlux2` and `Flux2KleinPipeline`, where a patch's 4·C
//! values are channels.

use super::AutoencoderConfig;
use crate::networks::Parameters;
use crate::networks::backend::{DType, Result, Tensor};

/// Statistics, `[1, C, P, P]` each for patches of P×P.
pub(super) struct LatentNorm {
    mean: Tensor,
    deviation: Tensor,
    /// The logarithm of the variance.
    log_variance: Tensor,
}

impl LatentNorm {
    /// The norm of a configuration; `None` if it has none.
    pub(super) fn new(vb: &Parameters, config: &AutoencoderConfig) -> Result<Option<Self>> {
        if config.normalises_patches() {
            return Self::of_patches(vb, config).map(Some);
        }
        let (Some(means), Some(deviations)) = (&config.latents_mean, &config.latents_std) else {
            return Ok(None);
        };
        let statistics = |values: &[f64]| {
            let values: Vec<f32> = values.iter().map(|value| *value as f32).collect();
            Tensor::from_vec(values, (1, config.latent_channels, 1, 1), vb.runtime().device())
        };
        let deviation = statistics(deviations)?;
        Ok(Some(Self { mean: statistics(means)?, log_variance: deviation.sqr()?.log()?, deviation }))
    }

    fn of_patches(vb: &Parameters, config: &AutoencoderConfig) -> Result<Self> {
        let channels = config.latent_channels;
        let statistics = |name: &str| {
            let all = vb.pp("bn").get(4 * channels, name)?;
            all.to_dtype(DType::F32)?.reshape((1, channels, 2, 2))
        };
        let variance = (statistics("running_var")? + config.batch_norm_eps)?;
        Ok(Self {
            mean: statistics("running_mean")?,
            deviation: variance.sqrt()?,
            log_variance: variance.log()?,
        })
    }

    /// The statistics tiled over a latent of the size of `like` `[B, C, H, W]`: `[1, C, H, W]`.
    fn tiled(statistics: &Tensor, like: &Tensor) -> Result<Tensor> {
        let (_, _, height, width) = like.dims4()?;
        let (_, _, rows, columns) = statistics.dims4()?;
        let whole = statistics.repeat((1, 1, height.div_ceil(rows), width.div_ceil(columns)))?;
        whole.narrow(2, 0, height)?.narrow(3, 0, width)?.to_dtype(like.dtype())
    }

    /// A posterior's mean and log-variance, normalised.
    pub(super) fn normalise(&self, [mean, log_variance]: [Tensor; 2]) -> Result<[Tensor; 2]> {
        let centred = mean.broadcast_sub(&Self::tiled(&self.mean, &mean)?)?;
        let mean = centred.broadcast_div(&Self::tiled(&self.deviation, &mean)?)?;
        let of_latent = Self::tiled(&self.log_variance, &log_variance)?;
        Ok([mean, log_variance.broadcast_sub(&of_latent)?])
    }

    /// The inverse of [`Self::normalise`] for a latent.
    pub(super) fn denormalise(&self, latent: &Tensor) -> Result<Tensor> {
        let scaled = latent.broadcast_mul(&Self::tiled(&self.deviation, latent)?)?;
        scaled.broadcast_add(&Self::tiled(&self.mean, latent)?)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::networks::backend::{DType, Device};

    use super::*;
    use crate::networks::Runtime;
    use crate::weights::{StoredTensor, TensorMap};

    #[test]
    fn each_place_of_a_patch_has_its_own_statistics_at_odd_sizes_too() {
        let mut source = TensorMap::default();
        source.insert("bn.running_mean", StoredTensor::from_f32(&[4], &[0.0, 1.0, 2.0, 3.0]));
        source.insert("bn.running_var", StoredTensor::from_f32(&[4], &[1.0, 4.0, 9.0, 16.0]));
        let parameters = Parameters::new(Arc::new(source), &Runtime::processor(Some(1)));
        let config =
            AutoencoderConfig { latent_channels: 1, batch_norm_eps: 0.0, ..AutoencoderConfig::default() };
        let norm = LatentNorm::of_patches(&parameters, &config).unwrap();
        let zeros = Tensor::zeros((1, 1, 3, 3), DType::F32, &Device::Cpu).unwrap();
        let values = |x: &Tensor| x.to_values::<f32>().unwrap();
        let [mean, log_variance] = norm.normalise([zeros.clone(), zeros.clone()]).unwrap();
        let [a, b, c, d] = [0.0, -0.5, -2.0 / 3.0, -0.75];
        assert_eq!(values(&mean), [a, b, a, c, d, c, a, b, a]);
        assert!((values(&log_variance)[4] + 16_f32.ln()).abs() < 1e-6);
        for (back, zero) in values(&norm.denormalise(&mean).unwrap()).iter().zip(values(&zeros)) {
            assert!((back - zero).abs() < 1e-6);
        }
    }
}
