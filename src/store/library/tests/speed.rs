//! How long a scan takes.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{EMBEDDING, Machine, fixture, header, write_weights};

/// A header like that of a released Stable Diffusion 1 with its 1131 tensors: the fixture has a third of them.
fn released_header() -> (Vec<u8>, u64) {
    let shapes = std::fs::read(fixture("single/shapes.json")).unwrap();
    let mut all: BTreeMap<String, BTreeMap<String, Vec<usize>>> = serde_json::from_slice(&shapes).unwrap();
    let third = all.remove("sd1").unwrap();
    let starts = ["", "model_ema.", "model_ema.more."];
    let tensors: Vec<(String, &[usize])> = starts
        .iter()
        .flat_map(|start| third.iter().map(move |(name, shape)| (format!("{start}{name}"), &shape[..])))
        .collect();
    let borrowed: Vec<(&str, &[usize])> =
        tensors.iter().map(|(name, shape)| (name.as_str(), *shape)).collect();
    assert!(borrowed.len() > 1100);
    header(&borrowed)
}

#[test]
fn thousands_of_headers_are_read_in_seconds_and_the_cache_answers_at_once() {
    let machine = Machine::new();
    let (header, bytes) = released_header();
    let write = |path: PathBuf| {
        let mut file = std::fs::File::create(path).unwrap();
        file.write_all(&header).unwrap();
        file.set_len(header.len() as u64 + bytes).unwrap();
    };
    for folder in 0..20 {
        let folder = machine.path(&format!("data/models/{folder}"));
        std::fs::create_dir_all(&folder).unwrap();
        write(folder.join("0.safetensors"));
        // Names of the same file take no room, and are read like files of their own.
        for number in 1..100 {
            std::fs::hard_link(folder.join("0.safetensors"), folder.join(format!("{number}.safetensors")))
                .unwrap();
        }
    }
    let timed = |machine: &Machine| {
        let start = Instant::now();
        let library = machine.scanned();
        (library, start.elapsed())
    };
    let (library, first) = timed(&machine);
    assert_eq!((library.headers_read, library.entries.len()), (2000, 2000));
    let (library, second) = timed(&machine);
    assert_eq!((library.headers_read, library.entries.len()), (0, 2000));
    println!("2000 headers of {} KiB: {first:.2?}; from the cache: {second:.2?}", header.len() >> 10);
    assert!(first < Duration::from_mins(2) && second < Duration::from_secs(30), "{first:?}, {second:?}");
}

#[test]
fn twenty_thousand_files_are_found() {
    let machine = Machine::new();
    let folder = machine.path("data/models");
    write_weights(&folder.join("0.safetensors"), EMBEDDING);
    for number in 1..20_000 {
        std::fs::hard_link(folder.join("0.safetensors"), folder.join(format!("{number}.safetensors")))
            .unwrap();
    }
    let start = Instant::now();
    let library = machine.scanned();
    assert_eq!(library.entries.len(), 20_000);
    println!("20000 files: {:.2?}", start.elapsed());
}
