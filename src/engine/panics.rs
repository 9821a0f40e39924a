//! Message and source location of panics on the engine's threads, kept for the job's failure instead of being printed.

use std::any::Any;
use std::cell::RefCell;
use std::panic::PanicHookInfo;
use std::sync::{Mutex, Once, PoisonError};

/// Name of the engine's thread.
pub(super) const ENGINE_THREAD: &str = "safelight-engine";
/// Name prefix of the worker threads that compute the networks' operations.
const WORKER_PREFIX: &str = "safelight-ops";
/// Upper limit of a reported message, characters.
const MAX_MESSAGE_CHARS: usize = 300;

/// Location of the newest panic of a worker thread, which is resumed on the engine's thread.
static WORKER_LOCATION: Mutex<Option<String>> = Mutex::new(None);

thread_local! {
    /// Location of the newest panic of this thread. The caught payload does not contain it.
    static LOCATION: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Installs a panic hook that does not print panics of the engine's threads, since their jobs report them.
///
/// With `RUST_LOG=debug` they are printed too. Panics of other threads are always printed.
pub(super) fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let thread = std::thread::current();
            match thread.name() {
                Some(ENGINE_THREAD) => LOCATION.set(location_of(info)),
                Some(name) if name.starts_with(WORKER_PREFIX) => {
                    *WORKER_LOCATION.lock().unwrap_or_else(PoisonError::into_inner) = location_of(info);
                }
                _ => return print(info),
            }
            if log::log_enabled!(log::Level::Debug) {
                print(info);
            }
        }));
    });
}

fn location_of(info: &PanicHookInfo<'_>) -> Option<String> {
    let location = info.location()?;
    Some(format!("{}:{}", package_relative(location.file()), location.line()))
}

/// A source file's path from its package's folder on, without the folders of the build machine.
fn package_relative(file: &str) -> &str {
    let Some(source) = file.rfind("/src/") else { return file };
    file[..source].rfind('/').map_or(file, |at| &file[at + 1..])
}

/// A panic that was caught.
pub(super) struct Panicked {
    /// Its message.
    pub(super) message: String,
    /// File and line.
    pub(super) location: String,
}

impl Panicked {
    /// The panic with this payload, which was caught on this thread.
    pub(super) fn of(payload: &(dyn Any + Send)) -> Self {
        let message = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("unknown");
        let of_worker = || WORKER_LOCATION.lock().unwrap_or_else(PoisonError::into_inner).take();
        let location = LOCATION.take().or_else(of_worker);
        let panicked = Self {
            message: message.chars().take(MAX_MESSAGE_CHARS).collect(),
            location: location.unwrap_or_else(|| "an unknown location".to_owned()),
        };
        log::info!("caught at {}: {message}", panicked.location);
        panicked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_starts_at_its_package() {
        for (file, expected) in [
            (
                "/home/a/registry/src/host-1949/tokenizers-0.23.2/src/normalizers/mod.rs",
                "tokenizers-0.23.2/src/normalizers/mod.rs",
            ),
            ("src/models/prompt.rs", "src/models/prompt.rs"),
            ("/build/safelight/src/engine/job.rs", "safelight/src/engine/job.rs"),
            ("generated.rs", "generated.rs"),
        ] {
            assert_eq!(package_relative(file), expected);
        }
    }

    #[test]
    fn every_kind_of_payload_is_read() {
        let caught =
            |panic: fn()| Panicked::of(std::panic::catch_unwind(panic).unwrap_err().as_ref()).message;
        assert_eq!(caught(|| std::panic::panic_any("a literal")), "a literal");
        assert_eq!(caught(|| std::panic::panic_any("a text".to_owned())), "a text");
        assert_eq!(caught(|| std::panic::panic_any(7)), "unknown");
    }
}
