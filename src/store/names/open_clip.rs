//! OpenCLIP's text transformer, as in single-file models of Stable Diffusion 2 and XL.

use super::{Names, Origin, count};
use crate::weights::TensorSource;

/// The number of layers of the text transformer under `prefix`.
pub(in super::super) fn open_clip_layers(source: &dyn TensorSource, prefix: &str) -> usize {
    count(|layer| source.info(&format!("{prefix}transformer.resblocks.{layer}.ln_1.weight")).is_some())
}

/// The tensors of the text transformer under `prefix`, by transformers' names; of its layers, the first `layers`.
pub(in super::super) fn open_clip_names(source: &dyn TensorSource, prefix: &str, layers: usize) -> Names {
    let mut names = Names::new();
    for original in source.names() {
        let Some(name) = original.strip_prefix(prefix) else { continue };
        match name {
            "positional_embedding" => {
                let renamed = "text_model.embeddings.position_embedding.weight".to_owned();
                names.insert(renamed, Origin::whole(original));
            }
            "token_embedding.weight" => {
                let renamed = "text_model.embeddings.token_embedding.weight".to_owned();
                names.insert(renamed, Origin::whole(original));
            }
            // Stored as `[inputs, outputs]`.
            "text_projection" => {
                names.insert("text_projection.weight".to_owned(), Origin::transposed(original));
            }
            "text_projection.weight" => {
                names.insert("text_projection.weight".to_owned(), Origin::whole(original));
            }
            _ => {}
        }
        if let Some(kind) = name.strip_prefix("ln_final.") {
            names.insert(format!("text_model.final_layer_norm.{kind}"), Origin::whole(original));
        }
        if let Some((layer, rest)) =
            name.strip_prefix("transformer.resblocks.").and_then(|r| r.split_once('.'))
            && layer.parse::<usize>().is_ok_and(|layer| layer < layers)
        {
            add_layer(&mut names, source, original, &format!("text_model.encoder.layers.{layer}"), rest);
        }
    }
    names
}

/// Adds a tensor of a layer. The projections to queries, keys and values are fused.
fn add_layer(names: &mut Names, source: &dyn TensorSource, original: &str, layer: &str, name: &str) {
    const PLAIN: [(&str, &str); 5] = [
        ("ln_1.", "layer_norm1."),
        ("ln_2.", "layer_norm2."),
        ("attn.out_proj.", "self_attn.out_proj."),
        ("mlp.c_fc.", "mlp.fc1."),
        ("mlp.c_proj.", "mlp.fc2."),
    ];
    for (start, renamed) in PLAIN {
        if let Some(kind) = name.strip_prefix(start) {
            names.insert(format!("{layer}.{renamed}{kind}"), Origin::whole(original));
        }
    }
    let (Some(kind), Some(info)) = (name.strip_prefix("attn.in_proj_"), source.info(original)) else {
        return;
    };
    for (index, projection) in ["q_proj", "k_proj", "v_proj"].into_iter().enumerate() {
        let renamed = format!("{layer}.self_attn.{projection}.{kind}");
        names.insert(renamed, Origin::rows(original, &info, index, 3));
    }
}
