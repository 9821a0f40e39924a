//! Stable Diffusion 3 and 3.5: a transformer, two CLIP text encoders, optionally T5, and a VAE with 16 latent channels.

use serde_json::{Value, json};

use super::super::StoreError;
use super::super::names::{Sd3Shape, sd3_names, sd3_shape};
use super::Assembled;
use super::flux::t5;
use super::need::{PartKind, PartNeed};
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
    let [clip_need, open_clip_need, t5_need, vae_need] = needs_of(&shape);
    let (source, clip) = sources.part(&clip_need, part::clip)?;
    model.add("text_encoder", &source, clip);
    let (source, clip) = sources.part(&open_clip_need, |source| part::open_clip(source, 0))?;
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
    match sources.part(&t5_need, t5) {
        Ok((source, part)) => {
            model.add("text_encoder_3", &source, part);
            index["text_encoder_3"] = json!(["transformers", "T5EncoderModel"]);
            model.add_gguf_tokenizer("tokenizer_3/tokenizer.json", &*source);
        }
        Err(StoreError::MissingPart { .. }) if t5_need.is_optional => {}
        Err(error) => return Err(error),
    }
    let LatentFormat { scale, shift, .. } = LatentFormat::SD3;
    let (source, vae) = sources.part(&vae_need, |source| part::vae(source, scale, shift))?;
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

/// The parts that a transformer needs: CLIP-L, OpenCLIP bigG, T5, which is optional, and a VAE.
fn needs_of(shape: &Sd3Shape) -> [PartNeed; 4] {
    // The pooled embedding is the concatenation of both CLIP encoders', so the sizes tell them apart.
    let half = shape.pooled / 2;
    let text = |index, what, kind, sizes| PartNeed::of_sizes(PartRole::TextEncoder(index), what, kind, sizes);
    [
        text(0, "CLIP-L text encoder", PartKind::Clip, [0, half]),
        text(1, "OpenCLIP text encoder (clip_g)", PartKind::OpenClip, [half + 1, usize::MAX]),
        text(2, "T5 text encoder", PartKind::T5, [shape.text; 2]).optional(),
        PartNeed::of_size(PartRole::Vae, "VAE", PartKind::Vae, LatentFormat::SD3.channels),
    ]
}

/// What the transformer of a file needs; `None` if it is not one that this program knows.
pub(super) fn needs(source: &dyn TensorSource) -> Option<Vec<PartNeed>> {
    sd3_shape(source).map(|shape| needs_of(&shape).into())
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
