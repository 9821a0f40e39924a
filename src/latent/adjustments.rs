//! Adjusting a latent: gain, offset, mute and solo of each channel, and a blend with a second latent.
//!
//! The preview shaders compute the same; these values are saved and decoded by the VAE.

use super::Latent;

/// Adjustment of one channel: `gain · value + offset`, or 0 if muted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChannelAdjustment {
    /// Factor; 1 changes nothing.
    pub gain: f32,
    /// Added after the factor, in latent units.
    pub offset: f32,
    /// Whether the channel is set to 0.
    pub muted: bool,
    /// If set for any channel, every channel without it is muted.
    pub solo: bool,
}

impl Default for ChannelAdjustment {
    fn default() -> Self {
        Self { gain: 1.0, offset: 0.0, muted: false, solo: false }
    }
}

/// How two latents are mixed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BlendMode {
    /// Along the straight line.
    #[default]
    Lerp,
    /// Along the great circle, which keeps the length (Shoemake 1985).
    Slerp,
}

/// A second latent mixed into the first, before the channels are adjusted.
#[derive(Clone, Debug, PartialEq)]
pub struct Blend {
    /// The second latent, of the same shape.
    pub with: Latent,
    /// 0 is the first latent, 1 the second.
    pub amount: f32,
    /// The path between them.
    pub mode: BlendMode,
}

impl Blend {
    /// Factors of the first and second latent whose sum is the mix.
    ///
    /// For [`BlendMode::Slerp`]: `sin((1 − t)·θ)/sin θ` and `sin(t·θ)/sin θ`, with θ the angle
    /// between the latents taken as vectors; straight where they are nearly parallel.
    pub fn weights(&self, first: &Latent) -> [f32; 2] {
        let t = f64::from(self.amount);
        if self.mode == BlendMode::Slerp {
            let dot = |a: &Latent, b: &Latent| -> f64 {
                a.values().iter().zip(b.values()).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum()
            };
            let lengths = (dot(first, first) * dot(&self.with, &self.with)).sqrt();
            let cosine =
                if lengths > 0.0 { (dot(first, &self.with) / lengths).clamp(-1.0, 1.0) } else { 1.0 };
            let (angle, sine) = (cosine.acos(), cosine.acos().sin());
            if sine > 1e-4 {
                return [(((1.0 - t) * angle).sin() / sine) as f32, ((t * angle).sin() / sine) as f32];
            }
        }
        [(1.0 - t) as f32, t as f32]
    }
}

/// All adjustments of a latent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChannelAdjustments {
    /// One for each channel; channels beyond the end are unchanged.
    pub channels: Vec<ChannelAdjustment>,
    /// A second latent.
    pub blend: Option<Blend>,
}

impl ChannelAdjustments {
    /// No adjustment, for this number of channels.
    pub fn none(channels: usize) -> Self {
        Self { channels: vec![ChannelAdjustment::default(); channels], blend: None }
    }

    /// Whether the latent remains unchanged.
    pub fn is_none(&self) -> bool {
        self.channels.iter().all(|c| *c == ChannelAdjustment::default())
            && self.blend.as_ref().is_none_or(|b| b.amount == 0.0)
    }

    /// Gain and offset of a channel with mute and solo applied.
    pub fn gain_and_offset(&self, channel: usize) -> [f32; 2] {
        let Some(own) = self.channels.get(channel) else { return [1.0, 0.0] };
        let solo = self.channels.iter().any(|c| c.solo);
        if own.muted || (solo && !own.solo) { [0.0, 0.0] } else { [own.gain, own.offset] }
    }

    /// The latent after the blend and the channels' adjustments.
    pub fn apply(&self, latent: &Latent) -> Latent {
        let mixed = match &self.blend {
            Some(blend) if blend.with.shape() == latent.shape() => {
                let [first, second] = blend.weights(latent);
                let values: Vec<f32> = latent
                    .values()
                    .iter()
                    .zip(blend.with.values())
                    .map(|(a, b)| first * a + second * b)
                    .collect();
                Latent { shape: latent.shape, values: values.into() }
            }
            _ => latent.clone(),
        };
        mixed.map(|channel, value| {
            let [gain, offset] = self.gain_and_offset(channel);
            gain * value + offset
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::LatentShape;
    use super::*;

    fn latent(values: [f32; 2]) -> Latent {
        Latent::new(LatentShape::new(2, 1, 1), values.to_vec()).unwrap()
    }

    #[test]
    fn soloed_channels_are_heard_alone_and_a_mute_wins() {
        let mut adjustments = ChannelAdjustments::none(2);
        adjustments.channels[1].solo = true;
        adjustments.channels[1].gain = 2.0;
        adjustments.channels[1].offset = 0.5;
        assert_eq!(adjustments.apply(&latent([3.0, 4.0])).values(), [0.0, 8.5]);
        adjustments.channels[1].muted = true;
        assert_eq!(adjustments.apply(&latent([3.0, 4.0])).values(), [0.0, 0.0]);
    }

    #[test]
    fn slerp_keeps_the_length_where_lerp_does_not() {
        let first = latent([1.0, 0.0]);
        let mut adjustments = ChannelAdjustments::none(2);
        let blend = Blend { with: latent([0.0, 1.0]), amount: 0.5, mode: BlendMode::Slerp };
        adjustments.blend = Some(blend.clone());
        let half = std::f32::consts::FRAC_1_SQRT_2;
        for v in adjustments.apply(&first).values() {
            assert!((v - half).abs() < 1e-6);
        }
        adjustments.blend = Some(Blend { mode: BlendMode::Lerp, ..blend });
        assert_eq!(adjustments.apply(&first).values(), [0.5, 0.5]);
    }

    #[test]
    fn no_adjustment_changes_nothing() {
        let adjustments = ChannelAdjustments::none(2);
        assert!(adjustments.is_none());
        assert_eq!(adjustments.apply(&latent([3.0, -4.0])), latent([3.0, -4.0]));
    }
}
