//! The thread on a made-up tree.

use std::time::{Duration, Instant};

use super::*;
use crate::session::library::LibrarySnapshot;

/// A folder with this program's places in it, and the thread.
struct Machine {
    root: tempfile::TempDir,
    thread: LibraryThread,
    failures: Vec<String>,
}

impl Machine {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let paths = LibraryPaths {
            models: root.path().join("models"),
            config: root.path().join("config/library.json"),
            cache: root.path().join("cache/library.json"),
        };
        std::fs::create_dir(&paths.models).unwrap();
        let environment = Environment { home: Some(root.path().join("home")), ..Environment::default() };
        let to_trash = |path: &Path| {
            let name = path.with_extension("trashed");
            std::fs::rename(path, name).map_err(|error| error.to_string())
        };
        let mut thread = LibraryThread::new(&Waker::new(&egui::Context::default()));
        thread.of(Some(LibraryPlace { paths, environment, to_trash }));
        Self { root, thread, failures: Vec::new() }
    }

    /// Writes a small decoder, of which the header is what counts.
    fn write(&self, name: &str) -> std::path::PathBuf {
        let json = r#"{"1.weight":{"dtype":"F16","shape":[64,4,3,3],"data_offsets":[0,4608]},"3.conv.0.weight":{"dtype":"F16","shape":[1,1,1,1],"data_offsets":[4608,4610]}}"#;
        let path = self.root.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let bytes = [&(json.len() as u64).to_le_bytes()[..], json.as_bytes(), &[0; 4610]].concat();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// Waits until the library is as wanted.
    fn wait(&mut self, wanted: impl Fn(&LibrarySnapshot) -> bool) -> LibrarySnapshot {
        let start = Instant::now();
        loop {
            assert!(start.elapsed() < Duration::from_mins(1), "waited in vain; {:?}", self.failures);
            match self.thread.next() {
                Some(LibraryReport::Listed(snapshot)) if wanted(&snapshot) => return snapshot,
                Some(LibraryReport::Failed(why)) => self.failures.push(why.english().to_owned()),
                Some(_) => {}
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    fn wait_for(&mut self, names: &[&str]) -> LibrarySnapshot {
        self.wait(|snapshot| {
            snapshot.is_complete
                && snapshot.entries.iter().map(|entry| entry.name.as_str()).eq(names.iter().copied())
        })
    }
}

#[test]
fn a_file_that_appears_in_a_watched_folder_is_listed_and_one_that_goes_is_not() {
    let mut machine = Machine::new();
    machine.write("models/a.safetensors");
    machine.thread.send(LibraryCommand::Search { anew: false });
    machine.wait_for(&["a"]);
    // The folder is watched once it was searched.
    machine.thread.send(LibraryCommand::Search { anew: false });
    machine.wait_for(&["a"]);
    let b = machine.write("models/deep/b.safetensors");
    machine.wait_for(&["a", "b"]);
    std::fs::remove_file(b).unwrap();
    machine.wait_for(&["a"]);
}

#[test]
fn folders_entries_and_hashes_are_what_the_commands_say() {
    let mut machine = Machine::new();
    let a = machine.write("models/a.safetensors");
    machine.write("more/b.safetensors");
    let more = machine.root.path().join("more");
    machine.thread.send(LibraryCommand::AddFolder(more.clone()));
    let snapshot = machine.wait_for(&["a", "b"]);
    assert_eq!(snapshot.folders.len(), 2);
    machine.thread.send(LibraryCommand::Hash(a.clone()));
    let snapshot = machine.wait(|snapshot| snapshot.entries.iter().any(|entry| entry.sha256.is_some()));
    assert_eq!(snapshot.entries[0].auto_v2().map(str::len), Some(10));
    machine.thread.send(LibraryCommand::Remove(a.clone()));
    machine.wait_for(&["b"]);
    machine.thread.send(LibraryCommand::Restore(a.clone()));
    machine.wait_for(&["a", "b"]);
    machine.thread.send(LibraryCommand::Delete(a.clone()));
    machine.wait_for(&["b"]);
    assert!(!a.exists() && a.with_extension("trashed").exists());
    machine.thread.send(LibraryCommand::DropFolder(more));
    machine.wait_for(&[]);
    assert_eq!(machine.failures, [""; 0]);
}

/// A link in the library's folder may lead to a file that another program needs.
#[cfg(unix)]
#[test]
fn a_file_behind_a_link_is_not_deleted() {
    let mut machine = Machine::new();
    let real = machine.write("elsewhere/a.safetensors");
    let link = machine.root.path().join("models/a.safetensors");
    std::os::unix::fs::symlink(&real, &link).unwrap();
    machine.thread.send(LibraryCommand::Search { anew: false });
    machine.wait_for(&["a"]);
    machine.thread.send(LibraryCommand::Delete(link.clone()));
    let start = Instant::now();
    while machine.failures.is_empty() && start.elapsed() < Duration::from_mins(1) {
        machine.wait_for(&["a"]);
    }
    assert!(machine.failures[0].contains("a link leads out"), "{:?}", machine.failures);
    assert!(real.exists() && link.exists());
}

#[test]
fn a_window_without_a_library_starts_no_thread() {
    let mut thread = LibraryThread::new(&Waker::new(&egui::Context::default()));
    thread.send(LibraryCommand::Search { anew: false });
    thread.send(LibraryCommand::Stop);
    assert!(thread.commands.is_none() && thread.next().is_none());
}
