//! The native operations against candle's in f64, over many shapes, on every instruction set of the machine.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod transformers;

use std::sync::LazyLock;

use proptest::prelude::*;
use safelight::networks::backend::{DType, Device, Result, Tensor};
use safelight::networks::ops::{
    Conv2d, Embedding, Epilogue, GatedFeedForward, GroupNorm, LayerNorm, Linear, Mask, NormSilu, Padding,
    attention, concat_channels, expand_batch, from_tokens, geglu, gelu, gelu_tanh, normed_linears,
    quick_gelu, silu, to_tokens,
};
use safelight::networks::{Isa, KernelContext, Precision, Runtime};
use safelight::weights::{BlockFormat, StoredTensor, WeightDtype};

/// Values in −1..1 that depend on shape and salt only.
pub(crate) fn made_up(shape: &[usize], salt: u32) -> Tensor {
    let mut state = salt.wrapping_mul(2_654_435_761).wrapping_add(1);
    let values: Vec<f32> = (0..shape.iter().product::<usize>())
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        })
        .collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

pub(crate) fn wide(x: &Tensor) -> Tensor {
    x.to_dtype(DType::F64).unwrap()
}

fn values(x: &Tensor) -> Vec<f64> {
    wide(x).contiguous().unwrap().to_values().unwrap()
}

fn runtime(isa: Isa, precision: Precision, threads: usize) -> Runtime {
    Runtime::new(Device::Cpu, DType::F32, KernelContext::new(isa, precision, Some(threads)))
}

/// One for each instruction set, with a number of threads that does not depend on the machine.
fn on_every_isa(precision: Precision, threads: usize) -> Vec<Runtime> {
    Isa::available().into_iter().map(|isa| runtime(isa, precision, threads)).collect()
}

static TWO_THREADS: LazyLock<Vec<Runtime>> = LazyLock::new(|| on_every_isa(Precision::Full, 2));
static ONE_THREAD: LazyLock<Vec<Runtime>> = LazyLock::new(|| on_every_isa(Precision::Full, 1));
static BF16: LazyLock<Vec<Runtime>> = LazyLock::new(|| on_every_isa(Precision::Bf16, 2));

/// What candle's operations in f64 are built with: they use no kernels.
static CANDLE: LazyLock<Runtime> = LazyLock::new(|| {
    Runtime::new(Device::Cpu, DType::F64, KernelContext::new(Isa::widest(), Precision::Full, Some(1)))
});

/// A tensor as a file would hold it.
fn stored(x: &Tensor) -> StoredTensor {
    let flat = x.flatten_all().unwrap();
    let shape = x.dims();
    let bits = |bits: Vec<u16>, dtype| StoredTensor::copied(dtype, shape, bytemuck::cast_slice(&bits));
    match x.dtype() {
        DType::F16 => {
            let values = flat.to_values::<half::f16>().unwrap();
            bits(values.iter().map(|v| v.to_bits()).collect(), WeightDtype::F16)
        }
        DType::BF16 => {
            let values = flat.to_values::<half::bf16>().unwrap();
            bits(values.iter().map(|v| v.to_bits()).collect(), WeightDtype::Bf16)
        }
        DType::F64 => {
            let values = flat.to_values::<f64>().unwrap();
            StoredTensor::copied(WeightDtype::F64, shape, bytemuck::cast_slice(&values))
        }
        _ => StoredTensor::from_f32(shape, &flat.to_values::<f32>().unwrap()),
    }
}

/// Blocks of made-up bytes, with scales of a usual size: `[rows, values]`.
fn made_up_blocks(format: BlockFormat, shape: [usize; 2], salt: u32) -> StoredTensor {
    let dtype = WeightDtype::Block(format);
    let bytes = dtype.bytes_of(&shape).unwrap();
    let mut state = salt.wrapping_mul(2_654_435_761).wrapping_add(1);
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let mut blocks: Vec<u8> = (0..bytes).map(|_| next()).collect();
    let scales = format.f16_scales();
    for block in blocks.chunks_exact_mut(format.bytes()) {
        for at in scales {
            let scale = half::f16::from_f32((f32::from(block[*at]) - 127.0) / 4096.0);
            block[*at..at + 2].copy_from_slice(&scale.to_le_bytes());
        }
        if scales.is_empty() {
            // No infinities: the highest exponents are left out.
            for byte in block {
                *byte &= 0xbf;
            }
        }
    }
    StoredTensor::copied(dtype, &shape, &blocks)
}

/// Compares native results in f32 with candle's in f64.
fn agree_on(
    runtimes: &[Runtime],
    tolerance: f64,
    native: impl Fn(&Runtime) -> Result<Tensor>,
    f64_result: Result<Tensor>,
) {
    let f64_result = f64_result.unwrap();
    let expected = values(&f64_result);
    let mut size: f64 = expected.iter().map(|b| b * b).sum();
    if expected.len() < 16 {
        // All of a few sums may come out next to zero: rounding is then measured against inputs of unit size.
        size = size.max(expected.len() as f64);
    }
    for runtime in runtimes {
        let f32_result = native(runtime).unwrap();
        assert_eq!(f32_result.dims(), f64_result.dims());
        let error: f64 = values(&f32_result).iter().zip(&expected).map(|(a, b)| (a - b).powi(2)).sum();
        let close = error.sqrt() <= tolerance * size.sqrt() + 1e-12;
        assert!(close, "relative L2 {:e} with {runtime:?}", (error / size).sqrt());
    }
}

fn agree(tolerance: f64, native: impl Fn(&Runtime) -> Result<Tensor>, f64_result: Result<Tensor>) {
    agree_on(&TWO_THREADS, tolerance, native, f64_result);
}

/// f32 sums of a few thousand products.
const PRODUCT: f64 = 2e-6;
/// Winograd's transforms multiply by up to 8 and subtract.
const WINOGRAD: f64 = 2e-5;
/// bf16 keeps eight bits: an error of 2⁻⁹ in each factor, and less in their sum.
const ROUNDED: f64 = 1e-2;

/// A convolution of `[b, i, h, w]` to `o` channels with each epilogue, prologue and stored format.
fn convolution(runtimes: &[Runtime], [b, i, o, h, w, k]: [usize; 6], stride: usize, padding: Padding) {
    let (weight, bias) = (made_up(&[o, i, k, k], 1), made_up(&[o], 2));
    let x = made_up(&[b, i, h, w], 3);
    let native: Vec<(Conv2d, GroupNorm, &Runtime)> = runtimes
        .iter()
        .map(|runtime| {
            let conv = Conv2d::new(runtime, &stored(&weight), Some(&stored(&bias)), stride, padding).unwrap();
            let (scale, shift) = (made_up(&[i], 5), made_up(&[i], 6));
            (conv, GroupNorm::new(runtime, &scale, &shift, 1, 1e-5).unwrap(), runtime)
        })
        .collect();
    let agree = |run: &dyn Fn(&Conv2d, &GroupNorm) -> Result<Tensor>, wanted: Result<Tensor>| {
        let wanted = wanted.unwrap();
        for (conv, norm, runtime) in &native {
            agree_on(std::slice::from_ref(*runtime), WINOGRAD, |_| run(conv, norm), Ok(wanted.clone()));
        }
    };
    let plain = Conv2d::new(&CANDLE, &stored(&weight), Some(&stored(&bias)), stride, padding).unwrap();
    let out = plain.forward(&wide(&x)).unwrap();
    agree(&|conv, _| conv.forward(&x), Ok(out.clone()));
    let residual = made_up(out.dims(), 4);
    agree(&|conv, _| conv.forward_add(&x, &residual), plain.forward_add(&wide(&x), &wide(&residual)));
    if k == 3 && stride == 1 {
        agree(&|conv, _| conv.forward_upsampled(&x), plain.forward_upsampled(&wide(&x)));
    }
    let (scale, shift) = (made_up(&[i], 5), made_up(&[i], 6));
    let plain_norm = GroupNorm::new(&CANDLE, &wide(&scale), &wide(&shift), 1, 1e-5).unwrap();
    let vector = made_up(&[1, o], 7);
    let each = made_up(&[b, o], 8);
    let [wide_residual, wide_vector, wide_each] = [wide(&residual), wide(&vector), wide(&each)];
    for (epilogue, wide_epilogue) in [
        (Epilogue::None, Epilogue::None),
        (Epilogue::Residual(&residual), Epilogue::Residual(&wide_residual)),
        (Epilogue::Channels(&vector), Epilogue::Channels(&wide_vector)),
        (Epilogue::Channels(&each), Epilogue::Channels(&wide_each)),
    ] {
        let plain = plain.forward_normed(&wide(&x), NormSilu::new(&plain_norm, None), wide_epilogue);
        agree(&|conv, norm| conv.forward_normed(&x, NormSilu::new(norm, None), epilogue), plain);
    }
    let (conv, norm, _) = &native[0];
    let too_long = made_up(&[1, o + 1], 7);
    let error =
        conv.forward_normed(&x, NormSilu::new(norm, None), Epilogue::Channels(&too_long)).unwrap_err();
    assert!(error.to_string().contains(&format!("does not go with {o} channels")), "{error}");
    // Weights of 16 bits are those numbers and no others.
    for dtype in [DType::F16, DType::BF16] {
        let weight = stored(&weight.to_dtype(dtype).unwrap());
        let plain = Conv2d::new(&CANDLE, &weight, None, stride, padding).unwrap().forward(&wide(&x));
        let native = |runtime: &Runtime| Conv2d::new(runtime, &weight, None, stride, padding)?.forward(&x);
        agree_on(runtimes, WINOGRAD, native, plain);
    }
}

/// A linear map with and without a residual.
fn linear_agrees(runtimes: &[Runtime], tolerance: f64, weight: &Tensor, bias: Option<&Tensor>, x: &Tensor) {
    let (weight, bias) = (stored(weight), bias.map(stored));
    let plain = Linear::new(&CANDLE, &weight, bias.as_ref()).unwrap();
    let out = plain.forward(&wide(x)).unwrap();
    let residual = made_up(out.dims(), 4);
    let with_residual = plain.forward_add(&wide(x), &wide(&residual));
    let native = |runtime: &Runtime| Linear::new(runtime, &weight, bias.as_ref());
    agree_on(runtimes, tolerance, |runtime| native(runtime)?.forward(x), Ok(out));
    agree_on(runtimes, tolerance, |runtime| native(runtime)?.forward_add(x, &residual), with_residual);
}

fn attention_agrees_in_f64(qkv: [&Tensor; 3], heads: usize, mask: Mask, tolerance: f64) {
    let [q, k, v] = qkv.map(wide);
    let plain = attention(&CANDLE, [&q, &k, &v], heads, mask);
    agree(tolerance, |runtime| attention(runtime, qkv, heads, mask), plain);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn convolutions_agree(
        b in 1_usize..3, i in 1_usize..40, o in 1_usize..40, h in 1_usize..21, w in 1_usize..21, kind in 0..4,
    ) {
        match kind {
            0 => convolution(&TWO_THREADS, [b, i, o, h, w, 3], 1, Padding::Same(1)),
            1 => convolution(&TWO_THREADS, [b, i, o, h, w, 1], 1, Padding::Same(0)),
            2 => convolution(&TWO_THREADS, [b, i, o, h, w, 3], 2, Padding::Same(1)),
            _ => convolution(&TWO_THREADS, [b, i, o, h + 1, w + 1, 3], 2, Padding::BottomRight),
        }
    }

    #[test]
    fn attention_agrees(
        b in 1_usize..3, n in 1_usize..150, m in 1_usize..90, heads in 1_usize..4, d in 1_usize..41, causal in any::<bool>(),
    ) {
        let (m, mask) = if causal { (n, Mask::Causal) } else { (m, Mask::None) };
        let width = heads * d;
        let (q, k, v) = (made_up(&[b, n, width], 1), made_up(&[b, m, width], 2), made_up(&[b, m, width], 3));
        attention_agrees_in_f64([&q, &k, &v], heads, mask, 1e-5);
    }

    #[test]
    fn norms_agree(b in 1_usize..3, groups in 1_usize..9, each in 1_usize..9, h in 1_usize..40, w in 1_usize..40) {
        let c = groups * each;
        let (weight, bias, x) = (made_up(&[c], 1), made_up(&[c], 2), made_up(&[b, c, h, w], 3));
        let native = |runtime: &Runtime| GroupNorm::new(runtime, &weight, &bias, groups, 1e-5);
        let plain = GroupNorm::new(&CANDLE, &wide(&weight), &wide(&bias), groups, 1e-5).unwrap();
        // A handful of values may have hardly any variance: rounding is then multiplied by up to 1/√1e-5.
        let few = |values: usize| values <= 8;
        let tolerance = if few(each * h * w) { 3e-3 } else { 1e-5 };
        agree(tolerance, |runtime| native(runtime)?.forward(&x), plain.forward(&wide(&x)));
        let silu_of = |norm: &GroupNorm, x: &Tensor| NormSilu::new(norm, None).forward(x);
        agree(tolerance, |runtime| silu_of(&native(runtime)?, &x), silu_of(&plain, &wide(&x)));
        // Statistics from two parts, of the map itself and of another one.
        let rows = h.div_ceil(2);
        let gathered = |norm: &GroupNorm, x: &Tensor| {
            let mut statistics = norm.statistics(&x.narrow(2, 0, rows)?)?;
            if rows < h {
                statistics.merge(&norm.statistics(&x.narrow(2, rows, h - rows)?)?);
            }
            Ok(statistics)
        };
        let given = |runtime: &Runtime, of: &Tensor| {
            let norm = native(runtime)?;
            NormSilu::new(&norm, Some(&gathered(&norm, of)?)).forward(&x)
        };
        agree(tolerance, |runtime| given(runtime, &x), silu_of(&plain, &wide(&x)));
        let other = (made_up(&[b, c, h, w], 4) * 3.0).unwrap();
        if !few(each * h * w) {
            let wanted = gathered(&plain, &wide(&other));
            let wanted = wanted.and_then(|s| NormSilu::new(&plain, Some(&s)).forward(&wide(&x)));
            agree(1e-5, |runtime| given(runtime, &other), wanted);
        }
        let tokens = to_tokens(&x).unwrap();
        let plain = LayerNorm::new(&CANDLE, &wide(&weight), &wide(&bias), 1e-5).unwrap();
        if !few(c) {
            let native = |runtime: &Runtime| LayerNorm::new(runtime, &weight, &bias, 1e-5)?.forward(&tokens);
            agree(1e-5, native, plain.forward(&wide(&tokens)));
        }
    }

    #[test]
    fn linear_maps_and_activations_agree(n in 1_usize..70, i in 1_usize..70, o in 1_usize..70) {
        let (weight, bias, x) = (made_up(&[o, i], 1), made_up(&[o], 2), made_up(&[2, n, i], 3));
        linear_agrees(&TWO_THREADS, PRODUCT, &weight, Some(&bias), &x);
        for dtype in [DType::F16, DType::BF16] {
            linear_agrees(&TWO_THREADS, PRODUCT, &weight.to_dtype(dtype).unwrap(), None, &x);
        }
        let x = (x * 6.0).unwrap();
        for f in [silu, gelu, gelu_tanh, quick_gelu] {
            agree(1e-6, |runtime| f(runtime, &x), f(&CANDLE, &wide(&x)));
        }
        if i % 2 == 0 {
            agree(1e-6, |runtime| geglu(runtime, &x), geglu(&CANDLE, &wide(&x)));
        }
    }

    #[test]
    fn feature_maps_are_joined_and_turned_into_tokens(
        b in 1_usize..3, c in 1_usize..20, h in 1_usize..9, w in 1_usize..9,
    ) {
        let (x, y) = (made_up(&[b, c, h, w], 1), made_up(&[b, c, h, w], 2));
        // The same values with channels-last memory.
        let last = x.permute([0, 2, 3, 1]).unwrap().contiguous().unwrap().permute([0, 3, 1, 2]).unwrap();
        agree(0.0, |_| concat_channels(&last, &y), Tensor::cat(&[wide(&x), wide(&y)], 1));
        agree(0.0, |_| from_tokens(&to_tokens(&last)?, h, w), Ok(wide(&x)));
        let first = last.narrow(0, 0, 1).unwrap();
        let thrice = wide(&first).broadcast_as((3, c, h, w)).unwrap();
        agree(0.0, |_| expand_batch(&first, 3), Ok(thrice.clone()));
        agree(0.0, |_| expand_batch(&to_tokens(&first)?, 3), to_tokens(&thrice));
        agree(0.0, |_| expand_batch(&last, b), Ok(wide(&x)));
        if b > 1 {
            assert!(expand_batch(&last, 3).is_err());
        }
    }
}

#[test]
fn large_sizes_agree_where_threads_share_the_work() {
    let runtimes = &TWO_THREADS;
    convolution(runtimes, [1, 64, 48, 40, 56, 3], 1, Padding::Same(1));
    convolution(runtimes, [1, 33, 17, 61, 47, 3], 1, Padding::Same(1));
    // Several panels, two images in a block, and pieces of input channels.
    convolution(runtimes, [2, 770, 70, 9, 6, 3], 1, Padding::Same(1));
    let (q, k) = (made_up(&[1, 1000, 80], 1), made_up(&[1, 777, 80], 2));
    attention_agrees_in_f64([&q, &k, &k], 2, Mask::None, 1e-5);
    // More keys than one block holds, seen little by little.
    let q = made_up(&[1, 1100, 24], 4);
    attention_agrees_in_f64([&q, &q, &q], 1, Mask::Causal, 1e-5);
    // Products deeper and wider than one block of the caches, of few rows and of many.
    let weight = made_up(&[75, 700], 1);
    for rows in [410, 1300] {
        linear_agrees(runtimes, PRODUCT, &weight, None, &made_up(&[rows, 700], 2));
    }
    convolution(runtimes, [2, 200, 33, 7, 9, 3], 2, Padding::Same(1));
    convolution(runtimes, [1, 96, 12, 100, 130, 3], 1, Padding::Same(1));
    convolution(runtimes, [2, 64, 20, 160, 160, 3], 2, Padding::BottomRight);
}

#[test]
fn attention_agrees_where_scores_are_too_large_for_powers_of_two() {
    // The first head's scores are small; those of the second reach ±200, and grow from one block of keys to the next.
    let heads = |salt| {
        let large = (made_up(&[1, 600, 32], salt) * 12.0).unwrap();
        let rising =
            Tensor::from_vec((0..600).map(|i| i as f32).collect(), (1, 600, 1), &Device::Cpu).unwrap();
        let large = large.broadcast_mul(&(rising / 600.0).unwrap()).unwrap();
        Tensor::cat(&[&made_up(&[1, 600, 32], salt + 1), &large], 2).unwrap()
    };
    let (q, k, v) = (heads(1), heads(3), made_up(&[1, 600, 64], 5));
    for mask in [Mask::None, Mask::Causal] {
        // An error of a large score is one of its weight.
        attention_agrees_in_f64([&q, &k, &v], 2, mask, 2e-4);
    }
}

#[test]
fn small_images_agree_where_one_thread_takes_several_at_once() {
    let runtimes = &ONE_THREAD;
    convolution(runtimes, [3, 40, 12, 9, 10, 3], 1, Padding::Same(1));
    convolution(runtimes, [5, 64, 40, 17, 16, 3], 2, Padding::BottomRight);
    // Two of three.
    convolution(runtimes, [3, 256, 16, 36, 36, 3], 1, Padding::Same(1));
}

/// What follows a norm of `width`, from weights of a format: maps to `outputs`, and a feed-forward of `hidden`.
fn after_a_norm(
    runtime: &Runtime,
    dtype: DType,
    width: usize,
    outputs: [usize; 2],
    hidden: usize,
) -> (LayerNorm, [Linear; 2], GatedFeedForward) {
    let of = |shape: &[usize], salt| made_up(shape, salt).to_dtype(dtype).unwrap();
    let norm = || LayerNorm::new(runtime, &of(&[width], 1), &of(&[width], 2), 1e-5).unwrap();
    let linear = |inputs: usize, outputs: usize, salt| {
        Linear::new(runtime, &stored(&of(&[outputs, inputs], salt)), Some(&stored(&of(&[outputs], salt + 1))))
            .unwrap()
    };
    let feed_forward =
        GatedFeedForward::new(runtime, norm(), linear(width, 2 * hidden, 3), linear(hidden, width, 5));
    (norm(), [linear(width, outputs[0], 7), linear(width, outputs[1], 9)], feed_forward.unwrap())
}

fn after_a_norm_agrees(runtimes: &[Runtime], tolerance: f64) {
    // One band and several, with a rest; widths of no whole pair or panel; hidden rows of several parts and of one; too few
    // rows for two threads, which take another way.
    for (rows, width, outputs, hidden) in [
        (1, 8, [5, 40], 32),
        (70, 33, [33, 7], 64),
        (450, 48, [48, 70], 192),
        (1000, 40, [8, 1], 160),
        (1200, 320, [320, 64], 128),
        (129, 24, [24, 24], 50),
    ] {
        let (wide_norm, [wide_a, wide_b], wide_feed_forward) =
            after_a_norm(&CANDLE, DType::F64, width, outputs, hidden);
        let x = made_up(&[1, rows, width], 11);
        let normed = wide_norm.forward(&wide(&x)).unwrap();
        let both = |runtime: &Runtime| {
            let (norm, [a, b], _) = after_a_norm(runtime, DType::F32, width, outputs, hidden);
            normed_linears(runtime, &x, &norm, [&a, &b])
        };
        agree_on(runtimes, tolerance, |runtime| Ok(both(runtime)?[0].clone()), wide_a.forward(&normed));
        agree_on(runtimes, tolerance, |runtime| Ok(both(runtime)?[1].clone()), wide_b.forward(&normed));
        let plain = wide_feed_forward.forward_add(&wide(&x));
        let native = |runtime: &Runtime| {
            let (.., feed_forward) = after_a_norm(runtime, DType::F32, width, outputs, hidden);
            // On the pool, as networks run.
            runtime.run(|| feed_forward.forward_add(&x))
        };
        agree_on(runtimes, tolerance, native, plain);
    }
}

#[test]
fn what_follows_a_norm_agrees() {
    after_a_norm_agrees(&TWO_THREADS, PRODUCT);
    after_a_norm_agrees(&ONE_THREAD, PRODUCT);
}

#[test]
fn bf16_matrices_agree_roughly() {
    for (n, i, o) in [(1, 64, 70), (77, 130, 33), (400, 700, 40), (5, 3, 9)] {
        let (weight, bias, x) = (made_up(&[o, i], 1), made_up(&[o], 3), made_up(&[n, i], 2));
        linear_agrees(&BF16, ROUNDED, &weight, Some(&bias), &x);
    }
    after_a_norm_agrees(&BF16, ROUNDED);
    for (n, m, d, mask) in [
        (64, 48, 32, Mask::None),
        (9, 77, 40, Mask::None),
        (700, 1100, 40, Mask::None),
        (600, 600, 6, Mask::Causal),
        (31, 29, 7, Mask::Causal),
    ] {
        let m = if mask == Mask::Causal { n } else { m };
        let (q, k, v) = (made_up(&[2, n, 2 * d], 1), made_up(&[2, m, 2 * d], 2), made_up(&[2, m, 2 * d], 3));
        let plain = attention(&CANDLE, [&wide(&q), &wide(&k), &wide(&v)], 2, mask);
        agree_on(&BF16, ROUNDED, |runtime| attention(runtime, [&q, &k, &v], 2, mask), plain);
    }
    // Odd and even channels; strided, which is a product, and not, which Winograd's transform is for.
    for (channels, dtype) in [(32, DType::F32), (9, DType::F32), (32, DType::F16)] {
        let weight = made_up(&[37, channels, 3, 3], 1).to_dtype(dtype).unwrap();
        for (x, stride) in [(made_up(&[2, channels, 7, 5], 2), 2), (made_up(&[1, channels, 33, 30], 3), 1)] {
            let padding = Padding::Same(1);
            let plain =
                Conv2d::new(&CANDLE, &stored(&weight), None, stride, padding).unwrap().forward(&wide(&x));
            let native = |runtime: &Runtime| {
                Conv2d::new(runtime, &stored(&weight), None, stride, padding)?.forward(&x)
            };
            agree_on(&BF16, ROUNDED, native, plain);
        }
    }
}

#[test]
fn quantised_matrices_agree() {
    for format in BlockFormat::ALL {
        let whole = format.values().max(32);
        // Few and many rows and columns, with rests of tiles and panels; one pass along the depth, and several.
        for (n, i, o) in [(1, whole, 33), (14, 3 * whole, 70), (300, 1024, 48), (3, 2304, 9)] {
            let (weight, bias) = (made_up_blocks(format, [o, i], 1), stored(&made_up(&[o], 3)));
            let x = made_up(&[n, i], 2);
            let plain = Linear::new(&CANDLE, &weight, Some(&bias)).unwrap();
            let out = plain.forward(&wide(&x)).unwrap();
            let residual = made_up(out.dims(), 4);
            let with_residual = plain.forward_add(&wide(&x), &wide(&residual)).unwrap();
            for (runtimes, tolerance) in [(&TWO_THREADS, PRODUCT), (&ONE_THREAD, PRODUCT), (&BF16, ROUNDED)] {
                let native = |runtime: &Runtime| Linear::new(runtime, &weight, Some(&bias));
                agree_on(runtimes, tolerance, |runtime| native(runtime)?.forward(&x), Ok(out.clone()));
                let both = |runtime: &Runtime| native(runtime)?.forward_add(&x, &residual);
                agree_on(runtimes, tolerance, both, Ok(with_residual.clone()));
            }
        }
    }
}

/// Weights of eight bits with a scale for all, or one for each row.
#[test]
fn scaled_matrices_agree() {
    for format in [BlockFormat::F8E4m3, BlockFormat::F8E5m2] {
        let x = made_up(&[9, 96], 2);
        let scales: Vec<f32> = (0..50).map(|row| 0.01 * (row as f32 - 20.5)).collect();
        let plain = made_up_blocks(format, [50, 96], 1);
        let unscaled = Linear::new(&CANDLE, &plain, None).unwrap().forward(&wide(&x)).unwrap();
        for scales in [scales, vec![0.37]] {
            let factors = Tensor::from_slice(&scales, scales.len(), &Device::Cpu).unwrap();
            let weight = plain.clone().with_scales(scales);
            let wanted = unscaled.broadcast_mul(&wide(&factors)).unwrap();
            let native = |runtime: &Runtime| Linear::new(runtime, &weight, None)?.forward(&x);
            agree_on(&TWO_THREADS, PRODUCT, native, Ok(wanted.clone()));
            agree_on(&BF16, ROUNDED, native, Ok(wanted.clone()));
            // On other devices they are decoded.
            let decoded = Linear::new(&CANDLE, &weight, None).unwrap().forward(&wide(&x)).unwrap();
            agree(PRODUCT, |_| Ok(decoded.clone()), Ok(wanted));
        }
    }
}

/// What is not a matrix of whole blocks is decoded: convolutions, and rows that are parts of blocks.
#[test]
fn quantised_weights_of_other_kinds_agree() {
    /// Products with scales are rounded to f16.
    const HALVES: f64 = 5e-4;
    for format in BlockFormat::ALL {
        let blocks = made_up_blocks(format, [9, 256], 1);
        for (shape, padding) in [([16, 16, 3, 3], 1), ([36, 64, 1, 1], 0)] {
            let weight = blocks.clone().reshaped(&shape);
            let x = made_up(&[1, shape[1], 9, 8], 2);
            let convolve = |runtime: &Runtime, x: &Tensor| {
                Conv2d::new(runtime, &weight, None, 1, Padding::Same(padding))?.forward(x)
            };
            agree(HALVES, |runtime| convolve(runtime, &x), convolve(&CANDLE, &wide(&x)));
        }
        let weight = blocks.reshaped(&[48, 48]);
        let x = made_up(&[5, 48], 3);
        let multiply = |runtime: &Runtime, x: &Tensor| Linear::new(runtime, &weight, None)?.forward(x);
        agree(HALVES, |runtime| multiply(runtime, &x), multiply(&CANDLE, &wide(&x)));
    }
}

/// A table of blocks gives the rows that the whole table has.
#[test]
fn quantised_tables_are_looked_up() {
    let runtime = &TWO_THREADS[0];
    for format in BlockFormat::ALL {
        let table = made_up_blocks(format, [5, 512], 1);
        // Columns of the table, as the products of a linear map.
        let linear = Linear::new(&CANDLE, &table, None).unwrap();
        let ones = (0..512 * 512).map(|i| f64::from(u8::from(i % 513 == 0))).collect();
        let ones = Tensor::from_vec(ones, (512, 512), &Device::Cpu).unwrap();
        let rows = linear.forward(&ones).unwrap().transpose(0, 1).unwrap().contiguous().unwrap();
        let found = Embedding::new(runtime, table).unwrap().forward(&[4, 0, 4]).unwrap();
        let wanted = rows.rows(&[4, 0, 4]).unwrap();
        assert_eq!(values(&found), values(&wanted), "{format:?}");
    }
}

/// What makes the test above one of bf16 and not of f32.
#[test]
fn bf16_rounds_where_the_processor_multiplies_it_and_nowhere_else() {
    let (weight, x) = (made_up(&[40, 64], 1), made_up(&[9, 64], 2));
    let run = |runtime: &Runtime| {
        values(&Linear::new(runtime, &stored(&weight), None).unwrap().forward(&x).unwrap())
    };
    for (rounded, full) in BF16.iter().zip(TWO_THREADS.iter()) {
        assert_eq!(run(rounded) != run(full), rounded.multiplies_bf16(), "{rounded:?}");
    }
}

#[test]
fn sizes_that_do_not_fit_are_errors() {
    let runtime = &TWO_THREADS[0];
    let conv = Conv2d::new(runtime, &stored(&made_up(&[4, 3, 3, 3], 1)), None, 1, Padding::Same(1)).unwrap();
    assert!(conv.forward(&made_up(&[1, 4, 8, 8], 2)).is_err());
    assert!(conv.forward_add(&made_up(&[1, 3, 8, 8], 2), &made_up(&[1, 4, 8, 7], 2)).is_err());
    assert!(
        Linear::new(runtime, &stored(&made_up(&[4, 3], 1)), None)
            .unwrap()
            .forward(&made_up(&[2, 4], 2))
            .is_err()
    );
    assert!(GroupNorm::new(runtime, &made_up(&[6], 1), &made_up(&[6], 1), 4, 1e-5).is_err());
    let norm = GroupNorm::new(runtime, &made_up(&[6], 1), &made_up(&[6], 1), 2, 1e-5).unwrap();
    let of_two = norm.statistics(&made_up(&[2, 6, 3, 3], 2)).unwrap();
    assert!(NormSilu::new(&norm, Some(&of_two)).forward(&made_up(&[1, 6, 3, 3], 2)).is_err());
    let (norm, [a, b], feed_forward) = after_a_norm(runtime, DType::F32, 6, [6, 4], 32);
    assert!(normed_linears(runtime, &made_up(&[1, 2, 5], 1), &norm, [&a]).is_err());
    assert!(normed_linears(runtime, &made_up(&[1, 2, 4], 1), &norm, [&a, &b]).is_err());
    assert!(feed_forward.forward_add(&made_up(&[1, 2, 5], 1)).is_err());
    assert!(GatedFeedForward::new(runtime, norm, a, b).is_err());
    let q = made_up(&[1, 2, 6], 1);
    assert!(attention(runtime, [&q, &q, &q], 4, Mask::None).is_err());
}
