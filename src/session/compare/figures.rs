//! The figures of two that are compared, computed in the background.

use super::Side;
use crate::formats::{PictureDifference, picture_difference};
use crate::latent::{Latent, LatentDifference};
use crate::request::Picture;

/// The latents and the pictures of two that are compared.
#[derive(Clone, Debug)]
pub struct PairContent {
    latents: [Option<Latent>; 2],
    pictures: [Option<Picture>; 2],
}

/// How far two are apart.
#[derive(Clone, Debug)]
pub struct PairFigures {
    /// Of their pictures; `None` if one has none or their sizes differ.
    pub pictures: Option<PictureDifference>,
    /// Of their latents; `None` if one has none or their shapes differ.
    pub latents: Option<LatentDifference>,
}

impl PairContent {
    pub(super) fn of(pair: &[Side; 2]) -> Self {
        Self {
            latents: pair.each_ref().map(|side| side.latent.clone()),
            pictures: pair.each_ref().map(|side| side.picture.clone()),
        }
    }

    /// Computes the figures, which takes a part of a second for large pictures.
    pub fn figures(&self) -> PairFigures {
        let [first, second] = &self.pictures;
        let pictures = first.as_ref().zip(second.as_ref()).and_then(|(a, b)| picture_difference(a, b));
        let [first, second] = &self.latents;
        let latents = first.as_ref().zip(second.as_ref()).and_then(|(a, b)| LatentDifference::of(a, b));
        PairFigures { pictures, latents }
    }

    /// Whether both are the same values in memory.
    fn is(&self, other: &Self) -> bool {
        let latents = |content: &Self| {
            content.latents.each_ref().map(|latent| latent.as_ref().map(|latent| latent.values().as_ptr()))
        };
        let pictures = |content: &Self| {
            content.pictures.each_ref().map(|picture| picture.as_ref().map(|picture| picture.rgb().as_ptr()))
        };
        latents(self) == latents(other) && pictures(self) == pictures(other)
    }
}

/// The figures that are known, and those that are being computed.
#[derive(Default)]
pub(super) struct Measuring {
    known: Option<(PairContent, PairFigures)>,
    pending: Option<PairContent>,
}

impl Measuring {
    /// Begins to compute the figures of this content; `None` if they are known, or others are being computed.
    pub(super) fn begin(&mut self, content: PairContent) -> Option<PairContent> {
        if self.pending.is_some() || self.figures(&content).is_some() {
            return None;
        }
        self.pending = Some(content.clone());
        Some(content)
    }

    pub(super) fn end(&mut self, content: PairContent, figures: PairFigures) {
        self.pending = None;
        self.known = Some((content, figures));
    }

    pub(super) fn figures(&self, content: &PairContent) -> Option<&PairFigures> {
        self.known.as_ref().filter(|(known, _)| known.is(content)).map(|(_, figures)| figures)
    }

    pub(super) fn forget(&mut self) {
        self.known = None;
    }
}
