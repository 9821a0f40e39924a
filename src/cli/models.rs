//! `safelight models`: the library of the models on this machine.

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Subcommand;
use serde_json::{Value, json};

use super::inspect::size_text;
use super::library::{scanned, unscanned};
use super::output::{self, Output};
use crate::models;
use crate::request::CancelToken;
use crate::store::PartRole;
use crate::store::library::{
    Entry, EntryKind, Family, FolderOwner, Library, LibraryConfig, LibraryFolder, MissingPart,
};

#[derive(Debug, Subcommand)]
pub(super) enum ModelsCommand {
    /// List models, and files that belong to models.
    List {
        /// Words that the name, the repository or the path contains.
        words: Vec<String>,
        #[arg(long, value_name = "KIND", value_parser = kind, help = kind_help())]
        kind: Option<EntryKind>,
        #[arg(long, value_name = "FAMILY", value_parser = family, help = family_help())]
        family: Option<Family>,
        /// List what was taken off the list instead.
        #[arg(long)]
        removed: bool,
        /// Print JSON on standard output, one line for each entry.
        #[arg(long)]
        json: bool,
    },
    /// Show what is known of one entry, what it lacks and what completes it.
    Info {
        /// Its name, the beginning of its name, or its path.
        name: String,
        /// Compute its sha256, which reads the whole file.
        #[arg(long)]
        hash: bool,
        /// Print JSON on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Show the folders: those that are searched, and those of other programs that can be added.
    Where {
        /// Print JSON on standard output, one line for each folder.
        #[arg(long)]
        json: bool,
    },
    /// Search the folders again, and read the headers of all files anew.
    Scan {
        /// Print JSON on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Take an entry off the list. Its files stay.
    Remove {
        /// Its name, the beginning of its name, or its path.
        name: String,
    },
    /// Put an entry that was taken off back onto the list.
    Restore {
        /// Its name or its path.
        name: String,
    },
    /// Search a folder of models, or the folder of ComfyUI, AUTOMATIC1111, Forge, InvokeAI or the Hugging Face cache.
    AddFolder {
        /// The folder.
        folder: PathBuf,
    },
    /// Search a folder no longer. Its files stay.
    DropFolder {
        /// The folder, as ‘models where’ shows it.
        folder: PathBuf,
    },
}

/// Runs one of the commands.
pub(super) fn run(command: &ModelsCommand, output: &mut Output) -> anyhow::Result<()> {
    match command {
        ModelsCommand::List { words, kind, family, removed, json } => {
            let library = scanned(false)?;
            notices(&library, output);
            let filter = Filter { words, kind: *kind, family: *family };
            let entries = if *removed { &library.removed } else { &library.entries };
            list(&library, &filter.of(entries), *json, output);
            Ok(())
        }
        ModelsCommand::Info { name, hash, json } => info(name, *hash, *json, output),
        ModelsCommand::Where { json } => folders(*json, output),
        ModelsCommand::Scan { json } => scan(*json, output),
        ModelsCommand::Remove { name } => remove(name, output),
        ModelsCommand::Restore { name } => restore(name, output),
        ModelsCommand::AddFolder { folder } => add_folder(folder, output),
        ModelsCommand::DropFolder { folder } => drop_folder(folder, output),
    }
}

fn kind(text: &str) -> Result<EntryKind, String> {
    EntryKind::of_id(text).ok_or_else(kind_help)
}

fn kind_help() -> String {
    format!("Only those of this kind: {}", EntryKind::ALL.map(EntryKind::id).join(", "))
}

fn family(text: &str) -> Result<Family, String> {
    Family::of_id(text).ok_or_else(family_help)
}

fn family_help() -> String {
    format!("Only those that belong to this family: {}", Family::ALL.map(Family::id).join(", "))
}

/// What is listed.
struct Filter<'a> {
    words: &'a [String],
    kind: Option<EntryKind>,
    family: Option<Family>,
}

impl Filter<'_> {
    fn of<'e>(&self, entries: &'e [Entry]) -> Vec<&'e Entry> {
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

/// Prints what a scan passed by.
fn notices(library: &Library, output: &mut Output) {
    for note in &library.notes {
        output.notice(&note.to_string());
    }
}

fn list(library: &Library, entries: &[&Entry], as_json: bool, output: &mut Output) {
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

/// Rows with their columns below each other.
fn aligned<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..N).map(width).collect();
    let line = |row: &[String; N]| {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

fn family_ids(entry: &Entry) -> String {
    entry.facts.families.iter().map(|family| family.id()).collect::<Vec<_>>().join(",")
}

/// What stands in the way of using an entry, in a few words; empty if nothing does.
fn state(entry: &Entry) -> String {
    if let Some(problem) = &entry.facts.problem {
        return problem.clone();
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
        "problem": facts.problem,
        "sha256": entry.sha256,
        "AutoV2": entry.auto_v2(),
        "path": output::text(&entry.path),
    })
}

fn info(name: &str, hash: bool, as_json: bool, output: &mut Output) -> anyhow::Result<()> {
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
        ("problem", facts.problem.clone().unwrap_or_default()),
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

/// The folders in use, each with whether it exists, and those that are offered.
fn folders(as_json: bool, output: &mut Output) -> anyhow::Result<()> {
    let library = unscanned()?;
    notices(&library, output);
    let offered = library.offered();
    let state = |folder: &LibraryFolder, is_used: bool| match (is_used, folder.path.is_dir()) {
        (false, _) => "offered",
        (true, true) => "used",
        (true, false) if folder.owner == FolderOwner::Own => "not made yet",
        (true, false) => "not there",
    };
    let used = library.folders.iter().map(|folder| (folder, true));
    let all: Vec<(&LibraryFolder, bool)> = used.chain(offered.iter().map(|folder| (folder, false))).collect();
    if as_json {
        for (folder, is_used) in all {
            output.json(&json!({
                "path": output::text(&folder.path),
                "owner": folder.owner.id(),
                "used": is_used,
                "exists": folder.path.is_dir(),
            }));
        }
        return Ok(());
    }
    let rows: Vec<[String; 3]> = all
        .iter()
        .map(|(folder, is_used)| {
            [state(folder, *is_used).to_owned(), folder.owner.name().to_owned(), output::text(&folder.path)]
        })
        .collect();
    for line in aligned(&rows) {
        output.line(&line);
    }
    if !offered.is_empty() {
        output.notice(
            "‘safelight models add-folder FOLDER’ adds one that is offered; nothing is copied or moved",
        );
    }
    Ok(())
}

fn scan(as_json: bool, output: &mut Output) -> anyhow::Result<()> {
    let start = std::time::Instant::now();
    let library = scanned(true)?;
    let seconds = start.elapsed().as_secs_f64();
    notices(&library, output);
    let ready = library.entries.iter().filter(|entry| entry.is_ready()).count();
    if as_json {
        output.json(&json!({
            "entries": library.entries.len(),
            "ready": ready,
            "headers read": library.headers_read,
            "seconds": (seconds * 1000.0).round() / 1000.0,
            "notes": library.notes.iter().map(ToString::to_string).collect::<Vec<_>>(),
        }));
    } else {
        let (entries, headers) = (library.entries.len(), library.headers_read);
        output.line(&format!(
            "{entries} entries, {ready} of them models that open; {headers} headers read in {seconds:.2} s"
        ));
    }
    Ok(())
}

fn remove(name: &str, output: &mut Output) -> anyhow::Result<()> {
    let library = scanned(false)?;
    let entry = library.find(name)?;
    LibraryConfig::edit(&library.paths().config, |config| {
        let is_new = !config.removed.contains(&entry.path);
        if is_new {
            config.removed.push(entry.path.clone());
        }
        is_new
    })?;
    output.line(&format!(
        "‘{}’ is off the list; its files stay where they are, and ‘safelight models restore’ brings it back: {}",
        entry.name,
        output::text(&entry.path)
    ));
    Ok(())
}

fn restore(name: &str, output: &mut Output) -> anyhow::Result<()> {
    let library = scanned(false)?;
    let is_it = |entry: &&Entry| entry.name.eq_ignore_ascii_case(name) || entry.path == Path::new(name);
    let entries: Vec<&Entry> = library.removed.iter().filter(is_it).collect();
    let entry = match entries[..] {
        [entry] => entry,
        [] => bail!(
            "nothing of this name was taken off the list (‘safelight models list --removed’ shows what was): {name}"
        ),
        _ => {
            let paths: Vec<String> = entries.iter().map(|entry| output::text(&entry.path)).collect();
            bail!(
                "‘{name}’ is the name of several entries; name the path of one of them: {}",
                paths.join(", ")
            )
        }
    };
    LibraryConfig::edit(&library.paths().config, |config| {
        config.removed.retain(|path| *path != entry.path);
        true
    })?;
    output.line(&format!("‘{}’ is on the list again: {}", entry.name, output::text(&entry.path)));
    Ok(())
}

fn add_folder(typed: &Path, output: &mut Output) -> anyhow::Result<()> {
    if !typed.exists() {
        bail!("there is no folder {}", output::text(typed));
    }
    if !typed.is_dir() {
        bail!(
            "a library has folders, and this is a file; add the folder that it is in: {}",
            output::text(typed)
        );
    }
    let folder = plain(typed);
    let library = unscanned()?;
    if library.folders.iter().any(|known| same(&known.path, &folder)) {
        output.line(&format!("it is searched already: {}", output::text(&folder)));
        return Ok(());
    }
    let mut is_new = false;
    LibraryConfig::edit(&library.paths().config, |config| {
        is_new = !config.folders.contains(&folder);
        if is_new {
            config.folders.push(folder.clone());
        }
        is_new
    })?;
    let library = scanned(false)?;
    notices(&library, output);
    let found = library.entries_in(&folder).len();
    let owner = match LibraryFolder::of_path(&folder).owner {
        FolderOwner::Plain => String::new(),
        owner => format!(" ({})", owner.name()),
    };
    output.line(&format!("{found} entries found{owner}: {}", output::text(&folder)));
    Ok(())
}

fn drop_folder(typed: &Path, output: &mut Output) -> anyhow::Result<()> {
    let library = unscanned()?;
    let folder = plain(typed);
    let Some(known) = library.folders.iter().find(|known| known.path == *typed || same(&known.path, &folder))
    else {
        bail!(
            "it is not searched; ‘safelight models where’ shows the folders that are: {}",
            output::text(typed)
        );
    };
    if known.owner == FolderOwner::Own {
        bail!(
            "this is the program's own folder of models, which is always searched: {}",
            output::text(&known.path)
        );
    }
    LibraryConfig::edit(&library.paths().config, |config| {
        let before = config.folders.len();
        config.folders.retain(|path| *path != known.path);
        config.folders.len() != before
    })?;
    output.line(&format!("it is searched no longer, and its files stay: {}", output::text(&known.path)));
    Ok(())
}

/// A path that does not depend on the current folder, without a separator at its end.
fn plain(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).components().collect()
}

/// Whether two paths lead to one folder.
fn same(a: &Path, b: &Path) -> bool {
    a == b || matches!((std::fs::canonicalize(a), std::fs::canonicalize(b)), (Ok(a), Ok(b)) if a == b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_by_characters() {
        let rows = [["a", "여우", "x"], ["longer", "b", ""]].map(|row| row.map(str::to_owned));
        assert_eq!(aligned(&rows), ["a       여우  x", "longer  b"]);
    }

    #[test]
    fn kinds_and_families_are_named_where_they_are_mistyped() {
        assert_eq!(kind("VAE"), Ok(EntryKind::Vae));
        assert!(kind("models").unwrap_err().contains("checkpoint, folder, diffusion-model"));
        assert_eq!(family("sdxl"), Ok(Family::StableDiffusionXl));
        assert!(family("sd9").unwrap_err().contains("sd1, sd2, sdxl"));
    }
}
