//! The line of settings: `Key: value, Key: value`, where a value may be a JSON text, list or object.

/// The largest number of pairs, more than any program writes.
const MAX_PAIRS: usize = 256;
/// The longest list or object among the values, bytes; a longer one ends at its first comma.
const MAX_LITERAL_LEN: usize = 1 << 16;

/// The pairs of a line. Anything else is skipped up to the next comma.
pub(super) fn pairs_of(line: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let mut rest = line;
    while !rest.is_empty() && pairs.len() < MAX_PAIRS {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let Some((key, after)) = key_of(rest) else {
            rest = rest.find(',').map_or("", |comma| &rest[comma..]);
            continue;
        };
        let (value, after) = value_of(after.trim_start());
        pairs.push((key.to_owned(), value));
        rest = after;
    }
    pairs
}

/// A key and what follows its colon: letters, digits, spaces, `_`, `-` and `/`, at least two.
pub(super) fn key_of(text: &str) -> Option<(&str, &str)> {
    let (key, after) = text.split_once(':')?;
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let fits = key.chars().next().is_some_and(is_word)
        && key.chars().nth(1).is_some()
        && key.chars().all(|c| is_word(c) || matches!(c, ' ' | '-' | '/'));
    fits.then_some((key, after))
}

/// A value, unquoted, and what follows it.
fn value_of(text: &str) -> (String, &str) {
    let literal_len = match text.as_bytes().first() {
        Some(b'"') => text_len(text),
        Some(b'[' | b'{') => brackets_len(text),
        _ => None,
    };
    if let Some((literal, after)) = literal_len.map(|len| text.split_at(len))
        && (after.is_empty() || after.trim_start().starts_with(','))
    {
        let value = match literal.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')) {
            // Programs that quote without escaping write Windows paths like this.
            Some(inner) => serde_json::from_str(literal).unwrap_or_else(|_| inner.to_owned()),
            None => literal.to_owned(),
        };
        return (value, after);
    }
    let (value, after) = text.find(',').map_or((text, ""), |comma| text.split_at(comma));
    (value.trim().to_owned(), after)
}

/// Length of the quoted string at the start of a text, bytes.
fn text_len(text: &str) -> Option<usize> {
    let mut escaped = false;
    let end = text.bytes().enumerate().skip(1).find(|&(_, c)| {
        let closes = c == b'"' && !escaped;
        escaped = c == b'\\' && !escaped;
        closes
    });
    end.map(|(at, _)| at + 1)
}

/// Length of the list or object at the start of a text, bytes.
fn brackets_len(text: &str) -> Option<usize> {
    let (mut depth, mut in_text, mut escaped) = (0usize, false, false);
    for (at, c) in text.bytes().enumerate().take(MAX_LITERAL_LEN) {
        match c {
            b'"' if !escaped => in_text = !in_text,
            b'[' | b'{' if !in_text => depth += 1,
            b']' | b'}' if !in_text => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
        escaped = in_text && c == b'\\' && !escaped;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_hold_what_is_quoted_or_nested() {
        let line = concat!(
            r#"Model: "a, \"b\": c", Folder: "C:\models\x, y", Skip layers: [7, 8, 9, ], Open: "no end, "#,
            r#"Resources: [{"type":"lora","name":"a, [b"},{"n":2}], Broken: [1, 2, Size: 8x8, SDCPP: {"p":"x, Seed: 1"}"#
        );
        let expected = [
            ("Model", r#"a, "b": c"#),
            ("Folder", r"C:\models\x, y"),
            ("Skip layers", "[7, 8, 9, ]"),
            ("Open", "\"no end"),
            ("Resources", r#"[{"type":"lora","name":"a, [b"},{"n":2}]"#),
            ("Broken", "[1"),
            ("Size", "8x8"),
            ("SDCPP", r#"{"p":"x, Seed: 1"}"#),
        ];
        let found = pairs_of(line);
        assert_eq!(found, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }
}
