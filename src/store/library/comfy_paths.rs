//! ComfyUI's `extra_model_paths.yaml`: sections with a base folder and a folder, or several, for each kind of model.
//!
//! ```yaml
//! other_program:
//!     base_path: ~/models
//!     checkpoints: checkpoints
//!     text_encoders: |
//!         text_encoders
//!         clip
//! ```
//!
//! Source: `extra_model_paths.yaml.example` in <https://github.com/comfyanonymous/ComfyUI>.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use saphyr_parser::{Event, Parser};

use super::super::program_folders::{COMFYUI, name};
use super::environment::Environment;

/// More bytes than any such file has, and more YAML events.
const MAX_BYTES: u64 = 1 << 20;
const MAX_EVENTS: usize = 10_000;
/// A section, its keys, and a list of folders.
const MAX_DEPTH: usize = 3;

/// The folders that a file names, and what in it was not understood.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ComfyPaths {
    pub(super) folders: Vec<PathBuf>,
    pub(super) not_understood: Vec<String>,
}

/// A YAML value, as far as this file has them.
enum Yaml {
    /// A text; empty for null.
    Text(String),
    List(Vec<Yaml>),
    Map(Vec<(String, Yaml)>),
}

/// Reads the file at `path`; why it cannot be read otherwise.
pub(super) fn read(path: &Path, environment: &Environment) -> Result<ComfyPaths, String> {
    let metadata = std::fs::metadata(path).map_err(|error| format!("it cannot be read: {error}"))?;
    if !metadata.is_file() {
        return Err("it is not a file".to_owned());
    }
    if metadata.len() > MAX_BYTES {
        return Err(format!("it has {} bytes, more than any such file", metadata.len()));
    }
    let bytes = std::fs::read(path).map_err(|error| format!("it cannot be read: {error}"))?;
    let text = String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned())?;
    let folder = path.parent().unwrap_or(Path::new(""));
    parse(&text, folder, environment)
}

fn parse(text: &str, folder: &Path, environment: &Environment) -> Result<ComfyPaths, String> {
    let mut found = ComfyPaths::default();
    let sections = match document(text)? {
        Some(Yaml::Map(sections)) => sections,
        Some(Yaml::Text(text)) if text.is_empty() => return Ok(found),
        None => return Ok(found),
        Some(_) => return Err("it has no sections".to_owned()),
    };
    for (section, content) in sections {
        match content {
            Yaml::Map(keys) => add_section(&section, keys, folder, environment, &mut found),
            Yaml::Text(text) if text.is_empty() => {}
            _ => found.not_understood.push(format!("the section ‘{section}’ has no keys")),
        }
    }
    Ok(found)
}

fn add_section(
    section: &str,
    keys: Vec<(String, Yaml)>,
    folder: &Path,
    environment: &Environment,
    found: &mut ComfyPaths,
) {
    let base = keys.iter().find_map(|(key, value)| match value {
        Yaml::Text(text) if key == "base_path" && !text.trim().is_empty() => Some(text.trim()),
        _ => None,
    });
    let base = base.map_or_else(|| folder.to_owned(), |base| folder.join(environment.expanded(base)));
    for (key, value) in keys {
        // Other keys are of custom nodes, or of models that this program does not have.
        if !COMFYUI.iter().any(|known| name(*known) == key) {
            continue;
        }
        let paths = match value {
            Yaml::Text(text) => vec![text],
            Yaml::List(values) => values
                .into_iter()
                .filter_map(|value| if let Yaml::Text(text) = value { Some(text) } else { None })
                .collect(),
            Yaml::Map(_) => {
                found.not_understood.push(format!("‘{key}’ in ‘{section}’ is no folder"));
                continue;
            }
        };
        let lines = paths.iter().flat_map(|text| text.lines()).map(str::trim).filter(|line| !line.is_empty());
        found.folders.extend(lines.map(|line| base.join(environment.expanded(line))));
    }
}

/// The first document; `None` if there is none.
fn document(text: &str) -> Result<Option<Yaml>, String> {
    // Containers that are open, each with the key of a map that waits for its value.
    let mut open: Vec<(Yaml, Option<String>)> = Vec::new();
    for (count, event) in Parser::new_from_str(text).enumerate() {
        let (event, _) = event.map_err(|error| format!("it is not YAML: {error}"))?;
        if count == MAX_EVENTS {
            return Err("it has more values than any such file".to_owned());
        }
        let value = match event {
            Event::Scalar(text, style, _, _) => {
                let is_null = style == saphyr_parser::ScalarStyle::Plain && matches!(&*text, "~" | "null");
                Yaml::Text(if is_null { String::new() } else { Cow::into_owned(text) })
            }
            Event::MappingStart(..) | Event::SequenceStart(..) if open.len() == MAX_DEPTH => {
                return Err("its values lie deeper than in any such file".to_owned());
            }
            Event::MappingStart(..) => {
                open.push((Yaml::Map(Vec::new()), None));
                continue;
            }
            Event::SequenceStart(..) => {
                open.push((Yaml::List(Vec::new()), None));
                continue;
            }
            Event::MappingEnd | Event::SequenceEnd => match open.pop() {
                Some((value, _)) => value,
                None => continue,
            },
            Event::Alias(_) => return Err("it has aliases (*name), which are not read here".to_owned()),
            Event::DocumentEnd => return Ok(None),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) => continue,
        };
        match open.last_mut() {
            None => return Ok(Some(value)),
            Some((Yaml::List(values), _)) => values.push(value),
            Some((Yaml::Map(values), key)) => match (key.take(), value) {
                (Some(key), value) => values.push((key, value)),
                (None, Yaml::Text(text)) => *key = Some(text),
                (None, _) => return Err("a key in it is not a text".to_owned()),
            },
            Some((Yaml::Text(_), _)) => {}
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn environment() -> Environment {
        Environment {
            home: Some("/home/a".into()),
            variables: [("MODELS".into(), "/srv/models".into())].into(),
        }
    }

    fn parsed(text: &str) -> Result<ComfyPaths, String> {
        parse(text, Path::new("/comfy"), &environment())
    }

    #[test]
    #[cfg(unix)]
    fn sections_name_folders_under_their_base() {
        let text = "#Rename this\n\ncomfyui:\n    base_path: ~/comfy\n    is_default: true\n    checkpoints: models/checkpoints/\n    \
            text_encoders: |\n         models/text_encoders/\n         models/clip/\n    clip_vision: x\n\na111:\n    \
            base_path: $MODELS\n    vae: [VAE, /abs]\n    loras: \"Lo ra\" # a comment\nempty:\nplain:\n    unet: u\n";
        let folders: Vec<PathBuf> = [
            "/home/a/comfy/models/checkpoints/",
            "/home/a/comfy/models/text_encoders/",
            "/home/a/comfy/models/clip/",
            "/srv/models/VAE",
            "/abs",
            "/srv/models/Lo ra",
            "/comfy/u",
        ]
        .map(PathBuf::from)
        .into();
        assert_eq!(parsed(text).unwrap(), ComfyPaths { folders, not_understood: Vec::new() });
    }

    #[test]
    fn what_is_not_understood_is_said() {
        let odd = parsed("a: 7\nb:\n  vae:\n    deep: x\n  loras: l\n").unwrap();
        assert_eq!(odd.not_understood, ["the section ‘a’ has no keys", "‘vae’ in ‘b’ is no folder"]);
        assert_eq!(odd.folders, [Path::new("/comfy").join("l")]);
        assert_eq!(parsed("").unwrap(), ComfyPaths::default());
        assert_eq!(parsed("# only a comment\n").unwrap(), ComfyPaths::default());
        assert_eq!(parsed("[a, b]").unwrap_err(), "it has no sections");
        assert!(parsed("a:\n  vae: {").unwrap_err().starts_with("it is not YAML: "));
        assert!(parsed("a: &x {vae: v}\nb: *x\n").unwrap_err().contains("aliases"));
        assert!(parsed("a: {b: {c: {d: e}}}").unwrap_err().contains("deeper"));
        assert!(parsed("? [a]\n: b\n").unwrap_err().contains("not a text"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[-a-z:{}\\[\\]|>&*#'\"\n ~?!%@`\t]{0,80}") {
            let _ = parsed(&text);
        }
    }
}
