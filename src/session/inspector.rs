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
    /// Undoes or redoes edits until this many are in effect.
    GoTo(usize),
}

/// What an edit changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    /// A channel's gain.
    Gain(usize),
    /// A channel's offset.
    Offset(usize),
    /// Whether a channel is muted.
    Mute(usize),
    /// Whether a channel is alone.
    Solo(usize),
    /// The second latent, its share or the way of mixing.
    Blend,
    /// All was taken away.
    Reset,
}

impl Edit {
    /// What differs between two adjustments of a channel.
    fn of_channel(index: usize, before: &ChannelAdjustment, after: &ChannelAdjustment) -> Self {
        if before.muted != after.muted {
            Self::Mute(index)
        } else if before.solo != after.solo {
            Self::Solo(index)
        } else if before.gain != after.gain {
            Self::Gain(index)
        } else {
            Self::Offset(index)
        }
    }
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
    /// Edits in effect, oldest first, each with the adjustments before it.
    undo: Vec<(Edit, ChannelAdjustments)>,
    /// Undone edits, the next one last, each with the adjustments after it.
    redo: Vec<(Edit, ChannelAdjustments)>,
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
        // A drag decodes when it is released.
        let at_once = matches!(touch, Touch::Undo | Touch::Redo | Touch::Reset | Touch::GoTo(_));
        match touch {
            Touch::Channel { index, adjustment, begins } => {
                if let Some(own) = self.adjustments.channels.get(index) {
                    self.remember(begins, Edit::of_channel(index, own, &adjustment));
                    self.adjustments.channels[index] = adjustment;
                }
            }
            Touch::Blend { blend, begins } => {
                self.remember(begins, Edit::Blend);
                self.adjustments.blend = blend;
            }
            Touch::Release => decodes = true,
            Touch::Undo => self.undo(),
            Touch::Redo => self.redo(),
            Touch::GoTo(edits) => {
                while self.undo.len() > edits {
                    self.undo();
                }
                while self.undo.len() < edits && !self.redo.is_empty() {
                    self.redo();
                }
            }
            Touch::Reset => {
                self.remember(true, Edit::Reset);
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

    fn undo(&mut self) {
        if let Some((edit, earlier)) = self.undo.pop() {
            self.redo.push((edit, std::mem::replace(&mut self.adjustments, earlier)));
        }
    }

    fn redo(&mut self) {
        if let Some((edit, later)) = self.redo.pop() {
            self.undo.push((edit, std::mem::replace(&mut self.adjustments, later)));
        }
    }

    /// Remembers the present adjustments where a gesture begins, and what it edits.
    fn remember(&mut self, begins: bool, edit: Edit) {
        if !begins {
            return;
        }
        match self.undo.last_mut() {
            // The gesture before changed nothing.
            Some((last, before)) if *before == self.adjustments => *last = edit,
            _ => {
                self.undo.push((edit, self.adjustments.clone()));
                self.redo.clear();
                if self.undo.len() > MAX_UNDO {
                    self.undo.remove(0);
                }
            }
        }
    }

    /// The edits that can be undone and those that were, oldest first, and how many of them are in effect.
    pub fn edits(&self) -> (Vec<Edit>, usize) {
        let edits = self.undo.iter().chain(self.redo.iter().rev()).map(|(edit, _)| *edit);
        (edits.collect(), self.undo.len())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latent::LatentShape;

    fn channel(index: usize, adjustment: ChannelAdjustment, begins: bool) -> Touch {
        Touch::Channel { index, adjustment, begins }
    }

    #[test]
    fn edits_have_names_and_any_of_them_is_gone_back_to() {
        let mut inspector = Inspector::default();
        inspector.lay(Latent::zeros(LatentShape::new(4, 2, 2)));
        let gain = |gain| ChannelAdjustment { gain, ..ChannelAdjustment::default() };
        // A drag is one edit.
        inspector.touch(channel(2, gain(1.1), true));
        inspector.touch(channel(2, gain(1.5), false));
        inspector.touch(channel(0, ChannelAdjustment { muted: true, ..gain(1.0) }, true));
        inspector.touch(channel(1, ChannelAdjustment { offset: 0.5, ..gain(1.0) }, true));
        inspector.touch(Touch::Reset);
        let all = vec![Edit::Gain(2), Edit::Mute(0), Edit::Offset(1), Edit::Reset];
        assert_eq!(inspector.edits(), (all.clone(), 4));
        assert!(inspector.touch(Touch::GoTo(1)), "it is decoded");
        assert_eq!(inspector.edits(), (all.clone(), 1));
        let gains =
            |inspector: &Inspector| inspector.adjustments.channels.iter().map(|c| c.gain).sum::<f32>();
        assert_eq!((gains(&inspector), inspector.adjustments.channels[0].muted), (4.5, false));
        inspector.touch(Touch::GoTo(3));
        assert_eq!((inspector.edits().1, inspector.adjustments.channels[1].offset), (3, 0.5));
        inspector.touch(Touch::GoTo(0));
        assert!(inspector.adjustments.is_none());
        inspector.touch(Touch::GoTo(99));
        assert_eq!(inspector.edits(), (all, 4));
        // Another edit from here takes the place of those that were undone.
        inspector.touch(Touch::GoTo(1));
        inspector.touch(channel(3, ChannelAdjustment { solo: true, ..gain(1.0) }, true));
        assert_eq!(inspector.edits(), (vec![Edit::Gain(2), Edit::Solo(3)], 2));
    }
}
