//! Ctrl+C, `kill` and a closed terminal: the program ends at once, but not in the middle of a file.
//!
//! The program waits only for a file that is being written, so that neither an incomplete nor a temporary file is left
//! behind; a second signal ends it at once. Finished files remain: a latent is written before it is decoded.

use std::sync::{Mutex, PoisonError};

/// Held while a file is being written.
static WRITING: Mutex<()> = Mutex::new(());

/// Writes a file without being interrupted by a signal.
pub(super) fn uninterrupted<T>(write: impl FnOnce() -> T) -> T {
    let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    write()
}

/// Makes signals end the program, with the exit code that shells expect: 128 plus the number of the signal.
#[cfg(unix)]
pub(super) fn watch() {
    unix::watch();
}

/// On other systems the system ends the program.
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
    /// How long to wait for a file that is being written, since a pipe without a reader would block forever.
    const PATIENCE: Duration = Duration::from_secs(10);
    /// Interval between checks.
    const PAUSE: Duration = Duration::from_millis(5);

    pub(super) fn watch() {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let watched = WATCHED.into_iter().filter(|signal| !is_ignored(&status, *signal));
        let started = Signals::new(watched).and_then(|signals| {
            let name = "safelight-signals".to_owned();
            std::thread::Builder::new().name(name).spawn(move || end_on_signal(signals)).map(drop)
        });
        if let Err(error) = started {
            // The system's default action remains.
            log::debug!("signals are not watched: {error}");
        }
    }

    fn end_on_signal(mut signals: Signals) {
        let Some(signal) = signals.forever().next() else { return };
        // Held until the end, so that no further file is begun.
        let _writing = wait_for_the_file(&mut signals);
        output::remark("stopped; what was finished is written");
        exit(128 + signal);
    }

    /// Waits until no file is being written, and prevents that another is begun.
    fn wait_for_the_file(signals: &mut Signals) -> Option<MutexGuard<'static, ()>> {
        let since = Instant::now();
        loop {
            match WRITING.try_lock() {
                Ok(guard) => return Some(guard),
                Err(TryLockError::Poisoned(error)) => return Some(PoisonError::into_inner(error)),
                Err(TryLockError::WouldBlock) => {}
            }
            if since.elapsed() > PATIENCE || signals.pending().next().is_some() {
                return None;
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Whether the program was started to ignore a signal, as by `nohup`: `SigIgn` of proc_pid_status(5). False on systems
    /// without that file.
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
        fn a_signal_that_nohup_ignores_is_left_alone() {
            let status = "Name:\tsafelight\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\n";
            assert!(is_ignored(status, SIGHUP) && !is_ignored(status, SIGTERM) && !is_ignored("", SIGHUP));
        }
    }
}
