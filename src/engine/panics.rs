//! Message and place of panics of the engine's threads, kept for the job's failure instead of being printed.

use std::any::Any;
use std::cell::RefCell;
use std::panic::PanicHookInfo;
use std::sync::{Mutex, Once, PoisonError};

/// The name of the engine's own thread.
pub(super) const ENGINE_THREAD: &str = "safelight-engine";
/// Start of the names of the threads that compute the networks' operations.
const HELPERS: &str = "safelight-ops";
/// The longest message that is reported, characters.
const LONGEST_MESSAGE: usize = 300;

/// Place of the newest panic of a helper thread, which is resumed on the engine's own thread.
static PLACE_OF_HELPER: Mutex<Option<String>> = Mutex::new(None);

thread_local! {
    /// Place of the newest panic of this thread, which the caught payload does not contain.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Installs a hook that does not print panics of the engine's threads, since their jobs report them.
///
/// With `RUST_LOG=debug` they are printed too. Panics of other threads are always printed.
pub(super) fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let thread = std::thread::current();
            match thread.name() {
                Some(ENGINE_THREAD) => PLACE.set(place_of(info)),
                Some(name) if name.starts_with(HELPERS) => {
                    *PLACE_OF_HELPER.lock().unwrap_or_else(PoisonError::into_inner) = place_of(info);
                }
                _ => return print(info),
            }
            if log::log_enabled!(log::Level::Debug) {
                print(info);
            }
        }));
    });
}

fn place_of(info: &PanicHookInfo<'_>) -> Option<String> {
    let location = info.location()?;
    Some(format!("{}:{}", from_package(location.file()), location.line()))
}

/// A source file's path from the folder of its package on, without the folders of the machine that built the program.
fn from_package(file: &str) -> &str {
    let Some(source) = file.rfind("/src/") else { return file };
    file[..source].rfind('/').map_or(file, |at| &file[at + 1..])
}

/// A panic that was caught.
pub(super) struct Panicked {
    /// Its message.
    pub(super) message: String,
    /// File and line.
    pub(super) place: String,
}

impl Panicked {
    /// The panic with this payload, which was caught on this thread.
    pub(super) fn of(payload: &(dyn Any + Send)) -> Self {
        let message = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("unknown");
        let of_helper = || PLACE_OF_HELPER.lock().unwrap_or_else(PoisonError::into_inner).take();
        let place = PLACE.take().or_else(of_helper);
        let panicked = Self {
            message: message.chars().take(LONGEST_MESSAGE).collect(),
            place: place.unwrap_or_else(|| "an unknown place".to_owned()),
        };
        log::info!("caught at {}: {message}", panicked.place);
        panicked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_told_from_its_package_on() {
        for (file, told) in [
            (
                "/home/a/registry/src/host-1949/tokenizers-0.23.2/src/normalizers/mod.rs",
                "tokenizers-0.23.2/src/normalizers/mod.rs",
            ),
            ("src/models/prompt.rs", "src/models/prompt.rs"),
            ("/build/safelight/src/engine/job.rs", "safelight/src/engine/job.rs"),
            ("generated.rs", "generated.rs"),
        ] {
            assert_eq!(from_package(file), told);
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
