//! Settings and files of pictures.

use safelight::catalog::ImageSize;
use safelight::formats::metadata::GenerationFacts;
use safelight::request::Seed;

/// Settings as this program writes them, with a value in most fields.
pub(crate) fn facts() -> GenerationFacts {
    GenerationFacts {
        prompt: Some("a red fox, “golden hour”\nin fresh snow".into()),
        negative_prompt: Some("blurry".into()),
        steps: Some(20),
        sampler: Some("DPM++ 2M".into()),
        schedule: Some("Trailing".into()),
        guidance_scale: Some(6.5),
        seed: Some(Seed(1234)),
        size: Some(ImageSize::new(16, 8)),
        model: Some("Built-in".into()),
        denoising_strength: None,
        clip_skip: None,
        version: Some("Safelight 0.1.0".into()),
        other: vec![("RNG".into(), "CPU".into())],
    }
}

/// A PNG of 4×4 pixels of one colour with an ICC profile.
pub(crate) fn png_with_profile(profile: Vec<u8>) -> Vec<u8> {
    let mut png = Vec::new();
    let mut encoder = image::codecs::png::PngEncoder::new(&mut png);
    image::ImageEncoder::set_icc_profile(&mut encoder, profile).unwrap();
    let pixels = [200, 100, 50].repeat(16);
    image::ImageEncoder::write_image(encoder, &pixels, 4, 4, image::ExtendedColorType::Rgb8).unwrap();
    png
}
