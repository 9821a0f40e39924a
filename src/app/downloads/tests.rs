//! The thread without a server: what it says of an earlier session, and which window the queue belongs to.

use std::path::Path;
use std::time::{Duration, Instant};

use super::*;
use crate::session::downloads::{Download, DownloadState};
use crate::store::hub::{TokenStore, WebAddress};

/// A queue of one file that nobody answers for.
const LEFT: &str = r#"{"version": 1, "sets": [{"name": "a model", "revision": null,
    "destination": {"folder": "/nowhere"}, "items": [{"failure": null,
    "source": {"direct": {"address": "http://127.0.0.1:9/a.gguf", "file_name": "a.gguf"}}}]}]}"#;

fn place(folder: &Path) -> DownloadPlace {
    let environment = HubEnvironment {
        endpoint: WebAddress::parse("http://127.0.0.1:9").unwrap(),
        cache: folder.join("hub"),
        is_offline: false,
        has_symlinks: true,
        uses_proxies: false,
        tokens: TokenStore {
            variable: None,
            hugging_face_file: folder.join("theirs"),
            own_file: Some(folder.join("hub-token")),
            uses_keyring: false,
        },
    };
    let (queue_file, models) = (folder.join("downloads.json"), folder.join("models"));
    DownloadPlace { environment, settings: ClientSettings::default(), queue_file, models }
}

fn thread(folder: &Path) -> DownloadsThread {
    let mut thread = DownloadsThread::new(&Waker::new(&egui::Context::default()));
    thread.of(Ok(place(folder)));
    thread
}

fn listed(thread: &DownloadsThread) -> Vec<Download> {
    let start = Instant::now();
    loop {
        assert!(start.elapsed() < Duration::from_secs(30), "nothing was listed");
        match thread.next() {
            Some(DownloadsReport::Listed(list)) => return list,
            _ => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

#[test]
fn without_downloads_of_an_earlier_session_no_thread_is_started() {
    let folder = tempfile::tempdir().unwrap();
    let thread = thread(folder.path());
    assert!(thread.commands.is_none() && thread.next().is_none());
    std::fs::write(folder.path().join("hub-token"), "secret").unwrap();
    let thread = self::thread(folder.path());
    assert!(thread.commands.is_none());
    assert!(matches!(thread.next(), Some(DownloadsReport::HasToken(true))));
}

#[test]
fn what_is_left_is_shown_paused_by_the_first_window_only() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("downloads.json"), LEFT).unwrap();
    let first = thread(folder.path());
    let list = listed(&first);
    assert_eq!((list.len(), &list[0].state), (1, &DownloadState::Paused));
    let second = thread(folder.path());
    assert_eq!(listed(&second), []);
    drop(second);
    drop(first);
    // The lock goes with the thread, which may take a moment.
    let start = Instant::now();
    while listed(&thread(folder.path())).is_empty() {
        assert!(start.elapsed() < Duration::from_secs(30));
    }
    assert_eq!(std::fs::read_to_string(folder.path().join("downloads.json")).unwrap(), LEFT);
}

#[test]
fn variables_that_cannot_be_used_are_said_where_something_is_wanted() {
    let mut thread = DownloadsThread::new(&Waker::new(&egui::Context::default()));
    thread.of(Err(HubError::Variable { name: "HF_ENDPOINT", reason: "it is no address".into() }));
    assert!(thread.next().is_none());
    thread.send(DownloadsCommand::Look("a/b".into()));
    let Some(DownloadsReport::Looked(Err(why))) = thread.next() else { panic!() };
    assert!(why.english().contains("HF_ENDPOINT"));
}
