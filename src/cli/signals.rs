//! Termination signals: Ctrl+C, `kill`, a closed terminal.
//!
//! The program exits at once, except while a file is being written, so that neither incomplete nor temporary files are
//! left behind. A second signal skips this wait. Finished files remain: a latent is written before it is decoded.

use std::sync::{Mutex, PoisonError};

/// Held while a file is being written.
static WRITING: Mutex<()> = Mutex::new(());

/// Runs `write` without being interrupted by a signal.
pub(super) fn uninterrupted<T>(write: impl FnOnce() -> T) -> T {
    let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    write()
}

/// Installs the signal handlers. The exit code is 128 plus the signal's number, as shells expect.
#[cfg(unix)]
pub(super) fn watch() {
    unix::watch();
}

/// Other platforms end the program by default.
#[cfg(not(unix))]
pub(super) fn watch() {}

#[cfg(unix)]
mod unix {
    use std::sync::{MutexGuard, PoisonError, TryLockError};
    use std::time::{Duration, Instant};

    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;
    use signal_hook::low_level::exit;

    use super::WRITING;
    use crate::cli::output;

    const WATCHED: [i32; 3] = [SIGINT, SIGTERM, SIGHUP];
    /// Limit of the wait for a file being written: a pipe without a reader would block forever.
    const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
    /// Polling interval.
    const POLL_INTERVAL: Duration = Duration::from_millis(5);

    pub(super) fn watch() {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let watched = WATCHED.into_iter().filter(|signal| !is_ignored(&status, *signal));
        let started = Signals::new(watched).and_then(|signals| {
            let name = "safelight-signals".to_owned();
            std::thread::Builder::new().name(name).spawn(move || end_on_signal(signals)).map(drop)
        });
        if let Err(error) = started {
            // The default action remains: the process is terminated.
            log::debug!("signals are not watched: {error}");
        }
    }

    fn end_on_signal(mut signals: Signals) {
        let Some(signal) = signals.forever().next() else { return };
        // Held until exit, so that no other write starts.
        let _writing = wait_for_writes(&mut signals);
        output::remark("stopped; what was finished is written");
        exit(128 + signal);
    }

    /// Waits until no file is being written, and returns the guard that blocks further writes. `None` after a timeout
    /// or a second signal.
    fn wait_for_writes(signals: &mut Signals) -> Option<MutexGuard<'static, ()>> {
        let since = Instant::now();
        loop {
            match WRITING.try_lock() {
                Ok(guard) => return Some(guard),
                Err(TryLockError::Poisoned(error)) => return Some(PoisonError::into_inner(error)),
                Err(TryLockError::WouldBlock) => {}
            }
            if since.elapsed() > WRITE_TIMEOUT || signals.pending().next().is_some() {
                return None;
            }
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    /// Whether the parent process set a signal to be ignored, as `nohup` does: `SigIgn` of proc_pid_status(5). `false`
    /// if `status` has no such line.
    fn is_ignored(status: &str, signal: i32) -> bool {
        let mask = status
            .lines()
            .find_map(|line| line.strip_prefix("SigIgn:"))
            .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn signals_ignored_by_nohup_stay_ignored() {
            let status = "Name:\tsafelight\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\n";
            assert!(is_ignored(status, SIGHUP) && !is_ignored(status, SIGTERM) && !is_ignored("", SIGHUP));
        }
    }
}
