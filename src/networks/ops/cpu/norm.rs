//! GroupNorm (with SiLU) and LayerNorm.

use rayon::prelude::*;

use super::PARALLEL_VALUES;
use super::simd::{multiversioned, silu};

/// Rows summed in f32 before they join the f64 sums.
const ROWS_IN_F32: usize = 64;

multiversioned! {
    /// Sums and sums of squares of each channel over rows of channels.
    fn channel_sums(rows: &[f32], channels: usize, sums: &mut [f64], squares: &mut [f64]) {
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
    fn scale_and_shift<const FMA: bool>(rows: &[f32], scale: &[f32], shift: &[f32], with_silu: bool, out: &mut [f32]) {
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

/// Sums over the values of each norm group, from which its mean and variance follow. Those of several
/// parts of a picture add up.
#[derive(Clone, Debug)]
pub struct GroupStatistics {
    /// Values summed for each group.
    count: f64,
    /// For each picture's groups, the values' sum and that of their squares, `[B, G]`.
    sums: Vec<[f64; 2]>,
}

impl GroupStatistics {
    /// From each picture's groups' mean and variance, `[B, G]`, over `count` values.
    pub(in super::super) fn from_moments(count: usize, moments: impl Iterator<Item = [f64; 2]>) -> Self {
        let count = count as f64;
        let sums = moments.map(|[mean, variance]| [mean * count, (variance + mean * mean) * count]).collect();
        Self { count, sums }
    }

    /// Adds those of another part of the same pictures.
    pub fn merge(&mut self, part: &Self) {
        assert_eq!(self.sums.len(), part.sums.len(), "statistics of different pictures or norms");
        self.count += part.count;
        for (sums, part) in self.sums.iter_mut().zip(&part.sums) {
            sums[0] += part[0];
            sums[1] += part[1];
        }
    }

    /// Each picture's groups' mean and variance, `[B, G]`.
    pub(in super::super) fn moments(&self) -> impl ExactSizeIterator<Item = [f64; 2]> {
        self.sums.iter().map(|[sum, squares]| {
            let mean = sum / self.count;
            [mean, (squares / self.count - mean * mean).max(0.0)]
        })
    }
}

/// Rows of channels that one thread takes, in values.
fn values_at_once(channels: usize) -> usize {
    PARALLEL_VALUES.div_ceil(channels) * channels
}

/// The statistics of `[B, H·W, C]`, `batch` pictures.
pub(in super::super) fn group_statistics(
    x: &[f32],
    batch: usize,
    groups: usize,
    channels: usize,
) -> GroupStatistics {
    let picture = x.len() / batch.max(1);
    let in_group = channels / groups;
    let mut statistics =
        GroupStatistics { count: (picture / groups) as f64, sums: Vec::with_capacity(batch * groups) };
    let at_once = values_at_once(channels);
    for x in x.chunks_exact(picture.max(1)) {
        let zeros = || (vec![0.0_f64; channels], vec![0.0_f64; channels]);
        let sums_of = |rows: &[f32]| {
            let (mut sums, mut squares) = zeros();
            channel_sums(rows, channels, &mut sums, &mut squares);
            (sums, squares)
        };
        let (sums, squares) = if picture <= at_once {
            sums_of(x)
        } else {
            // Collected in order, so that the result does not depend on the threads.
            let parts: Vec<_> = x.par_chunks(at_once).map(sums_of).collect();
            parts.into_iter().fold(zeros(), |(mut a, mut b), (c, d)| {
                a.iter_mut().zip(c).for_each(|(a, c)| *a += c);
                b.iter_mut().zip(d).for_each(|(b, d)| *b += d);
                (a, b)
            })
        };
        let groups = sums.chunks_exact(in_group).zip(squares.chunks_exact(in_group));
        statistics.sums.extend(groups.map(|(sums, squares)| [sums.iter().sum(), squares.iter().sum()]));
    }
    statistics
}

/// A group norm with its statistics as one factor and one summand for each channel of each picture, and SiLU if
/// asked.
pub(in super::super) struct Affine {
    /// `[B, C]`.
    scale: Vec<f32>,
    /// `[B, C]`.
    shift: Vec<f32>,
    channels: usize,
    with_silu: bool,
}

impl Affine {
    /// Of the norm with these `groups`, `eps`, and weight and bias `[C]` (Wu & He 2018).
    pub(in super::super) fn new(
        statistics: &GroupStatistics,
        groups: usize,
        eps: f64,
        [weight, bias]: [&[f32]; 2],
        with_silu: bool,
    ) -> Self {
        let channels = weight.len();
        let in_group = channels / groups;
        let (mut scale, mut shift) = (Vec::new(), Vec::new());
        for (index, [mean, variance]) in statistics.moments().enumerate() {
            let inverse = 1.0 / (variance + eps).sqrt();
            let group = index % groups;
            for c in group * in_group..(group + 1) * in_group {
                scale.push((f64::from(weight[c]) * inverse) as f32);
                shift.push((f64::from(bias[c]) - mean * inverse * f64::from(weight[c])) as f32);
            }
        }
        Self { scale, shift, channels, with_silu }
    }

    /// Norms pixels `[n, C]` of one picture.
    pub(super) fn apply(&self, picture: usize, pixels: &[f32], out: &mut [f32]) {
        let channels = picture * self.channels..(picture + 1) * self.channels;
        scale_and_shift(pixels, &self.scale[channels.clone()], &self.shift[channels], self.with_silu, out);
    }

    /// Norms `[B, H·W, C]`.
    pub(in super::super) fn norm(&self, x: &[f32]) -> Vec<f32> {
        let mut out = vec![0.0; x.len()];
        if x.is_empty() {
            return out;
        }
        let len = x.len() / (self.scale.len() / self.channels);
        let at_once = values_at_once(self.channels);
        for (picture, (x, out)) in x.chunks_exact(len).zip(out.chunks_exact_mut(len)).enumerate() {
            if len <= at_once {
                self.apply(picture, x, out);
            } else {
                let parts = out.par_chunks_mut(at_once).zip(x.par_chunks(at_once));
                parts.for_each(|(out, x)| self.apply(picture, x, out));
            }
        }
        out
    }
}

multiversioned! {
    fn layer_norm_rows(rows: &[f32], eps: f32, weight: &[f32], bias: &[f32], out: &mut [f32]) {
        let channels = weight.len();
        let count = channels as f32;
        for (row, out) in rows.chunks_exact(channels).zip(out.chunks_exact_mut(channels)) {
            let mean = lanes_sum(row, |v| v) / count;
            let variance = lanes_sum(row, |v| (v - mean) * (v - mean)) / count;
            let inverse = 1.0 / (variance + eps).sqrt();
            for (out, ((v, weight), bias)) in out.iter_mut().zip(row.iter().zip(weight).zip(bias)) {
                *out = (v - mean) * inverse * weight + bias;
            }
        }
    }
}

/// A sum in many lanes, several vectors of them so that none waits for itself; it loses less than one running sum.
#[inline(always)]
fn lanes_sum(values: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0_f32; 64];
    let (chunks, rest) = values.as_chunks::<64>();
    for chunk in chunks {
        for l in 0..64 {
            lanes[l] += f(chunk[l]);
        }
    }
    for (lane, v) in lanes.iter_mut().zip(rest) {
        *lane += f(*v);
    }
    let mut half = 32;
    while half > 0 {
        for l in 0..half {
            lanes[l] += lanes[l + half];
        }
        half /= 2;
    }
    lanes[0]
}

/// LayerNorm over the last dimension (Ba et al. 2016).
#[derive(Clone, Copy)]
pub(in super::super) struct LayerNorm<'a> {
    pub(in super::super) eps: f64,
    /// `[C]`.
    pub(in super::super) weight: &'a [f32],
    /// `[C]`.
    pub(in super::super) bias: &'a [f32],
}

impl LayerNorm<'_> {
    pub(super) fn channels(self) -> usize {
        self.weight.len()
    }

    /// Norms `[n, C]` on this thread.
    pub(super) fn apply(self, rows: &[f32], out: &mut [f32]) {
        layer_norm_rows(rows, self.eps as f32, self.weight, self.bias, out);
    }

    /// Norms `[N, C]`.
    pub(in super::super) fn norm(self, x: &[f32]) -> Vec<f32> {
        let mut out = vec![0.0; x.len()];
        if x.len() < PARALLEL_VALUES {
            self.apply(x, &mut out);
        } else {
            let at_once = values_at_once(self.channels());
            out.par_chunks_mut(at_once).zip(x.par_chunks(at_once)).for_each(|(out, x)| self.apply(x, out));
        }
        out
    }
}
