//! The folders of the library: shown, added and dropped.

use std::path::{Path, PathBuf};

use anyhow::bail;
use serde_json::json;

use super::super::library::{scanned, unscanned};
use super::super::output::{self, Output, aligned};
use super::notices;
use crate::store::library::{FolderOwner, LibraryConfig, LibraryFolder};

/// Prints the folders in use, each with whether it exists, and those that are offered.
pub(super) fn show(as_json: bool, output: &mut Output) -> anyhow::Result<()> {
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

/// Adds a folder, and says what was found in it.
pub(super) fn add(typed: &Path, output: &mut Output) -> anyhow::Result<()> {
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

/// Adds a folder into which a model was fetched, unless it is searched already. Returns whether it is new.
pub(in crate::cli) fn search_also(folder: &Path) -> anyhow::Result<bool> {
    let (library, folder) = (unscanned()?, plain(folder));
    // A folder inside one that is searched is searched, too.
    let is_inside = |known: &LibraryFolder| folder.starts_with(&known.path) || same(&known.path, &folder);
    if library.folders.iter().any(is_inside) {
        return Ok(false);
    }
    let mut is_new = false;
    LibraryConfig::edit(&library.paths().config, |config| {
        is_new = !config.folders.contains(&folder);
        if is_new {
            config.folders.push(folder);
        }
        is_new
    })?;
    Ok(is_new)
}

/// Drops a folder that was added.
pub(super) fn drop(typed: &Path, output: &mut Output) -> anyhow::Result<()> {
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
