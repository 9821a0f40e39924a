//! What is asked for as files for the queue: a model or a file of the catalogue, and a choice of a repository.

use super::HubError;
use super::address::{MAIN, RepositoryId, RepositoryPath, Wanted};
use super::catalogue::CatalogueFile;
use super::choices::{Choice, ChoiceKind, choices};
use super::client::Client;
use super::download::DownloadSet;
use super::listing::{Listing, RemoteFile};
use super::queue_file::Revision;
use super::source::{Destination, Source};
use crate::request::CancelToken;

/// What an address or a repository has to choose from.
#[derive(Clone, Debug, PartialEq)]
pub struct Offer {
    /// The repository's listing.
    pub listing: Listing,
    /// The choices, of which one is fetched.
    pub choices: Vec<Choice>,
}

impl DownloadSet {
    /// Files of a repository under a name.
    pub fn of_repository(
        name: &str,
        listing: &Listing,
        files: &[RemoteFile],
        destination: &Destination,
    ) -> Self {
        let (repository, commit) = (&listing.repository, &listing.commit);
        let source = |file: &RemoteFile| Source::Hub {
            repository: repository.clone(),
            commit: commit.clone(),
            path: file.path.clone(),
            size: file.size,
            hash: file.hash.clone(),
        };
        Self {
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
}

/// The sets of files of the catalogue, one for each repository, and whether one of these is gated. Asks the hub. `None`
/// if it was stopped.
///
/// # Errors
/// As [`Client::listing`], and [`HubError::NotFound`] for a file that is there no longer.
pub fn catalogue_sets(
    name: &str,
    files: &[&CatalogueFile],
    client: &Client,
    destination: &Destination,
    cancel: &CancelToken,
) -> Result<Option<(Vec<DownloadSet>, bool)>, HubError> {
    let mut found: Vec<(Listing, Vec<RemoteFile>)> = Vec::new();
    for file in files {
        if found.iter().all(|(listing, _)| listing.repository != file.repository) {
            let Some(listing) = client.listing(&file.repository, MAIN, cancel)? else { return Ok(None) };
            found.push((listing, Vec::new()));
        }
        for (listing, files) in &mut found {
            if listing.repository == file.repository {
                files.extend(file.listed(listing)?);
            }
        }
    }
    let is_gated = found.iter().any(|(listing, _)| listing.is_gated);
    let sets =
        found.iter().map(|(listing, files)| DownloadSet::of_repository(name, listing, files, destination));
    Ok(Some((sets.collect(), is_gated)))
}

impl Offer {
    /// What there is to choose from at an address or in a repository: all choices of it, those of a folder, or one file.
    /// Asks the hub. `None` if it was stopped, or if `wanted` is a file elsewhere.
    ///
    /// # Errors
    /// As [`Client::listing`]; [`HubError::NoSuchFile`] and [`HubError::NoWeights`].
    pub fn of(wanted: &Wanted, client: &Client, cancel: &CancelToken) -> Result<Option<Self>, HubError> {
        let (repository, revision) = match wanted {
            Wanted::Repository { repository, revision, .. } | Wanted::File { repository, revision, .. } => {
                (repository, revision)
            }
            Wanted::Direct { .. } => return Ok(None),
        };
        let revision = revision.as_deref().unwrap_or(MAIN);
        let Some(listing) = client.listing(repository, revision, cancel)? else { return Ok(None) };
        let choices = match wanted {
            Wanted::File { path, .. } => vec![one(repository, &listing, path)?],
            Wanted::Repository { folder: Some(folder), .. } => choices(&inside(&listing, folder)?),
            _ => choices(&listing),
        };
        if choices.is_empty() {
            return Err(HubError::NoWeights(repository.to_string()));
        }
        Ok(Some(Self { listing, choices }))
    }
}

/// One file as a choice.
fn one(repository: &RepositoryId, listing: &Listing, path: &RepositoryPath) -> Result<Choice, HubError> {
    let file = listing
        .file(path)
        .ok_or_else(|| HubError::NoSuchFile { repository: repository.to_string(), path: path.to_string() })?;
    Ok(Choice { kind: ChoiceKind::File, name: path.to_string(), files: vec![file.clone()] })
}

/// The listing of one folder of a repository.
///
/// # Errors
/// [`HubError::NoSuchFile`] if there is none.
pub fn inside(listing: &Listing, folder: &RepositoryPath) -> Result<Listing, HubError> {
    let prefix = format!("{folder}/");
    let is_inside = |file: &&RemoteFile| file.path.as_str().starts_with(&prefix);
    let files: Vec<RemoteFile> = listing.files.iter().filter(is_inside).cloned().collect();
    if files.is_empty() {
        let repository = listing.repository.to_string();
        return Err(HubError::NoSuchFile { repository, path: folder.to_string() });
    }
    Ok(Listing { files, ..listing.clone() })
}
