//! Reading and checking of configurations, for all flow-transformer families.

use crate::catalog::GuidanceKind;
use crate::diffusion::SchedulerConfig;
use crate::latent::LatentShape;
use crate::models::ModelError;
use crate::networks::NetworkError;
use crate::networks::clip::ClipTextConfig;
use crate::store::Checkpoint;

/// The VAE's name in diffusers' layout.
pub(super) const VAE: &str = "vae";
const SCHEDULER_FILE: &str = "scheduler/scheduler_config.json";
/// Edge of the latents that most families' networks were trained on, latent pixels.
pub(super) const LATENT_EDGE: usize = 128;

/// Reads and checks the configuration of a part.
pub(super) fn read_part<C: serde::de::DeserializeOwned>(
    checkpoint: &Checkpoint,
    part: &'static str,
    check: impl FnOnce(&C) -> Result<(), NetworkError>,
) -> Result<C, ModelError> {
    let config = checkpoint.files().json(&format!("{part}/config.json"))?;
    check(&config).map_err(ModelError::in_part(part))?;
    Ok(config)
}

/// Reads and checks the configuration of a CLIP text encoder.
pub(super) fn read_clip(checkpoint: &Checkpoint, part: &'static str) -> Result<ClipTextConfig, ModelError> {
    let config = read_part::<ClipTextConfig>(checkpoint, part, |_| Ok(()))?.of_text();
    config.check().map_err(ModelError::in_part(part))?;
    Ok(config)
}

/// Reads and checks the scheduler's configuration. `used`: adapts it as the family's pipeline does.
///
/// # Errors
/// [`ModelError::Scheduler`], and [`ModelError::Mismatch`] for a scheduler that is not one of flow matching.
pub(super) fn read_scheduler(
    checkpoint: &Checkpoint,
    family: &str,
    without_file: Option<SchedulerConfig>,
    used: impl FnOnce(SchedulerConfig) -> SchedulerConfig,
) -> Result<SchedulerConfig, ModelError> {
    let files = checkpoint.files();
    let mut scheduler = match without_file {
        Some(scheduler) if !files.contains(SCHEDULER_FILE) => scheduler,
        _ => files.json::<SchedulerConfig>(SCHEDULER_FILE)?,
    };
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
        "the transformer predicts a flow, and the scheduler {} is not a flow-matching one; {family}'s own is \
         FlowMatchEulerDiscreteScheduler",
        scheduler.class_name
    )))
}

/// Checks that the text encoder has the layers whose hidden states are used.
///
/// # Errors
/// [`ModelError::Mismatch`].
pub(super) fn check_text_layers(used: &[usize], layers: usize) -> Result<(), ModelError> {
    match used.iter().find(|layer| **layer > layers) {
        Some(layer) => Err(ModelError::Mismatch(format!(
            "the hidden states after layer {layer} of the text encoder are used, but it has {layers} layers"
        ))),
        None => Ok(()),
    }
}

/// Image tokens of a latent: a token is a patch of 2×2 latent pixels.
pub(super) fn image_tokens(latent: LatentShape) -> usize {
    (latent.height / 2) * (latent.width / 2)
}

/// Checks that the transformer's input is as wide as another part's output. `what` and `by` name the two in the
/// message.
///
/// # Errors
/// [`ModelError::Mismatch`] if it is not.
pub(super) fn check_width(what: &str, taken: usize, by: &str, given: usize) -> Result<(), ModelError> {
    if taken == given {
        return Ok(());
    }
    let message = format!("the transformer takes {what} of width {taken}, but {by} gives {given}");
    Err(ModelError::Mismatch(message))
}

/// The values of a profile that depend on the model.
pub(super) struct Special {
    pub(super) guidance: GuidanceKind,
    pub(super) steps: usize,
    pub(super) guidance_scale: f64,
    /// Edge of the default picture, latent pixels.
    pub(super) latent_edge: usize,
    pub(super) remarks: Vec<String>,
}
