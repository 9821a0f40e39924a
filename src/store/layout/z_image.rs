//! Z-Image: a transformer, Qwen3 and FLUX's VAE, in separate files.

use serde_json::{Value, json};

use super::super::StoreError;
use super::super::names::{Names, count, qwen3_names, z_image_names, z_image_prefix};
use super::Assembled;
use super::flux::{flux_vae, flux_vae_need};
use super::need::{PartKind, PartNeed};
use super::part::Part;
use super::sources::PartSources;
use crate::catalog::PartRole;
use crate::weights::TensorSource;

/// Channels of each axis of the rotary position embedding, for a head of 128: time, rows, columns.
const AXES: [usize; 3] = [32, 48, 48];

/// Assembles a model. Configurations are derived from the shapes of the tensors.
pub(super) fn assemble(sources: &PartSources) -> Result<Assembled, StoreError> {
    let mut model = Assembled::new(sources.origin.clone());
    let transformer = transformer(&*sources.own).ok_or_else(|| StoreError::Damaged {
        reason: "it is a Z-Image model, and its transformer is not one that this program knows".to_owned(),
        path: sources.origin.clone(),
    })?;
    let [qwen_need, vae_need] = needs_of(&transformer);
    model.add("transformer", &sources.own, transformer);
    let (source, qwen) = sources.part(&qwen_need, qwen3)?;
    model.add("text_encoder", &source, qwen);
    model.add_gguf_tokenizer("tokenizer/tokenizer.json", &*source);
    let (source, vae) = sources.part(&vae_need, flux_vae)?;
    model.add("vae", &source, vae);
    model.add_json(
        "scheduler/scheduler_config.json",
        &json!({
            "_class_name": "FlowMatchEulerDiscreteScheduler",
            "num_train_timesteps": 1000,
            "shift": 3.0,
            "use_dynamic_shifting": false,
        }),
    );
    let index = json!({
        "_class_name": "ZImagePipeline",
        "text_encoder": ["transformers", "Qwen3Model"],
        "transformer": ["diffusers", "ZImageTransformer2DModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    });
    model.add_json("model_index.json", &index);
    Ok(model)
}

/// The parts that a transformer needs: Qwen3 and FLUX.1's VAE.
fn needs_of(transformer: &Part) -> [PartNeed; 2] {
    let size = transformer.config["cap_feat_dim"].as_u64().unwrap_or_default() as usize;
    let what = "Qwen3 text encoder (qwen_3_4b)";
    [PartNeed::of_size(PartRole::TextEncoder(0), what, PartKind::Qwen3, size), flux_vae_need()]
}

/// What the transformer of a file needs; `None` if it is not one that this program knows.
pub(super) fn needs(source: &dyn TensorSource) -> Option<Vec<PartNeed>> {
    transformer(source).map(|transformer| needs_of(&transformer).into())
}

/// The transformer in a file; `None` if there is none.
pub(super) fn transformer(source: &dyn TensorSource) -> Option<Part> {
    let prefix = z_image_prefix(source);
    let edge = |name: &str, axis: usize| source.info(&format!("{prefix}{name}"))?.shape.get(axis).copied();
    let width = edge("cap_embedder.1.weight", 0)?;
    let head = edge("layers.0.attention.q_norm.weight", 0)?;
    let blocks = |kind: &str| count(|i| edge(&format!("{kind}.{i}.attention.out.weight"), 0).is_some());
    let config = json!({
        "_class_name": "ZImageTransformer2DModel",
        "all_patch_size": [2],
        "all_f_patch_size": [1],
        // A token is a patch of 2×2 latent pixels.
        "in_channels": edge("x_embedder.weight", 1)? / 4,
        "dim": width,
        "n_layers": blocks("layers"),
        "n_refiner_layers": blocks("noise_refiner"),
        "n_heads": width.checked_div(head)?,
        "n_kv_heads": width.checked_div(head)?,
        "norm_eps": 1e-5,
        "qk_norm": true,
        "cap_feat_dim": edge("cap_embedder.1.weight", 1)?,
        "rope_theta": 256.0,
        "t_scale": 1000.0,
        "axes_dims": AXES,
        "axes_lens": [1536, 512, 512],
    });
    Some(Part { names: z_image_names(source), config })
}

/// A Qwen3 model in a file; `None` if there is none.
pub(super) fn qwen3(source: &dyn TensorSource) -> Option<Part> {
    let names: Names = qwen3_names(source)?;
    let shape = |name: &str| source.info(names.get(name)?.name()).map(|info| info.shape);
    let edge = |name: &str, axis: usize| shape(name)?.get(axis).copied();
    let layer = |name: &str| edge(&format!("model.layers.0.{name}.weight"), 0);
    let head = layer("self_attn.q_norm")?;
    let config: Value = json!({
        "model_type": "qwen3",
        "vocab_size": edge("model.embed_tokens.weight", 0)?,
        "hidden_size": edge("model.embed_tokens.weight", 1)?,
        "intermediate_size": layer("mlp.gate_proj")?,
        "num_hidden_layers": count(|i| shape(&format!("model.layers.{i}.self_attn.q_proj.weight")).is_some()),
        "num_attention_heads": layer("self_attn.q_proj")?.checked_div(head)?,
        "num_key_value_heads": layer("self_attn.k_proj")?.checked_div(head)?,
        "head_dim": head,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1e6,
        "hidden_act": "silu",
    });
    Some(Part { names, config })
}
