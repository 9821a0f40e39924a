//! Stable Diffusion 3 and 3.5: a transformer, two CLIP text encoders, optionally T5, and a VAE with 16 latent channels.

use serde_json::{Value, json};

use super::super::StoreError;
use super::super::names::{Sd3Shape, sd3_names, sd3_shape};
use super::Assembled;
use super::flux::t5;
use super::part::{self, Part};
use super::sources::PartSources;
use super::stable_diffusion::add_tokenizer;
use crate::catalog::PartRole;
use crate::latent::LatentFormat;
use crate::weights::TensorSource;

/// Channels of an attention head.
const HEAD: usize = 64;

/// Assembles a model. Configurations are derived from the shapes of the tensors.
pub(super) fn assemble(sources: &PartSources) -> Result<Assembled, StoreError> {
    let mut model = Assembled::new(sources.origin.clone());
    let shape = sd3_shape(&*sources.own).ok_or_else(|| StoreError::Damaged {
        reason: "it is a Stable Diffusion 3 model, and its transformer is not one that this program knows"
            .to_owned(),
        path: sources.origin.clone(),
    })?;
    let names = sd3_names(&*sources.own, &shape);
    model.add("transformer", &sources.own, Part { names, config: transformer_config(&shape) });
    // The pooled embedding is the concatenation of both CLIP encoders' (CLIP-L, bigG), so the sizes tell them apart.
    let is_larger =
        |part: &Part| part.config["hidden_size"].as_u64().unwrap_or_default() as usize * 2 > shape.pooled;
    let (source, clip) = sources.part(PartRole::TextEncoder(0), "CLIP-L text encoder", |source| {
        part::clip(source).filter(|part| !is_larger(part))
    })?;
    model.add("text_encoder", &source, clip);
    let (source, clip) =
        sources.part(PartRole::TextEncoder(1), "OpenCLIP text encoder (clip_g)", |source| {
            part::open_clip(source, 0).filter(is_larger)
        })?;
    model.add("text_encoder_2", &source, clip);
    add_tokenizer(&mut model, "tokenizer", false);
    add_tokenizer(&mut model, "tokenizer_2", true);
    let mut index = json!({
        "_class_name": "StableDiffusion3Pipeline",
        "text_encoder": ["transformers", "CLIPTextModelWithProjection"],
        "text_encoder_2": ["transformers", "CLIPTextModelWithProjection"],
        "text_encoder_3": [null, null],
        "transformer": ["diffusers", "SD3Transformer2DModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    });
    // T5 is optional.
    let third = sources.part(PartRole::TextEncoder(2), "T5 text encoder", |source| {
        t5(source).filter(|part| part.config["d_model"] == shape.text)
    });
    match third {
        Ok((source, part)) => {
            model.add("text_encoder_3", &source, part);
            index["text_encoder_3"] = json!(["transformers", "T5EncoderModel"]);
            model.add_gguf_tokenizer("tokenizer_3/tokenizer.json", &*source);
        }
        Err(StoreError::MissingPart { .. }) => {}
        Err(error) => return Err(error),
    }
    let LatentFormat { scale, shift, channels, .. } = LatentFormat::SD3;
    let (source, vae) = sources.part(PartRole::Vae, "VAE", |source| {
        part::vae(source, scale, shift).filter(|part| part.config["latent_channels"] == channels)
    })?;
    model.add("vae", &source, vae);
    let scheduler = json!({
        "_class_name": "FlowMatchEulerDiscreteScheduler",
        "num_train_timesteps": 1000,
        "shift": 3.0,
    });
    model.add_json("scheduler/scheduler_config.json", &scheduler);
    model.add_json("model_index.json", &index);
    Ok(model)
}

/// The transformer in a file; `None` if there is none.
pub(super) fn transformer(source: &dyn TensorSource) -> Option<Part> {
    let shape = sd3_shape(source)?;
    Some(Part { names: sd3_names(source, &shape), config: transformer_config(&shape) })
}

fn transformer_config(shape: &Sd3Shape) -> Value {
    json!({
        "_class_name": "SD3Transformer2DModel",
        "attention_head_dim": HEAD,
        "num_attention_heads": shape.width / HEAD,
        "caption_projection_dim": shape.width,
        "dual_attention_layers": shape.dual,
        "in_channels": shape.channels,
        "out_channels": shape.channels,
        "joint_attention_dim": shape.text,
        "num_layers": shape.blocks,
        "patch_size": shape.patch,
        "pooled_projection_dim": shape.pooled,
        "pos_embed_max_size": shape.positions,
        "qk_norm": shape.norms.then_some("rms_norm"),
        "sample_size": 128,
    })
}
