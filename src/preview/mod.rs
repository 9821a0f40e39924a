//! Shaders that decode latents into textures for the window.
//!
//! A latent is uploaded and decoded once for each [`Look`], however often it is drawn; sampling never waits for the
//! GPU.
//! Only plain textures, small uniforms and fragment passes are used, which Vulkan, Metal, DX12, GL and software
//! adapters all support.

mod decoder;
mod look;
mod textures;

pub use decoder::{Decoder, shader_sources};
pub use look::Look;
pub use textures::LatentTextures;
