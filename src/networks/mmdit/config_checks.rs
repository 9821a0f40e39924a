//! Checks that the configurations of several transformers have in common. Each refuses naming key and value.

use crate::networks::NetworkError;

fn refuse(key: &'static str, value: String, supported: &'static str) -> Result<(), NetworkError> {
    Err(NetworkError::Unsupported { key, value, supported })
}

/// The network's class in diffusers, where the file names one.
pub(super) fn check_class(found: Option<&String>, own: &'static str) -> Result<(), NetworkError> {
    match found {
        Some(class) if class != own => refuse("_class_name", class.clone(), own),
        _ => Ok(()),
    }
}

/// Numbers of layers, heads and channels.
pub(super) fn check_sizes(sizes: &[(&'static str, usize)]) -> Result<(), NetworkError> {
    match sizes.iter().find(|(_, value)| !(1..=1 << 14).contains(value)) {
        Some((key, value)) => refuse(key, value.to_string(), "1 to 16384"),
        None => Ok(()),
    }
}

/// Numbers that are finite and above 0.
pub(super) fn check_positive(values: &[(&'static str, f64)]) -> Result<(), NetworkError> {
    match values.iter().find(|(_, value)| !(value.is_finite() && *value > 0.0)) {
        Some((key, value)) => refuse(key, value.to_string(), "a number above 0"),
        None => Ok(()),
    }
}

/// The rotary dimensions of the axes, `axes_dims_rope`, which share the width of a head among them.
pub(super) fn check_axes(axes: &[usize], head: usize) -> Result<(), NetworkError> {
    let sum = axes.iter().try_fold(0_usize, |sum, width| sum.checked_add(*width));
    if sum == Some(head) && axes.iter().all(|width| width % 2 == 0) {
        return Ok(());
    }
    refuse("axes_dims_rope", format!("{axes:?}"), "even numbers that sum to attention_head_dim")
}
