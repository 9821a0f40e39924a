//! Stable Diffusion's UNet in CompVis' and Stability's layout (`input_blocks`, `middle_block`, `output_blocks`).

use super::{Names, Origin, count};
use crate::weights::TensorSource;

/// The prefix of a UNet in a complete checkpoint; optional in a file with the UNet alone.
const PREFIX: &str = "model.diffusion_model.";

fn prefix(source: &dyn TensorSource) -> &'static str {
    if source.info("input_blocks.0.0.weight").is_some() { "" } else { PREFIX }
}

/// The structure of a UNet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct UnetShape {
    pub(in super::super) in_channels: usize,
    pub(in super::super) out_channels: usize,
    /// Channels of each level.
    pub(in super::super) channels: Vec<usize>,
    /// Number of ResNet blocks per level.
    pub(in super::super) layers: usize,
    /// Number of transformer blocks per attention at each level; 0 without attention.
    pub(in super::super) transformers: Vec<usize>,
    /// Number of transformer blocks in the middle block.
    pub(in super::super) middle_transformers: usize,
    /// Width of the text embedding.
    pub(in super::super) context: usize,
    /// Whether the projections into and out of the transformers are linear layers rather than 1×1 convolutions.
    pub(in super::super) linear_projections: bool,
    /// Width of the additional conditioning (SDXL), if any.
    pub(in super::super) addition: Option<usize>,
}

/// Derives the structure from the names and shapes of the tensors; `None` if there is no such UNet.
pub(in super::super) fn unet_shape(source: &dyn TensorSource) -> Option<UnetShape> {
    let prefix = prefix(source);
    let shape = |name: String| source.info(&format!("{prefix}{name}")).map(|info| info.shape);
    let edge = |name: String, axis: usize| shape(name)?.get(axis).copied();
    let first = shape("input_blocks.0.0.weight".to_owned())?;
    let blocks = blocks(source, prefix);
    let is_down = |block: &usize| shape(format!("input_blocks.{block}.0.op.weight")).is_some();
    let period = (1..blocks).find(is_down).unwrap_or(blocks);
    let layers = period.checked_sub(1).filter(|layers| *layers > 0)?;
    let (mut channels, mut transformers) = (Vec::new(), Vec::new());
    let depth = |attention: String| {
        count(|i| shape(format!("{attention}.transformer_blocks.{i}.norm1.weight")).is_some())
    };
    let (mut context, mut linear_projections) = (None, false);
    for block in (1..blocks).step_by(period) {
        channels.push(edge(format!("input_blocks.{block}.0.out_layers.3.weight"), 0)?);
        let attention = format!("input_blocks.{block}.1");
        transformers.push(depth(attention.clone()));
        context = context.or(edge(format!("{attention}.transformer_blocks.0.attn2.to_k.weight"), 1));
        linear_projections |=
            shape(format!("{attention}.proj_in.weight")).is_some_and(|shape| shape.len() == 2);
    }
    Some(UnetShape {
        in_channels: *first.get(1)?,
        out_channels: edge("out.2.weight".to_owned(), 0)?,
        channels,
        layers,
        transformers,
        middle_transformers: depth("middle_block.1".to_owned()),
        context: context?,
        linear_projections,
        addition: edge("label_emb.0.0.weight".to_owned(), 1),
    })
}

/// The number of consecutive `input_blocks`.
fn blocks(source: &dyn TensorSource, prefix: &str) -> usize {
    // Block 0 is a convolution; the others are ResNet blocks and downsamplers.
    const FIRST: [&str; 3] = ["weight", "in_layers.0.weight", "op.weight"];
    let has =
        |block: usize, name: &&str| source.info(&format!("{prefix}input_blocks.{block}.0.{name}")).is_some();
    count(|block| FIRST.iter().any(|name| has(block, name)))
}

/// The tensors of a UNet with `layers` ResNet blocks per level, by diffusers' names.
pub(in super::super) fn unet_names(source: &dyn TensorSource, layers: usize) -> Names {
    let prefix = prefix(source);
    let name = |original: &str| {
        let renamed = diffusers_name(original.strip_prefix(prefix)?, layers)?;
        Some((renamed, Origin::whole(original)))
    };
    source.names().into_iter().filter_map(name).collect()
}

fn diffusers_name(name: &str, layers: usize) -> Option<String> {
    let parts: Vec<&str> = name.split('.').collect();
    let number = |index: usize| parts.get(index)?.parse::<usize>().ok();
    let rest = |from: usize| parts.get(from..).map(|parts| parts.join("."));
    Some(match parts[0] {
        "time_embed" => format!("time_embedding.linear_{}.{}", number(1)? / 2 + 1, rest(2)?),
        "label_emb" => format!("add_embedding.linear_{}.{}", number(2)? / 2 + 1, rest(3)?),
        "out" if number(1)? == 0 => format!("conv_norm_out.{}", rest(2)?),
        "out" => format!("conv_out.{}", rest(2)?),
        "input_blocks" if number(1)? == 0 => format!("conv_in.{}", rest(3)?),
        "input_blocks" => {
            let block = number(1)? - 1;
            let (level, layer) = (block / (layers + 1), block % (layers + 1));
            block_name(&format!("down_blocks.{level}"), layer, &rest(3)?)?
        }
        "output_blocks" => {
            let block = number(1)?;
            let (level, layer) = (block / (layers + 1), block % (layers + 1));
            block_name(&format!("up_blocks.{level}"), layer, &rest(3)?)?
        }
        "middle_block" => {
            let layer = usize::from(number(1)? == 2);
            block_name("mid_block", layer, &rest(2)?)?
        }
        _ => return None,
    })
}

/// The diffusers name of a tensor of a ResNet block, an attention, a downsampler or an upsampler.
fn block_name(block: &str, layer: usize, name: &str) -> Option<String> {
    const RESNET: [(&str, &str); 6] = [
        ("in_layers.0", "norm1"),
        ("in_layers.2", "conv1"),
        ("emb_layers.1", "time_emb_proj"),
        ("out_layers.0", "norm2"),
        ("out_layers.3", "conv2"),
        ("skip_connection", "conv_shortcut"),
    ];
    const ATTENTION: [&str; 4] = ["norm.", "proj_in.", "proj_out.", "transformer_blocks."];
    for (original, renamed) in RESNET {
        if let Some(rest) = name.strip_prefix(original).filter(|rest| rest.starts_with('.')) {
            return Some(format!("{block}.resnets.{layer}.{renamed}{rest}"));
        }
    }
    if ATTENTION.iter().any(|start| name.starts_with(start)) {
        return Some(format!("{block}.attentions.{layer}.{name}"));
    }
    if let Some(rest) = name.strip_prefix("op.") {
        return Some(format!("{block}.downsamplers.0.conv.{rest}"));
    }
    name.strip_prefix("conv.").map(|rest| format!("{block}.upsamplers.0.conv.{rest}"))
}
