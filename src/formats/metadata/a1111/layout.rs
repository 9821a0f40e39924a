//! Finds the prompt, the negative prompt and the settings in a text.
//!
//! In AUTOMATIC1111's text each has its own lines, with the settings last. Extensions add lines below, and exporters
//! join all lines into one.

use super::pairs::{key_of, pairs_of};
use super::values::{size, whole};

/// The mark before the negative prompt; its case varies among programs.
const MARK: &str = "Negative prompt:";
/// Key of the number of lines of the prompt, written where the words of the prompt could be mistaken for settings.
pub(super) const PROMPT_LINES: &str = "Prompt lines";
/// Number of pairs from which a line counts as settings, as in AUTOMATIC1111.
const MIN_PAIRS: usize = 3;
/// Number of possible starts of settings in a line that are tried.
const MAX_STARTS: usize = 64;
/// Keys that are unlikely in a prompt. One with a valid value, or two of them, make settings.
const STRONG_KEYS: [&str; 7] =
    ["Steps", "Sampler", "CFG scale", "Seed", "Size", "Schedule type", "Model hash"];
/// Further keys with which programs begin the line.
const FIRST_KEYS: [&str; 6] = ["Model", "Version", "App", "Backend", "Guidance", "Scheduler"];

/// The parts of a text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) prompt: String,
    pub(super) negative: Option<String>,
    /// The settings, then the pairs of the lines below them; empty if the text has no settings.
    pub(super) pairs: Vec<(String, String)>,
}

/// Splits a text whose line breaks are `\n`.
pub(super) fn split(text: &str) -> Layout {
    let lines: Vec<&str> = text.split('\n').collect();
    if let Some(at) = settings_line(&lines) {
        let mut pairs = pairs_of(lines[at]);
        let prompt_lines = pairs.iter().position(|(key, _)| key == PROMPT_LINES);
        let prompt_lines = prompt_lines.and_then(|i| pairs.remove(i).1.parse::<usize>().ok());
        let (prompt, negative) = match prompt_lines.filter(|&count| count <= at) {
            Some(count) => (lines[..count].join("\n"), Some(lines[count..at].join("\n"))),
            None => split_lines(&lines[..at]),
        };
        let negative = negative.map(|text| text.strip_prefix(MARK).map(str::to_owned).unwrap_or(text));
        add_lines_below(&mut pairs, &lines[at + 1..]);
        return Layout {
            prompt: tidy(&prompt),
            negative: negative.map(|n| tidy(&n)).filter(|n| !n.is_empty()),
            pairs,
        };
    }
    if let Some((start, pairs)) = settings_block(&lines) {
        let (prompt, negative) = split_lines(&lines[..start]);
        let negative = negative.map(|n| tidy(&n)).filter(|n| !n.is_empty());
        return Layout { prompt: tidy(&prompt), negative, pairs };
    }
    for (at, line) in lines.iter().enumerate().rev() {
        if let Some(start) = settings_within(line) {
            let body = [&lines[..at], &[&line[..start]]].concat();
            let (prompt, negative) = split_within(&body.join("\n"));
            let mut pairs = pairs_of(&line[start..]);
            add_lines_below(&mut pairs, &lines[at + 1..]);
            return Layout { prompt, negative, pairs };
        }
    }
    let (prompt, negative) = split_lines(&lines);
    let negative = negative.map(|n| tidy(&n)).filter(|n| !n.is_empty());
    Layout { prompt: tidy(&prompt), negative, pairs: Vec::new() }
}

fn tidy(text: &str) -> String {
    text.trim().to_owned()
}

/// Index of the line of settings; of several, the last that begins with `Steps:`, as AUTOMATIC1111's does.
fn settings_line(lines: &[&str]) -> Option<usize> {
    let mut last = None;
    for (at, line) in lines.iter().enumerate().rev().filter(|&(at, line)| is_settings_line(line, at == 0)) {
        if line.trim_start().starts_with("Steps:") {
            return Some(at);
        }
        last = last.or(Some(at));
    }
    last
}

/// Whether a whole line is settings. The first line of a text must begin with a key that programs begin with, since it
/// may be the prompt instead.
fn is_settings_line(line: &str, is_first: bool) -> bool {
    let Some((first, _)) = key_of(line.trim_start()) else { return false };
    let is_known = is_one_of(first, &STRONG_KEYS) || is_one_of(first, &FIRST_KEYS);
    if !is_known
        && (is_first || is_one_of(first, &["Negative prompt", "Prompt", "Template", "Negative Template"]))
    {
        return false;
    }
    is_settings(&pairs_of(line))
}

fn is_settings(pairs: &[(String, String)]) -> bool {
    let strong = pairs.iter().filter(|(key, _)| is_one_of(key, &STRONG_KEYS)).count();
    pairs.len() >= MIN_PAIRS && (strong >= 2 || pairs.iter().any(|(key, value)| is_valid(key, value)))
}

/// Settings at the end of a text with one pair per line: their first line, and the pairs.
fn settings_block(lines: &[&str]) -> Option<(usize, Vec<(String, String)>)> {
    let end = lines.iter().rposition(|line| !line.trim().is_empty())? + 1;
    let key = |at: usize| Some(key_of(lines[at].trim_start())?.0);
    let first = (0..end).rev().take_while(|&at| key(at).is_some()).last()?;
    let is_known = |key: &str| is_one_of(key, &STRONG_KEYS) || is_one_of(key, &FIRST_KEYS);
    let start = (first..end).find(|&at| key(at).is_some_and(is_known))?;
    let pairs: Vec<_> = lines[start..end].iter().flat_map(|line| pairs_of(line)).collect();
    is_settings(&pairs).then_some((start, pairs))
}

pub(super) fn is_one_of(key: &str, keys: &[&str]) -> bool {
    keys.iter().any(|known| known.eq_ignore_ascii_case(key))
}

/// Whether a value is valid for its key.
fn is_valid(key: &str, value: &str) -> bool {
    match key.to_ascii_lowercase().as_str() {
        "steps" => whole(value).is_some(),
        "seed" => whole(value.strip_prefix('-').unwrap_or(value)).is_some(),
        "cfg scale" => value.parse::<f64>().is_ok(),
        "size" => size(value).is_some(),
        "sampler" => !value.is_empty(),
        _ => false,
    }
}

/// The start of settings within a line that continue to its end, in bytes.
fn settings_within(line: &str) -> Option<usize> {
    let mut starts: Vec<usize> = STRONG_KEYS
        .iter()
        .flat_map(|key| line.match_indices(key))
        .filter(|&(at, key)| {
            line[at + key.len()..].starts_with(':')
                && line[..at].chars().next_back().is_none_or(|c| !c.is_alphanumeric())
        })
        .map(|(at, _)| at)
        .collect();
    starts.sort_unstable();
    starts.into_iter().take(MAX_STARTS).find(|&at| {
        let pairs = pairs_of(&line[at..]);
        is_settings(&pairs) && pairs.first().is_some_and(|(key, value)| is_valid(key, value))
    })
}

/// Splits lines at the one that begins with the mark.
fn split_lines(lines: &[&str]) -> (String, Option<String>) {
    let found = lines.iter().enumerate().find_map(|(at, line)| Some((at, behind_mark(line)?)));
    let Some((at, negative)) = found else { return (lines.join("\n"), None) };
    (lines[..at].join("\n"), Some([&[negative], &lines[at + 1..]].concat().join("\n")))
}

/// What follows the mark in a line that begins with it.
fn behind_mark(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let (mark, negative) = line.split_at_checked(MARK.len())?;
    mark.eq_ignore_ascii_case(MARK).then_some(negative)
}

/// Splits joined lines at the mark, and removes the separators they were joined with.
fn split_within(text: &str) -> (String, Option<String>) {
    let tidy = |text: &str| text.trim().trim_end_matches([',', '.', ' ', '\t', '\n']).to_owned();
    match text.split_once(MARK) {
        Some((prompt, negative)) => (tidy(prompt), Some(tidy(negative)).filter(|n| !n.is_empty())),
        None => (tidy(text), None),
    }
}

/// Adds what extensions write below the settings: `Template: …`, which may span several lines.
fn add_lines_below(pairs: &mut Vec<(String, String)>, lines: &[&str]) {
    let first = pairs.len();
    for line in lines {
        match (key_of(line), pairs.len() > first) {
            (Some((key, value)), _) => pairs.push((key.to_owned(), value.trim().to_owned())),
            (None, true) => {
                if let Some((_, value)) = pairs.last_mut() {
                    value.push('\n');
                    value.push_str(line);
                }
            }
            (None, false) if line.trim().is_empty() => {}
            (None, false) => pairs.push(("Text below".to_owned(), tidy(line))),
        }
    }
}
