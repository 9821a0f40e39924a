//! Synthetic pictures and latents that resemble real ones closely enough for a preview fit.

use crate::latent::{Latent, LatentShape};
use crate::request::{Picture, Seed};

/// Uniform random numbers in 0..1 (SplitMix64: Steele, Lea & Flood 2014).
struct Uniform(u64);

impl Uniform {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 24) as f32
    }

    fn colour(&mut self) -> [f32; 3] {
        [self.next(), self.next(), self.next()]
    }
}

/// A square picture with an edge of `edge` pixels: a vertical gradient with discs, rectangles and stripes at random
/// angles, shaded and with grain, so that it has flat areas, edges and textures as photographs do.
pub(super) fn procedural_picture(edge: usize, seed: Seed) -> Picture {
    let mut rng = Uniform(seed.0.wrapping_mul(0x1234_5678_9abc_def1) + 1);
    let (top, bottom) = (rng.colour(), rng.colour());
    let grain = rng.next() * 0.08;
    let shapes: Vec<([f32; 8], [f32; 3])> =
        (0..14).map(|_| (std::array::from_fn(|_| rng.next()), rng.colour())).collect();
    let mut bytes = Vec::with_capacity(edge * edge * 3);
    for y in 0..edge {
        for x in 0..edge {
            let (u, v) = (x as f32 / edge as f32, y as f32 / edge as f32);
            let mut rgb: [f32; 3] = std::array::from_fn(|k| top[k] * (1.0 - v) + bottom[k] * v);
            for ([cx, cy, size, angle, kind, period, shade, _], colour) in &shapes {
                let (sin, cos) = (angle * std::f32::consts::TAU).sin_cos();
                let (dx, dy) = (u - cx, v - cy);
                let (along, across) = (dx * cos + dy * sin, dy * cos - dx * sin);
                let radius = 0.04 + size * 0.22;
                let inside = match kind {
                    k if *k < 0.4 => dx * dx + dy * dy < radius * radius,
                    k if *k < 0.75 => along.abs() < radius && across.abs() < radius * (0.2 + period),
                    _ => {
                        along.abs() < radius
                            && across.abs() < radius
                            && (along * (8.0 + period * 60.0)).rem_euclid(1.0) < 0.5
                    }
                };
                if inside {
                    let light = 1.0 + shade * (along + across) / radius * 0.5;
                    rgb = colour.map(|c| c * light);
                }
            }
            for value in rgb {
                bytes.push(((value + (rng.next() - 0.5) * grain).clamp(0.0, 1.0) * 255.0) as u8);
            }
        }
    }
    Picture::new(edge, edge, bytes).unwrap_or_else(|error| unreachable!("{error}"))
}

/// A square latent with an edge of `edge` latent pixels, whose power falls with frequency as in pictures: octaves of
/// noise, each twice as coarse and twice as strong.
///
/// `statistics`: mean and standard deviation of each channel, model space; their number is the number of channels.
pub(super) fn spectral_noise(statistics: &[[f32; 2]], edge: usize, seed: Seed) -> Latent {
    let mut rng = Uniform(seed.0 + 77);
    let shape = LatentShape::new(statistics.len(), edge, edge);
    let mut values = Vec::with_capacity(shape.len());
    for [mean, std] in statistics {
        let mut plane = vec![0.0_f32; edge * edge];
        let mut cell = 1;
        while cell <= edge / 2 {
            let cells = edge / cell + 2;
            // The sum of three uniform numbers is close enough to a normal distribution.
            let grid: Vec<f32> =
                (0..cells * cells).map(|_| rng.next() + rng.next() + rng.next() - 1.5).collect();
            for (i, value) in plane.iter_mut().enumerate() {
                let (x, y) = ((i % edge) as f32 / cell as f32, (i / edge) as f32 / cell as f32);
                let (left, top) = (x as usize, y as usize);
                let (tx, ty) = (x - left as f32, y - top as f32);
                let at = |dx: usize, dy: usize| grid[(top + dy) * cells + left + dx];
                let upper = at(0, 0) * (1.0 - tx) + at(1, 0) * tx;
                let lower = at(0, 1) * (1.0 - tx) + at(1, 1) * tx;
                *value += cell as f32 * (upper * (1.0 - ty) + lower * ty);
            }
            cell *= 2;
        }
        let count = plane.len() as f32;
        let own_mean = plane.iter().sum::<f32>() / count;
        let own_std = (plane.iter().map(|v| (v - own_mean).powi(2)).sum::<f32>() / count).sqrt().max(1e-6);
        values.extend(plane.iter().map(|v| (v - own_mean) / own_std * std + mean));
    }
    Latent::new(shape, values).unwrap_or_else(|error| unreachable!("{error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latent::channel_statistics;

    #[test]
    fn spectral_noise_has_the_statistics_it_was_given_and_is_smooth() {
        let latent = spectral_noise(&[[0.5, 2.0], [-1.0, 0.1]], 32, Seed(3));
        let found = channel_statistics(&latent);
        assert!((found[0].mean - 0.5).abs() < 1e-4 && (found[0].std - 2.0).abs() < 1e-4);
        assert!((found[1].mean + 1.0).abs() < 1e-4 && (found[1].std - 0.1).abs() < 1e-4);
        let plane = latent.channel(0);
        let neighbours: f32 =
            plane.chunks_exact(32).flat_map(|row| row.windows(2)).map(|w| (w[1] - w[0]).powi(2)).sum();
        // Independent values would differ by 2σ² on average.
        assert!(neighbours / (31.0 * 32.0) < 0.5 * 2.0 * 4.0);
    }
}
