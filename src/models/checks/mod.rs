//! The check of a device: every operation, then the networks of the built-in model, and a verdict.

mod builtin;
mod report;

use std::time::{Duration, Instant};

use super::devices::{DeviceSource, Devices};
use super::{ModelError, ModelSettings};
use crate::networks::backend;
use crate::networks::checks::{
    CheckedOperation, Limits, NumberFormat, Outcome, Shapes, check_operations, time_operations,
};
use crate::networks::{ComputeDevice, Isa, KernelContext, PlainProcessor, Precision, Runtime};
use crate::request::{CancelToken, DeviceChoice, DtypeChoice};

use builtin::check_model;
pub use report::{CheckedDevice, DeviceTiming, Finding, Verdict};

/// How much is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Small shapes of every operation, and one call of the built-in model's networks: about a second.
    Quick,
    /// Large shapes too, a picture, and times.
    Whole,
}

/// When a check ends early.
#[derive(Clone, Copy, Debug)]
pub struct CheckLimits<'a> {
    /// Time for the large shapes, from the beginning of the check on; those that have not begun by then are left out.
    pub time: Duration,
    /// Stops the check.
    pub cancel: &'a CancelToken,
    /// Threads of the kernels; `None` for one for each core.
    pub threads: Option<usize>,
}

/// The formats that a device is checked in: those in which models run on it, the most usual one first.
fn formats(is_processor: bool) -> &'static [NumberFormat] {
    if is_processor {
        &[NumberFormat::F32, NumberFormat::Bf16]
    } else {
        &[NumberFormat::F16, NumberFormat::Bf16, NumberFormat::F32]
    }
}

fn dtype_of(format: NumberFormat) -> DtypeChoice {
    match format {
        NumberFormat::F32 => DtypeChoice::F32,
        NumberFormat::F16 => DtypeChoice::F16,
        NumberFormat::Bf16 => DtypeChoice::Bf16,
    }
}

/// The source of the reference for the processor's kernels.
struct WithoutKernels;

impl DeviceSource for WithoutKernels {
    fn gpus(&self) -> Vec<DeviceChoice> {
        Vec::new()
    }

    fn identity(&self, _: DeviceChoice) -> super::DeviceIdentity {
        super::DeviceIdentity::default()
    }

    fn open(&self, _: DeviceChoice) -> Result<std::sync::Arc<dyn ComputeDevice>, ModelError> {
        Ok(std::sync::Arc::new(PlainProcessor))
    }
}

/// Checks a device. A GPU is compared with the processor's kernels in f32, and the kernels with candle on the processor.
pub fn check_device(
    devices: Devices,
    choice: DeviceChoice,
    extent: Extent,
    limits: CheckLimits<'_>,
) -> CheckedDevice {
    let begun = Instant::now();
    let mut report = CheckedDevice::new(choice, devices.0.identity(choice));
    if let Err(error) = run(devices, choice, extent, limits, begun, &mut report) {
        match error {
            // Not a failure of the device: nothing is said of it.
            ModelError::Cancelled => report.left_out += 1,
            error => report.unusable = Some(error.to_string()),
        }
    }
    report.secs = begun.elapsed().as_secs_f64();
    report
}

fn run(
    devices: Devices,
    choice: DeviceChoice,
    extent: Extent,
    limits: CheckLimits<'_>,
    begun: Instant,
    report: &mut CheckedDevice,
) -> Result<(), ModelError> {
    let device = devices.0.open(choice)?;
    let is_processor = device.is_processor();
    let kernels = |precision| KernelContext::new(Isa::widest(), precision, limits.threads);
    let on = |format: NumberFormat| {
        let precision =
            if is_processor && format == NumberFormat::Bf16 { Precision::Bf16 } else { Precision::Full };
        let dtype = match (is_processor, format) {
            (true, _) | (_, NumberFormat::F32) => backend::DType::F32,
            (_, NumberFormat::F16) => backend::DType::F16,
            (_, NumberFormat::Bf16) => backend::DType::BF16,
        };
        (format, Runtime::on(device.clone(), dtype, kernels(precision)))
    };
    let runtimes: Vec<(NumberFormat, Runtime)> = formats(is_processor).iter().copied().map(on).collect();
    let processor = Runtime::processor(limits.threads);
    let reference = if is_processor { processor.without_kernels() } else { processor };

    let operations = |shapes, limits: Limits<'_>, report: &mut CheckedDevice| {
        let left_out = check_operations(&reference, &runtimes, shapes, limits, &mut |checked| {
            note(report, checked);
        });
        report.left_out += left_out;
    };
    let unlimited = Limits { until: None, cancel: limits.cancel };
    operations(Shapes::Small, unlimited, report);
    if report.unusable.is_some() || limits.cancel.is_stopped() {
        return Ok(());
    }
    let of_model = match extent {
        Extent::Quick => &formats(is_processor)[..1],
        Extent::Whole => formats(is_processor),
    };
    let settings = |device, devices, dtype| ModelSettings {
        devices,
        device,
        dtype,
        threads: limits.threads,
        ..ModelSettings::default()
    };
    let reference_settings = if is_processor {
        settings(choice, Devices(&WithoutKernels), DtypeChoice::F32)
    } else {
        settings(DeviceChoice::Cpu, Devices::default(), DtypeChoice::F32)
    };
    let of_model: Vec<(NumberFormat, ModelSettings)> = of_model
        .iter()
        .filter(|format| !report.lacking.contains(&format.name()))
        .map(|format| (*format, settings(choice, devices, dtype_of(*format))))
        .collect();
    check_model(&of_model, reference_settings, extent, limits.cancel, report)?;
    if extent == Extent::Quick {
        return Ok(());
    }
    let (format, runtime) = &runtimes[0];
    report.timings = time_operations(runtime, *format, unlimited)?
        .into_iter()
        .map(|timing| DeviceTiming {
            operation: timing.operation.name().to_owned(),
            shape: timing.shape.to_owned(),
            format: format.name(),
            secs: timing.secs,
            gflops: timing.gflops,
        })
        .collect();
    operations(Shapes::Large, Limits { until: Some(begun + limits.time), ..unlimited }, report);
    Ok(())
}

/// Puts an outcome into the report.
fn note(report: &mut CheckedDevice, checked: CheckedOperation) {
    let CheckedOperation { operation, shape, format, tolerance, outcome } = checked;
    let finding = |error| {
        let (what, shape) = (operation.name().to_owned(), shape.clone());
        Finding { what, shape, format: format.name(), error, tolerance }
    };
    report.checked += usize::from(!matches!(outcome, Outcome::Unsupported(_)));
    match outcome {
        Outcome::Unsupported(why) => {
            log::info!("the device has no {}: {why}", format.name());
            if !report.lacking.contains(&format.name()) {
                report.lacking.push(format.name());
            }
        }
        Outcome::Exact => report.exact += 1,
        Outcome::Within(error) => report.within(finding(error)),
        Outcome::Wrong(error) => report.wrong.push(finding(error)),
        Outcome::Failed(why) => {
            report.unusable = Some(format!("the {operation} failed in {} ({shape}): {why}", format.name()));
        }
    }
}
