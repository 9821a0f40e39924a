//! Entries of the library as tables, lines and JSON.

use serde_json::{Value, json};

use super::super::inspect::size_text;
use super::super::library::scanned;
use super::super::output::{self, Output, aligned};
use crate::catalog::PartRole;
use crate::models;
use crate::request::CancelToken;
use crate::store::library::{Entry, EntryKind, Family, Library, MissingPart};

/// What is listed.
pub(super) struct Filter<'a> {
    pub(super) words: &'a [String],
    pub(super) kind: Option<EntryKind>,
    pub(super) family: Option<Family>,
}

impl Filter<'_> {
    pub(super) fn of<'e>(&self, entries: &'e [Entry]) -> Vec<&'e Entry> {
        entries.iter().filter(|entry| self.takes(entry)).collect()
    }

    fn takes(&self, entry: &Entry) -> bool {
        let text = format!(
            "{} {} {}",
            entry.name,
            entry.repository.as_deref().unwrap_or_default(),
            entry.path.display()
        )
        .to_lowercase();
        self.words.iter().all(|word| text.contains(&word.to_lowercase()))
            && self.kind.is_none_or(|kind| kind == entry.facts.kind)
            && self.family.is_none_or(|family| entry.facts.families.contains(&family))
    }
}

/// Prints entries, or why there are none.
pub(super) fn list(library: &Library, entries: &[&Entry], as_json: bool, output: &mut Output) {
    if as_json {
        for entry in entries {
            output.json(&entry_json(entry));
        }
        return;
    }
    if entries.is_empty() {
        let hint = if library.entries.is_empty() && library.removed.is_empty() {
            "the library has no models yet: ‘safelight models where’ shows its folders, and ‘safelight models add-folder \
             FOLDER’ adds one"
        } else {
            "no entry of the library fits"
        };
        return output.notice(hint);
    }
    let row = |entry: &&Entry| {
        [
            entry.name.clone(),
            entry.facts.kind.id().to_owned(),
            family_ids(entry),
            entry.facts.precision.clone(),
            size_text(entry.bytes),
            state(entry),
        ]
    };
    let head = ["NAME", "KIND", "FAMILY", "PRECISION", "SIZE", ""].map(str::to_owned);
    let rows: Vec<[String; 6]> = std::iter::once(head).chain(entries.iter().map(row)).collect();
    for line in aligned(&rows) {
        output.line(&line);
    }
}

fn family_ids(entry: &Entry) -> String {
    entry.facts.families.iter().map(|family| family.id()).collect::<Vec<_>>().join(",")
}

/// What stands in the way of using an entry, in a few words; empty if nothing does.
fn state(entry: &Entry) -> String {
    if let Some(problem) = &entry.facts.problem {
        return problem.to_string();
    }
    let wanting: Vec<&str> =
        entry.missing.iter().filter(|part| part.is_wanting()).map(|part| part.what.as_str()).collect();
    if !wanting.is_empty() {
        return format!("lacks {}", wanting.join(", "));
    }
    String::new()
}

fn part_json(part: &MissingPart) -> Value {
    json!({
        "part": part.what,
        "option": part.role.map(PartRole::option),
        "optional": part.is_optional,
        "completed by": part.completed_by.iter().map(|path| output::text(path)).collect::<Vec<_>>(),
        "tokenizer": !part.lacks_tokenizer,
    })
}

fn entry_json(entry: &Entry) -> Value {
    let facts = &entry.facts;
    json!({
        "name": entry.name,
        "repository": entry.repository,
        "kind": facts.kind.id(),
        "families": facts.families.iter().map(|family| family.id()).collect::<Vec<_>>(),
        "format": facts.format.name(),
        "precision": facts.precision,
        "parameters": facts.parameters,
        "bytes": entry.bytes,
        "weights": facts.weight_bytes,
        "weights with parts": entry.bytes_with_parts,
        "ready": entry.is_ready(),
        "missing": entry.missing.iter().map(part_json).collect::<Vec<_>>(),
        "problem": facts.problem.as_ref().map(ToString::to_string),
        "sha256": entry.sha256,
        "AutoV2": entry.auto_v2(),
        "path": output::text(&entry.path),
    })
}

/// Prints what is known of one entry.
pub(super) fn info(name: &str, hash: bool, as_json: bool, output: &mut Output) -> anyhow::Result<()> {
    let library = scanned(false)?;
    let mut entry = library.find(name)?.clone();
    if hash {
        let bar = output::progress();
        bar.set_message("sha256");
        bar.set_length(entry.bytes);
        let hashed = library.hash(&entry, &CancelToken::new(), &|bytes| bar.set_position(bytes));
        bar.finish_and_clear();
        entry.sha256 = Some(hashed?);
    }
    if as_json {
        output.json(&entry_json(&entry));
        return Ok(());
    }
    for (key, value) in info_rows(&entry) {
        if !value.is_empty() {
            output.line(&format!("{key}: {value}"));
        }
    }
    Ok(())
}

/// What is known of an entry, line by line; empty values are not printed.
fn info_rows(entry: &Entry) -> Vec<(&'static str, String)> {
    let facts = &entry.facts;
    let names: Vec<&str> = facts.families.iter().map(|family| family.name()).collect();
    let mut rows = vec![
        ("name", entry.name.clone()),
        ("repository", entry.repository.clone().unwrap_or_default()),
        ("kind", facts.kind.id().to_owned()),
        ("family", names.join(", ")),
        ("format", facts.format.name().to_owned()),
        ("precision", facts.precision.clone()),
        ("parameters", if facts.parameters > 0 { facts.parameters.to_string() } else { String::new() }),
        ("size", size_text(entry.bytes)),
        ("problem", facts.problem.as_ref().map(ToString::to_string).unwrap_or_default()),
    ];
    for part in &entry.missing {
        rows.push((if part.is_optional { "optional part" } else { "part" }, part_text(part)));
    }
    if facts.kind.is_model() && facts.weight_bytes > 0 {
        let free = models::available_bytes().map(|bytes| format!("; {} are free", size_text(bytes)));
        let text = format!("{} of weights{}", size_text(entry.bytes_with_parts), free.unwrap_or_default());
        rows.push(("memory", text));
    }
    rows.push(("sha256", entry.sha256.clone().unwrap_or_default()));
    rows.push(("AutoV2", entry.auto_v2().unwrap_or_default().to_owned()));
    rows.push(("path", output::text(&entry.path)));
    rows.extend(entry.files.iter().skip(1).map(|file| ("path", output::text(file))));
    rows
}

fn part_text(part: &MissingPart) -> String {
    let Some(file) = part.completed_by.first() else {
        let option = part.role.map(|role| format!(" ({} FILE)", role.option())).unwrap_or_default();
        return format!("{} is missing{option}", part.what);
    };
    let others = match part.completed_by.len() - 1 {
        0 => String::new(),
        1 => " or 1 other file".to_owned(),
        count => format!(" or {count} other files"),
    };
    let tokenizer = if part.lacks_tokenizer {
        "; its tokenizer is not in it: use a GGUF file, or name a folder that has one (--config FOLDER)"
    } else {
        ""
    };
    format!("{} from {}{others}{tokenizer}", part.what, output::text(file))
}
