//! File dialogs of the program zenity, for desktops without a portal.
//!
//! rfd falls back to zenity as well, but tells it neither a title nor a folder: its dialogs are called "zenity" and
//! open at the files used recently, where no path can be typed.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::file_request::{Choice, FileRequest};

/// The portal's service on the session bus.
const PORTAL: &str = "dbus-1/services/org.freedesktop.portal.Desktop.service";

/// Shows the dialog and waits for the answer. No paths: it was cancelled.
///
/// # Errors
/// If zenity cannot be started.
pub(super) fn show(request: &FileRequest) -> io::Result<Vec<PathBuf>> {
    let command = Command::new("zenity").args(arguments(request)).stderr(Stdio::null()).output()?;
    Ok(paths(&command.stdout))
}

/// Whether a desktop portal can be expected, which shows the dialogs of the desktop itself: a session bus answers, and
/// the portal's service is installed. `env` gives environment variables.
pub(super) fn has_portal(env: impl Fn(&str) -> Option<OsString>) -> bool {
    // A sandbox reaches the portal of its host, whose services it does not see.
    if Path::new("/.flatpak-info").exists() || env("SNAP").is_some() {
        return true;
    }
    let data = env("XDG_DATA_DIRS").filter(|dirs| !dirs.is_empty());
    let data = data.unwrap_or_else(|| "/usr/local/share:/usr/share".into());
    let own = env("XDG_DATA_HOME").map(PathBuf::from);
    let own = own.or_else(|| Some(PathBuf::from(env("HOME")?).join(".local/share")));
    let mut folders = std::env::split_paths(&data).chain(own);
    bus_answers(env) && folders.any(|folder| folder.join(PORTAL).is_file())
}

/// Whether the session bus accepts connections. An address that is no path in the file system counts as answering.
fn bus_answers(env: impl Fn(&str) -> Option<OsString>) -> bool {
    let socket = match env("DBUS_SESSION_BUS_ADDRESS") {
        Some(address) => match address.to_string_lossy().strip_prefix("unix:path=") {
            Some(path) => PathBuf::from(path.split([',', ';']).next().unwrap_or_default()),
            None => return true,
        },
        None => match env("XDG_RUNTIME_DIR") {
            Some(folder) => PathBuf::from(folder).join("bus"),
            None => return false,
        },
    };
    UnixStream::connect(socket).is_ok()
}

fn arguments(request: &FileRequest) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec!["--file-selection".into(), "--title".into()];
    arguments.push(request.title.clone().into());
    match request.choice {
        Choice::File => {}
        Choice::Files => arguments.extend(["--multiple".into(), "--separator=\n".into()]),
        Choice::Folder => arguments.push("--directory".into()),
        Choice::Save => arguments.extend(["--save".into(), "--confirm-overwrite".into()]),
    }
    for (name, extensions) in request.filters {
        let patterns: Vec<_> = extensions.iter().map(|extension| format!("*.{extension}")).collect();
        arguments.push(format!("--file-filter={name} | {}", patterns.join(" ")).into());
    }
    // Without a name the path has to end with a separator, or the folder is selected in its parent.
    let start = request.existing_folder().map(|folder| folder.join(&request.name).into_os_string());
    let start = start.or_else(|| (!request.name.is_empty()).then(|| request.name.clone().into()));
    if let Some(start) = start {
        arguments.push("--filename".into());
        arguments.push(start);
    }
    arguments
}

/// The paths that zenity wrote, one a line.
fn paths(said: &[u8]) -> Vec<PathBuf> {
    let lines = said.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| PathBuf::from(OsStr::from_bytes(line))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(choice: Choice, folder: &Path, name: &str) -> FileRequest {
        FileRequest {
            choice,
            title: "Save the picture".to_owned(),
            folder: Some(folder.to_owned()),
            name: name.to_owned(),
            filters: &[("JPEG", &["jpg", "jpeg"])],
        }
    }

    #[test]
    fn zenity_is_told_title_folder_and_name() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("my pictures");
        std::fs::create_dir(&folder).unwrap();
        let said = |request: &FileRequest| arguments(request).join(OsStr::new("|")).into_string().unwrap();
        let shown = folder.display();
        assert_eq!(
            said(&request(Choice::Save, &folder, "a.jpg")),
            format!(
                "--file-selection|--title|Save the picture|--save|--confirm-overwrite|\
                 --file-filter=JPEG | *.jpg *.jpeg|--filename|{shown}/a.jpg"
            )
        );
        for choice in [Choice::Folder, Choice::File, Choice::Files] {
            let said = said(&request(choice, &folder, ""));
            assert!(said.ends_with(&format!("|--filename|{shown}/")), "{said}");
            assert_eq!(said.contains("--directory"), choice == Choice::Folder);
            assert_eq!(said.contains("--multiple"), choice == Choice::Files);
        }
        let gone = request(Choice::Save, Path::new("/nowhere"), "a.jpg");
        assert!(said(&gone).ends_with("|--filename|a.jpg"));
    }

    #[test]
    fn names_with_bars_spaces_and_odd_bytes_come_back() {
        assert_eq!(paths(b"/a/b | c \n/d\n"), [Path::new("/a/b | c "), Path::new("/d")]);
        assert_eq!(paths(b"/caf\xe9\n"), [Path::new(OsStr::from_bytes(b"/caf\xe9"))]);
        assert!(paths(b"").is_empty());
    }

    #[test]
    fn a_portal_needs_a_bus_that_answers_and_its_service() {
        let home = tempfile::tempdir().unwrap();
        let bus = home.path().join("bus");
        let env = |address: Option<String>| {
            let home = home.path().as_os_str().to_owned();
            move |name: &str| match name {
                "DBUS_SESSION_BUS_ADDRESS" => address.clone().map(OsString::from),
                "XDG_DATA_DIRS" | "XDG_RUNTIME_DIR" => Some(home.clone()),
                _ => None,
            }
        };
        let address = format!("unix:path={},guid=1", bus.display());
        let service = home.path().join(PORTAL);
        std::fs::create_dir_all(service.parent().unwrap()).unwrap();
        std::fs::write(&service, "").unwrap();
        assert!(!has_portal(env(Some(address.clone()))), "nothing listens");
        let _listener = std::os::unix::net::UnixListener::bind(&bus).unwrap();
        assert!(has_portal(env(Some(address.clone()))));
        assert!(has_portal(env(None)), "the usual place of the bus");
        std::fs::remove_file(&service).unwrap();
        assert!(!has_portal(env(Some(address))), "a bus without a portal");
    }
}
