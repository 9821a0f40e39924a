//! Qwen3 in transformers' layout, and in llama.cpp's layout of GGUF files.

use super::{Names, Origin, under_prefix};
use crate::weights::TensorSource;

/// Possible prefixes of a model in transformers' layout.
const PREFIXES: [&str; 3] =
    ["", "text_encoders.qwen3_4b.transformer.", "text_encoders.qwen3_8b.transformer."];

/// The prefix of Qwen3-VL's text half in transformers' layout.
const VISION_LANGUAGE: &str = "model.language_model.";

/// The tensors of a Qwen3 model in either layout, by transformers' names; `None` if there is none.
pub(in super::super) fn qwen3_names(source: &dyn TensorSource) -> Option<Names> {
    if source.info("blk.0.attn_q_norm.weight").is_some() {
        let name = |name: &str| Some((from_llama_cpp(name)?, Origin::whole(name)));
        return Some(source.names().into_iter().filter_map(name).collect());
    }
    if source.info(&format!("{VISION_LANGUAGE}layers.0.self_attn.q_norm.weight")).is_some() {
        let name = |name: &str| {
            Some((format!("model.{}", name.strip_prefix(VISION_LANGUAGE)?), Origin::whole(name)))
        };
        return Some(source.names().into_iter().filter_map(name).collect());
    }
    let has =
        |prefix: &&&str| source.info(&format!("{prefix}model.layers.0.self_attn.q_norm.weight")).is_some();
    PREFIXES.iter().find(has).map(|prefix| under_prefix(source, prefix))
}

fn from_llama_cpp(name: &str) -> Option<String> {
    match name {
        "token_embd.weight" => return Some("model.embed_tokens.weight".to_owned()),
        "output_norm.weight" => return Some("model.norm.weight".to_owned()),
        _ => {}
    }
    let (layer, rest) = name.strip_prefix("blk.")?.split_once('.')?;
    let inside = match rest {
        "attn_q.weight" => "self_attn.q_proj.weight",
        "attn_k.weight" => "self_attn.k_proj.weight",
        "attn_v.weight" => "self_attn.v_proj.weight",
        "attn_output.weight" => "self_attn.o_proj.weight",
        "attn_q_norm.weight" => "self_attn.q_norm.weight",
        "attn_k_norm.weight" => "self_attn.k_norm.weight",
        "attn_norm.weight" => "input_layernorm.weight",
        "ffn_norm.weight" => "post_attention_layernorm.weight",
        "ffn_gate.weight" => "mlp.gate_proj.weight",
        "ffn_up.weight" => "mlp.up_proj.weight",
        "ffn_down.weight" => "mlp.down_proj.weight",
        _ => return None,
    };
    Some(format!("model.layers.{layer}.{inside}"))
}
