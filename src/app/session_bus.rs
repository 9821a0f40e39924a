//! The session bus of a Linux desktop.
//!
//! Sources: the Desktop Notifications Specification 1.2, <https://specifications.freedesktop.org/notification-spec/>, and
//! the interface `com.canonical.Unity.LauncherEntry`, which the task bars of GNOME's docks and of Plasma listen to,
//! <https://wiki.ubuntu.com/Unity/LauncherAPI#Low_level_DBus_API:_com.canonical.Unity.LauncherEntry>.

use std::collections::HashMap;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use zbus::connection::Builder;
use zbus::zvariant::Value;
use zbus::{Connection, block_on};

use super::desktop_entry;

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Requests that wait for a slow desktop: more than a queue of pictures makes before one of them times out.
const MAX_REQUESTS: usize = 256;

/// A request to the desktop.
#[derive(Debug)]
pub(super) enum Request {
    /// Shows a notification in place of the one before. Some desktops read the body as markup.
    Notify {
        /// One line.
        title: String,
        /// The text below it.
        body: String,
    },
    /// Shows this progress, percent, or none.
    Progress(Option<u8>),
}

/// The thread that talks to the bus, once there is something to say.
#[derive(Default)]
pub(super) struct SessionBus(Option<Sender<Request>>);

impl SessionBus {
    /// Sends a request without waiting. It is dropped if there is no bus, or if the desktop has stopped answering.
    pub(super) fn send(&mut self, request: Request) {
        let requests = self.0.get_or_insert_with(|| {
            let (sender, requests) = bounded(MAX_REQUESTS);
            let thread = std::thread::Builder::new().name("safelight-desktop".to_owned());
            if let Err(error) = thread.spawn(move || serve(&requests)) {
                log::warn!("no thread for notifications could be started: {error}");
            }
            sender
        });
        let _ = requests.try_send(request);
    }
}

fn serve(requests: &Receiver<Request>) {
    let connection =
        Builder::session().and_then(|builder| block_on(builder.method_timeout(PATIENCE).build()));
    match connection {
        Ok(connection) => Services { connection, notification: 0 }.answer(requests),
        // The receiver ends with this thread, and all requests are dropped.
        Err(error) => log::info!("no notifications and no progress in the task bar: no session bus: {error}"),
    }
}

struct Services {
    connection: Connection,
    /// The id of the notification that is shown, 0 for none.
    notification: u32,
}

impl Services {
    /// Carries out requests until the sender is gone.
    fn answer(mut self, requests: &Receiver<Request>) {
        for request in requests {
            let done = match request {
                Request::Notify { title, body } => self.notify(&title, &body),
                Request::Progress(percent) => self.show_progress(percent),
            };
            if let Err(error) = done {
                log::info!("the desktop did not take a notification or the progress: {error}");
            }
        }
    }

    fn notify(&mut self, title: &str, body: &str) -> zbus::Result<()> {
        const NAME: &str = "org.freedesktop.Notifications";
        let entry = desktop_entry();
        let hints = HashMap::from([("desktop-entry", Value::from(entry.as_str()))]);
        let (actions, timeout) = (Vec::<&str>::new(), -1_i32);
        let call = ("Safelight", self.notification, entry.as_str(), title, body, actions, hints, timeout);
        let path = "/org/freedesktop/Notifications";
        let answer = block_on(self.connection.call_method(Some(NAME), path, Some(NAME), "Notify", &call))?;
        self.notification = answer.body().deserialize()?;
        Ok(())
    }

    fn show_progress(&self, percent: Option<u8>) -> zbus::Result<()> {
        let properties = HashMap::from([
            ("progress", Value::from(f64::from(percent.unwrap_or(0)) / 100.0)),
            ("progress-visible", Value::from(percent.is_some())),
        ]);
        let update = (format!("application://{}.desktop", desktop_entry()), properties);
        let path = "/com/canonical/unity/launcherentry/safelight";
        let interface = "com.canonical.Unity.LauncherEntry";
        block_on(self.connection.emit_signal(None::<&str>, path, interface, "Update", &update))
    }
}
