//! Transformers of FLUX.1 and Chroma in Black Forest Labs' layout (`double_blocks`, `single_blocks`).

use super::{Names, Origin, count};
use crate::weights::TensorSource;

/// The prefix of a transformer in a file with other parts.
pub(super) const PREFIX: &str = "model.diffusion_model.";

/// The structure of a transformer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct FluxShape {
    prefix: &'static str,
    /// Channels of a latent token, in and out.
    pub(in super::super) in_channels: usize,
    pub(in super::super) out_channels: usize,
    /// Width of the hidden states.
    pub(in super::super) width: usize,
    /// Channels of an attention head.
    pub(in super::super) head: usize,
    /// Number of double-stream and single-stream blocks.
    pub(in super::super) double_blocks: usize,
    pub(in super::super) single_blocks: usize,
    /// Width of the text embedding, and of the pooled one (FLUX.1 only).
    pub(in super::super) text: usize,
    pub(in super::super) pooled: Option<usize>,
    /// Whether the guidance scale is an input.
    pub(in super::super) guidance: bool,
    /// Layers and hidden width of Chroma's modulation network.
    pub(in super::super) approximator: Option<[usize; 2]>,
}

/// Derives the structure from the names and shapes of the tensors; `None` if there is no such transformer.
pub(in super::super) fn flux_shape(source: &dyn TensorSource) -> Option<FluxShape> {
    let prefix = if source.info("img_in.weight").is_some() { "" } else { PREFIX };
    let edge = |name: &str, axis: usize| source.info(&format!("{prefix}{name}"))?.shape.get(axis).copied();
    let blocks = |kind: &str, name: &str| count(|block| edge(&format!("{kind}.{block}.{name}"), 0).is_some());
    let shape = FluxShape {
        prefix,
        in_channels: edge("img_in.weight", 1)?,
        out_channels: edge("final_layer.linear.weight", 0)?,
        width: edge("img_in.weight", 0)?,
        head: edge("double_blocks.0.img_attn.norm.key_norm.scale", 0)?,
        double_blocks: blocks("double_blocks", "img_attn.proj.weight"),
        single_blocks: blocks("single_blocks", "linear1.weight"),
        text: edge("txt_in.weight", 1)?,
        pooled: edge("vector_in.in_layer.weight", 1),
        approximator: edge("distilled_guidance_layer.in_proj.weight", 0).map(|hidden| {
            let has = |layer| {
                edge(&format!("distilled_guidance_layer.layers.{layer}.in_layer.weight"), 0).is_some()
            };
            [count(has), hidden]
        }),
        guidance: edge("guidance_in.in_layer.weight", 0).is_some(),
    };
    // FLUX.1 takes a pooled embedding; Chroma has a modulation network instead.
    (shape.pooled.is_some() || shape.approximator.is_some()).then_some(shape)
}

/// The tensors of a transformer of this structure, by diffusers' names.
pub(in super::super) fn flux_names(source: &dyn TensorSource, shape: &FluxShape) -> Names {
    let mut names = Names::new();
    for original in source.names() {
        let Some(name) = original.strip_prefix(shape.prefix) else { continue };
        if let Some((block, rest)) = block_of(name, "double_blocks.") {
            let block = format!("transformer_blocks.{block}");
            double_block(&mut names, original, &block, rest, shape.width, ["net.0.proj.", "net.2."]);
        } else if let Some((block, rest)) = block_of(name, "single_blocks.") {
            let block = format!("single_transformer_blocks.{block}");
            single_block(&mut names, source, original, &block, rest, shape.width);
        } else {
            outside_of_blocks(&mut names, source, original, name);
        }
    }
    names
}

/// Splits a name in a block of this kind into the block's number and the rest.
pub(super) fn block_of<'a>(name: &'a str, kind: &str) -> Option<(&'a str, &'a str)> {
    name.strip_prefix(kind)?.split_once('.')
}

fn outside_of_blocks(names: &mut Names, source: &dyn TensorSource, original: &str, name: &str) {
    const PLAIN: [(&str, &str); 9] = [
        ("img_in.", "x_embedder."),
        ("txt_in.", "context_embedder."),
        ("time_in.in_layer.", "time_text_embed.timestep_embedder.linear_1."),
        ("time_in.out_layer.", "time_text_embed.timestep_embedder.linear_2."),
        ("vector_in.in_layer.", "time_text_embed.text_embedder.linear_1."),
        ("vector_in.out_layer.", "time_text_embed.text_embedder.linear_2."),
        ("guidance_in.in_layer.", "time_text_embed.guidance_embedder.linear_1."),
        ("guidance_in.out_layer.", "time_text_embed.guidance_embedder.linear_2."),
        ("final_layer.linear.", "proj_out."),
    ];
    for (start, renamed) in PLAIN {
        if let Some(kind) = name.strip_prefix(start) {
            names.insert(format!("{renamed}{kind}"), Origin::whole(original));
        }
    }
    if let Some(inside) = name.strip_prefix("distilled_guidance_layer.") {
        names.insert(
            format!("distilled_guidance_layer.{}", approximator_name(inside)),
            Origin::whole(original),
        );
    }
    // The file stores shift and scale; diffusers expects scale and shift.
    if let (Some(kind), Some(info)) =
        (name.strip_prefix("final_layer.adaLN_modulation.1."), source.info(original))
    {
        names.insert(format!("norm_out.linear.{kind}"), Origin::halves_exchanged(original, &info));
    }
}

/// The diffusers name of a tensor of Chroma's modulation network.
fn approximator_name(name: &str) -> String {
    const PARTS: [(&str, &str); 3] =
        [(".in_layer.", ".linear_1."), (".out_layer.", ".linear_2."), (".scale", ".weight")];
    PARTS.iter().fold(name.to_owned(), |name, (part, renamed)| name.replacen(part, renamed, 1))
}

/// A tensor of a double-stream block. `width`: of a token; `maps`: diffusers' names of the feed-forward's two maps.
pub(super) fn double_block(
    names: &mut Names,
    original: &str,
    block: &str,
    name: &str,
    width: usize,
    maps: [&str; 2],
) {
    let streams = [
        ("img", "norm1", "attn.to_out.0", ["attn.to_q", "attn.to_k", "attn.to_v"], "attn.norm_", "ff"),
        (
            "txt",
            "norm1_context",
            "attn.to_add_out",
            ["attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"],
            "attn.norm_added_",
            "ff_context",
        ),
    ];
    for (stream, norm, out, projections, head_norm, feed_forward) in streams {
        let Some(name) = name.strip_prefix(stream).and_then(|name| name.strip_prefix('_')) else { continue };
        let plain = [
            ("mod.lin.", format!("{norm}.linear.")),
            ("attn.proj.", format!("{out}.")),
            ("mlp.0.", format!("{feed_forward}.{}", maps[0])),
            ("mlp.2.", format!("{feed_forward}.{}", maps[1])),
            ("attn.norm.query_norm.scale", format!("{head_norm}q.weight")),
            ("attn.norm.key_norm.scale", format!("{head_norm}k.weight")),
        ];
        for (start, renamed) in plain {
            if let Some(kind) = name.strip_prefix(start) {
                names.insert(format!("{block}.{renamed}{kind}"), Origin::whole(original));
            }
        }
        if let Some(kind) = name.strip_prefix("attn.qkv.") {
            for (index, projection) in projections.into_iter().enumerate() {
                let rows = index * width..(index + 1) * width;
                names.insert(format!("{block}.{projection}.{kind}"), Origin::row_range(original, rows));
            }
        }
    }
}

fn single_block(
    names: &mut Names,
    source: &dyn TensorSource,
    original: &str,
    block: &str,
    name: &str,
    width: usize,
) {
    const PLAIN: [(&str, &str); 4] = [
        ("modulation.lin.", "norm.linear."),
        ("linear2.", "proj_out."),
        ("norm.query_norm.scale", "attn.norm_q.weight"),
        ("norm.key_norm.scale", "attn.norm_k.weight"),
    ];
    for (start, renamed) in PLAIN {
        if let Some(kind) = name.strip_prefix(start) {
            names.insert(format!("{block}.{renamed}{kind}"), Origin::whole(original));
        }
    }
    // The projections to queries, keys, values and the feed-forward's hidden layer are fused.
    if let (Some(kind), Some(info)) = (name.strip_prefix("linear1."), source.info(original)) {
        let rows = info.shape.first().copied().unwrap_or_default();
        for (index, projection) in ["attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"].into_iter().enumerate()
        {
            let end = if index == 3 { rows } else { (index + 1) * width };
            let range = index * width..end.max(index * width);
            names.insert(format!("{block}.{projection}.{kind}"), Origin::row_range(original, range));
        }
    }
}
