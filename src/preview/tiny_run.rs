//! One decode by a tiny decoder: some hundred small passes, each of one four of channels of a feature map.
//!
//! The last level has the picture's size, so it is computed in bands of rows, and its maps stay small.

use super::tiny_pipelines::{MAP_FORMAT, Map, TinyPipelines, array_texture};
use crate::projection::TinyNetwork;

/// Uniforms of a pass; the layout of `Params` in `shaders/tiny_decoder.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    width: u32,
    height: u32,
    fours: u32,
    four: u32,
    input_origin: i32,
    output_origin: i32,
    flags: u32,
    unused: u32,
}

// Bits of `Params::flags`, as in the shader.
const DOUBLE: u32 = 1;
const CLAMP: u32 = 2;
const ADD: u32 = 4;
const RELU: u32 = 8;

/// Bytes from one pass's uniforms to the next: the alignment that every backend accepts.
const STRIDE: usize = 256;
/// Rows of the picture in a band, even.
const BAND: usize = 128;
/// Rows that a band needs above and below: one for each of five convolutions, made even.
const HALO: usize = 6;

/// What a convolution does besides.
#[derive(Clone, Copy)]
struct Also<'a> {
    flags: u32,
    added: Option<&'a Map>,
}

impl Also<'_> {
    const RELU: Self = Self { flags: RELU, added: None };
    const DOUBLE: Self = Self { flags: DOUBLE, added: None };
}

/// Where a pass draws.
enum Target {
    /// The four layers of one four of channels.
    Block(Box<[wgpu::TextureView; 4]>),
    /// Rows of the picture; whether they are the first.
    Picture { view: wgpu::TextureView, width: u32, rows: [u32; 2], is_first: bool },
}

/// A pass that is not submitted yet.
struct Pass {
    params: Params,
    /// The textures that it reads: the input, the weights, and what is added.
    reads: [wgpu::TextureView; 3],
    target: Target,
}

/// One decode.
pub(super) struct Run<'a> {
    pipelines: &'a TinyPipelines,
    weights: std::slice::Iter<'a, wgpu::Texture>,
    /// Textures of maps that are not needed any more.
    free: Vec<wgpu::Texture>,
    pending: Vec<Pass>,
}

impl<'a> Run<'a> {
    /// `weights`: those of all convolutions, in the order in which they run.
    pub(super) fn new(pipelines: &'a TinyPipelines, weights: &'a [wgpu::Texture]) -> Self {
        Self { pipelines, weights: weights.iter(), free: Vec::new(), pending: Vec::new() }
    }

    /// Draws the picture, a texture of its size, of a latent.
    pub(super) fn decode(&mut self, first: &Map, picture: &wgpu::Texture) {
        let Some(weights) = self.weights.next() else { return };
        let mut map = self.convolution(first, weights, Also { flags: CLAMP | RELU, added: None }, None);
        for level in 0..TinyNetwork::DOUBLINGS {
            for _ in 0..TinyNetwork::BLOCKS {
                let Some(weights) = self.next_weights() else { return };
                map = self.block(map, weights);
            }
            if level + 1 < TinyNetwork::DOUBLINGS {
                let Some(weights) = self.weights.next() else { return };
                let doubled = self.convolution(&map, weights, Also::DOUBLE, None);
                self.free.push(map.texture);
                map = doubled;
            }
            // In pieces, between which the device can draw the window.
            self.submit();
        }
        let (Some(up), Some(block), Some(last)) =
            (self.weights.next(), self.next_weights(), self.weights.next())
        else {
            return;
        };
        // Those of whole maps are of no use for bands.
        self.free.clear();
        let [width, height] = map.size.map(|edge| 2 * edge);
        for from in (0..height).step_by(BAND) {
            let to = (from + BAND).min(height);
            let origin = from.saturating_sub(HALO);
            let rows = (to + HALO).min(height) - origin;
            let band = self.convolution(&map, up, Also::DOUBLE, Some([origin, rows]));
            let band = self.block(band, block);
            self.pending.push(Pass {
                params: Params {
                    width: width as u32,
                    height: height as u32,
                    fours: band.fours as u32,
                    input_origin: origin as i32,
                    ..Params::default()
                },
                reads: [view_of_array(&band.texture), view(last), view_of_array(&first.texture)],
                target: Target::Picture {
                    view: view(picture),
                    width: width as u32,
                    rows: [from as u32, to as u32],
                    is_first: from == 0,
                },
            });
            self.free.push(band.texture);
            self.submit();
        }
    }

    fn next_weights(&mut self) -> Option<[&'a wgpu::Texture; 3]> {
        Some([self.weights.next()?, self.weights.next()?, self.weights.next()?])
    }

    fn block(&mut self, input: Map, [first, second, third]: [&wgpu::Texture; 3]) -> Map {
        let hidden = self.convolution(&input, first, Also::RELU, None);
        let wider = self.convolution(&hidden, second, Also::RELU, None);
        self.free.push(hidden.texture);
        let also = Also { flags: ADD | RELU, added: Some(&input) };
        let result = self.convolution(&wider, third, also, None);
        self.free.extend([input.texture, wider.texture]);
        result
    }

    /// A convolution of a whole map, or of the rows of a band: the first, which is even, and their number.
    fn convolution(
        &mut self,
        input: &Map,
        weights: &wgpu::Texture,
        also: Also<'_>,
        band: Option<[usize; 2]>,
    ) -> Map {
        let size = if also.flags & DOUBLE == 0 { input.size } else { input.size.map(|edge| 2 * edge) };
        let [origin, rows] = match band {
            Some(band) => band,
            None if also.flags & DOUBLE == 0 => [input.origin, input.rows],
            None => [0, size[1]],
        };
        let fours = weights.height() as usize;
        let texture = self.map_texture([size[0].div_ceil(2), rows.div_ceil(2)], 4 * fours);
        let output = Map { texture, fours, size, origin, rows };
        for four in 0..fours {
            let layer = |quarter: usize| layer_view(&output.texture, 4 * four + quarter);
            self.pending.push(Pass {
                params: Params {
                    width: size[0] as u32,
                    height: size[1] as u32,
                    fours: input.fours as u32,
                    four: four as u32,
                    input_origin: input.origin as i32,
                    output_origin: origin as i32,
                    flags: also.flags,
                    unused: 0,
                },
                reads: [
                    view_of_array(&input.texture),
                    view(weights),
                    view_of_array(also.added.map_or(&self.pipelines.nothing, |added| &added.texture)),
                ],
                target: Target::Block(Box::new([0, 1, 2, 3].map(layer))),
            });
        }
        output
    }

    /// A texture for a map: a free one of the same size, or a new one.
    fn map_texture(&mut self, [columns, rows]: [usize; 2], layers: usize) -> wgpu::Texture {
        let wanted = [columns as u32, rows as u32, layers as u32];
        let is_it = |texture: &wgpu::Texture| {
            [texture.width(), texture.height(), texture.depth_or_array_layers()] == wanted
        };
        if let Some(at) = self.free.iter().position(is_it) {
            self.free.swap_remove(at)
        } else {
            let usage = wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::RENDER_ATTACHMENT;
            array_texture(&self.pipelines.device, [columns, rows], layers, MAP_FORMAT, usage)
        }
    }

    /// Sends the pending passes to the device.
    fn submit(&mut self) {
        let TinyPipelines { device, queue, layout, block, picture, .. } = self.pipelines;
        let uniforms = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("tiny decoder"),
            size: (STRIDE * self.pending.len()) as u64,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut bytes = vec![0; STRIDE * self.pending.len()];
        for (pass, bytes) in self.pending.iter().zip(bytes.chunks_exact_mut(STRIDE)) {
            bytes[..size_of::<Params>()].copy_from_slice(bytemuck::bytes_of(&pass.params));
        }
        queue.write_buffer(&uniforms, 0, &bytes);
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        for (index, pass) in self.pending.drain(..).enumerate() {
            let [input, weights, added] = &pass.reads;
            let entry = |binding, view| wgpu::BindGroupEntry {
                binding,
                resource: wgpu::BindingResource::TextureView(view),
            };
            let own = wgpu::BufferBinding {
                buffer: &uniforms,
                offset: 0,
                size: std::num::NonZeroU64::new(size_of::<Params>() as u64),
            };
            let bindings = device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some("tiny decoder"),
                layout,
                entries: &[
                    wgpu::BindGroupEntry { binding: 0, resource: wgpu::BindingResource::Buffer(own) },
                    entry(1, input),
                    entry(2, weights),
                    entry(3, added),
                ],
            });
            let (views, load) = match &pass.target {
                Target::Block(views) => (&views[..], wgpu::LoadOp::Clear(wgpu::Color::TRANSPARENT)),
                Target::Picture { view, is_first: true, .. } => {
                    (std::slice::from_ref(view), wgpu::LoadOp::Clear(wgpu::Color::BLACK))
                }
                Target::Picture { view, .. } => (std::slice::from_ref(view), wgpu::LoadOp::Load),
            };
            let attachments: Vec<_> = views
                .iter()
                .map(|view| {
                    Some(wgpu::RenderPassColorAttachment {
                        view,
                        depth_slice: None,
                        resolve_target: None,
                        ops: wgpu::Operations { load, store: wgpu::StoreOp::Store },
                    })
                })
                .collect();
            let mut drawing = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
                label: Some("tiny decoder"),
                color_attachments: &attachments,
                ..wgpu::RenderPassDescriptor::default()
            });
            match &pass.target {
                Target::Block(_) => drawing.set_pipeline(block),
                Target::Picture { width, rows: [from, to], .. } => {
                    drawing.set_pipeline(picture);
                    drawing.set_scissor_rect(0, *from, *width, to - from);
                }
            }
            drawing.set_bind_group(0, &bindings, &[(STRIDE * index) as u32]);
            drawing.draw(0..3, 0..1);
        }
        queue.submit([encoder.finish()]);
    }
}

fn view(texture: &wgpu::Texture) -> wgpu::TextureView {
    texture.create_view(&wgpu::TextureViewDescriptor::default())
}

fn view_of_array(texture: &wgpu::Texture) -> wgpu::TextureView {
    texture.create_view(&wgpu::TextureViewDescriptor {
        dimension: Some(wgpu::TextureViewDimension::D2Array),
        ..wgpu::TextureViewDescriptor::default()
    })
}

/// One layer as a target.
fn layer_view(texture: &wgpu::Texture, layer: usize) -> wgpu::TextureView {
    texture.create_view(&wgpu::TextureViewDescriptor {
        dimension: Some(wgpu::TextureViewDimension::D2),
        base_array_layer: layer as u32,
        array_layer_count: Some(1),
        ..wgpu::TextureViewDescriptor::default()
    })
}
