//! The speed of a download, smoothed, and the time that it still takes.

use std::time::Duration;

/// Time constant of the smoothing, seconds.
const SMOOTHING_SECS: f64 = 5.0;

/// An exponential mean of the speed.
#[derive(Clone, Debug, Default)]
pub(super) struct Speed {
    /// Time and bytes of the last measurement.
    last: Option<(Duration, u64)>,
    bytes_per_sec: Option<f64>,
}

impl Speed {
    /// Takes a measurement: `received` bytes are here after `elapsed` of the run.
    pub(super) fn measure(&mut self, elapsed: Duration, received: u64) {
        let Some((before, bytes)) = self.last else {
            self.last = Some((elapsed, received));
            return;
        };
        let secs = elapsed.saturating_sub(before).as_secs_f64();
        // Begun anew: what was counted before is gone.
        if received < bytes || secs <= 0.0 {
            self.last = Some((elapsed, received));
            return;
        }
        let now = (received - bytes) as f64 / secs;
        let weight = 1.0 - (-secs / SMOOTHING_SECS).exp();
        self.bytes_per_sec = Some(self.bytes_per_sec.map_or(now, |mean| mean + weight * (now - mean)));
        self.last = Some((elapsed, received));
    }

    /// Bytes per second.
    pub(super) fn bytes_per_sec(&self) -> f64 {
        self.bytes_per_sec.unwrap_or(0.0)
    }
}

/// The time for the bytes that are left; `None` while there is no speed.
pub fn time_left(bytes: u64, bytes_per_sec: f64) -> Option<Duration> {
    (bytes_per_sec >= 1.0).then(|| Duration::from_secs_f64((bytes as f64 / bytes_per_sec).min(1e9)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_speed_is_found_and_a_burst_is_smoothed() {
        let mut speed = Speed::default();
        for second in 0..20 {
            speed.measure(Duration::from_secs(second), second * 1000);
        }
        assert!((speed.bytes_per_sec() - 1000.0).abs() < 1e-6);
        speed.measure(Duration::from_millis(19_100), 20_000);
        assert!(speed.bytes_per_sec() > 1000.0 && speed.bytes_per_sec() < 1300.0);
        speed.measure(Duration::from_secs(20), 0);
        assert!(speed.bytes_per_sec() < 1300.0);
    }

    #[test]
    fn there_is_no_time_left_without_a_speed() {
        assert_eq!(time_left(10, 0.0), None);
        assert_eq!(time_left(3000, 1000.0), Some(Duration::from_secs(3)));
    }
}
