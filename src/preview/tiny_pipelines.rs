//! The pipelines of a tiny decoder's passes, and the textures of feature maps.

use super::cover;
use super::picture_texture::{FORMAT, extent};

/// Four 16-bit floats: four such targets are within the smallest limit of every backend, 32 bytes for a pixel.
pub(super) const MAP_FORMAT: wgpu::TextureFormat = wgpu::TextureFormat::Rgba16Float;
pub(super) const LATENT_FORMAT: wgpu::TextureFormat = wgpu::TextureFormat::Rgba32Float;

/// The shader's WGSL source.
pub(super) const SHADER: &str = include_str!("../../shaders/tiny_decoder.wgsl");

/// What graphics debuggers call it.
const NAME: &str = "tiny decoder";

/// The pipelines on one device.
pub(super) struct TinyPipelines {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    pub(super) layout: wgpu::BindGroupLayout,
    /// Draws four channels of a map.
    pub(super) block: wgpu::RenderPipeline,
    /// Draws the picture.
    pub(super) picture: wgpu::RenderPipeline,
    /// Stands in where a pass adds nothing.
    pub(super) nothing: wgpu::Texture,
}

impl TinyPipelines {
    pub(super) fn new(device: &wgpu::Device, queue: &wgpu::Queue) -> Self {
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some(NAME),
            entries: &[
                cover::uniforms(true),
                cover::texture(1, wgpu::TextureViewDimension::D2Array),
                cover::texture(2, wgpu::TextureViewDimension::D2),
                cover::texture(3, wgpu::TextureViewDimension::D2Array),
            ],
        });
        let pipeline_layout = cover::layout(device, NAME, &layout);
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(NAME),
            source: wgpu::ShaderSource::Wgsl(SHADER.into()),
        });
        let pipeline = |entry: &str, targets: &[Option<wgpu::ColorTargetState>]| {
            cover::pipeline(device, NAME, &pipeline_layout, &module, entry, targets)
        };
        let block = pipeline("block", &[const { Some(target(MAP_FORMAT)) }; 4]);
        let picture = pipeline("picture", &[Some(target(FORMAT))]);
        let nothing = array_texture(device, [1, 1], 4, MAP_FORMAT, wgpu::TextureUsages::TEXTURE_BINDING);
        Self { device: device.clone(), queue: queue.clone(), layout, block, picture, nothing }
    }
}

/// A feature map, or a band of one.
pub(super) struct Map {
    pub(super) texture: wgpu::Texture,
    /// Fours of channels.
    pub(super) fours: usize,
    /// Columns and rows of the whole map.
    pub(super) size: [usize; 2],
    /// The row of the whole map with which the texture begins, even.
    pub(super) origin: usize,
    /// Rows of the texture.
    pub(super) rows: usize,
}

const fn target(format: wgpu::TextureFormat) -> wgpu::ColorTargetState {
    wgpu::ColorTargetState { format, blend: None, write_mask: wgpu::ColorWrites::ALL }
}

pub(super) fn array_texture(
    device: &wgpu::Device,
    [columns, rows]: [usize; 2],
    layers: usize,
    format: wgpu::TextureFormat,
    usage: wgpu::TextureUsages,
) -> wgpu::Texture {
    device.create_texture(&wgpu::TextureDescriptor {
        label: Some("tiny decoder"),
        size: wgpu::Extent3d { depth_or_array_layers: layers as u32, ..extent([columns, rows]) },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format,
        usage,
        view_formats: &[],
    })
}
