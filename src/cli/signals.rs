//! Ctrl+C, `kill` and a closed terminal: the program ends at once, but never in the middle of a file.
//!
//! What is written already stays: a latent is written before it is decoded. Only a file that is being written is
//! waited for, so that neither half a file nor a temporary one is left behind; a second signal does not wait either.

use std::sync::{Mutex, PoisonError};

/// Held while a file is being written.
static WRITING: Mutex<()> = Mutex::new(());

/// Writes a file without being interrupted in the middle.
pub(super) fn uninterrupted<T>(write: impl FnOnce() -> T) -> T {
    let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    write()
}

/// Ends the program on signals from now on, with the exit code that shells expect: 128 and the signal's number.
#[cfg(unix)]
pub(super) fn watch() {
    unix::watch();
}

/// Elsewhere the system ends the program.
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
    /// How long a file that is being written is waited for: a pipe nobody reads would take for ever.
    const PATIENCE: Duration = Duration::from_secs(10);
    /// How often it is looked at.
    const PAUSE: Duration = Duration::from_millis(5);

    pub(super) fn watch() {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let watched = WATCHED.into_iter().filter(|signal| !is_ignored(&status, *signal));
        let started = Signals::new(watched).and_then(|signals| {
            let name = "safelight-signals".to_owned();
            std::thread::Builder::new().name(name).spawn(move || end_on_signal(signals)).map(drop)
        });
        if let Err(error) = started {
            // The system's own way of ending remains.
            log::debug!("signals are not watched: {error}");
        }
    }

    fn end_on_signal(mut signals: Signals) {
        let Some(signal) = signals.forever().next() else { return };
        // Not let go of any more: nothing further is begun.
        let _writing = wait_for_the_file(&mut signals);
        output::remark("stopped; what was finished is written");
        exit(128 + signal);
    }

    /// Waits until no file is being written, and lets none be begun.
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

    /// Whether the program was started to ignore a signal, as `nohup` does: `SigIgn` of proc_pid_status(5). Where the
    /// system does not say so, it is not.
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
