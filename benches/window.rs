//! Frames of the window on the default adapter, which is a software one without a GPU.

#![allow(clippy::unwrap_used, reason = "a bench may panic")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use egui_kittest::Harness;
use egui_kittest::wgpu::{create_render_state, default_wgpu_setup};
use safelight::app::{Settings, Window};
use safelight::catalog::ImageSize;
use safelight::latent::{ChannelAdjustment, Latent, LatentShape};
use safelight::preview::{Decoder, Look};
use safelight::session::{Action, Document, Touch, builtin_fit};

fn wait(harness: &mut Harness<'_, Window>, done: impl Fn(&Window) -> bool) {
    let start = Instant::now();
    while !done(harness.state()) {
        assert!(start.elapsed() < Duration::from_mins(2), "the window did not get there");
        std::thread::sleep(Duration::from_millis(10));
        harness.step();
    }
}

/// The whole window, drawn and read back, 1280×800, on the latent of a picture of 512 pixels.
fn a_gain_is_dragged(criterion: &mut Criterion) {
    let mut harness = Harness::builder()
        .with_size([1280.0, 800.0])
        .wgpu()
        .build_eframe(|context| Window::new(context, Settings::default(), None).unwrap());
    wait(&mut harness, |window| window.session.is_ready());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("waves.png");
    let wave =
        |x: u32, y: u32| ((f64::from(x) / 31.0).sin() * (f64::from(y) / 47.0).cos() * 120.0 + 128.0) as u8;
    image::RgbImage::from_fn(512, 512, |x, y| image::Rgb([wave(x, y), wave(y, x), wave(x + y, y)]))
        .save(&file)
        .unwrap();
    harness.state_mut().session.apply(Action::OpenPaths(vec![file]));
    wait(&mut harness, |window| {
        window.session.on_easel().and_then(Document::file).is_some_and(|file| file.comparison.is_some())
    });
    let mut group = criterion.benchmark_group("window");
    group.sample_size(10);
    let mut frame = 0_u32;
    group.bench_function("a frame while a gain is dragged", |bencher| {
        bencher.iter(|| {
            frame += 1;
            let gain = 1.0 + (frame % 100) as f32 / 100.0;
            let adjustment = ChannelAdjustment { gain, ..ChannelAdjustment::default() };
            let touch = Touch::Channel { index: 0, adjustment, begins: frame == 1 };
            harness.state_mut().session.apply(Action::Touch(touch));
            harness.step();
            harness.render().unwrap()
        });
    });
    group.bench_function("a frame at rest", |bencher| {
        bencher.iter(|| {
            harness.step();
            harness.render().unwrap()
        });
    });
    group.finish();
}

/// The whole window on a picture of 512 pixels and 50 steps: at rest, and while another step is chosen in each frame.
fn steps_are_scrubbed(criterion: &mut Criterion) {
    let mut harness = Harness::builder()
        .with_size([1280.0, 800.0])
        .wgpu()
        .build_eframe(|context| Window::new(context, Settings::default(), None).unwrap());
    wait(&mut harness, |window| window.session.is_ready());
    let draft = harness.state_mut().session.draft_mut();
    (draft.size, draft.steps) = (ImageSize::new(512, 512), STEPS);
    harness.state_mut().session.apply(Action::Generate);
    wait(&mut harness, |window| window.session.on_easel().is_some_and(|shown| shown.picture().is_some()));
    let mut group = criterion.benchmark_group("film strip");
    group.sample_size(10);
    group.bench_function("a frame at rest", |bencher| {
        bencher.iter(|| {
            harness.step();
            harness.render().unwrap()
        });
    });
    let mut step = 0;
    group.bench_function("a frame while steps are scrubbed", |bencher| {
        bencher.iter(|| {
            step = (step + 1) % STEPS;
            harness.state_mut().session.apply(Action::Scrub(Some(step)));
            harness.step();
            harness.render().unwrap()
        });
    });
    group.finish();
}

const STEPS: usize = 50;

/// The work of the adapter for a sampling step of a 512² picture: the shader decodes its latent.
fn a_step_is_decoded(criterion: &mut Criterion) {
    let state = create_render_state(default_wgpu_setup(), egui_wgpu::RendererOptions::default());
    let decoder = Decoder::new(&state.device, &state.queue);
    let shape = LatentShape { channels: 4, height: 64, width: 64 };
    let values: Vec<f32> = (0..shape.len()).map(|i| (i as f32 * 0.37).sin()).collect();
    let latent = Latent::new(shape, values).unwrap();
    let fit = builtin_fit().unwrap();
    let looks = [
        (
            "linear",
            Look::Linear { projection: Arc::clone(&fit.linear), smooth: true, scale: Look::FULL_SCALE },
        ),
        ("patch", Look::Patch { projection: Arc::clone(&fit.patch) }),
    ];
    for (name, look) in looks {
        criterion.bench_function(&format!("a preview, {name}"), |bencher| {
            bencher.iter(|| {
                let texture = decoder.decode(&latent, &look).unwrap();
                state.device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
                texture
            });
        });
    }
}

criterion_group!(benches, a_gain_is_dragged, steps_are_scrubbed, a_step_is_decoded);
criterion_main!(benches);
