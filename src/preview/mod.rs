//! Shaders that decode latents into textures for the window.
//!
//! A latent is uploaded and decoded once for each [`Look`], however often it is drawn; sampling never waits for the
//! GPU.
//! Only plain textures, small uniforms and fragment passes are used, which Vulkan, Metal, DX12, GL and software
//! adapters all support.

mod cover;
mod decoder;
mod look;
mod pace;
mod picture_texture;
mod textures;
mod tiny_passes;
mod tiny_pipelines;
mod tiny_run;

pub use decoder::{Decoder, shader_sources};
pub use look::Look;
pub use textures::LatentTextures;
