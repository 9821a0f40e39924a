//! The promise: without a wish to fetch something the program opens no connection.

#![cfg(target_os = "linux")]

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::sockets::internet_sockets;

/// Runs the program with every address of the environment leading to `trap`, and watches its sockets.
fn watch(trap: &TcpListener, home: &Path, arguments: &[&str]) -> usize {
    let address = format!("http://{}", trap.local_addr().unwrap());
    let mut command = Command::new(env!("CARGO_BIN_EXE_safelight"));
    command.args(arguments).env("HF_HOME", home).env("HOME", home).env("HF_ENDPOINT", &address);
    command.env_remove("NO_PROXY").env_remove("no_proxy").env_remove("HF_HUB_OFFLINE");
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env(name, &address).env(name.to_lowercase(), &address);
    }
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    let mut looks = 0;
    let status = loop {
        let sockets = internet_sockets(child.id());
        assert!(sockets.is_empty(), "{arguments:?}: {sockets:?}");
        looks += 1;
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        assert!(begun.elapsed() < Duration::from_mins(4), "{arguments:?}");
        std::thread::sleep(Duration::from_millis(2));
    };
    let errors = std::io::read_to_string(child.stderr.take().unwrap()).unwrap();
    assert!(status.success(), "{arguments:?}: {errors}");
    trap.set_nonblocking(true).unwrap();
    assert!(trap.accept().is_err(), "{arguments:?} opened a connection");
    looks
}

#[test]
fn without_a_wish_no_connection_is_opened() {
    let home = tempfile::tempdir().unwrap();
    let trap = TcpListener::bind("127.0.0.1:0").unwrap();
    let picture = home.path().join("a.png");
    let picture = picture.to_str().unwrap();
    let size = ["--steps", "20", "--width", "128", "--height", "128"];
    let generate = [&["generate", "--prompt", "a hill", "--output", picture][..], &size].concat();
    let looks = watch(&trap, home.path(), &generate);
    assert!(looks >= 5, "it was watched while it ran: {looks}");
    watch(&trap, home.path(), &["inspect", picture]);
    // The catalogue is shown from the program.
    watch(&trap, home.path(), &["models", "get"]);
    watch(&trap, home.path(), &["models", "list"]);
}

#[test]
fn the_watch_sees_a_socket() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    assert!(!internet_sockets(std::process::id()).is_empty());
    drop(listener);
}
