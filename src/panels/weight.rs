//! Weights of words in a prompt, as `(word:1.1)`, changed by keys.

use std::ops::Range;

/// Bounds of the weights that keys set.
const LEAST: f64 = 0.1;
const MOST: f64 = 2.0;

/// Adds `by` to the weight of the selected characters, or of the word at the cursor. Returns the new prompt and the new
/// selection; a weight of 1 is written without brackets. `None` where there is no word.
pub(super) fn weighted(prompt: &str, chosen: Range<usize>, by: f64) -> Option<(String, [usize; 2])> {
    let chars: Vec<char> = prompt.chars().collect();
    let in_word = |at: &usize| chars.get(*at).is_some_and(|c| c.is_alphanumeric() || "'-_".contains(*c));
    let (mut from, mut to) = (chosen.start.min(chars.len()), chosen.end.min(chars.len()));
    if from == to {
        from = (0..from).rev().take_while(in_word).last().unwrap_or(from);
        to = (to..chars.len()).take_while(in_word).last().map_or(to, |last| last + 1);
    }
    // Blanks at the ends of the selection stay outside.
    while from < to && chars[from].is_whitespace() {
        from += 1;
    }
    while from < to && chars[to - 1].is_whitespace() {
        to -= 1;
    }
    if from == to {
        return None;
    }
    let words: String = chars[from..to].iter().collect();
    // An existing weight is replaced.
    let (mut start, mut end, mut weight) = (from, to, 1.0);
    if from > 0 && chars[from - 1] == '(' && chars.get(to) == Some(&':') {
        let close = (to + 1..chars.len()).find(|at| chars[*at] == ')')?;
        let number: String = chars[to + 1..close].iter().collect();
        if let Ok(number) = number.trim().parse::<f64>() {
            (start, end, weight) = (from - 1, close + 1, number);
        }
    }
    let weight = ((weight + by) * 10.0).round() / 10.0;
    let weight = weight.clamp(LEAST, MOST);
    let is_plain = (weight - 1.0).abs() < 1e-9;
    let inner = if is_plain { words.clone() } else { format!("({words}:{weight:.1})") };
    let head: String = chars[..start].iter().collect();
    let tail: String = chars[end..].iter().collect();
    let first = start + usize::from(!is_plain);
    Some((format!("{head}{inner}{tail}"), [first, first + words.chars().count()]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_gains_and_loses_weight() {
        let (heavier, chosen) = weighted("a red fox", 3..3, 0.1).unwrap();
        assert_eq!((heavier.as_str(), chosen), ("a (red:1.1) fox", [3, 6]));
        let (heavier, chosen) = weighted(&heavier, chosen[0]..chosen[1], 0.1).unwrap();
        assert_eq!((heavier.as_str(), chosen), ("a (red:1.2) fox", [3, 6]));
        let (back, chosen) = weighted("a (red:1.1) fox", 3..6, -0.1).unwrap();
        assert_eq!((back.as_str(), chosen), ("a red fox", [2, 5]));
        assert_eq!(weighted("a (red:0.1) fox", 3..6, -0.1).unwrap().0, "a (red:0.1) fox");
    }

    #[test]
    fn several_words_weigh_together_and_blanks_do_not() {
        assert_eq!(weighted("산 위의 호수", 2..7, -0.1).unwrap().0, "산 (위의 호수:0.9)");
        assert_eq!(weighted("a, ", 3..3, 0.1), None);
        assert_eq!(weighted("", 0..0, 0.1), None);
    }
}
