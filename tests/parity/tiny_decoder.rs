//! Tiny decoders against diffusers' `AutoencoderTiny`, in both layouts, and FLUX.2's variant of the network.

use std::path::Path;

use safelight::models::{ModelSettings, TinyDecoder};
use safelight::networks::backend::{Device, Tensor};
use safelight::networks::tiny_decoder::TinyDecoder as Network;
use safelight::networks::{Parameters, Runtime};
use safelight::request::CancelToken;
use safelight::store::open_tiny_decoder;

use super::common::fixtures::{fixture, tensors};
use super::{close, latent, worst_difference};

/// f32 in another order of summation.
const TINY: f64 = 1e-5;

/// The network's own values, `[1, 3, 8·H, 8·W]`.
fn decoded(file: &Path, latent: &(Vec<usize>, Vec<f32>)) -> Vec<f32> {
    let parameters = Parameters::new(open_tiny_decoder(file).unwrap(), &Runtime::processor(None));
    let network = Network::new(&parameters).unwrap();
    let latent = Tensor::from_slice(&latent.1, &latent.0[..], &Device::Cpu).unwrap();
    let picture = network.forward(&latent, &CancelToken::new()).unwrap();
    picture.to_values().unwrap()
}

#[test]
fn tiny_decoders_are_diffusers() {
    let expected = tensors(&fixture("tiny/expected.safetensors"));
    for (file, name) in
        [("taesd", "taesd"), ("taesd_decoder", "taesd"), ("taef1", "taef1"), ("taef2", "taef2")]
    {
        let path = fixture(&format!("tiny/{file}.safetensors"));
        let (wanted, given) = (&expected[&format!("{name}.picture")], &expected[&format!("{name}.latent")]);
        close(file, &decoded(&path, given), &wanted.1, TINY);
        // As a picture: rows of pixels of bytes.
        let decoder = TinyDecoder::open(&path, ModelSettings::default()).unwrap();
        let picture = decoder.decode(&latent(given), &CancelToken::new()).unwrap();
        let [_, _, height, width] = wanted.0[..] else { panic!("{:?}", wanted.0) };
        assert_eq!((picture.width(), picture.height()), (width, height));
        let plane = width * height;
        let pixels: Vec<f32> = (0..plane)
            .flat_map(|at| [0, 1, 2].map(|colour| wanted.1[colour * plane + at]))
            .map(|value| (value / 2.0 + 0.5).clamp(0.0, 1.0))
            .collect();
        assert!(worst_difference(&picture, &pixels) <= 1, "{file}");
    }
}

#[test]
fn a_decode_is_stopped_between_blocks() {
    let decoder = TinyDecoder::open(&fixture("tiny/taesd.safetensors"), ModelSettings::default()).unwrap();
    let given = latent(&tensors(&fixture("tiny/expected.safetensors"))["taesd.latent"]);
    let cancel = CancelToken::new();
    cancel.stop();
    let stopped = decoder.decode(&given, &cancel);
    assert!(matches!(stopped, Err(safelight::models::ModelError::Cancelled)));
    // Another VAE's latent.
    let error = decoder.decode(
        &latent(&tensors(&fixture("tiny/expected.safetensors"))["taef1.latent"]),
        &CancelToken::new(),
    );
    assert_eq!(
        error.err().unwrap().to_string(),
        "a latent of 16 channels does not fit this tiny decoder, which takes 4"
    );
}
