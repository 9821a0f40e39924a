//! The fast f32 operations against candle's own, computed in f64, over many shapes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::{Mutex, PoisonError};

use candle_core::{DType, Device, Result, Tensor};
use proptest::prelude::*;
use safelight::networks::ops::{
    Added, Conv2d, GatedFeedForward, GroupNorm, LayerNorm, Level, Linear, Mask, NormSilu, Padding, attention,
    concat_channels, for_pictures, from_tokens, geglu, gelu, gelu_tanh, in_bands, limit, normed_linears,
    quick_gelu, silu, threads, to_tokens,
};

/// Values in −1..1 that depend on shape and salt only.
fn made_up(shape: &[usize], salt: u32) -> Tensor {
    let mut state = salt.wrapping_mul(2_654_435_761).wrapping_add(1);
    let values: Vec<f32> = (0..shape.iter().product::<usize>())
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        })
        .collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

fn wide(x: &Tensor) -> Tensor {
    x.to_dtype(DType::F64).unwrap()
}

fn values(x: &Tensor) -> Vec<f64> {
    wide(x).contiguous().unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// Held while the instruction set is limited, which all threads see.
static LEVEL: Mutex<()> = Mutex::new(());

/// Runs `test` with so many threads, whatever the machine: what is shared, and in what bands, depends on it.
fn with_threads(count: usize, test: impl FnOnce()) {
    static COUNT: Mutex<()> = Mutex::new(());
    let _guard = COUNT.lock().unwrap_or_else(PoisonError::into_inner);
    threads::set_count(Some(count));
    test();
    threads::set_count(None);
}

/// Compares our kernel's f32 result, on each instruction set of this processor, with candle's in f64.
fn agree(tolerance: f64, fast: impl Fn() -> Result<Tensor>, f64_result: Result<Tensor>) {
    let f64_result = f64_result.unwrap();
    let expected = values(&f64_result);
    let size: f64 = expected.iter().map(|b| b * b).sum();
    for level in Level::available() {
        let guard = LEVEL.lock().unwrap_or_else(PoisonError::into_inner);
        limit(Some(level));
        let f32_result = fast().unwrap();
        limit(None);
        drop(guard);
        assert_eq!(f32_result.dims(), f64_result.dims());
        let found = values(&f32_result);
        let error: f64 = found.iter().zip(&expected).map(|(a, b)| (a - b).powi(2)).sum();
        let tolerance = if level.splits_values() { tolerance.max(SPLIT) } else { tolerance };
        let close = error.sqrt() <= tolerance * size.sqrt() + 1e-12;
        assert!(close, "relative L2 {:e} with {level:?}", (error / size).sqrt());
    }
}

/// f32 sums of a few thousand products.
const PRODUCT: f64 = 2e-6;
/// f32 values of which products see 16 bits of mantissa.
const SPLIT: f64 = 1e-5;
/// Winograd's transforms multiply by up to 8 and subtract.
const WINOGRAD: f64 = 2e-5;

fn convolution(b: usize, i: usize, o: usize, h: usize, w: usize, k: usize, stride: usize, padding: Padding) {
    let (weight, bias) = (made_up(&[o, i, k, k], 1), made_up(&[o], 2));
    let x = made_up(&[b, i, h, w], 3);
    let fast = Conv2d::new(&weight, Some(&bias), stride, padding).unwrap();
    let plain = Conv2d::new(&wide(&weight), Some(&wide(&bias)), stride, padding).unwrap();
    let out = fast.forward(&x).unwrap();
    agree(WINOGRAD, || fast.forward(&x), plain.forward(&wide(&x)));
    let residual = made_up(out.dims(), 4);
    let with_residual = plain.forward_add(&wide(&x), &wide(&residual));
    agree(WINOGRAD, || fast.forward_add(&x, &residual), with_residual);
    if k == 3 && stride == 1 {
        agree(WINOGRAD, || fast.forward_upsampled(&x), plain.forward_upsampled(&wide(&x)));
    }
    let (scale, shift) = (made_up(&[i], 5), made_up(&[i], 6));
    let norm = GroupNorm::new(&scale, &shift, 1, 1e-5).unwrap();
    let plain_norm = GroupNorm::new(&wide(&scale), &wide(&shift), 1, 1e-5).unwrap();
    let vector = made_up(&[1, o], 7);
    let (wide_residual, wide_vector) = (wide(&residual), wide(&vector));
    for (added, wide_added) in [
        (Added::Nothing, Added::Nothing),
        (Added::Residual(&residual), Added::Residual(&wide_residual)),
        (Added::Channels(&vector), Added::Channels(&wide_vector)),
    ] {
        let plain = plain.forward_normed(&wide(&x), NormSilu::new(&plain_norm, None), wide_added);
        agree(WINOGRAD, || fast.forward_normed(&x, NormSilu::new(&norm, None), added), plain);
    }
    let too_long = made_up(&[1, o + 1], 7);
    let error = fast.forward_normed(&x, NormSilu::new(&norm, None), Added::Channels(&too_long)).unwrap_err();
    assert!(error.to_string().contains(&format!("does not go with {o} channels")), "{error}");
    // Weights of 16 bits are those numbers and no others.
    for dtype in [DType::F16, DType::BF16] {
        let stored = weight.to_dtype(dtype).unwrap();
        let fast = Conv2d::new(&stored, None, stride, padding).unwrap();
        let plain = Conv2d::new(&wide(&stored), None, stride, padding).unwrap();
        agree(WINOGRAD, || fast.forward(&x), plain.forward(&wide(&x)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn convolutions_agree(
        b in 1_usize..3, i in 1_usize..40, o in 1_usize..40, h in 1_usize..21, w in 1_usize..21, kind in 0..4,
    ) {
        match kind {
            0 => convolution(b, i, o, h, w, 3, 1, Padding::Same(1)),
            1 => convolution(b, i, o, h, w, 1, 1, Padding::Same(0)),
            2 => convolution(b, i, o, h, w, 3, 2, Padding::Same(1)),
            _ => convolution(b, i, o, h + 1, w + 1, 3, 2, Padding::BottomRight),
        }
    }

    #[test]
    fn attention_agrees(
        b in 1_usize..3, n in 1_usize..150, m in 1_usize..90, heads in 1_usize..4, d in 1_usize..41, causal in any::<bool>(),
    ) {
        let (m, mask) = if causal { (n, Mask::Causal) } else { (m, Mask::None) };
        let width = heads * d;
        let (q, k, v) = (made_up(&[b, n, width], 1), made_up(&[b, m, width], 2), made_up(&[b, m, width], 3));
        let plain = attention(&wide(&q), &wide(&k), &wide(&v), heads, mask);
        agree(1e-5, || attention(&q, &k, &v, heads, mask), plain);
    }

    #[test]
    fn norms_agree(b in 1_usize..3, groups in 1_usize..9, each in 1_usize..9, h in 1_usize..40, w in 1_usize..40) {
        let c = groups * each;
        let (weight, bias, x) = (made_up(&[c], 1), made_up(&[c], 2), made_up(&[b, c, h, w], 3));
        let fast = GroupNorm::new(&weight, &bias, groups, 1e-5).unwrap();
        let plain = GroupNorm::new(&wide(&weight), &wide(&bias), groups, 1e-5).unwrap();
        agree(1e-5, || fast.forward(&x), plain.forward(&wide(&x)));
        let silu_of = |norm: &GroupNorm, x: &Tensor| NormSilu::new(norm, None).forward(x);
        agree(1e-5, || silu_of(&fast, &x), silu_of(&plain, &wide(&x)));
        // Statistics from two parts, of the map itself and of another one.
        let rows = h.div_ceil(2);
        let gathered = |norm: &GroupNorm, x: &Tensor| {
            let mut statistics = norm.statistics(&x.narrow(2, 0, rows)?)?;
            if rows < h {
                statistics.merge(&norm.statistics(&x.narrow(2, rows, h - rows)?)?);
            }
            Ok(statistics)
        };
        let given = || NormSilu::new(&fast, Some(&gathered(&fast, &x)?)).forward(&x);
        agree(1e-5, given, silu_of(&plain, &wide(&x)));
        let other = (made_up(&[b, c, h, w], 4) * 3.0).unwrap();
        // A handful of values may have hardly any variance, which makes rounding large.
        if each * h * w > 8 {
            let wanted = gathered(&plain, &wide(&other));
            let wanted = wanted.and_then(|s| NormSilu::new(&plain, Some(&s)).forward(&wide(&x)));
            agree(1e-5, || NormSilu::new(&fast, Some(&gathered(&fast, &other)?)).forward(&x), wanted);
        }
        let tokens = to_tokens(&x).unwrap();
        let fast = LayerNorm::new(&weight, &bias, 1e-5).unwrap();
        let plain = LayerNorm::new(&wide(&weight), &wide(&bias), 1e-5).unwrap();
        if c > 1 {
            agree(1e-5, || fast.forward(&tokens), plain.forward(&wide(&tokens)));
        }
    }

    #[test]
    fn linear_maps_and_activations_agree(n in 1_usize..70, i in 1_usize..70, o in 1_usize..70) {
        let (weight, bias, x) = (made_up(&[o, i], 1), made_up(&[o], 2), made_up(&[2, n, i], 3));
        let fast = Linear::new(&weight, Some(&bias)).unwrap();
        let plain = Linear::new(&wide(&weight), Some(&wide(&bias))).unwrap();
        let out = fast.forward(&x).unwrap();
        agree(PRODUCT, || fast.forward(&x), plain.forward(&wide(&x)));
        let residual = made_up(out.dims(), 4);
        let with_residual = plain.forward_add(&wide(&x), &wide(&residual));
        agree(PRODUCT, || fast.forward_add(&x, &residual), with_residual);
        for dtype in [DType::F16, DType::BF16] {
            let stored = weight.to_dtype(dtype).unwrap();
            let (fast, plain) = (Linear::new(&stored, None).unwrap(), Linear::new(&wide(&stored), None).unwrap());
            agree(PRODUCT, || fast.forward(&x), plain.forward(&wide(&x)));
        }
        let x = (x * 6.0).unwrap();
        for f in [silu, gelu, gelu_tanh, quick_gelu] {
            agree(1e-6, || f(&x), f(&wide(&x)));
        }
        if i % 2 == 0 {
            agree(1e-6, || geglu(&x), geglu(&wide(&x)));
        }
    }

    #[test]
    fn feature_maps_are_joined_and_turned_into_tokens(
        b in 1_usize..3, c in 1_usize..20, h in 1_usize..9, w in 1_usize..9,
    ) {
        let (x, y) = (made_up(&[b, c, h, w], 1), made_up(&[b, c, h, w], 2));
        // The same values with channels-last memory.
        let last = x.permute((0, 2, 3, 1)).unwrap().contiguous().unwrap().permute((0, 3, 1, 2)).unwrap();
        agree(0.0, || concat_channels(&last, &y), Tensor::cat(&[wide(&x), wide(&y)], 1));
        agree(0.0, || from_tokens(&to_tokens(&last)?, h, w), Ok(wide(&x)));
        let first = last.narrow(0, 0, 1).unwrap();
        let thrice = wide(&first).broadcast_as((3, c, h, w)).unwrap();
        agree(0.0, || for_pictures(&first, 3), Ok(thrice.clone()));
        agree(0.0, || for_pictures(&to_tokens(&first)?, 3), to_tokens(&thrice));
        agree(0.0, || for_pictures(&last, b), Ok(wide(&x)));
        if b > 1 {
            assert!(for_pictures(&last, 3).is_err());
        }
    }
}

#[test]
fn large_sizes_agree_where_threads_share_the_work() {
    convolution(1, 64, 48, 40, 56, 3, 1, Padding::Same(1));
    convolution(1, 33, 17, 61, 47, 3, 1, Padding::Same(1));
    // Several panels, two pictures in a block, and pieces of input channels.
    convolution(2, 770, 70, 9, 6, 3, 1, Padding::Same(1));
    let (q, k) = (made_up(&[1, 1000, 80], 1), made_up(&[1, 777, 80], 2));
    let plain = attention(&wide(&q), &wide(&k), &wide(&k), 2, Mask::None);
    agree(1e-5, || attention(&q, &k, &k, 2, Mask::None), plain);
    // More keys than one tile holds, seen little by little.
    let q = made_up(&[1, 1100, 24], 4);
    let plain = attention(&wide(&q), &wide(&q), &wide(&q), 1, Mask::Causal);
    agree(1e-5, || attention(&q, &q, &q, 1, Mask::Causal), plain);
    // Products deeper and wider than one block of the caches.
    let (weight, x) = (made_up(&[75, 700], 1), made_up(&[410, 700], 2));
    let plain = Linear::new(&wide(&weight), None).unwrap();
    let fast = Linear::new(&weight, None).unwrap();
    agree(PRODUCT, || fast.forward(&x), plain.forward(&wide(&x)));
    convolution(2, 200, 33, 7, 9, 3, 2, Padding::Same(1));
    // Rows and lines enough that tile registers take them in several blocks and bands.
    let x = made_up(&[1300, 700], 5);
    let residual = made_up(&[1300, 75], 6);
    let with_residual = plain.forward_add(&wide(&x), &wide(&residual));
    agree(PRODUCT, || fast.forward_add(&x, &residual), with_residual);
    convolution(1, 96, 12, 100, 130, 3, 1, Padding::Same(1));
    convolution(2, 64, 20, 160, 160, 3, 2, Padding::BottomRight);
}

#[test]
fn attention_agrees_where_scores_are_too_large_for_powers_of_two() {
    // The first head's scores are small; those of the second reach ±200, and grow from one tile of keys to the next.
    let heads = |salt| {
        let large = (made_up(&[1, 600, 32], salt) * 12.0).unwrap();
        let rising = Tensor::arange(0.0_f32, 600.0, &Device::Cpu).unwrap().reshape((1, 600, 1)).unwrap();
        let large = large.broadcast_mul(&(rising / 600.0).unwrap()).unwrap();
        Tensor::cat(&[&made_up(&[1, 600, 32], salt + 1), &large], 2).unwrap()
    };
    let (q, k, v) = (heads(1), heads(3), made_up(&[1, 600, 64], 5));
    for mask in [Mask::None, Mask::Causal] {
        let plain = attention(&wide(&q), &wide(&k), &wide(&v), 2, mask);
        // An error of a score, 1e-5 of it where values are split, is one of its weight.
        agree(2e-3, || attention(&q, &k, &v, 2, mask), plain);
    }
}

#[test]
fn small_pictures_agree_where_one_thread_takes_several_at_once() {
    with_threads(1, || {
        convolution(3, 40, 12, 9, 10, 3, 1, Padding::Same(1));
        convolution(5, 64, 40, 17, 16, 3, 2, Padding::BottomRight);
        // Two of three.
        convolution(3, 256, 16, 36, 36, 3, 1, Padding::Same(1));
    });
}

/// What follows a norm of `width`, from f32 or f64 weights: maps to `outputs`, and a feed-forward of `hidden`.
fn after_a_norm(
    dtype: DType,
    width: usize,
    outputs: [usize; 2],
    hidden: usize,
) -> (LayerNorm, [Linear; 2], GatedFeedForward) {
    let of = |shape: &[usize], salt| made_up(shape, salt).to_dtype(dtype).unwrap();
    let norm = || LayerNorm::new(&of(&[width], 1), &of(&[width], 2), 1e-5).unwrap();
    let linear = |inputs: usize, outputs: usize, salt| {
        Linear::new(&of(&[outputs, inputs], salt), Some(&of(&[outputs], salt + 1))).unwrap()
    };
    let feed_forward = GatedFeedForward::new(norm(), linear(width, 2 * hidden, 3), linear(hidden, width, 5));
    (norm(), [linear(width, outputs[0], 7), linear(width, outputs[1], 9)], feed_forward.unwrap())
}

#[test]
fn what_follows_a_norm_agrees() {
    // One band and several, with a rest; widths of no whole pair, step or panel; hidden rows of several parts and of
    // one; too few rows for two threads, which take another way.
    for (rows, width, outputs, hidden) in [
        (1, 8, [5, 40], 32),
        (70, 33, [33, 7], 64),
        (450, 48, [48, 70], 192),
        (1000, 40, [8, 1], 160),
        (1200, 320, [320, 64], 128),
        (129, 24, [24, 24], 50),
    ] {
        let (norm, [a, b], feed_forward) = after_a_norm(DType::F32, width, outputs, hidden);
        let (wide_norm, [wide_a, wide_b], wide_feed_forward) =
            after_a_norm(DType::F64, width, outputs, hidden);
        let x = made_up(&[1, rows, width], 11);
        let normed = wide_norm.forward(&wide(&x)).unwrap();
        // On the pool, as networks run.
        let both = || threads::run(|| normed_linears(&x, &norm, [&a, &b]));
        agree(PRODUCT, || Ok(both()?[0].clone()), wide_a.forward(&normed));
        agree(PRODUCT, || Ok(both()?[1].clone()), wide_b.forward(&normed));
        let plain = wide_feed_forward.forward_add(&wide(&x));
        agree(PRODUCT, || threads::run(|| feed_forward.forward_add(&x)), plain);
    }
}

#[test]
fn bands_of_rows_make_the_whole() {
    // One band, several of each picture, and fewer than two for each thread, which are not made.
    for (batch, rows) in [(1, 7), (2, 700), (3, 512), (1, 300)] {
        let (x, more) = (made_up(&[batch, rows, 24], 1), made_up(&[batch, rows, 10], 2));
        let of_picture = made_up(&[batch, 1, 10], 3);
        let weight = made_up(&[10, 24], 4);
        let work = |linear: &Linear, x: &Tensor, more: &Tensor, of_picture: &Tensor| {
            linear.forward_add(x, more)?.broadcast_add(of_picture)
        };
        let fast = Linear::new(&weight, None).unwrap();
        let bands = || {
            in_bands([&x, &more], 10, |pictures, [x, more]| {
                work(&fast, &x, &more, &of_picture.narrow(0, pictures.start, pictures.len())?)
            })
        };
        let plain = Linear::new(&wide(&weight), None).unwrap();
        let whole = || work(&plain, &wide(&x), &wide(&more), &wide(&of_picture));
        for threads in [1, 2, 64] {
            with_threads(threads, || agree(PRODUCT, bands, whole()));
        }
    }
}

#[test]
fn sizes_that_do_not_fit_are_errors() {
    let conv = Conv2d::new(&made_up(&[4, 3, 3, 3], 1), None, 1, Padding::Same(1)).unwrap();
    assert!(conv.forward(&made_up(&[1, 4, 8, 8], 2)).is_err());
    assert!(conv.forward_add(&made_up(&[1, 3, 8, 8], 2), &made_up(&[1, 4, 8, 7], 2)).is_err());
    assert!(Linear::new(&made_up(&[4, 3], 1), None).unwrap().forward(&made_up(&[2, 4], 2)).is_err());
    assert!(GroupNorm::new(&made_up(&[6], 1), &made_up(&[6], 1), 4, 1e-5).is_err());
    let norm = GroupNorm::new(&made_up(&[6], 1), &made_up(&[6], 1), 2, 1e-5).unwrap();
    let of_two = norm.statistics(&made_up(&[2, 6, 3, 3], 2)).unwrap();
    assert!(NormSilu::new(&norm, Some(&of_two)).forward(&made_up(&[1, 6, 3, 3], 2)).is_err());
    let (norm, [a, b], feed_forward) = after_a_norm(DType::F32, 6, [6, 4], 32);
    assert!(normed_linears(&made_up(&[1, 2, 5], 1), &norm, [&a]).is_err());
    assert!(normed_linears(&made_up(&[1, 2, 4], 1), &norm, [&a, &b]).is_err());
    assert!(feed_forward.forward_add(&made_up(&[1, 2, 5], 1)).is_err());
    assert!(GatedFeedForward::new(norm, a, b).is_err());
    let x = made_up(&[2, 600, 3], 1);
    assert!(in_bands([&x, &made_up(&[2, 599, 3], 1)], 3, |_, [x, _]| Ok(x)).is_err());
    for threads in [1, 64] {
        with_threads(threads, || {
            assert!(in_bands([&x], 4, |_, [x]| Ok(x)).is_err());
            assert!(in_bands([&x], 0, |_, [x]| Ok(x)).is_err());
        });
    }
    let failing =
        in_bands([&x], 3, |pictures, [x]| if pictures.contains(&1) { x.narrow(1, 600, 1) } else { Ok(x) });
    assert!(failing.is_err());
    let q = made_up(&[1, 2, 6], 1);
    assert!(attention(&q, &q, &q, 4, Mask::None).is_err());
}
