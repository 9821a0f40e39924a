//! Damaged model folders: an error or a model, never a panic or a huge allocation.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use proptest::prelude::*;
use safelight::catalog::ModelSource;
use safelight::models::{ModelSettings, load};
use safelight::request::CancelToken;

use crate::common::fixtures::fixture;

/// Every file of a small model except the recorded results of diffusers.
static FILES: LazyLock<Vec<(PathBuf, Vec<u8>)>> = LazyLock::new(|| {
    let root = fixture("sd2");
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

/// The small model, with one file's content replaced.
fn folder_with(damaged: usize, bytes: &[u8]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (index, (path, content)) in FILES.iter().enumerate() {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, if index == damaged { bytes } else { content }).unwrap();
    }
    folder
}

fn load_folder(folder: &Path, progress: &mut dyn FnMut(&str, usize, usize)) -> Result<(), String> {
    let choice = ModelSource::Folder(folder.to_owned());
    load(&choice, ModelSettings::default(), progress, &CancelToken::new())
        .map(|_| ())
        .map_err(|error| error.to_string())
}

fn load_with(damaged: usize, bytes: &[u8]) -> Result<(), String> {
    load_folder(folder_with(damaged, bytes).path(), &mut |_, _, _| {})
}

/// Whether a model loads without this file's content.
fn is_optional(path: &Path) -> bool {
    ["tokenizer_config.json", "merges.txt"].iter().any(|name| path.ends_with(name))
}

#[test]
fn the_undamaged_model_loads() {
    assert_eq!(load_with(usize::MAX, &[]), Ok(()));
}

#[test]
fn an_empty_file_is_an_error_that_names_it() {
    for (index, (path, _)) in FILES.iter().enumerate() {
        match load_with(index, &[]) {
            Ok(()) => assert!(is_optional(path), "{} is not missed", path.display()),
            Err(error) => assert!(error.contains(&*path.file_name().unwrap().to_string_lossy()), "{error}"),
        }
    }
}

#[test]
fn what_stands_in_for_a_file_is_called_what_it_is() {
    let zeros = vec![0; 4096];
    for (content, words) in [
        (
            &b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 3438167534\n"[..],
            "Git LFS pointer",
        ),
        (b"<!DOCTYPE html><html>log in</html>", "web page"),
        (b"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>", "XML"),
        (&zeros, "zeros"),
    ] {
        for (index, (path, _)) in FILES.iter().enumerate() {
            match load_with(index, content) {
                Ok(()) => {
                    assert!(path.ends_with("tokenizer_config.json"), "{} is not missed", path.display())
                }
                Err(error) => {
                    let name = path.file_name().unwrap().to_string_lossy();
                    assert!(error.contains(words) && error.contains(&*name), "{name}: {error}");
                }
            }
        }
    }
}

/// Every file of weights, by its index.
fn weights() -> impl Iterator<Item = (usize, &'static Path, &'static [u8])> {
    let all = FILES.iter().enumerate();
    all.filter(|(_, (path, _))| path.extension().is_some_and(|e| e == "safetensors"))
        .map(|(index, (path, content))| (index, path.as_path(), content.as_slice()))
}

#[test]
fn weights_that_end_too_early_say_so() {
    assert_eq!(weights().count(), 4);
    for (index, path, content) in weights() {
        for kept in [content.len() - 1, content.len() / 2, 100] {
            let error = load_with(index, &content[..kept]).unwrap_err();
            let name = path.file_name().unwrap().to_string_lossy();
            assert!(error.contains("ends too early") && error.contains(&*name), "{kept}: {error}");
        }
    }
}

/// A file that another program truncates meanwhile is an error, and not a signal that ends the program.
#[test]
fn weights_that_shrink_while_they_load_are_an_error() {
    for (_, path, content) in weights() {
        let folder = folder_with(usize::MAX, &[]);
        let file = folder.path().join(path);
        let part = path.parent().unwrap().to_string_lossy().into_owned();
        let mut shorten = |began: &str, _, _| {
            if began == part {
                let file = std::fs::File::options().write(true).open(&file).unwrap();
                file.set_len(content.len() as u64 / 2).unwrap();
            }
        };
        let error = load_folder(folder.path(), &mut shorten).unwrap_err();
        assert!(error.contains("became shorter while it was read"), "{error}");
        assert!(error.contains(&*path.file_name().unwrap().to_string_lossy()), "{error}");
    }
}

/// Its weights are a sparse file of 256 GiB, of which nothing may be read or allocated.
#[cfg(target_os = "linux")]
#[test]
fn a_model_larger_than_the_memory_is_refused_before_it_is_read() {
    let (_, path, content) = weights().find(|(_, path, _)| path.starts_with("vae")).unwrap();
    let folder = folder_with(usize::MAX, &[]);
    let header_len = u64::from_le_bytes(content[..8].try_into().unwrap()) as usize;
    let mut header: serde_json::Value = serde_json::from_slice(&content[8..8 + header_len]).unwrap();
    let data = &content[8 + header_len..];
    let huge = 1_usize << 38;
    header["huge"] = serde_json::json!({"dtype": "F32", "shape": [huge / 4], "data_offsets": [data.len(), data.len() + huge]});
    let header = header.to_string();
    let bytes = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat();
    let file = folder.path().join(path);
    std::fs::write(&file, &bytes).unwrap();
    let file = std::fs::File::options().write(true).open(&file).unwrap();
    file.set_len((bytes.len() + huge) as u64).unwrap();
    let mut began = 0;
    let error = load_folder(folder.path(), &mut |_, _, _| began += 1).unwrap_err();
    assert!(error.starts_with("the model needs about 256."), "{error}");
    assert!(error.contains("GiB of memory, and"), "{error}");
    assert_eq!(began, 0);
}

#[test]
fn configurations_are_read_as_python_writes_them() {
    let changed = |name: &str, change: fn(String) -> String| {
        let index = FILES.iter().position(|(path, _)| path.ends_with(name)).unwrap();
        load_with(index, change(String::from_utf8(FILES[index].1.clone()).unwrap()).as_bytes())
    };
    let files = [
        "model_index.json",
        "unet/config.json",
        "vae/config.json",
        "text_encoder/config.json",
        "scheduler_config.json",
        "tokenizer_config.json",
        "diffusion_pytorch_model.safetensors.index.fp16.json",
    ];
    for name in files {
        let with_numbers = |text: String| {
            text.replacen(
                '{',
                r#"{"lambda_min_clipped": -Infinity, "x": [NaN, Infinity], "_name_or_path": null, "#,
                1,
            )
        };
        assert_eq!(changed(name, with_numbers), Ok(()), "{name}");
        assert_eq!(changed(name, |text| format!("\u{feff}{text}")), Ok(()), "{name}");
    }
    for name in ["unet/config.json", "vae/config.json", "scheduler_config.json"] {
        let nulls = |text: String| {
            text.replacen(
                '{',
                r#"{"act_fn": null, "norm_eps": null, "num_attention_heads": null, "shift_factor": null,
                    "timestep_spacing": null, "trained_betas": null, "sample_size": null, "#,
                1,
            )
        };
        // Of duplicate keys the last one counts.
        assert_eq!(changed(name, nulls), Ok(()), "{name}");
    }
    let null_size = |text: String| text.replace("\"sample_size\": 8", "\"sample_size\": null");
    assert_eq!(changed("unet/config.json", null_size), Ok(()));
    let wrong = |text: String| text.replace("\"sample_size\": 8", "\"sample_size\": {\"x\": 1}");
    let error = changed("unet/config.json", wrong).unwrap_err();
    assert!(error.contains("‘sample_size’ should be a whole number or a list of them"), "{error}");
    assert!(
        !error.contains("PerLevel") && !error.contains("struct") && !error.contains("untagged"),
        "{error}"
    );
}

/// tokenizers 0.23.2 panics on this normalizer.
#[test]
fn a_tokenizer_that_cannot_be_parsed_is_an_error() {
    let folder = folder_with(usize::MAX, &[]);
    let tokenizer = folder.path().join("tokenizer");
    std::fs::remove_file(tokenizer.join("vocab.json")).unwrap();
    std::fs::remove_file(tokenizer.join("merges.txt")).unwrap();
    let file = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "post_processor": null,
        "normalizer": {
            "type": "Precompiled",
            "precompiled_charsmap": "ALQCAACEAAAAAACAAQAAgMz8AgC4BQAAhyIAgMzkAgC4PQAAeyIAgMzsAgC4BQAAiyIAgMw8AADNvAAAmwkAgJ4JAIA=",
        },
        "pre_tokenizer": null, "decoder": null,
        "model": {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0], ["a", -1.0]], "byte_fallback": false},
    });
    std::fs::write(tokenizer.join("tokenizer.json"), file.to_string()).unwrap();
    let error = load_folder(folder.path(), &mut |_, _, _| {}).unwrap_err();
    assert!(error.starts_with("the tokenizer cannot be used: "), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 160, failure_persistence: None, ..ProptestConfig::default() })]

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
