//! Signals that ask the program to end: a log-out, a closed terminal, `kill`, Ctrl+C.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::waker::Waker;

/// Whether the system asked the program to end.
#[derive(Clone, Default)]
pub(super) struct Termination(Arc<AtomicBool>);

impl Termination {
    /// Whether it did.
    pub(super) fn is_wanted(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Listens to signals from now on. The first asks the window to close; a second, where that takes too long,
    /// ends the program at once.
    #[cfg(unix)]
    pub(super) fn watch(&self, waker: Waker) {
        use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
        // What the parent has the program ignore (nohup, a shell's background job) stays ignored.
        let ignored = ignored_signals();
        let heard = [SIGHUP, SIGINT, SIGTERM].into_iter().filter(|signal| ignored & (1 << (signal - 1)) == 0);
        let mut signals = match signal_hook::iterator::Signals::new(heard) {
            Ok(signals) => signals,
            Err(error) => {
                log::warn!("signals are not heard: {error}");
                return;
            }
        };
        let wanted = Arc::clone(&self.0);
        let listen = move || {
            for signal in signals.forever() {
                if wanted.swap(true, Ordering::AcqRel) {
                    std::process::exit(128 + signal);
                }
                waker.wake();
            }
        };
        let thread = std::thread::Builder::new().name("safelight-signals".to_owned()).spawn(listen);
        if let Err(error) = thread {
            log::warn!("signals are not heard: {error}");
        }
    }

    /// Elsewhere the system closes windows by an event of their own.
    #[cfg(not(unix))]
    #[expect(clippy::unused_self, clippy::needless_pass_by_value, reason = "as on the other systems")]
    pub(super) fn watch(&self, _: Waker) {}
}

/// The signals that are ignored, one bit each, 0 where the system does not say.
#[cfg(unix)]
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
