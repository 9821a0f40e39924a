//! A run that another goes on from.

use super::{GenerationRequest, Seed};
use crate::latent::{Latent, Trajectory};

/// The settings of a part of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct FinishedPart {
    /// The settings.
    pub request: GenerationRequest,
    /// Steps of the run before this part.
    pub after: usize,
    /// What replaced x̂₀ of the step before, model space.
    pub retouched: Option<Latent>,
    /// The seed of its noise, if that is another than of the part before.
    pub noise_seed: Option<Seed>,
}

/// The finished steps of a run, and how it goes on.
///
/// With the settings of its last part it goes on as that would have gone on, to the same bits.
#[derive(Clone, Debug, PartialEq)]
pub struct Continuation {
    /// Its parts, in order: at least one.
    pub parts: Vec<FinishedPart>,
    /// The finished steps, from the first.
    pub finished: Trajectory,
    /// Replaces x̂₀ of the last of them, model space.
    pub retouched: Option<Latent>,
    /// The seed of the noise from here on.
    pub noise_seed: Option<Seed>,
}

impl FinishedPart {
    /// The only part of a run.
    pub fn whole(request: GenerationRequest) -> Self {
        Self { request, after: 0, retouched: None, noise_seed: None }
    }
}

impl Continuation {
    /// Whether what follows with these settings is a part of its own for the sampler: with other settings of sampling
    /// than the last part's, another latent or other noise. Words and guidance are the network's.
    pub fn begins_part(&self, request: &GenerationRequest) -> bool {
        let differs = self.parts.last().is_none_or(|last| !last.request.samples_like(request));
        differs || self.retouched.is_some() || self.noise_seed.is_some()
    }

    /// All parts of the run that goes on with these settings.
    pub fn parts_with(self, request: &GenerationRequest) -> Vec<FinishedPart> {
        let after = self.finished.steps.len();
        let goes_on =
            self.parts.last().is_some_and(|last| last.request == *request) && !self.begins_part(request);
        let Self { mut parts, retouched, noise_seed, .. } = self;
        if !goes_on {
            parts.push(FinishedPart { request: request.clone(), after, retouched, noise_seed });
        }
        parts
    }
}

impl GenerationRequest {
    /// Whether a run takes the same steps, by the same rule.
    pub fn samples_like(&self, other: &Self) -> bool {
        let strength = |request: &Self| request.init_image.as_ref().map(|init| init.strength);
        let sampling = |request: &Self| {
            let options = request.options.clone();
            (request.sampler, request.schedule, request.steps, options.eta, options.shift, options.levels)
        };
        sampling(self) == sampling(other) && strength(self) == strength(other)
    }
}
