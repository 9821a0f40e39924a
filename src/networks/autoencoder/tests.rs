//! Tiles against the whole pass: with the statistics of the whole map they are exact.

use std::path::Path;

use std::sync::Arc;

use super::layers::{NormStatistics, run, sizes};
use super::region::{Region, grid, spread};
use super::tiles::assemble;
use super::*;
use crate::networks::Runtime;
use crate::networks::backend::{Device, Tensor};
use crate::networks::ops::crop;
use crate::weights::{SafetensorsFiles, WeightFile};

/// The autoencoder of a small checkpoint in diffusers' layout.
fn fixture() -> Autoencoder {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sd1/vae");
    let config = std::fs::read_to_string(folder.join("config.json")).unwrap();
    let file = WeightFile::open(&folder.join("diffusion_pytorch_model.safetensors")).unwrap();
    let weights = Arc::new(SafetensorsFiles::open(vec![file]).unwrap());
    let vb = Parameters::new(weights, &Runtime::processor(None));
    Autoencoder::new(&vb, &serde_json::from_str(&config).unwrap()).unwrap()
}

/// Waves that differ from place to place, `[1, C, H, W]`.
fn waves(channels: usize, height: usize, width: usize) -> Tensor {
    let values: Vec<f32> = (0..channels * height * width)
        .map(|i| {
            let (c, y, x) = (i / (height * width), i / width % height, i % width);
            let (c, y, x) = (c as f32, y as f32, x as f32);
            (0.7 * x + 0.3 * c).sin() * (y / 9.0).cos() + (0.01 * x * y + c).sin() * 0.5
        })
        .collect();
    Tensor::from_vec(values, (1, channels, height, width), &Device::Cpu).unwrap()
}

fn values(x: &Tensor) -> Vec<f32> {
    x.contiguous().unwrap().to_values().unwrap()
}

/// Relative L2 error of what `layers` give in tiles of `edge` pixels, with the statistics of the whole.
fn error_with_the_wholes_statistics(layers: &[Layer], x: &Tensor, edge: usize, multiple: usize) -> f64 {
    let cancel = CancelToken::new();
    let (_, _, height, width) = x.dims4().unwrap();
    let sizes = sizes(layers, [height, width]);
    let size = sizes[layers.len()];
    let mut statistics = Vec::new();
    let mut norms = NormStatistics::Gathered(&mut statistics);
    let whole = run(layers, x, &sizes, &[Region::whole(size)], &mut norms, &cancel).unwrap();
    let tiles = grid(size, edge, multiple);
    assert!(tiles.len() > 5, "{} tiles", tiles.len());
    let tiled = assemble(layers, x, &sizes, &tiles, &statistics, &cancel).unwrap();
    assert_eq!(tiled.dims(), whole[0].dims());
    let (tiled, whole) = (values(&tiled), values(&whole[0]));
    let error: f64 = tiled.iter().zip(&whole).map(|(a, b)| f64::from(a - b).powi(2)).sum();
    (error / whole.iter().map(|b| f64::from(*b).powi(2)).sum::<f64>()).sqrt()
}

/// f32 in another order of summation: Winograd's tiles lie elsewhere.
const ROUNDING: f64 = 2e-5;

#[test]
fn with_the_wholes_statistics_tiles_are_exact() {
    let Autoencoder { encoder, decoder, .. } = fixture();
    for (height, width, edge) in [(36, 44, 16), (30, 52, 10), (64, 14, 6)] {
        let x = waves(decoder.conv_in.channels()[1], height, width);
        let error = error_with_the_wholes_statistics(&decoder.layers, &x, edge, 2);
        assert!(error < ROUNDING, "decoder, {height}×{width} in {edge}: {error:e}");
        let x = waves(3, 2 * height, 2 * width);
        let error = error_with_the_wholes_statistics(&encoder.layers, &x, edge, 1);
        assert!(error < ROUNDING, "encoder, {height}×{width} in {edge}: {error:e}");
    }
}

#[test]
fn statistics_from_squares_that_cover_the_map_are_the_wholes() {
    let Autoencoder { decoder, .. } = fixture();
    let cancel = CancelToken::new();
    let x = waves(decoder.conv_in.channels()[1], 16, 24);
    let sizes = sizes(&decoder.layers, [16, 24]);
    let size = sizes[decoder.layers.len()];
    let squares = spread(size, 16, 6, 2);
    assert_eq!(squares.len(), 6);
    let parts = |outputs: &[Region]| {
        let mut statistics = Vec::new();
        let mut norms = NormStatistics::Gathered(&mut statistics);
        run(&decoder.layers, &x, &sizes, outputs, &mut norms, &cancel).unwrap()
    };
    let whole = &parts(&[Region::whole(size)])[0];
    for (part, square) in parts(&squares).iter().zip(&squares) {
        let expected = crop(whole, square.from, square.to).unwrap();
        for (a, b) in values(part).iter().zip(values(&expected)) {
            assert!((a - b).abs() < 1e-4, "{square:?}: {a} for {b}");
        }
    }
}

#[test]
fn borders_of_tiles_cannot_be_seen() {
    let Autoencoder { decoder, .. } = fixture();
    let cancel = CancelToken::new();
    let x = waves(decoder.conv_in.channels()[1], 36, 44);
    let sizes = sizes(&decoder.layers, [36, 44]);
    let [height, width] = sizes[decoder.layers.len()];
    // Statistics that are far from the whole's: the middle's.
    let mut statistics = Vec::new();
    let mut norms = NormStatistics::Gathered(&mut statistics);
    run(&decoder.layers, &x, &sizes, &spread([height, width], 16, 1, 2), &mut norms, &cancel).unwrap();
    let tiles = grid([height, width], 16, 2);
    let tiled = assemble(&decoder.layers, &x, &sizes, &tiles, &statistics, &cancel).unwrap();
    let all = [Region::whole([height, width])];
    let whole = run(&decoder.layers, &x, &sizes, &all, &mut NormStatistics::Own, &cancel).unwrap();
    let error: Vec<f32> =
        values(&tiled).iter().zip(values(&whole[0])).map(|(tiled, whole)| (tiled - whole).abs()).collect();
    // How much the error changes from one column to the next, where tiles meet and elsewhere.
    let (mut at_borders, mut elsewhere) = ((0.0, 0), (0.0, 0));
    for (i, pair) in error.windows(2).enumerate().filter(|(i, _)| i % width + 1 < width) {
        let meets = tiles.iter().any(|tile| tile.from[1] == i % width + 1);
        let sum = if meets { &mut at_borders } else { &mut elsewhere };
        *sum = (sum.0 + f64::from((pair[1] - pair[0]).abs()), sum.1 + 1);
    }
    let (at_borders, elsewhere) =
        (at_borders.0 / f64::from(at_borders.1), elsewhere.0 / f64::from(elsewhere.1));
    assert!(elsewhere > 1e-3, "there is no error to look at: {elsewhere:e}");
    assert!(at_borders < 1.5 * elsewhere, "the error jumps by {at_borders:e}, elsewhere by {elsewhere:e}");
}

#[test]
fn a_stop_is_seen_between_tiles() {
    let Autoencoder { decoder, .. } = fixture();
    let x = waves(decoder.conv_in.channels()[1], 16, 16);
    let sizes = sizes(&decoder.layers, [16, 16]);
    let cancel = CancelToken::new();
    cancel.stop();
    let tiles = grid(sizes[decoder.layers.len()], 16, 2);
    let stopped = assemble(&decoder.layers, &x, &sizes, &tiles, &[], &cancel);
    assert!(matches!(stopped, Err(NetworkError::Cancelled)));
}
