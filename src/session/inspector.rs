//! The inspector of a latent: statistics, channel adjustments, and their undo stack.

use crate::latent::{
    Blend, ChannelAdjustment, ChannelAdjustments, ChannelStatistics, Latent, PrincipalComponents,
    channel_statistics, principal_components,
};

/// The value range of a channel's colour map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Limits {
    /// Symmetric and the same for all channels: the largest magnitude of any channel's 1st and 99th percentile.
    #[default]
    Shared,
    /// Symmetric, for each channel separately.
    PerChannel,
    /// −3 to 3.
    Fixed,
}

/// How channels are displayed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InspectorOptions {
    /// The value range of the colour map.
    pub limits: Limits,
    /// Whether to interpolate between latent pixels.
    pub smooth: bool,
    /// Whether to use grey instead of the diverging blue–red colour map.
    pub grey: bool,
}

/// An edit of a latent. A gesture, such as dragging a slider, is one undo step; `begins` marks its first edit.
#[derive(Clone, Debug)]
pub enum Touch {
    /// Adjusts one channel.
    Channel {
        /// The channel, from 0.
        index: usize,
        /// Its new adjustment.
        adjustment: ChannelAdjustment,
        /// Whether a gesture begins.
        begins: bool,
    },
    /// Blends in a second latent; `None` removes it.
    Blend {
        /// The second latent.
        blend: Option<Blend>,
        /// Whether a gesture begins.
        begins: bool,
    },
    /// Ends a gesture: the VAE decode can start.
    Release,
    /// Undoes the last gesture.
    Undo,
    /// Redoes the last undone gesture.
    Redo,
    /// Removes all edits. Can be undone.
    Reset,
}

/// Capacity of the undo stack.
const MAX_UNDO: usize = 100;

/// A latent with its statistics and edits.
#[derive(Default)]
pub struct Inspector {
    /// The latent without edits, model space.
    pub latent: Option<Latent>,
    /// The edits.
    pub adjustments: ChannelAdjustments,
    /// Statistics of each channel, without edits.
    pub statistics: Vec<ChannelStatistics>,
    /// The principal components, and the latent projected on the first three: `[3, H, W]`.
    pub components: Option<(PrincipalComponents, Latent)>,
    adjusted: Option<Latent>,
    undo: Vec<ChannelAdjustments>,
    redo: Vec<ChannelAdjustments>,
}

impl Inspector {
    /// Sets the latent. Edits of a previous latent of the same shape, such as the step before, are kept.
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

    /// The latent with edits.
    pub fn adjusted(&self) -> Option<Latent> {
        self.adjusted.clone()
    }

    /// Applies the edits. Cached, because textures are cached by the address of the latent's values.
    fn adjust(&mut self) {
        self.adjusted = match &self.latent {
            Some(latent) if self.adjustments.is_none() => Some(latent.clone()),
            Some(latent) => Some(self.adjustments.apply(latent)),
            None => None,
        };
    }

    /// Applies an edit. Returns whether the result should be decoded with the VAE.
    pub fn touch(&mut self, touch: Touch) -> bool {
        let before = self.adjustments.clone();
        let mut decodes = false;
        // A drag is decoded when it is released.
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

    /// The values of the first and the last colour of a channel's colour map.
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

    /// Pushes the current edits onto the undo stack at the beginning of a gesture.
    fn remember(&mut self, begins: bool) {
        if begins && self.undo.last() != Some(&self.adjustments) {
            self.undo.push(self.adjustments.clone());
            self.redo.clear();
            if self.undo.len() > MAX_UNDO {
                self.undo.remove(0);
            }
        }
    }

    /// The number of gestures that can be undone and redone.
    pub fn history(&self) -> [usize; 2] {
        [self.undo.len(), self.redo.len()]
    }

    /// Whether undo and redo are possible.
    pub fn can_undo_redo(&self) -> [bool; 2] {
        [!self.undo.is_empty(), !self.redo.is_empty()]
    }
}
