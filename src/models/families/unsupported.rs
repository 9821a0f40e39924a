//! Pipelines that are known but not supported, with the reason for each.

/// Beginnings of pipeline class names, and why such models are not supported.
const UNSUPPORTED: [(&str, &str); 17] = [
    ("StableDiffusionXLInstructPix2Pix", "its UNet also takes the picture that is edited"),
    ("StableDiffusionDepth2Img", "its UNet also takes a depth map"),
    ("StableDiffusionUpscale", "its UNet also takes the picture that is enlarged"),
    ("StableDiffusionLatentUpscale", "its UNet also takes the latent that is enlarged"),
    ("StableDiffusionImageVariation", "it is steered by a picture and not by a prompt"),
    ("StableDiffusionInstructPix2Pix", "its UNet also takes the picture that is edited"),
    ("StableDiffusionLDM3D", "its autoencoder also makes a depth map"),
    ("StableDiffusionGLIGEN", "its UNet also takes boxes"),
    ("StableUnCLIP", "its UNet also takes an embedding of a picture"),
    ("OnnxStableDiffusion", "its weights are in the ONNX format"),
    ("StableDiffusionOnnx", "its weights are in the ONNX format"),
    ("OVStableDiffusion", "its weights are in OpenVINO's format"),
    ("AltDiffusion", "its text encoder is XLM-RoBERTa"),
    ("PaintByExample", "it is steered by a picture and not by a prompt"),
    ("AnimateDiff", "it makes videos"),
    ("Flux2Pipeline", "its text encoder is Mistral Small 3; FLUX.2 klein opens"),
    ("Kandinsky", "its networks are of another kind"),
];

/// Why models of this pipeline class are not supported; `None` for other classes.
pub(super) fn reason(class: &str) -> Option<&'static str> {
    UNSUPPORTED.iter().find(|(start, _)| class.starts_with(start)).map(|(_, why)| *why)
}
