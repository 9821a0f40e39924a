//! Scans of made-up folders of all programs, on good days and bad ones.

mod bad_days;
mod changes;
mod layouts;
mod speed;

use std::fmt::Write as _;
use std::io::{Seek as _, Write as _};

use super::*;

/// A made-up machine: a home folder with this program's places in it.
struct Machine {
    root: tempfile::TempDir,
}

/// Tensors by name and shape.
type Tensors<'a> = &'a [(&'a str, &'a [usize])];

const LORA_XL: Tensors<'_> =
    &[("lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight", &[4, 2048])];
const TINY: Tensors<'_> = &[("1.weight", &[64, 4, 3, 3]), ("3.conv.0.weight", &[64, 64, 3, 3])];
const UPSCALER: Tensors<'_> =
    &[("conv_first.weight", &[64, 3, 3, 3]), ("body.0.rdb1.conv1.weight", &[32, 64, 3, 3])];
const CONTROL: Tensors<'_> =
    &[("control_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight", &[320, 768])];
const EMBEDDING: Tensors<'_> = &[("emb_params", &[3, 768])];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// The header of a safetensors file of f16 values, and the bytes of the values.
fn header(tensors: Tensors<'_>) -> (Vec<u8>, u64) {
    let (mut json, mut at) = (String::from("{"), 0);
    for (name, shape) in tensors {
        let to = at + 2 * shape.iter().product::<usize>();
        let comma = if at == 0 { "" } else { "," };
        write!(
            json,
            "{comma}\"{name}\":{{\"dtype\":\"F16\",\"shape\":{shape:?},\"data_offsets\":[{at},{to}]}}"
        )
        .unwrap();
        at = to;
    }
    json.push('}');
    ([&(json.len() as u64).to_le_bytes()[..], json.as_bytes()].concat(), at as u64)
}

/// Writes a safetensors file of zeros, which take no room on the disk.
fn write_weights(path: &Path, tensors: Tensors<'_>) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let (header, bytes) = header(tensors);
    let mut file = std::fs::File::create(path).unwrap();
    file.write_all(&header).unwrap();
    let len = file.stream_position().unwrap() + bytes;
    file.set_len(len).unwrap();
}

fn copy(from: &str, to: &Path) {
    let from = fixture(from);
    if from.is_dir() {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(&from).unwrap().map(|entry| entry.unwrap().file_name()) {
            let name = entry.to_str().unwrap();
            copy(from.join(name).to_str().unwrap(), &to.join(name));
        }
    } else {
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(&from, to).unwrap();
    }
}

impl Machine {
    fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn library(&self) -> Library {
        let paths = LibraryPaths {
            models: self.path("data/models"),
            config: self.path("config/library.json"),
            cache: self.path("cache/library.json"),
        };
        let environment = Environment { home: Some(self.path("home")), ..Environment::default() };
        Library::new(paths, environment)
    }

    fn add(&self, folder: &str) {
        let folder = self.path(folder);
        LibraryConfig::edit(&self.path("config/library.json"), |config| {
            config.folders.push(folder);
            true
        })
        .unwrap();
    }

    fn scanned(&self) -> Library {
        let mut library = self.library();
        library.scan(false, &CancelToken::new(), &|_| {});
        assert!(library.is_complete);
        library
    }

    /// FLUX.1's parts as ComfyUI keeps them.
    fn write_flux(&self, models: &str) {
        let models = self.path(models);
        copy("single/flux_transformer.gguf", &models.join("unet/flux1-small.gguf"));
        copy("flux/text_encoder/model.safetensors", &models.join("clip/clip_l.safetensors"));
        copy("flux/text_encoder_2/model.safetensors", &models.join("text_encoders/a_t5.safetensors"));
        copy("single/t5.gguf", &models.join("text_encoders/t5xxl.gguf"));
        copy("flux/vae/diffusion_pytorch_model.safetensors", &models.join("vae/ae.safetensors"));
    }
}

/// Names with kinds and the first family.
fn listed(library: &Library) -> Vec<(&str, &str, &str)> {
    library
        .entries
        .iter()
        .map(|entry| {
            let family = entry.facts.families.first().map_or("", |family| family.id());
            (entry.name.as_str(), entry.facts.kind.id(), family)
        })
        .collect()
}
