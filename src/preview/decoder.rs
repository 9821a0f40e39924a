//! The decoding passes: from a latent to a texture.

use crate::latent::Latent;
use crate::projection::ColourMap;

use super::Look;

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
/// Texture pixels per latent pixel along one edge, for looks that do not determine it.
const SCALE: usize = 8;
/// Format of the decoded texture: display-encoded bytes, as egui expects.
const FORMAT: wgpu::TextureFormat = wgpu::TextureFormat::Rgba8Unorm;
/// Upper limit of a texture's edge, pixels: the default limit of every backend.
const MAX_EDGE: usize = 8192;

/// The name and complete WGSL source of each pass.
pub fn shader_sources() -> [(&'static str, String); 3] {
    let common = include_str!("../../shaders/latent.wgsl");
    let whole = |own: &str| format!("{common}\n{own}");
    [
        ("preview_linear", whole(include_str!("../../shaders/preview_linear.wgsl"))),
        ("preview_patch", whole(include_str!("../../shaders/preview_patch.wgsl"))),
        ("channel_view", whole(include_str!("../../shaders/channel_view.wgsl"))),
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
}

impl Decoder {
    /// Builds the pipelines.
    pub fn new(device: &wgpu::Device, queue: &wgpu::Queue) -> Self {
        let texture = |binding| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::FRAGMENT,
            ty: wgpu::BindingType::Texture {
                sample_type: wgpu::TextureSampleType::Float { filterable: false },
                view_dimension: wgpu::TextureViewDimension::D2,
                multisampled: false,
            },
            count: None,
        };
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("latent decoder"),
            entries: &[
                wgpu::BindGroupLayoutEntry {
                    binding: 0,
                    visibility: wgpu::ShaderStages::FRAGMENT,
                    ty: wgpu::BindingType::Buffer {
                        ty: wgpu::BufferBindingType::Uniform,
                        has_dynamic_offset: false,
                        min_binding_size: None,
                    },
                    count: None,
                },
                texture(1),
                texture(2),
            ],
        });
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some("latent decoder"),
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let [linear, patch, channel] = shader_sources().map(|(name, source)| {
            let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: Some(name),
                source: wgpu::ShaderSource::Wgsl(source.into()),
            });
            device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
                label: Some(name),
                layout: Some(&pipeline_layout),
                vertex: wgpu::VertexState {
                    module: &module,
                    entry_point: Some("cover"),
                    compilation_options: wgpu::PipelineCompilationOptions::default(),
                    buffers: &[],
                },
                primitive: wgpu::PrimitiveState::default(),
                depth_stencil: None,
                multisample: wgpu::MultisampleState::default(),
                fragment: Some(wgpu::FragmentState {
                    module: &module,
                    entry_point: Some("decode"),
                    compilation_options: wgpu::PipelineCompilationOptions::default(),
                    targets: &[Some(FORMAT.into())],
                }),
                multiview_mask: None,
                cache: None,
            })
        });
        Self { device: device.clone(), queue: queue.clone(), layout, linear, patch, channel }
    }

    /// Decodes a latent into a new texture of `[H · scale, W · scale]` pixels. `None` for an empty latent, one too
    /// large for a texture, or a projection or channel index that does not match the latent's channels.
    pub fn decode(&self, latent: &Latent, look: &Look) -> Option<wgpu::Texture> {
        let shape = latent.shape();
        let (pipeline, scale, weights) = match look {
            Look::Linear { projection, .. } => {
                if projection.channels() != shape.channels {
                    return None;
                }
                let rows: Vec<[f32; 4]> = projection
                    .weight
                    .iter()
                    .chain([&projection.bias])
                    .map(|[r, g, b]| [*r, *g, *b, 0.0])
                    .collect();
                (&self.linear, SCALE, self.weights(&rows, rows.len(), 1))
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
                (&self.channel, SCALE, self.weights(&[[0.0; 4]], 1, 1))
            }
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
        let target = self.device.create_texture(&wgpu::TextureDescriptor {
            label: Some("decoded latent"),
            size: extent([width, height]),
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: FORMAT,
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT
                | wgpu::TextureUsages::TEXTURE_BINDING
                | wgpu::TextureUsages::COPY_SRC,
            view_formats: &[],
        });
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

fn extent([width, height]: [usize; 2]) -> wgpu::Extent3d {
    wgpu::Extent3d { width: width as u32, height: height as u32, depth_or_array_layers: 1 }
}

fn params(shape: crate::latent::LatentShape, look: &Look, scale: usize) -> Params {
    let (mut low, mut high, mut channel, mut flags) = (0.0, 1.0, 0, 0);
    match look {
        Look::Linear { smooth, .. } => flags = if *smooth { SMOOTH } else { 0 },
        Look::Patch { .. } => {}
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
        for (name, source) in shader_sources() {
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
