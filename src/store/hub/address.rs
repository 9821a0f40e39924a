//! What a person may type or paste to say what is wanted, and the names inside repositories.

use std::fmt;
use std::path::PathBuf;

use super::HubError;
use super::web_address::{Scheme, WebAddress, decoded, encoded_component};

/// The revision that is fetched when none is named.
pub const MAIN: &str = "main";

/// Names of the public hub's host, whatever `HF_ENDPOINT` is: a pasted page may be of either.
const HUB_HOSTS: [&str; 3] = ["huggingface.co", "www.huggingface.co", "hf.co"];
/// Extensions of weights that this program opens.
const WEIGHTS: [&str; 3] = ["safetensors", "sft", "gguf"];
/// Extensions of pickles, which can run any code when they are opened.
const PICKLES: [&str; 5] = ["ckpt", "pt", "pth", "bin", "pkl"];
/// Upper limit of a repository's name, as on the hub.
const MAX_NAME: usize = 96;

/// A repository of models, `OWNER/NAME`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepositoryId {
    owner: String,
    name: String,
}

impl RepositoryId {
    /// Parses `OWNER/NAME`. Neither can be a part of a path with another meaning.
    pub fn parse(text: &str) -> Option<Self> {
        let (owner, name) = text.split_once('/')?;
        let plain = |part: &str| {
            let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            !part.is_empty()
                && part.len() <= MAX_NAME
                && part.chars().all(allowed)
                && !part.starts_with(['-', '.'])
                && !part.ends_with(['-', '.'])
                && !part.contains("--")
                && !part.contains("..")
        };
        (plain(owner) && plain(name)).then(|| Self { owner: owner.to_owned(), name: name.to_owned() })
    }

    /// The repository's name without its owner.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name of its folder in the cache.
    pub(super) fn folder(&self) -> String {
        format!("models--{}--{}", self.owner, self.name)
    }

    /// Its page on the hub.
    pub(super) fn page(&self, endpoint: &WebAddress) -> WebAddress {
        endpoint.with_path(&format!("/{self}"))
    }
}

impl fmt::Display for RepositoryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

impl TryFrom<String> for RepositoryId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("‘{text}’ is not OWNER/NAME"))
    }
}

impl From<RepositoryId> for String {
    fn from(id: RepositoryId) -> Self {
        id.to_string()
    }
}

/// The path of a file or folder inside a repository, with `/`. Joined to a folder it stays inside on every system.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepositoryPath(String);

impl RepositoryPath {
    /// Checks a path. `None` if it could leave its folder, or if some system has no such names: `..`, absolute paths,
    /// drive letters, reserved names of Windows, control characters.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = |component: &str| {
            let stem = component.split('.').next().unwrap_or_default().trim_end();
            !component.is_empty()
                && component.len() <= 255
                && !component.starts_with(' ')
                && !component.ends_with([' ', '.'])
                && !component.contains(|c: char| c.is_control() || r#"\:*?"<>|"#.contains(c))
                && !is_reserved_on_windows(stem)
        };
        (text.len() <= 1024 && text.split('/').all(plain)).then(|| Self(text.to_owned()))
    }

    /// The path with `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last component.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// The components before the last, empty for a file at the top.
    pub fn folder(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(folder, _)| folder)
    }

    /// The path below a folder, with the system's separator.
    pub(super) fn below(&self, folder: PathBuf) -> PathBuf {
        self.0.split('/').fold(folder, |path, component| path.join(component))
    }

    /// Percent-encoded, with `/`.
    pub(super) fn encoded(&self) -> String {
        self.0.split('/').map(encoded_component).collect::<Vec<_>>().join("/")
    }
}

impl fmt::Display for RepositoryPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for RepositoryPath {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("‘{text}’ is not a path inside a folder"))
    }
}

impl From<RepositoryPath> for String {
    fn from(path: RepositoryPath) -> Self {
        path.0
    }
}

/// Source: <https://learn.microsoft.com/windows/win32/fileio/naming-a-file>.
fn is_reserved_on_windows(stem: &str) -> bool {
    let stem = stem.to_ascii_lowercase();
    let numbered = |prefix: &str| {
        stem.strip_prefix(prefix).is_some_and(|digit| {
            matches!(digit, "¹" | "²" | "³") || (digit.len() == 1 && digit.as_bytes()[0].is_ascii_digit())
        })
    };
    matches!(stem.as_str(), "con" | "prn" | "aux" | "nul") || numbered("com") || numbered("lpt")
}

/// Checks the name of a branch, a tag or a commit, which may contain `/` (`refs/pr/1`).
pub fn is_revision(text: &str) -> bool {
    RepositoryPath::parse(text).is_some()
}

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A repository, or the files of one of its folders.
    Repository {
        /// The repository.
        repository: RepositoryId,
        /// The branch, tag or commit.
        revision: Option<String>,
        /// The folder, or all of it.
        folder: Option<RepositoryPath>,
    },
    /// A file of a repository.
    File {
        /// The repository.
        repository: RepositoryId,
        /// The branch, tag or commit.
        revision: Option<String>,
        /// The file.
        path: RepositoryPath,
    },
    /// A file elsewhere.
    Direct {
        /// Its address.
        address: WebAddress,
        /// The name under which it is kept.
        file_name: RepositoryPath,
    },
}

impl Wanted {
    /// Reads what a person typed: `OWNER/NAME`, `OWNER/NAME@REVISION`, the address of a page of the hub or of a file.
    /// `endpoint`: the hub in use.
    ///
    /// # Errors
    /// [`HubError::Address`] for anything else.
    pub fn parse(typed: &str, endpoint: &WebAddress) -> Result<Self, HubError> {
        let typed = typed.trim();
        let wanted = if typed.contains("://") {
            WebAddress::parse(typed).map_err(str::to_owned).and_then(|address| of_address(address, endpoint))
        } else {
            of_name(typed)
        };
        wanted.map_err(|reason| HubError::Address { typed: typed.to_owned(), reason })
    }
}

/// `OWNER/NAME` or `OWNER/NAME@REVISION`.
fn of_name(typed: &str) -> Result<Wanted, String> {
    let (name, revision) = typed.split_once('@').map_or((typed, None), |(name, rev)| (name, Some(rev)));
    // An address without its scheme, as browsers show it.
    if let Some((host, _)) = typed.split_once('/')
        && HUB_HOSTS.contains(&host.to_ascii_lowercase().as_str())
    {
        return Err("the address does not begin with https://".to_owned());
    }
    let repository = RepositoryId::parse(name).ok_or("this is not the name of a repository")?;
    if revision.is_some_and(|revision| !is_revision(revision)) {
        return Err("what follows @ is not the name of a branch, a tag or a commit".to_owned());
    }
    Ok(Wanted::Repository { repository, revision: revision.map(str::to_owned), folder: None })
}

fn of_address(address: WebAddress, endpoint: &WebAddress) -> Result<Wanted, String> {
    let inside = if address.has_origin_of(endpoint) {
        address.path().strip_prefix(endpoint.path().trim_end_matches('/'))
    } else if HUB_HOSTS.contains(&address.host()) {
        Some(address.path())
    } else {
        None
    };
    match inside.map(str::to_owned) {
        Some(path) => of_hub_page(&path),
        None => of_other_host(address),
    }
}

/// The path of a page: `/OWNER/NAME`, then perhaps `tree|blob|resolve|raw/REVISION[/PATH]`.
fn of_hub_page(path: &str) -> Result<Wanted, String> {
    let parts: Option<Vec<String>> = path.trim_matches('/').split('/').map(decoded).collect();
    let parts = parts.ok_or("the address has a broken % sign")?;
    let [owner, name, rest @ ..] = &parts[..] else {
        return Err("this page of the hub is not one of a model".to_owned());
    };
    if matches!(owner.as_str(), "datasets" | "spaces" | "collections" | "papers" | "docs" | "api" | "blog") {
        return Err("this page of the hub is not one of a model".to_owned());
    }
    let repository =
        RepositoryId::parse(&format!("{owner}/{name}")).ok_or("this is not the page of a repository")?;
    let path_of = |parts: &[String]| {
        RepositoryPath::parse(&parts.join("/")).ok_or("its path cannot be the one of a file everywhere")
    };
    match rest {
        [] => Ok(Wanted::Repository { repository, revision: None, folder: None }),
        [kind, revision, inside @ ..] if is_revision(revision) => {
            let revision = Some(revision.clone());
            match (kind.as_str(), inside) {
                ("tree", []) => Ok(Wanted::Repository { repository, revision, folder: None }),
                ("tree", inside) => {
                    Ok(Wanted::Repository { repository, revision, folder: Some(path_of(inside)?) })
                }
                ("blob" | "resolve" | "raw", [_, ..]) => {
                    Ok(Wanted::File { repository, revision, path: path_of(inside)? })
                }
                _ => Err("this page of the repository shows no files".to_owned()),
            }
        }
        _ => Err("this page of the repository shows no files".to_owned()),
    }
}

/// The address of a file that is not the hub's.
fn of_other_host(address: WebAddress) -> Result<Wanted, String> {
    if address.scheme() == Scheme::Http && !address.is_loopback() {
        return Err("the address begins with http://, and files are fetched only with https://".to_owned());
    }
    let name = address.path().rsplit('/').next().and_then(decoded).unwrap_or_default();
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    let is_any = |known: &[&str]| extension.as_deref().is_some_and(|own| known.contains(&own));
    if is_any(&PICKLES) {
        return Err(
            "pickled weights can run any code when they are opened, so they are not fetched".to_owned()
        );
    }
    match RepositoryPath::parse(&name).filter(|name| is_any(&WEIGHTS) && name.folder().is_empty()) {
        Some(file_name) => Ok(Wanted::Direct { address, file_name }),
        None => Err("the address does not end with the name of a .safetensors or .gguf file".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(typed: &str) -> Result<Wanted, String> {
        let endpoint = WebAddress::parse("https://mirror.example/hub").unwrap();
        Wanted::parse(typed, &endpoint).map_err(|error| error.to_string())
    }

    fn repository(name: &str, revision: Option<&str>, folder: Option<&str>) -> Wanted {
        Wanted::Repository {
            repository: RepositoryId::parse(name).unwrap(),
            revision: revision.map(str::to_owned),
            folder: folder.map(|folder| RepositoryPath::parse(folder).unwrap()),
        }
    }

    #[test]
    fn names_and_pages_of_the_hub_are_understood() {
        for (typed, expected) in [
            (" a/b ", repository("a/b", None, None)),
            ("a/b@refs/pr/1", repository("a/b", Some("refs/pr/1"), None)),
            ("https://huggingface.co/a/b", repository("a/b", None, None)),
            ("https://hf.co/a/b/?library=diffusers", repository("a/b", None, None)),
            ("https://huggingface.co/a/b/tree/main", repository("a/b", Some("main"), None)),
            ("https://huggingface.co/a/b/tree/main/c/d", repository("a/b", Some("main"), Some("c/d"))),
            ("https://huggingface.co/a/b/tree/refs%2Fpr%2F1", repository("a/b", Some("refs/pr/1"), None)),
            ("https://mirror.example/hub/a/b", repository("a/b", None, None)),
        ] {
            assert_eq!(wanted(typed).unwrap(), expected, "{typed}");
        }
        for kind in ["blob", "resolve", "raw"] {
            let typed = format!("https://huggingface.co/a/b/{kind}/v1/c%20d/e.gguf?download=true");
            let Wanted::File { path, revision, .. } = wanted(&typed).unwrap() else { panic!("{typed}") };
            assert_eq!((path.as_str(), revision.as_deref()), ("c d/e.gguf", Some("v1")));
        }
    }

    #[test]
    fn the_address_of_a_file_elsewhere_is_understood() {
        let Wanted::Direct { address, file_name } =
            wanted("https://files.example/x/my%20model.safetensors?key=1").unwrap()
        else {
            panic!()
        };
        assert_eq!(file_name.as_str(), "my model.safetensors");
        assert_eq!(address.whole(), "https://files.example/x/my%20model.safetensors?key=1");
        assert!(wanted("http://127.0.0.1:8000/a.gguf").is_ok());
    }

    #[test]
    fn anything_else_is_refused_in_one_sentence() {
        for (typed, reason) in [
            ("", "not the name of a repository"),
            ("model", "not the name of a repository"),
            ("a/b/c", "not the name of a repository"),
            ("../b", "not the name of a repository"),
            ("a/b@../x", "follows @"),
            ("huggingface.co/a/b", "https://"),
            ("https://huggingface.co/datasets/a/b", "not one of a model"),
            ("https://huggingface.co/a", "not one of a model"),
            ("https://huggingface.co/a/b/discussions/1", "shows no files"),
            ("https://huggingface.co/a/b/blob/main", "shows no files"),
            ("https://huggingface.co/a/b/blob/main/%2E%2E/x", "its path"),
            ("https://huggingface.co/a/b/blob/main/c%5Cd", "its path"),
            ("http://files.example/a.gguf", "only with https"),
            ("https://files.example/a.ckpt", "any code"),
            ("https://files.example/a", "does not end"),
            ("https://files.example/x/..%2Fa.gguf", "does not end"),
            ("https://files.example/nul.gguf", "does not end"),
            ("ftp://files.example/a.gguf", "https://"),
        ] {
            let error = wanted(typed).unwrap_err();
            assert!(
                error.contains(reason) && error.contains(typed) && !error.contains('\n'),
                "{typed}: {error}"
            );
        }
    }

    #[test]
    fn a_path_never_leaves_its_folder() {
        for path in [
            "..",
            ".",
            "a/../b",
            "/a",
            "a//b",
            "a/",
            "c:",
            "C:/a",
            "a\\b",
            "a:b",
            "con",
            "CON.txt",
            "a/nul.safetensors",
            "com1",
            "lpt9.x",
            "COM¹",
            "a ",
            "a.",
            " a",
            "a\u{7}",
            "a?",
            "a*",
            "a|b",
            "<",
            "",
        ] {
            assert_eq!(RepositoryPath::parse(path), None, "{path:?}");
        }
        for path in ["a", ".gitattributes", "unet/model.fp16.safetensors", "com10", "console", "a b/ü"] {
            let parsed = RepositoryPath::parse(path).unwrap();
            assert_eq!(parsed.below(PathBuf::from("/x")), PathBuf::from(format!("/x/{path}")));
        }
        let read: Result<RepositoryPath, _> = serde_json::from_str(r#""../x""#);
        assert!(read.is_err());
    }
}
