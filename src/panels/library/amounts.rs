//! Amounts of downloads in words: bytes in the decimal units of the hub, times, speeds.

use crate::panels::{Language, Text};
use crate::session::downloads::{Downloads, bytes_in_words};

/// Puts values into a sentence, in their order.
pub(in crate::panels) fn filled(sentence: &str, values: &[&str]) -> String {
    let mut parts = sentence.split("{}");
    let mut words = parts.next().unwrap_or_default().to_owned();
    let mut values = values.iter();
    for part in parts {
        words.push_str(values.next().copied().unwrap_or_default());
        words.push_str(part);
    }
    words
}

/// Bytes as `6.94 GB`.
pub(in crate::panels) fn amount_words(bytes: u64) -> String {
    if bytes < 1_000 { "0 kB".to_owned() } else { bytes_in_words(bytes) }
}

/// A time as `4 min`.
pub(in crate::panels) fn time_words(secs: f64, language: Language) -> String {
    let secs = secs.max(0.0).round() as u64;
    let (minutes, hours) = (secs.div_ceil(60), secs / 3600);
    match (language, secs) {
        (Language::English, 0..60) => format!("{secs} s"),
        (Language::Korean, 0..60) => format!("{secs}초"),
        (Language::English, 60..7200) => format!("{minutes} min"),
        (Language::Korean, 60..7200) => format!("{minutes}분"),
        (Language::English, _) => format!("{hours} h {} min", secs / 60 % 60),
        (Language::Korean, _) => format!("{hours}시간 {}분", secs / 60 % 60),
    }
}

/// The speed for which times are said, without its unit of time.
pub(in crate::panels) fn speed_words(downloads: &Downloads) -> String {
    format!("{:.0} MB", (downloads.forecast(0).1 / 1e6).max(1.0))
}

/// How large something is, and how long it takes.
pub(super) fn size_and_time(bytes: u64, downloads: &Downloads, text: &Text, language: Language) -> String {
    let time = time_words(downloads.forecast(bytes).0, language);
    let speed = speed_words(downloads);
    // In Korean the speed comes before the time.
    let values = match language {
        Language::English => [time, speed],
        Language::Korean => [speed, time],
    };
    filled(text.size_and_time, &[&amount_words(bytes), &values[0], &values[1]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_and_times_are_short_in_both_languages() {
        assert_eq!(
            [0, 999, 1_500_000, 9_410_000_000].map(amount_words),
            ["0 kB", "0 kB", "1.5 MB", "9.41 GB"]
        );
        let times = [4.4, 59.6, 61.0, 940.0, 7260.0];
        assert_eq!(
            times.map(|secs| time_words(secs, Language::English)),
            ["4 s", "1 min", "2 min", "16 min", "2 h 1 min"]
        );
        assert_eq!(time_words(7260.0, Language::Korean), "2시간 1분");
        assert_eq!(filled("{} of {}", &["{}", "b"]), "{} of b");
        let words =
            |language| size_and_time(6_000_000_000, &Downloads::default(), Text::of(language), language);
        assert_eq!(words(Language::English), "about 6.00 GB · 10 min at 10 MB/s");
        assert_eq!(words(Language::Korean), "약 6.00 GB · 10 MB/s로 10분");
    }
}
