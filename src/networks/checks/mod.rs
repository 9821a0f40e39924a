//! Checks of a device: every operation over the shapes of the supported families, against a reference.
//!
//! Both sides get the same made-up inputs, rounded to the number format that is checked. The reference of a GPU is the
//! processor with its kernels in f32, that of the processor's kernels is candle on the processor in f32.

mod attention;
mod convolutions;
mod matrices;
mod rows;
mod side;
mod timing;
mod tolerance;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use super::Runtime;
use super::ops::Operation;
use crate::networks::backend::{DType, Device, Error, Result, Tensor};
use crate::request::CancelToken;

use side::Side;
pub use timing::{Timing, time_operations};
pub use tolerance::relative_errors;
use tolerance::{Sums, tolerance};

/// The shapes that are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shapes {
    /// Every operation on small shapes.
    Small,
    /// Shapes of the size that the families use, and the weight formats that are rare.
    Large,
}

/// The number format that a device computes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NumberFormat {
    /// 32-bit floating point.
    F32,
    /// IEEE half precision.
    F16,
    /// bfloat16. On the processor: matrix products of bf16 operands.
    Bf16,
}

impl NumberFormat {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
        }
    }

    /// Half the distance of two neighbouring numbers, relative to them: the error of one rounding.
    pub fn rounding(self) -> f64 {
        match self {
            Self::F32 => 2.0_f64.powi(-24),
            Self::F16 => 2.0_f64.powi(-11),
            Self::Bf16 => 2.0_f64.powi(-8),
        }
    }
}

/// What became of a check.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Every value is the reference's, rounded to the format.
    Exact,
    /// The relative error is within the tolerance.
    Within(f64),
    /// The relative error is larger, or the result has another shape (infinity) or holds NaN.
    Wrong(f64),
    /// The device does not have the number format: what it said.
    Unsupported(String),
    /// The operation failed: what the device said.
    Failed(String),
}

/// A check and its outcome.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckedOperation {
    /// The operation.
    pub operation: Operation,
    /// Sizes and weights, English.
    pub shape: String,
    /// The number format.
    pub format: NumberFormat,
    /// Largest relative error, in the L2 norm, that is within tolerance.
    pub tolerance: f64,
    /// What became of it.
    pub outcome: Outcome,
}

/// When checks end before they are through.
#[derive(Clone, Copy)]
pub struct Limits<'a> {
    /// Checks that have not begun by then are left out.
    pub until: Option<Instant>,
    /// Stops them.
    pub cancel: &'a CancelToken,
}

impl Limits<'_> {
    /// Whether time is up, or the checks were stopped.
    pub fn are_reached(self) -> bool {
        self.cancel.is_stopped() || self.until.is_some_and(|until| Instant::now() >= until)
    }
}

/// An operation on a shape.
struct Case {
    operation: Operation,
    shape: String,
    sums: Sums,
    shapes: Shapes,
    run: Box<Computation>,
}

type Computation = dyn Fn(&Side<'_>) -> Result<Tensor> + Send + Sync;

impl Case {
    fn new(
        operation: Operation,
        shape: impl Into<String>,
        sums: Sums,
        run: impl Fn(&Side<'_>) -> Result<Tensor> + Send + Sync + 'static,
    ) -> Self {
        Self { operation, shape: shape.into(), sums, shapes: Shapes::Small, run: Box::new(run) }
    }

    /// A case of the large shapes.
    fn large(self) -> Self {
        Self { shapes: Shapes::Large, ..self }
    }
}

fn cases(shapes: Shapes) -> Vec<Case> {
    let all = [convolutions::cases(), attention::cases(), matrices::cases(), rows::cases()];
    all.into_iter().flatten().filter(|case| case.shapes == shapes).collect()
}

/// Checks every operation in each format; `each` gets the outcomes as they come. Ends with the first operation that
/// fails, as a device that is lost fails in all; a format that the device does not have is left alone from then on.
/// The result is the number of checks that were left out for other reasons.
pub fn check_operations(
    reference: &Runtime,
    device: &[(NumberFormat, Runtime)],
    shapes: Shapes,
    limits: Limits<'_>,
    each: &mut dyn FnMut(CheckedOperation),
) -> usize {
    let cases = cases(shapes);
    let all = cases.len() * device.len();
    let mut done = 0;
    let mut unsupported = Vec::new();
    for case in &cases {
        for (format, runtime) in device {
            if limits.are_reached() {
                return all - done;
            }
            done += 1;
            if unsupported.contains(format) {
                continue;
            }
            let checked = check(case, reference, runtime, *format);
            match checked.outcome {
                Outcome::Unsupported(_) => unsupported.push(*format),
                Outcome::Failed(_) => {
                    each(checked);
                    return all - done;
                }
                _ => {}
            }
            each(checked);
        }
    }
    0
}

fn check(case: &Case, reference: &Runtime, device: &Runtime, format: NumberFormat) -> CheckedOperation {
    let tolerance = tolerance(case.sums, format);
    let outcome = match compute(case, device, format) {
        Err(outcome) => outcome,
        Ok(found) => match compute(case, reference, format) {
            Err(outcome) => outcome,
            Ok(expected) => compare(&found, &expected, tolerance),
        },
    };
    let Case { operation, shape, .. } = case;
    CheckedOperation { operation: *operation, shape: shape.clone(), format, tolerance, outcome }
}

/// The shape and the values of a result.
type Computed = (Vec<usize>, Vec<f32>);

/// Computes a case. A panic, which drivers' bindings answer some failures with, is an error.
fn compute(case: &Case, runtime: &Runtime, format: NumberFormat) -> std::result::Result<Computed, Outcome> {
    let side = Side { runtime, format };
    let run = || {
        let out = runtime.run(|| (case.run)(&side))?;
        let values = out.to_dtype(DType::F32)?.to_device(&Device::Cpu)?.to_values()?;
        Ok((out.dims().to_vec(), values))
    };
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(computed) => computed.map_err(|error| failure(&error, format)),
        Err(panic) => Err(Outcome::Failed(panic_words(&*panic))),
    }
}

/// The outcome of an error. GPUs without bf16 lack the kernels for it.
fn failure(error: &Error, format: NumberFormat) -> Outcome {
    let words = error.words();
    if error.is_of_missing_kernel() && format == NumberFormat::Bf16 {
        Outcome::Unsupported(words)
    } else {
        Outcome::Failed(words)
    }
}

/// What a panic said.
pub fn panic_words(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("its driver failed without a word")
        .to_owned()
}

fn compare((shape, found): &Computed, (wanted, expected): &Computed, tolerance: f64) -> Outcome {
    if shape != wanted {
        return Outcome::Wrong(f64::INFINITY);
    }
    if found == expected {
        return Outcome::Exact;
    }
    let [error, peak] = relative_errors(found, expected);
    // NaN is within nothing. One value that is far off hardly moves the norm of many.
    if error <= tolerance && peak <= tolerance::PEAK * tolerance {
        Outcome::Within(error)
    } else {
        Outcome::Wrong(error.max(peak / tolerance::PEAK))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_that_is_far_off_is_wrong() {
        let expected: Vec<f32> = (0..10_000).map(|i| (i % 7) as f32 - 3.0).collect();
        let of = |values: &[f32]| (vec![values.len()], values.to_vec());
        let compare = |found: &[f32]| compare(&of(found), &of(&expected), 1e-3);
        assert_eq!(compare(&expected), Outcome::Exact);
        let near: Vec<f32> = expected.iter().map(|value| value * 1.0005).collect();
        assert!(matches!(compare(&near), Outcome::Within(error) if (error - 5e-4).abs() < 1e-5));
        // In the norm, an error of 5e-4.
        let mut one_off = expected.clone();
        one_off[77] += 0.1;
        assert!(matches!(compare(&one_off), Outcome::Wrong(_)), "{:?}", compare(&one_off));
        one_off[77] = f32::NAN;
        assert!(matches!(compare(&one_off), Outcome::Wrong(_)));
        assert_eq!(compare(&expected[1..]), Outcome::Wrong(f64::INFINITY));
    }

    #[test]
    fn every_operation_has_a_small_case() {
        use Operation as Of;
        let small = cases(Shapes::Small);
        for operation in [
            Of::Convolution,
            Of::Attention,
            Of::RelativeAttention,
            Of::Linear,
            Of::GroupNorm,
            Of::LayerNorm,
            Of::RmsNorm,
            Of::Rotation,
            Of::Activation,
            Of::ScaledSum,
            Of::Layout,
            Of::Lookup,
        ] {
            assert!(small.iter().any(|case| case.operation == operation), "{operation}");
        }
    }
}
