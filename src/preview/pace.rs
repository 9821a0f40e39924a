//! How long a tiny decoder takes on the displaying adapter, measured once on a thread of its own.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use super::tiny_passes::TinyPasses;
use crate::latent::{Latent, LatentShape};
use crate::projection::TinyNetwork;

/// Edge of the latent that is decoded to measure, latent pixels: a small picture, which does not hold up the window.
const EDGE: usize = 24;

/// The time of a decode; empty until it is measured.
#[derive(Clone, Default)]
pub(super) struct Pace {
    secs_per_pixel: Arc<OnceLock<f64>>,
}

impl Pace {
    /// Seconds for each latent pixel, once known.
    pub(super) fn secs_per_pixel(&self) -> Option<f64> {
        self.secs_per_pixel.get().copied()
    }

    /// Begins to measure.
    pub(super) fn measure(
        &self,
        passes: Arc<TinyPasses>,
        network: Arc<TinyNetwork>,
        device: wgpu::Device,
        target: wgpu::Texture,
    ) {
        let found = Arc::clone(&self.secs_per_pixel);
        let work = move || {
            let latent = Latent::zeros(LatentShape::new(network.channels(), EDGE, EDGE));
            let mut secs = f64::INFINITY;
            // The first time pipelines and textures are made.
            for _ in 0..2 {
                let clock = Instant::now();
                passes.decode(&network, &latent, &target);
                if let Err(error) = device.poll(wgpu::PollType::wait_indefinitely()) {
                    log::warn!("the time of a tiny decoder could not be measured: {error}");
                    break;
                }
                secs = secs.min(clock.elapsed().as_secs_f64());
            }
            let _ = found.set(secs / (EDGE * EDGE) as f64);
        };
        if let Err(error) = std::thread::Builder::new().name("safelight-preview".to_owned()).spawn(work) {
            log::warn!("no thread for previews could be started: {error}");
        }
    }

    /// Edges of the picture that is decoded to measure, pixels.
    pub(super) const fn picture_edges() -> [usize; 2] {
        [EDGE * TinyNetwork::DOWNSCALE; 2]
    }
}
