//! What the arguments ask for, and which files that is.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use directories::ProjectDirs;

use super::GetArguments;
use crate::cli::output;
use crate::request::CancelToken;
use crate::store::hub::{
    Catalogue, Client, Destination, DownloadSet, HubError, Licence, Listing, MAIN, RemoteFile, RepositoryId,
    RepositoryPath, Source, Wanted, catalogue_sets, choices, default_choice, in_words, inside, is_revision,
    matching,
};

/// Choices that an error names.
const NAMED_CHOICES: usize = 8;
/// What is to be fetched.
pub(super) struct Plan {
    pub(super) title: String,
    pub(super) licence: Licence,
    /// Whether its terms must be accepted first.
    pub(super) is_gated: bool,
    pub(super) sets: Vec<DownloadSet>,
}

/// What the arguments ask for. Asks the hub.
pub(super) fn plan(
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
        let licence =
            Licence { name: Some(entry.licence.name.clone()), link: Some(entry.licence.link.clone()) };
        let found = catalogue_sets(entry.name, &entry.files, client, &destination, &CancelToken::new())?;
        let (sets, is_gated) = found.context("stopped")?;
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
    let sets = vec![DownloadSet::of_repository(&repository.to_string(), &listing, &files, &destination)];
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
                let missing =
                    || HubError::NoSuchFile { repository: repository.to_string(), path: path.to_string() };
                return Ok(vec![listing.file(path).ok_or_else(missing)?.clone()]);
            }
            Self::Folder(None) => listing.clone(),
            Self::Folder(Some(folder)) => inside(listing, folder)?,
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
            None if found.is_empty() => Err(HubError::NoWeights(repository.to_string()).into()),
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

pub(super) fn revision(arguments: &GetArguments, named: Option<String>) -> anyhow::Result<String> {
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

pub(super) fn listing(client: &Client, repository: &RepositoryId, revision: &str) -> anyhow::Result<Listing> {
    let listing = client.listing(repository, revision, &CancelToken::new())?;
    listing.context("stopped")
}

pub(super) fn licence_line(licence: &Licence) -> Option<String> {
    let name = licence.name.as_ref()?;
    Some(match &licence.link {
        Some(link) => format!("licence: {name} ({link})"),
        None => format!("licence: {name}"),
    })
}
