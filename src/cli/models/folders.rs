//! The folders of the library: shown, added and dropped.

use std::path::Path;

use anyhow::bail;
use serde_json::json;

use super::super::library::{scanned, unscanned};
use super::super::output::{self, Output, aligned};
use super::notices;
use crate::store::library::{FolderOwner, LibraryFolder};

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
    let library = unscanned()?;
    let Some(folder) = library.add_folder(typed)? else {
        let known = library.folder(typed).map_or(typed, |known| &known.path);
        output.line(&format!("it is searched already: {}", output::text(known)));
        return Ok(());
    };
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

/// Drops a folder that was added.
pub(super) fn drop(typed: &Path, output: &mut Output) -> anyhow::Result<()> {
    let library = unscanned()?;
    let Some(known) = library.folder(typed) else {
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
    library.drop_folder(known)?;
    output.line(&format!("it is searched no longer, and its files stay: {}", output::text(&known.path)));
    Ok(())
}
