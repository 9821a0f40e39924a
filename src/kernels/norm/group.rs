//! Group normalisation (Wu & He 2018, <https://arxiv.org/abs/1803.08494>), with SiLU where one follows.

use super::super::elementary::silu;
use super::super::isa::{Isa, multiversioned};
use super::super::{KernelContext, PARALLEL_VALUES};

/// Rows summed in f32 before they join the f64 sums.
const ROWS_IN_F32: usize = 64;

multiversioned! {
    /// Sums and sums of squares of each channel over rows of channels.
    fn channel_sums(isa: Isa, rows: &[f32], channels: usize, sums: &mut [f64], squares: &mut [f64]) {
        let mut sum = vec![0.0_f32; channels];
        let mut square = vec![0.0_f32; channels];
        for block in rows.chunks(channels * ROWS_IN_F32) {
            sum.fill(0.0);
            square.fill(0.0);
            for row in block.chunks_exact(channels) {
                for ((sum, square), v) in sum.iter_mut().zip(&mut square).zip(row) {
                    *sum += v;
                    *square += v * v;
                }
            }
            for (total, part) in sums.iter_mut().zip(&sum) {
                *total += f64::from(*part);
            }
            for (total, part) in squares.iter_mut().zip(&square) {
                *total += f64::from(*part);
            }
        }
    }
}

multiversioned! {
    fn scale_and_shift<const FMA: bool>(
        isa: Isa,
        rows: &[f32],
        scale: &[f32],
        shift: &[f32],
        with_silu: bool,
        out: &mut [f32],
    ) {
        let channels = scale.len();
        for (row, out) in rows.chunks_exact(channels).zip(out.chunks_exact_mut(channels)) {
            let inputs = row.iter().zip(scale).zip(shift);
            if with_silu {
                for (out, ((v, scale), shift)) in out.iter_mut().zip(inputs) {
                    *out = silu::<FMA>(v * scale + shift);
                }
            } else {
                for (out, ((v, scale), shift)) in out.iter_mut().zip(inputs) {
                    *out = v * scale + shift;
                }
            }
        }
    }
}

/// Values of rows of channels that one thread takes.
fn values_at_once(channels: usize) -> usize {
    PARALLEL_VALUES.div_ceil(channels) * channels
}

/// The sum of the values of each image's groups and that of their squares, `[B, G]`, for `batch` images `[B, H·W, C]`.
pub fn group_sums(
    ctx: &KernelContext,
    x: &[f32],
    batch: usize,
    groups: usize,
    channels: usize,
) -> Vec<[f64; 2]> {
    let image = x.len() / batch.max(1);
    let in_group = channels / groups;
    let at_once = values_at_once(channels);
    let mut all = Vec::with_capacity(batch * groups);
    for x in x.chunks_exact(image.max(1)) {
        // Summed in order, so that the result does not depend on the threads.
        let mut parts: Vec<[Vec<f64>; 2]> =
            vec![[vec![0.0; channels], vec![0.0; channels]]; image.div_ceil(at_once)];
        let pieces = x.chunks(at_once).zip(&mut parts);
        ctx.threads().for_each(image > at_once, pieces, |(rows, [sums, squares])| {
            channel_sums(ctx.isa(), rows, channels, sums, squares);
        });
        all.extend((0..groups).map(|group| {
            let of_group = group * in_group..(group + 1) * in_group;
            let sum = |which: usize| parts.iter().flat_map(|part| &part[which][of_group.clone()]).sum();
            [sum(0), sum(1)]
        }));
    }
    all
}

/// A group norm with its statistics as one factor and one summand for each channel of each image, and SiLU.
#[derive(Clone, Debug)]
pub struct Affine {
    /// `[B, C]`.
    scale: Vec<f32>,
    /// `[B, C]`.
    shift: Vec<f32>,
    channels: usize,
    with_silu: bool,
}

impl Affine {
    /// Of the norm with these `groups`, `eps`, and weight and bias `[C]`; `moments`: mean and variance of each image's
    /// groups, `[B, G]`.
    pub fn new(
        moments: impl Iterator<Item = [f64; 2]>,
        groups: usize,
        eps: f64,
        [weight, bias]: [&[f32]; 2],
        with_silu: bool,
    ) -> Self {
        let channels = weight.len();
        let in_group = channels / groups;
        let (mut scale, mut shift) = (Vec::new(), Vec::new());
        for (index, [mean, variance]) in moments.enumerate() {
            let inverse = 1.0 / (variance + eps).sqrt();
            let group = index % groups;
            for c in group * in_group..(group + 1) * in_group {
                scale.push((f64::from(weight[c]) * inverse) as f32);
                shift.push((f64::from(bias[c]) - mean * inverse * f64::from(weight[c])) as f32);
            }
        }
        Self { scale, shift, channels, with_silu }
    }

    /// Norms pixels `[n, C]` of one image on this thread.
    pub(in super::super) fn apply(&self, isa: Isa, image: usize, pixels: &[f32], out: &mut [f32]) {
        let channels = image * self.channels..(image + 1) * self.channels;
        let (scale, shift) = (&self.scale[channels.clone()], &self.shift[channels]);
        scale_and_shift(isa, pixels, scale, shift, self.with_silu, out);
    }

    /// Norms `[B, H·W, C]`.
    pub fn norm(&self, ctx: &KernelContext, x: &[f32]) -> Vec<f32> {
        let mut out = vec![0.0; x.len()];
        if x.is_empty() {
            return out;
        }
        let len = x.len() / (self.scale.len() / self.channels);
        let at_once = values_at_once(self.channels);
        for (image, (x, out)) in x.chunks_exact(len).zip(out.chunks_exact_mut(len)).enumerate() {
            let parts = out.chunks_mut(at_once).zip(x.chunks(at_once));
            ctx.threads().for_each(len > at_once, parts, |(out, x)| self.apply(ctx.isa(), image, x, out));
        }
        out
    }
}
