//! Group and layer normalisation.

use super::super::Runtime;
use super::{Operation, channels_last, feature_map, is_native, plain_values, with_values};
use crate::kernels::norm::{self as kernels, Affine, group_sums};
use crate::networks::backend::{self, D, Error, Result, Tensor};

/// The sums over each group of a group norm, from which its mean and variance follow. Those of several parts of an
/// image can be merged.
#[derive(Clone, Debug)]
pub struct GroupStatistics {
    /// Number of values in each group.
    count: f64,
    /// For each group of each image, the sum of the values and the sum of their squares, `[B, G]`.
    sums: Vec<[f64; 2]>,
}

impl GroupStatistics {
    /// From the mean and variance of each group of each image, `[B, G]`, over `count` values.
    fn from_moments(count: usize, moments: impl Iterator<Item = [f64; 2]>) -> Self {
        let count = count as f64;
        let sums = moments.map(|[mean, variance]| [mean * count, (variance + mean * mean) * count]).collect();
        Self { count, sums }
    }

    /// Merges the statistics of another part of the same images.
    ///
    /// # Panics
    /// If the parts have different numbers of images or groups.
    pub fn merge(&mut self, part: &Self) {
        assert_eq!(self.sums.len(), part.sums.len(), "statistics of different images or norms");
        self.count += part.count;
        for (sums, part) in self.sums.iter_mut().zip(&part.sums) {
            sums[0] += part[0];
            sums[1] += part[1];
        }
    }

    /// Mean and variance of each group of each image, `[B, G]`.
    fn moments(&self) -> impl ExactSizeIterator<Item = [f64; 2]> {
        self.sums.iter().map(|[sum, squares]| {
            let mean = sum / self.count;
            [mean, (squares / self.count - mean * mean).max(0.0)]
        })
    }
}

/// Group normalisation (Wu & He 2018, <https://arxiv.org/abs/1803.08494>).
pub struct GroupNorm {
    runtime: Runtime,
    weight: Tensor,
    bias: Tensor,
    /// Weight and bias for the native backend.
    values: Option<[Vec<f32>; 2]>,
    groups: usize,
    eps: f64,
}

fn native_values(runtime: &Runtime, weight: &Tensor, bias: &Tensor) -> Result<Option<[Vec<f32>; 2]>> {
    Ok(if is_native(runtime, weight) { Some([plain_values(weight)?, plain_values(bias)?]) } else { None })
}

impl GroupNorm {
    /// `weight`, `bias`: `[C]`.
    ///
    /// # Errors
    /// If C is not a multiple of `groups`.
    pub fn new(runtime: &Runtime, weight: &Tensor, bias: &Tensor, groups: usize, eps: f64) -> Result<Self> {
        let channels = weight.elem_count();
        if groups == 0 || !channels.is_multiple_of(groups) {
            return Err(Error::Msg(format!("{channels} channels do not make {groups} norm groups")));
        }
        let values = native_values(runtime, weight, bias)?;
        let runtime = runtime.clone();
        Ok(Self { runtime, weight: weight.clone(), bias: bias.clone(), values, groups, eps })
    }

    /// `[B, C, H, W] → [B, C, H, W]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.run(x, None, false)
    }

    /// The statistics of a feature map `[B, C, H, W]`, for its groups G.
    pub fn statistics(&self, x: &Tensor) -> Result<GroupStatistics> {
        let (b, c, h, w) = self.dims(x)?;
        if self.values.is_some() && is_native(&self.runtime, x) {
            let sums = with_values(&channels_last(x)?, |values| {
                group_sums(self.runtime.kernels(), values, b, self.groups, c)
            })?;
            return Ok(GroupStatistics { count: (c / self.groups * h * w) as f64, sums });
        }
        let [mean, variance] = x.moments(self.groups)?;
        let (mean, variance): (Vec<f32>, Vec<f32>) = (mean.to_values()?, variance.to_values()?);
        let moments = mean.iter().zip(&variance).map(|(m, v)| [f64::from(*m), f64::from(*v)]);
        Ok(GroupStatistics::from_moments(c / self.groups * h * w, moments))
    }

    fn dims(&self, x: &Tensor) -> Result<(usize, usize, usize, usize)> {
        let dims = x.dims4()?;
        if dims.1 != self.weight.elem_count() {
            let message = format!("a norm of {} channels got {}", self.weight.elem_count(), dims.1);
            return Err(Error::Msg(message));
        }
        Ok(dims)
    }

    /// The norm of `x` for the native backend; `None` where a backend computes.
    fn affine(&self, x: &Tensor, given: Option<&GroupStatistics>, with_silu: bool) -> Result<Option<Affine>> {
        let (b, ..) = self.dims(x)?;
        if let Some(given) = given.filter(|given| given.moments().len() != b * self.groups) {
            let found = given.moments().len();
            let message = format!("a norm of {b} × {} groups got {found} statistics", self.groups);
            return Err(Error::Msg(message));
        }
        let Some([weight, bias]) = self.values.as_ref().filter(|_| is_native(&self.runtime, x)) else {
            return Ok(None);
        };
        let affine = |statistics: &GroupStatistics| {
            Affine::new(statistics.moments(), self.groups, self.eps, [weight, bias], with_silu)
        };
        Ok(Some(match given {
            Some(given) => affine(given),
            None => affine(&self.statistics(x)?),
        }))
    }

    fn run(&self, x: &Tensor, given: Option<&GroupStatistics>, with_silu: bool) -> Result<Tensor> {
        let (b, c, h, w) = self.dims(x)?;
        if let Some(affine) = self.affine(x, given, with_silu)? {
            let out = with_values(&channels_last(x)?, |values| affine.norm(self.runtime.kernels(), values))?;
            return feature_map(out, [b, c, h, w], x);
        }
        // Statistics of `x` itself stay on the device.
        let given = match given {
            Some(given) => {
                let (means, variances): (Vec<f32>, Vec<f32>) =
                    given.moments().map(|[mean, variance]| (mean as f32, variance as f32)).unzip();
                let each_group = |values| Tensor::from_vec(values, (b, self.groups, 1), x.device());
                Some([each_group(means)?, each_group(variances)?])
            }
            None => None,
        };
        let given = given.as_ref().map(|[mean, variance]| [mean, variance]);
        let affine = [&self.weight, &self.bias];
        let out = backend::group_norm(x, affine, self.groups, self.eps, given, with_silu)?;
        self.runtime.computed(Operation::GroupNorm, out)
    }
}

/// A group norm followed by SiLU.
#[derive(Clone, Copy)]
pub struct NormSilu<'a> {
    norm: &'a GroupNorm,
    statistics: Option<&'a GroupStatistics>,
}

impl<'a> NormSilu<'a> {
    /// `statistics`: given ones, such as those of the whole map when the input is a tile of it; otherwise the input's
    /// own.
    pub fn new(norm: &'a GroupNorm, statistics: Option<&'a GroupStatistics>) -> Self {
        Self { norm, statistics }
    }

    /// `[B, C, H, W] → [B, C, H, W]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.norm.run(x, self.statistics, true)
    }

    /// Norm and SiLU for the native backend; `None` where a backend computes.
    pub(super) fn affine(&self, x: &Tensor) -> Result<Option<Affine>> {
        self.norm.affine(x, self.statistics, true)
    }
}

/// Layer normalisation of the last dimension (Ba et al. 2016, <https://arxiv.org/abs/1607.06450>).
pub struct LayerNorm {
    runtime: Runtime,
    weight: Tensor,
    bias: Tensor,
    /// Weight and bias for the native backend.
    values: Option<[Vec<f32>; 2]>,
    eps: f64,
}

impl LayerNorm {
    /// `weight`, `bias`: `[C]`.
    pub fn new(runtime: &Runtime, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Self> {
        let values = native_values(runtime, weight, bias)?;
        let runtime = runtime.clone();
        Ok(Self { runtime, weight: weight.clone(), bias: bias.clone(), values, eps })
    }

    /// Width C of its input.
    pub fn channels(&self) -> usize {
        self.weight.elem_count()
    }

    /// The norm for the native backend; `None` where a backend computes.
    pub(super) fn native(&self, x: &Tensor) -> Option<kernels::LayerNorm<'_>> {
        let fits = is_native(&self.runtime, x) && x.dims().last() == Some(&self.channels());
        let [weight, bias] = self.values.as_ref().filter(|_| fits)?;
        Some(kernels::LayerNorm { eps: self.eps, weight, bias })
    }

    /// `[.., C] → [.., C]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        if x.dim(D::Minus1)? != self.channels() {
            let message = format!("a norm of {} channels got {:?}", self.channels(), x.dims());
            return Err(Error::Msg(message));
        }
        if let Some(norm) = self.native(x) {
            let out = with_values(x, |values| norm.norm(self.runtime.kernels(), values))?;
            return Tensor::from_vec(out, x.dims(), x.device());
        }
        let out = x.layer_normed([&self.weight, &self.bias], self.eps)?;
        self.runtime.computed(Operation::LayerNorm, out)
    }
}
