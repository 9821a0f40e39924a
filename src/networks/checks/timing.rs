//! How long the operations take that decide how long a step takes.

use std::time::{Duration, Instant};

use super::side::Side;
use super::{Limits, NumberFormat, Operation};
use crate::networks::Runtime;
use crate::networks::backend::{self, Result, Tensor};
use crate::networks::ops::{Conv2d, Linear, Mask, Padding, attention};

/// The time of an operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Timing {
    /// The operation.
    pub operation: Operation,
    /// Sizes, English.
    pub shape: &'static str,
    /// The median, seconds.
    pub secs: f64,
    /// Multiplications and additions a second, 10⁹.
    pub gflops: f64,
}

/// Time that the repetitions of one operation take together.
const REPEATED_FOR: Duration = Duration::from_millis(400);
/// Most repetitions.
const REPETITIONS: usize = 20;

/// Times a convolution, an attention and a linear layer of Stable Diffusion 1's UNet at 512² pixels, in the format of
/// the runtime's activations.
///
/// # Errors
/// The device's.
pub fn time_operations(runtime: &Runtime, format: NumberFormat, limits: Limits<'_>) -> Result<Vec<Timing>> {
    let side = Side { runtime, format };
    let mut timings = Vec::new();
    let mut time = |operation, shape, products: u64, run: &mut (dyn FnMut() -> Result<Tensor> + Send)| {
        if limits.are_reached() {
            return Ok(());
        }
        let secs = median_secs(runtime, run)?;
        timings.push(Timing { operation, shape, secs, gflops: 2.0 * products as f64 / secs / 1e9 });
        Ok::<(), backend::Error>(())
    };
    let x = side.feature_map([1, 320, 64, 64], 1)?;
    let weight = side.weight(&[320, 320, 3, 3], 2);
    let conv = Conv2d::new(runtime, &weight, Some(&side.bias(320, 3)), 1, Padding::Same(1))?;
    let products = 320 * 320 * 9 * 64 * 64;
    time(Operation::Convolution, "3×3, 320 → 320 channels, 64×64", products, &mut || conv.forward(&x))?;
    let q = side.tensor(&[1, 4096, 320], 4)?;
    let products = 2 * 4096 * 4096 * 320;
    time(Operation::Attention, "8 heads of 40, 4096 tokens", products, &mut || {
        attention(runtime, [&q, &q, &q], 8, Mask::None)
    })?;
    let layer = Linear::new(runtime, &side.weight(&[2560, 320], 5), Some(&side.bias(2560, 6)))?;
    let products = 4096 * 320 * 2560;
    time(Operation::Linear, "320 → 2560, 4096 tokens", products, &mut || layer.forward(&q))?;
    Ok(timings)
}

fn median_secs(runtime: &Runtime, run: &mut (dyn FnMut() -> Result<Tensor> + Send)) -> Result<f64> {
    let mut timed = || {
        let begun = Instant::now();
        let out = runtime.run(&mut *run)?;
        runtime.synchronize()?;
        drop(out);
        Ok::<f64, backend::Error>(begun.elapsed().as_secs_f64())
    };
    // The first time kernels are compiled, and memory is allocated.
    timed()?;
    let begun = Instant::now();
    let mut secs = vec![timed()?];
    while begun.elapsed() < REPEATED_FOR && secs.len() < REPETITIONS {
        secs.push(timed()?);
    }
    secs.sort_by(f64::total_cmp);
    Ok(secs[secs.len() / 2])
}
