//! Latent to picture by a small network without attention: the decoder of TAESD, TAESDXL, TAESD3 and TAEF1 (diffusers'
//! `AutoencoderTiny`), and that of TAEF2, whose first blocks add what a group norm over the whole map gives.
//!
//! Source of the network: madebyollin's `taesd` (MIT) and diffusers' `autoencoder_tiny.py`. It takes latents in model
//! space and gives about 0..=1; as diffusers does, this gives `2·x − 1`.

use super::blocks::{conv, conv3x3, group_norm};
use super::error::check_cancelled;
use super::ops::{Conv2d, GroupNorm, Padding, crop, relu};
use super::{NetworkError, Parameters, Runtime};
use crate::networks::backend::{self, Error, Tensor};
use crate::request::CancelToken;

/// Blocks before each of the three doublings of the edges.
const BLOCKS: usize = 3;
/// Doublings of the edges.
const DOUBLINGS: usize = 3;
/// Groups of the norm in TAEF2's first blocks, which have this many times the network's width.
const NORM_GROUPS: usize = 4;
const NORM_EPS: f64 = 1e-5;
/// Rows of the picture that the last level computes at once. At the picture's size its feature maps are the largest.
const BAND: usize = 128;
/// Convolutions of the last level, each of which reads one row further.
const LAST_CONVS: usize = 5;
/// The widths of networks that are read. Released ones have 64.
const WIDTHS: std::ops::RangeInclusive<usize> = 4..=256;

/// What TAEF2's first blocks add to their input: two 1×1 convolutions around a norm over the whole map.
struct Pool {
    widen: Conv2d,
    norm: GroupNorm,
    narrow: Conv2d,
}

/// Three convolutions with ReLU around a skip connection: diffusers' `AutoencoderTinyBlock`.
struct Block {
    pool: Option<Pool>,
    convs: [Conv2d; 3],
}

/// The blocks before a doubling of the edges, and the convolution after it, which has no bias.
struct Level {
    blocks: Vec<Block>,
    up: Conv2d,
}

/// A decoder, by diffusers' names (`decoder.layers.N…`).
pub struct TinyDecoder {
    runtime: Runtime,
    channels: usize,
    conv_in: Conv2d,
    levels: Vec<Level>,
    last: Block,
    conv_out: Conv2d,
}

/// A convolution's values in f32.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvolutionValues {
    /// Channels in, I.
    pub inputs: usize,
    /// Channels out, O.
    pub outputs: usize,
    /// `[O, I, 3, 3]`.
    pub weight: Vec<f32>,
    /// `[O]`; empty without one.
    pub bias: Vec<f32>,
}

/// Where a convolution is, its channels in and out, and whether it has a bias.
struct Place {
    name: String,
    channels: [usize; 2],
    has_bias: bool,
}

/// Latent channels and width.
fn sizes(vb: &Parameters) -> backend::Result<[usize; 2]> {
    let first = vb.pp("decoder.layers.0");
    // Of another shape, the error that names the tensor.
    let Some(&[width, channels, 3, 3]) = first.shape_of("weight").as_deref() else {
        first.stored((64, 4, 3, 3), "weight")?;
        return Err(Error::Msg("the first convolution of a tiny decoder is 3×3".to_owned()));
    };
    if !WIDTHS.contains(&width) || !width.is_multiple_of(NORM_GROUPS) || !(1..=256).contains(&channels) {
        return Err(Error::Msg(format!(
            "a tiny decoder of {width} inner channels for latents of {channels} is not supported; released ones have 64 \
             for latents of 4, 16 or 32"
        )));
    }
    Ok([channels, width])
}

/// All 3×3 convolutions in the order in which they run.
fn places([channels, width]: [usize; 2]) -> Vec<Place> {
    let place = |name: String, channels, has_bias| Place {
        name: format!("decoder.layers.{name}"),
        channels,
        has_bias,
    };
    let mut places = vec![place("0".to_owned(), [channels, width], true)];
    let block = |places: &mut Vec<Place>, layer: usize| {
        places.extend([0, 2, 4].map(|conv| place(format!("{layer}.conv.{conv}"), [width; 2], true)));
    };
    let mut layer = 2;
    for _ in 0..DOUBLINGS {
        (layer..layer + BLOCKS).for_each(|layer| block(&mut places, layer));
        // A doubling without weights lies between.
        layer += BLOCKS + 1;
        places.push(place(layer.to_string(), [width; 2], false));
        layer += 1;
    }
    block(&mut places, layer);
    places.push(place((layer + 1).to_string(), [width, 3], true));
    places
}

/// The values of all 3×3 convolutions in the order in which they run, for a shader; `None` for TAEF2, which has more.
///
/// # Errors
/// As [`TinyDecoder::new`].
pub fn convolutions(vb: &Parameters) -> Result<Option<Vec<ConvolutionValues>>, NetworkError> {
    if has_pools(vb) {
        return Ok(None);
    }
    let values = |place: Place| {
        let (vb, [inputs, outputs]) = (vb.pp(&place.name), place.channels);
        let weight = vb.get((outputs, inputs, 3, 3), "weight")?.to_values()?;
        let bias = if place.has_bias { vb.get(outputs, "bias")?.to_values()? } else { Vec::new() };
        Ok(ConvolutionValues { inputs, outputs, weight, bias })
    };
    Ok(Some(places(sizes(vb)?).into_iter().map(values).collect::<backend::Result<_>>()?))
}

/// Whether it is TAEF2's decoder.
fn has_pools(vb: &Parameters) -> bool {
    vb.contains_tensor("decoder.layers.2.pool.0.weight")
}

impl Pool {
    fn new(vb: &Parameters, width: usize) -> backend::Result<Self> {
        let wide = NORM_GROUPS * width;
        let conv1x1 = |vb: &Parameters, inputs: usize, outputs: usize| {
            let weight = vb.stored((outputs, inputs, 1, 1), "weight")?;
            Conv2d::new(vb.runtime(), &weight, None, 1, Padding::Same(0))
        };
        Ok(Self {
            widen: conv1x1(&vb.pp("0"), width, wide)?,
            norm: group_norm(&vb.pp("1"), wide, NORM_GROUPS, NORM_EPS)?,
            narrow: conv1x1(&vb.pp("3"), wide, width)?,
        })
    }
}

impl Block {
    fn new(vb: &Parameters, width: usize, has_pool: bool) -> backend::Result<Self> {
        let conv = |at: usize| conv3x3(&vb.pp(format!("conv.{at}")), width, width);
        let pool = has_pool.then(|| Pool::new(&vb.pp("pool"), width)).transpose()?;
        Ok(Self { pool, convs: [conv(0)?, conv(2)?, conv(4)?] })
    }

    fn forward(&self, runtime: &Runtime, x: Tensor) -> backend::Result<Tensor> {
        let x = match &self.pool {
            Some(Pool { widen, norm, narrow }) => {
                let wide = relu(runtime, &norm.forward(&widen.forward(&x)?)?)?;
                narrow.forward_add(&wide, &x)?
            }
            None => x,
        };
        let [first, second, third] = &self.convs;
        let hidden = relu(runtime, &first.forward(&x)?)?;
        let hidden = relu(runtime, &second.forward(&hidden)?)?;
        relu(runtime, &third.forward_add(&hidden, &x)?)
    }
}

impl TinyDecoder {
    /// Builds the network from its weights.
    ///
    /// # Errors
    /// If a tensor is missing, misshapen or unreadable.
    pub fn new(vb: &Parameters) -> Result<Self, NetworkError> {
        let [channels, width] = sizes(vb)?;
        let layers = vb.pp("decoder.layers");
        let mut layer = 2;
        let mut levels = Vec::new();
        for level in 0..DOUBLINGS {
            let has_pool = level == 0 && has_pools(vb);
            let block = |layer: usize| Block::new(&layers.pp(layer), width, has_pool);
            let blocks = (layer..layer + BLOCKS).map(block).collect::<backend::Result<_>>()?;
            layer += BLOCKS + 1;
            let weight = layers.pp(layer).stored((width, width, 3, 3), "weight")?;
            let up = Conv2d::new(vb.runtime(), &weight, None, 1, Padding::Same(1))?;
            layer += 1;
            levels.push(Level { blocks, up });
        }
        Ok(Self {
            runtime: vb.runtime().clone(),
            channels,
            conv_in: conv3x3(&layers.pp(0), channels, width)?,
            levels,
            last: Block::new(&layers.pp(layer), width, false)?,
            conv_out: conv(&layers.pp(layer + 1), [width, 3, 3], 1, Padding::Same(1))?,
        })
    }

    /// Channels of the latents that it decodes.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Bytes of the feature maps that it holds at once for a latent of this height and width.
    pub fn peak_bytes(&self, [height, width]: [usize; 2]) -> u64 {
        let [_, channels] = self.levels[0].up.channels();
        // Input, hidden map, its copy through ReLU and the result, at half the picture's edges; then bands.
        let half = 16 * (height * width) as u64;
        let band = (BAND + 2 * LAST_CONVS) as u64 * 8 * width as u64;
        4 * 4 * channels as u64 * half.max(half / 4 + band)
    }

    /// The picture `[1, 3, 8·H, 8·W]`, about −1..=1, of a latent `[1, C, H, W]` in model space.
    ///
    /// # Errors
    /// If the latent has other channels, and [`NetworkError::Cancelled`].
    pub fn forward(&self, latent: &Tensor, cancel: &CancelToken) -> Result<Tensor, NetworkError> {
        let clamped = ((latent / 3.0)?.tanh()? * 3.0)?;
        let mut x = relu(&self.runtime, &self.conv_in.forward(&clamped)?)?;
        for (index, level) in self.levels.iter().enumerate() {
            for block in &level.blocks {
                check_cancelled(cancel)?;
                x = block.forward(&self.runtime, x)?;
            }
            check_cancelled(cancel)?;
            if index + 1 < DOUBLINGS {
                x = level.up.forward_upsampled(&x)?;
            }
        }
        let picture = self.last_level(&x, cancel)?;
        Ok(picture.affine(2.0, -1.0)?)
    }

    /// The last level in bands of rows. The rows that a convolution at a band's border computes from too little do not
    /// reach the rows that are kept.
    fn last_level(&self, x: &Tensor, cancel: &CancelToken) -> Result<Tensor, NetworkError> {
        let up = &self.levels[DOUBLINGS - 1].up;
        let (_, _, height, width) = x.dims4()?;
        let mut bands = Vec::new();
        for from in (0..2 * height).step_by(BAND) {
            check_cancelled(cancel)?;
            let to = (from + BAND).min(2 * height);
            let halo = [from.saturating_sub(LAST_CONVS) / 2, (to + LAST_CONVS).div_ceil(2).min(height)];
            let part = crop(x, [halo[0], 0], [halo[1], width])?;
            let part = self.last.forward(&self.runtime, up.forward_upsampled(&part)?)?;
            let part = self.conv_out.forward(&part)?;
            bands.push(crop(&part, [from - 2 * halo[0], 0], [to - 2 * halo[0], 2 * width])?.contiguous()?);
        }
        Ok(Tensor::cat(&bands, 2)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_convolutions_are_those_of_the_published_files() {
        let all = places([16, 64]);
        assert_eq!(all.len(), 35);
        let values: usize = all
            .iter()
            .map(|place| {
                place.channels[0] * place.channels[1] * 9 + place.channels[1] * usize::from(place.has_bias)
            })
            .sum();
        // The parameters of TAESD3's and TAEF1's decoders.
        assert_eq!(values, 1_229_443);
        let names: Vec<&str> = all.iter().filter(|place| !place.has_bias).map(|place| &*place.name).collect();
        assert_eq!(names, ["decoder.layers.6", "decoder.layers.11", "decoder.layers.16"]);
        assert_eq!(all[34].name, "decoder.layers.18");
        assert_eq!(all[31].name, "decoder.layers.17.conv.0");
    }
}
