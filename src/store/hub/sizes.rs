//! Sizes of files in words, in the decimal units that the hub and the catalogue use.

/// Bytes as `6.94 GB`.
pub fn in_words(bytes: u64) -> String {
    let number = bytes as f64;
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{:.1} kB", number / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", number / 1e6),
        _ => format!("{:.2} GB", number / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::in_words;

    #[test]
    fn sizes_have_three_or_four_digits() {
        for (bytes, words) in [
            (0, "0 bytes"),
            (999, "999 bytes"),
            (1_500, "1.5 kB"),
            (335_304_388, "335.3 MB"),
            (6_938_000_000, "6.94 GB"),
        ] {
            assert_eq!(in_words(bytes), words);
        }
    }
}
