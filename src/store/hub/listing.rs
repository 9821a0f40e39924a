//! The files of a repository as the hub lists them: sizes, hashes, licence.
//!
//! Source: `GET /api/models/{id}/revision/{revision}?blobs=true`, <https://huggingface.co/docs/hub/api>.

use serde::Deserialize;

use super::HubError;
use super::address::{RepositoryId, RepositoryPath};
use super::hash::ContentHash;

/// What the hub says of one revision of a repository.
#[derive(Clone, Debug, PartialEq)]
pub struct Listing {
    /// The repository.
    pub repository: RepositoryId,
    /// The branch, tag or commit that was asked for.
    pub revision: String,
    /// The commit it stands for, in hexadecimal digits.
    pub commit: String,
    /// The licence.
    pub licence: Licence,
    /// Whether its terms must be accepted on its page.
    pub is_gated: bool,
    /// Its files with safe names, by path.
    pub files: Vec<RemoteFile>,
    /// Names of files that cannot stand on every disk, which are left out.
    pub left_out: Vec<String>,
}

/// A licence as the card of a repository names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Licence {
    /// Its name, such as `apache-2.0`; `None` if the card names none.
    pub name: Option<String>,
    /// Where it can be read.
    pub link: Option<String>,
}

/// A file of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteFile {
    /// Its path.
    pub path: RepositoryPath,
    /// Its size, bytes.
    pub size: u64,
    /// The hash of its content, which names it in the cache.
    pub hash: ContentHash,
}

#[derive(Deserialize)]
struct Answer {
    sha: String,
    #[serde(default)]
    gated: serde_json::Value,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(rename = "cardData", default)]
    card: Option<Card>,
    #[serde(default)]
    siblings: Vec<Sibling>,
}

#[derive(Default, Deserialize)]
struct Card {
    license: Option<serde_json::Value>,
    license_name: Option<serde_json::Value>,
    license_link: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    #[serde(rename = "blobId")]
    blob: Option<String>,
    lfs: Option<LargeFile>,
}

#[derive(Deserialize)]
struct LargeFile {
    sha256: String,
    size: Option<u64>,
}

impl Listing {
    /// The path and query of the request, below the endpoint.
    pub(super) fn request(repository: &RepositoryId, revision: &str) -> String {
        let revision = super::web_address::encoded_component(revision);
        format!("/api/models/{repository}/revision/{revision}?blobs=true")
    }

    /// Reads the hub's answer.
    ///
    /// # Errors
    /// [`HubError::BadAnswer`] if it is not one.
    pub fn parse(repository: &RepositoryId, revision: &str, answer: &[u8]) -> Result<Self, HubError> {
        let bad = |reason: String| HubError::BadAnswer { reason, address: repository.to_string() };
        let answer: Answer = serde_json::from_slice(answer)
            .map_err(|error| bad(format!("it is not a list of the repository's files ({error})")))?;
        if ContentHash::git_blob(&answer.sha).is_none() {
            return Err(bad("it names no commit".to_owned()));
        }
        let mut files = Vec::new();
        let mut left_out = Vec::new();
        for sibling in answer.siblings {
            let Some(path) = RepositoryPath::parse(&sibling.rfilename) else {
                left_out.push(sibling.rfilename);
                continue;
            };
            let (size, hash) = match (sibling.lfs, sibling.blob) {
                (Some(large), _) => (large.size.or(sibling.size), ContentHash::sha256(&large.sha256)),
                (None, Some(blob)) => (sibling.size, ContentHash::git_blob(&blob)),
                (None, None) => (sibling.size, None),
            };
            let (Some(size), Some(hash)) = (size, hash) else {
                return Err(bad(format!("it has neither size nor hash of ‘{path}’")));
            };
            files.push(RemoteFile { path, size, hash });
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        files.dedup_by(|a, b| a.path == b.path);
        Ok(Self {
            repository: repository.clone(),
            revision: revision.to_owned(),
            commit: answer.sha.to_ascii_lowercase(),
            licence: licence(answer.card.unwrap_or_default(), &answer.tags),
            is_gated: !matches!(answer.gated, serde_json::Value::Null | serde_json::Value::Bool(false)),
            files,
            left_out,
        })
    }

    /// The file with this path.
    pub fn file(&self, path: &RepositoryPath) -> Option<&RemoteFile> {
        self.files.iter().find(|file| file.path == *path)
    }
}

/// The licence of a card: its own name where the kind is `other`, and its link.
fn licence(card: Card, tags: &[String]) -> Licence {
    let text = |value: Option<serde_json::Value>| match value? {
        serde_json::Value::String(text) => Some(text),
        serde_json::Value::Array(values) => Some(values.first()?.as_str()?.to_owned()),
        _ => None,
    };
    let tagged = || tags.iter().find_map(|tag| tag.strip_prefix("license:").map(str::to_owned));
    let kind = text(card.license).or_else(tagged);
    let name = match text(card.license_name) {
        Some(own) if kind.as_deref().is_none_or(|kind| kind == "other") => Some(own),
        _ => kind,
    };
    Licence { name, link: text(card.license_link) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(answer: &str) -> Result<Listing, String> {
        let repository = RepositoryId::parse("a/b").unwrap();
        Listing::parse(&repository, "main", answer.as_bytes()).map_err(|error| error.to_string())
    }

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn files_have_sizes_and_hashes() {
        let sha256 = "ab".repeat(32);
        let listing = parse(&format!(
            r#"{{"id": "a/b", "sha": "{COMMIT}", "gated": "auto", "private": false, "tags": ["x", "license:mit"],
            "cardData": {{"license": "other", "license_name": "sai-nc", "license_link": "LICENSE.md"}},
            "siblings": [
                {{"rfilename": "unet/model.safetensors", "size": 7, "blobId": "{COMMIT}",
                  "lfs": {{"sha256": "{sha256}", "size": 7, "pointerSize": 130}}}},
                {{"rfilename": "config.json", "size": 3, "blobId": "{COMMIT}"}},
                {{"rfilename": "../escape", "size": 3, "blobId": "{COMMIT}"}}]}}"#
        ))
        .unwrap();
        assert_eq!(listing.commit, COMMIT);
        assert!(listing.is_gated);
        let licence = Licence { name: Some("sai-nc".into()), link: Some("LICENSE.md".into()) };
        assert_eq!(listing.licence, licence);
        let files: Vec<_> =
            listing.files.iter().map(|file| (file.path.as_str(), file.size, file.hash.name())).collect();
        assert_eq!(files, [("config.json", 3, COMMIT), ("unet/model.safetensors", 7, &sha256)]);
        assert_eq!(listing.left_out, ["../escape"]);
    }

    #[test]
    fn a_licence_may_stand_in_a_tag_only_and_a_gate_be_absent() {
        let listing =
            parse(&format!(r#"{{"sha": "{COMMIT}", "gated": false, "tags": ["license:apache-2.0"]}}"#));
        let listing = listing.unwrap();
        assert_eq!(listing.licence.name.as_deref(), Some("apache-2.0"));
        assert!(!listing.is_gated);
    }

    #[test]
    fn answers_that_are_no_listing_are_refused() {
        for (answer, reason) in [
            ("<html>".to_owned(), "not a list"),
            (r#"{"sha": "main"}"#.to_owned(), "no commit"),
            (
                format!(r#"{{"sha": "{COMMIT}", "siblings": [{{"rfilename": "a", "size": 3}}]}}"#),
                "size nor hash",
            ),
            (
                format!(
                    r#"{{"sha": "{COMMIT}", "siblings": [{{"rfilename": "a", "size": 3, "blobId": "../../x"}}]}}"#
                ),
                "size nor hash",
            ),
        ] {
            let error = parse(&answer).unwrap_err();
            assert!(error.contains(reason) && error.contains("a/b"), "{error}");
        }
    }
}
