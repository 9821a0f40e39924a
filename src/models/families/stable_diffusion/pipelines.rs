//! Recognition of diffusers' pipelines that use Stable Diffusion's networks.

use crate::models::ModelError;
use crate::store::{Checkpoint, StoreError};
use crate::weights::WeightsKind;

/// Pipeline classes of diffusers that use Stable Diffusion's own networks and differ only in pre- and post-processing.
/// [`TASKS`] in a class name are ignored.
const PLAIN: [&str; 30] = [
    "StableDiffusionPipeline",
    "StableDiffusionPAGPipeline",
    "StableDiffusionControlNetPipeline",
    "StableDiffusionControlNetPAGPipeline",
    "StableDiffusionControlNetXSPipeline",
    "StableDiffusionAdapterPipeline",
    "StableDiffusionAttendAndExcitePipeline",
    "StableDiffusionDiffEditPipeline",
    "StableDiffusionKDiffusionPipeline",
    "StableDiffusionModelEditingPipeline",
    "StableDiffusionPanoramaPipeline",
    "StableDiffusionParadigmsPipeline",
    "StableDiffusionPix2PixZeroPipeline",
    "StableDiffusionSAGPipeline",
    "StableDiffusionLongPromptWeightingPipeline",
    "SemanticStableDiffusionPipeline",
    "CycleDiffusionPipeline",
    "LatentConsistencyModelPipeline",
    "LEditsPPPipelineStableDiffusion",
    "TextToVideoZeroPipeline",
    "FlaxStableDiffusionPipeline",
    "StableDiffusionXLPipeline",
    "StableDiffusionXLPAGPipeline",
    "StableDiffusionXLControlNetPipeline",
    "StableDiffusionXLControlNetPAGPipeline",
    "StableDiffusionXLControlNetUnionPipeline",
    "StableDiffusionXLControlNetXSPipeline",
    "StableDiffusionXLAdapterPipeline",
    "LEditsPPPipelineStableDiffusionXL",
    "FlaxStableDiffusionXLPipeline",
];

/// Parts of class names for tasks of the same networks. The additional input channels of an inpainting UNet are read
/// from its configuration.
const TASKS: [&str; 4] = ["Img2Img", "Inpaint", "Legacy", "Safe"];

/// Additional networks that a folder may have and that are not used: name in the index, and name for display.
const UNUSED: [(&str, &str); 4] = [
    ("controlnet", "ControlNet"),
    ("adapter", "T2I adapter"),
    ("motion_adapter", "motion adapter"),
    ("prior", "prior"),
];

/// Whether a pipeline of this class uses Stable Diffusion's own networks.
fn is_plain(class: &str) -> bool {
    let without_tasks = TASKS.iter().fold(class.to_owned(), |class, task| class.replacen(task, "", 1));
    PLAIN.contains(&without_tasks.as_str())
}

/// Whether UNet, VAE and text encoders that the index lists are of Stable Diffusion's classes.
fn lists_plain_parts(checkpoint: &Checkpoint) -> bool {
    let is = |part: &str, classes: &[&str]| {
        checkpoint.part_class(part).is_some_and(|class| classes.contains(&class))
    };
    is("unet", &["UNet2DConditionModel"])
        && is("vae", &["AutoencoderKL"])
        && is("text_encoder", &["CLIPTextModel", "CLIPTextModelWithProjection"])
        && checkpoint.part_class("text_encoder_2").is_none_or(|class| class == "CLIPTextModelWithProjection")
}

/// Whether a checkpoint is Stable Diffusion's. A pipeline class that diffusers does not have is accepted if its
/// networks are.
pub(super) fn matches(checkpoint: &Checkpoint) -> bool {
    is_plain(checkpoint.class_name()) || lists_plain_parts(checkpoint)
}

/// Refuses models with Stable Diffusion's networks that cannot generate a picture on their own.
///
/// # Errors
/// [`StoreError::NotAWholeModel`] for Stable Diffusion XL's refiner.
pub(super) fn check(checkpoint: &Checkpoint) -> Result<(), ModelError> {
    let is_refiner = checkpoint.part_class("text_encoder").is_none()
        && checkpoint.part_class("text_encoder_2").is_some()
        && !checkpoint.files().contains("text_encoder/config.json");
    if is_refiner {
        return Err(
            StoreError::NotAWholeModel { kind: WeightsKind::Refiner, path: checkpoint.index_path() }.into()
        );
    }
    Ok(())
}

/// Remarks on an unknown pipeline class and on networks that are not used, one sentence each.
pub(in crate::models) fn remarks(checkpoint: &Checkpoint) -> Vec<String> {
    let class = checkpoint.class_name();
    let mut remarks = Vec::new();
    if !is_plain(class) && !class.is_empty() {
        remarks.push(format!(
            "The pipeline {class} is not known; its networks are Stable Diffusion's and are used as such."
        ));
    }
    for (part, what) in UNUSED {
        if checkpoint.part_class(part).is_some()
            || checkpoint.files().contains(&format!("{part}/config.json"))
        {
            remarks.push(format!("The folder's {what} is not used."));
        }
    }
    remarks
}

#[cfg(test)]
mod tests {
    use super::is_plain;

    #[test]
    fn pipelines_are_recognised_by_their_networks() {
        for class in [
            "StableDiffusionPipeline",
            "StableDiffusionInpaintPipeline",
            "StableDiffusionImg2ImgPipeline",
            "StableDiffusionInpaintPipelineLegacy",
            "StableDiffusionPipelineSafe",
            "StableDiffusionPAGImg2ImgPipeline",
            "StableDiffusionControlNetInpaintPipeline",
            "StableDiffusionControlNetPAGInpaintPipeline",
            "LatentConsistencyModelImg2ImgPipeline",
            "StableDiffusionSAGPipeline",
            "StableDiffusionXLPipeline",
            "StableDiffusionXLImg2ImgPipeline",
            "StableDiffusionXLInpaintPipeline",
        ] {
            assert!(is_plain(class), "{class}");
        }
        for class in [
            "StableDiffusionXLInstructPix2PixPipeline",
            "StableDiffusion3Img2ImgPipeline",
            "StableDiffusionDepth2ImgPipeline",
            "FluxPipeline",
            "MyPipeline",
            "",
            "StableDiffusionImg2ImgInpaintPipelineX",
        ] {
            assert!(!is_plain(class), "{class}");
        }
    }
}
