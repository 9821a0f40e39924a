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

/// The paths of every `use` in a source, groups in braces resolved, up to the tests at its end.
fn used_paths(source: &str) -> Vec<Vec<String>> {
    let code: String = source
        .lines()
        .take_while(|line| *line != "#[cfg(test)]")
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| [line.trim(), " "])
        .collect();
    let mut paths = Vec::new();
    for statement in code.split(';') {
        let Some((_, tree)) = statement.rsplit_once("use ") else { continue };
        // A re-export is the face of a folder and no dependence of its `mod.rs`.
        if !statement.contains("pub use ") && !statement.contains(") use ") {
            split_tree(tree.trim(), &[], &mut paths);
        }
    }
    paths
}

/// Adds the paths of a tree such as `a::{b, c::d}` to `paths`.
fn split_tree(tree: &str, before: &[String], paths: &mut Vec<Vec<String>>) {
    let (head, group) = match tree.split_once('{') {
        Some((head, group)) => (head, Some(group.trim_end().trim_end_matches('}'))),
        None => (tree, None),
    };
    let head = head.split(" as ").next().unwrap_or_default();
    let segments = head.split("::").map(str::trim).filter(|segment| !segment.is_empty());
    let path: Vec<String> = before.iter().cloned().chain(segments.map(str::to_owned)).collect();
    let Some(group) = group else {
        paths.push(path);
        return;
    };
    let (mut depth, mut start) = (0, 0);
    for (at, letter) in group.char_indices().chain([(group.len(), ',')]) {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 || at == group.len() => {
                let branch = group[start..at].trim();
                if !branch.is_empty() {
                    split_tree(branch, &path, paths);
                }
                start = at + 1;
            }
            _ => {}
        }
    }
}

/// The module path of a source file: `session::model` of `src/session/model.rs`.
fn module_path(file: &Path) -> Vec<String> {
    let relative = file.strip_prefix(source_root()).unwrap().with_extension("");
    let mut path: Vec<String> =
        relative.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
    path.pop_if(|last| last == "mod");
    path
}

/// The file that a path in `from` leads to, if it is one of the crate's.
fn file_of(from: &[String], path: &[String], files: &BTreeMap<Vec<String>, PathBuf>) -> Option<Vec<String>> {
    let mut at = from.to_vec();
    let mut rest = path;
    match path.first()?.as_str() {
        "crate" => (at, rest) = (Vec::new(), &path[1..]),
        "self" => rest = &path[1..],
        "super" => {
            while rest.first().is_some_and(|segment| segment == "super") {
                at.pop();
                rest = &rest[1..];
            }
        }
        _ => {}
    }
    at.extend(rest.iter().cloned());
    while !at.is_empty() && !files.contains_key(&at) {
        at.pop();
    }
    (!at.is_empty()).then_some(at)
}

/// Files that use each other cannot be read one after the other. What a folder's `mod.rs` holds, the files in the folder
/// may use.
#[test]
fn no_files_use_each_other() {
    let mut all = Vec::new();
    sources(&source_root(), &mut all);
    let files: BTreeMap<Vec<String>, PathBuf> =
        all.into_iter().map(|file| (module_path(&file), file)).collect();
    let mut uses: BTreeMap<&Vec<String>, BTreeSet<Vec<String>>> = BTreeMap::new();
    for (module, file) in &files {
        let source = std::fs::read_to_string(file).unwrap();
        let found = used_paths(&source).into_iter().filter_map(|path| file_of(module, &path, &files));
        // A parent is the folder's `mod.rs`.
        uses.insert(module, found.filter(|used| !module.starts_with(used)).collect());
    }
    let mut circles = Vec::new();
    for module in files.keys() {
        let (mut seen, mut open) = (BTreeSet::new(), vec![module.clone()]);
        while let Some(next) = open.pop() {
            for used in uses.get(&next).into_iter().flatten() {
                if used == module {
                    circles.push(format!(
                        "{} comes back to itself by {}",
                        module.join("::"),
                        next.join("::")
                    ));
                }
                if seen.insert(used.clone()) {
                    open.push(used.clone());
                }
            }
        }
    }
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

#[test]
fn the_paths_of_a_use_are_those_of_its_branches() {
    let source = "use super::{a::B, c::{D, self}};\npub use e::F;\n// use g::H;\n#[cfg(test)]\nuse i::J;";
    let found: Vec<String> = used_paths(source).into_iter().map(|path| path.join("::")).collect();
    assert_eq!(found, ["super::a::B", "super::c::D", "super::c::self"]);
}

/// Outside crates that only certain modules and folders may use, so that each remains replaceable.
const FENCED_CRATES: [(&str, &[&str]); 13] = [
    ("rayon", &["kernels", "formats"]),
    // In `networks::meaning` for networks that candle-transformers builds.
    ("candle_core", &["networks/backend", "networks/meaning"]),
    ("candle_nn", &["networks/backend", "networks/meaning"]),
    ("candle_transformers", &["networks/meaning"]),
    // In `models` only to name adapters and their drivers.
    ("wgpu", &["preview", "app", "models"]),
    ("egui", &["preview", "panels", "app"]),
    ("eframe", &["preview", "app"]),
    ("rfd", &["app"]),
    ("clap", &["cli"]),
    ("tokenizers", &["models"]),
    ("ureq", &["store"]),
    ("rustls", &["store"]),
    ("keyring", &["store"]),
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
                let place = file.strip_prefix(source_root()).unwrap();
                if uses && !may.iter().any(|may| place.starts_with(may)) {
                    wrong.push(format!("{} uses {name}", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Modules and files where `unsafe` may stand: the kernels of processors and of NVIDIA's GPUs, and the allocator's options.
const UNSAFE: [&str; 3] = ["kernels/", "models/freed_pages.rs", "networks/backend/candle/cuda/"];

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
