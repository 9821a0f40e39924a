//! `safelight models`: the library of the models on this machine.

mod entries;
mod folders;

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Subcommand;
use serde_json::json;

use self::entries::Filter;
use super::get::{self, GetArguments};
use super::library::scanned;
use super::output::{self, Output};
use crate::store::library::{Entry, EntryKind, Family, Library};

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
    /// Fetch a model from the Hugging Face hub or an https address, or show the catalogue.
    Get(GetArguments),
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
            entries::list(&library, &filter.of(entries), *json, output);
            Ok(())
        }
        ModelsCommand::Info { name, hash, json } => entries::info(name, *hash, *json, output),
        ModelsCommand::Where { json } => folders::show(*json, output),
        ModelsCommand::Get(arguments) => get::run(arguments, output),
        ModelsCommand::Scan { json } => scan(*json, output),
        ModelsCommand::Remove { name } => remove(name, output),
        ModelsCommand::Restore { name } => restore(name, output),
        ModelsCommand::AddFolder { folder } => folders::add(folder, output),
        ModelsCommand::DropFolder { folder } => folders::drop(folder, output),
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

/// Prints what a scan passed by.
fn notices(library: &Library, output: &mut Output) {
    for note in &library.notes {
        output.notice(&note.to_string());
    }
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
    library.remove(&entry.path)?;
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
    library.restore(&entry.path)?;
    output.line(&format!("‘{}’ is on the list again: {}", entry.name, output::text(&entry.path)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_families_are_named_where_they_are_mistyped() {
        assert_eq!(kind("VAE"), Ok(EntryKind::Vae));
        assert!(kind("models").unwrap_err().contains("checkpoint, folder, diffusion-model"));
        assert_eq!(family("sdxl"), Ok(Family::StableDiffusionXl));
        assert!(family("sd9").unwrap_err().contains("sd1, sd2, sdxl"));
    }
}
