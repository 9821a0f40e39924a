//! What is read, checked and known alike of models of all families of flow transformers.

use super::flow_model::VAE;
use crate::catalog::{GuidanceKind, ImageSize, ModelDefaults, ModelProfile};
use crate::diffusion::SchedulerConfig;
use crate::latent::LatentFormat;
use crate::models::ModelError;
use crate::networks::NetworkError;
use crate::networks::autoencoder::AutoencoderConfig;
use crate::store::Checkpoint;

const SCHEDULER_FILE: &str = "scheduler/scheduler_config.json";
/// Latent pixels of an edge of the pictures that most families' networks were trained on.
pub(super) const LATENT_EDGE: usize = 128;

/// The configuration of a part.
pub(super) fn read_part<C: serde::de::DeserializeOwned>(
    checkpoint: &Checkpoint,
    part: &'static str,
    check: impl FnOnce(&C) -> Result<(), NetworkError>,
) -> Result<C, ModelError> {
    let config = checkpoint.files().json(&format!("{part}/config.json"))?;
    check(&config).map_err(ModelError::in_part(part))?;
    Ok(config)
}

/// The configuration of the VAE.
pub(super) fn read_vae(checkpoint: &Checkpoint) -> Result<AutoencoderConfig, ModelError> {
    read_part(checkpoint, VAE, AutoencoderConfig::check)
}

/// The scheduler's configuration. `used`: as the family's pipeline uses it.
///
/// # Errors
/// [`ModelError::Scheduler`] and, for a scheduler of other noise than a flow's, [`ModelError::Mismatch`].
pub(super) fn read_scheduler(
    checkpoint: &Checkpoint,
    family: &str,
    used: impl FnOnce(SchedulerConfig) -> SchedulerConfig,
) -> Result<SchedulerConfig, ModelError> {
    let files = checkpoint.files();
    let mut scheduler: SchedulerConfig = files.json(SCHEDULER_FILE)?;
    if scheduler.class_name.is_empty() {
        checkpoint.part_class("scheduler").unwrap_or_default().clone_into(&mut scheduler.class_name);
    }
    let scheduler = used(scheduler);
    let path = files.path(SCHEDULER_FILE);
    scheduler.check().map_err(|cause| ModelError::Scheduler { cause, path })?;
    if scheduler.is_flow() {
        return Ok(scheduler);
    }
    Err(ModelError::Mismatch(format!(
        "the transformer predicts a flow, and the scheduler {} is for other noise; {family}'s own is \
         FlowMatchEulerDiscreteScheduler",
        scheduler.class_name
    )))
}

/// Whether what the transformer takes is as wide as what another part gives.
///
/// # Errors
/// [`ModelError::Mismatch`].
pub(super) fn check_width(what: &str, taken: usize, by: &str, given: usize) -> Result<(), ModelError> {
    if taken == given {
        return Ok(());
    }
    let message = format!("the transformer takes {what} of width {taken}, but {by} gives {given}");
    Err(ModelError::Mismatch(message))
}

/// The names of a model: its folder's, that of the model it came from, and its pipeline's, in lower case.
pub(super) fn names(checkpoint: &Checkpoint) -> String {
    let name = checkpoint.files().name();
    [name.as_str(), checkpoint.origin(), checkpoint.class_name()].join(" ").to_lowercase()
}

/// What is special about a family's profile, or one of its models'.
pub(super) struct Special {
    /// The family, for people.
    pub(super) family: &'static str,
    pub(super) guidance: GuidanceKind,
    pub(super) steps: usize,
    pub(super) guidance_scale: f64,
    /// Latent pixels of an edge of the suggested picture.
    pub(super) latent_edge: usize,
    pub(super) remarks: Vec<String>,
}

/// What the configuration says of a model; the VAE's hash is not known yet.
pub(super) fn profile_of(
    checkpoint: &Checkpoint,
    vae: &AutoencoderConfig,
    scheduler: &SchedulerConfig,
    parameters: u64,
    special: Special,
) -> ModelProfile {
    let format = LatentFormat {
        channels: vae.latent_channels,
        downscale: vae.downscale(),
        scale: vae.scaling_factor,
        shift: vae.shift_factor.unwrap_or(0.0),
    };
    // A token is a patch of 2×2 latent pixels.
    let size_multiple = 2 * format.downscale;
    let edge = (special.latent_edge * format.downscale).next_multiple_of(size_multiple);
    let mut remarks = scheduler.remarks();
    remarks.extend(special.remarks);
    if checkpoint.part_class("controlnet").is_some() {
        remarks.push("The folder's ControlNet is not used.".to_owned());
    }
    ModelProfile {
        source: checkpoint.source().clone(),
        name: checkpoint.files().name(),
        family: special.family,
        format,
        prediction: scheduler.prediction_type,
        size_multiple,
        defaults: ModelDefaults {
            size: ImageSize::new(edge, edge),
            steps: special.steps,
            guidance_scale: special.guidance_scale,
            sampler: scheduler.suggested_sampler(),
        },
        guidance: special.guidance,
        step_limits: scheduler.step_limits(),
        remarks,
        added_tokens: Vec::new(),
        parameters,
        vae_hash: String::new(),
    }
}
