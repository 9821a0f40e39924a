//! The cache of decoded latents as egui textures.

use std::collections::HashMap;
use std::sync::Arc;

use egui_wgpu::RenderState;
use egui_wgpu::wgpu;

use super::look::LookKey;
use super::pace::Pace;
use super::{Decoder, Look, tiny_passes};
use crate::latent::Latent;
use crate::projection::TinyNetwork;

/// Capacity of the cache, textures: enough for the contact sheet, a timeline and a channel sheet at once.
const MAX_TEXTURES: usize = 160;

/// A cache entry. It owns the latent and the look because keys contain their addresses, which must not be reused.
struct Decoded {
    id: egui::TextureId,
    used: u64,
    _latent: Latent,
    _look: Look,
}

/// Decodes latents when they are first drawn, and caches the textures (least recently used are evicted).
pub struct LatentTextures {
    state: RenderState,
    decoder: Decoder,
    decoded: HashMap<(usize, LookKey), Decoded>,
    clock: u64,
    /// How long a tiny decoder takes; `None` until one is used.
    pace: Option<Pace>,
}

impl LatentTextures {
    /// An empty cache on the window's device.
    pub fn new(state: &RenderState) -> Self {
        let decoder = Decoder::new(&state.device, &state.queue);
        Self { state: state.clone(), decoder, decoded: HashMap::new(), clock: 0, pace: None }
    }

    /// Whether the adapter is a software renderer, which competes with the networks for the CPU.
    pub fn is_software(&self) -> bool {
        self.state.adapter.get_info().device_type == wgpu::DeviceType::Cpu
    }

    /// Whether a tiny decoder is drawn for latents of this size: a software adapter would take the processor from the
    /// networks for many seconds.
    pub fn draws_tiny(&self, network: &TinyNetwork, latent: &Latent) -> bool {
        !self.is_software() && tiny_passes::is_able(&self.state.adapter) && tiny_passes::fits(network, latent)
    }

    /// How long a tiny decoder takes for a latent, seconds; `None` while that is measured, which the first call begins.
    pub fn tiny_secs(&mut self, network: &Arc<TinyNetwork>, latent: &Latent) -> Option<f64> {
        let (decoder, device) = (&self.decoder, &self.state.device);
        let pace = self.pace.get_or_insert_with(|| {
            let pace = Pace::default();
            let target = decoder.target(Pace::picture_edges());
            pace.measure(Arc::clone(decoder.tiny()), Arc::clone(network), device.clone(), target);
            pace
        });
        Some(pace.secs_per_pixel()? * latent.shape().plane_len() as f64)
    }

    /// Whether the texture of a latent is there already.
    pub fn holds(&self, latent: &Latent, look: &Look) -> bool {
        self.decoded.contains_key(&(latent.values().as_ptr() as usize, look.key()))
    }

    /// The texture of a latent; `None` if the look does not fit the latent.
    pub fn texture(&mut self, latent: &Latent, look: &Look) -> Option<egui::TextureId> {
        self.clock += 1;
        let key = (latent.values().as_ptr() as usize, look.key());
        if let Some(decoded) = self.decoded.get_mut(&key) {
            decoded.used = self.clock;
            return Some(decoded.id);
        }
        let texture = self.decoder.decode(latent, look)?;
        let view = texture.create_view(&wgpu::TextureViewDescriptor::default());
        let smooth =
            !matches!(look, Look::Linear { smooth: false, .. } | Look::Channel { smooth: false, .. });
        let filter = if smooth { wgpu::FilterMode::Linear } else { wgpu::FilterMode::Nearest };
        let id = self.state.renderer.write().register_native_texture(&self.state.device, &view, filter);
        let decoded = Decoded { id, used: self.clock, _latent: latent.clone(), _look: look.clone() };
        self.decoded.insert(key, decoded);
        self.evict_least_recently_used();
        Some(id)
    }

    fn evict_least_recently_used(&mut self) {
        while self.decoded.len() > MAX_TEXTURES {
            let Some((&key, _)) = self.decoded.iter().min_by_key(|(_, d)| d.used) else { return };
            if let Some(old) = self.decoded.remove(&key) {
                self.state.renderer.write().free_texture(&old.id);
            }
        }
    }
}
