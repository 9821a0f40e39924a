//! Tiny decoders on the displaying adapter: the weights of the one used last, and latents as feature maps.

use std::sync::{Arc, Mutex, PoisonError};

use half::f16;

use super::picture_texture::extent;
use super::tiny_pipelines::{LATENT_FORMAT, MAP_FORMAT, Map, TinyPipelines, array_texture};
use super::tiny_run::Run;
use crate::latent::Latent;
use crate::projection::{TinyConvolution, TinyNetwork};

/// Latent pixels of the largest picture, 2 million pixels: the feature maps of half its edges take about 200 MiB.
const MAX_LATENT_PIXELS: usize = 32_768;
/// The widest network, channels: its weights' rows are as long as the smallest limit of a texture's edge allows.
const MAX_WIDTH: usize = 128;

/// A network's weights on the device.
struct Weights {
    /// The network they are of, kept so that its address stays its own.
    network: Arc<TinyNetwork>,
    textures: Vec<wgpu::Texture>,
}

/// The pipelines, and the weights of the network used last.
pub(super) struct TinyPasses {
    pipelines: TinyPipelines,
    weights: Mutex<Option<Weights>>,
}

/// Whether an adapter can draw feature maps.
pub(super) fn is_able(adapter: &wgpu::Adapter) -> bool {
    let usages = adapter.get_texture_format_features(MAP_FORMAT).allowed_usages;
    usages.contains(wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::TEXTURE_BINDING)
}

/// Whether a picture of this network and size is decoded here.
pub(super) fn fits(network: &TinyNetwork, latent: &Latent) -> bool {
    let shape = latent.shape();
    network.channels() == shape.channels
        && network.width() <= MAX_WIDTH
        && !shape.is_empty()
        && shape.plane_len() <= MAX_LATENT_PIXELS
}

impl TinyPasses {
    pub(super) fn new(device: &wgpu::Device, queue: &wgpu::Queue) -> Self {
        Self { pipelines: TinyPipelines::new(device, queue), weights: Mutex::new(None) }
    }

    /// Draws the picture of a latent that [`fits`] the network. `picture`: a texture of its size.
    pub(super) fn decode(&self, network: &Arc<TinyNetwork>, latent: &Latent, picture: &wgpu::Texture) {
        let mut kept = self.weights.lock().unwrap_or_else(PoisonError::into_inner);
        let is_same = |weights: &Weights| Arc::ptr_eq(&weights.network, network);
        if !kept.as_ref().is_some_and(is_same) {
            let textures = network.convolutions().iter().map(|own| self.weights(own)).collect();
            *kept = Some(Weights { network: Arc::clone(network), textures });
        }
        if let Some(weights) = &*kept {
            Run::new(&self.pipelines, &weights.textures).decode(&self.latent(latent), picture);
        }
    }

    /// A convolution's weights in the shader's order.
    fn weights(&self, convolution: &TinyConvolution) -> wgpu::Texture {
        let TinyConvolution { inputs, outputs, weight, bias } = convolution;
        let [fours_in, fours_out] = [inputs, outputs].map(|channels| channels.div_ceil(4));
        let columns = 36 * fours_in + 1;
        let mut texels = vec![[f16::ZERO; 4]; columns * fours_out];
        for output in 0..*outputs {
            let row = &mut texels[output / 4 * columns..][..columns];
            for input in 0..*inputs {
                for tap in 0..9 {
                    let value = weight[(output * inputs + input) * 9 + tap];
                    row[input / 4 * 36 + 4 * tap + input % 4][output % 4] = f16::from_f32(value);
                }
            }
            row[columns - 1][output % 4] = f16::from_f32(bias.get(output).copied().unwrap_or_default());
        }
        let texture = self.pipelines.device.create_texture(&wgpu::TextureDescriptor {
            label: Some("tiny decoder"),
            size: extent([columns, fours_out]),
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: MAP_FORMAT,
            usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
            view_formats: &[],
        });
        let bytes: Vec<u8> = texels.iter().flatten().flat_map(|value| value.to_le_bytes()).collect();
        let layout = wgpu::TexelCopyBufferLayout {
            offset: 0,
            bytes_per_row: Some(8 * columns as u32),
            rows_per_image: None,
        };
        self.pipelines.queue.write_texture(texture.as_image_copy(), &bytes, layout, texture.size());
        texture
    }

    /// A latent as a map of 32-bit floats.
    fn latent(&self, latent: &Latent) -> Map {
        let shape = latent.shape();
        let fours = shape.channels.div_ceil(4);
        let [columns, rows] = [shape.width.div_ceil(2), shape.height.div_ceil(2)];
        let mut texels = vec![[0.0_f32; 4]; 4 * fours * rows * columns];
        for channel in 0..shape.channels {
            for (at, value) in latent.channel(channel).iter().enumerate() {
                let (x, y) = (at % shape.width, at / shape.width);
                let layer = channel / 4 * 4 + 2 * (y % 2) + x % 2;
                texels[(layer * rows + y / 2) * columns + x / 2][channel % 4] = *value;
            }
        }
        let usage = wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST;
        let texture = array_texture(&self.pipelines.device, [columns, rows], 4 * fours, LATENT_FORMAT, usage);
        let layout = wgpu::TexelCopyBufferLayout {
            offset: 0,
            bytes_per_row: Some(16 * columns as u32),
            rows_per_image: Some(rows as u32),
        };
        let bytes = bytemuck::cast_slice(&texels);
        self.pipelines.queue.write_texture(texture.as_image_copy(), bytes, layout, texture.size());
        Map { texture, fours, size: [shape.width, shape.height], origin: 0, rows: shape.height }
    }
}
