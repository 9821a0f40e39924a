//! Several downloads: order, pause, resumption in a later run.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, bounded};
use safelight::reason::ReasonKind;
use safelight::store::hub::{
    Destination, Download, DownloadId, DownloadSet, DownloadState, Queue, QueueEvent, Revision, Source,
    SystemDisk, WebAddress,
};

use crate::common::hub::{
    COMMIT, Desk, REPOSITORY, WEIGHTS, address_of, file_reply, files, sha256, source_of, start, start_with,
    weights,
};
use crate::common::server::{Reply, Sending, Server};

const VAE: &str = "vae/diffusion_pytorch_model.fp16.safetensors";

fn open(desk: &Desk, file: Option<PathBuf>) -> (Queue, Receiver<QueueEvent>) {
    let (events, received) = bounded(64);
    (Queue::open(desk.client(), Box::new(SystemDisk), file, events), received)
}

fn set(files: Vec<Source>) -> DownloadSet {
    let repository = REPOSITORY.to_owned().try_into().unwrap();
    let revision = Some(Revision { repository, name: "main".to_owned(), commit: COMMIT.to_owned() });
    DownloadSet { name: "a model".to_owned(), revision, files, destination: Destination::Cache }
}

#[track_caller]
fn wait(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn download(queue: &Queue, id: DownloadId) -> Download {
    queue.downloads().into_iter().find(|download| download.id == id).unwrap()
}

/// A hub that sends the large file slowly.
fn slow_hub() -> Server {
    start_with(|seen, content| {
        file_reply(seen, WEIGHTS, content).sent(Sending::Slowly(10_000, Duration::from_millis(10)))
    })
}

#[test]
fn all_files_come_and_the_branch_is_noted_last() {
    let server = start();
    let desk = Desk::new(&server);
    let (queue, events) = open(&desk, None);
    let ids = queue.add(set(files().iter().map(|(path, _)| source_of(path)).collect()));
    wait("all done", || !queue.is_active());
    for id in &ids {
        let download = download(&queue, *id);
        assert!(matches!(download.state, DownloadState::Done(_)), "{download:?}");
        assert_eq!((Some(download.received), download.bytes_per_sec), (download.size, 0.0));
    }
    wait("the threads end", || queue.threads() == 0);
    let told: Vec<QueueEvent> = events.try_iter().collect();
    assert!(ids.iter().all(|id| told.contains(&QueueEvent::Changed(*id))), "{told:?}");
    assert_eq!((queue.take_done(), queue.take_done()), (vec!["a model".to_owned()], Vec::new()));
    let note = desk.environment.cache.join("models--someone--small-model/refs/main");
    assert_eq!(std::fs::read_to_string(note).unwrap(), COMMIT);
    queue.clear_done();
    assert!(queue.downloads().is_empty());
}

#[test]
fn two_run_at_a_time_in_their_order_which_can_be_changed() {
    // Nothing is answered before the gate opens.
    let gate: Arc<AtomicBool> = Arc::default();
    let is_open = gate.clone();
    let server = Server::start(move |seen| {
        while !is_open.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(1));
        }
        Reply::new(200, seen.path.as_bytes())
    });
    let mut desk = Desk::new(&server);
    desk.settings.stall = Duration::from_secs(20);
    let (queue, _events) = open(&desk, None);
    let source = |name: &str| Source::Direct {
        address: WebAddress::parse(&format!("{}/{name}", server.address)).unwrap(),
        file_name: name.to_owned().try_into().unwrap(),
    };
    let names = ["a.gguf", "b.gguf", "c.gguf", "d.gguf"];
    let ids = queue.add(DownloadSet {
        name: "four".to_owned(),
        revision: None,
        files: names.into_iter().map(source).collect(),
        destination: Destination::Folder(desk.folder.path().join("models")),
    });
    wait("two run", || server.requests().len() == 2);
    queue.move_to(ids[3], 2);
    let order: Vec<DownloadId> = queue.downloads().iter().map(|download| download.id).collect();
    assert_eq!(order, [ids[0], ids[1], ids[3], ids[2]]);
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!((server.requests().len(), queue.threads()), (2, 2));
    queue.pause(ids[2]);
    gate.store(true, Ordering::Relaxed);
    wait("three are done", || !queue.is_active());
    queue.resume(ids[2]);
    wait("all are done", || !queue.is_active());
    let asked: Vec<String> = server.requests().into_iter().map(|seen| seen.path).collect();
    assert_eq!(asked[2..], ["/d.gguf", "/c.gguf"]);
}

#[test]
fn a_pause_keeps_what_came_and_the_next_goes_on_with_it() {
    let server = slow_hub();
    let desk = Desk::new(&server);
    let (queue, events) = open(&desk, None);
    let id = queue.add(set(vec![source_of(WEIGHTS)]))[0];
    wait("some came", || download(&queue, id).received >= 50_000);
    let running = download(&queue, id);
    assert!(running.bytes_per_sec > 0.0 && running.time_left().is_some());
    queue.pause(id);
    assert_eq!(download(&queue, id).state, DownloadState::Paused);
    wait("the thread ends", || queue.threads() == 0);
    let kept = std::fs::metadata(desk.part()).unwrap().len();
    assert!(kept >= 50_000);
    assert!(events.try_iter().any(|event| event == QueueEvent::Progress(id)));
    queue.resume(id);
    wait("done", || matches!(download(&queue, id).state, DownloadState::Done(_)));
    assert_eq!(server.requests_for(&address_of(WEIGHTS))[1].range_start(), Some(kept as usize));
    assert_eq!(desk.blob_names(), [sha256(&weights())]);
}

#[test]
fn what_is_removed_leaves_no_part() {
    let server = slow_hub();
    let desk = Desk::new(&server);
    let (queue, _events) = open(&desk, None);
    // Running.
    let id = queue.add(set(vec![source_of(WEIGHTS)]))[0];
    wait("some came", || download(&queue, id).received >= 30_000);
    queue.remove(id);
    wait("the thread ends", || queue.threads() == 0);
    assert!(desk.blob_names().is_empty() && queue.downloads().is_empty());
    // Paused.
    let id = queue.add(set(vec![source_of(WEIGHTS)]))[0];
    wait("some came", || download(&queue, id).received >= 30_000);
    queue.pause(id);
    wait("the thread ends", || queue.threads() == 0);
    assert!(desk.part().exists());
    queue.remove(id);
    assert!(desk.blob_names().is_empty());
}

#[test]
fn a_failure_is_a_sentence_and_can_be_tried_again() {
    let server =
        start_with(
            |seen, content| {
                if seen.before == 0 { Reply::new(403, "") } else { file_reply(seen, WEIGHTS, content) }
            },
        );
    let desk = Desk::new(&server);
    let (queue, _events) = open(&desk, None);
    let ids = queue.add(set(vec![source_of(WEIGHTS), source_of(VAE)]));
    wait("over", || !queue.is_active());
    let DownloadState::Failed(why) = download(&queue, ids[0]).state else { panic!() };
    assert_eq!(why.kind(), ReasonKind::HubGated);
    let why = why.to_string();
    assert!(why.contains(REPOSITORY) && why.contains("accept"), "{why}");
    assert!(
        matches!(download(&queue, ids[1]).state, DownloadState::Done(_)),
        "one failure does not stop the others"
    );
    let note = desk.environment.cache.join("models--someone--small-model/refs/main");
    assert!(!note.exists(), "the set is not complete");
    queue.resume(ids[0]);
    wait("done", || matches!(download(&queue, ids[0]).state, DownloadState::Done(_)));
    wait("noted", || note.exists());
}

#[test]
fn a_later_run_knows_the_downloads_and_asks_nobody_before_it_is_told_to() {
    let server = slow_hub();
    let desk = Desk::new(&server);
    let file = desk.folder.path().join("state/downloads.json");
    let (queue, _events) = open(&desk, Some(file.clone()));
    let ids = queue.add(set(vec![source_of(WEIGHTS), source_of(VAE)]));
    wait("one done", || matches!(download(&queue, ids[1]).state, DownloadState::Done(_)));
    wait("some came", || download(&queue, ids[0]).received >= 50_000);
    drop(queue);
    let length = || std::fs::metadata(desk.part()).map_or(0, |data| data.len());
    wait("the thread of the queue ends", || {
        let before = length();
        std::thread::sleep(Duration::from_millis(500));
        before == length()
    });
    let before = server.requests().len();
    let (queue, _events) = open(&desk, Some(file.clone()));
    let downloads = queue.downloads();
    assert_eq!(downloads.len(), 1);
    assert_eq!((&downloads[0].source, &downloads[0].state), (&source_of(WEIGHTS), &DownloadState::Paused));
    assert!(downloads[0].received >= 50_000 && downloads[0].set == "a model");
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(server.requests().len(), before);
    queue.resume(downloads[0].id);
    wait("done", || !queue.is_active());
    assert_eq!(desk.blob_names().len(), 2);
    assert!(!file.exists(), "nothing is left to go on with");
}

#[test]
fn the_same_file_is_not_added_twice() {
    let server = slow_hub();
    let desk = Desk::new(&server);
    let (queue, _events) = open(&desk, None);
    let first = queue.add(set(vec![source_of(WEIGHTS)]));
    let second = queue.add(set(vec![source_of(WEIGHTS), source_of(VAE)]));
    assert_eq!(first[0], second[0]);
    assert_eq!(queue.downloads().len(), 2);
    wait("done", || !queue.is_active());
}
