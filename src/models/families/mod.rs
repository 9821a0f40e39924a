//! Model families: recognition of checkpoints, profiles, and loading.
//!
//! A family is a folder here and a row of [`FAMILIES`]; nothing else knows it by name.

mod chroma;
mod clip_reader;
mod flow_family;
mod flow_model;
mod flow_profile;
mod flux;
mod flux2;
mod flux3;
mod plain_prompt;
mod qwen3_reader;
mod stable_diffusion;
mod stable_diffusion_3;
mod t5_reader;
mod token_denoiser;
mod unsupported;
mod word_watch;
mod z_image;

use self::flow_model::FlowModels;
pub(super) use self::stable_diffusion::{Probe, ProbedText};
use super::{LatentDiffusionModel, MemoryNeed, ModelError, ModelSettings};
use crate::catalog::ModelProfile;
use crate::request::CancelToken;
use crate::store::{Checkpoint, StoreError};

/// Progress callback of loading: the name of the part that is loaded next, the number of parts loaded, and their total.
pub type Progress<'a> = dyn FnMut(&str, usize, usize) + 'a;

/// A family of models that share an architecture.
pub trait ModelFamily: Sync {
    /// Whether a checkpoint is of this family.
    fn matches(&self, checkpoint: &Checkpoint) -> bool;
    /// The profile of a checkpoint of this family, from its configuration and the headers of its weights.
    fn profile(&self, checkpoint: &Checkpoint) -> Result<ModelProfile, ModelError>;
    /// The memory that a checkpoint of this family needs.
    fn memory_need(&self, checkpoint: &Checkpoint) -> Result<MemoryNeed, ModelError>;
    /// Loads a checkpoint of this family.
    fn load(
        &self,
        checkpoint: &Checkpoint,
        settings: ModelSettings,
        progress: &mut Progress<'_>,
        cancel: &CancelToken,
    ) -> Result<Box<dyn LatentDiffusionModel>, ModelError>;
}

/// All supported families. The first that matches a checkpoint loads it.
pub const FAMILIES: &[&dyn ModelFamily] = &[
    &stable_diffusion::StableDiffusionFamily,
    &FlowModels::<stable_diffusion_3::StableDiffusion3>::NEW,
    &FlowModels::<chroma::Chroma>::NEW,
    &FlowModels::<flux::Flux>::NEW,
    &FlowModels::<flux2::Flux2>::NEW,
    &FlowModels::<flux3::Flux3>::NEW,
    &FlowModels::<z_image::ZImage>::NEW,
];

/// The first of `families` that matches a checkpoint.
///
/// # Errors
/// [`StoreError::UnsupportedFamily`] if none does, and [`StoreError::Damaged`] where the index does not name a
/// pipeline.
pub fn family_of<'a>(
    families: &[&'a dyn ModelFamily],
    checkpoint: &Checkpoint,
) -> Result<&'a dyn ModelFamily, ModelError> {
    let (class, path) = (checkpoint.class_name().to_owned(), checkpoint.index_path());
    if let Some(why) = unsupported::reason(&class) {
        return Err(StoreError::UnsupportedFamily { class, why: why.to_owned(), path }.into());
    }
    if let Some(family) = families.iter().copied().find(|family| family.matches(checkpoint)) {
        return Ok(family);
    }
    if class.is_empty() {
        let reason = "‘_class_name’, which names the pipeline, is not in it".to_owned();
        return Err(StoreError::Damaged { reason, path }.into());
    }
    let why =
        "only Stable Diffusion 1.x, 2.x, XL and 3, FLUX.1, FLUX.2 klein, FLUX.3 Klein, Chroma and Z-Image are".to_owned();
    Err(StoreError::UnsupportedFamily { class, why, path }.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::ModelSource;

    fn remarks(index: &str) -> Result<Vec<String>, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("model_index.json"), index).unwrap();
        let family = |checkpoint: &Checkpoint| family_of(FAMILIES, checkpoint).map(|_| ());
        Checkpoint::open(&ModelSource::Folder(folder.path().to_owned()))
            .map_err(ModelError::from)
            .and_then(|checkpoint| family(&checkpoint).map(|()| stable_diffusion::remarks(&checkpoint)))
            .map_err(|error| error.to_string().replace(&*folder.path().to_string_lossy(), "…"))
    }

    #[test]
    fn unused_parts_are_remarked_on() {
        let parts = r#""unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"],
            "text_encoder": ["transformers", "CLIPTextModel"], "safety_checker": [null, null]"#;
        let class = "StableDiffusionControlNetPipeline";
        let index = format!(
            r#"{{"_class_name": "{class}", "controlnet": ["diffusers", "ControlNetModel"], "adapter": [null, null], {parts}}}"#
        );
        assert_eq!(remarks(&index).unwrap(), ["The folder's ControlNet is not used."]);
        let own = format!(r#"{{"_class_name": "MyPipeline", "_name_or_path": null, {parts}}}"#);
        assert!(remarks(&own).unwrap()[0].contains("MyPipeline"));
        assert!(remarks(&format!("{{{parts}}}")).unwrap().is_empty());
    }

    #[test]
    fn refused_models_state_the_reason() {
        for (index, expected) in [
            (
                r#"{"_class_name": "KandinskyV22Pipeline"}"#,
                "KandinskyV22Pipeline models are not supported yet: its networks are of another kind: …/model_index.json",
            ),
            (
                r#"{"_class_name": "AuraFlowPipeline"}"#,
                "AuraFlowPipeline models are not supported yet: only Stable Diffusion 1.x, 2.x, XL and 3, FLUX.1, FLUX.2 klein, FLUX.3 Klein, Chroma and Z-Image are: …/model_index.json",
            ),
            (
                "{}",
                "the file is not what it should be: ‘_class_name’, which names the pipeline, is not in it: …/model_index.json",
            ),
            (
                r#"{"error": "Access to model x is restricted."}"#,
                "the file is not what it should be: it is a server's answer ‘Access to model x is restricted.’; download it again: …/model_index.json",
            ),
            (
                "<html>log in</html>",
                "the file is not what it should be: it is a web page (HTML) (download the file again, logged in where its page asks for it): …/model_index.json",
            ),
            (
                "Entry not found",
                "the file is not what it should be: it is a text that begins ‘Entry not found’ (if it should be something else, download it again): …/model_index.json",
            ),
        ] {
            assert_eq!(remarks(index).unwrap_err(), expected);
        }
    }
}
