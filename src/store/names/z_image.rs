//! Z-Image's transformer in its original layout, as in files for ComfyUI and GGUF files: the projections to queries,
//! keys and values are fused.

use super::{Names, Origin};
use crate::weights::TensorSource;

const PREFIX: &str = "model.diffusion_model.";

/// The prefix of the transformer's tensors in a file.
pub(in super::super) fn z_image_prefix(source: &dyn TensorSource) -> &'static str {
    if source.info("layers.0.adaLN_modulation.0.weight").is_some() { "" } else { PREFIX }
}

/// The tensors of a transformer, by diffusers' names.
pub(in super::super) fn z_image_names(source: &dyn TensorSource) -> Names {
    let prefix = z_image_prefix(source);
    let mut names = Names::new();
    for original in source.names() {
        let Some(name) = original.strip_prefix(prefix) else { continue };
        if let (Some((block, kind)), Some(info)) = (name.split_once(".attention.qkv."), source.info(original))
        {
            for (index, projection) in ["to_q", "to_k", "to_v"].into_iter().enumerate() {
                let renamed = format!("{block}.attention.{projection}.{kind}");
                names.insert(renamed, Origin::rows(original, &info, index, 3));
            }
        } else {
            names.insert(diffusers_name(name), Origin::whole(original));
        }
    }
    names
}

fn diffusers_name(name: &str) -> String {
    // The key `2-1`: patches of 2×2 latent pixels and 1 frame.
    const FIRST: [(&str, &str); 2] =
        [("x_embedder.", "all_x_embedder.2-1."), ("final_layer.", "all_final_layer.2-1.")];
    const INSIDE: [(&str, &str); 3] = [
        (".attention.out.", ".attention.to_out.0."),
        (".attention.q_norm.", ".attention.norm_q."),
        (".attention.k_norm.", ".attention.norm_k."),
    ];
    for (start, renamed) in FIRST {
        if let Some(rest) = name.strip_prefix(start) {
            return format!("{renamed}{rest}");
        }
    }
    INSIDE.iter().fold(name.to_owned(), |name, (part, renamed)| name.replacen(part, renamed, 1))
}
