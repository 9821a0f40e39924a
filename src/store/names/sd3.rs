//! Stable Diffusion 3's transformer in Stability's layout (`joint_blocks`).

use super::{Names, Origin, count};
use crate::weights::TensorSource;

const PREFIX: &str = "model.diffusion_model.";

/// The structure of a transformer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Sd3Shape {
    prefix: &'static str,
    /// Number of joint blocks.
    pub(in super::super) blocks: usize,
    /// Indices of the blocks with a second attention over the picture tokens only.
    pub(in super::super) dual: Vec<usize>,
    /// Width of the hidden states.
    pub(in super::super) width: usize,
    /// Channels of a latent.
    pub(in super::super) channels: usize,
    /// Edge of a patch, latent pixels.
    pub(in super::super) patch: usize,
    /// Width of the text embedding, and of the pooled one.
    pub(in super::super) text: usize,
    pub(in super::super) pooled: usize,
    /// Edge of the square table of position embeddings, patches.
    pub(in super::super) positions: usize,
    /// Whether queries and keys are normalised.
    pub(in super::super) norms: bool,
}

/// Derives the structure from the names and shapes of the tensors; `None` if there is no such transformer.
pub(in super::super) fn sd3_shape(source: &dyn TensorSource) -> Option<Sd3Shape> {
    let prefix = if source.info("x_embedder.proj.weight").is_some() { "" } else { PREFIX };
    let shape = |name: &str| source.info(&format!("{prefix}{name}")).map(|info| info.shape);
    let edge = |name: &str, axis: usize| shape(name)?.get(axis).copied();
    let has = |name: String| shape(&name).is_some();
    let blocks = count(|i| has(format!("joint_blocks.{i}.x_block.attn.proj.weight")));
    let positions = *shape("pos_embed")?.get(1)?;
    Some(Sd3Shape {
        prefix,
        blocks,
        dual: (0..blocks).filter(|i| has(format!("joint_blocks.{i}.x_block.attn2.proj.weight"))).collect(),
        width: edge("x_embedder.proj.weight", 0)?,
        channels: edge("x_embedder.proj.weight", 1)?,
        patch: edge("x_embedder.proj.weight", 2)?,
        text: edge("context_embedder.weight", 1)?,
        pooled: edge("y_embedder.mlp.0.weight", 1)?,
        positions: positions.isqrt(),
        norms: has("joint_blocks.0.x_block.attn.ln_q.weight".to_owned()),
    })
}

/// The tensors of a transformer of this structure, by diffusers' names.
pub(in super::super) fn sd3_names(source: &dyn TensorSource, shape: &Sd3Shape) -> Names {
    const PLAIN: [(&str, &str); 8] = [
        ("x_embedder.proj.", "pos_embed.proj."),
        ("t_embedder.mlp.0.", "time_text_embed.timestep_embedder.linear_1."),
        ("t_embedder.mlp.2.", "time_text_embed.timestep_embedder.linear_2."),
        ("y_embedder.mlp.0.", "time_text_embed.text_embedder.linear_1."),
        ("y_embedder.mlp.2.", "time_text_embed.text_embedder.linear_2."),
        ("context_embedder.", "context_embedder."),
        ("final_layer.linear.", "proj_out."),
        ("pos_embed", "pos_embed.pos_embed"),
    ];
    let mut names = Names::new();
    for original in source.names() {
        let (Some(name), Some(info)) = (original.strip_prefix(shape.prefix), source.info(original)) else {
            continue;
        };
        if let Some((block, rest)) = name.strip_prefix("joint_blocks.").and_then(|rest| rest.split_once('.'))
        {
            let is_last = block.parse() == Ok(shape.blocks.saturating_sub(1));
            let block = format!("transformer_blocks.{block}");
            for (renamed, origin) in in_block(source, original, rest, is_last) {
                names.insert(format!("{block}.{renamed}"), origin);
            }
        } else if let Some(kind) = name.strip_prefix("final_layer.adaLN_modulation.1.") {
            // The file stores shift and scale; diffusers expects scale and shift.
            names.insert(format!("norm_out.linear.{kind}"), Origin::halves_exchanged(original, &info));
        } else if let Some((start, renamed)) = PLAIN.iter().find(|(start, _)| name.starts_with(start)) {
            names.insert(format!("{renamed}{}", &name[start.len()..]), Origin::whole(original));
        }
    }
    names
}

/// The diffusers tensors within a block that a tensor of the file contains.
fn in_block(source: &dyn TensorSource, original: &str, name: &str, is_last: bool) -> Vec<(String, Origin)> {
    let streams = [
        ("x_block.", "norm1", ["to_q", "to_k", "to_v"], "to_out.0", ["norm_q", "norm_k"], "ff"),
        (
            "context_block.",
            "norm1_context",
            ["add_q_proj", "add_k_proj", "add_v_proj"],
            "to_add_out",
            ["norm_added_q", "norm_added_k"],
            "ff_context",
        ),
    ];
    let Some(info) = source.info(original) else { return Vec::new() };
    for (stream, norm, projections, out, head_norms, feed_forward) in streams {
        let Some(name) = name.strip_prefix(stream) else { continue };
        for attention in ["attn", "attn2"] {
            let Some(inside) = name.strip_prefix(attention).and_then(|name| name.strip_prefix('.')) else {
                continue;
            };
            let of = |name: &str| format!("{attention}.{name}");
            if let Some(kind) = inside.strip_prefix("qkv.") {
                let part = |(index, projection): (usize, &str)| {
                    (of(&format!("{projection}.{kind}")), Origin::rows(original, &info, index, 3))
                };
                return projections.into_iter().enumerate().map(part).collect();
            }
            let renamed = match inside.split_once('.') {
                Some(("proj", kind)) => of(&format!("{out}.{kind}")),
                Some(("ln_q", kind)) => of(&format!("{}.{kind}", head_norms[0])),
                Some(("ln_k", kind)) => of(&format!("{}.{kind}", head_norms[1])),
                _ => return Vec::new(),
            };
            return vec![(renamed, Origin::whole(original))];
        }
        if let Some(kind) = name.strip_prefix("adaLN_modulation.1.") {
            // The last block does not update the text, so diffusers uses the final layer's norm there, with scale
            // before shift.
            let exchanged = is_last && stream == "context_block.";
            let origin =
                if exchanged { Origin::halves_exchanged(original, &info) } else { Origin::whole(original) };
            return vec![(format!("{norm}.linear.{kind}"), origin)];
        }
        if let Some(kind) = name.strip_prefix("mlp.fc1.") {
            return vec![(format!("{feed_forward}.net.0.proj.{kind}"), Origin::whole(original))];
        }
        if let Some(kind) = name.strip_prefix("mlp.fc2.") {
            return vec![(format!("{feed_forward}.net.2.{kind}"), Origin::whole(original))];
        }
    }
    Vec::new()
}
