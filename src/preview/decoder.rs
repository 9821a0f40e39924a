//! The decoding passes: from a latent to a texture.

use std::sync::{Arc, OnceLock};

use crate::latent::Latent;
use crate::projection::{ColourMap, TinyNetwork};

use super::Look;
use super::cover;
use super::picture_texture::{FORMAT, extent};
use super::tiny_passes::{self, TinyPasses};
use super::tiny_pipelines;

/// Uniforms of every pass; the layout of `Params` in `shaders/latent.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    width: u32,
    height: u32,
    channels: u32,
    scale: u32,
    low: f32,
    high: f32,
    channel: u32,
    flags: u32,
}

// Bits of `Params::flags`, as in the shader.
const SMOOTH: u32 = 1;
const DIVERGING: u32 = 2;
const HEAT: u32 = 4;
/// Upper limit of a texture's edge, pixels: the default limit of every backend.
const MAX_EDGE: usize = 8192;

/// The name and complete WGSL source of each pass.
pub fn shader_sources() -> [(&'static str, String); 4] {
    let common = include_str!("../../shaders/latent.wgsl");
    let whole = |own: &str| format!("{common}\n{own}");
    [
        ("preview_linear", whole(include_str!("../../shaders/preview_linear.wgsl"))),
        ("preview_patch", whole(include_str!("../../shaders/preview_patch.wgsl"))),
        ("channel_view", whole(include_str!("../../shaders/channel_view.wgsl"))),
        ("tiny_decoder", tiny_pipelines::SHADER.to_owned()),
    ]
}

/// The render pipelines of all looks on one device.
pub struct Decoder {
    device: wgpu::Device,
    queue: wgpu::Queue,
    layout: wgpu::BindGroupLayout,
    linear: wgpu::RenderPipeline,
    patch: wgpu::RenderPipeline,
    channel: wgpu::RenderPipeline,
    /// Made when it is first used, since few models have a tiny decoder.
    tiny: OnceLock<Arc<TinyPasses>>,
}

impl Decoder {
    /// Builds the pipelines.
    pub fn new(device: &wgpu::Device, queue: &wgpu::Queue) -> Self {
        let name = "latent decoder";
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some(name),
            entries: &[
                cover::uniforms(false),
                cover::texture(1, wgpu::TextureViewDimension::D2),
                cover::texture(2, wgpu::TextureViewDimension::D2),
            ],
        });
        let pipeline_layout = cover::layout(device, name, &layout);
        let [linear, patch, channel, _] = shader_sources();
        let [linear, patch, channel] = [linear, patch, channel].map(|(name, source)| {
            let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: Some(name),
                source: wgpu::ShaderSource::Wgsl(source.into()),
            });
            cover::pipeline(device, name, &pipeline_layout, &module, "decode", &[Some(FORMAT.into())])
        });
        let (device, queue) = (device.clone(), queue.clone());
        Self { device, queue, layout, linear, patch, channel, tiny: OnceLock::new() }
    }

    /// Decodes a latent into a new texture of `[H · scale, W · scale]` pixels. `None` for an empty latent, one too
    /// large for a texture, or a projection or channel index that does not match the latent's channels.
    pub fn decode(&self, latent: &Latent, look: &Look) -> Option<wgpu::Texture> {
        let shape = latent.shape();
        if let Look::Tiny { network } = look {
            return self.decode_tiny(latent, network);
        }
        let (pipeline, scale, weights) = match look {
            Look::Linear { projection, scale, .. } => {
                if projection.channels() != shape.channels {
                    return None;
                }
                let rows: Vec<[f32; 4]> = projection
                    .weight
                    .iter()
                    .chain([&projection.bias])
                    .map(|[r, g, b]| [*r, *g, *b, 0.0])
                    .collect();
                (&self.linear, *scale, self.weights(&rows, rows.len(), 1))
            }
            Look::Patch { projection } => {
                if projection.channels != shape.channels
                    || projection.weight.len() != projection.rows() * projection.columns()
                {
                    return None;
                }
                let texels: Vec<[f32; 4]> =
                    projection.weight.chunks_exact(3).map(|rgb| [rgb[0], rgb[1], rgb[2], 0.0]).collect();
                let weights = self.weights(&texels, projection.columns() / 3, projection.rows());
                (&self.patch, projection.downscale, weights)
            }
            Look::Channel { index, .. } => {
                if *index >= shape.channels {
                    return None;
                }
                (&self.channel, Look::FULL_SCALE, self.weights(&[[0.0; 4]], 1, 1))
            }
            Look::Tiny { .. } => return None,
        };
        let (width, height) = (shape.width * scale, shape.height * scale);
        let fits = width <= MAX_EDGE && height <= MAX_EDGE && shape.height * shape.channels <= MAX_EDGE;
        if shape.is_empty() || !fits {
            return None;
        }
        let values = self.texture(
            [shape.width, shape.height * shape.channels],
            wgpu::TextureFormat::R32Float,
            bytemuck::cast_slice(latent.values()),
            4,
        );
        let uniforms = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("latent decoder"),
            size: size_of::<Params>() as u64,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        self.queue.write_buffer(&uniforms, 0, bytemuck::bytes_of(&params(shape, look, scale)));
        let bindings = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("latent decoder"),
            layout: &self.layout,
            entries: &[
                wgpu::BindGroupEntry { binding: 0, resource: uniforms.as_entire_binding() },
                view_entry(1, &values.create_view(&wgpu::TextureViewDescriptor::default())),
                view_entry(2, &weights.create_view(&wgpu::TextureViewDescriptor::default())),
            ],
        });
        let target = self.target([width, height]);
        let view = target.create_view(&wgpu::TextureViewDescriptor::default());
        let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        {
            let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
                label: Some("latent decoder"),
                color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                    view: &view,
                    depth_slice: None,
                    resolve_target: None,
                    ops: wgpu::Operations {
                        load: wgpu::LoadOp::Clear(wgpu::Color::BLACK),
                        store: wgpu::StoreOp::Store,
                    },
                })],
                ..wgpu::RenderPassDescriptor::default()
            });
            pass.set_pipeline(pipeline);
            pass.set_bind_group(0, &bindings, &[]);
            pass.draw(0..3, 0..1);
        }
        self.queue.submit([encoder.finish()]);
        Some(target)
    }

    /// The passes of tiny decoders.
    pub(super) fn tiny(&self) -> &Arc<TinyPasses> {
        self.tiny.get_or_init(|| Arc::new(TinyPasses::new(&self.device, &self.queue)))
    }

    fn decode_tiny(&self, latent: &Latent, network: &Arc<TinyNetwork>) -> Option<wgpu::Texture> {
        let [width, height] =
            [latent.shape().width, latent.shape().height].map(|edge| edge * TinyNetwork::DOWNSCALE);
        if !tiny_passes::fits(network, latent) || width > MAX_EDGE || height > MAX_EDGE {
            return None;
        }
        let target = self.target([width, height]);
        self.tiny().decode(network, latent, &target);
        Some(target)
    }

    /// A texture for a picture.
    pub(super) fn target(&self, size: [usize; 2]) -> wgpu::Texture {
        self.device.create_texture(&wgpu::TextureDescriptor {
            label: Some("decoded latent"),
            size: extent(size),
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: FORMAT,
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT
                | wgpu::TextureUsages::TEXTURE_BINDING
                | wgpu::TextureUsages::COPY_SRC,
            view_formats: &[],
        })
    }

    fn weights(&self, texels: &[[f32; 4]], width: usize, height: usize) -> wgpu::Texture {
        self.texture([width, height], wgpu::TextureFormat::Rgba32Float, bytemuck::cast_slice(texels), 16)
    }

    fn texture(
        &self,
        size: [usize; 2],
        format: wgpu::TextureFormat,
        bytes: &[u8],
        texel_bytes: usize,
    ) -> wgpu::Texture {
        let texture = self.device.create_texture(&wgpu::TextureDescriptor {
            label: Some("latent values"),
            size: extent(size),
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format,
            usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
            view_formats: &[],
        });
        let layout = wgpu::TexelCopyBufferLayout {
            offset: 0,
            bytes_per_row: Some((size[0] * texel_bytes) as u32),
            rows_per_image: None,
        };
        self.queue.write_texture(texture.as_image_copy(), bytes, layout, extent(size));
        texture
    }
}

fn view_entry(binding: u32, view: &wgpu::TextureView) -> wgpu::BindGroupEntry<'_> {
    wgpu::BindGroupEntry { binding, resource: wgpu::BindingResource::TextureView(view) }
}

fn params(shape: crate::latent::LatentShape, look: &Look, scale: usize) -> Params {
    let (mut low, mut high, mut channel, mut flags) = (0.0, 1.0, 0, 0);
    match look {
        Look::Linear { smooth, .. } => flags = if *smooth { SMOOTH } else { 0 },
        Look::Patch { .. } | Look::Tiny { .. } => {}
        Look::Channel { index, map, low: from, high: to, smooth } => {
            (low, high, channel) = (*from, *to, *index as u32);
            let colours = match map {
                ColourMap::Diverging => DIVERGING,
                ColourMap::Grey => 0,
                ColourMap::Heat => HEAT,
            };
            flags = colours | if *smooth { SMOOTH } else { 0 };
        }
    }
    Params {
        width: shape.width as u32,
        height: shape.height as u32,
        channels: shape.channels as u32,
        scale: scale as u32,
        low,
        high,
        channel,
        flags,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_uniforms_have_the_shaders_layout() {
        for (name, source) in shader_sources().into_iter().take(3) {
            let module = naga::front::wgsl::parse_str(&source).unwrap_or_else(|error| {
                panic!("{name}: {}", error.emit_to_string(&source));
            });
            let params = module.types.iter().find(|(_, t)| t.name.as_deref() == Some("Params")).unwrap().1;
            let naga::TypeInner::Struct { members, span } = &params.inner else { panic!("{name}") };
            assert_eq!(*span as usize, size_of::<Params>(), "{name}");
            let offsets: Vec<u32> = members.iter().map(|m| m.offset).collect();
            assert_eq!(offsets, [0, 4, 8, 12, 16, 20, 24, 28], "{name}");
        }
    }
}
