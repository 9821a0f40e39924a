//! Runs that the program keeps in a folder of the test's own.

use std::path::{Path, PathBuf};

use safelight::store::history::{History, RunId};
use serde_json::Value;

use crate::common::program::{safelight, text};
use crate::small_model::{SMALL, error_of};

/// A folder of runs, and a folder for pictures.
pub(crate) struct Kept {
    folder: tempfile::TempDir,
}

impl Kept {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("runs")
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Keeps a run of the small model, and returns its id.
    pub(crate) fn generate(&self, options: &[&str]) -> RunId {
        let (root, picture) = (self.root(), self.file("generated.png"));
        let mut arguments = vec!["generate", "--json"];
        let defaults = [
            ("--keep-in", text(&root)),
            ("--output", text(&picture)),
            ("--model", SMALL),
            ("--prompt", "a fox"),
            ("--seed", "3"),
            ("--width", "32"),
            ("--height", "32"),
        ];
        for (option, value) in defaults {
            if !options.contains(&option) {
                arguments.extend([option, value]);
            }
        }
        arguments.extend(options);
        id_of(&answer(&arguments))
    }

    /// Keeps a run of the small model, whose picture has this name, and returns its id.
    pub(crate) fn generate_as(&self, name: &str, options: &[&str]) -> RunId {
        let picture = self.file(&format!("{name}.png"));
        self.generate(&[options, &["--output", text(&picture)]].concat())
    }

    /// The arguments with the folder of the runs, and `--json`.
    pub(crate) fn run(&self, arguments: &[&str]) -> Value {
        let root = self.root();
        answer(&[arguments, &["--runs", text(&root), "--json"]].concat())
    }

    /// What the program says when these arguments fail.
    pub(crate) fn refused(&self, arguments: &[&str]) -> String {
        let root = self.root();
        let output = safelight(&[arguments, &["--runs", text(&root)]].concat());
        let error = error_of(&output);
        assert_eq!((output.status.code(), error.lines().count()), (Some(1), 1), "{arguments:?}: {error}");
        error
    }

    pub(crate) fn history(&self) -> History {
        History::open(self.root())
    }

    /// The values of a run's final latent, as bits.
    pub(crate) fn final_bits(&self, run: &RunId) -> Vec<u32> {
        let latent = self.history().final_latent(run).unwrap().unwrap();
        latent.values().iter().map(|value| value.to_bits()).collect()
    }

    pub(crate) fn hashes(&self, run: &RunId) -> Vec<String> {
        self.history().step_hashes(run).unwrap()
    }
}

/// The JSON that the program prints.
pub(crate) fn answer(arguments: &[&str]) -> Value {
    let output = safelight(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", error_of(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

pub(crate) fn id_of(answer: &Value) -> RunId {
    answer["run"].as_str().unwrap().parse().unwrap()
}

pub(crate) fn pixels(path: &Path) -> Vec<u8> {
    image::open(path).unwrap().to_rgb8().into_raw()
}
