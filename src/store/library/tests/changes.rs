//! What changes between scans.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::{EntryKind, Library, LibraryConfig, LibraryError};
use super::{CONTROL, LORA_XL, Machine, TINY, UPSCALER, copy, listed, write_weights};
use crate::request::CancelToken;

#[test]
fn only_what_changed_is_read_again() {
    let machine = Machine::new();
    let path = |name: &str| machine.path("data/models").join(name);
    write_weights(&path("a.safetensors"), LORA_XL);
    write_weights(&path("b.safetensors"), TINY);
    copy("sd1", &path("folder"));
    assert_eq!(machine.scanned().headers_read, 3);
    assert_eq!(machine.scanned().headers_read, 0);
    write_weights(&path("a.safetensors"), UPSCALER);
    let library = machine.scanned();
    assert_eq!((library.headers_read, library.find("a").unwrap().facts.kind), (1, EntryKind::Upscaler));
    // Of a folder, any of its files.
    let weights = path("folder/unet/diffusion_pytorch_model.safetensors");
    std::fs::rename(&weights, path("folder/unet/away.txt")).unwrap();
    let library = machine.scanned();
    let folder = library.find("folder").unwrap();
    assert_eq!(
        (library.headers_read, folder.missing[0].what.as_str(), folder.is_ready()),
        (1, "unet", false)
    );
    std::fs::remove_file(path("b.safetensors")).unwrap();
    write_weights(&path("c.safetensors"), CONTROL);
    assert_eq!(
        listed(&machine.scanned()).into_iter().map(|row| row.0).collect::<Vec<_>>(),
        ["a", "c", "folder"]
    );
    let mut library = machine.library();
    library.scan(true, &CancelToken::new(), &|_| {});
    assert_eq!(library.headers_read, 3);
    // A damaged cache costs time and nothing else.
    std::fs::write(machine.path("cache/library.json"), b"{\"version\": 7").unwrap();
    assert_eq!(machine.scanned().headers_read, 3);
    assert_eq!(machine.scanned().headers_read, 0);
}

#[test]
fn one_folder_is_searched_again_and_the_others_stay() {
    let machine = Machine::new();
    write_weights(&machine.path("data/models/own.safetensors"), TINY);
    write_weights(&machine.path("added/a.safetensors"), LORA_XL);
    machine.add("added");
    let mut library = machine.scanned();
    write_weights(&machine.path("data/models/own2.safetensors"), TINY);
    write_weights(&machine.path("added/b.safetensors"), UPSCALER);
    library.rescan_folder(&machine.path("added"), &CancelToken::new(), &|_| {});
    let names =
        |library: &Library| listed(library).into_iter().map(|row| row.0.to_owned()).collect::<Vec<_>>();
    assert_eq!((names(&library), library.headers_read), (vec!["a".into(), "b".into(), "own".into()], 1));
    library.rescan_folder(&machine.path("data/models"), &CancelToken::new(), &|_| {});
    assert_eq!(names(&library), ["a", "b", "own", "own2"]);
}

#[test]
fn an_entry_taken_off_the_list_stays_on_the_disk() {
    let machine = Machine::new();
    machine.write_flux("data/models");
    let vae = machine.path("data/models/vae/ae.safetensors");
    LibraryConfig::edit(&machine.path("config/library.json"), |config| {
        config.removed.push(vae.clone());
        true
    })
    .unwrap();
    let library = machine.scanned();
    assert!(library.find("ae").is_err() && vae.exists());
    assert_eq!(library.removed.len(), 1);
    assert!(!library.find("flux1-small").unwrap().is_ready(), "it is not used either");
}

#[test]
fn a_hash_is_computed_once_and_dropped_with_the_file() {
    let machine = Machine::new();
    let path = machine.path("data/models/a.safetensors");
    write_weights(&path, TINY);
    copy("sd1", &machine.path("data/models/folder"));
    let library = machine.scanned();
    let entry = library.find("a").unwrap();
    assert_eq!(entry.sha256, None);
    let hash = library.hash(entry, &CancelToken::new(), &|_| {}).unwrap();
    let library = machine.scanned();
    let entry = library.find("a").unwrap();
    assert_eq!((entry.sha256.as_ref(), entry.auto_v2()), (Some(&hash), hash.get(..10)));
    let calls = AtomicUsize::new(0);
    library
        .hash(entry, &CancelToken::new(), &|_| {
            calls.fetch_add(1, Ordering::Relaxed);
        })
        .unwrap();
    assert_eq!(calls.load(Ordering::Relaxed), 0);
    write_weights(&path, UPSCALER);
    let library = machine.scanned();
    assert_eq!(library.find("a").unwrap().sha256, None);
    let folder = library.find("folder").unwrap();
    assert!(matches!(library.hash(folder, &CancelToken::new(), &|_| {}), Err(LibraryError::SeveralFiles(_))));
}
