//! Damaged model folders: an error or a model, never a panic or a huge allocation.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use proptest::prelude::*;
use safelight::models::{ModelSettings, load};
use safelight::request::{CancelToken, ModelChoice};

/// Every file of a small model but the records of what diffusers made of it.
static FILES: LazyLock<Vec<(PathBuf, Vec<u8>)>> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sd2");
    let mut files = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.file_name().unwrap().to_string_lossy().starts_with("expected") {
                files.push((path.strip_prefix(&root).unwrap().to_owned(), std::fs::read(&path).unwrap()));
            }
        }
    }
    files.sort();
    files
});

fn load_with(damaged: usize, bytes: &[u8]) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    for (index, (path, content)) in FILES.iter().enumerate() {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, if index == damaged { bytes } else { content }).unwrap();
    }
    let choice = ModelChoice::Folder(folder.path().to_owned());
    load(&choice, ModelSettings::default(), &mut |_, _, _| {}, &CancelToken::new())
        .map(|_| ())
        .map_err(|error| error.to_string())
}

#[test]
fn the_undamaged_model_loads() {
    assert_eq!(load_with(usize::MAX, &[]), Ok(()));
}

#[test]
fn an_empty_file_is_an_error_that_names_it() {
    for (index, (path, _)) in FILES.iter().enumerate() {
        let optional = ["tokenizer_config.json", "merges.txt"].iter().any(|name| path.ends_with(name));
        match load_with(index, &[]) {
            Ok(()) => assert!(optional, "{} is not missed", path.display()),
            Err(error) => assert!(error.contains(&*path.file_name().unwrap().to_string_lossy()), "{error}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 160, ..ProptestConfig::default() })]

    #[test]
    fn changed_and_cut_files_never_panic(
        file in 0..64_usize, changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8), cut in any::<Option<prop::sample::Index>>(),
    ) {
        let file = file % FILES.len();
        let mut bytes = FILES[file].1.clone();
        for (at, value) in changes {
            // The first bytes hold sizes and structure.
            let at = at.index(bytes.len().min(4096));
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let _ = load_with(file, &bytes);
    }
}
