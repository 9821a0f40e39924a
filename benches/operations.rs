//! The operations at the sizes of Stable Diffusion 1.5 and of the built-in model, compared with candle's.
//!
//! One thread by default; `SAFELIGHT_THREADS` for more. `SAFELIGHT_ISA=avx2` (or `baseline`, `avx512`) limits the
//! instruction set, `SAFELIGHT_PRECISION=bf16` measures products of bf16 matrices. Pin the process (`taskset -c 0`), since
//! threads may share a core otherwise.
#![allow(missing_docs, reason = "criterion's macros make public functions")]
#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on stops")]

#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../tests/common/numbers.rs"]
mod numbers;

use std::hint::black_box;
use std::sync::LazyLock;

use criterion::{Criterion, criterion_group, criterion_main};
use safelight::networks::backend::{D, DType, Device, Tensor};
use safelight::networks::ops::{
    Conv2d, GroupNorm, LayerNorm, Linear, Mask, NormSilu, Padding, attention, geglu,
};
use safelight::networks::{Isa, KernelContext, Precision, Runtime};
use safelight::weights::{BlockFormat, StoredTensor, WeightDtype};

#[cfg(not(target_vendor = "apple"))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The runtime that the environment variables select.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let variable = |name: &str| std::env::var(name).unwrap_or_default().to_lowercase();
    let isa = Isa::named(&variable("SAFELIGHT_ISA")).unwrap_or_default();
    let precision = if variable("SAFELIGHT_PRECISION") == "bf16" { Precision::Bf16 } else { Precision::Full };
    let threads = variable("SAFELIGHT_THREADS").parse().unwrap_or(1);
    Runtime::new(Device::Cpu, DType::F32, KernelContext::new(isa, precision, Some(threads)))
});

/// Values in −1..1 that depend on shape and salt only.
fn made_up(shape: &[usize], salt: u32) -> Tensor {
    Tensor::from_vec(numbers::made_up(shape.iter().product(), salt), shape, &Device::Cpu).unwrap()
}

/// A tensor as a file would hold it.
fn stored(x: &Tensor) -> StoredTensor {
    StoredTensor::from_f32(x.dims(), &x.to_values::<f32>().unwrap())
}

/// A channels-last feature map, the layout between our operations.
fn feature_map(shape: [usize; 4]) -> Tensor {
    let [b, c, h, w] = shape;
    made_up(&[b, h, w, c], 3).permute([0, 3, 1, 2]).unwrap()
}

/// Measures our operation, in its thread pool, and candle's.
fn both(
    criterion: &mut Criterion,
    name: &str,
    ours: impl Fn() -> safelight::networks::backend::Result<Tensor> + Sync,
    candles: impl Fn() -> safelight::networks::backend::Result<Tensor>,
) {
    let mut group = criterion.benchmark_group(name);
    group.sample_size(10);
    group.bench_function("safelight", |bencher| {
        // Inside the pool, as in a network; only the loop is timed.
        bencher.iter_custom(|rounds| {
            RUNTIME.run(|| {
                let start = std::time::Instant::now();
                for _ in 0..rounds {
                    black_box(ours().unwrap());
                }
                start.elapsed()
            })
        });
    });
    group.bench_function("candle", |bencher| bencher.iter(|| black_box(candles().unwrap())));
    group.finish();
}

fn convolutions(criterion: &mut Criterion) {
    let sizes = [
        (1, 320, 320, 64, 3, 1),
        (1, 640, 640, 32, 3, 1),
        (2, 640, 640, 32, 3, 1),
        (1, 1280, 1280, 16, 3, 1),
        (2, 1280, 1280, 16, 3, 1),
        (1, 1280, 1280, 8, 3, 1),
        (2, 1280, 1280, 8, 3, 1),
        (1, 320, 320, 64, 3, 2),
        (1, 256, 256, 256, 3, 1),
        (2, 64, 64, 16, 3, 1),
        (2, 128, 128, 8, 3, 1),
        (2, 192, 192, 4, 3, 1),
        (2, 64, 128, 16, 1, 1),
        (1, 32, 32, 128, 3, 1),
    ];
    for (batch, inputs, outputs, edge, kernel, stride) in sizes {
        let (weight, bias) = (made_up(&[outputs, inputs, kernel, kernel], 1), made_up(&[outputs], 2));
        let fast =
            Conv2d::new(&RUNTIME, &stored(&weight), Some(&stored(&bias)), stride, Padding::Same(kernel / 2))
                .unwrap();
        let x = feature_map([batch, inputs, edge, edge]);
        let contiguous = x.contiguous().unwrap();
        let bias = bias.reshape((1, outputs, 1, 1)).unwrap();
        let name =
            format!("convolution {batch}x{inputs}x{edge}x{edge} to {outputs}, {kernel}x{kernel}/{stride}");
        both(
            criterion,
            &name,
            || fast.forward(&x),
            || contiguous.conv2d(&weight, kernel / 2, stride)?.broadcast_add(&bias),
        );
    }
}

fn linear_maps(criterion: &mut Criterion) {
    let sizes = [
        (4096, 320, 2560),
        (4096, 1280, 320),
        (1024, 640, 5120),
        (256, 1280, 10240),
        (64, 1280, 1280),
        (77, 768, 3072),
        (2, 1280, 1280),
        (128, 128, 128),
        (32, 192, 192),
    ];
    for (rows, inputs, outputs) in sizes {
        let (weight, bias, x) =
            (made_up(&[outputs, inputs], 1), made_up(&[outputs], 2), made_up(&[rows, inputs], 3));
        let fast = Linear::new(&RUNTIME, &stored(&weight), Some(&stored(&bias))).unwrap();
        let name = format!("linear {rows}x{inputs} to {outputs}");
        let plain = || x.matmul(&weight.transpose(0, 1)?)?.broadcast_add(&bias);
        both(criterion, &name, || fast.forward(&x), plain);
    }
}

/// Maps of a FLUX transformer with weights in the formats of its files: bf16, and quantised.
fn quantised_maps(criterion: &mut Criterion) {
    let formats = [
        WeightDtype::Bf16,
        WeightDtype::Block(BlockFormat::F8E4m3),
        WeightDtype::Block(BlockFormat::Q8_0),
        WeightDtype::Block(BlockFormat::Q6K),
        WeightDtype::Block(BlockFormat::Q5K),
        WeightDtype::Block(BlockFormat::Q4K),
        WeightDtype::Block(BlockFormat::Q4_0),
        WeightDtype::Block(BlockFormat::Iq4Xs),
    ];
    for (rows, inputs, outputs) in
        [(1536, 3072, 12288), (1536, 12288, 3072), (256, 4096, 4096), (1, 3072, 18432)]
    {
        let x = made_up(&[rows, inputs], 3);
        let mut group = criterion.benchmark_group(format!("linear {rows}x{inputs} to {outputs}"));
        group.sample_size(10);
        for dtype in formats {
            let bytes = dtype.bytes_of(&[outputs, inputs]).unwrap();
            // Scales of these bytes are ordinary numbers, whatever the format.
            let bytes: Vec<u8> = (0..bytes).map(|i| (i * 7 % 251) as u8 & 0x2f).collect();
            let weight = StoredTensor::copied(dtype, &[outputs, inputs], &bytes);
            let map = Linear::new(&RUNTIME, &weight, None).unwrap();
            group.bench_function(dtype.name(), |bencher| {
                bencher.iter(|| RUNTIME.run(|| black_box(map.forward(&x).unwrap())))
            });
        }
        group.finish();
    }
}

fn attentions(criterion: &mut Criterion) {
    let sizes = [
        (1, 4096, 4096, 8, 40),
        (1, 4096, 77, 8, 40),
        (1, 1024, 1024, 8, 80),
        (1, 4096, 4096, 1, 512),
        (2, 64, 64, 4, 32),
        (2, 64, 48, 4, 32),
    ];
    for (batch, queries, keys, heads, head_width) in sizes {
        let width = heads * head_width;
        let (q, k, v) = (
            made_up(&[batch, queries, width], 1),
            made_up(&[batch, keys, width], 2),
            made_up(&[batch, keys, width], 3),
        );
        let split = |x: &Tensor| x.reshape((batch, (), heads, head_width))?.transpose(1, 2)?.contiguous();
        let name = format!("attention {batch}x{queries}x{keys}, {heads} heads of {head_width}");
        both(
            criterion,
            &name,
            || attention(&RUNTIME, [&q, &k, &v], heads, Mask::None),
            || {
                let scores =
                    (split(&q)?.matmul(&split(&k)?.transpose(2, 3)?)? * (head_width as f64).sqrt().recip())?;
                let weights = Tensor::from(candle_nn::ops::softmax_last_dim(scores.candle())?);
                weights.matmul(&split(&v)?)?.transpose(1, 2)?.reshape((batch, queries, width))
            },
        );
    }
}

fn norms_and_activations(criterion: &mut Criterion) {
    for (batch, channels, edge) in [(1, 320, 64), (1, 128, 512), (2, 64, 16)] {
        let (weight, bias) = (made_up(&[channels], 1), made_up(&[channels], 2));
        let fast = GroupNorm::new(&RUNTIME, &weight, &bias, 32, 1e-5).unwrap();
        let plain =
            candle_nn::GroupNorm::new(weight.candle().clone(), bias.candle().clone(), channels, 32, 1e-5)
                .unwrap();
        let x = feature_map([batch, channels, edge, edge]);
        let contiguous = x.contiguous().unwrap();
        let name = format!("group norm and SiLU {batch}x{channels}x{edge}x{edge}");
        let candles =
            || Ok(candle_nn::Module::forward(&plain, contiguous.candle())?.silu().map(Tensor::from)?);
        both(criterion, &name, || NormSilu::new(&fast, None).forward(&x), candles);
    }
    for (tokens, channels) in [(4096, 320), (128, 128)] {
        let (weight, bias) = (made_up(&[channels], 1), made_up(&[channels], 2));
        let x = made_up(&[1, tokens, channels], 3);
        let fast = LayerNorm::new(&RUNTIME, &weight, &bias, 1e-5).unwrap();
        let candles = || {
            let [x, weight, bias] = [&x, &weight, &bias].map(Tensor::candle);
            Ok(candle_nn::ops::layer_norm(x, weight, bias, 1e-5)?.into())
        };
        both(criterion, &format!("layer norm {tokens}x{channels}"), || fast.forward(&x), candles);
        let x = made_up(&[1, tokens, 8 * channels], 3);
        let half = 4 * channels;
        let candles = || x.narrow(D::Minus1, 0, half)? * x.narrow(D::Minus1, half, half)?.gelu_erf()?;
        both(criterion, &format!("geglu {tokens}x{half}"), || geglu(&RUNTIME, &x), candles);
    }
}

criterion_group!(benches, convolutions, linear_maps, quantised_maps, attentions, norms_and_activations);
criterion_main!(benches);
