//! Small models in diffusers' layout: the fixtures, copies of them that a test may change, and their loading.

use std::path::Path;

use safelight::catalog::ModelSource;
use safelight::latent::LatentShape;
use safelight::models::{LatentDiffusionModel, ModelSettings, load, profile};
use safelight::networks::autoencoder::{Autoencoder, AutoencoderConfig};
use safelight::networks::{Parameters, Runtime};
use safelight::request::{CancelToken, DeviceChoice};
use safelight::weights::open_weights;

use super::fixtures::{fixture, root};

/// Copies a folder recursively. The target is created if it does not exist.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path()) {
        let target = to.join(entry.file_name().unwrap());
        if entry.is_dir() {
            copy_folder(&entry, &target);
        } else {
            std::fs::copy(&entry, &target).unwrap();
        }
    }
}

/// A copy of a fixture's model that a test may change.
pub(crate) fn copied_model(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy_folder(&fixture(name), folder.path());
    folder
}

/// The model of a fixture.
pub(crate) fn fixture_model(name: &str) -> ModelSource {
    ModelSource::Folder(fixture(name))
}

/// The model of a folder, such as a copy.
pub(crate) fn model_in(folder: &tempfile::TempDir) -> ModelSource {
    ModelSource::Folder(folder.path().to_owned())
}

/// Loads a model on the CPU.
pub(crate) fn loaded(source: &ModelSource) -> Box<dyn LatentDiffusionModel> {
    let settings = ModelSettings { device: DeviceChoice::Cpu, ..ModelSettings::default() };
    load(source, settings, &mut |_, _, _| {}, &CancelToken::new()).unwrap()
}

/// Width and height of the pictures that the built-in model draws unless it is told, pixels.
pub(crate) fn builtin_size() -> (u32, u32) {
    let size = profile(&ModelSource::Builtin).unwrap().defaults.size;
    (size.width as u32, size.height as u32)
}

/// The shape of the built-in model's latents of that size.
pub(crate) fn builtin_latent() -> LatentShape {
    let (width, height) = builtin_size();
    LatentShape::new(4, height as usize / 8, width as usize / 8)
}

/// The autoencoder of the built-in model.
pub(crate) fn builtin_autoencoder() -> Autoencoder {
    let folder = root().join("assets/builtin-model/model/vae");
    let config = std::fs::read_to_string(folder.join("config.json")).unwrap();
    let config: AutoencoderConfig = serde_json::from_str(&config).unwrap();
    let weights = open_weights(&folder.join("diffusion_pytorch_model.safetensors")).unwrap();
    let vb = Parameters::new(weights, &Runtime::processor(None));
    Autoencoder::new(&vb, &config).unwrap()
}
