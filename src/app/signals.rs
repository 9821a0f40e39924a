//! Termination signals: log-out, closed terminal, `kill`, Ctrl+C.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::waker::Waker;

/// A flag that is set by a termination signal.
#[derive(Clone, Default)]
pub(super) struct Termination(Arc<AtomicBool>);

impl Termination {
    /// Whether termination was requested.
    pub(super) fn is_wanted(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Installs the signal handlers. The first signal closes the window; a second one exits at once.
    #[cfg(unix)]
    pub(super) fn watch(&self, waker: Waker) {
        use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
        // Signals that the parent process set to be ignored (nohup, background jobs of a shell) stay ignored.
        let ignored = ignored_signals();
        let heard = [SIGHUP, SIGINT, SIGTERM].into_iter().filter(|signal| ignored & (1 << (signal - 1)) == 0);
        let mut signals = match signal_hook::iterator::Signals::new(heard) {
            Ok(signals) => signals,
            Err(error) => {
                log::warn!("termination signals cannot be handled: {error}");
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
            log::warn!("termination signals cannot be handled: {error}");
        }
    }

    /// Other platforms send a close event to the window instead.
    #[cfg(not(unix))]
    #[expect(clippy::unused_self, clippy::needless_pass_by_value, reason = "as on the other systems")]
    pub(super) fn watch(&self, _: Waker) {}
}

/// Bit mask of the ignored signals, bit `n - 1` for signal `n`; 0 where `/proc` is not available.
#[cfg(unix)]
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
