//! The latent under the lamp: which one, how it is seen, what is done to it.

use crate::engine::JobId;
use crate::formats::Comparison;
use crate::latent::{
    Blend, ChannelAdjustment, ChannelAdjustments, ChannelStatistics, Latent, LatentFormat,
    PrincipalComponents, channel_statistics, kl_map, posterior_sigma, principal_components,
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

/// What a person does to the latent under the lamp. A gesture is one undo: `begins` says where it starts.
#[derive(Clone, Debug)]
pub enum Touch {
    /// Changes how channels are seen.
    See(InspectorOptions),
    /// Changes one channel.
    Channel {
        /// Which.
        index: usize,
        /// To what.
        adjustment: ChannelAdjustment,
        /// Whether a gesture begins.
        begins: bool,
    },
    /// Mixes a second latent in, or none.
    Blend {
        /// The second latent.
        blend: Option<Blend>,
        /// Whether a gesture begins.
        begins: bool,
    },
    /// The hand rests: the true decode may follow.
    Release,
    /// Keeps the latent as it is now, to be mixed into others.
    Hold,
    /// Back to before the last gesture.
    Undo,
    /// Forward again.
    Redo,
    /// As it came; can be undone.
    Reset,
}

/// How many undone states are kept.
const MAX_UNDO: usize = 100;

/// The latent view's state.
#[derive(Default)]
pub struct Inspector {
    /// The latent, model space.
    pub latent: Option<Latent>,
    /// Its format.
    pub format: Option<LatentFormat>,
    /// The file it came from; empty for a generation's.
    pub name: String,
    /// The picture as its file holds it.
    pub source: Option<Picture>,
    /// Whether that had transparent pixels.
    pub transparent: bool,
    /// The picture it was encoded from: the source in whole latent pixels.
    pub original: Option<Picture>,
    /// The encoder's log-variance, VAE space.
    pub log_variance: Option<Latent>,
    /// The posterior's standard deviation, mean over each channel, VAE space.
    pub posterior_sigma: Vec<f64>,
    /// The true decode of the latent as it was adjusted.
    pub decoded: Option<Picture>,
    /// What the VAE kept of the original.
    pub comparison: Option<Box<Comparison>>,
    /// The decode that is, or is to be, compared.
    pub compared: Option<JobId>,
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
    /// A latent kept to be mixed into others, and its name.
    pub held: Option<(String, Latent)>,
    adjusted: Option<Latent>,
    undo: Vec<ChannelAdjustments>,
    redo: Vec<ChannelAdjustments>,
}

impl Inspector {
    /// A picture whose encoding is under way; what is not of the former latent stays.
    pub fn awaiting(original: Picture, job: JobId, before: &Self) -> Self {
        Self {
            original: Some(original),
            pending: Some(job),
            options: before.options,
            held: before.held.clone(),
            ..Self::default()
        }
    }

    /// Lays a latent under the lamp; the view's options stay.
    pub fn open(&mut self, latent: Latent, format: LatentFormat) {
        if self.latent.as_ref().is_some_and(|known| known == &latent) {
            return;
        }
        let components = principal_components(&latent);
        let along = components.project(&latent);
        *self = Self {
            statistics: channel_statistics(&latent),
            components: Some((components, along)),
            adjustments: ChannelAdjustments::none(latent.shape().channels),
            adjusted: Some(latent.clone()),
            format: Some(format),
            latent: Some(latent),
            options: self.options,
            held: self.held.take(),
            follows_canvas: self.follows_canvas,
            ..Self::default()
        };
    }

    /// What the encoder said of the picture that was awaited: the mean, model space, and the log-variance,
    /// VAE space.
    pub fn set_encoded(&mut self, mean: Latent, log_variance: Latent, format: LatentFormat) {
        let awaited = std::mem::take(self);
        (self.options, self.held) = (awaited.options, awaited.held);
        let divergence = kl_map(&format.vae_from_model(&mean), &log_variance);
        let sigma = channel_statistics(&posterior_sigma(&log_variance));
        self.open(mean, format);
        (self.original, self.source) = (awaited.original, awaited.source);
        (self.name, self.transparent) = (awaited.name, awaited.transparent);
        self.divergence = Some(divergence);
        self.posterior_sigma = sigma.iter().map(|s| s.mean).collect();
        self.log_variance = Some(log_variance);
    }

    /// The latent after the adjustments.
    pub fn adjusted(&self) -> Option<Latent> {
        self.adjusted.clone()
    }

    /// Carries a touch out; whether the true decode is to follow.
    pub fn touch(&mut self, touch: Touch) -> bool {
        let before = self.adjustments.clone();
        let mut decodes = false;
        // A drag decodes when it is released.
        let at_once = matches!(touch, Touch::Undo | Touch::Redo | Touch::Reset);
        match touch {
            Touch::See(options) => self.options = options,
            Touch::Channel { index, adjustment, begins } => {
                self.remember(begins);
                if let Some(own) = self.adjustments.channels.get_mut(index) {
                    *own = adjustment;
                }
            }
            Touch::Blend { blend, begins } => {
                self.remember(begins);
                self.adjustments.blend = blend;
            }
            Touch::Release => decodes = true,
            Touch::Hold => self.held = self.adjusted().map(|latent| (self.name.clone(), latent)),
            Touch::Undo => {
                if let Some(earlier) = self.undo.pop() {
                    self.redo.push(std::mem::replace(&mut self.adjustments, earlier));
                }
            }
            Touch::Redo => {
                if let Some(later) = self.redo.pop() {
                    self.undo.push(std::mem::replace(&mut self.adjustments, later));
                }
            }
            Touch::Reset => {
                self.remember(true);
                self.adjustments = ChannelAdjustments::none(self.adjustments.channels.len());
            }
        }
        if self.adjustments != before {
            // Applied once for each change, so that it stays one latent to whoever draws it.
            self.adjusted = match &self.latent {
                Some(latent) if self.adjustments.is_none() => Some(latent.clone()),
                Some(latent) => Some(self.adjustments.apply(latent)),
                None => None,
            };
            decodes |= at_once;
        }
        decodes
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

    /// Remembers the present adjustments where a gesture begins.
    fn remember(&mut self, begins: bool) {
        if begins && self.undo.last() != Some(&self.adjustments) {
            self.undo.push(self.adjustments.clone());
            self.redo.clear();
            if self.undo.len() > MAX_UNDO {
                self.undo.remove(0);
            }
        }
    }

    /// Whether there is something to go back to, and forward to.
    pub fn can_undo_redo(&self) -> [bool; 2] {
        [!self.undo.is_empty(), !self.redo.is_empty()]
    }
}
