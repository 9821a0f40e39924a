//! Servers that lie, break, stall and change their files; disks that are full or closed. Nothing bad gets into the cache.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use safelight::request::CancelToken;
use safelight::store::hub::{Destination, Disk, HubError, Source, Step, WebAddress};

use crate::common::hub::{
    Desk, WEIGHTS, address_of, file_reply, names_in, noise, sha256, start, start_with, weights,
    weights_source,
};
use crate::common::server::{Reply, Sending, Server};

/// Asserts that the file is complete and correct, and alone in the folder of blobs.
#[track_caller]
fn assert_complete(desk: &Desk) {
    assert_eq!(desk.blob_names(), [sha256(&weights())]);
    let file = desk.cache().file(
        &"someone/small-model".to_owned().try_into().unwrap(),
        crate::common::hub::COMMIT,
        &WEIGHTS.to_owned().try_into().unwrap(),
    );
    assert_eq!(std::fs::read(file).unwrap(), weights());
}

/// The first bytes of the ranges that were asked for.
fn ranges(server: &Server) -> Vec<Option<usize>> {
    server.requests_for(&address_of(WEIGHTS)).iter().map(crate::common::server::Seen::range_start).collect()
}

#[test]
fn a_broken_connection_goes_on_where_it_broke() {
    let server = start_with(|seen, content| {
        let reply = file_reply(seen, WEIGHTS, content);
        if seen.before < 2 { reply.sent(Sending::Cut(100_000)) } else { reply }
    });
    let desk = Desk::new(&server);
    desk.fetch_weights().unwrap();
    assert_complete(&desk);
    assert_eq!(ranges(&server), [None, Some(100_000), Some(200_000)]);
    let last = &server.requests_for(&address_of(WEIGHTS))[2];
    assert_eq!(last.header("if-range"), Some(&*format!("\"{}\"", sha256(&weights()))));
    assert_eq!(last.header("accept-encoding"), Some("identity"));
}

#[test]
fn a_server_that_refuses_ranges_sends_all_again() {
    let server = start_with(|seen, content| {
        let reply = Reply::new(200, content);
        if seen.before == 0 { reply.sent(Sending::Cut(100_000)) } else { reply }
    });
    let desk = Desk::new(&server);
    desk.fetch_weights().unwrap();
    assert_complete(&desk);
}

#[test]
fn a_server_that_refuses_ranges_and_always_breaks_is_given_up() {
    let server = start_with(|_, content| Reply::new(200, content).sent(Sending::Cut(100_000)));
    let desk = Desk::new(&server);
    let error = desk.fetch_weights().unwrap_err();
    assert!(matches!(error, HubError::Broken { .. }), "{error}");
    assert!(error.to_string().contains("try again later"), "{error}");
    // Four attempts of which only the first brought anything new.
    assert_eq!(ranges(&server).len(), 4);
}

#[test]
fn a_length_that_is_not_the_listed_one_is_not_taken() {
    for sent in [299_999, 300_001] {
        let server = start_with(move |_, content| {
            let mut content = content.to_vec();
            content.resize(sent, 0);
            Reply::new(200, content)
        });
        let desk = Desk::new(&server);
        let error = desk.fetch_weights().unwrap_err();
        assert!(matches!(error, HubError::WrongLength { listed: 300_000, .. }), "{error}");
        assert!(error.to_string().ends_with(WEIGHTS), "{error}");
        assert!(desk.blob_names().is_empty());
    }
}

#[test]
fn a_length_that_is_told_and_not_sent_keeps_what_came() {
    let server = start_with(|seen, content| {
        let mut reply = file_reply(seen, WEIGHTS, content);
        reply.length = Some(reply.content.len() - reply.from);
        reply.sent(Sending::Cut(if seen.before == 0 { 120_000 } else { 0 }))
    });
    let desk = Desk::new(&server);
    let error = desk.fetch_weights().unwrap_err();
    assert!(matches!(error, HubError::Broken { .. }), "{error}");
    assert_eq!(std::fs::read(desk.part()).unwrap(), weights()[..120_000]);
}

#[test]
fn a_page_instead_of_the_file_is_called_one() {
    let server = start_with(|_, _| {
        Reply::new(200, "<html>Please log in</html>").header("content-type", "text/html; charset=utf-8")
    });
    let desk = Desk::new(&server);
    let error = desk.fetch_weights().unwrap_err();
    assert!(matches!(error, HubError::NotAFile { .. }), "{error}");
    assert!(desk.blob_names().is_empty());
}

#[test]
fn a_file_that_changes_midway_is_fetched_anew() {
    // The first answer is of another state of the file.
    let server = start_with(|seen, content| {
        if seen.before == 0 {
            let old = noise(300_000, 9);
            Reply::new(200, old).header("etag", "\"old\"").sent(Sending::Cut(100_000))
        } else {
            file_reply(seen, WEIGHTS, content)
        }
    });
    let desk = Desk::new(&server);
    desk.fetch_weights().unwrap();
    assert_complete(&desk);
    assert_eq!(server.requests_for(&address_of(WEIGHTS))[1].header("if-range"), Some("\"old\""));
}

#[test]
fn a_partial_answer_of_another_state_is_not_joined_to_what_came() {
    // This server takes no notice of If-Range.
    let server = start_with(|seen, content| {
        let etag = format!("\"{}\"", seen.before.min(1));
        let mut reply = Reply::new(200, if seen.before == 0 { noise(300_000, 9) } else { content.to_vec() });
        if let Some(from) = seen.range_start() {
            (reply.status, reply.from) = (206, from);
            reply = reply.header("content-range", &format!("bytes {from}-299999/300000"));
        }
        let reply = reply.header("etag", &etag);
        if seen.before == 0 { reply.sent(Sending::Cut(100_000)) } else { reply }
    });
    let desk = Desk::new(&server);
    desk.fetch_weights().unwrap();
    assert_complete(&desk);
    assert_eq!(ranges(&server), [None, Some(100_000), None]);
}

#[test]
fn a_file_that_never_stops_changing_is_given_up() {
    let server = start_with(|seen, content| {
        Reply::new(200, content).header("etag", &format!("\"{}\"", seen.before)).sent(Sending::Cut(100_000))
    });
    let desk = Desk::new(&server);
    let error = desk.fetch_weights().unwrap_err();
    assert!(matches!(error, HubError::Changing { .. }), "{error}");
    assert!(desk.blob_names().is_empty());
}

#[test]
fn a_wrong_content_is_removed() {
    let server = start_with(|seen, _| file_reply(seen, WEIGHTS, &noise(300_000, 3)));
    let desk = Desk::new(&server);
    let error = desk.fetch_weights().unwrap_err();
    assert!(matches!(error, HubError::WrongHash { .. }), "{error}");
    assert!(error.to_string().contains(&sha256(&weights())), "{error}");
    assert!(desk.blob_names().is_empty());
}

#[test]
fn a_damaged_part_of_an_earlier_run_is_fetched_anew() {
    let server = start();
    let desk = Desk::new(&server);
    std::fs::create_dir_all(desk.blobs()).unwrap();
    for damaged in [noise(100_000, 7), noise(300_000, 7), noise(400_000, 7)] {
        std::fs::remove_dir_all(&desk.environment.cache).unwrap();
        std::fs::create_dir_all(desk.blobs()).unwrap();
        std::fs::write(desk.part(), damaged).unwrap();
        desk.fetch_weights().unwrap();
        assert_complete(&desk);
    }
}

#[test]
fn a_complete_part_of_an_earlier_run_needs_no_request() {
    let server = start();
    let desk = Desk::new(&server);
    std::fs::create_dir_all(desk.blobs()).unwrap();
    std::fs::write(desk.part(), weights()).unwrap();
    desk.fetch_weights().unwrap();
    assert_complete(&desk);
    assert!(server.requests().is_empty());
    // Nor does a file that is here.
    assert_eq!(desk.fetch_weights().unwrap().hash, None);
    assert!(server.requests().is_empty());
}

#[test]
fn a_stalled_server_is_left_and_asked_again() {
    let server = start_with(|seen, content| {
        let reply = file_reply(seen, WEIGHTS, content);
        if seen.before == 0 { reply.sent(Sending::Stall(50_000)) } else { reply }
    });
    let desk = Desk::new(&server);
    let begun = Instant::now();
    desk.fetch_weights().unwrap();
    assert_complete(&desk);
    assert!(begun.elapsed() >= desk.settings.stall);
    assert_eq!(ranges(&server), [None, Some(50_000)]);
}

#[test]
fn a_server_that_always_stalls_is_named() {
    let server = start_with(|seen, content| file_reply(seen, WEIGHTS, content).sent(Sending::Stall(0)));
    let mut desk = Desk::new(&server);
    desk.settings.stall = Duration::from_millis(100);
    let error = desk.fetch_weights().unwrap_err();
    assert!(matches!(error, HubError::Stalled { .. }), "{error}");
    assert!(error.to_string().starts_with("127.0.0.1 sent nothing for 0.1 seconds"), "{error}");
}

#[test]
fn a_busy_server_gets_the_time_that_it_asks_for() {
    let server = start_with(|seen, content| {
        if seen.before == 0 {
            Reply::new(429, "slow down").header("retry-after", "1")
        } else if seen.before == 1 {
            Reply::new(503, "")
        } else {
            file_reply(seen, WEIGHTS, content)
        }
    });
    let desk = Desk::new(&server);
    let begun = Instant::now();
    desk.fetch_weights().unwrap();
    assert_complete(&desk);
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[test]
fn a_server_that_stays_busy_is_named_with_its_status() {
    let server = start_with(|_, _| Reply::new(429, "").header("retry-after", "3600"));
    let desk = Desk::new(&server);
    let error = desk.fetch_weights().unwrap_err().to_string();
    assert!(error.contains("429 and asks to wait 3600 seconds"), "{error}");
    assert_eq!(ranges(&server).len(), 1);
}

#[test]
fn a_compressed_answer_is_refused() {
    let server =
        start_with(|seen, content| file_reply(seen, WEIGHTS, content).header("content-encoding", "gzip"));
    let error = Desk::new(&server).fetch_weights().unwrap_err();
    assert!(matches!(error, HubError::BadAnswer { .. }), "{error}");
}

#[test]
fn nobody_there_is_said_so() {
    let address = start().address.clone();
    let mut desk = Desk::new(&start());
    desk.environment.endpoint = WebAddress::parse(&address).unwrap();
    let error = desk.fetch_weights().unwrap_err().to_string();
    assert!(error.starts_with("127.0.0.1 cannot be reached: Connection refused"), "{error}");
    desk.environment.is_offline = true;
    assert!(matches!(desk.fetch_weights(), Err(HubError::Offline)));
    assert!(matches!(desk.listing(), Err(HubError::Offline)));
}

#[test]
fn a_stop_keeps_what_came() {
    let server = start_with(|seen, content| {
        file_reply(seen, WEIGHTS, content).sent(Sending::Slowly(10_000, Duration::from_millis(5)))
    });
    let desk = Desk::new(&server);
    let cancel = CancelToken::new();
    let stopped = desk.fetch_until(&weights_source(), &Destination::Cache, &cancel, &mut |step| {
        if matches!(step, Step::Received(count, _) if count >= 50_000) {
            cancel.stop();
        }
    });
    assert!(stopped.unwrap().is_none());
    let kept = std::fs::read(desk.part()).unwrap();
    assert!(kept.len() >= 50_000 && kept == weights()[..kept.len()]);
    desk.fetch_weights().unwrap();
    assert_complete(&desk);
    assert_eq!(ranges(&server)[1], Some(kept.len()));
}

/// A disk with this much space, of which as much is told.
struct SmallDisk {
    told: u64,
    space: u64,
}

impl Disk for SmallDisk {
    fn available(&self, _: &Path) -> std::io::Result<u64> {
        Ok(self.told)
    }

    fn write(&self, file: &mut File, bytes: &[u8]) -> std::io::Result<()> {
        let fits = self.space.saturating_sub(file.metadata()?.len()).min(bytes.len() as u64) as usize;
        file.write_all(&bytes[..fits])?;
        if fits < bytes.len() { Err(std::io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

#[test]
fn too_little_space_is_noticed_before_anything_is_asked_for() {
    let server = start();
    let mut desk = Desk::new(&server);
    desk.disk = Arc::new(SmallDisk { told: 250_000, space: u64::MAX });
    let error = desk.fetch_weights().unwrap_err();
    assert!(matches!(error, HubError::Space { needed: 300_000, free: 250_000, .. }), "{error}");
    assert!(error.to_string().contains("300.0 kB more are needed and 250.0 kB are free"), "{error}");
    assert!(server.requests().is_empty());
}

#[test]
fn a_disk_that_fills_up_keeps_a_sound_part() {
    let server = start();
    let mut desk = Desk::new(&server);
    let usual = desk.disk.clone();
    desk.disk = Arc::new(SmallDisk { told: u64::MAX, space: 297_000 });
    let error = desk.fetch_weights().unwrap_err();
    assert!(matches!(error, HubError::Space { .. }), "{error}");
    let kept = std::fs::read(desk.part()).unwrap();
    assert!(kept.len() <= 297_000 && kept == weights()[..kept.len()]);
    desk.disk = usual;
    desk.fetch_weights().unwrap();
    assert_complete(&desk);
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written_is_named() {
    use std::os::unix::fs::PermissionsExt as _;
    let server = start();
    let mut desk = Desk::new(&server);
    // The superuser may write everywhere, except where the system offers nothing to write to.
    let closed = desk.folder.path().join("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o500)).unwrap();
    let may_write = std::fs::write(closed.join("probe"), "").is_ok();
    desk.environment.cache = if may_write { "/proc/safelight".into() } else { closed.join("hub") };
    let error = desk.fetch_weights().unwrap_err().to_string();
    assert!(error.starts_with("cannot make the folder: "), "{error}");
    if !may_write {
        assert!(error.contains("HF_HUB_CACHE") && error.contains("closed/hub"), "{error}");
    }
    assert!(server.requests().is_empty());
}

#[cfg(unix)]
#[test]
fn a_cache_behind_a_broken_link_is_named() {
    let server = start();
    let mut desk = Desk::new(&server);
    desk.environment.cache = desk.folder.path().join("link");
    std::os::unix::fs::symlink("gone", &desk.environment.cache).unwrap();
    let error = desk.fetch_weights().unwrap_err().to_string();
    assert!(error.contains("a link to a place that does not exist") && error.contains("/link"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_part_that_is_a_link_is_not_written_through() {
    let server = start();
    let desk = Desk::new(&server);
    let precious = desk.folder.path().join("precious");
    std::fs::write(&precious, "old").unwrap();
    std::fs::create_dir_all(desk.blobs()).unwrap();
    std::os::unix::fs::symlink(&precious, desk.part()).unwrap();
    desk.fetch_weights().unwrap();
    assert_complete(&desk);
    assert_eq!(std::fs::read(precious).unwrap(), b"old");
}

fn direct(server: &Server) -> Source {
    Source::Direct {
        address: WebAddress::parse(&format!("{}/files/a.gguf?key=1", server.address)).unwrap(),
        file_name: "a.gguf".to_owned().try_into().unwrap(),
    }
}

#[test]
fn a_file_from_elsewhere_goes_on_in_a_later_run_if_it_is_the_same() {
    for etag in ["\"one\"", "\"two\""] {
        let server = Server::start(move |seen| {
            let content = noise(100_000, if seen.before == 0 || etag == "\"one\"" { 1 } else { 2 });
            let own = if seen.before == 0 { "\"one\"" } else { etag };
            let mut reply = Reply::new(200, content).header("etag", own);
            if let Some(from) = seen.range_start().filter(|_| seen.header("if-range") == Some(own)) {
                (reply.status, reply.from) = (206, from);
                reply = reply.header("content-range", &format!("bytes {from}-99999/100000"));
            }
            if seen.before == 0 {
                reply.sent(Sending::Slowly(10_000, Duration::from_millis(10)))
            } else {
                reply
            }
        });
        let desk = Desk::new(&server);
        let folder = desk.folder.path().join("models");
        let to = Destination::Folder(folder.clone());
        let cancel = CancelToken::new();
        let stopped = desk.fetch_until(&direct(&server), &to, &cancel, &mut |step| {
            if matches!(step, Step::Received(count, _) if count >= 30_000) {
                cancel.stop();
            }
        });
        assert!(stopped.unwrap().is_none());
        assert_eq!(names_in(&folder), ["a.gguf.part", "a.gguf.part.json"]);
        let note = std::fs::read_to_string(folder.join("a.gguf.part.json")).unwrap();
        assert!(!note.contains("key"), "the query may be a secret: {note}");
        let fetched = desk.fetch(&direct(&server), &to).unwrap();
        let expected = noise(100_000, if etag == "\"one\"" { 1 } else { 2 });
        assert_eq!(std::fs::read(&fetched.path).unwrap(), expected);
        assert_eq!(fetched.hash.unwrap().name(), sha256(&expected));
        assert_eq!(names_in(&folder), ["a.gguf"]);
        assert_eq!(server.requests()[1].header("if-range"), Some("\"one\""));
    }
}

#[test]
fn a_file_in_the_way_is_never_replaced() {
    let server = start();
    let desk = Desk::new(&server);
    let folder = desk.folder.path().join("models");
    std::fs::create_dir_all(folder.join("unet")).unwrap();
    std::fs::write(folder.join("a.gguf"), "mine").unwrap();
    std::fs::write(folder.join(WEIGHTS), "mine").unwrap();
    let to = Destination::Folder(folder.clone());
    for source in [direct(&server), weights_source()] {
        let error = desk.fetch(&source, &to).unwrap_err();
        assert!(matches!(error, HubError::Occupied(_)), "{error}");
    }
    assert_eq!(std::fs::read(folder.join("a.gguf")).unwrap(), b"mine");
    assert!(server.requests().is_empty());
    // The same file is no obstacle.
    std::fs::write(folder.join(WEIGHTS), weights()).unwrap();
    assert_eq!(desk.fetch(&weights_source(), &to).unwrap().hash, None);
    assert_eq!(names_in(&folder.join("unet")), [WEIGHTS.rsplit('/').next().unwrap()]);
}
