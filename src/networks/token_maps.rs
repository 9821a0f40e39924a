//! Where the tokens of a prompt act on the picture: the weights of attention from image tokens to text tokens, mean over
//! heads and layers, at the resolution of the latent.
//!
//! Source: Tang et al. 2022, <https://arxiv.org/abs/2210.04885>, here for one evaluation of the network, and scaled up
//! bilinearly.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::backend::{Result, Tensor};
use super::ops::attention_weights;

/// Where text and image tokens stand in the joint attention of a transformer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JointTokens {
    /// The number of all tokens. An attention of fewer is not a joint one.
    pub all: usize,
    /// The place of the first text token.
    pub text: usize,
    /// The place of the first image token. There is one for each patch of 2×2 latent pixels.
    pub image: usize,
}

/// Records the attention to text tokens while it is asked to; the networks' results do not change.
#[derive(Debug, Default)]
pub struct TokenMaps(Mutex<Option<Recording>>);

#[derive(Debug)]
struct Recording {
    /// Height and width of the latent.
    size: [usize; 2],
    tokens: usize,
    joint: Option<JointTokens>,
    /// Sum over the recorded layers, `[tokens, H, W]`.
    sum: Vec<f32>,
    layers: usize,
    /// Joint attentions so far.
    seen: usize,
}

/// Image tokens for which each joint attention is recorded; with more of them, which take longer, one of several is.
const AFFORDABLE: usize = 512;
/// The most joint attentions of which one is recorded.
const MOST_SKIPPED: usize = 8;

impl TokenMaps {
    /// Begins to record the attention to the first `tokens` text tokens for a latent of `size`, height and width.
    /// `joint`: in networks with joint attention.
    pub fn begin(&self, size: [usize; 2], tokens: usize, joint: Option<JointTokens>) {
        let sum = vec![0.0; tokens * size[0] * size[1]];
        *self.recording() = Some(Recording { size, tokens, joint, sum, layers: 0, seen: 0 });
    }

    /// Ends the recording: the maps `[tokens, H, W]`, whose values at a latent pixel are at most 1 together. `None` if no
    /// attention was recorded.
    pub fn finish(&self) -> Option<Vec<f32>> {
        let Recording { mut sum, layers, .. } = self.recording().take()?;
        if layers == 0 {
            return None;
        }
        for value in &mut sum {
            *value /= layers as f32;
        }
        Some(sum)
    }

    /// Cross-attention of an image of `grid` tokens, rows and columns, with queries `[B, N, H·D]`, to text tokens
    /// `[B, M, H·D]`. The last of the batch is recorded, which is the prompt.
    pub(super) fn see_cross_attention(
        &self,
        q: &Tensor,
        k: &Tensor,
        heads: usize,
        grid: [usize; 2],
    ) -> Result<()> {
        let mut recording = self.recording();
        let Some(recording) = recording.as_mut().filter(|recording| recording.joint.is_none()) else {
            return Ok(());
        };
        let last = |of: &Tensor| of.narrow(0, of.dim(0)? - 1, 1);
        let (q, k) = (last(q)?, last(k)?);
        recording.add(&attention_weights(&q, &k, heads, 0..recording.tokens.min(k.dim(1)?))?, grid);
        Ok(())
    }

    /// Joint attention of text and image tokens, queries and keys `[1, N, H·D]` with their positions.
    pub(super) fn see_joint_attention(&self, q: &Tensor, k: &Tensor, heads: usize) -> Result<()> {
        let mut recording = self.recording();
        let Some((recording, joint)) =
            recording.as_mut().and_then(|recording| recording.joint.map(|joint| (recording, joint)))
        else {
            return Ok(());
        };
        if k.dim(1)? != joint.all {
            return Ok(());
        }
        let grid = recording.size.map(|edge| edge / 2);
        let image_tokens = grid[0] * grid[1];
        let stride = (image_tokens / AFFORDABLE).clamp(1, MOST_SKIPPED);
        recording.seen += 1;
        if (recording.seen - 1) % stride != stride / 2 {
            return Ok(());
        }
        let q = q.narrow(1, joint.image, image_tokens)?;
        let text = joint.text..joint.text + recording.tokens.min(joint.all - joint.text);
        recording.add(&attention_weights(&q, k, heads, text)?, grid);
        Ok(())
    }

    fn recording(&self) -> MutexGuard<'_, Option<Recording>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recording {
    /// Adds a layer's weights `[tokens, N]` of an image of `grid` tokens.
    fn add(&mut self, weights: &[f32], grid: [usize; 2]) {
        let [rows, columns] = [0, 1].map(|axis| Between::all(grid[axis], self.size[axis]));
        let plane = self.size[0] * self.size[1];
        for (map, sum) in weights.chunks_exact(grid[0] * grid[1]).zip(self.sum.chunks_exact_mut(plane)) {
            for (row, sums) in rows.iter().zip(sum.chunks_exact_mut(self.size[1])) {
                let [above, below] = [row.first, row.second].map(|row| &map[row * grid[1]..][..grid[1]]);
                for (column, sum) in columns.iter().zip(sums) {
                    *sum += row.mix(
                        column.mix(above[column.first], above[column.second]),
                        column.mix(below[column.first], below[column.second]),
                    );
                }
            }
        }
        self.layers += 1;
    }
}

/// A place between two of a coarser grid.
struct Between {
    first: usize,
    second: usize,
    /// The share of the second.
    share: f32,
}

impl Between {
    /// The places of `to` pixels over `from`, whose edges coincide (PyTorch's bilinear without `align_corners`).
    fn all(from: usize, to: usize) -> Vec<Self> {
        let place = |index: usize| {
            let at = ((index as f32 + 0.5) * from as f32 / to as f32 - 0.5).max(0.0);
            let first = (at as usize).min(from - 1);
            Self { first, second: (first + 1).min(from - 1), share: at - first as f32 }
        };
        (0..to).map(place).collect()
    }

    fn mix(&self, first: f32, second: f32) -> f32 {
        first + self.share * (second - first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::networks::backend::Device;

    fn tensor(tokens: usize) -> Tensor {
        let values = (0..tokens * 4).map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0);
        Tensor::from_vec(values.collect::<Vec<_>>(), (1, tokens, 4), &Device::Cpu).unwrap()
    }

    #[test]
    fn maps_of_layers_of_two_resolutions_are_averaged_at_that_of_the_latent() {
        let maps = TokenMaps::default();
        let key = tensor(3);
        maps.see_cross_attention(&tensor(16), &key, 2, [4, 4]).unwrap();
        assert_eq!(maps.finish(), None, "it was not asked to record");
        maps.begin([4, 4], 2, None);
        maps.see_cross_attention(&tensor(16), &key, 2, [4, 4]).unwrap();
        maps.see_cross_attention(&tensor(4), &key, 2, [2, 2]).unwrap();
        let found = maps.finish().unwrap();
        let fine = attention_weights(&tensor(16), &key, 2, 0..2).unwrap();
        let coarse = attention_weights(&tensor(4), &key, 2, 0..2).unwrap();
        for token in 0..2 {
            let at = |row: usize, column: usize| found[token * 16 + row * 4 + column];
            let (fine, coarse) = (&fine[token * 16..], &coarse[token * 4..]);
            assert!((at(0, 0) - f32::midpoint(fine[0], coarse[0])).abs() < 1e-6);
            // One latent pixel right of the corner: a quarter of the way to the next coarse one.
            let between = 0.75 * coarse[0] + 0.25 * coarse[1];
            assert!((at(0, 1) - f32::midpoint(fine[1], between)).abs() < 1e-6);
            assert!((at(3, 3) - f32::midpoint(fine[15], coarse[3])).abs() < 1e-6);
        }
    }

    #[test]
    fn a_joint_attention_is_recorded_from_the_image_to_the_text() {
        let maps = TokenMaps::default();
        // Two text tokens, and an image of 2×2 tokens.
        maps.begin([4, 4], 1, Some(JointTokens { all: 6, text: 0, image: 2 }));
        let all = tensor(6);
        maps.see_joint_attention(&tensor(4), &tensor(4), 2).unwrap();
        maps.see_joint_attention(&all, &all, 2).unwrap();
        let found = maps.finish().unwrap();
        let weights = attention_weights(&all, &all, 2, 0..1).unwrap();
        for (corner, token) in [(0, 2), (3, 3), (12, 4), (15, 5)] {
            assert!((found[corner] - weights[token]).abs() < 1e-6);
        }
    }
}
