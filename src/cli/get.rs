//! `safelight models get`: fetches a model from the hub, a mirror of it, or an https address.
//!
//! Files, sizes and licence are shown before anything is fetched. An interrupted download goes on with the same command.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use directories::ProjectDirs;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::output::{self, Output};
use crate::request::CancelToken;
use crate::store::hub::{
    Catalogue, Choice, ChoiceKind, Client, ClientSettings, ContentHash, Destination, Download, DownloadSet,
    DownloadState, HubCache, HubEnvironment, Licence, Listing, MAIN, Queue, RemoteFile, RepositoryId,
    RepositoryPath, Revision, Source, SystemDisk, Wanted, choices, default_choice, in_words, is_revision,
    matching, require_space, time_left,
};

/// Choices that an error names.
const NAMED_CHOICES: usize = 8;
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

/// What is to be fetched.
struct Plan {
    title: String,
    licence: Licence,
    /// Whether its terms must be accepted first.
    is_gated: bool,
    sets: Vec<DownloadSet>,
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
        files.iter().map(|(file, to)| Some(file.size()? - here(&cache, file, to))).sum();
    if missing != Some(0) {
        show(&plan, &cache, missing);
        let folder = plan.sets.first().map_or(cache.root(), |set| place(&cache, &set.destination));
        require_space(&SystemDisk, folder, missing.unwrap_or(0))?;
        if !arguments.yes && !is_confirmed(missing)? {
            bail!("nothing was fetched");
        }
    }
    fetch(client, plan, arguments.json, output);
    Ok(())
}

/// The folder of a destination.
fn place<'a>(cache: &'a HubCache, destination: &'a Destination) -> &'a Path {
    if let Destination::Folder(folder) = destination { folder } else { cache.root() }
}

/// Bytes of a file that are here already.
fn here(cache: &HubCache, file: &Source, destination: &Destination) -> u64 {
    match (file, destination) {
        (Source::Hub { repository, commit, path, size, hash }, Destination::Cache) => {
            if cache.has(repository, commit, path) {
                *size
            } else {
                cache.received(repository, hash).min(*size)
            }
        }
        _ => 0,
    }
}

/// What the arguments ask for. Asks the hub.
fn plan(
    what: &str,
    arguments: &GetArguments,
    client: &Client,
    folders: Option<&ProjectDirs>,
) -> anyhow::Result<Plan> {
    let into = arguments.into.as_deref().map(absolute).transpose()?;
    let destination = into.clone().map_or(Destination::Cache, Destination::Folder);
    if let Some(entry) = Catalogue::of_program().find(what) {
        if arguments.revision.is_some() || !arguments.files.is_empty() {
            bail!("--file and --revision choose from a repository, and ‘{what}’ is a model of the catalogue");
        }
        let mut sets: Vec<(Listing, Vec<RemoteFile>)> = Vec::new();
        for file in entry.files {
            if sets.iter().all(|(listing, _)| listing.repository != file.repository) {
                sets.push((listing(client, &file.repository, MAIN)?, Vec::new()));
            }
            for (listing, files) in &mut sets {
                if listing.repository == file.repository {
                    files.extend(file.listed(listing)?);
                }
            }
        }
        let licence =
            Licence { name: Some(entry.licence.name.clone()), link: Some(entry.licence.link.clone()) };
        let is_gated = sets.iter().any(|(listing, _)| listing.is_gated);
        let sets =
            sets.iter().map(|(listing, files)| set_of(entry.name, listing, files, &destination)).collect();
        return Ok(Plan { title: entry.name.to_owned(), licence, is_gated, sets });
    }
    let wanted = match Wanted::parse(what, &client.environment().endpoint) {
        Err(error) if !what.contains('/') => {
            return Err(anyhow!("{error}; `safelight models get` shows the models of the catalogue"));
        }
        wanted => wanted?,
    };
    let (repository, named, chosen) = match wanted {
        Wanted::Direct { address, file_name } => {
            if arguments.revision.is_some() || !arguments.files.is_empty() {
                bail!("--file and --revision choose from a repository, and this is the address of a file");
            }
            let own = || folders.map(|folders| folders.data_dir().join("models"));
            let folder =
                into.or_else(own).context("this account has no folder for models; name one with --into")?;
            let set = DownloadSet {
                name: file_name.to_string(),
                revision: None,
                destination: Destination::Folder(folder),
                files: vec![Source::Direct { address, file_name: file_name.clone() }],
            };
            return Ok(Plan {
                title: file_name.to_string(),
                licence: Licence::default(),
                is_gated: false,
                sets: vec![set],
            });
        }
        Wanted::File { repository, revision, path } => (repository, revision, Chosen::File(path)),
        Wanted::Repository { repository, revision, folder } => (repository, revision, Chosen::Folder(folder)),
    };
    let listing = listing(client, &repository, &revision(arguments, named)?)?;
    let files = chosen.files(&listing, &arguments.files)?;
    let sets = vec![set_of(&repository.to_string(), &listing, &files, &destination)];
    let is_gated = listing.is_gated;
    Ok(Plan { title: repository.to_string(), licence: listing.licence, is_gated, sets })
}

/// What of a repository is wanted.
enum Chosen {
    File(RepositoryPath),
    Folder(Option<RepositoryPath>),
}

impl Chosen {
    fn files(&self, listing: &Listing, patterns: &[String]) -> anyhow::Result<Vec<RemoteFile>> {
        let repository = &listing.repository;
        let listing = match self {
            Self::File(path) => {
                let file = listing.file(path);
                return Ok(vec![file.with_context(|| format!("{repository} has no file {path}"))?.clone()]);
            }
            Self::Folder(None) => listing.clone(),
            Self::Folder(Some(folder)) => {
                let prefix = format!("{folder}/");
                let files: Vec<RemoteFile> = listing
                    .files
                    .iter()
                    .filter(|file| file.path.as_str().starts_with(&prefix))
                    .cloned()
                    .collect();
                if files.is_empty() {
                    bail!("{repository} has no folder {folder}");
                }
                Listing { files, ..listing.clone() }
            }
        };
        if !patterns.is_empty() {
            let found = matching(&listing.files, patterns);
            if found.is_empty() {
                bail!(
                    "no file of {repository} is called {}; --list shows what there is",
                    patterns.join(" or ")
                );
            }
            return Ok(found.into_iter().cloned().collect());
        }
        let found = choices(&listing);
        match default_choice(&found) {
            Some(choice) => Ok(choice.files.clone()),
            None if found.is_empty() => bail!(
                "{repository} has neither safetensors nor GGUF files, the two kinds of weights that open without running code"
            ),
            None => {
                let named = found.iter().take(NAMED_CHOICES);
                let mut names: Vec<String> =
                    named.map(|choice| format!("{} ({})", choice.name, in_words(choice.size()))).collect();
                if found.len() > NAMED_CHOICES {
                    names.push(format!("{} more (--list shows them)", found.len() - NAMED_CHOICES));
                }
                bail!("{repository} has several models; choose with --file NAME: {}", names.join(", "))
            }
        }
    }
}

fn revision(arguments: &GetArguments, named: Option<String>) -> anyhow::Result<String> {
    let revision = match (&arguments.revision, named) {
        (Some(given), Some(named)) if *given != named => {
            bail!("--revision names {given}, and the repository is named with {named}; leave one out")
        }
        (Some(given), _) => given.clone(),
        (None, named) => named.unwrap_or_else(|| MAIN.to_owned()),
    };
    if !is_revision(&revision) {
        bail!("‘{revision}’ is not the name of a branch, a tag or a commit");
    }
    Ok(revision)
}

fn absolute(folder: &Path) -> anyhow::Result<PathBuf> {
    std::path::absolute(folder).map_err(|error| output::named(folder, error))
}

fn listing(client: &Client, repository: &RepositoryId, revision: &str) -> anyhow::Result<Listing> {
    let listing = client.listing(repository, revision, &CancelToken::new())?;
    listing.context("stopped")
}

fn set_of(name: &str, listing: &Listing, files: &[RemoteFile], destination: &Destination) -> DownloadSet {
    let (repository, commit) = (&listing.repository, &listing.commit);
    let source = |file: &RemoteFile| Source::Hub {
        repository: repository.clone(),
        commit: commit.clone(),
        path: file.path.clone(),
        size: file.size,
        hash: file.hash.clone(),
    };
    DownloadSet {
        name: name.to_owned(),
        revision: (listing.revision != *commit).then(|| Revision {
            repository: repository.clone(),
            name: listing.revision.clone(),
            commit: commit.clone(),
        }),
        files: files.iter().map(source).collect(),
        destination: destination.clone(),
    }
}

/// `--list`: what there is to choose from.
fn list(what: &str, arguments: &GetArguments, client: &Client, output: &mut Output) -> anyhow::Result<()> {
    if Catalogue::of_program().find(what).is_some() {
        let plan = plan(what, arguments, client, None)?;
        for set in &plan.sets {
            for file in &set.files {
                let size = file.size().unwrap_or_default();
                if arguments.json {
                    output.json(&json!({ "name": file.name(), "size": size, "licence": plan.licence.name }));
                } else {
                    output.line(&format!("{:>10}  {}", in_words(size), file.name()));
                }
            }
        }
        return Ok(());
    }
    let (repository, named) = match Wanted::parse(what, &client.environment().endpoint)? {
        Wanted::Repository { repository, revision, .. } | Wanted::File { repository, revision, .. } => {
            (repository, revision)
        }
        Wanted::Direct { .. } => bail!("this is the address of one file, so there is nothing to choose from"),
    };
    let listing = listing(client, &repository, &revision(arguments, named)?)?;
    let shown: Vec<Choice> = if arguments.files.is_empty() {
        choices(&listing)
    } else {
        let one = |file: &RemoteFile| Choice {
            kind: ChoiceKind::File,
            name: file.path.to_string(),
            files: vec![file.clone()],
        };
        matching(&listing.files, &arguments.files).into_iter().map(one).collect()
    };
    if arguments.json {
        output.json(&listing_json(&listing, &shown));
        return Ok(());
    }
    for choice in &shown {
        let files =
            if choice.files.len() > 1 { format!(" ({} files)", choice.files.len()) } else { String::new() };
        output.line(&format!("{:>10}  {}{files}", in_words(choice.size()), choice.name));
    }
    if let Some(licence) = licence_line(&listing.licence) {
        output.line(&licence);
    }
    if listing.is_gated {
        output.line(GATED);
    }
    Ok(())
}

fn listing_json(listing: &Listing, shown: &[Choice]) -> Value {
    let file = |file: &RemoteFile| json!({ "path": file.path.as_str(), "size": file.size, "hash": file.hash.name() });
    let choice = |choice: &Choice| {
        let files: Vec<Value> = choice.files.iter().map(file).collect();
        json!({ "name": choice.name, "size": choice.size(), "files": files })
    };
    json!({
        "repository": listing.repository.to_string(),
        "revision": listing.revision,
        "commit": listing.commit,
        "gated": listing.is_gated,
        "licence": { "name": listing.licence.name, "link": listing.licence.link },
        "choices": shown.iter().map(choice).collect::<Vec<_>>(),
    })
}

fn licence_line(licence: &Licence) -> Option<String> {
    let name = licence.name.as_ref()?;
    Some(match &licence.link {
        Some(link) => format!("licence: {name} ({link})"),
        None => format!("licence: {name}"),
    })
}

/// Shows what will be fetched.
fn show(plan: &Plan, cache: &HubCache, missing: Option<u64>) {
    output::remark(&plan.title);
    for set in &plan.sets {
        for file in &set.files {
            let size = file.size().map_or_else(|| "unknown".to_owned(), in_words);
            let state = match (here(cache, file, &set.destination), file.size()) {
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

/// Fetches the files with a progress bar.
fn fetch(client: Client, plan: Plan, as_json: bool, output: &mut Output) {
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
    let mut files = Vec::new();
    for download in &queue.downloads() {
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

/// The catalogue; asks nobody.
fn show_catalogue(as_json: bool, output: &mut Output) {
    let catalogue = Catalogue::of_program();
    for model in &catalogue.models {
        let size = catalogue.size_of(model);
        if as_json {
            output.json(&json!({
                "id": model.id, "name": model.name, "family": model.family, "size": size,
                "memory": model.memory_gigabytes * 1_000_000_000, "about": model.about.en,
                "licence": { "name": model.licence.name, "link": model.licence.link },
            }));
        } else {
            output.line(&format!(
                "{:<20} {:>8}  {:>2} GB memory  {}",
                model.id,
                in_words(size),
                model.memory_gigabytes,
                model.about.en
            ));
        }
    }
    for decoder in &catalogue.tiny_decoders {
        let size = catalogue.file(&decoder.file).map_or(0, |file| file.megabytes * 1_000_000);
        if as_json {
            output.json(&json!({
                "id": decoder.id, "name": decoder.name, "families": decoder.families, "size": size,
                "about": decoder.about.en,
            }));
        } else {
            output.line(&format!(
                "{:<20} {:>8}                {}",
                decoder.id,
                in_words(size),
                decoder.about.en
            ));
        }
    }
    if !as_json {
        output.line("Sizes are approximate. `safelight models get NAME` shows files, sizes and licence, and asks before it fetches.");
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
