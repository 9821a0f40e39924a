//! FLUX.2 klein: a transformer in Black Forest Labs' layout, Qwen3 and FLUX.2's VAE, in files of their own.

use serde_json::{Value, json};

use super::super::StoreError;
use super::super::names::{flux2_names, flux2_shape};
use super::Assembled;
use super::need::{PartKind, PartNeed};
use super::part::{self, PATCH_VAE, Part};
use super::sources::PartSources;
use super::z_image::qwen3;
use crate::catalog::PartRole;
use crate::weights::TensorSource;

/// Layers of the text encoder whose hidden states are read.
const TEXT_LAYERS: usize = 3;

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
    let [qwen_need, vae_need] = needs_of(&transformer);
    model.add("transformer", &sources.own, transformer);
    let (source, qwen) = sources.part(&qwen_need, qwen3)?;
    model.add("text_encoder", &source, qwen);
    model.add_gguf_tokenizer("tokenizer/tokenizer.json", &*source);
    add_vae(&mut model, sources, &vae_need)?;
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
        "vae": ["diffusers", PATCH_VAE],
    });
    model.add_json("model_index.json", &index);
    Ok(model)
}

/// The parts that a transformer needs: Qwen3 and a VAE.
fn needs_of(transformer: &Part) -> [PartNeed; 2] {
    let what = "Qwen3 text encoder (qwen_3_4b or qwen_3_8b)";
    let size = number(&transformer.config["joint_attention_dim"]) / TEXT_LAYERS;
    let qwen = PartNeed::of_size(PartRole::TextEncoder(0), what, PartKind::Qwen3, size);
    [qwen, vae_need(&transformer.config)]
}

/// What the transformer of a file needs; `None` if it is not one that this program knows, or FLUX.2 dev's.
pub(super) fn needs(source: &dyn TensorSource) -> Option<Vec<PartNeed>> {
    let transformer = transformer(source).filter(|part| part.config["guidance_embeds"] != true)?;
    Some(needs_of(&transformer).into())
}

/// FLUX.2's autoencoder for a transformer of this configuration, whose tokens are 2×2 patches of the latent.
pub(super) fn vae_need(transformer: &Value) -> PartNeed {
    let channels = number(&transformer["in_channels"]) / 4;
    PartNeed::of_size(PartRole::Vae, "VAE (flux2-vae.safetensors)", PartKind::PatchVae, channels)
}

/// A number of a configuration; 0 if it has none.
pub(super) fn number(value: &Value) -> usize {
    value.as_u64().unwrap_or_default() as usize
}

/// Adds FLUX.2's autoencoder, which normalises its latents itself.
pub(super) fn add_vae(
    model: &mut Assembled,
    sources: &PartSources,
    need: &PartNeed,
) -> Result<(), StoreError> {
    let (source, vae) = sources.part(need, |source| part::vae(source, 1.0, 0.0))?;
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
