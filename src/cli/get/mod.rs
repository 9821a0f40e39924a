//! `safelight models get`: fetches a model from the hub, a mirror of it, or an https address.
//!
//! Files, sizes and licence are shown before anything is fetched. An interrupted download goes on with the same command.

mod list;
mod plan;

use std::collections::BTreeSet;
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use directories::ProjectDirs;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use self::list::{list, show_catalogue};
use self::plan::{Plan, licence_line, plan};
use super::library::unscanned;
use super::output::{self, Output};
use crate::store::hub::{
    Client, ClientSettings, ContentHash, Destination, Download, DownloadState, HubCache, HubEnvironment,
    Queue, Source, SystemDisk, in_words, require_space, time_left,
};

/// What is said of a gated repository.
const GATED: &str = "its terms must be accepted on its page, with the account of the token";
/// Between two looks at the downloads.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

#[derive(Clone, Debug, Args)]
pub(super) struct GetArguments {
    /// A model of the catalogue, OWNER/NAME, OWNER/NAME@REVISION, a page of the hub, or the https address of a file
    /// [default: show the catalogue].
    pub(super) what: Option<String>,
    /// Of a repository, fetch the files with this name or path; * is any text. Can be given several times.
    #[arg(long = "file", value_name = "PATTERN", requires = "what")]
    pub(super) files: Vec<String>,
    /// The repository's branch, tag or commit [default: main].
    #[arg(long, value_name = "REVISION", requires = "what")]
    pub(super) revision: Option<String>,
    /// Put the files into this folder [default: the Hugging Face cache; files from elsewhere: the models folder].
    #[arg(long, value_name = "FOLDER", requires = "what")]
    pub(super) into: Option<PathBuf>,
    /// Fetch without asking.
    #[arg(long, short)]
    pub(super) yes: bool,
    /// Show what there is to choose from, and fetch nothing.
    #[arg(long, requires = "what")]
    pub(super) list: bool,
    /// Print JSON on standard output.
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn run(arguments: &GetArguments, output: &mut Output) -> anyhow::Result<()> {
    let Some(what) = &arguments.what else {
        show_catalogue(arguments.json, output);
        return Ok(());
    };
    let folders = ProjectDirs::from("", "", "safelight");
    let environment = HubEnvironment::read(folders.as_ref().map(ProjectDirs::config_dir))?;
    let cache = HubCache::new(&environment);
    let client = Client::new(environment, ClientSettings::default());
    if arguments.list {
        return list(what, arguments, &client, output);
    }
    let plan = plan(what, arguments, &client, folders.as_ref())?;
    let files: Vec<(&Source, &Destination)> =
        plan.sets.iter().flat_map(|set| set.files.iter().map(|file| (file, &set.destination))).collect();
    let missing: Option<u64> =
        files.iter().map(|(file, to)| Some(file.size()? - cache.bytes_here(file, to))).sum();
    if missing != Some(0) {
        show(&plan, &cache, missing);
        let folder = plan.sets.first().map_or(cache.root(), |set| place(&cache, &set.destination));
        require_space(&SystemDisk, folder, missing.unwrap_or(0))?;
        if !arguments.yes && !is_confirmed(missing)? {
            bail!("nothing was fetched");
        }
    }
    let places: BTreeSet<PathBuf> =
        plan.sets.iter().map(|set| place(&cache, &set.destination).to_owned()).collect();
    if fetch(client, plan, arguments.json, output) {
        for place in places {
            let library = unscanned()?;
            // A folder inside one that is searched is searched, too.
            let is_searched = library.folders.iter().any(|known| place.starts_with(&known.path));
            if !is_searched && library.add_folder(&place)?.is_some() {
                output::remark(&format!("‘safelight models list’ shows what is in {}", output::text(&place)));
            }
        }
    }
    Ok(())
}

/// The folder of a destination.
fn place<'a>(cache: &'a HubCache, destination: &'a Destination) -> &'a Path {
    if let Destination::Folder(folder) = destination { folder } else { cache.root() }
}

/// Shows what will be fetched.
fn show(plan: &Plan, cache: &HubCache, missing: Option<u64>) {
    output::remark(&plan.title);
    for set in &plan.sets {
        for file in &set.files {
            let size = file.size().map_or_else(|| "unknown".to_owned(), in_words);
            let state = match (cache.bytes_here(file, &set.destination), file.size()) {
                (received, Some(size)) if received == size => "  (here already)".to_owned(),
                (0, _) => String::new(),
                (received, _) => format!("  ({} here already)", in_words(received)),
            };
            output::remark(&format!("{size:>12}  {}{state}", file.name()));
        }
    }
    let size = missing.map_or_else(|| "unknown".to_owned(), in_words);
    let folder = plan.sets.first().map_or(cache.root(), |set| place(cache, &set.destination));
    output::remark(&format!("{size:>12}  to fetch, into {}", output::text(folder)));
    output::remark(&licence_line(&plan.licence).unwrap_or_else(|| "licence: not stated".to_owned()));
    if plan.is_gated {
        output::remark(GATED);
    }
}

/// Asks whether to fetch. `missing`: bytes, if their number is known.
fn is_confirmed(missing: Option<u64>) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        let what = missing.map_or_else(|| "a file of unknown size".to_owned(), in_words);
        bail!("nobody can be asked whether to fetch {what}; confirm with --yes");
    }
    let mut answer = String::new();
    let asked = write!(std::io::stderr(), "Fetch? [y/N] ")
        .and_then(|()| std::io::stdin().lock().read_line(&mut answer));
    asked.context("the answer could not be read")?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// Fetches the files with a progress bar. Returns whether all are there.
fn fetch(client: Client, plan: Plan, as_json: bool, output: &mut Output) -> bool {
    let (events, received) = crossbeam_channel::bounded(1);
    let queue = Queue::open(client, Box::new(SystemDisk), None, events);
    let bar = progress();
    for set in plan.sets {
        queue.add(set);
    }
    while queue.is_active() {
        // Progress and changes alike: the state is read anew.
        let _ = received.recv_timeout(POLL_INTERVAL);
        show_progress(&bar, &queue.downloads());
    }
    bar.finish_and_clear();
    let (mut files, downloads) = (Vec::new(), queue.downloads());
    for download in &downloads {
        match &download.state {
            DownloadState::Done(fetched) => {
                output::remark(&format!("{} is in {}", download.source.name(), output::text(&fetched.path)));
                files.push(json!({
                    "name": download.source.name(),
                    "path": output::text(&fetched.path),
                    "size": download.size,
                    "hash": fetched.hash.as_ref().map(ContentHash::name),
                }));
            }
            DownloadState::Failed(why) => output.failure(&anyhow!("{}: {why}", download.source.name())),
            _ => output.failure(&anyhow!("{} was not fetched", download.source.name())),
        }
    }
    if as_json {
        output.json(&json!({ "model": plan.title, "files": files }));
    }
    files.len() == downloads.len()
}

/// A bar for bytes, hidden unless standard error is a terminal.
fn progress() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {bytes}/{total_bytes} {msg}") {
        bar.set_style(style);
    }
    bar
}

fn show_progress(bar: &ProgressBar, downloads: &[Download]) {
    let received: u64 = downloads.iter().map(|download| download.received).sum();
    let size: u64 = downloads.iter().map(|download| download.size.unwrap_or(download.received)).sum();
    let speed: f64 = downloads.iter().map(|download| download.bytes_per_sec).sum();
    bar.set_length(size);
    bar.set_position(received);
    let waits = downloads.iter().any(|download| download.state == DownloadState::Elsewhere);
    bar.set_message(match time_left(size.saturating_sub(received), speed) {
        Some(left) => format!("{}/s, {} left", in_words(speed as u64), minutes(left)),
        None if waits => "another program is fetching it".to_owned(),
        None => "waiting".to_owned(),
    });
}

fn minutes(time: Duration) -> String {
    let secs = time.as_secs();
    match secs {
        0..120 => format!("{secs} s"),
        120..7200 => format!("{} min", secs / 60),
        _ => format!("{} h {} min", secs / 3600, secs / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_given_in_its_own_unit() {
        for (secs, words) in [(5, "5 s"), (119, "119 s"), (600, "10 min"), (7320, "2 h 2 min")] {
            assert_eq!(minutes(Duration::from_secs(secs)), words);
        }
    }
}
