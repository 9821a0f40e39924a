//! When to try again: a longer pause after each failure, or the one that the server asks for.

use std::time::{Duration, Instant};

use super::HubError;
use crate::request::CancelToken;

/// How often a stop is looked for while waiting.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// How often and how long.
#[derive(Clone, Copy, Debug)]
pub struct RetrySettings {
    /// Attempts without any progress, the first included.
    pub attempts: u32,
    /// The first pause; each further one is twice as long.
    pub first_pause: Duration,
    /// The longest pause. A server that asks for a longer one is not waited for.
    pub longest_pause: Duration,
}

impl Default for RetrySettings {
    fn default() -> Self {
        Self { attempts: 6, first_pause: Duration::from_secs(1), longest_pause: Duration::from_mins(2) }
    }
}

/// The attempts of one download.
pub(super) struct Retries {
    settings: RetrySettings,
    failed: u32,
}

impl Retries {
    pub(super) fn new(settings: RetrySettings) -> Self {
        Self { settings, failed: 0 }
    }

    /// Bytes came: the attempts count anew.
    pub(super) fn progressed(&mut self) {
        self.failed = 0;
    }

    /// Waits after a failure. `false` if a stop was asked for.
    ///
    /// # Errors
    /// The failure itself, if trying again is useless or was done often enough.
    pub(super) fn wait_after(&mut self, error: HubError, cancel: &CancelToken) -> Result<bool, HubError> {
        self.failed += 1;
        let Some(pause) = self.pause(&error) else { return Err(error) };
        log::info!("trying again in {pause:?}: {error}");
        let until = Instant::now() + pause;
        loop {
            if cancel.is_stopped() {
                return Ok(false);
            }
            match until.checked_duration_since(Instant::now()) {
                None | Some(Duration::ZERO) => return Ok(true),
                Some(left) => std::thread::sleep(left.min(POLL_INTERVAL)),
            }
        }
    }

    /// The pause after the failure, `None` for no further attempt.
    fn pause(&self, error: &HubError) -> Option<Duration> {
        if !error.is_transient() || self.failed >= self.settings.attempts {
            return None;
        }
        let growing = self.settings.first_pause * 2_u32.saturating_pow(self.failed - 1);
        match error.asked_wait() {
            Some(asked) if asked > self.settings.longest_pause => None,
            Some(asked) => Some(asked),
            None => Some(growing.min(self.settings.longest_pause)),
        }
    }
}

/// The pause of a header `Retry-After`: seconds, or a date, which is taken for a minute since clocks differ.
pub(super) fn retry_after(value: &str) -> Option<Duration> {
    let value = value.trim();
    match value.parse::<u64>() {
        Ok(secs) => Some(Duration::from_secs(secs)),
        Err(_) if value.ends_with("GMT") => Some(Duration::from_mins(1)),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn busy(secs: Option<u64>) -> HubError {
        HubError::Busy { host: "h".into(), status: 429, wait: secs.map(Duration::from_secs) }
    }

    fn failed(failed: u32) -> Retries {
        Retries { failed, ..Retries::new(RetrySettings::default()) }
    }

    #[test]
    fn pauses_double_up_to_a_limit_and_end() {
        let pauses: Vec<_> =
            (1..=6).map(|n| failed(n).pause(&busy(None)).map(|pause| pause.as_secs())).collect();
        assert_eq!(pauses, [Some(1), Some(2), Some(4), Some(8), Some(16), None]);
    }

    #[test]
    fn a_server_is_given_the_time_that_it_asks_for_unless_it_is_too_long() {
        assert_eq!(failed(1).pause(&busy(Some(60))), Some(Duration::from_mins(1)));
        assert_eq!(failed(1).pause(&busy(Some(0))), Some(Duration::ZERO));
        assert_eq!(failed(1).pause(&busy(Some(3600))), None);
        assert_eq!(retry_after(" 5 "), Some(Duration::from_secs(5)));
        assert_eq!(retry_after("Mon, 30 Nov 2026 12:00:00 GMT"), Some(Duration::from_mins(1)));
        assert_eq!(retry_after("soon"), None);
    }

    #[test]
    fn what_cannot_change_is_not_tried_again() {
        let mut retries = failed(0);
        let error = retries.wait_after(HubError::Offline, &CancelToken::new()).unwrap_err();
        assert!(matches!(error, HubError::Offline));
    }

    #[test]
    fn a_stop_ends_the_wait() {
        let cancel = CancelToken::new();
        cancel.stop();
        assert!(!failed(0).wait_after(busy(Some(100)), &cancel).unwrap());
    }
}
