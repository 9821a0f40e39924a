//! An autoencoder in CompVis' layout (`encoder.down`, `decoder.up`, `mid.block_1`).

use super::{Names, Origin, count};
use crate::weights::TensorSource;

/// The tensors of the autoencoder under `prefix`, by diffusers' names.
pub(in super::super) fn vae_names(source: &dyn TensorSource, prefix: &str) -> Names {
    let levels = count(|i| source.info(&format!("{prefix}encoder.down.{i}.block.0.conv1.weight")).is_some());
    let name = |original: &str| {
        let renamed = diffusers_name(original.strip_prefix(prefix)?, levels)?;
        let is_attention = renamed.contains(".attentions.");
        let info = source.info(original)?;
        let origin = if is_attention { Origin::matrix(original, &info) } else { Origin::whole(original) };
        Some((renamed, origin))
    };
    source.names().into_iter().filter_map(name).collect()
}

fn diffusers_name(name: &str, levels: usize) -> Option<String> {
    let parts: Vec<&str> = name.split('.').collect();
    let rest = |from: usize| parts.get(from..).map(|parts| parts.join("."));
    Some(match parts[..] {
        // FLUX.2 has these two inside encoder and decoder.
        ["encoder", "quant_conv", ..] | ["decoder", "post_quant_conv", ..] => rest(1)?,
        ["quant_conv" | "post_quant_conv" | "bn", ..] => name.to_owned(),
        [half @ ("encoder" | "decoder"), ref inner @ ..] => match inner {
            ["conv_in" | "conv_out", ..] => name.to_owned(),
            ["norm_out", ..] => format!("{half}.conv_norm_out.{}", rest(2)?),
            ["mid", "attn_1", layer, ..] => {
                let layer = match *layer {
                    "norm" => "group_norm",
                    "q" => "to_q",
                    "k" => "to_k",
                    "v" => "to_v",
                    "proj_out" => "to_out.0",
                    _ => return None,
                };
                format!("{half}.mid_block.attentions.0.{layer}.{}", rest(4)?)
            }
            ["mid", block @ ("block_1" | "block_2"), ..] => {
                let index = usize::from(*block == "block_2");
                format!("{half}.mid_block.resnets.{index}.{}", resnet(&rest(3)?))
            }
            ["down", level, "block", layer, ..] => {
                format!("{half}.down_blocks.{level}.resnets.{layer}.{}", resnet(&rest(5)?))
            }
            ["down", level, "downsample", ..] => {
                format!("{half}.down_blocks.{level}.downsamplers.0.{}", rest(4)?)
            }
            ["up", level, kind, ..] => {
                // The file counts the levels from the picture, diffusers from the latent.
                let level = levels.checked_sub(1)?.checked_sub(level.parse().ok()?)?;
                match *kind {
                    "block" => {
                        format!("{half}.up_blocks.{level}.resnets.{}.{}", parts.get(4)?, resnet(&rest(5)?))
                    }
                    "upsample" => format!("{half}.up_blocks.{level}.upsamplers.0.{}", rest(4)?),
                    _ => return None,
                }
            }
            _ => return None,
        },
        _ => return None,
    })
}

fn resnet(name: &str) -> String {
    name.replacen("nin_shortcut", "conv_shortcut", 1)
}
