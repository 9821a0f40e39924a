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
    /// Back or forward to where so many edits are in effect.
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
    /// Edits in effect, oldest first, each with the adjustments before it.
    undo: Vec<(Edit, ChannelAdjustments)>,
    /// Undone edits, the next one last, each with the adjustments after it.
    redo: Vec<(Edit, ChannelAdjustments)>,
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

    /// How many gestures can be undone, and done again.
    pub fn history(&self) -> [usize; 2] {
        [self.undo.len(), self.redo.len()]
    }

    /// Whether there is something to go back to, and forward to.
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
