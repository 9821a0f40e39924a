//! Parts shared by several families, in any layout: text encoders and autoencoders.

use serde_json::{Value, json};

use super::super::names::{Names, count, open_clip_layers, open_clip_names, under_prefix, vae_names};
use crate::weights::TensorSource;

/// The class of FLUX.2's autoencoder, which normalises its latents in patches.
pub(super) const PATCH_VAE: &str = "AutoencoderKLFlux2";
/// Channels of an attention head in CLIP text encoders.
const HEAD: usize = 64;

/// A part's tensors under diffusers' names, and its configuration.
pub(super) struct Part {
    pub(super) names: Names,
    pub(super) config: Value,
}

/// Possible prefixes of a CLIP text encoder in transformers' layout.
const CLIP: [&str; 5] = [
    "cond_stage_model.transformer.",
    "conditioner.embedders.0.transformer.",
    "text_encoders.clip_l.transformer.",
    "text_encoders.clip_l.",
    "",
];
/// Possible prefixes of a text encoder in OpenCLIP's layout.
const OPEN_CLIP: [&str; 3] = ["cond_stage_model.model.", "conditioner.embedders.1.model.", ""];
/// Possible prefixes of OpenCLIP bigG in transformers' layout.
const LARGE_CLIP: [&str; 3] = ["text_encoders.clip_g.transformer.", "text_encoders.clip_g.", ""];
/// Possible prefixes of an autoencoder.
const VAE: [&str; 3] = ["first_stage_model.", "vae.", ""];

/// A CLIP text encoder such as OpenAI's CLIP-L; `None` if there is none.
pub(super) fn clip(source: &dyn TensorSource) -> Option<Part> {
    CLIP.iter().find_map(|prefix| in_transformers_layout(source, prefix, "quick_gelu"))
}

/// An OpenCLIP text encoder without its last `skipped_layers` layers; `None` if there is none.
pub(super) fn open_clip(source: &dyn TensorSource, skipped_layers: usize) -> Option<Part> {
    let own = OPEN_CLIP.iter().find_map(|prefix| in_open_clip_layout(source, prefix, skipped_layers));
    own.or_else(|| LARGE_CLIP.iter().find_map(|prefix| in_transformers_layout(source, prefix, "gelu")))
}

fn in_transformers_layout(source: &dyn TensorSource, prefix: &str, activation: &str) -> Option<Part> {
    let names = under_prefix(source, prefix);
    let shape = |name: &str| {
        let origin = names.get(&format!("text_model.{name}")).or_else(|| names.get(name))?;
        source.info(origin.name()).map(|info| info.shape)
    };
    let table = shape("embeddings.token_embedding.weight")?;
    let (rows, width) = (*table.first()?, *table.get(1)?);
    let layers = count(|i| shape(&format!("encoder.layers.{i}.layer_norm1.weight")).is_some());
    let projection = names.get("text_projection.weight").and_then(|origin| source.info(origin.name()));
    let config = json!({
        "vocab_size": rows,
        "hidden_size": width,
        "intermediate_size": shape("encoder.layers.0.mlp.fc1.weight")?.first()?,
        "num_hidden_layers": layers,
        "num_attention_heads": (width / HEAD).max(1),
        "max_position_embeddings": shape("embeddings.position_embedding.weight")?.first()?,
        "hidden_act": activation,
        "projection_dim": projection.and_then(|info| info.shape.first().copied()).unwrap_or(width),
    });
    Some(Part { names, config })
}

fn in_open_clip_layout(source: &dyn TensorSource, prefix: &str, skipped_layers: usize) -> Option<Part> {
    let shape = |name: &str| source.info(&format!("{prefix}{name}")).map(|info| info.shape);
    let table = shape("token_embedding.weight")?;
    let (rows, width) = (*table.first()?, *table.get(1)?);
    let layers = open_clip_layers(source, prefix).saturating_sub(skipped_layers);
    let projection = shape("text_projection").and_then(|shape| shape.get(1).copied());
    let config = json!({
        "vocab_size": rows,
        "hidden_size": width,
        "intermediate_size": shape("transformer.resblocks.0.mlp.c_fc.weight")?.first()?,
        "num_hidden_layers": layers,
        "num_attention_heads": (width / HEAD).max(1),
        "max_position_embeddings": shape("positional_embedding")?.first()?,
        "hidden_act": "gelu",
        "projection_dim": projection.unwrap_or(width),
    });
    Some(Part { names: open_clip_names(source, prefix, layers), config })
}

/// An autoencoder in CompVis' or diffusers' layout; `scale` and `shift` go into its configuration. `None` if there is
/// none.
pub(super) fn vae(source: &dyn TensorSource, scale: f64, shift: f64) -> Option<Part> {
    let has = |name: String| source.info(&name).is_some();
    let prefix = VAE.iter().find(|prefix| has(format!("{prefix}decoder.conv_in.weight")))?;
    let shape = |name: &str| source.info(&format!("{prefix}{name}")).map(|info| info.shape);
    let is_diffusers = has(format!("{prefix}encoder.down_blocks.0.resnets.0.conv1.weight"));
    let block = |level: usize, layer: usize| {
        shape(&if is_diffusers {
            format!("encoder.down_blocks.{level}.resnets.{layer}.conv1.weight")
        } else {
            format!("encoder.down.{level}.block.{layer}.conv1.weight")
        })
    };
    let channels: Vec<usize> = (0..).map_while(|level| block(level, 0)?.first().copied()).collect();
    let decoder_channels = (0..channels.len()).map(|level| {
        let name = if is_diffusers {
            format!("decoder.up_blocks.{}.resnets.0.conv1.weight", channels.len() - 1 - level)
        } else {
            format!("decoder.up.{level}.block.0.conv1.weight")
        };
        shape(&name)?.first().copied()
    });
    let decoder_channels: Option<Vec<usize>> = decoder_channels.collect();
    let quant =
        |inside: &str, name: &str| shape(name).or_else(|| shape(&format!("{inside}.{name}"))).is_some();
    let normalises_patches = shape("bn.running_mean").is_some();
    let config = json!({
        "_class_name": if normalises_patches { PATCH_VAE } else { "AutoencoderKL" },
        "latent_channels": shape("decoder.conv_in.weight")?.get(1)?,
        "block_out_channels": channels,
        "decoder_block_out_channels": decoder_channels,
        "layers_per_block": count(|layer| block(0, layer).is_some()),
        "use_quant_conv": quant("encoder", "quant_conv.weight"),
        "use_post_quant_conv": quant("decoder", "post_quant_conv.weight"),
        "scaling_factor": scale,
        "shift_factor": shift,
    });
    let names = if is_diffusers { under_prefix(source, prefix) } else { vae_names(source, prefix) };
    Some(Part { names, config })
}
