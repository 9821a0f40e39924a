//! One generation, from prompt to picture.

use std::sync::Arc;
use std::time::Instant;

use super::failure::{JobError, Task};
use super::protocol::{Event, JobId, Stage};
use super::worker::Outbox;
use crate::diffusion::{GuidedDenoiser, NoiseSource, Schedule, Start, sample};
use crate::formats::picture::cover;
use crate::latent::Latent;
use crate::models::LatentDiffusionModel;
use crate::request::{CancelToken, DecodeChoice, GenerationRequest, Picture};

/// Draws one picture with a loaded model; gives latent and picture. The latent is handed over before it is decoded.
pub(super) fn generate(
    model: &mut dyn LatentDiffusionModel,
    job: JobId,
    request: &GenerationRequest,
    cancel: &CancelToken,
    outbox: &Outbox,
) -> Result<(Latent, Picture), JobError> {
    let clock = Instant::now();
    let stage = |stage| outbox.send(Event::StageChanged { job, stage });
    let config = model.scheduler_config().clone();
    let (prediction, format) = (model.profile().prediction, model.profile().format);
    let schedule = Schedule::new(&config, request.sampler, request.schedule, request.steps)
        .map_err(JobError::from_sampling)?;
    let source = source_latent(model, request, cancel, &stage)?;
    let start = match (&source, &request.init_image) {
        (Some(latent), Some(init)) => Start::Latent { latent, strength: init.strength },
        _ => Start::Noise(format.latent_shape(request.size.width, request.size.height)),
    };

    stage(Stage::EncodingPrompt);
    let device = model.device().clone();
    let run = {
        let mut predictor = model
            .condition(&request.prompt, &request.negative_prompt, cancel)
            .map_err(|error| JobError::from_model(Task::EncodePrompt, error))?;
        let mut denoiser =
            GuidedDenoiser { predictor: &mut *predictor, prediction, guidance_scale: request.guidance_scale };
        stage(Stage::Sampling);
        let mut noise = NoiseSource::new(request.seed);
        sample(
            &mut denoiser,
            &config,
            request.sampler,
            &schedule,
            &start,
            &mut noise,
            &device,
            cancel,
            &mut |report| {
                outbox.offer(Event::StepFinished {
                    job,
                    step: report.step,
                    steps: report.steps,
                    sigma: report.state.sigma,
                    noisy: report.state.noisy.clone(),
                    denoised: report.state.denoised.clone(),
                    elapsed_secs: report.elapsed_secs,
                });
            },
        )
        .map_err(JobError::from_sampling)?
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

/// Decodes a latent, hands the picture over and gives it.
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
