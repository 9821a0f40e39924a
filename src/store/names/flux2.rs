//! FLUX.2's transformer in Black Forest Labs' own layout, which ComfyUI's and GGUF files have.

use super::flux::{PREFIX, block_of, double_block};
use super::{Names, Origin, count};
use crate::weights::TensorSource;

/// The structure of a transformer, from its tensors' shapes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Flux2Shape {
    prefix: &'static str,
    /// Channels of an image token.
    pub(in super::super) in_channels: usize,
    /// Width of a token.
    pub(in super::super) width: usize,
    /// Width of an attention head.
    pub(in super::super) head: usize,
    /// Hidden width of a feed-forward.
    pub(in super::super) hidden: usize,
    /// Double-stream blocks.
    pub(in super::super) double_blocks: usize,
    /// Single-stream blocks.
    pub(in super::super) single_blocks: usize,
    /// Width of the text encoder's hidden states.
    pub(in super::super) text: usize,
    /// Whether the guidance scale is embedded (FLUX.2 dev).
    pub(in super::super) guidance: bool,
}

/// The structure of a transformer, `None` if there is no such transformer.
pub(in super::super) fn flux2_shape(source: &dyn TensorSource) -> Option<Flux2Shape> {
    let prefix = if source.info("img_in.weight").is_some() { "" } else { PREFIX };
    let edge = |name: &str, axis: usize| source.info(&format!("{prefix}{name}"))?.shape.get(axis).copied();
    let blocks = |kind: &str, name: &str| count(|block| edge(&format!("{kind}.{block}.{name}"), 0).is_some());
    edge("double_stream_modulation_img.lin.weight", 0)?;
    let width = edge("img_in.weight", 0)?;
    Some(Flux2Shape {
        prefix,
        in_channels: edge("img_in.weight", 1)?,
        width,
        head: edge("double_blocks.0.img_attn.norm.key_norm.scale", 0)?,
        hidden: edge("single_blocks.0.linear2.weight", 1)?.checked_sub(width)?,
        double_blocks: blocks("double_blocks", "img_attn.proj.weight"),
        single_blocks: blocks("single_blocks", "linear1.weight"),
        text: edge("txt_in.weight", 1)?,
        guidance: edge("guidance_in.in_layer.weight", 0).is_some(),
    })
}

/// The names of a transformer of this structure.
pub(in super::super) fn flux2_names(source: &dyn TensorSource, shape: &Flux2Shape) -> Names {
    let mut names = Names::new();
    for original in source.names() {
        let Some(name) = original.strip_prefix(shape.prefix) else { continue };
        if let Some((block, rest)) = block_of(name, "double_blocks.") {
            let block = format!("transformer_blocks.{block}");
            double_block(&mut names, original, &block, rest, shape.width, ["linear_in.", "linear_out."]);
        } else if let Some((block, rest)) = block_of(name, "single_blocks.") {
            if let Some(renamed) = renamed(&SINGLE_BLOCK, rest) {
                names.insert(
                    format!("single_transformer_blocks.{block}.attn.{renamed}"),
                    Origin::whole(original),
                );
            }
        } else if let Some(renamed) = renamed(&OUTSIDE_OF_BLOCKS, name) {
            names.insert(renamed, Origin::whole(original));
        } else if let (Some(kind), Some(info)) =
            (name.strip_prefix("final_layer.adaLN_modulation.1."), source.info(original))
        {
            // Shift and scale here, scale and shift there.
            names.insert(format!("norm_out.linear.{kind}"), Origin::halves_exchanged(original, &info));
        }
    }
    names
}

const SINGLE_BLOCK: [(&str, &str); 4] = [
    ("linear1.", "to_qkv_mlp_proj."),
    ("linear2.", "to_out."),
    ("norm.query_norm.scale", "norm_q.weight"),
    ("norm.key_norm.scale", "norm_k.weight"),
];

const OUTSIDE_OF_BLOCKS: [(&str, &str); 10] = [
    ("img_in.", "x_embedder."),
    ("txt_in.", "context_embedder."),
    ("time_in.in_layer.", "time_guidance_embed.timestep_embedder.linear_1."),
    ("time_in.out_layer.", "time_guidance_embed.timestep_embedder.linear_2."),
    ("guidance_in.in_layer.", "time_guidance_embed.guidance_embedder.linear_1."),
    ("guidance_in.out_layer.", "time_guidance_embed.guidance_embedder.linear_2."),
    ("double_stream_modulation_img.lin.", "double_stream_modulation_img.linear."),
    ("double_stream_modulation_txt.lin.", "double_stream_modulation_txt.linear."),
    ("single_stream_modulation.lin.", "single_stream_modulation.linear."),
    ("final_layer.linear.", "proj_out."),
];

/// A name whose beginning has another one in diffusers' layout.
fn renamed(table: &[(&str, &str)], name: &str) -> Option<String> {
    table.iter().find_map(|(start, renamed)| Some(format!("{renamed}{}", name.strip_prefix(start)?)))
}
