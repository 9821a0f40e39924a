//! Products of bf16 matrices against candle's in f64. A program of its own, because the precision is
//! chosen for the whole program.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use candle_core::{DType, Device, Tensor};
use safelight::networks::ops::{
    Conv2d, GatedFeedForward, LayerNorm, Level, Linear, Mask, Padding, Precision, attention, limit,
    set_matrix_precision,
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

/// bf16 keeps eight bits: an error of 2⁻⁹ in each factor, and less in their sum.
const BF16: f64 = 1e-2;

#[test]
fn bf16_matrices_agree_roughly_where_the_processor_has_them() {
    set_matrix_precision(Precision::Bf16);
    for level in Level::available() {
        limit(Some(level));
        bf16_matrices_agree_roughly();
    }
}

fn bf16_matrices_agree_roughly() {
    let close = |found: Tensor, expected: Tensor| {
        let (found, expected) = (values(&found), values(&expected));
        let error: f64 = found.iter().zip(&expected).map(|(a, b)| (a - b).powi(2)).sum();
        let size: f64 = expected.iter().map(|b| b * b).sum();
        assert!(error.sqrt() <= BF16 * size.sqrt(), "relative L2 {:e}", (error / size).sqrt());
    };
    for (n, i, o) in [(1, 64, 70), (77, 130, 33), (400, 700, 40), (5, 3, 9)] {
        let (weight, x) = (made_up(&[o, i], 1), made_up(&[n, i], 2));
        let bias = made_up(&[o], 3);
        let plain = Linear::new(&wide(&weight), Some(&wide(&bias))).unwrap().forward(&wide(&x)).unwrap();
        close(Linear::new(&weight, Some(&bias)).unwrap().forward(&x).unwrap(), plain);
    }
    let linear = |dtype: DType, outputs: usize, inputs: usize, salt| {
        Linear::new(&made_up(&[outputs, inputs], salt).to_dtype(dtype).unwrap(), None).unwrap()
    };
    for (rows, width, hidden) in [(500, 40, 160), (90, 33, 64)] {
        let feed_forward = |dtype: DType| {
            let of_norm = |salt| made_up(&[width], salt).to_dtype(dtype).unwrap();
            let norm = LayerNorm::new(&of_norm(1), &of_norm(2), 1e-5).unwrap();
            let (expand, contract) = (linear(dtype, 2 * hidden, width, 3), linear(dtype, width, hidden, 4));
            GatedFeedForward::new(norm, expand, contract).unwrap()
        };
        let x = made_up(&[rows, width], 5);
        let plain = feed_forward(DType::F64).forward_add(&wide(&x)).unwrap();
        close(feed_forward(DType::F32).forward_add(&x).unwrap(), plain);
    }
    for (n, m, d, mask) in [
        (64, 48, 32, Mask::None),
        (9, 77, 40, Mask::None),
        (700, 1100, 40, Mask::None),
        (600, 600, 6, Mask::Causal),
    ] {
        let (q, k, v) = (made_up(&[2, n, 2 * d], 1), made_up(&[2, m, 2 * d], 2), made_up(&[2, m, 2 * d], 3));
        let plain = attention(&wide(&q), &wide(&k), &wide(&v), 2, mask).unwrap();
        close(attention(&q, &k, &v, 2, mask).unwrap(), plain);
    }
    let (weight, x) = (made_up(&[37, 32, 3, 3], 1), made_up(&[2, 32, 7, 5], 2));
    // The last picture has tiles enough for Winograd's way.
    for (x, stride) in [(&x, 2), (&x, 1), (&made_up(&[1, 32, 33, 30], 3), 1)] {
        let plain =
            Conv2d::new(&wide(&weight), None, stride, Padding::Same(1)).unwrap().forward(&wide(x)).unwrap();
        close(Conv2d::new(&weight, None, stride, Padding::Same(1)).unwrap().forward(x).unwrap(), plain);
    }
}
