//! A hub on this machine: repositories, their listings and files, as huggingface.co serves them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use safelight::request::CancelToken;
use safelight::store::hub::{
    Client, ClientSettings, ContentHash, Destination, Disk, Fetched, HubCache, HubEnvironment, HubError,
    Listing, RepositoryId, RetrySettings, Source, Step, SystemDisk, Token, TokenStore, Transfer, WebAddress,
};
use sha1::Digest as _;

use super::server::{Reply, Seen, Server};

pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
pub(crate) const REPOSITORY: &str = "someone/small-model";
/// The largest file of [`files`].
pub(crate) const WEIGHTS: &str = "unet/diffusion_pytorch_model.fp16.safetensors";

/// Bytes that no two places have in common.
pub(crate) fn noise(count: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(count + 8);
    while bytes.len() < count {
        // xorshift64.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(count);
    bytes
}

/// The files of the repository.
pub(crate) fn files() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("README.md", b"# A small model\n".to_vec()),
        ("model_index.json", b"{\"_class_name\": \"StableDiffusionPipeline\"}\n".to_vec()),
        ("scheduler/scheduler_config.json", b"{}\n".to_vec()),
        ("tokenizer/empty.txt", Vec::new()),
        (WEIGHTS, noise(300_000, 1)),
        ("vae/diffusion_pytorch_model.fp16.safetensors", noise(40_000, 2)),
    ]
}

pub(crate) fn digits(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

pub(crate) fn sha256(content: &[u8]) -> String {
    digits(&sha2::Sha256::digest(content))
}

fn git_blob(content: &[u8]) -> String {
    let header = format!("blob {}\0", content.len());
    digits(&sha1::Sha1::new().chain_update(header).chain_update(content).finalize())
}

/// The hash under which the hub knows a file: large files by SHA-256.
pub(crate) fn hash_of(path: &str, content: &[u8]) -> ContentHash {
    if path.ends_with(".safetensors") {
        ContentHash::sha256(&sha256(content)).unwrap()
    } else {
        ContentHash::git_blob(&git_blob(content)).unwrap()
    }
}

/// The answer to a request for the listing.
pub(crate) fn listing_of(files: &[(&str, Vec<u8>)]) -> String {
    let sibling = |(path, content): &(&str, Vec<u8>)| {
        let mut sibling = serde_json::json!({
            "rfilename": path, "size": content.len(), "blobId": git_blob(content),
        });
        if path.ends_with(".safetensors") {
            sibling["lfs"] =
                serde_json::json!({ "sha256": sha256(content), "size": content.len(), "pointerSize": 130 });
        }
        sibling
    };
    serde_json::json!({
        "id": REPOSITORY, "sha": COMMIT, "private": false, "gated": false, "tags": ["license:mit"],
        "cardData": { "license": "mit" }, "siblings": files.iter().map(sibling).collect::<Vec<_>>(),
    })
    .to_string()
}

/// A file with ranges and an ETag, as the hub sends it.
pub(crate) fn file_reply(seen: &Seen, path: &str, content: &[u8]) -> Reply {
    let etag = format!("\"{}\"", hash_of(path, content).name());
    let mut reply = Reply::new(200, content)
        .header("content-type", "application/octet-stream")
        .header("accept-ranges", "bytes")
        .header("x-repo-commit", COMMIT)
        .header("etag", &etag);
    let is_same = seen.header("if-range").is_none_or(|asked| asked == etag);
    if let Some(from) = seen.range_start().filter(|_| is_same) {
        if from >= content.len() {
            return Reply::new(416, "").header("content-range", &format!("bytes */{}", content.len()));
        }
        reply.status = 206;
        reply.from = from;
        reply =
            reply.header("content-range", &format!("bytes {from}-{}/{}", content.len() - 1, content.len()));
    }
    reply
}

/// What a hub with these files answers.
pub(crate) fn answer(seen: &Seen, files: &[(&str, Vec<u8>)]) -> Reply {
    if seen.path.starts_with("/api/") {
        let is_listing = seen.path == format!("/api/models/{REPOSITORY}/revision/main?blobs=true");
        return if is_listing {
            Reply::new(200, listing_of(files)).header("content-type", "application/json")
        } else {
            Reply::new(404, "{}")
        };
    }
    for revision in ["main", COMMIT] {
        let prefix = format!("/{REPOSITORY}/resolve/{revision}/");
        if let Some(path) = seen.path.strip_prefix(&prefix)
            && let Some((path, content)) = files.iter().find(|(known, _)| *known == path)
        {
            return file_reply(seen, path, content);
        }
    }
    Reply::new(404, "Entry not found")
}

/// The files of a folder as those of a repository.
pub(crate) fn files_in(folder: &Path) -> Vec<(&'static str, Vec<u8>)> {
    let mut files = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let name = path.strip_prefix(folder).unwrap().to_str().unwrap().replace('\\', "/");
            // A test program ends soon.
            files.push((&*name.leak(), std::fs::read(&path).unwrap()));
        }
    }
    files.sort();
    files
}

/// A hub with the files of [`files`].
pub(crate) fn start() -> Server {
    let files = files();
    Server::start(move |seen| answer(seen, &files))
}

/// A hub whose answer for [`WEIGHTS`] a test decides.
pub(crate) fn start_with(weights: impl Fn(&Seen, &[u8]) -> Reply + Send + Sync + 'static) -> Server {
    let files = files();
    Server::start(move |seen| {
        if seen.path.ends_with(WEIGHTS) {
            weights(seen, &files.iter().find(|(path, _)| *path == WEIGHTS).unwrap().1)
        } else {
            answer(seen, &files)
        }
    })
}

pub(crate) fn weights() -> Vec<u8> {
    files().into_iter().find(|(path, _)| *path == WEIGHTS).unwrap().1
}

/// The path of the request for a file.
pub(crate) fn address_of(path: &str) -> String {
    format!("/{REPOSITORY}/resolve/{COMMIT}/{path}")
}

/// Everything that fetching needs, in a folder of its own, with short times.
pub(crate) struct Desk {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) environment: HubEnvironment,
    pub(crate) settings: ClientSettings,
    pub(crate) disk: Arc<dyn Disk>,
}

impl Desk {
    pub(crate) fn new(server: &Server) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let environment = HubEnvironment {
            endpoint: WebAddress::parse(&server.address).unwrap(),
            cache: folder.path().join("hub"),
            is_offline: false,
            has_symlinks: true,
            uses_proxies: false,
            tokens: TokenStore {
                variable: None,
                hugging_face_file: folder.path().join("token"),
                own_file: None,
                uses_keyring: false,
            },
        };
        let retries = RetrySettings {
            attempts: 4,
            first_pause: Duration::from_millis(5),
            longest_pause: Duration::from_secs(2),
        };
        let settings =
            ClientSettings { connect: Duration::from_secs(5), stall: Duration::from_millis(400), retries };
        Self { folder, environment, settings, disk: Arc::new(SystemDisk) }
    }

    pub(crate) fn with_token(mut self) -> Self {
        self.environment.tokens.variable = Token::new("hf_secret");
        self
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.environment.clone(), self.settings)
    }

    pub(crate) fn cache(&self) -> HubCache {
        HubCache::new(&self.environment)
    }

    pub(crate) fn listing(&self) -> Result<Listing, HubError> {
        let repository = RepositoryId::parse(REPOSITORY).unwrap();
        self.client().listing(&repository, "main", &CancelToken::new()).map(Option::unwrap)
    }

    pub(crate) fn fetch(&self, source: &Source, destination: &Destination) -> Result<Fetched, HubError> {
        let fetched = self.fetch_until(source, destination, &CancelToken::new(), &mut |_| ());
        fetched.map(|fetched| fetched.expect("not stopped"))
    }

    pub(crate) fn fetch_until(
        &self,
        source: &Source,
        destination: &Destination,
        cancel: &CancelToken,
        watch: &mut dyn FnMut(Step),
    ) -> Result<Option<Fetched>, HubError> {
        let (client, cache) = (self.client(), self.cache());
        Transfer { client: &client, cache: &cache, disk: &*self.disk }.fetch(
            source,
            destination,
            cancel,
            watch,
        )
    }

    /// Fetches [`WEIGHTS`] into the cache.
    pub(crate) fn fetch_weights(&self) -> Result<Fetched, HubError> {
        self.fetch(&weights_source(), &Destination::Cache)
    }

    /// The part of [`WEIGHTS`] in the cache.
    pub(crate) fn part(&self) -> PathBuf {
        self.blobs().join(format!("{}.incomplete", sha256(&weights())))
    }

    pub(crate) fn blobs(&self) -> PathBuf {
        self.environment.cache.join("models--someone--small-model/blobs")
    }

    /// Names of the files in the folder of blobs.
    pub(crate) fn blob_names(&self) -> Vec<String> {
        names_in(&self.blobs())
    }
}

pub(crate) fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A file of the repository as its listing gives it.
pub(crate) fn source_of(path: &str) -> Source {
    let content = files().into_iter().find(|(known, _)| *known == path).unwrap().1;
    Source::Hub {
        repository: RepositoryId::parse(REPOSITORY).unwrap(),
        commit: COMMIT.to_owned(),
        path: path.to_owned().try_into().unwrap(),
        size: content.len() as u64,
        hash: hash_of(path, &content),
    }
}

pub(crate) fn weights_source() -> Source {
    source_of(WEIGHTS)
}
