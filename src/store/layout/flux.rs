//! FLUX.1 and Chroma in one or several files: a transformer in Black Forest Labs' layout, CLIP (FLUX.1 only) and T5
//! text encoders, and a VAE.

use serde_json::{Value, json};

use super::super::StoreError;
use super::super::names::{FluxShape, Names, flux_names, flux_shape, t5_names};
use super::Assembled;
use super::need::{PartKind, PartNeed};
use super::part::{self, Part};
use super::sources::PartSources;
use super::stable_diffusion::add_tokenizer;
use crate::catalog::PartRole;
use crate::latent::LatentFormat;
use crate::weights::TensorSource;

/// Number of latent channels of the VAE.
const LATENT_CHANNELS: usize = 16;

/// Assembles a model. Configurations are derived from the shapes of the tensors.
pub(super) fn assemble(sources: &PartSources) -> Result<Assembled, StoreError> {
    let mut model = Assembled::new(sources.origin.clone());
    let shape = flux_shape(&*sources.own).ok_or_else(|| StoreError::Damaged {
        reason: "it is a model like FLUX.1, and its transformer is not one that this program knows"
            .to_owned(),
        path: sources.origin.clone(),
    })?;
    let names = flux_names(&*sources.own, &shape);
    model.add("transformer", &sources.own, Part { names, config: transformer_config(&shape) });
    // Chroma takes no pooled embedding, so T5 is its only text encoder.
    let (clip_need, t5_need, vae_need) = needs_of(&shape);
    let t5_index = if let Some(need) = clip_need {
        let (source, mut clip) = sources.part(&need, part::clip)?;
        clip.names.remove("text_projection.weight");
        model.add("text_encoder", &source, clip);
        add_tokenizer(&mut model, "tokenizer", false);
        1
    } else {
        0
    };
    let (source, part) = sources.part(&t5_need, t5)?;
    let (name, tokenizer) =
        [("text_encoder", "tokenizer/tokenizer.json"), ("text_encoder_2", "tokenizer_2/tokenizer.json")]
            [t5_index];
    model.add(name, &source, part);
    model.add_gguf_tokenizer(tokenizer, &*source);
    let (source, vae) = sources.part(&vae_need, flux_vae)?;
    model.add("vae", &source, vae);
    model.add_json("scheduler/scheduler_config.json", &scheduler_config(&shape));
    model.add_json("model_index.json", &index(&shape));
    Ok(model)
}

/// The parts that a transformer needs: CLIP-L (FLUX.1 only), T5 and a VAE.
fn needs_of(shape: &FluxShape) -> (Option<PartNeed>, PartNeed, PartNeed) {
    let clip = shape.pooled.map(|pooled| {
        PartNeed::of_size(PartRole::TextEncoder(0), "CLIP-L text encoder", PartKind::Clip, pooled)
    });
    let role = PartRole::TextEncoder(usize::from(clip.is_some()));
    (clip, PartNeed::of_size(role, "T5 text encoder (t5xxl)", PartKind::T5, shape.text), flux_vae_need())
}

/// What the transformer of a file needs; `None` if it is not one that this program knows.
pub(super) fn needs(source: &dyn TensorSource) -> Option<Vec<PartNeed>> {
    let (clip, t5, vae) = needs_of(&flux_shape(source)?);
    Some(clip.into_iter().chain([t5, vae]).collect())
}

/// FLUX.1's VAE, which other families need, too.
pub(super) fn flux_vae_need() -> PartNeed {
    PartNeed::of_size(PartRole::Vae, "VAE (ae.safetensors)", PartKind::Vae, LATENT_CHANNELS)
}

fn index(shape: &FluxShape) -> Value {
    if shape.pooled.is_none() {
        return json!({
            "_class_name": "ChromaPipeline",
            "text_encoder": ["transformers", "T5EncoderModel"],
            "transformer": ["diffusers", "ChromaTransformer2DModel"],
            "vae": ["diffusers", "AutoencoderKL"],
        });
    }
    json!({
        "_class_name": "FluxPipeline",
        "text_encoder": ["transformers", "CLIPTextModel"],
        "text_encoder_2": ["transformers", "T5EncoderModel"],
        "transformer": ["diffusers", "FluxTransformer2DModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    })
}

/// The transformer in a file; `None` if there is none.
pub(super) fn transformer(source: &dyn TensorSource) -> Option<Part> {
    let shape = flux_shape(source)?;
    Some(Part { names: flux_names(source, &shape), config: transformer_config(&shape) })
}

/// A T5 encoder in a file; `None` if there is none.
pub(super) fn t5(source: &dyn TensorSource) -> Option<Part> {
    let names: Names = t5_names(source)?;
    let shape = |name: &str| source.info(names.get(name)?.name()).map(|info| info.shape);
    let block = |block: usize, name: &str| shape(&format!("encoder.block.{block}.{name}"));
    let table = shape("shared.weight")?;
    let [buckets, heads] = block(0, "layer.0.SelfAttention.relative_attention_bias.weight")?[..] else {
        return None;
    };
    let inner = *block(0, "layer.0.SelfAttention.q.weight")?.first()?;
    let config = json!({
        "model_type": "t5",
        "vocab_size": table.first()?,
        "d_model": table.get(1)?,
        "d_kv": inner.checked_div(heads)?,
        "d_ff": block(0, "layer.1.DenseReluDense.wi_0.weight")?.first()?,
        "num_heads": heads,
        "num_layers": super::super::names::count(|i| block(i, "layer.0.SelfAttention.q.weight").is_some()),
        "relative_attention_num_buckets": buckets,
        "relative_attention_max_distance": 128,
        "layer_norm_epsilon": 1e-6,
        "feed_forward_proj": "gated-gelu",
    });
    Some(Part { names, config })
}

/// FLUX's VAE, which other families use, too.
pub(super) fn flux_vae(source: &dyn TensorSource) -> Option<Part> {
    let LatentFormat { scale, shift, .. } = LatentFormat::FLUX;
    part::vae(source, scale, shift)
}

fn transformer_config(shape: &FluxShape) -> Value {
    let head = shape.head;
    let mut config = json!({
        "_class_name": "FluxTransformer2DModel",
        "patch_size": 1,
        "in_channels": shape.in_channels,
        "out_channels": shape.out_channels,
        "num_layers": shape.double_blocks,
        "num_single_layers": shape.single_blocks,
        "attention_head_dim": head,
        "num_attention_heads": shape.width / head.max(1),
        "joint_attention_dim": shape.text,
        // For a head of 128: 16, 56 and 56.
        "axes_dims_rope": [head / 8, head * 7 / 16, head * 7 / 16],
    });
    if let Some([layers, hidden]) = shape.approximator {
        config["_class_name"] = "ChromaTransformer2DModel".into();
        config["approximator_layers"] = layers.into();
        config["approximator_hidden_dim"] = hidden.into();
        config["approximator_num_channels"] = 64.into();
    } else {
        config["pooled_projection_dim"] = shape.pooled.into();
        config["guidance_embeds"] = shape.guidance.into();
    }
    config
}

/// The scheduler configuration of the released models: that of dev, which takes a guidance scale, or of schnell.
fn scheduler_config(shape: &FluxShape) -> Value {
    json!({
        "_class_name": "FlowMatchEulerDiscreteScheduler",
        "num_train_timesteps": 1000,
        "shift": if shape.guidance { 3.0 } else { 1.0 },
        "use_dynamic_shifting": shape.guidance,
        "base_shift": 0.5,
        "max_shift": 1.15,
        "base_image_seq_len": 256,
        "max_image_seq_len": 4096,
    })
}
