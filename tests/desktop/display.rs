//! A display without a screen, and the program in it.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use x11rb::connection::Connection as _;
use x11rb::protocol::xproto::{ClientMessageEvent, ConnectionExt as _, EventMask};

/// Longer than anything here takes on a loaded two-core machine.
const PATIENCE: Duration = Duration::from_mins(2);

/// Waits until `found` gives a value; panics with `what` when patience ends.
pub(crate) fn wait_for<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = found() {
            return value;
        }
        assert!(start.elapsed() < PATIENCE, "waited {} s in vain for {what}", PATIENCE.as_secs());
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// An X server of its own, a window manager, and a home folder nothing else uses.
pub(crate) struct Desktop {
    server: Child,
    manager: Option<Child>,
    name: String,
    home: tempfile::TempDir,
}

impl Desktop {
    /// Starts Xvfb on a free display with this screen size.
    pub(crate) fn start(width: u32, height: u32) -> Self {
        let mut server = Command::new("Xvfb")
            // Without `-noreset` it starts anew, and ends every connection, whenever its last client has left.
            .args([
                "-noreset",
                "-displayfd",
                "1",
                "-nolisten",
                "tcp",
                "-screen",
                "0",
                &format!("{width}x{height}x24"),
            ])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb does not start: run packaging/setup.sh test");
        let mut number = Vec::new();
        let stdout = server.stdout.as_mut().expect("piped above");
        for byte in std::io::BufReader::new(stdout).bytes() {
            match byte.expect("Xvfb says its display") {
                b'\n' => break,
                digit => number.push(digit),
            }
        }
        let name = format!(":{}", String::from_utf8(number).expect("digits"));
        let mut desktop =
            Self { server, manager: None, name, home: tempfile::tempdir().expect("a home folder") };
        desktop.manager = Some(desktop.command("openbox").spawn().expect("openbox starts"));
        desktop
    }

    /// The display's name, such as `:7`.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// A folder for this test's files; the program's settings live in it too.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// A command that sees this display, this home, and no session bus (so dialogs are zenity's).
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env("DISPLAY", &self.name)
            .env("HOME", self.home())
            .env("XDG_RUNTIME_DIR", self.home())
            .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
            .env("LANG", "C.UTF-8")
            .env("GTK_USE_PORTAL", "0")
            .env_remove("WAYLAND_DISPLAY")
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_DATA_HOME")
            .env_remove("XDG_CACHE_HOME")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// Runs xdotool and gives what it printed, or nothing when it failed.
    pub(crate) fn xdotool(&self, arguments: &[&str]) -> Option<String> {
        let output =
            self.command("xdotool").args(arguments).stdout(Stdio::piped()).output().expect("xdotool runs");
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// The window whose title contains this, if it is there.
    pub(crate) fn window(&self, title: &str) -> Option<String> {
        self.xdotool(&["search", "--onlyvisible", "--name", title])?.lines().next().map(str::to_owned)
    }

    /// Gives a window the keyboard.
    pub(crate) fn focus(&self, window: &str) {
        wait_for("the window to take the focus", || {
            self.xdotool(&["windowfocus", "--sync", window])?;
            (self.xdotool(&["getwindowfocus"])? == window).then_some(())
        });
    }

    /// Presses keys such as `ctrl+Return`.
    pub(crate) fn press(&self, keys: &str) {
        self.xdotool(&["key", "--clearmodifiers", keys]).expect("keys are pressed");
    }

    /// Writes settings with which runs are not kept.
    pub(crate) fn keep_no_runs(&self) {
        let folder = self.home().join(".config/safelight");
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join("settings.json"), r#"{"keep_runs": false}"#).expect("the settings");
    }

    /// Asks the window manager to close a window, as its button does. A key that the manager holds for itself is lost now
    /// and then where another program makes it look at the keyboard anew.
    pub(crate) fn close(&self, window: &str) {
        let window = window.parse().expect("a number");
        let (connection, screen) = x11rb::connect(Some(&self.name)).expect("the display answers");
        let atom = connection.intern_atom(false, b"_NET_CLOSE_WINDOW").unwrap().reply().unwrap().atom;
        let root = connection.setup().roots[screen].root;
        // From a pager or a task bar (2 in the second place), at no known time.
        let event = ClientMessageEvent::new(32, window, atom, [0, 2, 0, 0, 0]);
        let mask = EventMask::SUBSTRUCTURE_NOTIFY | EventMask::SUBSTRUCTURE_REDIRECT;
        connection.send_event(false, root, mask, event).unwrap();
        // An answer means that the request before it was read.
        connection.get_input_focus().unwrap().reply().unwrap();
    }

    /// Types ASCII text.
    pub(crate) fn type_text(&self, text: &str) {
        self.xdotool(&["type", "--delay", "25", text]).expect("text is typed");
    }

    /// Puts text into the clipboard, as another program does.
    pub(crate) fn copy_text(&self, text: &str) {
        let mut xclip = self.command("xclip");
        let mut xclip =
            xclip.args(["-selection", "clipboard"]).stdin(Stdio::piped()).spawn().expect("xclip runs");
        let mut stdin = xclip.stdin.take().expect("a pipe");
        stdin.write_all(text.as_bytes()).expect("xclip reads");
        drop(stdin);
        assert!(xclip.wait().expect("xclip goes to the background").success());
    }

    /// What the clipboard holds in this format, as another program sees it.
    pub(crate) fn clipboard(&self, format: &str) -> Option<Vec<u8>> {
        let mut xclip = self.command("timeout");
        let xclip = xclip.args(["5", "xclip", "-selection", "clipboard", "-t", format, "-o"]);
        let output = xclip.stdout(Stdio::piped()).output().expect("xclip runs");
        output.status.success().then_some(output.stdout)
    }

    /// What a window shows, as PNG bytes decoded to RGB.
    pub(crate) fn screenshot(&self, window: &str) -> image::RgbImage {
        let file = self.home().join("screenshot.png");
        // It waits for ever where the window has gone.
        let done = self.command("timeout").args(["20", "import", "-window", window]).arg(&file).status();
        let done = done.expect("import runs");
        assert!(done.success(), "no screenshot of window {window}");
        if let Some(folder) = std::env::var_os("SAFELIGHT_SCREENSHOTS") {
            let _ = std::fs::copy(&file, PathBuf::from(folder).join("last.png"));
        }
        image::open(&file).expect("a PNG").to_rgb8()
    }

    /// Keeps a picture for people to look at, where `SAFELIGHT_SCREENSHOTS` names a folder.
    #[expect(clippy::unused_self, reason = "pictures are a desktop's")]
    pub(crate) fn keep_picture(&self, picture: &image::RgbImage, name: &str) {
        if let Some(folder) = std::env::var_os("SAFELIGHT_SCREENSHOTS") {
            picture
                .save(PathBuf::from(folder).join(name).with_extension("png"))
                .expect("a picture is written");
        }
    }

    /// Ends the X server, as a crash of it would.
    pub(crate) fn end_server(&mut self) {
        self.server.kill().expect("it runs");
        self.server.wait().expect("it ends");
    }
}

impl Drop for Desktop {
    fn drop(&mut self) {
        for child in self.manager.iter_mut().chain([&mut self.server]) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The program, ended when dropped.
pub(crate) struct Program {
    pub(crate) child: Child,
    complaints: PathBuf,
}

impl Program {
    pub(crate) fn start(desktop: &Desktop, command: &mut Command) -> Self {
        let complaints = desktop.home().join("stderr.txt");
        let file = std::fs::File::create(&complaints).expect("a file for what the program complains of");
        Self { child: command.stderr(file).spawn().expect("the program starts"), complaints }
    }

    /// What the program said so far.
    pub(crate) fn complaints(&self) -> String {
        std::fs::read_to_string(&self.complaints).unwrap_or_default()
    }

    /// Fails with what the program said if it has ended.
    pub(crate) fn must_run(&mut self) {
        if let Some(status) = self.child.try_wait().expect("a child") {
            panic!("the program ended, {status}: {}", self.complaints());
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
