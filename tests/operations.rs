//! The fast f32 operations against candle's own, computed in f64, over many shapes.

use candle_core::{DType, Device, Tensor};
use proptest::prelude::*;
use safelight::networks::ops::{
    Conv2d, GroupNorm, LayerNorm, Linear, Mask, Padding, add, add_channels, attention, concat_channels,
    from_tokens, geglu, gelu, quick_gelu, silu, to_tokens,
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

/// Runs an operation in f32 (our kernel) and f64 (candle's) and compares.
fn agree(tolerance: f64, f32_result: &Tensor, f64_result: &Tensor) {
    assert_eq!(f32_result.dims(), f64_result.dims());
    let (found, expected) = (values(f32_result), values(f64_result));
    let error: f64 = found.iter().zip(&expected).map(|(a, b)| (a - b).powi(2)).sum();
    let size: f64 = expected.iter().map(|b| b * b).sum();
    assert!(error.sqrt() <= tolerance * size.sqrt() + 1e-12, "relative L2 {:e}", (error / size).sqrt());
}

/// f32 sums of a few thousand products.
const PRODUCT: f64 = 2e-6;
/// Winograd's transforms multiply by up to 8 and subtract.
const WINOGRAD: f64 = 2e-5;

fn convolution(b: usize, i: usize, o: usize, h: usize, w: usize, k: usize, stride: usize, padding: Padding) {
    let (weight, bias) = (made_up(&[o, i, k, k], 1), made_up(&[o], 2));
    let x = made_up(&[b, i, h, w], 3);
    let fast = Conv2d::new(&weight, Some(&bias), stride, padding).unwrap();
    let plain = Conv2d::new(&wide(&weight), Some(&wide(&bias)), stride, padding).unwrap();
    let out = fast.forward(&x).unwrap();
    agree(WINOGRAD, &out, &plain.forward(&wide(&x)).unwrap());
    let residual = made_up(out.dims(), 4);
    let with_residual = plain.forward_add(&wide(&x), &wide(&residual)).unwrap();
    agree(WINOGRAD, &fast.forward_add(&x, &residual).unwrap(), &with_residual);
    if k == 3 && stride == 1 {
        let upsampled = plain.forward_upsampled(&wide(&x)).unwrap();
        agree(WINOGRAD, &fast.forward_upsampled(&x).unwrap(), &upsampled);
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
        let fast = attention(&q, &k, &v, heads, mask).unwrap();
        agree(1e-5, &fast, &attention(&wide(&q), &wide(&k), &wide(&v), heads, mask).unwrap());
    }

    #[test]
    fn norms_agree(b in 1_usize..3, groups in 1_usize..9, each in 1_usize..9, h in 1_usize..40, w in 1_usize..40) {
        let c = groups * each;
        let (weight, bias, x) = (made_up(&[c], 1), made_up(&[c], 2), made_up(&[b, c, h, w], 3));
        let fast = GroupNorm::new(&weight, &bias, groups, 1e-5).unwrap();
        let plain = GroupNorm::new(&wide(&weight), &wide(&bias), groups, 1e-5).unwrap();
        agree(1e-5, &fast.forward(&x).unwrap(), &plain.forward(&wide(&x)).unwrap());
        agree(1e-5, &fast.forward_silu(&x).unwrap(), &plain.forward_silu(&wide(&x)).unwrap());
        let tokens = to_tokens(&x).unwrap();
        let fast = LayerNorm::new(&weight, &bias, 1e-5).unwrap();
        let plain = LayerNorm::new(&wide(&weight), &wide(&bias), 1e-5).unwrap();
        if c > 1 {
            agree(1e-5, &fast.forward(&tokens).unwrap(), &plain.forward(&wide(&tokens)).unwrap());
        }
    }

    #[test]
    fn linear_maps_and_activations_agree(n in 1_usize..70, i in 1_usize..70, o in 1_usize..70) {
        let (weight, bias, x) = (made_up(&[o, i], 1), made_up(&[o], 2), made_up(&[2, n, i], 3));
        let fast = Linear::new(&weight, Some(&bias)).unwrap();
        let plain = Linear::new(&wide(&weight), Some(&wide(&bias))).unwrap();
        let out = fast.forward(&x).unwrap();
        agree(PRODUCT, &out, &plain.forward(&wide(&x)).unwrap());
        let residual = made_up(out.dims(), 4);
        agree(PRODUCT, &fast.forward_add(&x, &residual).unwrap(), &plain.forward_add(&wide(&x), &wide(&residual)).unwrap());
        let x = (x * 6.0).unwrap();
        for f in [silu, gelu, quick_gelu] {
            agree(1e-6, &f(&x).unwrap(), &f(&wide(&x)).unwrap());
        }
        if i % 2 == 0 {
            agree(1e-6, &geglu(&x).unwrap(), &geglu(&wide(&x)).unwrap());
        }
    }

    #[test]
    fn feature_maps_are_joined_added_and_turned_into_tokens(
        b in 1_usize..3, c in 1_usize..20, h in 1_usize..9, w in 1_usize..9,
    ) {
        let (x, y) = (made_up(&[b, c, h, w], 1), made_up(&[b, c, h, w], 2));
        // The same values with channels-last memory.
        let last = x.permute((0, 2, 3, 1)).unwrap().contiguous().unwrap().permute((0, 3, 1, 2)).unwrap();
        agree(0.0, &concat_channels(&last, &y).unwrap(), &Tensor::cat(&[wide(&x), wide(&y)], 1).unwrap());
        agree(1e-7, &add(&last, &y).unwrap(), &(wide(&x) + wide(&y)).unwrap());
        let vector = made_up(&[b, c], 5);
        let expected = wide(&x).broadcast_add(&wide(&vector).reshape((b, c, 1, 1)).unwrap()).unwrap();
        agree(1e-7, &add_channels(&last, &vector).unwrap(), &expected);
        agree(0.0, &from_tokens(&to_tokens(&last).unwrap(), h, w).unwrap(), &wide(&x));
    }
}

#[test]
fn large_sizes_agree_where_threads_share_the_work() {
    convolution(1, 64, 48, 40, 56, 3, 1, Padding::Same(1));
    convolution(1, 33, 17, 61, 47, 3, 1, Padding::Same(1));
    let (q, k) = (made_up(&[1, 1000, 80], 1), made_up(&[1, 777, 80], 2));
    let fast = attention(&q, &k, &k, 2, Mask::None).unwrap();
    agree(1e-5, &fast, &attention(&wide(&q), &wide(&k), &wide(&k), 2, Mask::None).unwrap());
}

#[test]
fn sizes_that_do_not_fit_are_errors() {
    let conv = Conv2d::new(&made_up(&[4, 3, 3, 3], 1), None, 1, Padding::Same(1)).unwrap();
    assert!(conv.forward(&made_up(&[1, 4, 8, 8], 2)).is_err());
    assert!(Linear::new(&made_up(&[4, 3], 1), None).unwrap().forward(&made_up(&[2, 4], 2)).is_err());
    assert!(GroupNorm::new(&made_up(&[6], 1), &made_up(&[6], 1), 4, 1e-5).is_err());
    let q = made_up(&[1, 2, 6], 1);
    assert!(attention(&q, &q, &q, 4, Mask::None).is_err());
}
