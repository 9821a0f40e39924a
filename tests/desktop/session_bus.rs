//! What the program tells the desktop over the session bus.

use std::collections::HashMap;
use std::io::BufRead as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use zbus::zvariant::OwnedValue;

use super::display::{Desktop, wait_for};
use super::start_command;

/// A process that is ended when it is dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A session bus that nothing else uses, and its address.
fn bus() -> (Process, String) {
    let mut daemon = Command::new("dbus-daemon");
    daemon.args(["--session", "--nofork", "--nosyslog", "--print-address"]);
    let daemon = daemon.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut daemon = daemon.expect("dbus-daemon does not start: run packaging/setup.sh test");
    let mut address = String::new();
    let stdout = daemon.stdout.take().expect("a pipe");
    std::io::BufReader::new(stdout).read_line(&mut address).expect("its address");
    (Process(daemon), address.trim().to_owned())
}

/// A notification: the id of the one that it replaces, its title and its text.
type Notification = (u32, String, String);

/// A desktop's notification service.
struct Service(Sender<Notification>);

#[zbus::interface(name = "org.freedesktop.Notifications")]
impl Service {
    #[expect(clippy::too_many_arguments, reason = "they are the specification's")]
    #[expect(clippy::needless_pass_by_value, reason = "the bus gives owned values")]
    fn notify(
        &self,
        name: String,
        replaced: u32,
        icon: String,
        title: String,
        body: String,
        actions: Vec<String>,
        hints: HashMap<String, OwnedValue>,
        timeout: i32,
    ) -> u32 {
        assert_eq!((name.as_str(), icon.as_str(), actions.len(), timeout), ("Safelight", "safelight", 0, -1));
        assert!(hints.contains_key("desktop-entry"));
        let _ = self.0.send((replaced, title, body));
        42
    }
}

/// A queue of pictures that takes longer than 10 s ends while the window is minimised: one notification says so, and the
/// task bar is told how far it has come.
#[test]
fn a_long_queue_that_ends_unseen_is_announced_once() {
    let desktop = Desktop::start(1280, 800);
    let (_daemon, address) = bus();
    let (calls, called) = channel();
    let service = zbus::connection::Builder::address(address.as_str()).expect("an address");
    let service = service.name("org.freedesktop.Notifications").expect("a name");
    let service = service.serve_at("/org/freedesktop/Notifications", Service(calls)).expect("a path");
    let _service = zbus::block_on(service.build()).expect("a service");
    let heard = desktop.home().join("heard.txt");
    let mut monitor = Command::new("dbus-monitor");
    monitor.args(["--address", &address, "type='signal',interface='com.canonical.Unity.LauncherEntry'"]);
    monitor.stdout(std::fs::File::create(&heard).expect("a file")).stderr(Stdio::null());
    let _monitor = Process(monitor.spawn().expect("dbus-monitor starts"));

    let mut command = desktop.command(env!("CARGO_BIN_EXE_safelight"));
    command.env("DBUS_SESSION_BUS_ADDRESS", &address);
    let (mut program, window) = start_command(&desktop, command);
    desktop.type_text("green hills at noon");
    desktop.press("ctrl+Return");
    let start = Instant::now();
    let title = || desktop.xdotool(&["getwindowname", &window]).unwrap_or_default();
    // `2/3 · 40 % · Safelight` while one more picture waits.
    let waits = || {
        let title = title();
        let series = title.split_once(" · ").and_then(|(series, _)| series.split_once('/'));
        series.is_some_and(|(at, of)| at != of)
    };
    while start.elapsed() < Duration::from_secs(11) {
        program.must_run();
        if !waits() {
            desktop.press("ctrl+Return");
            // On a busy machine the title lags behind; each press is one more picture.
            let pressed = Instant::now();
            while !waits() && pressed.elapsed() < Duration::from_secs(3) {
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    desktop.press("ctrl+Return");
    desktop.xdotool(&["windowminimize", &window]).expect("the window is minimised");
    assert!(title().contains('%'), "it still draws: {}", title());

    let (replaced, title, body) = wait_for("the notification", || {
        program.must_run();
        called.try_recv().ok().filter(|(_, title, _)| title.contains("drawn"))
    });
    assert!(title.ends_with(" pictures drawn"), "{title}");
    assert!(body.starts_with("Time: "), "{body}");
    assert_eq!(replaced, 0, "it is the first");
    let heard = wait_for("the last progress", || {
        let heard = std::fs::read_to_string(&heard).ok()?;
        heard.trim_end().ends_with(']').then_some(())?;
        heard.rsplit("member=Update").next()?.contains("boolean false").then_some(heard)
    });
    assert!(heard.contains("string \"application://safelight.desktop\""), "{heard}");
    assert!(heard.contains("string \"progress-visible\"") && heard.contains("boolean true"), "{heard}");
    let shares: Vec<f64> =
        heard.lines().filter_map(|line| line.split_once("double ")?.1.trim().parse().ok()).collect();
    assert!(
        shares.iter().any(|share| *share > 0.0) && shares.iter().all(|share| *share <= 1.0),
        "{shares:?}"
    );
    assert!(called.try_recv().is_err(), "one for all");
}
