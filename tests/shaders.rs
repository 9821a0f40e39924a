//! The preview shaders on a software adapter compared with their CPU references.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic and print")]

#[path = "common/mod.rs"]
mod common;

use std::sync::Arc;

use safelight::latent::{Latent, LatentShape};
use safelight::models::{ModelSettings, TinyDecoder};
use safelight::preview::{Decoder, Look, shader_sources};
use safelight::projection::{
    ColourMap, PatchProjection, RgbProjection, TinyConvolution, TinyNetwork, render_channel_reference,
    render_linear_reference,
};
use safelight::request::CancelToken;

use common::numbers;

/// A byte of the target is 1/255; both sides round, and filter weights are sums of f32 products.
const TOLERANCE: f32 = 1.0 / 255.0;

struct Gpu {
    device: wgpu::Device,
    queue: wgpu::Queue,
    decoder: Decoder,
}

fn gpu() -> Gpu {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapter = pollster_block_on(instance.request_adapter(&wgpu::RequestAdapterOptions::default()))
        .expect("no graphics adapter: packaging/setup.sh test installs a software one");
    let (device, queue) = pollster_block_on(adapter.request_device(&wgpu::DeviceDescriptor {
        required_limits: wgpu::Limits::downlevel_webgl2_defaults().using_resolution(adapter.limits()),
        ..wgpu::DeviceDescriptor::default()
    }))
    .expect("a device");
    let decoder = Decoder::new(&device, &queue);
    Gpu { device, queue, decoder }
}

/// Polls a future to its end; wgpu's native futures are ready at the first poll.
fn pollster_block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        if let std::task::Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        std::thread::yield_now();
    }
}

fn draw(gpu: &Gpu, latent: &Latent, look: &Look) -> (usize, Vec<[f32; 3]>) {
    let texture = gpu.decoder.decode(latent, look).expect("the look fits");
    let (width, height) = (texture.width(), texture.height());
    let row = (width * 4).next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT);
    let buffer = gpu.device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: u64::from(row * height),
        usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
        mapped_at_creation: false,
    });
    let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    encoder.copy_texture_to_buffer(
        texture.as_image_copy(),
        wgpu::TexelCopyBufferInfo {
            buffer: &buffer,
            layout: wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(row), rows_per_image: None },
        },
        texture.size(),
    );
    gpu.queue.submit([encoder.finish()]);
    buffer.map_async(wgpu::MapMode::Read, .., |result| result.expect("mapped"));
    gpu.device.poll(wgpu::PollType::wait_indefinitely()).expect("the device answers");
    let bytes = buffer.get_mapped_range(..).expect("mapped");
    let pixels = (0..height as usize)
        .flat_map(|y| (0..width as usize).map(move |x| y * row as usize + x * 4))
        .map(|at| std::array::from_fn(|k| f32::from(bytes[at + k]) / 255.0))
        .collect();
    (width as usize, pixels)
}

/// A latent with values in −3..3.
fn made_up(shape: LatentShape, salt: u32) -> Latent {
    let values: Vec<f32> = numbers::made_up(shape.len(), salt).into_iter().map(|v| 3.0 * v).collect();
    Latent::new(shape, values).unwrap()
}

#[track_caller]
fn close(what: &str, found: &[[f32; 3]], expected: &[[f32; 3]]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        for k in 0..3 {
            assert!((f[k] - e[k]).abs() <= TOLERANCE, "{what}: pixel {i}: {f:?} for {e:?}");
        }
    }
}

#[test]
fn every_shader_is_valid() {
    for (name, source) in shader_sources() {
        let module =
            naga::front::wgsl::parse_str(&source).unwrap_or_else(|e| panic!("{}", e.emit_to_string(&source)));
        let flags = naga::valid::ValidationFlags::all();
        let mut validator = naga::valid::Validator::new(flags, naga::valid::Capabilities::empty());
        validator.validate(&module).unwrap_or_else(|e| panic!("{name}: {e:?}"));
    }
}

#[test]
fn the_linear_preview_is_its_reference() {
    let gpu = gpu();
    for (channels, width, height) in [(4, 16, 16), (4, 7, 13), (16, 5, 3), (32, 4, 9), (1, 1, 1)] {
        let latent = made_up(LatentShape::new(channels, height, width), 1);
        let weight: Vec<[f32; 3]> =
            (0..channels).map(|c| [0.1 + c as f32 * 0.01, -0.2, 0.3 - c as f32 * 0.02]).collect();
        let projection = Arc::new(RgbProjection { weight, bias: [0.1, -0.1, 0.2] });
        for smooth in [true, false] {
            let (_, found) = draw(
                &gpu,
                &latent,
                &Look::Linear { projection: Arc::clone(&projection), smooth, scale: Look::FULL_SCALE },
            );
            close("linear", &found, &render_linear_reference(&latent, &projection, 8, smooth));
        }
    }
}

#[test]
fn the_patch_preview_is_its_reference() {
    let gpu = gpu();
    for (channels, width, height, downscale) in [(4, 9, 5, 8), (16, 4, 6, 8), (4, 3, 3, 2)] {
        let latent = made_up(LatentShape::new(channels, height, width), 2);
        let rows = 9 * channels + 1;
        let weight = made_up(LatentShape::new(1, rows, downscale * downscale * 3), 3);
        let weight = weight.values().iter().map(|w| w * 0.05).collect();
        let projection = Arc::new(PatchProjection { channels, downscale, weight });
        let (found_width, found) = draw(&gpu, &latent, &Look::Patch { projection: Arc::clone(&projection) });
        assert_eq!(found_width, width * downscale);
        let expected: Vec<[f32; 3]> = projection
            .rgb_from_latent(&latent)
            .into_iter()
            .map(|rgb| rgb.map(|v| (v * 0.5 + 0.5).clamp(0.0, 1.0)))
            .collect();
        close("patch", &found, &expected);
    }
}

/// The network on the processor, by the kernels that draw quick decodes.
fn tiny(name: &str) -> (Arc<TinyNetwork>, TinyDecoder) {
    let path = common::fixtures::fixture(&format!("tiny/{name}.safetensors"));
    let decoder = TinyDecoder::open(&path, ModelSettings::default()).unwrap();
    let convolutions = decoder.convolutions().unwrap().unwrap().into_iter().map(|own| TinyConvolution {
        inputs: own.inputs,
        outputs: own.outputs,
        weight: own.weight,
        bias: own.bias,
    });
    (Arc::new(TinyNetwork::new(convolutions.collect()).unwrap()), decoder)
}

/// Feature maps and weights are 16-bit floats, whose rounding adds up over 35 convolutions; the processor has 32 bits.
#[test]
fn the_tiny_decoder_is_the_processors() {
    let gpu = gpu();
    // One pixel, odd edges, several bands of rows.
    for (name, channels, sizes) in
        [("taesd", 4, &[(1, 1), (13, 7), (5, 35)][..]), ("taef1", 16, &[(3, 5), (9, 17)])]
    {
        let (network, decoder) = tiny(name);
        for &(width, height) in sizes {
            let latent = made_up(LatentShape::new(channels, height, width), 7);
            let (found_width, found) = draw(&gpu, &latent, &Look::Tiny { network: Arc::clone(&network) });
            assert_eq!(found_width, 8 * width);
            let picture = decoder.decode(&latent, &CancelToken::new()).unwrap();
            let bytes = found.iter().flatten().map(|value| (value * 255.0).round() as u8);
            let errors: Vec<u8> = bytes.zip(picture.rgb()).map(|(a, b)| a.abs_diff(*b)).collect();
            let worst = errors.iter().copied().max().unwrap();
            let mean = errors.iter().map(|error| f64::from(*error)).sum::<f64>() / errors.len() as f64;
            println!("{name} {width}×{height}: worst {worst}, mean {mean:.3} of 255");
            assert!(worst <= 2 && mean <= 0.5, "{name} {width}×{height}: worst {worst}, mean {mean}");
        }
    }
    // Another VAE's latent, and values that are no numbers.
    let (network, _) = tiny("taesd");
    let look = Look::Tiny { network };
    assert!(gpu.decoder.decode(&made_up(LatentShape::new(16, 2, 2), 1), &look).is_none());
    let mut values = vec![0.5; 16];
    values[5] = f32::NAN;
    let (_, found) = draw(&gpu, &Latent::new(LatentShape::new(4, 2, 2), values).unwrap(), &look);
    assert_eq!(found[8], [1.0, 0.0, 1.0]);
    assert_ne!(found[0], [1.0, 0.0, 1.0]);
}

#[test]
fn every_colour_map_of_a_channel_is_its_reference() {
    let gpu = gpu();
    let latent = made_up(LatentShape::new(16, 6, 11), 4);
    for map in [ColourMap::Diverging, ColourMap::Grey, ColourMap::Heat] {
        for smooth in [true, false] {
            for (index, low, high) in [(0, -3.0, 3.0), (15, -0.5, 1.5)] {
                let (_, found) = draw(&gpu, &latent, &Look::Channel { index, map, low, high, smooth });
                close(
                    "channel",
                    &found,
                    &render_channel_reference(&latent, index, map, [low, high], 8, smooth),
                );
            }
        }
    }
}

#[test]
fn values_that_are_no_numbers_have_the_error_colour() {
    let gpu = gpu();
    let latent = Latent::new(LatentShape::new(1, 1, 3), vec![0.0, f32::NAN, f32::INFINITY]).unwrap();
    let look = Look::Channel { index: 0, map: ColourMap::Grey, low: -1.0, high: 1.0, smooth: false };
    let (_, found) = draw(&gpu, &latent, &look);
    assert_eq!(found[12], [1.0, 0.0, 1.0]);
    assert_eq!(found[20], [1.0, 0.0, 1.0]);
}

#[test]
fn a_look_that_does_not_fit_gives_nothing() {
    let gpu = gpu();
    let latent = made_up(LatentShape::new(4, 2, 2), 5);
    let three = Arc::new(RgbProjection { weight: vec![[0.0; 3]; 3], bias: [0.0; 3] });
    assert!(
        gpu.decoder
            .decode(&latent, &Look::Linear { projection: three, smooth: true, scale: Look::FULL_SCALE })
            .is_none()
    );
    let channel = Look::Channel { index: 4, map: ColourMap::Grey, low: 0.0, high: 1.0, smooth: true };
    assert!(gpu.decoder.decode(&latent, &channel).is_none());
}
