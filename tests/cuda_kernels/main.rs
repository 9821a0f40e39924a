//! The kernels for NVIDIA's GPUs, run on the processor: each thread of a block is a fiber, and what a warp does as one is
//! computed for it (`warp.cuh`). A GPU's own arithmetic is compared by `device_parity` where there is one.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use half::{bf16, f16};

#[path = "../common/mod.rs"]
mod common;

use common::numbers::{made_up, relative_l2};

/// A number format of 16 bits: its name, its bits of a value and back, and how far results may be off.
struct Format {
    name: &'static str,
    bits: fn(f32) -> u16,
    value: fn(u16) -> f32,
    tolerance: f64,
}

/// Weights and results are rounded to 11 bits, or to 8.
const FORMATS: [Format; 2] = [
    Format {
        name: "f16",
        bits: |x| f16::from_f32(x).to_bits(),
        value: |bits| f16::from_bits(bits).to_f32(),
        tolerance: 5e-4,
    },
    Format {
        name: "bf16",
        bits: |x| bf16::from_f32(x).to_bits(),
        value: |bits| bf16::from_bits(bits).to_f32(),
        tolerance: 4e-3,
    },
];

#[derive(Clone, Copy, Debug)]
struct Shape {
    /// Of a head.
    width: usize,
    batch: usize,
    queries: usize,
    keys: usize,
    heads: usize,
}

const fn shape(width: usize, batch: usize, queries: usize, keys: usize, heads: usize) -> Shape {
    Shape { width, batch, queries, keys, heads }
}

/// Widths of each kernel, its own and narrower ones; one key, a tile and its neighbours; rows after the last block.
const SHAPES: [Shape; 10] = [
    shape(64, 1, 64, 64, 1),
    shape(40, 2, 70, 77, 2),
    shape(48, 1, 1, 65, 1),
    shape(64, 2, 100, 130, 2),
    shape(72, 1, 33, 63, 1),
    shape(80, 1, 17, 200, 2),
    shape(96, 1, 16, 1, 3),
    shape(128, 1, 129, 191, 2),
    shape(120, 2, 65, 128, 1),
    shape(8, 1, 3, 5, 2),
];

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Compiles the kernels for the processor.
fn compiled(into: &Path) -> PathBuf {
    let program = into.join("attention");
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".to_owned());
    let status = Command::new(&compiler)
        .args(["-std=c++17", "-O2", "-w", "-I"])
        .arg(folder("tests/cuda_kernels"))
        .arg("-I")
        .arg(folder("shaders/cuda"))
        .arg("-o")
        .args([&program, &folder("tests/cuda_kernels/attention.cpp")])
        .status()
        .unwrap_or_else(|error| panic!("{compiler}: {error}"));
    assert!(status.success(), "{compiler}: {status}");
    program
}

/// softmax(q·kᵀ / √D)·v in f64.
fn expected([q, k, v]: [&[f32]; 3], shape: Shape) -> Vec<f32> {
    let Shape { width, batch, queries, keys, heads } = shape;
    let at = |x: &[f32], row: usize, head: usize, i: usize| f64::from(x[(row * heads + head) * width + i]);
    let mut out = vec![0.0; batch * queries * heads * width];
    for row in 0..batch * queries {
        let rows = row / queries * keys..(row / queries + 1) * keys;
        for head in 0..heads {
            let logit = |key| -> f64 { (0..width).map(|i| at(q, row, head, i) * at(k, key, head, i)).sum() };
            let weights: Vec<f64> =
                rows.clone().map(|key| (logit(key) / (width as f64).sqrt()).exp()).collect();
            let sum: f64 = weights.iter().sum();
            for i in 0..width {
                let total: f64 =
                    weights.iter().zip(rows.clone()).map(|(w, key)| w * at(v, key, head, i)).sum();
                out[(row * heads + head) * width + i] = (total / sum) as f32;
            }
        }
    }
    out
}

/// What the kernel makes of these bits.
fn run(program: &Path, format: &str, shape: Shape, bits: &[Vec<u16>; 3]) -> Vec<u16> {
    let Shape { width, batch, queries, keys, heads } = shape;
    let mut child = Command::new(program)
        .arg(format)
        .args([width, batch, queries, keys, heads].map(|number| number.to_string()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Read whole before anything is written.
    let mut input = child.stdin.take().unwrap();
    for values in bits {
        input.write_all(bytemuck::cast_slice(values)).unwrap();
    }
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{format} {shape:?}: {}", output.status);
    output.stdout.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect()
}

#[test]
fn attention_in_one_pass_equals_attention() {
    let temporary = tempfile::tempdir().unwrap();
    let program = compiled(temporary.path());
    for (number, shape) in SHAPES.into_iter().enumerate() {
        let Shape { width, batch, queries, keys, heads } = shape;
        for format in &FORMATS {
            let rows = [queries, keys, keys];
            let salt = 10 * number as u32;
            let bits: [Vec<u16>; 3] = std::array::from_fn(|i| {
                // Logits that differ by several: the largest one changes from tile to tile.
                let spread = if i < 2 { 4.0 } else { 1.0 };
                let values = made_up(batch * rows[i] * heads * width, salt + i as u32);
                values.iter().map(|x| (format.bits)(x * spread)).collect()
            });
            let values =
                |bits: &[u16]| -> Vec<f32> { bits.iter().map(|bits| (format.value)(*bits)).collect() };
            let [q, k, v] = bits.each_ref().map(|bits| values(bits));
            let found = values(&run(&program, format.name, shape, &bits));
            let error = relative_l2(&found, &expected([&q, &k, &v], shape));
            assert!(error < format.tolerance, "{} {shape:?}: relative L2 {error:e}", format.name);
        }
    }
}
