//! `safelight doctor`: what the machine has, and whether networks can be trusted to each of its devices.

use std::time::Duration;

use serde_json::{Value, json};

use super::output::{Output, aligned};
use crate::engine::{keep_verdict, refusal, verdicts_folder};
use crate::models::{
    Adapter, BUILD_FEATURES, CheckLimits, CheckedDevice, Devices, Extent, Library, Verdict, adapters,
    check_device, libraries,
};
use crate::request::{CancelToken, DeviceChoice};

/// Time for the large shapes, of all devices together.
const TIME: Duration = Duration::from_secs(35);

pub(super) fn run(is_quick: bool, threads: Option<usize>, as_json: bool, output: &mut Output) {
    let devices = Devices::default();
    let (adapters, libraries) = (adapters(), libraries());
    if !as_json {
        for line in machine(&adapters, &libraries) {
            output.line(&line);
        }
    }
    let choices: Vec<DeviceChoice> = [DeviceChoice::Cpu].into_iter().chain(devices.0.gpus()).collect();
    let extent = if is_quick { Extent::Quick } else { Extent::Whole };
    let cancel = CancelToken::new();
    let time = TIME / choices.len() as u32;
    let mut checked = Vec::new();
    for choice in choices {
        let device = check_device(devices, choice, extent, CheckLimits { time, cancel: &cancel, threads });
        if choice != DeviceChoice::Cpu
            && let Some(folder) = verdicts_folder()
        {
            keep_verdict(&folder, &device);
        }
        if !as_json {
            for line in report(&device) {
                output.line(&line);
            }
        }
        checked.push(device);
    }
    if as_json {
        output.json(&everything(&adapters, &libraries, &checked));
    }
    say_failures(&checked, output);
}

/// Says which devices fail, and what to do about it; the command then fails, too.
fn say_failures(checked: &[CheckedDevice], output: &mut Output) {
    for device in checked {
        let Some(why) = refusal(device) else { continue };
        let advice = match (device.device, device.verdict()) {
            (DeviceChoice::Cpu, _) => "report it with the output of this command",
            (_, Verdict::Wrong(_)) => "update its driver, and draw with --device cpu until it passes",
            _ => "close other programs that use it, or update its driver; --device cpu draws all the same",
        };
        output.failure(&anyhow::anyhow!("{why}; {advice}"));
    }
}

/// Adapters, libraries and what this build has, a line each.
fn machine(adapters: &[Adapter], libraries: &[Library]) -> Vec<String> {
    let mut lines = vec![format!("Safelight {}", env!("CARGO_PKG_VERSION")), String::new()];
    lines.push("Graphics adapters (they draw the window)".to_owned());
    if adapters.is_empty() {
        lines.push("  none: previews are off".to_owned());
    }
    let row = |adapter: &Adapter| {
        let software = if adapter.is_software { "software" } else { "" };
        [
            format!("  {}", adapter.interface),
            adapter.name.clone(),
            adapter.driver.clone(),
            software.to_owned(),
        ]
    };
    lines.extend(aligned(&adapters.iter().map(row).collect::<Vec<_>>()));
    lines.extend([String::new(), "GPUs for the networks".to_owned()]);
    let mut rows: Vec<[String; 3]> = BUILD_FEATURES
        .iter()
        .map(|(name, has_it)| {
            let has_it = if *has_it { "in this build" } else { "not in this build" };
            [format!("  {name}"), has_it.to_owned(), String::new()]
        })
        .collect();
    rows.extend(libraries.iter().map(|library| {
        let (file, comes_with) = (library.file, library.comes_with);
        let missing = || format!("no {file} where the system looks; it comes with {comes_with}");
        let found = if library.found.is_some() { "found" } else { "not found" };
        let place = library.found.as_ref().map_or_else(missing, |path| path.display().to_string());
        [format!("  {}", library.name), found.to_owned(), place]
    }));
    lines.extend(aligned(&rows));
    lines
}

/// What the check of a device found.
fn report(checked: &CheckedDevice) -> Vec<String> {
    let CheckedDevice { device, identity, checked: results, exact, left_out, wrong, .. } = checked;
    let driver =
        if identity.driver.is_empty() { String::new() } else { format!(", driver {}", identity.driver) };
    let mut lines = vec![String::new(), format!("{device}: {}{driver}", identity.name)];
    lines.push(format!(
        "  {} ({results} results in {:.1} s, {exact} of them exact)",
        checked.verdict().name(),
        checked.secs
    ));
    if let Some(why) = &checked.unusable {
        lines.push(format!("  {why}"));
    }
    lines.extend(wrong.iter().map(|finding| format!("  wrong: {finding}")));
    if let Some(closest) = &checked.closest {
        lines.push(format!("  closest to its limit: {closest}"));
    }
    if !checked.lacking.is_empty() {
        lines.push(format!("  it does not have {}", checked.lacking.join(", ")));
    }
    if *left_out > 0 {
        lines.push(format!("  {left_out} checks were left out for lack of time"));
    }
    let times = checked.timings.iter().map(|timing| {
        let what = format!("  {}, {}, {}", timing.operation, timing.shape, timing.format);
        [what, milliseconds(timing.secs), format!("{:.0} GFLOP/s", timing.gflops)]
    });
    let steps = checked.steps.iter().map(|(format, secs)| {
        [format!("  step of the built-in model, {format}"), milliseconds(*secs), String::new()]
    });
    lines.extend(aligned(&times.chain(steps).collect::<Vec<_>>()));
    lines
}

fn milliseconds(secs: f64) -> String {
    format!("{:.2} ms", secs * 1e3)
}

fn everything(adapters: &[Adapter], libraries: &[Library], checked: &[CheckedDevice]) -> Value {
    let features: serde_json::Map<String, Value> =
        BUILD_FEATURES.iter().map(|(name, has_it)| ((*name).to_owned(), json!(has_it))).collect();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "features": features,
        "adapters": adapters.iter().map(|adapter| json!({
            "name": adapter.name,
            "interface": adapter.interface,
            "driver": adapter.driver,
            "software": adapter.is_software,
        })).collect::<Vec<_>>(),
        "libraries": libraries.iter().map(|library| json!({
            "name": library.name,
            "file": library.file,
            "found": library.found,
            "needed": library.is_needed,
        })).collect::<Vec<_>>(),
        "devices": checked.iter().map(device).collect::<Vec<_>>(),
    })
}

fn device(checked: &CheckedDevice) -> Value {
    let finding = |finding: &crate::models::Finding| {
        // JSON has no infinity: null stands for values that are no numbers.
        json!({
            "what": finding.what,
            "shape": finding.shape,
            "format": finding.format,
            "error": finding.error,
            "tolerance": finding.tolerance,
        })
    };
    json!({
        "device": checked.device.to_string(),
        "name": checked.identity.name,
        "driver": checked.identity.driver,
        "verdict": checked.verdict().name(),
        "why": checked.unusable,
        "lacking": checked.lacking,
        "results": checked.checked,
        "exact": checked.exact,
        "left_out": checked.left_out,
        "wrong": checked.wrong.iter().map(finding).collect::<Vec<_>>(),
        "closest": checked.closest.as_ref().map(finding),
        "timings": checked.timings.iter().map(|timing| json!({
            "operation": timing.operation,
            "shape": timing.shape,
            "format": timing.format,
            "seconds": timing.secs,
            "gflops": timing.gflops,
        })).collect::<Vec<_>>(),
        "steps": checked.steps.iter().map(|(format, secs)| json!({ "format": format, "seconds": secs })).collect::<Vec<_>>(),
        "seconds": checked.secs,
    })
}

#[cfg(test)]
mod tests {
    use std::process::ExitCode;

    use super::*;
    use crate::models::{DeviceIdentity, Finding};

    fn checked(device: DeviceChoice) -> CheckedDevice {
        CheckedDevice {
            device,
            identity: DeviceIdentity { name: "Some GPU".into(), driver: "580.1".into() },
            checked: 3,
            exact: 2,
            left_out: 4,
            wrong: Vec::new(),
            closest: None,
            lacking: vec!["bf16"],
            unusable: None,
            timings: Vec::new(),
            steps: vec![("f16", 0.0125)],
            secs: 1.25,
        }
    }

    fn exit_code(checked: &[CheckedDevice]) -> ExitCode {
        let mut output = Output::default();
        say_failures(checked, &mut output);
        output.exit_code(Ok(()))
    }

    #[test]
    fn the_command_fails_if_a_device_does() {
        let right = checked(DeviceChoice::Cpu);
        assert_eq!(exit_code(std::slice::from_ref(&right)), ExitCode::SUCCESS);
        let finding = Finding {
            what: "convolution".into(),
            shape: "3×3, 4 → 64 channels".into(),
            format: "f16",
            error: f64::INFINITY,
            tolerance: 1e-3,
        };
        let wrong = CheckedDevice { wrong: vec![finding], ..checked(DeviceChoice::Cuda(0)) };
        assert_eq!(exit_code(&[right.clone(), wrong.clone()]), ExitCode::FAILURE);
        let why = "CUDA_ERROR_NO_DEVICE".to_owned();
        let unusable = CheckedDevice { unusable: Some(why), ..checked(DeviceChoice::Cuda(0)) };
        assert_eq!(exit_code(&[unusable]), ExitCode::FAILURE);
        let lines = report(&wrong);
        assert_eq!(lines[1], "cuda:0: Some GPU, driver 580.1");
        assert_eq!(lines[2], "  wrong (3 results in 1.2 s, 2 of them exact)");
        assert!(lines[3].contains("convolution of 3×3, 4 → 64 channels in f16: values that are not numbers"));
        assert!(lines.contains(&"  it does not have bf16".to_owned()));
        assert!(lines.contains(&"  step of the built-in model, f16  12.50 ms".to_owned()), "{lines:?}");
        // JSON has no infinity.
        assert_eq!(device(&wrong)["wrong"][0]["error"], Value::Null);
    }
}
