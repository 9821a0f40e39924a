//! The checks of devices: on the devices of this machine, and on a fake one, whose errors they must find.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic and print")]

#[path = "common/mod.rs"]
mod common;

use std::time::Duration;

use common::fake_device::{Fault, machine_with};
use safelight::models::{CheckLimits, CheckedDevice, Devices, Extent, Verdict, check_device};
use safelight::networks::checks::{Limits, NumberFormat, Outcome, Shapes, check_operations};
use safelight::networks::ops::Operation;
use safelight::networks::{Isa, KernelContext, Precision, Runtime};
use safelight::request::{CancelToken, DeviceChoice};

fn check(devices: Devices, choice: DeviceChoice, extent: Extent, cancel: &CancelToken) -> CheckedDevice {
    let checked = check_device(
        devices,
        choice,
        extent,
        CheckLimits { time: Duration::from_mins(1), cancel, threads: Some(2) },
    );
    println!("{choice}: {:?} in {:.1} s, {} results", checked.verdict(), checked.secs, checked.checked);
    println!("  closest: {:?}", checked.closest.as_ref().map(ToString::to_string));
    checked
}

#[test]
fn the_devices_of_this_machine_agree() {
    let (devices, cancel) = (Devices::default(), CancelToken::new());
    let gpus = devices.0.gpus();
    if gpus.is_empty() {
        println!("no device: this build or this machine has no GPU, and only the processor is checked");
    }
    let processor = check(devices, DeviceChoice::Cpu, Extent::Quick, &cancel);
    assert!(processor.verdict().is_pass(), "{:?}", processor.verdict());
    for gpu in gpus {
        let checked = check(devices, gpu, Extent::Whole, &cancel);
        assert!(checked.verdict().is_pass(), "{gpu}: {:#?}", checked.wrong);
    }
}

#[test]
fn a_right_device_is_within_tolerance() {
    let (devices, state) = machine_with(Fault::None);
    let checked = check(devices, DeviceChoice::Cuda(0), Extent::Quick, &CancelToken::new());
    assert_eq!(checked.verdict(), Verdict::WithinTolerance, "{:#?}", checked.wrong);
    assert!(checked.exact > 0 && checked.exact < checked.checked);
    // candle multiplies no bf16 on the processor: the fake device is one without this format.
    assert_eq!(checked.lacking, ["bf16"]);
    assert_eq!(checked.left_out, 0);
    assert!(state.calls.load(std::sync::atomic::Ordering::SeqCst) > checked.checked / 2);
    let closest = checked.closest.unwrap();
    assert!(closest.error > closest.tolerance / 50.0, "the tolerances are far too wide: {closest}");
}

/// The operations of small shapes with a fault, in f32 alone.
fn outcomes(fault: Fault) -> Vec<(Operation, Outcome)> {
    let (devices, _) = machine_with(fault);
    let device = devices.0.open(DeviceChoice::Cuda(0)).unwrap();
    let kernels = KernelContext::new(Isa::widest(), Precision::Full, Some(2));
    let runtime = Runtime::on(device, safelight::networks::backend::DType::F32, kernels);
    let mut outcomes = Vec::new();
    let cancel = CancelToken::new();
    let left_out = check_operations(
        &Runtime::processor(Some(2)),
        &[(NumberFormat::F32, runtime)],
        Shapes::Small,
        Limits { until: None, cancel: &cancel },
        &mut |checked| outcomes.push((checked.operation, checked.outcome)),
    );
    let has_failed = outcomes.iter().any(|(_, outcome)| matches!(outcome, Outcome::Failed(_)));
    assert_eq!(left_out > 0, has_failed);
    outcomes
}

#[test]
fn one_wrong_value_in_any_operation_is_found_and_its_operation_named() {
    for operation in [
        Operation::Convolution,
        Operation::Attention,
        Operation::RelativeAttention,
        Operation::Linear,
        Operation::GroupNorm,
        Operation::LayerNorm,
        Operation::RmsNorm,
        Operation::Rotation,
        Operation::Activation,
        Operation::ScaledSum,
    ] {
        let outcomes = outcomes(Fault::Wrong(operation));
        let wrong: Vec<Operation> = outcomes
            .iter()
            .filter(|(_, outcome)| matches!(outcome, Outcome::Wrong(_)))
            .map(|(operation, _)| *operation)
            .collect();
        assert!(wrong.contains(&operation), "{operation}: {outcomes:?}");
        // A linear layer after a norm is wrong with it, and a convolution after one.
        let allowed = [operation, Operation::Linear, Operation::Convolution];
        assert!(wrong.iter().all(|found| allowed.contains(found)), "{operation}: {wrong:?}");
    }
}

#[test]
fn a_device_that_fails_in_a_check_is_not_usable() {
    let cancel = CancelToken::new();
    for (fault, words) in [
        (Fault::OutOfMemory(3), "CUDA_ERROR_OUT_OF_MEMORY"),
        (Fault::Lost(5), "CUDA_ERROR_ILLEGAL_ADDRESS"),
        (Fault::Panic(2), "the driver's bindings gave up"),
        (Fault::DoesNotOpen, "could not be opened: CUDA_ERROR_NO_DEVICE"),
    ] {
        let (devices, _) = machine_with(fault);
        let checked = check(devices, DeviceChoice::Cuda(0), Extent::Quick, &cancel);
        let Verdict::NotUsable(why) = checked.verdict() else { panic!("{fault:?}: {:?}", checked.verdict()) };
        assert!(why.contains(words), "{fault:?}: {why}");
        assert!(!why.contains("DriverError"), "{why}");
    }
    assert!(matches!(outcomes(Fault::Lost(1)).last(), Some((_, Outcome::Failed(_)))));
}

#[test]
fn zeros_in_large_results_are_found_by_the_networks_of_the_model() {
    // No small shape is as large, but the decoder's are.
    let (devices, _) = machine_with(Fault::Zeros(Operation::Convolution, 100_000));
    let checked = check(devices, DeviceChoice::Cuda(0), Extent::Quick, &CancelToken::new());
    let Verdict::Wrong(finding) = checked.verdict() else { panic!("{:?}", checked.verdict()) };
    assert!(finding.what.contains("built-in model"), "{finding}");
    assert!(finding.to_string().contains("in f16: an error of"), "{finding}");
}

#[test]
fn a_check_that_is_stopped_says_nothing_of_the_device() {
    let (devices, _) = machine_with(Fault::None);
    let cancel = CancelToken::new();
    cancel.stop();
    let checked = check(devices, DeviceChoice::Cuda(0), Extent::Quick, &cancel);
    assert_eq!(checked.verdict(), Verdict::NotChecked);
    assert!(checked.left_out > 0);
}
