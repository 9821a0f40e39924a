//! Coverage-guided fuzzing of everything that reads foreign bytes: `make fuzz`, or `tests/fuzz/run.sh SECONDS TARGET`.
//!
//! One program holds all targets; the environment variable `FUZZ_TARGET` names one. An input fails that panics, takes more
//! than a second, or needs more memory than twice its size and 64 MiB.

#![no_main]
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a test may panic and print")]

mod files;
#[allow(dead_code, reason = "other test programs use the rest")]
#[path = "../common/fixtures.rs"]
mod fixtures;
mod model;
#[allow(dead_code, reason = "other test programs use the rest")]
#[path = "../common/model_folders.rs"]
mod model_folders;
#[path = "../common/peak_memory.rs"]
mod peak_memory;
mod texts;
mod weights;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use fixtures::fixture;
use libfuzzer_sys::fuzz_target;

/// Memory that an input may need besides twice its size, bytes.
const ALLOWANCE: usize = 64 << 20;
/// Time that an input may take.
const LIMIT: Duration = Duration::from_secs(1);

/// A reader of foreign bytes.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    /// Reads one input. Panics on a wrong result.
    pub(crate) run: fn(&[u8]),
    /// Fixtures that inputs are made from: files, or folders whose files end in `.` and the second value.
    pub(crate) seeds: &'static [(&'static str, &'static str)],
}

fn targets() -> impl Iterator<Item = &'static Target> {
    files::TARGETS.iter().chain(texts::TARGETS).chain(model::TARGETS).chain(weights::TARGETS)
}

/// Copies a target's seeds into a folder.
fn copy_seeds(target: &Target, folder: &Path) {
    for (from, extension) in target.seeds {
        let from = fixture(from);
        let paths: Vec<PathBuf> = if from.is_dir() {
            let entries = std::fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path());
            entries.filter(|path| path.extension().is_some_and(|e| e == *extension)).collect()
        } else {
            vec![from]
        };
        for path in paths {
            let name = format!("seed-{}", path.file_name().unwrap().to_string_lossy());
            std::fs::copy(&path, folder.join(name)).unwrap();
        }
    }
}

/// The target that the environment names. `list` prints all names, `seeds` copies the seeds of `FUZZ_SEEDS_OF` into the
/// folder that is the first argument.
fn target() -> &'static Target {
    static TARGET: OnceLock<&'static Target> = OnceLock::new();
    TARGET.get_or_init(|| {
        let named = |variable: &str| {
            let name = std::env::var(variable).unwrap_or_default();
            targets().find(|target| target.name == name).ok_or(name)
        };
        match named("FUZZ_TARGET") {
            Ok(target) => target,
            Err(name) if name == "list" => {
                targets().for_each(|target| println!("{}", target.name));
                std::process::exit(0)
            }
            Err(name) if name == "seeds" => {
                let target = named("FUZZ_SEEDS_OF").unwrap_or_else(|name| panic!("no target {name}"));
                copy_seeds(target, Path::new(&std::env::args_os().nth(1).unwrap()));
                std::process::exit(0)
            }
            Err(name) => panic!("FUZZ_TARGET={name} is no target"),
        }
    })
}

fuzz_target!(init: { target(); }, |data: &[u8]| {
    let target = target();
    peak_memory::start();
    let clock = Instant::now();
    (target.run)(data);
    let (elapsed, peak) = (clock.elapsed(), peak_memory::peak());
    assert!(elapsed < LIMIT, "{} bytes took {elapsed:?}", data.len());
    assert!(peak <= 2 * data.len() + ALLOWANCE, "{} bytes needed {} MiB", data.len(), peak >> 20);
});
