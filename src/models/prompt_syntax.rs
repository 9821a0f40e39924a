//! Prompt syntax: weights, chunk boundaries, and the reduction of other programs' features to plain text.

/// A part of a prompt with its weight.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightedText {
    /// The text.
    pub text: String,
    /// Factor of its tokens' hidden states; 1 is neutral.
    pub weight: f32,
}

/// A parsed prompt.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ParsedPrompt {
    /// The texts between `BREAK`s, each of which starts a new chunk. At least one, which may be empty.
    pub sections: Vec<Vec<WeightedText>>,
    /// Remarks on syntax that is not supported, one sentence each.
    pub remarks: Vec<String>,
}

/// Weight of a bracket without a number.
const BRACKET_WEIGHT: f32 = 1.1;
/// Weights are clamped to ± this, so that nested brackets cannot make them infinite.
const MAX_WEIGHT: f32 = 1e4;
/// Most quotations in one remark, and most characters of one.
const MAX_QUOTES: usize = 4;
const MAX_QUOTE: usize = 40;

/// Parses a prompt in AUTOMATIC1111's syntax.
///
/// Weights are applied (see [`parse_weights`]), and the upper-case word `BREAK` starts a new chunk. Other features are
/// reduced to plain text, with a remark: prompt editing (`[from:to:when]`, `[to:when]`) to the text at the end of the
/// run, alternation (`[a|b]`) to its first text, composition (`AND`) to a comma. Extra-network tags such as
/// `<lora:name:1>` are left out.
pub fn parse_prompt(prompt: &str) -> ParsedPrompt {
    let mut remarks = Vec::new();
    let text = without_network_tags(prompt, &mut remarks);
    let text = without_and(text, &mut remarks);
    let text = without_prompt_editing(&text, &mut remarks);
    let mut sections = vec![Vec::new()];
    for WeightedText { text, weight } in parse_weights(&text) {
        for (index, text) in split_at_word(&text, "BREAK").into_iter().enumerate() {
            if index > 0 {
                sections.push(Vec::new());
            }
            if let Some(section) = sections.last_mut()
                && !text.trim().is_empty()
            {
                section.push(WeightedText { text: text.to_owned(), weight });
            }
        }
    }
    // A trailing `BREAK` starts no chunk.
    if sections.len() > 1 && sections.last().is_some_and(Vec::is_empty) {
        sections.pop();
    }
    ParsedPrompt { sections, remarks }
}

/// Parses AUTOMATIC1111's weights: `(more)` is 1.1, `[less]` is 1/1.1, `(words:1.3)` is 1.3; they nest, and `\(` is a
/// literal bracket.
///
/// An unclosed bracket extends to the end of the prompt, as in AUTOMATIC1111; an unmatched closing one is text.
pub fn parse_weights(prompt: &str) -> Vec<WeightedText> {
    let mut parts: Vec<WeightedText> = Vec::new();
    let (mut round, mut square): (Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new());
    let mut plain = String::new();
    let flush = |plain: &mut String, parts: &mut Vec<WeightedText>| {
        if !plain.is_empty() {
            parts.push(WeightedText { text: std::mem::take(plain), weight: 1.0 });
        }
    };
    let multiply = |parts: &mut [WeightedText], factor: f32| {
        for part in parts {
            part.weight = (part.weight * factor).clamp(-MAX_WEIGHT, MAX_WEIGHT);
        }
    };
    let mut rest = prompt;
    while let Some(c) = rest.chars().next() {
        let mut used = c.len_utf8();
        match c {
            '\\' => match rest[1..].chars().next() {
                Some(next @ ('(' | ')' | '[' | ']' | '\\')) => {
                    plain.push(next);
                    used += next.len_utf8();
                }
                _ => plain.push(c),
            },
            '(' | '[' => {
                flush(&mut plain, &mut parts);
                if c == '(' { &mut round } else { &mut square }.push(parts.len());
            }
            ':' if !round.is_empty() => match closing_weight(&rest[1..]) {
                Some((weight, length)) => {
                    flush(&mut plain, &mut parts);
                    let from = round.pop().unwrap_or(parts.len());
                    multiply(&mut parts[from..], weight);
                    used += length;
                }
                None => plain.push(c),
            },
            ')' if !round.is_empty() => {
                flush(&mut plain, &mut parts);
                let from = round.pop().unwrap_or(parts.len());
                multiply(&mut parts[from..], BRACKET_WEIGHT);
            }
            ']' if !square.is_empty() => {
                flush(&mut plain, &mut parts);
                let from = square.pop().unwrap_or(parts.len());
                multiply(&mut parts[from..], 1.0 / BRACKET_WEIGHT);
            }
            _ => plain.push(c),
        }
        rest = &rest[used..];
    }
    flush(&mut plain, &mut parts);
    for from in round {
        multiply(&mut parts[from..], BRACKET_WEIGHT);
    }
    for from in square {
        multiply(&mut parts[from..], 1.0 / BRACKET_WEIGHT);
    }
    parts
}

/// The weight before a closing bracket, and the number of bytes up to and including the bracket.
fn closing_weight(text: &str) -> Option<(f32, usize)> {
    let end =
        text.find(|c: char| !(c.is_ascii_digit() || c.is_whitespace() || matches!(c, '.' | '-' | '+')))?;
    let weight: f32 = text[..end].trim().parse().ok()?;
    (text[end..].starts_with(')') && weight.is_finite()).then_some((weight, end + 1))
}

/// Splits a text at the occurrences of a whole word.
fn split_at_word<'a>(text: &'a str, word: &str) -> Vec<&'a str> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut pieces = Vec::new();
    let mut from = 0;
    for (at, _) in text.match_indices(word) {
        let end = at + word.len();
        let joined = text[..at].ends_with(is_word) || text[end..].starts_with(is_word);
        if !joined {
            pieces.push(&text[from..at]);
            from = end;
        }
    }
    pieces.push(&text[from..]);
    pieces
}

/// Removes extra-network tags `<kind:name…>`.
fn without_network_tags(prompt: &str, remarks: &mut Vec<String>) -> String {
    let mut kept = String::with_capacity(prompt.len());
    let mut kinds: Vec<(&str, Vec<&str>)> = Vec::new();
    let mut rest = prompt;
    while let Some(at) = rest.find('<') {
        let Some(length) = rest[at..].find('>') else { break };
        let inside = &rest[at + 1..at + length];
        let is_kind = |kind: &str| !kind.is_empty() && kind.chars().all(|c| c.is_alphanumeric() || c == '_');
        match inside.split_once(':') {
            Some((kind, what)) if is_kind(kind) && !what.is_empty() => {
                kept.push_str(&rest[..at]);
                let name = what.split(':').next().unwrap_or(what);
                match kinds.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(kind)) {
                    Some((_, names)) if names.contains(&name) => {}
                    Some((_, names)) => names.push(name),
                    None => kinds.push((kind, vec![name])),
                }
                rest = &rest[at + length + 1..];
            }
            _ => {
                kept.push_str(&rest[..=at]);
                rest = &rest[at + 1..];
            }
        }
    }
    kept.push_str(rest);
    for (kind, names) in kinds {
        let kind = match kind.to_ascii_lowercase().as_str() {
            "lora" => "LoRA".to_owned(),
            "lyco" => "LyCORIS".to_owned(),
            "hypernet" => "Hypernetwork".to_owned(),
            _ => format!("‘{}’", quoted(kind)),
        };
        remarks.push(format!("{kind} tags are left out: {}.", listed(names.into_iter().map(quoted))));
    }
    kept
}

/// Joins the prompts of an `AND` composition, without their weights.
fn without_and(prompt: String, remarks: &mut Vec<String>) -> String {
    let pieces = split_at_word(&prompt, "AND");
    if pieces.len() < 2 {
        return prompt;
    }
    remarks.push(
        "AND is not followed: the prompts it joins are drawn as one, and their weights are left out."
            .to_owned(),
    );
    let unweighted = |piece: &str| -> String {
        let weight = piece.rsplit_once(':').filter(|(_, number)| is_number(number));
        weight.map_or(piece, |(text, _)| text).trim().to_owned()
    };
    pieces.into_iter().map(unweighted).filter(|piece| !piece.is_empty()).collect::<Vec<_>>().join(", ")
}

fn is_number(text: &str) -> bool {
    let text = text.trim();
    text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+'))
        && text.parse::<f64>().is_ok_and(f64::is_finite)
}

/// A bracket that is not closed yet.
struct Open {
    is_square: bool,
    /// Byte offset in the text.
    at: usize,
    /// Byte offsets of the colons and bars directly inside.
    colons: Vec<usize>,
    bars: Vec<usize>,
}

/// Replaces prompt editing (`[from:to:when]`, `[to:when]`) and alternation (`[a|b]`) by one of their texts.
fn without_prompt_editing(prompt: &str, remarks: &mut Vec<String>) -> String {
    let mut text = String::with_capacity(prompt.len());
    let mut open: Vec<Open> = Vec::new();
    let mut changes: Vec<String> = Vec::new();
    let mut chars = prompt.chars();
    while let Some(c) = chars.next() {
        let at = text.len();
        match (c, open.last_mut()) {
            ('\\', _) => {
                text.push(c);
                text.extend(chars.next());
                continue;
            }
            ('(' | '[', _) => open.push(Open { is_square: c == '[', at, colons: vec![], bars: vec![] }),
            (':', Some(bracket)) => bracket.colons.push(at),
            ('|', Some(bracket)) => bracket.bars.push(at),
            (')', Some(Open { is_square: false, .. })) => drop(open.pop()),
            (']', Some(Open { is_square: true, .. })) => {
                if let Some(bracket) = open.pop()
                    && let Some(kept) = replacement(&text, &bracket)
                {
                    let kept = kept.to_owned();
                    changes.push(format!(
                        "‘{}]’ is drawn as ‘{}’",
                        quoted(&text[bracket.at..]),
                        quoted(kept.trim())
                    ));
                    text.truncate(bracket.at);
                    text.push_str(&kept);
                    continue;
                }
            }
            _ => {}
        }
        text.push(c);
    }
    if !changes.is_empty() {
        let changes = listed(changes.into_iter());
        remarks.push(format!("A prompt does not change during a run here: {changes}."));
    }
    text
}

/// The replacement of the bracket that `text` ends with, if it is prompt editing or alternation.
fn replacement<'a>(text: &'a str, bracket: &Open) -> Option<&'a str> {
    let inside = bracket.at + 1;
    if !bracket.bars.is_empty() {
        let starts = std::iter::once(inside).chain(bracket.bars.iter().map(|bar| bar + 1));
        let ends = bracket.bars.iter().copied().chain([text.len()]);
        let mut texts = starts.zip(ends).map(|(start, end)| &text[start..end]);
        return Some(texts.find(|text| !text.trim().is_empty()).unwrap_or_default());
    }
    let (when, before) = bracket.colons.split_last()?;
    let start = before.last().map_or(inside, |colon| colon + 1);
    is_number(&text[when + 1..]).then(|| &text[start..*when])
}

/// An excerpt of a user's text, on one line.
fn quoted(text: &str) -> String {
    let mut short: String =
        text.chars().take(MAX_QUOTE).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(MAX_QUOTE).is_some() {
        short.push('…');
    }
    short
}

/// The first of several texts, and the number of the others.
fn listed(texts: impl ExactSizeIterator<Item = String>) -> String {
    let more = texts.len().saturating_sub(MAX_QUOTES);
    let list = texts.take(MAX_QUOTES).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{list} and {more} more") } else { list }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(prompt: &str) -> Vec<(String, f32)> {
        parse_weights(prompt).into_iter().map(|p| (p.text, (p.weight * 1000.0).round() / 1000.0)).collect()
    }

    #[test]
    fn weights_are_read_as_automatic1111_reads_them() {
        let text = |s: &str, w: f32| (s.to_owned(), w);
        assert_eq!(parsed("a (red) fox"), [text("a ", 1.0), text("red", 1.1), text(" fox", 1.0)]);
        assert_eq!(parsed("(fox:1.3)"), [text("fox", 1.3)]);
        assert_eq!(parsed("((fox))"), [text("fox", 1.21)]);
        assert_eq!(parsed("[fox]"), [text("fox", 0.909)]);
        assert_eq!(parsed("(a (b:2) c)"), [text("a ", 1.1), text("b", 2.2), text(" c", 1.1)]);
        assert_eq!(parsed(r"a \(b\)"), [text("a (b)", 1.0)]);
    }

    #[test]
    fn brackets_that_do_not_match_are_harmless() {
        assert_eq!(parsed("a) b"), [("a) b".to_owned(), 1.0)]);
        assert_eq!(parsed("(a"), [("a".to_owned(), 1.1)]);
        assert_eq!(parsed("a: b"), [("a: b".to_owned(), 1.0)]);
        assert_eq!(parsed("(a:b)"), [("a:b".to_owned(), 1.1)]);
        assert!(parsed("").is_empty() && parsed("()").is_empty());
    }

    #[test]
    fn no_weight_is_infinite() {
        let deep = format!("{}fox{}", "(".repeat(2000), ")".repeat(2000));
        let long = format!("(fox:{})", "9".repeat(60));
        for prompt in [deep, long, "((fox:99999999):99999999)".to_owned()] {
            let parts = parse_weights(&prompt);
            assert!(
                !parts.is_empty() && parts.iter().all(|part| part.weight.abs() <= MAX_WEIGHT),
                "{parts:?}"
            );
        }
    }

    /// The sections' plain texts, words separated by one space.
    fn drawn(prompt: &str) -> Vec<String> {
        let words = |section: &Vec<WeightedText>| {
            let text: String = section.iter().map(|part| part.text.as_str()).collect();
            text.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        parse_prompt(prompt).sections.iter().map(words).collect()
    }

    #[test]
    fn break_starts_a_new_section() {
        assert_eq!(drawn("red BREAK fox"), ["red", "fox"]);
        assert_eq!(drawn("red\nBREAK\nfox BREAK"), ["red", "fox"]);
        assert_eq!(drawn("BREAK fox"), ["", "fox"]);
        assert_eq!(drawn("a BREAK BREAK b"), ["a", "", "b"]);
        assert_eq!(drawn("(a BREAK b:1.2) c"), ["a", "b c"]);
        for text in ["", "red break fox", "BREAKFAST", "UNBREAK", "BREAK_A", "a breaK"] {
            assert_eq!(drawn(text), [text], "‘{text}’ has no boundary");
        }
        assert_eq!(drawn("BREAK"), [""]);
        let weights: Vec<f32> =
            parse_prompt("(a BREAK b:1.2)").sections.iter().map(|s| s[0].weight).collect();
        assert_eq!(weights, [1.2, 1.2]);
    }

    #[test]
    fn unsupported_syntax_is_reduced_with_a_remark() {
        for (prompt, text, says) in [
            ("red fox <lora:style_v2:0.8>", "red fox", "LoRA tags are left out: style_v2."),
            ("<LoRA:a:1> fox <lora:b:0.5:0.7><lora:a:1>", "fox", "LoRA tags are left out: a, b."),
            ("<lyco:x:1>fox", "fox", "LyCORIS tags are left out: x."),
            ("fox<hypernet:h:1>", "fox", "Hypernetwork tags are left out: h."),
            ("fox <other:h>", "fox", "‘other’ tags are left out: h."),
            ("cat :1.2 AND dog:0.5 AND", "cat, dog", "AND is not followed"),
            ("a [cat:dog:0.5] here", "a dog here", "‘[cat:dog:0.5]’ is drawn as ‘dog’"),
            ("a [cat:dog: 12 ] here", "a dog here", "‘[cat:dog: 12 ]’"),
            ("a [cat::0.5] here", "a here", "‘[cat::0.5]’ is drawn as ‘’"),
            ("a [blue:0.3] fox", "a blue fox", "‘[blue:0.3]’ is drawn as ‘blue’"),
            ("[cow|horse] in a field", "cow in a field", "‘[cow|horse]’ is drawn as ‘cow’"),
            ("[|wet] fox", "wet fox", "‘[|wet]’"),
            ("[a [x|y]:b [c:d:3]:0.2]", "b d", "is drawn as ‘b d’"),
        ] {
            let parsed = parse_prompt(prompt);
            assert_eq!(drawn(prompt), [text], "{prompt}");
            let remark = parsed.remarks.join(" ");
            assert!(remark.contains(says), "{remark}");
        }
    }

    #[test]
    fn text_that_only_resembles_syntax_is_kept() {
        for prompt in [
            "a <cat-toy> here",
            "x < y > z",
            "<lora",
            "<lora:>",
            "<:a>",
            "[fox]",
            "(a|b)",
            "[a:b]",
            "(a:1.2)",
            "SAND AND_B ANDROID band",
            r"\[a|b\]",
            "12:30",
            "[(x|y)]",
            "",
        ] {
            assert_eq!(parse_prompt(prompt).remarks, [""; 0], "{prompt}");
        }
    }

    #[test]
    fn hostile_prompts_are_parsed_in_bounded_time() {
        let clock = std::time::Instant::now();
        for unit in ["[", "[a|", "(", "<a:", "AND ", "BREAK ", "[a:b:1]", "\\", "(a:1)", "]", "a:"] {
            let text = unit.repeat((64 << 10) / unit.len());
            let parsed = parse_prompt(&text);
            assert!(parsed.remarks.iter().map(String::len).sum::<usize>() < 2000, "{unit}");
        }
        let nested = format!("{}x{}", "[a|".repeat(8000), "]".repeat(8000));
        assert!(parse_prompt(&nested).sections.len() == 1);
        assert!(clock.elapsed().as_secs() < 20, "{:?}", clock.elapsed());
    }
}
