//! What is drawn of the inside of a step. It is kept, because textures are known by the address of their values.

use std::time::{Duration, Instant};

use super::InsideView;
use crate::latent::{Latent, LatentDifference, LatentShape, Spectrum, heat_limit};
use crate::session::{Document, Session};

/// The longest that is computed within a frame.
const FRAME: Duration = Duration::from_millis(8);

/// A map of amounts.
#[derive(Clone, Debug, PartialEq)]
pub struct InsideMap {
    /// The amounts, `[1, H, W]`.
    pub values: Latent,
    /// The amounts of the first and of the last colour.
    pub range: [f32; 2],
}

/// What a map is of.
#[derive(Clone, Debug, PartialEq)]
struct MapKey {
    view: InsideView,
    step: usize,
    /// The places of the tokens of the chosen words.
    tokens: Vec<usize>,
}

/// What was computed of the steps of the document on the easel.
#[derive(Default)]
pub(super) struct Maps {
    map: Option<(MapKey, InsideMap)>,
    /// Of x̂₀ of each step by its index; `None` inside for one that has none.
    spectra: Vec<Option<Spectrum>>,
    /// Of x_t of one step.
    noisy: Option<(usize, Option<Spectrum>)>,
}

impl InsideMap {
    fn of(values: Latent, from_zero: bool) -> Self {
        let low = if from_zero { 0.0 } else { values.values().iter().copied().fold(f32::INFINITY, f32::min) };
        let high = heat_limit(values.values(), 1e-9).max(low + 1e-9);
        Self { values, range: [low, high] }
    }
}

/// Most columns of the map of embeddings.
const COLUMNS: usize = 256;

/// The strength of each token's embedding in groups of neighbouring channels, the root of their mean square: `[1, T,
/// COLUMNS]` from `[1, T, C]`.
fn strengths(embeddings: &Latent) -> Latent {
    let LatentShape { height, width, .. } = embeddings.shape();
    let group = width.div_ceil(COLUMNS).max(1);
    let strength =
        |values: &[f32]| (values.iter().map(|value| value * value).sum::<f32>() / values.len() as f32).sqrt();
    let rows = embeddings.values().chunks_exact(width.max(1));
    let values: Vec<f32> = rows.flat_map(|row| row.chunks(group).map(strength)).collect();
    Latent::zeros(LatentShape::new(1, height, width.div_ceil(group))).with_values(values)
}

impl Session {
    /// The map that is looked at; `None` while there is none, or of the spectrum.
    pub fn inside_map(&self) -> Option<&InsideMap> {
        let view = self.inside.view?;
        let step = Self::inside_step(self.on_easel()?)?.step;
        let map = self.inside.maps.map.as_ref();
        map.filter(|(key, _)| (key.view, key.step) == (view, step)).map(|(_, map)| map)
    }

    /// The spectra of x̂₀ of the steps known so far, by their index.
    pub fn inside_spectra(&self) -> &[Option<Spectrum>] {
        &self.inside.maps.spectra
    }

    /// The spectrum of x_t of the step that is looked into.
    pub fn inside_noisy_spectrum(&self) -> Option<&Spectrum> {
        let step = Self::inside_step(self.on_easel()?)?.step;
        self.inside.maps.noisy.as_ref().filter(|(of, _)| *of == step)?.1.as_ref()
    }

    /// Computes what is looked at, as far as it needs no network. Returns whether something is new, or more to compute.
    pub(super) fn measure_inside(&mut self) -> bool {
        match self.inside.view {
            None => false,
            Some(InsideView::Spectrum) => self.measure_spectra(),
            Some(view) => self.measure_map(view),
        }
    }

    fn measure_map(&mut self, view: InsideView) -> bool {
        let Some(document) = self.on_easel() else { return false };
        let Some(step) = Self::inside_step(document) else { return false };
        let seen = self.inside.seen.get(&step.step).map(|seen| &seen.insight);
        let words = seen.and_then(|seen| seen.words.as_ref());
        let chosen = words.filter(|_| view == InsideView::Words);
        let tokens = chosen.map(|words| self.inside.words.tokens(&words.tokens)).unwrap_or_default();
        let key = MapKey { view, step: step.step, tokens };
        if self.inside.maps.map.as_ref().is_some_and(|(known, _)| *known == key) {
            return false;
        }
        let map = match view {
            InsideView::Change => {
                let before = document.steps().iter().find(|other| other.step + 1 == step.step);
                before
                    .and_then(|before| LatentDifference::of(&before.denoised, &step.denoised))
                    .map(|difference| InsideMap::of(difference.mean_magnitude, true))
            }
            InsideView::Guidance => {
                seen.and_then(|seen| seen.guidance.clone()).map(|values| InsideMap::of(values, true))
            }
            InsideView::Words => words.map(|words| InsideMap::of(words.of(&key.tokens), false)),
            InsideView::Embeddings => words.map(|words| InsideMap::of(strengths(&words.embeddings), true)),
            InsideView::Spectrum => None,
        };
        let is_new = map.is_some();
        self.inside.maps.map = map.map(|map| (key, map));
        is_new
    }

    fn measure_spectra(&mut self) -> bool {
        let clock = Instant::now();
        let mut maps = std::mem::take(&mut self.inside.maps);
        let is_new = self.on_easel().is_some_and(|document| maps.measure(document, clock));
        self.inside.maps = maps;
        is_new
    }
}

impl Maps {
    fn measure(&mut self, document: &Document, clock: Instant) -> bool {
        let steps = document.steps();
        let mut is_new = false;
        if let Some(step) = Session::inside_step(document)
            && self.noisy.as_ref().is_none_or(|(of, _)| *of != step.step)
        {
            self.noisy = Some((step.step, Spectrum::of(&step.noisy, None)));
            is_new = true;
        }
        // A finished run may have steps that its document did not receive while it was drawn.
        if self.spectra.len() > steps.len() {
            self.spectra.clear();
        }
        while self.spectra.len() < steps.len() && clock.elapsed() < FRAME {
            let index = self.spectra.len();
            let before = index.checked_sub(1).map(|before| &steps[before].denoised);
            self.spectra.push(Spectrum::of(&steps[index].denoised, before));
            is_new = true;
        }
        is_new
    }
}
