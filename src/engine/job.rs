//! Generating and decoding pictures with a loaded model.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Instant;

use super::failure::{JobError, Task};
use super::outbox::Outbox;
use super::protocol::{Event, JobId, Stage};
use crate::diffusion::{DiffusionError, GuidedDenoiser, Preconditioning, Run, Schedule, Start, sample};
use crate::formats::picture::cover;
use crate::latent::{Latent, Trajectory, check_finite};
use crate::models::{Conditioning, LatentDiffusionModel};
use crate::request::{CancelToken, DecodeChoice, GenerationRequest, Picture};

/// Generates a picture. Returns its latent (model space) and the picture.
///
/// The client gets the latent before it is decoded, and the last estimate of a run that fails or panics.
pub(super) fn generate(
    model: &mut dyn LatentDiffusionModel,
    job: JobId,
    request: &GenerationRequest,
    cancel: &CancelToken,
    outbox: &Outbox,
) -> Result<(Latent, Picture), JobError> {
    let clock = Instant::now();
    let stage = |stage| outbox.send(Event::StageChanged { job, stage });
    let (prediction, format) = (model.profile().prediction, model.profile().format);
    let shape = format.latent_shape(request.size.width, request.size.height);
    let options = &request.options;
    let config = model.scheduler_config_for(shape, request.steps).with_shift(options.shift);
    let schedule = match &options.levels {
        Some(levels) => Schedule::of_levels(&config, request.sampler, levels),
        None => Schedule::new(&config, request.sampler, request.schedule, request.steps)
            .map_err(JobError::from_sampling)?,
    };
    let schedule = schedule.with_eta(options.eta);
    let conditioning = Conditioning::of_request(request);
    let guidance_scale = conditioning.classifier_free_scale(model.profile().guidance);
    // As in `GuidedDenoiser`, both prompts are in one batch with guidance.
    let batch = if guidance_scale > 1.0 { 2 } else { 1 };
    model.check_memory(shape, batch).map_err(|error| JobError::from_model(Task::Sample, error))?;
    let source = source_latent(model, request, cancel, &stage)?;
    let start = match (&source, &request.init_image) {
        (Some(latent), Some(init)) => Start::Latent { latent, strength: init.strength },
        _ => Start::Noise(shape),
    };

    stage(Stage::EncodingPrompt);
    let remarks = model.remarks_on(&conditioning);
    if !remarks.is_empty() {
        outbox.send(Event::Remarks { job, remarks });
    }
    let run = {
        let mut network = model
            .condition(&conditioning, cancel)
            .map_err(|error| JobError::from_model(Task::EncodePrompt, error))?;
        let mut denoiser = GuidedDenoiser::new(&mut *network, prediction, guidance_scale);
        denoiser.preconditioning = Preconditioning::of(&config);
        denoiser.guidance_rescale = options.guidance_rescale;
        denoiser.skip_layers = request.prompt_options.skip_layers;
        stage(Stage::Sampling);
        let (schedule, seed) = (&schedule, request.seed);
        let mut reached = Trajectory::default();
        let run = || {
            let run = Run { denoiser: &mut denoiser, config: &config, schedule, start, seed, cancel };
            sample(run, &mut |step| {
                reached.steps.push(step.clone());
                outbox.offer(Event::StepFinished { job, step });
            })
        };
        // A panic is caught to send the finished steps, and then resumed.
        let run = catch_unwind(AssertUnwindSafe(run));
        if !matches!(run, Ok(Ok(_) | Err(DiffusionError::Cancelled))) {
            send_partial(reached, job, outbox);
        }
        run.unwrap_or_else(|panic| resume_unwind(panic)).map_err(JobError::from_sampling)?
    };
    outbox.send(Event::Sampled {
        job,
        latent: run.latent.clone(),
        trajectory: Arc::new(run.trajectory),
        finished_early: run.finished_early,
    });
    let picture = decode(model, job, &run.latent, DecodeChoice::default(), cancel, outbox, clock)?;
    Ok((run.latent, picture))
}

/// Sends the client the finished steps of a failed run, which may have taken hours.
fn send_partial(reached: Trajectory, job: JobId, outbox: &Outbox) {
    if let Some(last) = reached.steps.last() {
        let latent = last.denoised.clone();
        outbox.send(Event::Sampled { job, latent, trajectory: Arc::new(reached), finished_early: true });
    }
}

/// Decodes a latent (model space), sends the client the picture and returns it.
pub(super) fn decode(
    model: &dyn LatentDiffusionModel,
    job: JobId,
    latent: &Latent,
    how: DecodeChoice,
    cancel: &CancelToken,
    outbox: &Outbox,
    clock: Instant,
) -> Result<Picture, JobError> {
    outbox.send(Event::StageChanged { job, stage: Stage::Decoding });
    check_finite(latent).map_err(|error| JobError::from_latent(&error))?;
    let decoded =
        model.decode(latent, how, cancel).map_err(|error| JobError::from_model(Task::Decode, error))?;
    outbox.send(Event::Decoded {
        job,
        picture: decoded.picture.clone(),
        notice: decoded.notice,
        elapsed_secs: clock.elapsed().as_secs_f64(),
    });
    Ok(decoded.picture)
}

/// The latent an image-to-image run starts from: the encoder's mean, without its noise.
fn source_latent(
    model: &dyn LatentDiffusionModel,
    request: &GenerationRequest,
    cancel: &CancelToken,
    stage: &dyn Fn(Stage),
) -> Result<Option<Latent>, JobError> {
    let Some(init) = &request.init_image else { return Ok(None) };
    stage(Stage::EncodingPicture);
    let encoded = model
        .encode(&cover(&init.picture, request.size), cancel)
        .map_err(|error| JobError::from_model(Task::EncodeSource, error))?;
    Ok(Some(encoded.mean))
}
