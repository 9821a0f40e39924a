//! The folders in which programs for pictures keep models: where a model's parts lie beside it, and what a library finds.

/// What a folder holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// Whole models and denoisers.
    Denoisers,
    /// Text encoders and autoencoders.
    Parts,
    /// Other networks.
    Others,
}

/// A folder of a program, by its path in the program's own folder.
pub(super) type ModelFolder = (&'static str, Holds);

/// ComfyUI's. The names are also the keys of its `extra_model_paths.yaml`.
pub(super) const COMFYUI: [ModelFolder; 11] = [
    ("models/checkpoints", Holds::Denoisers),
    ("models/diffusion_models", Holds::Denoisers),
    ("models/unet", Holds::Denoisers),
    ("models/text_encoders", Holds::Parts),
    ("models/clip", Holds::Parts),
    ("models/vae", Holds::Parts),
    ("models/vae_approx", Holds::Others),
    ("models/loras", Holds::Others),
    ("models/controlnet", Holds::Others),
    ("models/upscale_models", Holds::Others),
    ("models/embeddings", Holds::Others),
];

/// AUTOMATIC1111's and Forge's.
pub(super) const AUTOMATIC1111: [ModelFolder; 12] = [
    ("models/Stable-diffusion", Holds::Denoisers),
    ("models/VAE", Holds::Parts),
    ("models/text_encoder", Holds::Parts),
    ("models/VAE-approx", Holds::Others),
    ("models/Lora", Holds::Others),
    ("models/LyCORIS", Holds::Others),
    ("models/ControlNet", Holds::Others),
    ("models/ESRGAN", Holds::Others),
    ("models/RealESRGAN", Holds::Others),
    ("models/SwinIR", Holds::Others),
    ("models/DAT", Holds::Others),
    ("embeddings", Holds::Others),
];

/// Those of a folder in diffusers' layout.
const DIFFUSERS: [ModelFolder; 5] = [
    ("transformer", Holds::Denoisers),
    ("unet", Holds::Denoisers),
    ("text_encoder", Holds::Parts),
    ("text_encoder_2", Holds::Parts),
    ("vae", Holds::Parts),
];

/// The last component of a folder's path.
pub(super) fn name(folder: ModelFolder) -> &'static str {
    folder.0.rsplit('/').next().unwrap_or_default()
}

/// The names of all folders that hold this, each once, ComfyUI's first.
pub(super) fn names_of(holds: Holds) -> Vec<&'static str> {
    let mut names = Vec::new();
    for folder in COMFYUI.into_iter().chain(AUTOMATIC1111).chain(DIFFUSERS) {
        if folder.1 == holds && !names.contains(&name(folder)) {
            names.push(name(folder));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_have_one_name_each() {
        let denoisers = ["checkpoints", "diffusion_models", "unet", "Stable-diffusion", "transformer"];
        assert_eq!(names_of(Holds::Denoisers), denoisers);
        let parts = ["text_encoders", "clip", "vae", "VAE", "text_encoder", "text_encoder_2"];
        assert_eq!(names_of(Holds::Parts), parts);
    }
}
