//! Closed pipes, a full standard output, and signals.

use std::process::Command;

use crate::common::program::text;
use crate::small_model::{error_of, generate, names_in, small_model_with_nan};

#[cfg(unix)]
#[test]
fn a_reader_that_goes_away_ends_nothing_but_the_printing() {
    use std::process::Stdio;
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("p.png");
    let closed = |arguments: &[&str], errors_too: bool| {
        let (stdin, out) = std::io::pipe().unwrap();
        let (other, err) = std::io::pipe().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_safelight"));
        command.args(arguments).stdout(out).stderr(if errors_too {
            Stdio::from(err)
        } else {
            Stdio::piped()
        });
        drop((stdin, other));
        command.spawn().unwrap().wait_with_output().unwrap()
    };
    let output = closed(&generate(&picture, &["--batch", "3", "--json"]), false);
    assert_eq!((output.status.code(), error_of(&output).as_str()), (Some(0), ""));
    assert_eq!(names_in(folder.path()), ["p-1.png", "p-2.png", "p-3.png"]);
    let first = folder.path().join("p-1.png");
    for arguments in
        [&["inspect", text(&first), text(&first)][..], &["--help"], &["--version"], &["generate", "--help"]]
    {
        let output = closed(arguments, false);
        assert_eq!((output.status.code(), error_of(&output).as_str()), (Some(0), ""), "{arguments:?}");
    }
    // Standard error is closed too.
    assert_eq!(closed(&["inspect", "/no such file"], true).status.code(), Some(1));
    assert_eq!(closed(&["inspect", text(&first)], true).status.code(), Some(0));
    assert_eq!(closed(&["generate", "--nonsense"], true).status.code(), Some(2));
    let model = small_model_with_nan(folder.path(), "vae", "decoder.conv_out.bias");
    let arguments = generate(&picture, &["--model", text(&model)]);
    assert_eq!(closed(&arguments, true).status.code(), Some(1));
}

#[cfg(target_os = "linux")]
#[test]
fn standard_output_that_is_full_is_told_in_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("p.png");
    let full = |arguments: &[&str]| {
        let out = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let output =
            Command::new(env!("CARGO_BIN_EXE_safelight")).args(arguments).stdout(out).output().unwrap();
        let error = error_of(&output);
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains("standard output") && error.lines().count() == 1, "{error}");
    };
    full(&generate(&picture, &["--batch", "2", "--json"]));
    assert_eq!(names_in(folder.path()), ["p-1.png", "p-2.png"]);
    full(&["inspect", text(&folder.path().join("p-1.png"))]);
    full(&["--help"]);
}

/// The program with the default actions of signals, even if the tests were started by `nohup`.
#[cfg(unix)]
pub(crate) fn program_with_default_signals() -> Command {
    if cfg!(target_os = "linux") {
        let mut command = Command::new("env");
        command.args(["--default-signal=HUP,INT,TERM", env!("CARGO_BIN_EXE_safelight")]);
        command
    } else {
        Command::new(env!("CARGO_BIN_EXE_safelight"))
    }
}

#[cfg(unix)]
#[test]
fn a_signal_ends_the_program_between_two_files() {
    use std::time::{Duration, Instant};
    let folder = tempfile::tempdir().unwrap();
    for (signal, code) in [("TERM", 143), ("INT", 130), ("HUP", 129)] {
        let picture = folder.path().join(format!("{signal}.png"));
        let arguments = generate(&picture, &["--batch", "10000", "--save-latent", "unused"]);
        let latent = folder.path().join(format!("{signal}.latent"));
        let arguments: Vec<_> =
            arguments.into_iter().map(|a| if a == "unused" { text(&latent) } else { a }).collect();
        let child = program_with_default_signals()
            .args(arguments)
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let since = Instant::now();
        let second = folder.path().join(format!("{signal}-2.png"));
        while !second.exists() {
            assert!(since.elapsed() < Duration::from_mins(1), "no picture");
            std::thread::sleep(Duration::from_millis(5));
        }
        let kill = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap();
        assert!(kill.success());
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), error_of(&output).as_str()), (Some(code), ""));
    }
    let names = names_in(folder.path());
    assert!(names.iter().all(|name| !name.contains("tmp")), "{names:?}");
    for name in &names {
        let path = folder.path().join(name);
        if path.extension().is_some_and(|extension| extension == "png") {
            image::open(&path).unwrap();
            assert!(path.with_extension("latent").exists(), "the latent is written first: {names:?}");
        } else {
            safelight::formats::latent_file::read_latent(&path).unwrap();
        }
    }
}
