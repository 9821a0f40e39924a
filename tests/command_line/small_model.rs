//! Commands with a small model, which take milliseconds, and the files and messages they leave.

use std::path::{Path, PathBuf};
use std::process::Output;

use crate::common::model_folders::copy_folder;
use crate::common::program::{safelight, text};

/// A small Stable Diffusion 1, whose pictures take milliseconds.
pub(crate) const SMALL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/sd1");

/// `generate` with the small model and one step.
pub(crate) fn generate<'a>(output: &'a Path, more: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec!["generate", "--output", text(output)];
    for (option, value) in [("--model", SMALL), ("--prompt", "a fox"), ("--steps", "1"), ("--seed", "3")] {
        if !more.contains(&option) {
            arguments.extend([option, value]);
        }
    }
    arguments.extend(more);
    arguments
}

/// A copy of the small model with NaN as the weights `tensor` of `part`.
pub(crate) fn small_model_with_nan(folder: &Path, part: &str, tensor: &str) -> PathBuf {
    let model = folder.join("model");
    copy_folder(Path::new(SMALL), &model);
    let weights = model.join(part).join("diffusion_pytorch_model.safetensors");
    let mut bytes = std::fs::read(&weights).unwrap();
    let (offset, length) = {
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let data = tensors.tensor(tensor).unwrap().data();
        (data.as_ptr() as usize - bytes.as_ptr() as usize, data.len())
    };
    bytes[offset..offset + length].fill(0xff);
    std::fs::write(&weights, bytes).unwrap();
    model
}

pub(crate) fn error_of(output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!error.contains("panicked") && !error.contains(".safelight-"), "{error}");
    error
}

pub(crate) fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[track_caller]
pub(crate) fn fails_with(arguments: &[&str], sentence: &str) {
    let output = safelight(arguments);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && output.stdout.is_empty(), "{arguments:?}");
    assert!(error.contains(sentence), "{error}");
    assert!(!error.contains("panicked"), "{error}");
}
