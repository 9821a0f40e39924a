//! Rotary position embedding (Su et al. 2021, <https://arxiv.org/abs/2104.09864>).

use super::super::Runtime;
use super::weights::packs;
use super::{Operation, is_native, with_values};
use crate::kernels::rotary;
use crate::networks::backend::{DType, Device, Error, Result, Tensor};

pub use crate::kernels::rotary::RotaryPairs;

/// Cosines and sines of the rotation angles of N tokens, for heads of D values.
pub struct RotaryEmbedding {
    runtime: Runtime,
    cos: Vec<f32>,
    sin: Vec<f32>,
    /// Both on the device, `[N, D/2]`, where a backend computes.
    tensors: Option<[Tensor; 2]>,
    /// Pairs of values in a head, D/2.
    half: usize,
    pairs: RotaryPairs,
}

impl RotaryEmbedding {
    /// `angles`: `[N, D/2]`, radians; `half`: D/2; `pairs`: which values of a head are rotated together.
    ///
    /// # Errors
    /// If `half` is 0 or the number of angles is not a multiple of it.
    pub fn new(runtime: &Runtime, angles: &[f64], half: usize, pairs: RotaryPairs) -> Result<Self> {
        if half == 0 || !angles.len().is_multiple_of(half) {
            return Err(Error::Msg(format!("{} angles do not turn heads of {half} pairs", angles.len())));
        }
        let (sin, cos): (Vec<f32>, Vec<f32>) =
            angles.iter().map(|angle| (angle.sin() as f32, angle.cos() as f32)).unzip();
        let tensor = |values: &[f32]| {
            Tensor::from_slice(values, (values.len() / half, half), &Device::Cpu)?.to_device(runtime.device())
        };
        let tensors = if packs(runtime) { None } else { Some([tensor(&cos)?, tensor(&sin)?]) };
        Ok(Self { runtime: runtime.clone(), cos, sin, tensors, half, pairs })
    }

    /// Rotary embedding over several axes, as in FLUX: each axis rotates its own part of a head, `widths` values of it.
    /// `positions`: for each token its position on each axis; `theta`: the base of the frequencies.
    ///
    /// # Errors
    /// If a width is odd.
    pub fn of_axes<const AXES: usize>(
        runtime: &Runtime,
        positions: &[[f64; AXES]],
        widths: [usize; AXES],
        theta: f64,
    ) -> Result<Self> {
        if widths.iter().any(|width| width % 2 != 0) {
            return Err(Error::Msg(format!("axes of {widths:?} values have no pairs")));
        }
        let frequencies: Vec<(usize, f64)> = widths
            .iter()
            .enumerate()
            .flat_map(|(axis, width)| {
                (0..width / 2).map(move |i| (axis, theta.powf(-2.0 * i as f64 / *width as f64)))
            })
            .collect();
        let angles_at = |position: &[f64; AXES]| {
            let angles = frequencies.iter().map(|(axis, frequency)| position[*axis] * frequency);
            angles.collect::<Vec<f64>>()
        };
        let angles: Vec<f64> = positions.iter().flat_map(angles_at).collect();
        Self::new(runtime, &angles, frequencies.len(), RotaryPairs::Neighbours)
    }

    /// The number of tokens N.
    pub fn tokens(&self) -> usize {
        self.cos.len() / self.half
    }

    /// Rotates queries or keys `[1, N, H·D]`.
    ///
    /// # Errors
    /// If the number of tokens is not N, or the width is not a multiple of D.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (batch, tokens, width) = x.dims3()?;
        if batch != 1 || tokens != self.tokens() || !width.is_multiple_of(2 * self.half) {
            let [count, head] = [self.tokens(), 2 * self.half];
            return Err(Error::Msg(format!(
                "angles of {count} tokens and heads of {head} values do not turn {:?}",
                x.dims()
            )));
        }
        if is_native(&self.runtime, x) {
            let turn = |x: &[f32]| {
                rotary::rotate(self.runtime.kernels(), x, [&self.cos, &self.sin], self.half, self.pairs)
            };
            return Tensor::from_vec(with_values(x, turn)?, x.dims(), x.device());
        }
        let Some([cos, sin]) = &self.tensors else {
            return Err(Error::Msg("angles for the kernels do not turn values elsewhere".to_owned()));
        };
        let heads = x.split_heads(width / (2 * self.half))?.to_dtype(DType::F32)?;
        let rotated = heads.rotated([cos, sin], self.pairs == RotaryPairs::Neighbours)?;
        let rotated = rotated.transpose(1, 2)?.reshape((1, tokens, width))?.to_dtype(x.dtype())?;
        self.runtime.computed(Operation::Rotation, rotated)
    }
}
