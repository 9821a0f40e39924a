//! The peak memory of encoding and decoding, measured by the allocator.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic and print")]

#[path = "common/mod.rs"]
mod common;
#[path = "common/peak_memory.rs"]
mod peak_memory;

use safelight::networks::autoencoder::MemoryLimits;
use safelight::networks::backend::{Device, Tensor};
use safelight::request::CancelToken;

use common::model_folders::builtin_autoencoder;

/// The peak memory of `work`, bytes.
fn peak<T>(work: impl FnOnce() -> T) -> f64 {
    peak_memory::start();
    work();
    peak_memory::peak() as f64
}

/// Bytes of the buffers of the kernels, which the estimate does not include.
const BUFFERS: f64 = 8e6;

// The only test of this program, since the allocator counts every thread.
#[test]
fn memory_is_what_was_estimated_and_bounded_in_tiles() {
    let vae = builtin_autoencoder();
    let cancel = CancelToken::new();
    let latent = |height, width| {
        let values: Vec<f32> = (0..4 * height * width).map(|i| (i as f32 * 0.37).sin()).collect();
        Tensor::from_vec(values, (1, 4, height, width), &Device::Cpu).unwrap()
    };
    let picture = Tensor::from_vec(vec![0.25_f32; 3 * 320 * 320], (1, 3, 320, 320), &Device::Cpu).unwrap();
    let decode = |z: &Tensor, limits| peak(|| vae.decode(z, limits, &cancel).unwrap());
    let encode = |limits| peak(|| vae.encode(&picture, limits, &cancel).unwrap());
    // The first pass allocates the packed weights and the buffers of the kernels.
    let z = latent(40, 40);
    decode(&z, MemoryLimits::UNLIMITED);
    encode(MemoryLimits::UNLIMITED);

    let (decoding, encoding) = (decode(&z, MemoryLimits::UNLIMITED), encode(MemoryLimits::UNLIMITED));
    println!("whole: decode {:.0} MB, encode {:.0} MB", decoding / 1e6, encoding / 1e6);
    // 3 maps of 32 channels.
    assert!(decoding > 36e6 && encoding > 36e6);
    let limits = |bytes: f64| MemoryLimits { whole: bytes as u64, tile: bytes as u64 / 4 };
    for (whole, run) in [(decoding, &(|l| decode(&z, l)) as &dyn Fn(_) -> f64), (encoding, &encode)] {
        let as_it_fits = run(limits(1.2 * whole));
        assert!(as_it_fits > 0.95 * whole, "{:.0} MB: what fits runs whole", as_it_fits / 1e6);
        let in_tiles = run(limits(0.8 * whole));
        assert!(in_tiles < 0.8 * whole, "{:.0} MB in tiles, {:.0} MB whole", in_tiles / 1e6, whole / 1e6);
    }

    let tile = 6e6;
    for (height, width) in [(40, 40), (56, 80)] {
        let result = (height * width * 64 * 3 * 4) as f64;
        let held = decode(&latent(height, width), limits(4.0 * tile));
        // The middle block is not tiled: 7 maps of 128 channels. Layers that take no more are not tiled either.
        let whole_part = tile.max((7 * 128 * height * width * 4) as f64);
        println!("{height}×{width} in tiles: {:.0} MB", held / 1e6);
        // The input of the tiles, one tile, and the result.
        assert!(held < whole_part + tile + result + BUFFERS, "{:.0} MB for {height}×{width}", held / 1e6);
    }
}
