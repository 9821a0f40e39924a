//! The cache as the official client lays it out: `tests/fixtures/hub_cache.json` was made by it, with
//! `tests/fixtures/make_hub_cache.py`.

use std::collections::BTreeMap;
use std::path::Path;

use safelight::store::hub::Destination;
use serde_json::{Value, json};

use crate::common::hub::{COMMIT, Desk, REPOSITORY, WEIGHTS, files, names_in, source_of, start};

/// What lies in a folder: the target of a link, the content of a small file, the size of a larger one.
fn tree(root: &Path) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            if path.is_symlink() {
                found.insert(name, json!({ "link": std::fs::read_link(&path).unwrap() }));
            } else if path.is_dir() {
                open.push(path);
            } else {
                let content = std::fs::read(&path).unwrap();
                let told = match String::from_utf8(content) {
                    // The remark in it is each program's own.
                    Ok(text) if name == "CACHEDIR.TAG" => json!({ "text": text.lines().next() }),
                    Ok(text) => json!({ "text": text }),
                    Err(bytes) => json!({ "size": bytes.as_bytes().len() }),
                };
                found.insert(name, told);
            }
        }
    }
    found
}

fn fixture() -> BTreeMap<String, Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/hub_cache.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Fetches all files of the repository into the cache.
fn fetch_all(desk: &Desk) {
    for (path, _) in files() {
        desk.fetch(&source_of(path), &Destination::Cache).unwrap();
    }
    let repository = REPOSITORY.to_owned().try_into().unwrap();
    desk.cache().note_revision(&repository, "main", COMMIT).unwrap();
}

#[cfg(unix)]
#[test]
fn the_cache_is_the_one_that_the_official_client_makes() {
    let server = start();
    let desk = Desk::new(&server);
    fetch_all(&desk);
    assert_eq!(tree(&desk.environment.cache), fixture());
}

#[cfg(unix)]
#[test]
fn the_size_of_the_cache_is_that_of_its_files() {
    let server = start();
    let desk = Desk::new(&server);
    fetch_all(&desk);
    fetch_all(&desk);
    assert_eq!(server.requests().len(), files().len() - 1, "each file once; an empty one needs no request");
    assert_eq!(desk.blob_names().len(), files().len());
}

#[test]
fn without_links_the_snapshot_holds_the_files() {
    let server = start();
    let mut desk = Desk::new(&server);
    desk.environment.has_symlinks = false;
    fetch_all(&desk);
    assert!(desk.blob_names().is_empty());
    for (path, content) in files() {
        let file = desk.cache().file(
            &REPOSITORY.to_owned().try_into().unwrap(),
            COMMIT,
            &path.to_owned().try_into().unwrap(),
        );
        assert!(!file.is_symlink());
        assert_eq!(std::fs::read(file).unwrap(), content);
    }
    // What is here is not fetched again.
    let before = server.requests().len();
    fetch_all(&desk);
    assert_eq!(server.requests().len(), before);
}

#[test]
fn a_folder_of_one_s_own_holds_the_files_and_nothing_else() {
    let server = start();
    let desk = Desk::new(&server);
    let folder = desk.folder.path().join("own");
    for (path, content) in files() {
        let fetched = desk.fetch(&source_of(path), &Destination::Folder(folder.clone())).unwrap();
        assert_eq!(fetched.path, folder.join(path));
        assert_eq!(std::fs::read(fetched.path).unwrap(), content);
    }
    assert_eq!(names_in(&folder), ["README.md", "model_index.json", "scheduler", "tokenizer", "unet", "vae"]);
    assert_eq!(names_in(&folder.join("unet")), [WEIGHTS.rsplit('/').next().unwrap()]);
    assert!(!desk.environment.cache.exists());
}

/// Makes the fixture: `PYTHON=… cargo test --test downloads -- --ignored the_official_client`.
#[cfg(unix)]
#[test]
#[ignore = "needs Python with huggingface_hub; remakes tests/fixtures/hub_cache.json"]
fn the_official_client_makes_the_fixture() {
    let server = start();
    let home = tempfile::tempdir().unwrap();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut command = std::process::Command::new(python);
    command
        .arg(fixtures.join("make_hub_cache.py"))
        .arg(REPOSITORY)
        .args(files().iter().map(|(path, _)| path));
    command
        .env("HF_ENDPOINT", &server.address)
        .env("HF_HOME", home.path())
        .env("HF_HUB_DISABLE_TELEMETRY", "1");
    assert!(command.status().unwrap().success());
    let made = serde_json::to_string_pretty(&tree(&home.path().join("hub"))).unwrap();
    std::fs::write(fixtures.join("hub_cache.json"), made + "\n").unwrap();
}
