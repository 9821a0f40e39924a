//! Pictures, latents and settings in files of other programs and of this one.
//!
//! `tests/fixtures/make_files.py` writes the fixtures and figures.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod animations;
#[path = "../common/mod.rs"]
mod common;
mod latents;
mod metrics;
mod pictures_read;
mod pictures_written;
mod settings_in_pictures;
mod settings_of_programs;

use safelight::formats::picture::{ReadOptions, read_picture};
use safelight::latent::{Latent, LatentShape};
use safelight::request::Picture;

use common::fixtures::{file, json};

fn figures() -> serde_json::Value {
    json(&file("figures.json"))
}

/// The fixtures' picture: red is 15 times the column, green 30 times the row, blue 40.
fn ramp() -> Picture {
    let rgb = (0..8u8).flat_map(|y| (0..16u8).flat_map(move |x| [x * 15, y * 30, 40]));
    Picture::new(16, 8, rgb.collect::<Vec<_>>()).unwrap()
}

/// The fixtures' latent: channel + row / 8 + column / 64.
fn latent() -> Latent {
    let shape = LatentShape::new(4, 4, 8);
    let value = |i: usize| (i / 32) as f32 + (i / 8 % 4) as f32 / 8.0 + (i % 8) as f32 / 64.0;
    Latent::new(shape, (0..shape.len()).map(value).collect::<Vec<_>>()).unwrap()
}

fn read(name: &str) -> Picture {
    read_picture(&file(name), &ReadOptions::default()).unwrap_or_else(|e| panic!("{name}: {e}")).picture
}
