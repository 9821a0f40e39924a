//! The levels of encoder and decoder as one sequence of layers, run on tiles of a feature map.
//!
//! A convolution pads with zeros at a tile's border as at the picture's edge. So each tile has a halo, except at the
//! picture's edge, which the layers consume. The rest equals the result of the whole pass, provided that the norms use
//! the same statistics.

use super::region::Region;
use crate::networks::NetworkError;
use crate::networks::backend::{self, Tensor};
use crate::networks::blocks::ResnetBlock;
use crate::networks::error::check_cancelled;
use crate::networks::ops::{Conv2d, Epilogue, GroupNorm, GroupStatistics, NormSilu, crop};
use crate::request::CancelToken;

/// One layer of the levels.
pub(super) enum Layer {
    /// A 3×3 convolution that keeps the size.
    Conv(Conv2d),
    /// Two 3×3 convolutions around a residual.
    Resnet(Box<ResnetBlock>),
    /// A 3×3 convolution of stride 2, padded below and to the right.
    Down(Conv2d),
    /// Nearest-neighbour upsampling by 2 and a 3×3 convolution.
    Up(Conv2d),
    /// A norm, SiLU and a 3×3 convolution.
    NormConv(GroupNorm, Conv2d),
}

/// Where the norms' statistics come from.
pub(super) enum NormStatistics<'a> {
    /// Each part's own: for the whole map as one part.
    Own,
    /// All parts' together, without their halos; kept in the order of the norms.
    Gathered(&'a mut Vec<GroupStatistics>),
    /// Those gathered before, in the order of the norms.
    Given(std::slice::Iter<'a, GroupStatistics>),
}

impl NormStatistics<'_> {
    /// The statistics that the next norm takes for all parts, unless each has its own. `cores`: the parts without
    /// their halos.
    fn next(
        &mut self,
        norm: &GroupNorm,
        parts: &[Tensor],
        cores: &[Region],
    ) -> backend::Result<Option<&GroupStatistics>> {
        let statistics = match self {
            Self::Own => return Ok(None),
            Self::Gathered(all) => {
                let mut pooled: Option<GroupStatistics> = None;
                for (part, core) in parts.iter().zip(cores) {
                    let found = norm.statistics(&crop(part, core.from, core.to)?)?;
                    match &mut pooled {
                        Some(pooled) => pooled.merge(&found),
                        None => pooled = Some(found),
                    }
                }
                all.extend(pooled);
                all.last()
            }
            Self::Given(rest) => rest.next(),
        };
        let missing = || backend::Error::Msg("fewer statistics than norms".to_owned());
        statistics.map(Some).ok_or_else(missing)
    }
}

impl Layer {
    fn channels(&self) -> [usize; 2] {
        match self {
            Self::Conv(conv) | Self::Down(conv) | Self::Up(conv) | Self::NormConv(_, conv) => conv.channels(),
            Self::Resnet(resnet) => resnet.channels(),
        }
    }

    /// The region of the output for a region of the input, which begins at even pixels for [`Self::Down`].
    fn output(&self, input: Region) -> Region {
        match self {
            Self::Conv(_) | Self::Resnet(_) | Self::NormConv(..) => input,
            Self::Down(_) => Region { from: input.from.map(|e| e / 2), to: input.to.map(|e| e / 2) },
            Self::Up(_) => input.doubled(),
        }
    }

    /// The region of the input for a region of the output, in a map of this height and width. `with_halo`: with the
    /// receptive field around it.
    fn input(&self, output: Region, size: [usize; 2], with_halo: bool) -> Region {
        let halo = usize::from(with_halo);
        match self {
            Self::Conv(_) | Self::NormConv(..) => output.grown(halo, size),
            Self::Resnet(_) => output.grown(2 * halo, size),
            // Output pixel x depends on the input pixels 2x, 2x + 1 and 2x + 2.
            Self::Down(_) => {
                let doubled = output.doubled();
                Region { from: doubled.from, to: doubled.grown(halo, size).to }
            }
            Self::Up(_) => output.grown(halo, size.map(|edge| 2 * edge)).halved(),
        }
    }

    /// The most values that the layer holds at once for an input of this height and width, its input included.
    fn peak_values(&self, [height, width]: [usize; 2]) -> usize {
        let [inputs, outputs] = self.channels();
        let at_each_pixel = match self {
            // The input again, as a padded copy.
            Self::Conv(_) | Self::NormConv(..) => 2 * inputs + outputs,
            Self::Down(_) => 2 * inputs + outputs / 4,
            Self::Up(_) => inputs + 4 * outputs,
            // Input, hidden map and shortcut; then the result in place of the input.
            Self::Resnet(_) if inputs != outputs => inputs.max(outputs) + 2 * outputs,
            Self::Resnet(_) => 3 * outputs,
        };
        at_each_pixel * height * width
    }

    /// Runs on several parts of one map, `[B, C, h, w]` each. `cores`: the parts without their halos.
    fn run(
        &self,
        parts: Vec<Tensor>,
        cores: &[Region],
        norms: &mut NormStatistics<'_>,
    ) -> backend::Result<Vec<Tensor>> {
        match self {
            Self::Conv(conv) | Self::Down(conv) => parts.iter().map(|part| conv.forward(part)).collect(),
            Self::Up(conv) => parts.iter().map(|part| conv.forward_upsampled(part)).collect(),
            Self::NormConv(norm, conv) => {
                let norm = NormSilu::new(norm, norms.next(norm, &parts, cores)?);
                parts.iter().map(|part| conv.forward_normed(part, norm, Epilogue::None)).collect()
            }
            Self::Resnet(resnet) => {
                let [first, second] = resnet.norms();
                let statistics = norms.next(first, &parts, cores)?;
                let hidden = parts.iter().map(|part| resnet.first(part, statistics, None));
                let hidden = hidden.collect::<backend::Result<Vec<_>>>()?;
                let statistics = norms.next(second, &hidden, cores)?;
                let hidden = hidden.into_iter().zip(parts);
                hidden.map(|(hidden, part)| resnet.second(&hidden, statistics, part)).collect()
            }
        }
    }
}

/// Height and width of the map before each layer and after the last.
pub(super) fn sizes(layers: &[Layer], size: [usize; 2]) -> Vec<[usize; 2]> {
    let mut region = Region::whole(size);
    let mut sizes = vec![size];
    for layer in layers {
        region = layer.output(region);
        sizes.push(region.size());
    }
    sizes
}

/// The part of each layer's input, and of the last one's output, that `output` needs.
fn needs(layers: &[Layer], sizes: &[[usize; 2]], output: Region, with_halo: bool) -> Vec<Region> {
    let mut needs = vec![output];
    let mut region = output;
    for (layer, size) in layers.iter().zip(sizes).rev() {
        region = layer.input(region, *size, with_halo);
        needs.push(region);
    }
    needs.reverse();
    needs
}

/// The most values that each layer holds at once on the way to `output`, for a map of one picture.
pub(super) fn peak_values(layers: &[Layer], sizes: &[[usize; 2]], output: Region) -> Vec<usize> {
    let needs = needs(layers, sizes, output, true);
    layers.iter().zip(needs).map(|(layer, input)| layer.peak_values(input.size())).collect()
}

/// The regions `outputs` of the layers' output for the whole map `input` `[B, C, H, W]`; all regions go through each
/// layer together.
pub(super) fn run(
    layers: &[Layer],
    input: &Tensor,
    sizes: &[[usize; 2]],
    outputs: &[Region],
    norms: &mut NormStatistics<'_>,
    cancel: &CancelToken,
) -> Result<Vec<Tensor>, NetworkError> {
    let all = |with_halo| -> Vec<Vec<Region>> {
        outputs.iter().map(|output| needs(layers, sizes, *output, with_halo)).collect()
    };
    let (places, cores) = (all(true), all(false));
    let cut = |part: &Tensor, part_place: Region, wanted: Region| {
        let inside = wanted.within(part_place);
        crop(part, inside.from, inside.to)
    };
    let whole = Region::whole(sizes[0]);
    let parts = places.iter().map(|places| cut(input, whole, places[0]));
    let mut parts = parts.collect::<backend::Result<Vec<_>>>()?;
    for (i, layer) in layers.iter().enumerate() {
        check_cancelled(cancel)?;
        let cores: Vec<_> = cores.iter().zip(&places).map(|(core, place)| core[i].within(place[i])).collect();
        parts = layer.run(parts, &cores, norms)?;
        for (part, places) in parts.iter_mut().zip(&places) {
            *part = cut(part, layer.output(places[i]), places[i + 1])?;
        }
    }
    Ok(parts)
}
