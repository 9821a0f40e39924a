//! The operations of transformers against their definitions in f64, on every instruction set of the machine.

use safelight::networks::backend::{D, DType, Device, Result, Tensor};
use safelight::networks::ops::{
    Modulation, RelativeBias, RmsNorm, RotaryEmbedding, RotaryPairs, add_scaled,
    attention_with_relative_bias, gelu_tanh_gated, silu_gated,
};
use safelight::networks::{Isa, KernelContext, Precision, Runtime};

use super::{made_up, wide};

/// Compares what the kernels give on every instruction set, and what candle's operations give in bf16 on a runtime that
/// has no kernels, with a result in f64.
fn agree(expected: &Tensor, run: impl Fn(&Runtime, &dyn Fn(&Tensor) -> Tensor) -> Result<Tensor>) {
    let kernels =
        |isa| Runtime::new(Device::Cpu, DType::F32, KernelContext::new(isa, Precision::Full, Some(2)));
    let native = Isa::available().into_iter().map(|isa| (kernels(isa), 1e-5));
    let candle =
        Runtime::new(Device::Cpu, DType::BF16, KernelContext::new(Isa::widest(), Precision::Full, Some(1)));
    for (runtime, tolerance) in native.chain([(candle, 2e-2)]) {
        let cast = |x: &Tensor| x.to_dtype(runtime.dtype()).unwrap();
        let found = run(&runtime, &cast).unwrap();
        assert_eq!(found.dims(), expected.dims());
        let values = |x: &Tensor| wide(x).to_values::<f64>().unwrap();
        let (found, expected) = (values(&found), values(expected));
        let error: f64 = found.iter().zip(&expected).map(|(a, b)| (a - b).powi(2)).sum();
        let size: f64 = expected.iter().map(|b| b * b).sum();
        let relative = (error / size).sqrt();
        assert!(relative < tolerance, "{runtime:?}: {relative:e}");
    }
}

#[test]
fn root_mean_square_norms_agree() {
    for (tokens, heads, width) in [(1, 1, 1), (7, 3, 8), (300, 2, 128), (60, 1, 700)] {
        let (x, weight) = (made_up(&[1, tokens, heads * width], 1), made_up(&[width], 2));
        let rows = wide(&x).reshape((tokens * heads, width)).unwrap();
        let mean = rows.sqr().unwrap().mean_keepdim(1).unwrap();
        let normed = rows.broadcast_div(&(mean + 1e-6).unwrap().sqrt().unwrap()).unwrap();
        let expected = normed.broadcast_mul(&wide(&weight)).unwrap().reshape(x.dims()).unwrap();
        agree(&expected, |runtime, cast| RmsNorm::new(runtime, &cast(&weight), 1e-6)?.forward(&cast(&x)));
    }
}

#[test]
fn rotations_agree() {
    for (tokens, heads, half) in [(1, 1, 1), (9, 2, 4), (257, 3, 64)] {
        let x = made_up(&[1, tokens, 2 * half * heads], 1);
        let angles: Vec<f64> = (0..tokens * half).map(|i| (i * i % 97) as f64 / 7.0).collect();
        let values = x.to_values::<f32>().unwrap();
        for pairs in [RotaryPairs::Neighbours, RotaryPairs::Halves] {
            let mut turned = vec![0.0; values.len()];
            for (token, head, i) in (0..tokens)
                .flat_map(|token| (0..heads).map(move |head| (token, head)))
                .flat_map(|(token, head)| (0..half).map(move |i| (token, head, i)))
            {
                let (sin, cos) = angles[token * half + i].sin_cos();
                let first = (token * heads + head) * 2 * half;
                let [a, b] = match pairs {
                    RotaryPairs::Neighbours => [2 * i, 2 * i + 1],
                    RotaryPairs::Halves => [i, i + half],
                }
                .map(|place| first + place);
                let [p, q] = [a, b].map(|place| f64::from(values[place]));
                (turned[a], turned[b]) = (p * cos - q * sin, q * cos + p * sin);
            }
            let expected = Tensor::from_vec(turned, x.dims(), &Device::Cpu).unwrap();
            agree(&expected, |runtime, cast| {
                RotaryEmbedding::new(runtime, &angles, half, pairs)?.forward(&cast(&x))
            });
        }
    }
}

/// Frequencies of each axis by itself, one axis' values after another's.
#[test]
fn positions_on_several_axes_turn_parts_of_a_head() {
    let runtime = &Runtime::processor(Some(1));
    let rotary = RotaryEmbedding::of_axes(runtime, &[[2.0, 3.0]], [2, 4], 100.0).unwrap();
    assert_eq!(rotary.tokens(), 1);
    let x = Tensor::from_vec(vec![1_f32, 0.0, 1.0, 0.0, 1.0, 0.0], (1, 1, 6), &Device::Cpu).unwrap();
    let found = rotary.forward(&x).unwrap().to_values::<f32>().unwrap();
    let angles = [2.0_f32, 3.0, 0.3];
    for (pair, angle) in found.chunks_exact(2).zip(angles) {
        assert!((pair[0] - angle.cos()).abs() < 1e-6 && (pair[1] - angle.sin()).abs() < 1e-6, "{found:?}");
    }
    assert!(RotaryEmbedding::of_axes(runtime, &[[2.0, 3.0]], [2, 3], 100.0).is_err());
    assert!(rotary.forward(&made_up(&[1, 2, 6], 1)).is_err());
}

#[test]
fn gates_agree() {
    for shape in [[2, 9], [3, 70], [200, 333]] {
        let (gates, values) = ((made_up(&shape, 1) * 6.0).unwrap(), made_up(&shape, 2));
        let expected = wide(&gates).silu().unwrap() * wide(&values);
        agree(&expected.unwrap(), |runtime, cast| silu_gated(runtime, &cast(&gates), &cast(&values)));
        let expected = wide(&gates).gelu().unwrap() * wide(&values);
        agree(&expected.unwrap(), |runtime, cast| gelu_tanh_gated(runtime, &cast(&gates), &cast(&values)));
    }
    let runtime = &Runtime::processor(Some(1));
    assert!(silu_gated(runtime, &made_up(&[2, 3], 1), &made_up(&[2, 4], 1)).is_err());
}

#[test]
fn modulated_norms_and_residuals_agree() {
    for (tokens, width) in [(1, 3), (9, 40), (150, 300)] {
        let (x, y) = (made_up(&[1, tokens, width], 1), made_up(&[1, tokens, width], 2));
        let row = made_up(&[1, 3 * width], 3);
        let vector =
            |number: usize| wide(&row).flatten_all().unwrap().narrow(0, number * width, width).unwrap();
        let centred = wide(&x).broadcast_sub(&wide(&x).mean_keepdim(D::Minus1).unwrap()).unwrap();
        let variance = centred.sqr().unwrap().mean_keepdim(D::Minus1).unwrap();
        let normed = centred.broadcast_div(&(variance + 1e-6).unwrap().sqrt().unwrap()).unwrap();
        let scaled = normed.broadcast_mul(&(vector(1) + 1.0).unwrap()).unwrap();
        let expected = scaled.broadcast_add(&vector(0)).unwrap();
        agree(&expected, |runtime, cast| {
            Modulation::new(runtime, &cast(&row), width)?.norm(0, 1, 1e-6)?.forward(&cast(&x))
        });
        let expected = wide(&x) + wide(&y).broadcast_mul(&vector(2)).unwrap();
        agree(&expected.unwrap(), |runtime, cast| {
            let modulation = Modulation::new(runtime, &cast(&row), width)?;
            add_scaled(runtime, &cast(&x), &modulation.vector(2)?, &cast(&y))
        });
    }
    let runtime = &Runtime::processor(Some(1));
    assert!(Modulation::new(runtime, &made_up(&[1, 7], 1), 3).is_err());
    assert!(add_scaled(runtime, &made_up(&[2, 3], 1), &made_up(&[2], 1), &made_up(&[2, 3], 1)).is_err());
}

#[test]
fn attention_with_biases_by_distance_agrees() {
    // One block of keys and one panel of queries, several, and parts of both.
    // All tokens are keys, or all but the last few.
    for (tokens, unseen, heads, head) in
        [(1, 0, 1, 4), (5, 2, 2, 8), (33, 0, 3, 7), (150, 1, 1, 16), (150, 149, 1, 8), (600, 0, 2, 12)]
    {
        let seen = tokens - unseen;
        let [q, k, v] = [1, 2, 3].map(|salt| made_up(&[1, tokens, heads * head], salt));
        // Larger for queries after their keys, so that the two are not confused.
        let bias = |of_head: usize, distance: isize| {
            (distance as f32 * 0.01).tanh() * (1.0 + of_head as f32) + if distance == 3 { 2.0 } else { 0.0 }
        };
        let split = |x: &Tensor| {
            let x = wide(x).reshape((tokens, heads, head)).unwrap();
            x.transpose(0, 1).unwrap().contiguous().unwrap()
        };
        let first = |x: &Tensor| split(x).narrow(1, 0, seen).unwrap().contiguous().unwrap();
        let scores = split(&q).matmul(&first(&k).transpose(1, 2).unwrap().contiguous().unwrap()).unwrap();
        let biases: Vec<f64> = (0..heads)
            .flat_map(|of_head| (0..tokens).map(move |query| (of_head, query)))
            .flat_map(|(of_head, query)| {
                (0..seen).map(move |key| f64::from(bias(of_head, query as isize - key as isize)))
            })
            .collect();
        let biases = Tensor::from_vec(biases, (heads, tokens, seen), &Device::Cpu).unwrap();
        let logits = (scores + biases).unwrap();
        let weights = Tensor::from(candle_nn::ops::softmax(logits.candle(), 2).unwrap());
        let out = weights.matmul(&first(&v)).unwrap().transpose(0, 1).unwrap();
        let expected = out.contiguous().unwrap().reshape((1, tokens, heads * head)).unwrap();
        agree(&expected, |runtime, cast| {
            let of_distance = RelativeBias::new(runtime, heads, tokens, seen, bias)?;
            attention_with_relative_bias(runtime, [&cast(&q), &cast(&k), &cast(&v)], &of_distance)
        });
        let q = made_up(&[1, tokens + 1, heads * head], 1);
        let runtime = &Runtime::processor(Some(1));
        let of_distance = RelativeBias::new(runtime, heads, tokens, seen, bias).unwrap();
        assert!(attention_with_relative_bias(runtime, [&q, &q, &q], &of_distance).is_err());
    }
}
