//! Diffusion transformers over text and image tokens: FLUX.1 to FLUX.3, Chroma, Stable Diffusion 3, Z-Image.
//!
//! Source: Peebles & Xie 2023, <https://arxiv.org/abs/2212.09748>, and Esser et al. 2024,
//! <https://arxiv.org/abs/2403.03206>, as implemented in diffusers.

mod attention;
pub mod chroma;
mod config_checks;
mod embedding;
pub mod flux;
pub mod flux2;
pub mod flux3;
mod joint_block;
mod patches;
pub mod sd3;
pub mod z_image;

pub use patches::{PatchOrder, latent_from_patches, patches};
