//! Files ↔ values: pictures, embedded metadata, latents.
