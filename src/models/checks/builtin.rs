//! The networks of the built-in model on a device and on its reference.

use std::time::Instant;

use super::Extent;
use super::report::{CheckedDevice, Finding};
use crate::catalog::ModelSource;
use crate::diffusion::{GuidedDenoiser, NoiseSource, Preconditioning, Run, RunPart, Schedule, Start, sample};
use crate::latent::Latent;
use crate::models::families::Probe;
use crate::models::{Conditioning, ModelError, ModelSettings};
use crate::networks::checks::{NumberFormat, relative_errors};
use crate::request::{CancelToken, GenerationDraft, Picture, Seed};
use crate::store::Checkpoint;

/// Steps of the picture that is drawn on both sides.
const STEPS: usize = 6;
/// The noise level at which the UNet is called, of 1000.
const TIMESTEP: f64 = 601.0;
const SEED: Seed = Seed(7);

/// A network of a hundred operations one after another adds up their roundings, which are independent: ten times the
/// error of one. Convolutions and norms pass errors on about as they are.
const DEPTH: f64 = 10.0;
/// In f32, what sums lose counts for more than the last rounding (see the operations' tolerances).
const DEPTH_OF_F32: f64 = 1000.0;
/// A picture of 8 bits, of values that are rounded to 1/255.
const BYTE: f64 = 0.5 / 255.0;
/// Every step goes on from the error of the one before, and guidance multiplies the difference of two predictions.
const SAMPLING: f64 = 8.0;

fn tolerance(format: NumberFormat) -> f64 {
    let depth = if format == NumberFormat::F32 { DEPTH_OF_F32 } else { DEPTH };
    depth * format.rounding()
}

/// Checks text encoder, UNet and VAE in each format, and in a whole check a picture.
pub(super) fn check_model(
    device: &[(NumberFormat, ModelSettings)],
    reference: ModelSettings,
    extent: Extent,
    cancel: &CancelToken,
    report: &mut CheckedDevice,
) -> Result<(), ModelError> {
    let checkpoint = Checkpoint::open(&ModelSource::Builtin)?;
    let mut expected = Sides::new(Probe::load(&checkpoint, reference, cancel)?, extent, cancel)?;
    let wanted = expected.results()?;
    let drawn = if extent == Extent::Whole { Some(expected.picture()?) } else { None };
    for (format, settings) in device {
        let mut found = Sides::new(Probe::load(&checkpoint, *settings, cancel)?, extent, cancel)?;
        found.use_inputs_of(&expected)?;
        let results = found.results()?;
        report.steps.push((format.name(), found.step_secs));
        for (part, found) in &results {
            let is_picture = *part == DECODER;
            let most = tolerance(*format) + if is_picture { BYTE } else { 0.0 };
            let expected = wanted.iter().find(|(name, _)| name == part).map(|(_, values)| &**values);
            compare(report, part, *format, found, expected.unwrap_or_default(), most);
        }
        if let Some(drawn) = &drawn {
            let most = SAMPLING * tolerance(*format) + BYTE;
            compare(report, "picture of the built-in model", *format, &found.picture()?, drawn, most);
        }
    }
    Ok(())
}

fn compare(
    report: &mut CheckedDevice,
    part: &str,
    format: NumberFormat,
    found: &[f32],
    expected: &[f32],
    tolerance: f64,
) {
    report.checked += 1;
    if found == expected {
        report.exact += 1;
        return;
    }
    let error =
        if found.len() == expected.len() { relative_errors(found, expected)[0] } else { f64::INFINITY };
    let finding =
        Finding { what: part.to_owned(), shape: String::new(), format: format.name(), error, tolerance };
    // NaN is within nothing.
    if error <= tolerance { report.within(finding) } else { report.wrong.push(finding) }
}

const DECODER: &str = "VAE decoder of the built-in model";

/// A model on one of the two sides.
struct Sides<'a> {
    probe: Probe,
    cancel: &'a CancelToken,
    noisy: Latent,
    picture: Picture,
    text: crate::models::families::ProbedText,
    /// The text that the UNet is called with: that of the reference on both sides.
    context: crate::models::families::ProbedText,
    step_secs: f64,
}

impl<'a> Sides<'a> {
    fn new(mut probe: Probe, extent: Extent, cancel: &'a CancelToken) -> Result<Self, ModelError> {
        let profile = probe.model().profile();
        let (size, format) = (profile.defaults.size, profile.format);
        // In a quick check, a quarter of the picture.
        let [width, height] = match extent {
            Extent::Quick => [size.width / 2, size.height / 2],
            Extent::Whole => [size.width, size.height],
        };
        let shape = format.latent_shape(width, height);
        let noisy = Latent::zeros(shape).with_values(NoiseSource::new(SEED).normal(shape.len()));
        let gradient = |i: usize| ((i % width * 255 / width) ^ (i / width * 255 / height)) as u8;
        let rgb = (0..width * height).flat_map(|i| [gradient(i), gradient(i) / 2, 255 - gradient(i)]);
        let picture = Picture::new(width, height, rgb.collect::<Vec<u8>>())
            .map_err(|error| ModelError::Mismatch(error.to_string()))?;
        let text = probe.text(cancel)?;
        let context = probe.moved(&text)?;
        Ok(Self { probe, cancel, noisy, picture, text, context, step_secs: 0.0 })
    }

    fn use_inputs_of(&mut self, reference: &Self) -> Result<(), ModelError> {
        self.context = self.probe.moved(&reference.text)?;
        Ok(())
    }

    /// What each network gives.
    fn results(&mut self) -> Result<Vec<(&'static str, Vec<f32>)>, ModelError> {
        let Self { probe, cancel, noisy, picture, text, context, .. } = &*self;
        let step = || probe.denoised(context, noisy, TIMESTEP, cancel);
        let denoised = step()?;
        // The first call compiles kernels and fills caches.
        let begun = Instant::now();
        step()?;
        let step_secs = begun.elapsed().as_secs_f64();
        let latent = noisy.map(|_, value| 0.5 * value);
        let decoded = probe.decoded(&latent, cancel)?;
        let results = vec![
            ("text encoder of the built-in model", text.values()?),
            ("UNet of the built-in model", denoised),
            ("VAE encoder of the built-in model", probe.encoded(picture, cancel)?.values().to_vec()),
            (DECODER, floats(&decoded)),
        ];
        self.step_secs = step_secs;
        Ok(results)
    }

    /// A picture, drawn as the engine does.
    fn picture(&mut self) -> Result<Vec<f32>, ModelError> {
        let model = self.probe.model();
        let mut draft = GenerationDraft::new(model.profile());
        Probe::prompt().clone_into(&mut draft.prompt);
        (draft.steps, draft.seed) = (STEPS, SEED);
        let request =
            draft.validate(model.profile()).map_err(|error| ModelError::Mismatch(error.to_string()))?;
        let (prediction, guidance) = (model.profile().prediction, model.profile().guidance);
        let shape = model.profile().format.latent_shape(request.size.width, request.size.height);
        let config = model.scheduler_config_for(shape, STEPS);
        let schedule = Schedule::new(&config, request.sampler, request.schedule, STEPS)
            .map_err(ModelError::from_sampling)?;
        let conditioning = Conditioning::of_request(&request);
        let scale = conditioning.classifier_free_scale(guidance);
        let latent = {
            let mut network = model.condition(&conditioning, self.cancel)?;
            let mut denoiser = GuidedDenoiser::new(&mut *network, prediction, scale);
            denoiser.preconditioning = Preconditioning::of(&config);
            let run = Run {
                denoiser: &mut denoiser,
                parts: &[RunPart::whole(&config, &schedule)],
                recorded: &[],
                start: Start::Noise(shape),
                seed: SEED,
                cancel: self.cancel,
            };
            sample(run, &mut |_| {}).map_err(ModelError::from_sampling)?.latent
        };
        Ok(floats(&self.probe.decoded(&latent, self.cancel)?))
    }
}

/// A picture's values of 0..=1.
fn floats(picture: &Picture) -> Vec<f32> {
    picture.rgb().iter().map(|byte| f32::from(*byte) / 255.0).collect()
}
