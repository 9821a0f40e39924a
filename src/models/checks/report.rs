//! What a check of a device found.

use super::super::DeviceIdentity;
use crate::request::DeviceChoice;

/// A result of a device that differs from the reference.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The operation, or the part of the built-in model.
    pub what: String,
    /// Its shape, English; empty for a part of the model.
    pub shape: String,
    /// The number format.
    pub format: &'static str,
    /// The relative error, in the L2 norm: NaN or infinity for values that are no numbers or another shape.
    pub error: f64,
    /// The largest one of a right result.
    pub tolerance: f64,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { what, shape, format, error, tolerance } = self;
        let shape = if shape.is_empty() { String::new() } else { format!(" of {shape}") };
        if error.is_finite() {
            write!(f, "{what}{shape} in {format}: an error of {error:.1e}, where {tolerance:.1e} is right")
        } else {
            write!(f, "{what}{shape} in {format}: values that are not numbers, or too few of them")
        }
    }
}

/// The time of an operation.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceTiming {
    /// The operation.
    pub operation: String,
    /// Its shape.
    pub shape: String,
    /// The number format.
    pub format: &'static str,
    /// Seconds.
    pub secs: f64,
    /// 10⁹ multiplications and additions a second.
    pub gflops: f64,
}

/// The verdict on a device.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Every result is the reference's.
    Exact,
    /// Every result is within tolerance.
    WithinTolerance,
    /// Some are not: the first of them.
    Wrong(Finding),
    /// It cannot be used: why.
    NotUsable(String),
    /// The check was stopped before anything can be said.
    NotChecked,
}

impl Verdict {
    /// Its name, English.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::WithinTolerance => "within tolerance",
            Self::Wrong(_) => "wrong",
            Self::NotUsable(_) => "not usable",
            Self::NotChecked => "not checked",
        }
    }

    /// Whether networks may run on the device.
    pub fn is_pass(&self) -> bool {
        matches!(self, Self::Exact | Self::WithinTolerance)
    }
}

/// A checked device.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckedDevice {
    /// Which one.
    pub device: DeviceChoice,
    /// Its name and driver.
    pub identity: DeviceIdentity,
    /// Results that were compared.
    pub checked: usize,
    /// Results that are the reference's.
    pub exact: usize,
    /// Checks for which there was no time.
    pub left_out: usize,
    /// Results that are wrong.
    pub wrong: Vec<Finding>,
    /// Of the results within tolerance, the one that uses most of it.
    pub closest: Option<Finding>,
    /// Number formats that the device does not have.
    pub lacking: Vec<&'static str>,
    /// Why it cannot be used.
    pub unusable: Option<String>,
    /// Times of operations.
    pub timings: Vec<DeviceTiming>,
    /// Seconds for a step of the built-in model at its own size, by number format.
    pub steps: Vec<(&'static str, f64)>,
    /// Seconds that the check took.
    pub secs: f64,
}

impl CheckedDevice {
    pub(super) fn new(device: DeviceChoice, identity: DeviceIdentity) -> Self {
        Self {
            device,
            identity,
            checked: 0,
            exact: 0,
            left_out: 0,
            wrong: Vec::new(),
            closest: None,
            lacking: Vec::new(),
            unusable: None,
            timings: Vec::new(),
            steps: Vec::new(),
            secs: 0.0,
        }
    }

    /// Notes a result within tolerance.
    pub(super) fn within(&mut self, finding: Finding) {
        let share = |finding: &Finding| finding.error / finding.tolerance;
        if self.closest.as_ref().is_none_or(|closest| share(closest) < share(&finding)) {
            self.closest = Some(finding);
        }
    }

    /// The verdict. What was left out for lack of time does not change it.
    pub fn verdict(&self) -> Verdict {
        if let Some(why) = &self.unusable {
            return Verdict::NotUsable(why.clone());
        }
        match self.wrong.first() {
            Some(finding) => Verdict::Wrong(finding.clone()),
            None if self.checked == 0 => Verdict::NotChecked,
            None if self.exact == self.checked => Verdict::Exact,
            None => Verdict::WithinTolerance,
        }
    }
}
