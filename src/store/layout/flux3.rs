//! FLUX.3 Image Klein: a transformer in Black Forest Labs' layout, the text half of Qwen3-VL and FLUX.2's VAE, in files of
//! their own.

use serde_json::json;

use super::super::StoreError;
use super::super::names::{flux3_names, flux3_shape};
use super::Assembled;
use super::flux2::{add_vae, number, vae_need};
use super::need::{PartKind, PartNeed};
use super::part::{PATCH_VAE, Part};
use super::sources::PartSources;
use super::z_image::qwen3;
use crate::catalog::PartRole;
use crate::weights::TensorSource;

/// Layers of the text encoder whose hidden states are read.
const TEXT_LAYERS: usize = 8;

/// The parts of a model, and what their tensors say of their configurations.
pub(super) fn assemble(sources: &PartSources) -> Result<Assembled, StoreError> {
    let mut model = Assembled::new(sources.origin.clone());
    let transformer = transformer(&*sources.own).ok_or_else(|| StoreError::Damaged {
        reason: "it is a FLUX.3 model, and not one for pictures in a layout that this program knows"
            .to_owned(),
        path: sources.origin.clone(),
    })?;
    let [qwen_need, vae_need] = needs_of(&transformer);
    let flow_map = transformer.config["flow_map"] == true;
    model.add("transformer", &sources.own, transformer);
    let (source, mut qwen) = sources.part(&qwen_need, qwen3)?;
    qwen.config["rope_theta"] = 5e6.into();
    qwen.config = json!({ "model_type": "qwen3_vl", "text_config": qwen.config });
    model.add("text_encoder", &source, qwen);
    model.add_gguf_tokenizer("tokenizer/tokenizer.json", &*source);
    add_vae(&mut model, sources, &vae_need)?;
    let index = json!({
        "_class_name": if flow_map { "Flux3DistilledModularPipeline" } else { "Flux3ModularPipeline" },
        "text_encoder": ["transformers", "Qwen3VLForConditionalGeneration"],
        "transformer": ["diffusers", "Flux3Transformer2DModel"],
        "vae": ["diffusers", PATCH_VAE],
    });
    model.add_json("model_index.json", &index);
    Ok(model)
}

/// The parts that a transformer needs: Qwen3-VL's text half and a VAE.
fn needs_of(transformer: &Part) -> [PartNeed; 2] {
    let size = number(&transformer.config["joint_attention_dim"]) / TEXT_LAYERS;
    let what = "Qwen3-VL text encoder (qwen3vl_4b)";
    let qwen = PartNeed::of_size(PartRole::TextEncoder(0), what, PartKind::Qwen3Vl, size);
    [qwen, vae_need(&transformer.config)]
}

/// What the transformer of a file needs; `None` if it is not one that this program knows.
pub(super) fn needs(source: &dyn TensorSource) -> Option<Vec<PartNeed>> {
    transformer(source).map(|transformer| needs_of(&transformer).into())
}

/// The transformer in a file.
pub(super) fn transformer(source: &dyn TensorSource) -> Option<Part> {
    let shape = flux3_shape(source)?;
    let head = shape.head;
    // Time, row, column and text position have as many dimensions.
    let axes = [head / 4; 4];
    let config = json!({
        "_class_name": "Flux3Transformer2DModel",
        "in_channels": shape.in_channels,
        "num_layers": shape.mode_blocks,
        "num_single_layers": shape.joint_blocks,
        "attention_head_dim": head,
        "num_attention_heads": shape.width.checked_div(head)?,
        "joint_attention_dim": shape.text,
        "mlp_ratio": shape.hidden as f64 / shape.width.max(1) as f64,
        "axes_dims_rope": axes,
        "flow_map": shape.flow_map,
    });
    Some(Part { names: flux3_names(source, &shape), config })
}
