//! The ways to show a latent.

use std::sync::Arc;

use crate::projection::{ColourMap, PatchProjection, RgbProjection, TinyNetwork};

/// A way to show a latent.
#[derive(Clone, Debug)]
pub enum Look {
    /// Through one matrix, applied to each latent pixel.
    Linear {
        /// The matrix.
        projection: Arc<RgbProjection>,
        /// Whether to interpolate between latent pixels (Catmull–Rom).
        smooth: bool,
        /// Texture pixels per latent pixel along one edge.
        scale: usize,
    },
    /// Through a projection from 3×3 neighbourhoods to pixel patches.
    Patch {
        /// The projection.
        projection: Arc<PatchProjection>,
    },
    /// Through a tiny decoder, a small network.
    Tiny {
        /// Its weights.
        network: Arc<TinyNetwork>,
    },
    /// One channel alone.
    Channel {
        /// The channel, from 0.
        index: usize,
        /// The colour map.
        map: ColourMap,
        /// The value of the first colour, latent units.
        low: f32,
        /// The value of the last colour, latent units.
        high: f32,
        /// Whether to interpolate between latent pixels.
        smooth: bool,
    },
}

/// Key of a look in a cache. Projections are compared by address, so the cache has to keep them alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum LookKey {
    Linear(usize, bool, usize),
    Patch(usize),
    Tiny(usize),
    Channel(usize, ColourMap, u32, u32, bool),
}

impl Look {
    /// Texture pixels per latent pixel that are enough for any magnification.
    pub const FULL_SCALE: usize = 8;

    pub(super) fn key(&self) -> LookKey {
        match self {
            Self::Linear { projection, smooth, scale } => {
                LookKey::Linear(Arc::as_ptr(projection) as usize, *smooth, *scale)
            }
            Self::Patch { projection } => LookKey::Patch(Arc::as_ptr(projection) as usize),
            Self::Tiny { network } => LookKey::Tiny(Arc::as_ptr(network) as usize),
            Self::Channel { index, map, low, high, smooth } => {
                LookKey::Channel(*index, *map, low.to_bits(), high.to_bits(), *smooth)
            }
        }
    }
}
