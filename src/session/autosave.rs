//! Settings and file names of autosaved pictures.

use std::fmt::Write as _;
use std::path::PathBuf;

use crate::formats::metadata::GenerationFacts;
use crate::store::calendar::utc;

/// The default name pattern.
pub const AUTOSAVE_PATTERN: &str = "{date} {time} {seed} {prompt:40}";

/// What is saved automatically.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AutosaveKind {
    /// Nothing.
    #[default]
    Off,
    /// Pictures.
    Pictures,
    /// Pictures, and their latents beside them.
    PicturesAndLatents,
}

/// The autosave settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Autosave {
    /// What is saved.
    pub kind: AutosaveKind,
    /// The folder; `None` for the window's default.
    pub folder: Option<PathBuf>,
    /// The name pattern. Placeholders: `{date}`, `{time}` (both UTC), `{seed}`, `{model}`, `{prompt}`, `{prompt:40}`
    /// (its first 40 characters) and `{n}` (a counter).
    pub pattern: String,
}

impl Default for Autosave {
    fn default() -> Self {
        Self { kind: AutosaveKind::Off, folder: None, pattern: AUTOSAVE_PATTERN.to_owned() }
    }
}

/// Upper limit of a name, bytes: file systems allow 255, and a number and an extension are added.
const MAX_NAME_BYTES: usize = 180;

/// The file name, without extension, of a picture with these settings, generated at `unix_secs` (seconds since the Unix
/// epoch). `n` counts the attempts to find an unused name, from 1. Characters that file systems refuse become `_`.
pub fn autosave_name(pattern: &str, facts: &GenerationFacts, unix_secs: u64, n: usize) -> String {
    let [year, month, day, hour, minute, second] = utc(unix_secs);
    let (prompt, model) = (facts.prompt.as_deref().unwrap_or(""), facts.model.as_deref().unwrap_or(""));
    let seed = facts.seed.map_or(String::new(), |seed| seed.to_string());
    let mut name = String::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('{') {
        name.push_str(before);
        let Some((field, after)) = after.split_once('}') else {
            name.push('{');
            rest = after;
            continue;
        };
        match field {
            "date" => {
                let _ = write!(name, "{year:04}-{month:02}-{day:02}");
            }
            "time" => {
                let _ = write!(name, "{hour:02}-{minute:02}-{second:02}");
            }
            "seed" => name.push_str(&seed),
            "model" => name.push_str(model),
            "prompt" => name.push_str(prompt),
            "n" => {
                let _ = write!(name, "{n:04}");
            }
            other => match other.strip_prefix("prompt:").and_then(|most| most.parse::<usize>().ok()) {
                Some(most) => name.extend(prompt.chars().take(most)),
                None => {
                    let _ = write!(name, "{{{other}}}");
                }
            },
        }
        rest = after;
    }
    name.push_str(rest);
    let name: String = name
        .chars()
        .map(|c| if c.is_control() || r#"/\:*?"<>|"#.contains(c) { '_' } else { c })
        .scan(0, |bytes, c| {
            *bytes += c.len_utf8();
            (*bytes <= MAX_NAME_BYTES).then_some(c)
        })
        .collect();
    // No hidden file, no `..`, and no trailing dots or spaces, which Windows strips.
    let mut name = name.trim().trim_matches('.').trim().to_owned();
    if name.is_empty() {
        name = format!("safelight-{seed}");
    }
    if n > 1 && !pattern.contains("{n}") { format!("{name}-{n}") } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Seed;

    fn facts(prompt: &str) -> GenerationFacts {
        GenerationFacts {
            prompt: Some(prompt.to_owned()),
            seed: Some(Seed(7)),
            model: Some("sd/15".to_owned()),
            ..GenerationFacts::default()
        }
    }

    #[test]
    fn names_follow_the_pattern() {
        // 2024-02-29 12:34:56 UTC.
        let name = |pattern| autosave_name(pattern, &facts("a red fox: at dusk"), 1_709_210_096, 1);
        assert_eq!(name("{date} {time} {seed} {prompt:5}"), "2024-02-29 12-34-56 7 a red");
        assert_eq!(name("{model} {prompt}"), "sd_15 a red fox_ at dusk");
        assert_eq!(name("{n} {what} {"), "0001 {what} {");
        assert_eq!(autosave_name("{seed}", &facts(""), 0, 3), "7-3");
        assert_eq!(autosave_name("{seed}{n}", &facts(""), 0, 3), "70003");
        assert_eq!(autosave_name("{date}", &facts(""), 951_782_400, 1), "2000-02-29");
    }

    #[test]
    fn names_are_never_empty_and_stay_in_their_folder() {
        for prompt in ["../../etc/passwd", "..", "   ", "\u{0}\n", ""] {
            let name = autosave_name("{prompt}", &facts(prompt), 0, 1);
            assert!(!name.is_empty() && !name.contains('/') && !name.starts_with('.'), "{name:?}");
        }
        let long = autosave_name("{prompt}", &facts(&"긴".repeat(500)), 0, 1);
        assert_eq!(long.len(), MAX_NAME_BYTES);
    }
}
