//! Encoding and decoding in tiles compared with a single pass.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic and print")]

#[path = "common/mod.rs"]
mod common;

use safelight::formats::picture::{ReadOptions, read_picture};
use safelight::networks::autoencoder::MemoryLimits;
use safelight::networks::backend::{Device, Tensor};
use safelight::request::CancelToken;

use common::fixtures::root;
use common::model_folders::builtin_autoencoder;

/// Relative error: the statistics of the normalisations come from a part of the picture only.
const TOLERANCE: f64 = 0.03;

/// The corner of the built-in model's sheet of samples, −1..=1, `[1, 3, H, W]`.
fn picture(height: usize, width: usize) -> Tensor {
    let path = root().join("assets/builtin-model/samples.jpg");
    let sheet = read_picture(&path, &ReadOptions::default()).unwrap().picture;
    let values: Vec<f32> = sheet.rgb().iter().map(|v| f32::from(*v) / 127.5 - 1.0).collect();
    let sheet = Tensor::from_vec(values, (1, sheet.height(), sheet.width(), 3), &Device::Cpu).unwrap();
    sheet.permute([0, 3, 1, 2]).unwrap().narrow(2, 0, height).unwrap().narrow(3, 0, width).unwrap()
}

fn values(x: &Tensor) -> Vec<f32> {
    x.contiguous().unwrap().to_values().unwrap()
}

/// The error's root mean square in units of the expected values' deviation.
fn relative_error(found: &Tensor, expected: &Tensor) -> f64 {
    assert_eq!(found.dims(), expected.dims());
    let (found, expected) = (values(found), values(expected));
    let mean = expected.iter().map(|v| f64::from(*v)).sum::<f64>() / expected.len() as f64;
    let error: f64 = found.iter().zip(&expected).map(|(a, b)| f64::from(a - b).powi(2)).sum();
    (error / expected.iter().map(|b| (f64::from(*b) - mean).powi(2)).sum::<f64>()).sqrt()
}

#[test]
fn the_builtin_vae_gives_almost_the_same_in_tiles() {
    let vae = builtin_autoencoder();
    let cancel = CancelToken::new();
    let tiles = MemoryLimits { whole: 0, tile: 16 << 20 };
    // Neither a square nor a multiple of a tile.
    for (height, width) in [(360, 488), (512, 200)] {
        let picture = picture(height, width);
        let [mean, log_variance] = vae.encode(&picture, MemoryLimits::UNLIMITED, &cancel).unwrap();
        let [tiled_mean, tiled_log_variance] = vae.encode(&picture, tiles, &cancel).unwrap();
        let whole = vae.decode(&mean, MemoryLimits::UNLIMITED, &cancel).unwrap();
        let tiled = vae.decode(&mean, tiles, &cancel).unwrap();
        for (what, found, expected) in [
            ("mean", &tiled_mean, &mean),
            ("log-variance", &tiled_log_variance, &log_variance),
            ("picture", &tiled, &whole),
        ] {
            let error = relative_error(found, expected);
            println!("{what} of {height}×{width}: {error:.1e}");
            assert!(error > 0.0, "{what} of {height}×{width} was not made in tiles");
            assert!(error < TOLERANCE, "{what} of {height}×{width}: {error:e}");
        }
    }
}

#[test]
fn one_tile_is_the_whole() {
    let vae = builtin_autoencoder();
    let cancel = CancelToken::new();
    let as_small_as_can_be = MemoryLimits { whole: 0, tile: 0 };
    let picture = picture(32, 24);
    let [mean, log_variance] = vae.encode(&picture, MemoryLimits::UNLIMITED, &cancel).unwrap();
    let tiled = vae.encode(&picture, as_small_as_can_be, &cancel).unwrap();
    assert_eq!(values(&tiled[0]), values(&mean));
    assert_eq!(values(&tiled[1]), values(&log_variance));
    let whole = vae.decode(&mean, MemoryLimits::UNLIMITED, &cancel).unwrap();
    assert_eq!(values(&vae.decode(&mean, as_small_as_can_be, &cancel).unwrap()), values(&whole));
}
