//! The latent under the lamp: which one, how it is seen, what is done to it.

use crate::engine::JobId;
use crate::formats::metrics::{psnr, ssim};
use crate::latent::{
    ChannelAdjustments, ChannelStatistics, Latent, LatentFormat, PrincipalComponents, channel_statistics,
    kl_map, principal_components,
};
use crate::request::Picture;

/// Where a channel's colours begin and end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Limits {
    /// The same for all: the larger of the 1st and 99th percentile, in either direction.
    #[default]
    Shared,
    /// Each channel's own.
    PerChannel,
    /// −3 to 3.
    Fixed,
}

/// How the channels are seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InspectorOptions {
    /// Where colours begin and end.
    pub limits: Limits,
    /// Whether values flow between latent pixels.
    pub smooth: bool,
    /// Grey instead of blue and red.
    pub grey: bool,
}

/// How many undone states are kept.
const MAX_UNDO: usize = 100;
/// Pictures of more bytes are not measured.
const MAX_MEASURED: usize = 3 << 20;

/// The latent view's state.
#[derive(Default)]
pub struct Inspector {
    /// The latent, model space.
    pub latent: Option<Latent>,
    /// Its format.
    pub format: Option<LatentFormat>,
    /// The picture it was encoded from.
    pub original: Option<Picture>,
    /// The encoder's log-variance, VAE space.
    pub log_variance: Option<Latent>,
    /// The true decode of the latent as it is adjusted.
    pub decoded: Option<Picture>,
    /// Whether it shows what the canvas shows, step by step.
    pub follows_canvas: bool,
    /// The encoding or decoding under way.
    pub pending: Option<JobId>,
    /// What is done to the channels.
    pub adjustments: ChannelAdjustments,
    /// How they are seen.
    pub options: InspectorOptions,
    /// Figures of each channel of the latent as it came.
    pub statistics: Vec<ChannelStatistics>,
    /// Its principal components, and the latent seen along them: three channels.
    pub components: Option<(PrincipalComponents, Latent)>,
    /// The encoder's divergence from N(0, 1) at each latent pixel, nats.
    pub divergence: Option<Latent>,
    /// PSNR (dB) and SSIM of the decode against the original, while nothing is adjusted.
    pub fidelity: Option<[f64; 2]>,
    adjusted: Option<(ChannelAdjustments, Latent)>,
    undo: Vec<ChannelAdjustments>,
    redo: Vec<ChannelAdjustments>,
}

impl Inspector {
    /// A picture whose encoding is under way.
    pub fn awaiting(original: Picture, job: JobId, options: InspectorOptions) -> Self {
        Self { original: Some(original), pending: Some(job), options, ..Self::default() }
    }

    /// Lays a latent under the lamp; the view's options stay.
    pub fn open(&mut self, latent: Latent, format: LatentFormat) {
        if self.latent.as_ref().is_some_and(|known| known == &latent) {
            return;
        }
        let options = self.options;
        let components = principal_components(&latent);
        let along = components.project(&latent);
        *self = Self {
            statistics: channel_statistics(&latent),
            components: Some((components, along)),
            adjustments: ChannelAdjustments::none(latent.shape().channels),
            format: Some(format),
            latent: Some(latent),
            options,
            follows_canvas: self.follows_canvas,
            ..Self::default()
        };
    }

    /// What the encoder said beside the mean, VAE space; `format` is the latent's.
    pub fn set_posterior(&mut self, log_variance: Latent, format: LatentFormat) {
        if let Some(latent) = &self.latent {
            self.divergence = Some(kl_map(&format.vae_from_model(latent), &log_variance));
        }
        self.log_variance = Some(log_variance);
    }

    /// The true decode of the latent as it is adjusted.
    pub fn set_decoded(&mut self, picture: Picture) {
        self.fidelity = match &self.original {
            // The figures of larger pictures take longer than a frame.
            Some(original) if self.adjustments.is_none() && original.rgb().len() <= MAX_MEASURED => {
                psnr(original, &picture).zip(ssim(original, &picture)).map(|(psnr, ssim)| [psnr, ssim])
            }
            _ => None,
        };
        self.decoded = Some(picture);
    }

    /// The latent after the adjustments.
    pub fn adjusted(&mut self) -> Option<Latent> {
        let latent = self.latent.as_ref()?;
        if self.adjustments.is_none() {
            return Some(latent.clone());
        }
        // Applied once for each change, so that it stays one latent to whoever draws it.
        if self.adjusted.as_ref().is_none_or(|(made_with, _)| *made_with != self.adjustments) {
            self.adjusted = Some((self.adjustments.clone(), self.adjustments.apply(latent)));
        }
        self.adjusted.as_ref().map(|(_, latent)| latent.clone())
    }

    /// Colours' first and last value for a channel.
    pub fn limits_of(&self, channel: usize) -> [f32; 2] {
        let reach = |s: &ChannelStatistics| s.p1.abs().max(s.p99.abs()).max(1e-6);
        match self.options.limits {
            Limits::Fixed => [-3.0, 3.0],
            Limits::PerChannel => self.statistics.get(channel).map_or([-3.0, 3.0], |s| [-reach(s), reach(s)]),
            Limits::Shared => {
                let most = self.statistics.iter().map(reach).fold(1e-6, f32::max);
                [-most, most]
            }
        }
    }

    /// Remembers the present adjustments before a gesture changes them.
    pub fn remember(&mut self) {
        if self.undo.last() != Some(&self.adjustments) {
            self.undo.push(self.adjustments.clone());
            self.redo.clear();
            if self.undo.len() > MAX_UNDO {
                self.undo.remove(0);
            }
        }
    }

    /// Back to the adjustments before the last gesture.
    pub fn undo(&mut self) {
        if let Some(before) = self.undo.pop() {
            self.redo.push(std::mem::replace(&mut self.adjustments, before));
        }
    }

    /// Forward again.
    pub fn redo(&mut self) {
        if let Some(after) = self.redo.pop() {
            self.undo.push(std::mem::replace(&mut self.adjustments, after));
        }
    }

    /// Whether there is something to go back to, and forward to.
    pub fn can_undo_redo(&self) -> [bool; 2] {
        [!self.undo.is_empty(), !self.redo.is_empty()]
    }

    /// No adjustments; can be undone.
    pub fn reset(&mut self) {
        self.remember();
        self.adjustments = ChannelAdjustments::none(self.adjustments.channels.len());
    }
}
