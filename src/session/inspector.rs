//! A latent laid open: how it is seen, what is done to it, and what of that can be undone.

use crate::latent::{
    Blend, ChannelAdjustment, ChannelAdjustments, ChannelStatistics, Latent, PrincipalComponents,
    channel_statistics, principal_components,
};

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

/// What a person does to a latent. A gesture is one undo: `begins` says where it starts.
#[derive(Clone, Debug)]
pub enum Touch {
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
    /// Back to before the last gesture.
    Undo,
    /// Forward again.
    Redo,
    /// As it came; can be undone.
    Reset,
}

/// How many undone states are kept.
const MAX_UNDO: usize = 100;

/// A latent as it is seen and edited.
#[derive(Default)]
pub struct Inspector {
    /// The latent as it came, model space.
    pub latent: Option<Latent>,
    /// What is done to the channels.
    pub adjustments: ChannelAdjustments,
    /// Figures of each channel of the latent as it came.
    pub statistics: Vec<ChannelStatistics>,
    /// Its principal components, and the latent seen along them: three channels.
    pub components: Option<(PrincipalComponents, Latent)>,
    adjusted: Option<Latent>,
    undo: Vec<ChannelAdjustments>,
    redo: Vec<ChannelAdjustments>,
}

impl Inspector {
    /// Lays a latent open. What was done to another one of the same shape, such as the step before, is done to it too.
    pub fn lay(&mut self, latent: Latent) {
        let known = self.latent.as_ref();
        if known.is_some_and(|known| known.values().as_ptr() == latent.values().as_ptr()) {
            return;
        }
        let components = principal_components(&latent);
        let along = components.project(&latent);
        self.statistics = channel_statistics(&latent);
        self.components = Some((components, along));
        if known.is_none_or(|known| known.shape() != latent.shape()) {
            self.adjustments = ChannelAdjustments::none(latent.shape().channels);
            (self.undo, self.redo) = (Vec::new(), Vec::new());
        }
        self.latent = Some(latent);
        self.adjust();
    }

    /// The latent after the adjustments.
    pub fn adjusted(&self) -> Option<Latent> {
        self.adjusted.clone()
    }

    /// Applied once for each change, so that it stays one latent to whoever draws it.
    fn adjust(&mut self) {
        self.adjusted = match &self.latent {
            Some(latent) if self.adjustments.is_none() => Some(latent.clone()),
            Some(latent) => Some(self.adjustments.apply(latent)),
            None => None,
        };
    }

    /// Carries a touch out; whether the true decode is to follow.
    pub fn touch(&mut self, touch: Touch) -> bool {
        let before = self.adjustments.clone();
        let mut decodes = false;
        // A drag decodes when it is released.
        let at_once = matches!(touch, Touch::Undo | Touch::Redo | Touch::Reset);
        match touch {
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
            self.adjust();
            decodes |= at_once;
        }
        decodes
    }

    /// Colours' first and last value for a channel.
    pub fn limits_of(&self, channel: usize, limits: Limits) -> [f32; 2] {
        let reach = |s: &ChannelStatistics| s.p1.abs().max(s.p99.abs()).max(1e-6);
        match limits {
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

    /// How many gestures can be undone, and done again.
    pub fn history(&self) -> [usize; 2] {
        [self.undo.len(), self.redo.len()]
    }

    /// Whether there is something to go back to, and forward to.
    pub fn can_undo_redo(&self) -> [bool; 2] {
        [!self.undo.is_empty(), !self.redo.is_empty()]
    }
}
