//! The date and time of day of a moment, for names.

/// Year, month, day, hour, minute and second (UTC) of a number of seconds after the beginning of 1970.
pub fn utc(unix_secs: u64) -> [u64; 6] {
    let [year, month, day] = date(unix_secs / 86_400);
    [year, month, day, unix_secs / 3600 % 24, unix_secs / 60 % 60, unix_secs % 60]
}

/// Year, month and day of a number of days after 1970-01-01 in the Gregorian calendar.
///
/// Source: Hinnant, `civil_from_days`, <https://howardhinnant.github.io/date_algorithms.html>.
fn date(days: u64) -> [u64; 3] {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    [era * 400 + year_of_era + u64::from(month <= 2), month, day]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leap_years_and_ends_of_days_are_right() {
        assert_eq!(utc(0), [1970, 1, 1, 0, 0, 0]);
        assert_eq!(utc(951_782_399), [2000, 2, 28, 23, 59, 59]);
        assert_eq!(utc(951_782_400), [2000, 2, 29, 0, 0, 0]);
        assert_eq!(utc(1_709_210_096), [2024, 2, 29, 12, 34, 56]);
        assert_eq!(utc(4_107_542_400), [2100, 3, 1, 0, 0, 0]);
    }
}
