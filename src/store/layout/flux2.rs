//! FLUX.2 klein: a transformer in Black Forest Labs' layout, Qwen3 and FLUX.2's VAE, in files of their own.

use serde_json::{Value, json};

use super::super::StoreError;
use super::super::names::{flux2_names, flux2_shape};
use super::Assembled;
use super::part::{self, Part};
use super::sources::PartSources;
use super::z_image::qwen3;
use crate::catalog::PartRole;
use crate::weights::TensorSource;

/// The parts of a model, and what their tensors say of their configurations.
pub(super) fn assemble(sources: &PartSources) -> Result<Assembled, StoreError> {
    let mut model = Assembled::new(sources.origin.clone());
    let damaged =
        |reason: &str| StoreError::Damaged { reason: reason.to_owned(), path: sources.origin.clone() };
    let transformer = transformer(&*sources.own).ok_or_else(|| {
        damaged("it is a FLUX.2 model, and its transformer is not one that this program knows")
    })?;
    if transformer.config["guidance_embeds"] == true {
        let reason =
            "it is FLUX.2 dev, whose text encoder (Mistral Small 3) is not supported; FLUX.2 klein is";
        return Err(damaged(reason));
    }
    let (text, channels) =
        (transformer.config["joint_attention_dim"].clone(), transformer.config["in_channels"].clone());
    model.add("transformer", &sources.own, transformer);
    let what = "Qwen3 text encoder (qwen_3_4b or qwen_3_8b)";
    let (source, qwen) = sources.part(PartRole::TextEncoder(0), what, |source| {
        // The hidden states of three layers are read.
        qwen3(source)
            .filter(|part| part.config["hidden_size"].as_u64().map(|width| 3 * width) == text.as_u64())
    })?;
    model.add("text_encoder", &source, qwen);
    model.add_gguf_tokenizer("tokenizer/tokenizer.json", &*source);
    add_vae(&mut model, sources, &channels)?;
    model.add_json(
        "scheduler/scheduler_config.json",
        &json!({
            "_class_name": "FlowMatchEulerDiscreteScheduler",
            "num_train_timesteps": 1000,
            "shift": 3.0,
            "use_dynamic_shifting": true,
        }),
    );
    // Whether it is distilled is not in the file.
    let index = json!({
        "_class_name": "Flux2KleinPipeline",
        "text_encoder": ["transformers", "Qwen3ForCausalLM"],
        "transformer": ["diffusers", "Flux2Transformer2DModel"],
        "vae": ["diffusers", "AutoencoderKLFlux2"],
    });
    model.add_json("model_index.json", &index);
    Ok(model)
}

/// Adds FLUX.2's autoencoder, which normalises its latents itself, for a transformer with tokens of `channels`.
pub(super) fn add_vae(
    model: &mut Assembled,
    sources: &PartSources,
    channels: &Value,
) -> Result<(), StoreError> {
    let (source, vae) = sources.part(PartRole::Vae, "VAE (flux2-vae.safetensors)", |source| {
        part::vae(source, 1.0, 0.0).filter(|Part { config, .. }| {
            let token = config["latent_channels"].as_u64().map(|channels| 4 * channels);
            config["_class_name"] == "AutoencoderKLFlux2" && token == channels.as_u64()
        })
    })?;
    model.add("vae", &source, vae);
    Ok(())
}

/// The transformer in a file.
pub(super) fn transformer(source: &dyn TensorSource) -> Option<Part> {
    let shape = flux2_shape(source)?;
    let head = shape.head;
    // Time, row, column and text position have as many dimensions.
    let axes = [head / 4; 4];
    let config = json!({
        "_class_name": "Flux2Transformer2DModel",
        "patch_size": 1,
        "in_channels": shape.in_channels,
        "num_layers": shape.double_blocks,
        "num_single_layers": shape.single_blocks,
        "attention_head_dim": head,
        "num_attention_heads": shape.width.checked_div(head)?,
        "joint_attention_dim": shape.text,
        "mlp_ratio": shape.hidden as f64 / shape.width.max(1) as f64,
        "axes_dims_rope": axes,
        "guidance_embeds": shape.guidance,
    });
    Some(Part { names: flux2_names(source, &shape), config })
}
