//! Latents ↔ GPU: decoded by shaders into textures the window draws.
//!
//! A latent is uploaded and decoded once for each [`Look`], however often it is drawn: frames cost
//! nothing more, and the sampler never waits. Only plain textures, small uniforms and fragment
//! passes are used, so that it works on Vulkan, Metal, DX12, GL and software adapters alike.

mod decoder;
mod look;
mod textures;

pub use decoder::{Decoder, shader_sources};
pub use look::Look;
pub use textures::LatentTextures;
