//! FLUX.1 with made-up weights in the files that people have: a transformer in Black Forest Labs' layout, with text encoders
//! and a VAE beside it. Heads and vocabulary are those of the released model, so that the files alone say all; widths are
//! small.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, TensorView, serialize_to_file};

use super::fixtures::fixture;
use super::numbers::made_up;

/// Width of the transformer: one head of the released model.
const WIDTH: usize = 128;
/// Widths of T5's and CLIP's states.
const T5: usize = 16;
const CLIP: usize = 8;
/// Channels of the VAE's levels: the norms have 32 groups.
const VAE: usize = 32;

/// Tensors by name.
#[derive(Default)]
struct File(BTreeMap<String, Vec<usize>>);

impl File {
    /// A weight and its bias of `rows`.
    fn both(&mut self, name: &str, weight: &[usize]) {
        self.0.insert(format!("{name}.weight"), weight.to_vec());
        self.0.insert(format!("{name}.bias"), weight[..1].to_vec());
    }

    fn one(&mut self, name: &str, shape: &[usize]) {
        self.0.insert(name.to_owned(), shape.to_vec());
    }

    /// Writes small made-up values.
    fn write(self, path: &Path) {
        let values = |(index, (name, shape)): (usize, (String, Vec<usize>))| {
            let values = made_up(shape.iter().product(), index as u32);
            let bytes: Vec<u8> = values.iter().flat_map(|value| (value * 0.2).to_le_bytes()).collect();
            (name, shape, bytes)
        };
        let tensors: Vec<_> = self.0.into_iter().enumerate().map(values).collect();
        let views = tensors
            .iter()
            .map(|(name, shape, bytes)| (name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        serialize_to_file(views, None, path).unwrap();
    }
}

/// Writes the files as ComfyUI keeps them; gives the transformer's.
pub(crate) fn write_flux(folder: &Path) -> PathBuf {
    let transformer = folder.join("diffusion_models/flux1-small.safetensors");
    transformer_file().write(&transformer);
    clip_file().write(&folder.join("text_encoders/clip_l.safetensors"));
    vae_file().write(&folder.join("vae/ae.safetensors"));
    // With its tokenizer inside.
    std::fs::copy(fixture("single/t5.gguf"), folder.join("text_encoders/t5xxl.gguf")).unwrap();
    transformer
}

fn transformer_file() -> File {
    let mut file = File::default();
    file.both("img_in", &[WIDTH, 64]);
    file.both("txt_in", &[WIDTH, T5]);
    for (name, width) in [("time_in", 256), ("vector_in", CLIP)] {
        file.both(&format!("{name}.in_layer"), &[WIDTH, width]);
        file.both(&format!("{name}.out_layer"), &[WIDTH, WIDTH]);
    }
    for stream in ["img", "txt"] {
        let name = |part: &str| format!("double_blocks.0.{stream}_{part}");
        file.both(&name("mod.lin"), &[6 * WIDTH, WIDTH]);
        file.both(&name("attn.qkv"), &[3 * WIDTH, WIDTH]);
        file.both(&name("attn.proj"), &[WIDTH, WIDTH]);
        file.both(&name("mlp.0"), &[4 * WIDTH, WIDTH]);
        file.both(&name("mlp.2"), &[WIDTH, 4 * WIDTH]);
        file.one(&name("attn.norm.query_norm.scale"), &[WIDTH]);
        file.one(&name("attn.norm.key_norm.scale"), &[WIDTH]);
    }
    file.both("single_blocks.0.modulation.lin", &[3 * WIDTH, WIDTH]);
    file.both("single_blocks.0.linear1", &[7 * WIDTH, WIDTH]);
    file.both("single_blocks.0.linear2", &[WIDTH, 5 * WIDTH]);
    file.one("single_blocks.0.norm.query_norm.scale", &[WIDTH]);
    file.one("single_blocks.0.norm.key_norm.scale", &[WIDTH]);
    file.both("final_layer.linear", &[64, WIDTH]);
    file.both("final_layer.adaLN_modulation.1", &[2 * WIDTH, WIDTH]);
    file
}

fn clip_file() -> File {
    let mut file = File::default();
    file.one("text_model.embeddings.token_embedding.weight", &[49408, CLIP]);
    file.one("text_model.embeddings.position_embedding.weight", &[77, CLIP]);
    let layer = "text_model.encoder.layers.0";
    for name in ["layer_norm1", "layer_norm2"] {
        file.both(&format!("{layer}.{name}"), &[CLIP]);
    }
    for name in ["q_proj", "k_proj", "v_proj", "out_proj"] {
        file.both(&format!("{layer}.self_attn.{name}"), &[CLIP, CLIP]);
    }
    file.both(&format!("{layer}.mlp.fc1"), &[4 * CLIP, CLIP]);
    file.both(&format!("{layer}.mlp.fc2"), &[CLIP, 4 * CLIP]);
    file.both("text_model.final_layer_norm", &[CLIP]);
    file
}

/// Two levels of one block each, in CompVis' layout, without the convolutions around the latent.
fn vae_file() -> File {
    let mut file = File::default();
    let resnet = |file: &mut File, name: &str| {
        for part in ["norm1", "norm2"] {
            file.both(&format!("{name}.{part}"), &[VAE]);
        }
        for part in ["conv1", "conv2"] {
            file.both(&format!("{name}.{part}"), &[VAE, VAE, 3, 3]);
        }
    };
    for (half, inputs, outputs) in [("encoder", 3, 32), ("decoder", 16, 3)] {
        file.both(&format!("{half}.conv_in"), &[VAE, inputs, 3, 3]);
        for block in ["block_1", "block_2"] {
            resnet(&mut file, &format!("{half}.mid.{block}"));
        }
        file.both(&format!("{half}.mid.attn_1.norm"), &[VAE]);
        for part in ["q", "k", "v", "proj_out"] {
            file.both(&format!("{half}.mid.attn_1.{part}"), &[VAE, VAE, 1, 1]);
        }
        file.both(&format!("{half}.norm_out"), &[VAE]);
        file.both(&format!("{half}.conv_out"), &[outputs, VAE, 3, 3]);
    }
    for level in 0..2 {
        resnet(&mut file, &format!("encoder.down.{level}.block.0"));
        for block in 0..2 {
            resnet(&mut file, &format!("decoder.up.{level}.block.{block}"));
        }
    }
    file.both("encoder.down.0.downsample.conv", &[VAE, VAE, 3, 3]);
    file.both("decoder.up.1.upsample.conv", &[VAE, VAE, 3, 3]);
    file
}
