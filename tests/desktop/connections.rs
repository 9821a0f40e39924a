//! The promise in the real window: it opens no connection without a wish, also not for downloads that were left.

use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use super::common::sockets::internet_sockets;
use super::display::{Desktop, wait_for};
use super::{at_rest, start_command};

/// How long the window is watched once it is drawn.
const WATCHED: Duration = Duration::from_secs(4);

/// A queue of one file at this address, as an earlier session leaves it.
fn left(address: &str) -> String {
    serde_json::json!({ "version": 1, "sets": [{
        "name": "a model", "revision": null, "destination": { "folder": "/nowhere" },
        "items": [{ "failure": null, "source": { "direct": {
            "address": format!("{address}/a.gguf"), "file_name": "a.gguf" } } }],
    }] })
    .to_string()
}

fn assert_no_connection(trap: &TcpListener, pid: u32) {
    let sockets = internet_sockets(pid);
    assert!(sockets.is_empty(), "{sockets:?}");
    assert!(trap.accept().is_err(), "a connection was opened");
}

#[test]
fn a_window_with_downloads_that_were_left_opens_no_connection() {
    let desktop = Desktop::start(1280, 800);
    let trap = TcpListener::bind("127.0.0.1:0").unwrap();
    trap.set_nonblocking(true).unwrap();
    let address = format!("http://{}", trap.local_addr().unwrap());
    let queue = desktop.home().join(".local/share/safelight/downloads.json");
    std::fs::create_dir_all(queue.parent().unwrap()).unwrap();
    std::fs::write(&queue, left(&address)).unwrap();
    let mut command = desktop.command(Path::new(env!("CARGO_BIN_EXE_safelight")));
    command.env("HF_HOME", desktop.home()).env("HF_ENDPOINT", &address);
    command.env_remove("NO_PROXY").env_remove("no_proxy").env_remove("HF_HUB_OFFLINE");
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env(name, &address).env(name.to_lowercase(), &address);
    }
    let (program, window) = start_command(&desktop, command);
    assert_no_connection(&trap, program.child.id());
    let drawn = at_rest(&desktop, &window);
    let begun = Instant::now();
    while begun.elapsed() < WATCHED {
        assert_no_connection(&trap, program.child.id());
        std::thread::sleep(Duration::from_millis(20));
    }
    // The page of models, its catalogue and the list of downloads ask nobody either.
    desktop.press("ctrl+m");
    wait_for("the page of models", || {
        (super::changed_pixels(&drawn, &desktop.screenshot(&window)) > 20_000).then_some(())
    });
    let begun = Instant::now();
    while begun.elapsed() < WATCHED {
        assert_no_connection(&trap, program.child.id());
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(queue.exists(), "what was left is kept");
    // The trap would have caught one.
    std::net::TcpStream::connect(trap.local_addr().unwrap()).unwrap();
    wait_for("the connection of the test itself", || trap.accept().ok());
}
