//! Published linear projections from latents to RGB, for VAEs without a fit.
//!
//! Source: stable-diffusion.cpp (MIT), `latent-preview.h`.

use super::RgbProjection;
use crate::latent::LatentFormat;

/// A projection for the latents of one format, model space: RGB weights of each channel, and the bias.
struct Table {
    format: LatentFormat,
    weight: &'static [[f32; 3]],
    bias: [f32; 3],
}

/// All projections. A format is recognised by its channels, scale and shift.
const TABLES: [Table; 5] = [
    Table {
        format: LatentFormat::STABLE_DIFFUSION,
        weight: &[
            [0.3374, 0.2163, 0.2574],
            [0.1656, 0.3868, 0.04699],
            [-0.2678, 0.237, 0.2235],
            [-0.178, -0.2009, -0.6785],
        ],
        bias: [-0.01748, -0.05583, -0.1058],
    },
    Table {
        format: LatentFormat::SDXL,
        weight: &[
            [0.258303, 0.27764, 0.329699],
            [-0.299701, 0.105446, 0.014194],
            [0.050522, 0.186163, -0.143257],
            [-0.211938, -0.149892, -0.080036],
        ],
        bias: [0.144381, -0.033313, 0.007061],
    },
    // Stable Diffusion XL's for the same VAE, through Playground v2.5's means, deviations and scale.
    Table {
        format: LatentFormat::PLAYGROUND,
        weight: &[
            [0.571456, 0.614236, 0.729409],
            [-0.460797, 0.162126, 0.021824],
            [0.086202, 0.317636, -0.244428],
            [-0.288742, -0.204211, -0.10904],
        ],
        bias: [-0.063544, -0.149992, -0.061044],
    },
    Table {
        format: LatentFormat::SD3,
        weight: &[
            [-0.0645, 0.0177, 0.1052],
            [0.0028, 0.0312, 0.065],
            [0.1848, 0.0762, 0.036],
            [0.0944, 0.036, 0.0889],
            [0.0897, 0.0506, -0.0364],
            [-0.002, 0.1203, 0.0284],
            [0.0855, 0.0118, 0.0283],
            [-0.0539, 0.0658, 0.1047],
            [-0.0057, 0.0116, 0.07],
            [-0.0412, 0.0281, -0.0039],
            [0.1106, 0.1171, 0.122],
            [-0.0248, 0.0682, -0.0481],
            [0.0815, 0.0846, 0.1207],
            [-0.012, -0.0055, -0.0867],
            [-0.0749, -0.0634, -0.0456],
            [-0.1418, -0.1457, -0.1259],
        ],
        bias: [0.0, 0.0, 0.0],
    },
    Table {
        format: LatentFormat::FLUX,
        weight: &[
            [-0.041168, 0.019917, 0.097253],
            [0.028096, 0.02673, 0.129576],
            [0.065618, -0.06795, -0.014651],
            [-0.012998, -0.014762, 0.081251],
            [0.078567, 0.059296, -0.024687],
            [-0.015987, -0.003697, 0.005012],
            [0.033605, 0.138999, 0.068517],
            [-0.02445, -0.063567, -0.030101],
            [-0.040194, -0.01671, 0.127185],
            [0.112681, 0.088764, -0.04194],
            [-0.023498, 0.093664, 0.025543],
            [0.082899, 0.04832, 0.007491],
            [0.075712, 0.074139, 0.081965],
            [-0.143501, 0.018263, -0.136138],
            [-0.025767, -0.082035, -0.040023],
            [-0.111849, -0.055589, -0.032361],
        ],
        bias: [0.0246, -0.006937, -0.008089],
    },
];

/// The published projection for latents of this format.
pub(super) fn published(format: &LatentFormat) -> Option<RgbProjection> {
    let numbers = |format: &LatentFormat| (format.channels, format.scale, format.shift);
    let table = TABLES.iter().find(|table| numbers(&table.format) == numbers(format))?;
    Some(RgbProjection { weight: table.weight.to_vec(), bias: table.bias })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_format_has_a_map_of_its_channels() {
        for (family, format) in LatentFormat::KNOWN {
            let map = published(&format).unwrap();
            assert_eq!(map.channels(), format.channels, "{family}");
            // For latents of about unit variance, colours should roughly span the range −1..=1.
            let reach = |k: usize| map.weight.iter().map(|w| w[k].powi(2)).sum::<f32>().sqrt();
            assert!((0..3).all(|k| (0.2..0.9).contains(&reach(k))), "{family}");
        }
        let other = LatentFormat { scale: 0.5, ..LatentFormat::FLUX };
        assert_eq!(published(&other), None);
    }
}
