//! How fast a download is, beside copying a file of the same size.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::Instant;

use safelight::store::hub::{ContentHash, Destination, RepositoryId, Source};

use crate::common::hub::{COMMIT, Desk, noise, sha256};
use crate::common::server::{Reply, Server, thread};

/// Serves one file of any number of repeated pieces.
fn serve(piece: Vec<u8>, times: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    thread("server", move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = [0; 4096];
            let _ = stream.read(&mut head);
            let length = piece.len() * times;
            let _ =
                write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
            for _ in 0..times {
                if stream.write_all(&piece).is_err() {
                    break;
                }
            }
        }
    });
    address
}

#[test]
#[ignore = "measures: 1 GB on the loopback, cargo test --test downloads -- --ignored --nocapture a_gigabyte"]
fn a_gigabyte() {
    let (piece, times) = (noise(1 << 20, 1), 1000);
    let whole = piece.repeat(times);
    let server = Server::start(|_| Reply::new(404, ""));
    let mut desk = Desk::new(&server);
    desk.environment.endpoint = safelight::store::hub::WebAddress::parse(&serve(piece, times)).unwrap();
    let source = Source::Hub {
        repository: RepositoryId::parse("a/b").unwrap(),
        commit: COMMIT.to_owned(),
        path: "a.gguf".to_owned().try_into().unwrap(),
        size: whole.len() as u64,
        hash: ContentHash::sha256(&sha256(&whole)).unwrap(),
    };
    let bytes = whole.len() as f64;
    let original = desk.folder.path().join("original");
    std::fs::write(&original, &whole).unwrap();
    drop(whole);
    for round in 0..3 {
        let begun = Instant::now();
        let fetched =
            desk.fetch(&source, &Destination::Folder(desk.folder.path().join(format!("{round}")))).unwrap();
        let secs = begun.elapsed().as_secs_f64();
        println!("download: {:.0} MB/s ({secs:.2} s), hashed and synced", bytes / secs / 1e6);
        std::fs::remove_file(fetched.path).unwrap();
        let copy = desk.folder.path().join("copy");
        let begun = Instant::now();
        assert!(
            std::process::Command::new("cp")
                .arg("--reflink=never")
                .arg(&original)
                .arg(&copy)
                .status()
                .unwrap()
                .success()
        );
        let copied = begun.elapsed().as_secs_f64();
        std::fs::File::open(&copy).unwrap().sync_all().unwrap();
        let synced = begun.elapsed().as_secs_f64();
        println!("cp: {:.0} MB/s, with sync {:.0} MB/s", bytes / copied / 1e6, bytes / synced / 1e6);
        std::fs::remove_file(copy).unwrap();
    }
}
