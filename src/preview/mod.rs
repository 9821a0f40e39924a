//! Latents ↔ GPU: pipelines, uniforms, paint callbacks.
