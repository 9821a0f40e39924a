//! T5's encoder in transformers' layout, and in llama.cpp's layout of GGUF files.

use super::{Names, Origin};
use crate::weights::TensorSource;

/// Possible prefixes of an encoder in transformers' layout.
const PREFIXES: [&str; 3] = ["text_encoders.t5xxl.transformer.", "text_encoders.t5xxl.", ""];

/// The tensors of a T5 encoder in either layout, by transformers' names; `None` if there is none.
pub(in super::super) fn t5_names(source: &dyn TensorSource) -> Option<Names> {
    if source.info("enc.blk.0.attn_q.weight").is_some() {
        return Some(
            source
                .names()
                .into_iter()
                .filter_map(|name| Some((from_llama_cpp(name)?, Origin::whole(name))))
                .collect(),
        );
    }
    let has = |prefix: &&&str| {
        source.info(&format!("{prefix}encoder.block.0.layer.0.SelfAttention.q.weight")).is_some()
    };
    let prefix = PREFIXES.iter().find(has)?;
    let mut names = super::under_prefix(source, prefix);
    // Some files contain the embedding table only under its alias.
    if !names.contains_key("shared.weight")
        && let Some(table) = names.get("encoder.embed_tokens.weight").cloned()
    {
        names.insert("shared.weight".to_owned(), table);
    }
    Some(names)
}

fn from_llama_cpp(name: &str) -> Option<String> {
    match name {
        "token_embd.weight" => return Some("shared.weight".to_owned()),
        "enc.output_norm.weight" => return Some("encoder.final_layer_norm.weight".to_owned()),
        _ => {}
    }
    let (block, rest) = name.strip_prefix("enc.blk.")?.split_once('.')?;
    let inside = match rest {
        "attn_q.weight" => "layer.0.SelfAttention.q.weight",
        "attn_k.weight" => "layer.0.SelfAttention.k.weight",
        "attn_v.weight" => "layer.0.SelfAttention.v.weight",
        "attn_o.weight" => "layer.0.SelfAttention.o.weight",
        "attn_rel_b.weight" => "layer.0.SelfAttention.relative_attention_bias.weight",
        "attn_norm.weight" => "layer.0.layer_norm.weight",
        "ffn_gate.weight" => "layer.1.DenseReluDense.wi_0.weight",
        "ffn_up.weight" => "layer.1.DenseReluDense.wi_1.weight",
        "ffn_down.weight" => "layer.1.DenseReluDense.wo.weight",
        "ffn_norm.weight" => "layer.1.layer_norm.weight",
        _ => return None,
    };
    Some(format!("encoder.block.{block}.{inside}"))
}
