//! Generating and decoding pictures with a loaded model.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Instant;

use super::failure::{JobError, Task};
use super::keeping::Keeping;
use super::outbox::Outbox;
use super::protocol::{Event, JobId, Stage};
use super::run_job::RunJob;
use crate::diffusion::{
    GuidedDenoiser, Preconditioning, Run, RunPart, SampledRun, Schedule, SchedulerConfig, Start, Watcher,
    sample,
};
use crate::formats::picture::cover;
use crate::latent::{Latent, LatentShape, Trajectory, TrajectoryStep, check_finite};
use crate::models::{Conditioning, LatentDiffusionModel};
use crate::request::{
    CancelToken, Continuation, DecodeChoice, FinishedPart, GenerationRequest, Picture, Seed, Watch, Watched,
};

/// Generates a picture. Returns its latent (model space) and the picture.
///
/// The client gets the latent before it is decoded, and the last estimate of a run that fails or panics.
pub(super) fn generate(
    model: &mut dyn LatentDiffusionModel,
    run: &RunJob<'_>,
    keeping: &mut Keeping<'_>,
    watch: &Watch,
    outbox: &Outbox,
) -> Result<(Latent, Picture), JobError> {
    let clock = Instant::now();
    let RunJob { id: job, cancel, .. } = *run;
    let begun = BegunRun::new(model, run, outbox)?;
    keeping.begin(model.profile(), run, begun.source.as_ref());
    let mut reached = Trajectory { source: begun.source.clone(), steps: Vec::new() };
    let sampling = || {
        begun.sample(model, run, watch, outbox, &mut |step| {
            reached.steps.push(step.clone());
            keeping.step(&step);
            outbox.offer(Event::StepFinished { job, step });
        })
    };
    // A panic is caught to send the finished steps, and then resumed.
    let sampled = catch_unwind(AssertUnwindSafe(sampling));
    if !matches!(sampled, Ok(Ok(_) | Err(JobError::Cancelled))) {
        send_partial(reached, job, outbox);
    }
    let sampled = sampled.unwrap_or_else(|panic| resume_unwind(panic))?;
    keeping.sampled(&sampled.latent, sampled.finished_early);
    outbox.send(Event::Sampled {
        job,
        latent: sampled.latent.clone(),
        trajectory: Arc::new(sampled.trajectory),
        finished_early: sampled.finished_early,
    });
    let picture = decode(model, job, &sampled.latent, DecodeChoice::default(), cancel, outbox, clock)?;
    keeping.picture(&picture);
    Ok((sampled.latent, picture))
}

/// Takes the step of a run after those that are finished once more, to look into it. Nothing else is sent, decoded or
/// kept.
pub(super) fn look_inside(
    model: &mut dyn LatentDiffusionModel,
    run: &RunJob<'_>,
    watched: Watched,
    outbox: &Outbox,
) -> Result<(), JobError> {
    let begun = BegunRun::new(model, run, outbox)?;
    let wanted = run.continues.map_or(0, |run| run.finished.steps.len()) + 1;
    begun.sample(model, run, &Watch::on(watched), outbox, &mut |step| {
        if step.step == wanted {
            run.cancel.finish();
        }
    })?;
    Ok(())
}

/// What a run needs besides its model.
struct BegunRun {
    parts: Vec<PlannedPart>,
    shape: LatentShape,
    /// The latent of the source picture, model space.
    source: Option<Latent>,
    conditioning: Conditioning,
    guidance_scale: f64,
}

impl BegunRun {
    /// Checks that there is memory for the run, and encodes its source picture.
    fn new(model: &dyn LatentDiffusionModel, run: &RunJob<'_>, outbox: &Outbox) -> Result<Self, JobError> {
        let RunJob { id: job, request, continues, cancel } = *run;
        let format = model.profile().format;
        let shape = format.latent_shape(request.size.width, request.size.height);
        let parts = PlannedPart::of_run(model, request, continues, shape)?;
        let conditioning = Conditioning::of_request(request);
        let guidance_scale = conditioning.classifier_free_scale(model.profile().guidance);
        // As in `GuidedDenoiser`, both prompts are in one batch with guidance.
        let batch = if guidance_scale > 1.0 { 2 } else { 1 };
        model.check_memory(shape, batch).map_err(|error| JobError::from_model(Task::Sample, error))?;
        let stage = |stage| outbox.send(Event::StageChanged { job, stage });
        let source = match continues {
            Some(run) => run.finished.source.clone(),
            None => source_latent(model, request, cancel, &stage)?,
        };
        Ok(Self { parts, shape, source, conditioning, guidance_scale })
    }

    /// Encodes the prompts and takes the steps. The client gets what is watched.
    fn sample(
        &self,
        model: &mut dyn LatentDiffusionModel,
        run: &RunJob<'_>,
        watch: &Watch,
        outbox: &Outbox,
        on_step: &mut dyn FnMut(Arc<TrajectoryStep>),
    ) -> Result<SampledRun, JobError> {
        let RunJob { id: job, request, continues, cancel } = *run;
        let begun = continues.map_or(request, |run| &run.parts[0].request);
        let start = match (&self.source, &begun.init_image) {
            (Some(latent), Some(init)) => Start::Latent { latent, strength: init.strength },
            _ => Start::Noise(self.shape),
        };
        outbox.send(Event::StageChanged { job, stage: Stage::EncodingPrompt });
        let remarks = model.remarks_on(&self.conditioning);
        if !remarks.is_empty() {
            outbox.send(Event::Remarks { job, remarks });
        }
        let prediction = model.profile().prediction;
        let mut network = model
            .condition(&self.conditioning, cancel)
            .map_err(|error| JobError::from_model(Task::EncodePrompt, error))?;
        let mut tell =
            |step, insight| outbox.send(Event::SeenInside { job, step, insight: Arc::new(insight) });
        let mut denoiser = GuidedDenoiser::new(&mut *network, prediction, self.guidance_scale);
        denoiser.preconditioning = Preconditioning::of(&self.parts[self.parts.len() - 1].config);
        denoiser.guidance_rescale = request.options.guidance_rescale;
        denoiser.skip_layers = request.prompt_options.skip_layers;
        denoiser.watcher = Some(Watcher { watch, tell: &mut tell });
        outbox.send(Event::StageChanged { job, stage: Stage::Sampling });
        let parts: Vec<RunPart<'_>> = self.parts.iter().map(PlannedPart::view).collect();
        let recorded = continues.map_or(&[][..], |run| &run.finished.steps);
        let run = Run { denoiser: &mut denoiser, parts: &parts, recorded, start, seed: begun.seed, cancel };
        sample(run, on_step).map_err(JobError::from_sampling)
    }
}

/// A part of a run with its noise levels.
struct PlannedPart {
    config: SchedulerConfig,
    schedule: Schedule,
    after: usize,
    retouched: Option<Latent>,
    noise_seed: Option<Seed>,
}

impl PlannedPart {
    /// The parts of a run as its samplers see them: words and guidance begin none.
    fn of_run(
        model: &dyn LatentDiffusionModel,
        request: &GenerationRequest,
        continues: Option<&Continuation>,
        shape: LatentShape,
    ) -> Result<Vec<Self>, JobError> {
        let Some(run) = continues else {
            let whole = FinishedPart::whole(request.clone());
            return Ok(vec![Self::new(model, &whole, shape)?]);
        };
        let parts = run.clone().parts_with(request);
        let mut planned: Vec<Self> = Vec::new();
        for (i, part) in parts.iter().enumerate() {
            let goes_on = i > 0
                && part.retouched.is_none()
                && part.noise_seed.is_none()
                && part.request.samples_like(&parts[i - 1].request);
            if !goes_on {
                planned.push(Self::new(model, part, shape)?);
            }
        }
        Ok(planned)
    }

    fn new(
        model: &dyn LatentDiffusionModel,
        part: &FinishedPart,
        shape: LatentShape,
    ) -> Result<Self, JobError> {
        let FinishedPart { request, after, retouched, noise_seed } = part;
        let options = &request.options;
        let config = model.scheduler_config_for(shape, request.steps).with_shift(options.shift);
        let schedule = match &options.levels {
            Some(levels) => Schedule::of_levels(&config, request.sampler, levels),
            None => Schedule::new(&config, request.sampler, request.schedule, request.steps)
                .map_err(JobError::from_sampling)?,
        };
        let schedule = schedule.with_eta(options.eta);
        Ok(Self { config, schedule, after: *after, retouched: retouched.clone(), noise_seed: *noise_seed })
    }

    fn view(&self) -> RunPart<'_> {
        RunPart {
            config: &self.config,
            schedule: &self.schedule,
            after: self.after,
            retouched: self.retouched.as_ref(),
            seed: self.noise_seed,
        }
    }
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
