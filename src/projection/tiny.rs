//! The weights of a tiny decoder as the preview shader takes them.

/// A 3×3 convolution.
#[derive(Clone, Debug, PartialEq)]
pub struct TinyConvolution {
    /// Channels in, I.
    pub inputs: usize,
    /// Channels out, O.
    pub outputs: usize,
    /// `[O, I, 3, 3]`.
    pub weight: Vec<f32>,
    /// `[O]`; empty without one.
    pub bias: Vec<f32>,
}

/// A tiny decoder (TAESD): all its convolutions in the order in which they run.
///
/// The clamp `3·tanh(x/3)`, a convolution and ReLU; three times three blocks, nearest-neighbour doubling and a
/// convolution; a block and the convolution to RGB of 0..=1. A block is three convolutions with ReLU between, its input
/// added, and ReLU.
#[derive(Clone, Debug, PartialEq)]
pub struct TinyNetwork {
    channels: usize,
    width: usize,
    convolutions: Vec<TinyConvolution>,
}

impl TinyNetwork {
    /// Blocks before each doubling.
    pub const BLOCKS: usize = 3;
    /// Doublings of the edges.
    pub const DOUBLINGS: usize = 3;
    /// Picture pixels per latent pixel, along one edge.
    pub const DOWNSCALE: usize = 1 << Self::DOUBLINGS;
    /// The first convolution, those of all blocks, those after the doublings, and the last.
    pub const CONVOLUTIONS: usize = 1 + 3 * (Self::DOUBLINGS * Self::BLOCKS + 1) + Self::DOUBLINGS + 1;

    /// A network; `None` if the convolutions do not make one.
    pub fn new(convolutions: Vec<TinyConvolution>) -> Option<Self> {
        let (channels, width) = convolutions.first().map(|first| (first.inputs, first.outputs))?;
        let fits = |(index, convolution): (usize, &TinyConvolution)| {
            let inputs = if index == 0 { channels } else { width };
            let outputs = if index + 1 == Self::CONVOLUTIONS { 3 } else { width };
            (convolution.inputs, convolution.outputs) == (inputs, outputs)
                && convolution.weight.len() == 9 * inputs * outputs
                && [0, outputs].contains(&convolution.bias.len())
        };
        let is_whole = convolutions.len() == Self::CONVOLUTIONS && convolutions.iter().enumerate().all(fits);
        (is_whole && width.is_multiple_of(4)).then_some(Self { channels, width, convolutions })
    }

    /// Channels of the latents that it decodes.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Channels of its feature maps, a multiple of four.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Its convolutions.
    pub fn convolutions(&self) -> &[TinyConvolution] {
        &self.convolutions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_whole_or_none() {
        let convolution = |inputs: usize, outputs: usize| TinyConvolution {
            inputs,
            outputs,
            weight: vec![0.0; 9 * inputs * outputs],
            bias: vec![0.0; outputs],
        };
        let mut all = vec![convolution(4, 8)];
        all.resize(34, convolution(8, 8));
        all.push(convolution(8, 3));
        let network = TinyNetwork::new(all.clone()).unwrap();
        assert_eq!((network.channels(), network.width(), network.convolutions().len()), (4, 8, 35));
        assert_eq!(TinyNetwork::new(all[..34].to_vec()), None);
        all[5].weight.pop();
        assert_eq!(TinyNetwork::new(all), None);
        assert_eq!(TinyNetwork::new(Vec::new()), None);
    }
}
