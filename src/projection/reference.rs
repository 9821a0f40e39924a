//! The CPU reference of the preview shaders, used by their tests and to measure the quality of fits.

use super::{ColourMap, ERROR_COLOUR, RgbProjection};
use crate::latent::Latent;

fn value_at(latent: &Latent, x: isize, y: isize, channel: usize) -> f32 {
    let shape = latent.shape();
    let x = x.clamp(0, shape.width as isize - 1) as usize;
    let y = y.clamp(0, shape.height as isize - 1) as usize;
    latent.channel(channel)[y * shape.width + x]
}

/// Catmull–Rom weights of four neighbours, for a point at distance `t` (0..1) after the second.
fn cubic(t: f32) -> [f32; 4] {
    let (t2, t3) = (t * t, t * t * t);
    [-t3 + 2.0 * t2 - t, 3.0 * t3 - 5.0 * t2 + 2.0, -3.0 * t3 + 4.0 * t2 + t, t3 - t2].map(|w| 0.5 * w)
}

/// A channel's value at a point in latent pixels; pixel centres are at half-integers.
fn sampled(latent: &Latent, at: [f32; 2], channel: usize, smooth: bool) -> f32 {
    if !smooth {
        return value_at(latent, at[0].floor() as isize, at[1].floor() as isize, channel);
    }
    let base = at.map(|v| (v - 0.5).floor());
    let (wx, wy) = (cubic(at[0] - 0.5 - base[0]), cubic(at[1] - 0.5 - base[1]));
    let mut sum = 0.0;
    for (dy, wy) in wy.iter().enumerate() {
        for (dx, wx) in wx.iter().enumerate() {
            let (x, y) = (base[0] as isize + dx as isize - 1, base[1] as isize + dy as isize - 1);
            sum += wx * wy * value_at(latent, x, y, channel);
        }
    }
    sum
}

/// The position of each pixel's centre in latent pixels, row by row.
fn points(latent: &Latent, scale: usize) -> impl Iterator<Item = [f32; 2]> {
    let shape = latent.shape();
    let centre = move |pixel: usize| (pixel as f32 + 0.5) / scale as f32;
    (0..shape.height * scale).flat_map(move |y| (0..shape.width * scale).map(move |x| [centre(x), centre(y)]))
}

/// The linear preview: RGB in 0..=1, `[H · scale, W · scale]`; `smooth`: Catmull–Rom between latent pixels.
pub fn render_linear_reference(
    latent: &Latent,
    projection: &RgbProjection,
    scale: usize,
    smooth: bool,
) -> Vec<[f32; 3]> {
    let channels = latent.shape().channels;
    points(latent, scale)
        .map(|at| {
            let vector: Vec<f32> = (0..channels).map(|c| sampled(latent, at, c, smooth)).collect();
            let rgb = projection.rgb_from_vector(&vector);
            if rgb.iter().all(|v| v.is_finite()) {
                rgb.map(|v| (v * 0.5 + 0.5).clamp(0.0, 1.0))
            } else {
                ERROR_COLOUR
            }
        })
        .collect()
}

/// One channel through a colour map: RGB in 0..=1, `[H · scale, W · scale]`.
pub fn render_channel_reference(
    latent: &Latent,
    index: usize,
    map: ColourMap,
    limits: [f32; 2],
    scale: usize,
    smooth: bool,
) -> Vec<[f32; 3]> {
    points(latent, scale).map(|at| map.colour(sampled(latent, at, index, smooth), limits)).collect()
}
