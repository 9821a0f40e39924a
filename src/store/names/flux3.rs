//! FLUX.3's transformer in Black Forest Labs' own layout.

use super::flux::PREFIX;
use super::{Names, Origin, count};
use crate::weights::TensorSource;

/// The structure of a transformer, from its tensors' shapes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Flux3Shape {
    prefix: &'static str,
    /// Channels of an image token.
    pub(in super::super) in_channels: usize,
    /// Width of a token.
    pub(in super::super) width: usize,
    /// Width of an attention head.
    pub(in super::super) head: usize,
    /// Hidden width of a feed-forward.
    pub(in super::super) hidden: usize,
    /// Blocks of each stream alone.
    pub(in super::super) mode_blocks: usize,
    /// Joint blocks.
    pub(in super::super) joint_blocks: usize,
    /// Width of the text encoder's hidden states.
    pub(in super::super) text: usize,
    /// Whether it is a flow map (step-distilled).
    pub(in super::super) flow_map: bool,
}

/// The structure of a transformer for pictures, `None` if there is no such transformer.
pub(in super::super) fn flux3_shape(source: &dyn TensorSource) -> Option<Flux3Shape> {
    let prefix = if source.info("emb_in.image.weight").is_some() { "" } else { PREFIX };
    let edge = |name: &str, axis: usize| source.info(&format!("{prefix}{name}"))?.shape.get(axis).copied();
    let blocks = |kind: &str| count(|block| edge(&format!("{kind}.{block}.attn_out.weight"), 0).is_some());
    edge("early_stream_modulations.image.lin.weight", 0)?;
    Some(Flux3Shape {
        prefix,
        in_channels: edge("emb_in.image.weight", 1)?,
        width: edge("emb_in.image.weight", 0)?,
        head: edge("single_blocks.0.norm.key_norm.scale", 0)?,
        hidden: edge("single_blocks.0.mlp_out.weight", 1)?,
        mode_blocks: blocks("txt_mode_blocks"),
        joint_blocks: blocks("single_blocks"),
        text: edge("txt_in.weight", 1)?,
        flow_map: edge("ref_time_in.in_layer.weight", 0).is_some(),
    })
}

/// The names of a transformer of this structure.
pub(in super::super) fn flux3_names(source: &dyn TensorSource, shape: &Flux3Shape) -> Names {
    let mut names = Names::new();
    for original in source.names() {
        let Some(name) = original.strip_prefix(shape.prefix) else { continue };
        if let (Some(kind), Some(info)) =
            (name.strip_prefix("final_layer.image.adaLN_modulation.1."), source.info(original))
        {
            // Shift and scale here, scale and shift there.
            names.insert(format!("norm_out.linear.{kind}"), Origin::halves_exchanged(original, &info));
        } else if let Some(renamed) = diffusers_name(name) {
            names.insert(renamed, Origin::whole(original));
        }
    }
    names
}

/// Beginnings of names outside of the blocks.
const OUTSIDE_OF_BLOCKS: [(&str, &str); 7] = [
    ("emb_in.", "x_embedders."),
    ("txt_in.", "context_embedder."),
    ("time_in.in_layer.", "timestep_embedder.linear_1."),
    ("time_in.out_layer.", "timestep_embedder.linear_2."),
    ("ref_time_in.in_layer.", "target_timestep_embedder.linear_1."),
    ("ref_time_in.out_layer.", "target_timestep_embedder.linear_2."),
    ("final_layer.image.linear.", "proj_out."),
];

/// Beginnings of the names of blocks and modulations.
const BLOCKS: [(&str, &str); 5] = [
    ("single_blocks.", "single_transformer_blocks."),
    ("content_mode_blocks.", "mode_blocks."),
    ("txt_mode_blocks.", "txt_mode_blocks."),
    ("early_stream_modulations.", "early_stream_modulations."),
    ("single_stream_modulations.", "single_stream_modulations."),
];

/// Parts of the names inside a block.
const INSIDE: [(&str, &str); 9] = [
    (".q_proj.", ".attn.to_q."),
    (".k_proj.", ".attn.to_k."),
    (".v_proj.", ".attn.to_v."),
    (".attn_out.", ".attn.to_out.0."),
    (".norm.query_norm.scale", ".attn.norm_q.weight"),
    (".norm.key_norm.scale", ".attn.norm_k.weight"),
    (".mlp_in.", ".ff.linear_in."),
    (".mlp_out.", ".ff.linear_out."),
    (".lin.", ".linear."),
];

fn diffusers_name(name: &str) -> Option<String> {
    let renamed = |table: &[(&str, &str)]| {
        table.iter().find_map(|(start, renamed)| Some(format!("{renamed}{}", name.strip_prefix(start)?)))
    };
    renamed(&OUTSIDE_OF_BLOCKS).or_else(|| {
        let name = renamed(&BLOCKS)?;
        Some(INSIDE.iter().fold(name, |name, (part, renamed)| name.replacen(part, renamed, 1)))
    })
}
