//! Termination signals: Ctrl+C, `kill`, a closed terminal.
//!
//! The program exits at once, except while a file is being written, so that neither incomplete nor temporary files are
//! left behind. A second signal skips this wait. Finished files remain: a latent is written before it is decoded.

use std::sync::{Mutex, PoisonError};

use crate::request::CancelToken;

/// Held while a file is being written.
static WRITING: Mutex<()> = Mutex::new(());

/// What a signal stops before it waits for the file that is being written.
static STOPPABLE: Mutex<Option<CancelToken>> = Mutex::new(None);

/// Held while work is done that a signal ends early and that has something to write then.
static FINISHING: Mutex<()> = Mutex::new(());

/// Runs `write`, which takes long: a signal stops it by `cancel`, so that nothing is left of what it wrote.
pub(super) fn stoppable<T>(cancel: &CancelToken, write: impl FnOnce() -> T) -> T {
    stopped_by(cancel, || uninterrupted(write))
}

/// Runs `work`, which a signal ends early by `cancel`: it writes what it has until then, and the program ends after that.
pub(super) fn finished_early<T>(cancel: &CancelToken, work: impl FnOnce() -> T) -> T {
    stopped_by(cancel, || {
        let _finishing = FINISHING.lock().unwrap_or_else(PoisonError::into_inner);
        work()
    })
}

/// Runs `work`, which a signal stops by `cancel`.
fn stopped_by<T>(cancel: &CancelToken, work: impl FnOnce() -> T) -> T {
    let stoppable = || STOPPABLE.lock().unwrap_or_else(PoisonError::into_inner);
    *stoppable() = Some(cancel.clone());
    let done = work();
    // The thread of the signals ends the program now, with its own exit code.
    while cancel.is_stopped() {
        std::thread::park();
    }
    *stoppable() = None;
    done
}

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
    use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
    use std::time::{Duration, Instant};

    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;
    use signal_hook::low_level::exit;

    use super::{FINISHING, STOPPABLE, WRITING};
    use crate::cli::output;

    const WATCHED: [i32; 3] = [SIGINT, SIGTERM, SIGHUP];
    /// Limit of the wait for a file being written: a pipe without a reader would block forever.
    const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
    /// Limit of the wait for work that ends early: a network is asked between its blocks, which may take seconds.
    const FINISH_TIMEOUT: Duration = Duration::from_mins(1);
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
        if let Some(cancel) = &*STOPPABLE.lock().unwrap_or_else(PoisonError::into_inner) {
            cancel.stop();
        }
        // Both are held until exit, so that no other write starts.
        let _finishing = wait_for(&FINISHING, FINISH_TIMEOUT, &mut signals);
        let _writing = wait_for(&WRITING, WRITE_TIMEOUT, &mut signals);
        output::remark("stopped; what was finished is written");
        exit(128 + signal);
    }

    /// Waits until nothing holds `lock`, and returns the guard that blocks further work. `None` after the timeout or a
    /// second signal.
    fn wait_for(
        lock: &'static Mutex<()>,
        timeout: Duration,
        signals: &mut Signals,
    ) -> Option<MutexGuard<'static, ()>> {
        let since = Instant::now();
        loop {
            match lock.try_lock() {
                Ok(guard) => return Some(guard),
                Err(TryLockError::Poisoned(error)) => return Some(PoisonError::into_inner(error)),
                Err(TryLockError::WouldBlock) => {}
            }
            if since.elapsed() > timeout || signals.pending().next().is_some() {
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
