//! Enforces the table of layers in the documentation of the crate.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic and print")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The table: module → modules it may use, read from the crate's own documentation.
fn table() -> BTreeMap<String, BTreeSet<String>> {
    let docs = std::fs::read_to_string(source_root().join("lib.rs")).unwrap();
    docs.lines()
        .filter_map(|line| line.strip_prefix("//! | "))
        .filter(|row| row.starts_with(|c: char| c.is_ascii_digit()))
        .map(|row| {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            (cells[1].trim_matches(['[', ']', '`']).to_owned(), allowed(cells[3]))
        })
        .collect()
}

/// The modules a cell of the last column names.
fn allowed(cell: &str) -> BTreeSet<String> {
    let named: BTreeSet<String> = cell.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    if cell.starts_with("all but") {
        modules().into_iter().filter(|m| !named.contains(m)).collect()
    } else {
        named
    }
}

fn source_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn modules() -> BTreeSet<String> {
    let entries = std::fs::read_dir(source_root()).unwrap();
    entries
        .map(|e| e.unwrap())
        .filter(|e| e.path().is_dir())
        .map(|e| e.file_name().into_string().unwrap())
        .collect()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// Every `crate::name` in code (comments do not count).
fn used_modules(source: &str) -> BTreeSet<String> {
    let code = source.lines().map(str::trim_start).filter(|line| !line.starts_with("//"));
    code.flat_map(|line| {
        line.split("crate::").skip(1).map(|rest| {
            rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>()
        })
    })
    .collect()
}

#[test]
fn every_module_stands_in_the_table() {
    let named: BTreeSet<String> = table().into_keys().collect();
    assert_eq!(named, modules());
}

#[test]
fn no_module_uses_one_it_may_not() {
    let modules = modules();
    let mut wrong = Vec::new();
    for (module, allowed) in table() {
        let mut files = Vec::new();
        sources(&source_root().join(&module), &mut files);
        for file in files {
            for used in used_modules(&std::fs::read_to_string(&file).unwrap()) {
                if modules.contains(&used) && used != module && !allowed.contains(&used) {
                    wrong.push(format!("{} uses {used}", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Outside crates that only certain modules may use, so that each remains replaceable.
const FENCED_CRATES: [(&str, &[&str]); 9] = [
    ("rayon", &["kernels", "formats"]),
    ("candle_core", &["networks", "models"]),
    ("candle_nn", &["networks", "models"]),
    ("wgpu", &["preview", "app"]),
    ("egui", &["preview", "panels", "app"]),
    ("eframe", &["preview", "app"]),
    ("rfd", &["app"]),
    ("clap", &["cli"]),
    ("tokenizers", &["models"]),
];

#[test]
fn outside_crates_stay_in_their_layers() {
    let mut wrong = Vec::new();
    for module in modules() {
        let mut files = Vec::new();
        sources(&source_root().join(&module), &mut files);
        for file in files {
            let source = std::fs::read_to_string(&file).unwrap();
            let code: Vec<&str> =
                source.lines().map(str::trim_start).filter(|line| !line.starts_with("//")).collect();
            for (name, may) in FENCED_CRATES {
                let path = format!("{name}::");
                let uses = code.iter().any(|line| {
                    line.match_indices(&path).any(|(at, _)| {
                        !line[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':')
                    })
                });
                if uses && !may.contains(&module.as_str()) {
                    wrong.push(format!("{} uses {name}", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Modules and files where `unsafe` may stand: the kernels, and the allocator's options.
const UNSAFE: [&str; 2] = ["kernels/", "models/freed_pages.rs"];

#[test]
fn unsafe_stands_where_it_may() {
    let mut files = Vec::new();
    sources(&source_root(), &mut files);
    let mut wrong = Vec::new();
    for file in files {
        let name = file.strip_prefix(source_root()).unwrap().to_string_lossy().replace('\\', "/");
        let source = std::fs::read_to_string(&file).unwrap();
        if has_unsafe(&source) && !UNSAFE.iter().any(|may| name.starts_with(may)) {
            wrong.push(name);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether there is `unsafe` in code (comments do not count).
fn has_unsafe(source: &str) -> bool {
    let code = source.lines().map(str::trim_start).filter(|line| !line.starts_with("//"));
    code.flat_map(|line| line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_'))
        .any(|word| word == "unsafe")
}

#[test]
fn unsafe_is_found_in_code_and_not_in_comments_or_longer_words() {
    assert!(has_unsafe("let x = unsafe { f() };"));
    assert!(!has_unsafe("// unsafe\n#[expect(unsafe_code, reason = \"\")]"));
}

#[test]
fn a_use_line_is_found_and_a_comment_is_not() {
    let found = used_modules("use crate::latent::Latent;\n// crate::engine\nlet x = crate::request::f();");
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["latent", "request"]);
}
