//! Files and folders that are not as they should be.

use std::path::Path;

use super::super::EntryKind;
use super::{LORA_XL, Machine, TINY, listed, write_weights};
use crate::request::CancelToken;

#[test]
fn what_is_wrong_with_files_is_said_and_the_others_are_found() {
    let machine = Machine::new();
    let path = |name: &str| machine.path("data/models").join(name);
    write_weights(&path("good.safetensors"), LORA_XL);
    std::fs::write(path("page.safetensors"), b"<!DOCTYPE html><html>").unwrap();
    std::fs::write(path("empty.gguf"), b"").unwrap();
    write_weights(&path("cut.safetensors"), TINY);
    let cut = std::fs::File::options().write(true).open(path("cut.safetensors")).unwrap();
    cut.set_len(cut.metadata().unwrap().len() - 1).unwrap();
    std::fs::write(path("notes.txt"), b"a text").unwrap();
    std::fs::create_dir_all(path("half")).unwrap();
    std::fs::write(
        path("half/model_index.json"),
        b"{\"_class_name\": \"AuraFlowPipeline\", \"transformer\": [\"a\", \"b\"]}",
    )
    .unwrap();
    let library = machine.scanned();
    let problem = |name: &str| {
        library.find(name).unwrap().facts.problem.clone().map_or_else(String::new, |why| why.to_string())
    };
    assert_eq!(library.entries.len(), 5);
    assert!(problem("page").contains("a web page"));
    assert!(problem("empty").contains("an empty file"));
    assert!(problem("cut").contains("the file ends too early"));
    assert_eq!(library.find("half").unwrap().missing[0].what, "transformer");
    assert_eq!(problem("good"), "");
}

#[cfg(unix)]
#[test]
fn links_lead_nowhere_twice_and_pipes_are_passed_by() {
    use std::os::unix::fs::symlink;
    let machine = Machine::new();
    let path = |name: &str| machine.path("data/models").join(name);
    write_weights(&path("sub/a.safetensors"), LORA_XL);
    symlink(path(""), path("sub/loop")).unwrap();
    symlink(path("sub"), path("again")).unwrap();
    symlink(path("sub/a.safetensors"), path("z.safetensors")).unwrap();
    symlink(path("nowhere.gguf"), path("broken.gguf")).unwrap();
    symlink(path("self"), path("self")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(path("pipe.gguf")).status().unwrap().success());
    machine.add("gone");
    std::fs::write(machine.path("file"), b"x").unwrap();
    machine.add("file");
    let library = machine.scanned();
    // The first of several ways to a file.
    assert_eq!(listed(&library).len(), 1, "{:?}", listed(&library));
    let notes: Vec<String> = library
        .notes
        .iter()
        .map(|note| note.to_string().replace(machine.root.path().to_str().unwrap(), "…"))
        .collect();
    assert!(
        notes.iter().any(|note| note == "the link leads to nothing: …/data/models/broken.gguf"),
        "{notes:?}"
    );
    assert!(
        notes.iter().any(|note| note.starts_with("the file cannot be read: ") && note.ends_with("/self")),
        "{notes:?}"
    );
    assert!(
        notes.iter().any(|note| note.starts_with("the folder is not there; ") && note.ends_with("…/gone"))
    );
    assert!(notes.iter().any(|note| note == "this is a file, and a library has folders: …/file"));
    assert_eq!(notes.len(), 4, "{notes:?}");
}

#[cfg(unix)]
#[test]
fn what_may_not_be_read_is_named_and_read_once_it_may() {
    use std::os::unix::fs::PermissionsExt as _;
    let machine = Machine::new();
    let (folder, file) = (machine.path("data/models/closed"), machine.path("data/models/a.safetensors"));
    write_weights(&folder.join("b.safetensors"), TINY);
    write_weights(&file, LORA_XL);
    let mode =
        |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(&folder, 0);
    mode(&file, 0);
    let may_all_the_same = std::fs::read_dir(&folder).is_ok();
    let library = machine.scanned();
    mode(&folder, 0o755);
    mode(&file, 0o644);
    // The administrator may read everything.
    if !may_all_the_same {
        let note = library.notes.first().unwrap().to_string();
        assert!(
            note.starts_with("this user may not read the folder: ") && note.ends_with("closed"),
            "{note}"
        );
        let problem = library.find("a").unwrap().facts.problem.clone().map(|why| why.to_string());
        assert_eq!(problem.as_deref(), Some("this user may not read it"));
    }
    let library = machine.scanned();
    assert_eq!(library.find("a").unwrap().facts.problem, None);
    assert_eq!((library.entries.len(), library.notes.len()), (2, 0));
}

#[test]
fn a_scan_is_stopped_and_files_that_vanish_are_left_out() {
    let machine = Machine::new();
    let path = |number: usize| machine.path(&format!("data/models/{number:03}.safetensors"));
    for number in 0..200 {
        write_weights(&path(number), TINY);
    }
    let cancel = CancelToken::new();
    let mut library = machine.library();
    library.scan(false, &cancel, &|progress| {
        assert_eq!(progress.total, 200);
        if progress.read == 20 {
            cancel.stop();
        }
    });
    assert!(!library.is_complete);
    assert!((20..60).contains(&library.entries.len()), "{}", library.entries.len());
    let before = library.headers_read;
    // What was read is kept, and the rest is found the next time, less what vanishes meanwhile.
    let mut library = machine.library();
    library.scan(false, &CancelToken::new(), &|progress| {
        if progress.read == 1 {
            for number in 190..200 {
                std::fs::remove_file(path(number)).unwrap();
            }
        }
    });
    assert!(library.is_complete && library.headers_read <= 200 - before);
    let left = library.entries.iter().filter(|entry| entry.path.exists()).count();
    assert_eq!(left, 190);
    assert!(library.entries.iter().all(|entry| entry.facts.kind == EntryKind::TinyDecoder));
    assert_eq!(machine.scanned().entries.len(), 190);
}

#[test]
fn a_damaged_list_of_folders_is_a_note() {
    let machine = Machine::new();
    write_weights(&machine.path("data/models/a.safetensors"), TINY);
    std::fs::create_dir_all(machine.path("config")).unwrap();
    std::fs::write(machine.path("config/library.json"), b"{").unwrap();
    let library = machine.scanned();
    assert_eq!(library.entries.len(), 1);
    let note = library.notes[0].to_string();
    assert!(
        note.starts_with("the folders that were added are not known: ") && note.ends_with("library.json"),
        "{note}"
    );
}
