//! The files that a package takes from the command line's definition: manual pages and the shells' completions.

use std::path::Path;

use anyhow::Context as _;
use clap::CommandFactory as _;
use clap_complete::Shell;

use super::arguments::Arguments;

/// The shells that get completions.
const SHELLS: [Shell; 4] = [Shell::Bash, Shell::Fish, Shell::Zsh, Shell::PowerShell];

/// Writes `man/*.1` and `completions/*` into a folder, which is made if it is missing.
///
/// # Errors
/// If a file cannot be written.
pub(super) fn run(folder: &Path) -> anyhow::Result<()> {
    write(folder).with_context(|| format!("the packaging files could not be written: {}", folder.display()))
}

fn write(folder: &Path) -> std::io::Result<()> {
    let (manual, completions) = (folder.join("man"), folder.join("completions"));
    std::fs::create_dir_all(&manual)?;
    std::fs::create_dir_all(&completions)?;
    let visible = without_hidden(&Arguments::command());
    clap_mangen::generate_to(visible.clone().disable_help_subcommand(true), &manual)?;
    for shell in SHELLS {
        clap_complete::generate_to(shell, &mut visible.clone(), "safelight", &completions)?;
    }
    Ok(())
}

/// The program's command without the subcommands that its help does not show.
fn without_hidden(command: &clap::Command) -> clap::Command {
    let shown = command.get_subcommands().filter(|sub| !sub.is_hide_set()).cloned();
    let mut visible = clap::Command::new("safelight").version(env!("CARGO_PKG_VERSION")).subcommands(shown);
    visible = visible.args(command.get_arguments().cloned());
    match command.get_about() {
        Some(about) => visible.about(about.clone()),
        None => visible,
    }
}
