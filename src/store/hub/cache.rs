//! The Hugging Face cache: the layout that programs share.
//!
//! Source: <https://huggingface.co/docs/huggingface_hub/guides/manage-cache>. A repository is a folder
//! `models--OWNER--NAME` with `blobs/HASH` (the files), `snapshots/COMMIT/PATH` (relative links to them, copies where
//! there are no links) and `refs/REVISION` (the commit of a branch). `.locks/` beside it holds a lock for each blob.

use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use super::HubError;
use super::address::{RepositoryId, RepositoryPath};
use super::environment::HubEnvironment;
use super::hash::ContentHash;
use super::source::{Destination, Source};

/// The content of `CACHEDIR.TAG`, by which backups know a folder to leave out: the signature of
/// <https://bford.info/cachedir/> and a remark.
const TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n\
    # This file marks a cache folder, by the convention at https://bford.info/cachedir/.\n";

/// The cache.
#[derive(Clone, Debug)]
pub struct HubCache {
    root: PathBuf,
    has_symlinks: bool,
}

impl HubCache {
    /// The cache of an environment.
    pub fn new(environment: &HubEnvironment) -> Self {
        Self { root: environment.cache.clone(), has_symlinks: environment.has_symlinks }
    }

    /// Its folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn repository(&self, repository: &RepositoryId) -> PathBuf {
        self.root.join(repository.folder())
    }

    pub(super) fn blob(&self, repository: &RepositoryId, hash: &ContentHash) -> PathBuf {
        self.repository(repository).join("blobs").join(hash.name())
    }

    pub(super) fn part(&self, repository: &RepositoryId, hash: &ContentHash) -> PathBuf {
        self.repository(repository).join("blobs").join(format!("{}.incomplete", hash.name()))
    }

    pub(super) fn lock(&self, repository: &RepositoryId, hash: &ContentHash) -> PathBuf {
        self.root.join(".locks").join(repository.folder()).join(format!("{}.lock", hash.name()))
    }

    /// The folder of a commit.
    pub fn snapshot(&self, repository: &RepositoryId, commit: &str) -> PathBuf {
        self.repository(repository).join("snapshots").join(commit)
    }

    /// The path under which programs open a file of a commit.
    pub fn file(&self, repository: &RepositoryId, commit: &str, path: &RepositoryPath) -> PathBuf {
        path.below(self.snapshot(repository, commit))
    }

    /// Whether a file of a commit is here.
    pub fn has(&self, repository: &RepositoryId, commit: &str, path: &RepositoryPath) -> bool {
        self.file(repository, commit, path).is_file()
    }

    /// Bytes of a file that are here: all of them, or what came of it.
    pub fn bytes_here(&self, source: &Source, destination: &Destination) -> u64 {
        match (source, destination) {
            (Source::Hub { repository, commit, path, size, hash }, Destination::Cache) => {
                if self.has(repository, commit, path) {
                    *size
                } else {
                    self.received(repository, hash).min(*size)
                }
            }
            _ => 0,
        }
    }

    /// Bytes of a file that have come so far.
    pub fn received(&self, repository: &RepositoryId, hash: &ContentHash) -> u64 {
        std::fs::metadata(self.part(repository, hash)).map_or(0, |data| data.len())
    }

    /// Makes the folders of a download.
    pub(super) fn prepare(
        &self,
        repository: &RepositoryId,
        commit: &str,
        path: &RepositoryPath,
        hash: &ContentHash,
    ) -> Result<(), HubError> {
        let files =
            [self.blob(repository, hash), self.lock(repository, hash), self.file(repository, commit, path)];
        for folder in files.iter().filter_map(|file| file.parent()) {
            std::fs::create_dir_all(folder)
                .map_err(|error| HubError::disk("make the folder", folder, &error))?;
        }
        let tag = self.root.join("CACHEDIR.TAG");
        if !tag.exists() {
            // It is a courtesy, so that it cannot be written is no failure.
            let _ = std::fs::write(tag, TAG);
        }
        Ok(())
    }

    /// Makes a blob the file of a commit: a relative link, or the file itself where there are no links. `is_new`: no
    /// other file of the repository uses the blob, so it may be moved.
    pub(super) fn place(
        &self,
        repository: &RepositoryId,
        commit: &str,
        path: &RepositoryPath,
        hash: &ContentHash,
        is_new: bool,
    ) -> Result<PathBuf, HubError> {
        let (file, blob) = (self.file(repository, commit, path), self.blob(repository, hash));
        if file.is_file() {
            return Ok(file);
        }
        let failed = |error: std::io::Error| HubError::disk("write the file", &file, &error);
        // A link to a blob that is gone.
        if file.is_symlink() {
            std::fs::remove_file(&file).map_err(failed)?;
        }
        // From the folder of the file up to that of the repository: `snapshots/COMMIT` and the folders of the path.
        let ups = 2 + path.as_str().matches('/').count();
        let target: PathBuf = std::iter::repeat_n("..", ups).chain(["blobs", hash.name()]).collect();
        if self.has_symlinks {
            match symlink(&target, &file) {
                Ok(()) => return Ok(file),
                Err(error) if error.kind() == ErrorKind::AlreadyExists && file.is_file() => return Ok(file),
                // No right to make links (Windows), or a file system without them.
                Err(error) => log::info!("no link is possible, so the file is copied: {error}"),
            }
        }
        if is_new {
            std::fs::rename(&blob, &file).map_err(failed)?;
            return Ok(file);
        }
        let folder = file.parent().unwrap_or(&self.root);
        let copy = tempfile::Builder::new().prefix(".copy-").tempfile_in(folder).map_err(failed)?;
        std::fs::copy(&blob, copy.path()).map_err(failed)?;
        copy.persist(&file).map_err(|error| failed(error.error))?;
        Ok(file)
    }

    /// Notes the commit of a branch or tag. Done once all wanted files of the commit are here, so that the branch leads
    /// to the files of the last complete download until then.
    ///
    /// # Errors
    /// [`HubError::Disk`].
    pub fn note_revision(
        &self,
        repository: &RepositoryId,
        revision: &str,
        commit: &str,
    ) -> Result<(), HubError> {
        let Some(revision) = RepositoryPath::parse(revision).filter(|name| name.as_str() != commit) else {
            return Ok(());
        };
        let note = revision.below(self.repository(repository).join("refs"));
        if std::fs::read_to_string(&note).is_ok_and(|noted| noted == commit) {
            return Ok(());
        }
        let folder = note.parent().unwrap_or(&self.root);
        let write = || -> std::io::Result<()> {
            std::fs::create_dir_all(folder)?;
            let mut builder = tempfile::Builder::new();
            builder.prefix(".ref-");
            // As any new file of the cache, which several accounts may share.
            #[cfg(unix)]
            builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
            let mut new = builder.tempfile_in(folder)?;
            new.write_all(commit.as_bytes())?;
            new.persist(&note).map_err(|error| error.error)?;
            Ok(())
        };
        write().map_err(|error| HubError::disk("note the revision", &note, &error))
    }
}

#[cfg(unix)]
fn symlink(target: &Path, link: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(windows)]
fn symlink(target: &Path, link: &Path) -> std::io::Result<()> {
    std::os::windows::fs::symlink_file(target, link)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    struct Fixture {
        _folder: tempfile::TempDir,
        cache: HubCache,
        repository: RepositoryId,
        path: RepositoryPath,
        hash: ContentHash,
    }

    fn fixture(has_symlinks: bool) -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        let cache = HubCache { root: folder.path().join("hub"), has_symlinks };
        let repository = RepositoryId::parse("a/b").unwrap();
        let path = RepositoryPath::parse("unet/model.safetensors").unwrap();
        let hash = ContentHash::sha256(&"a".repeat(64)).unwrap();
        cache.prepare(&repository, COMMIT, &path, &hash).unwrap();
        std::fs::write(cache.blob(&repository, &hash), "weights").unwrap();
        Fixture { _folder: folder, cache, repository, path, hash }
    }

    impl Fixture {
        fn place(&self, path: &str, is_new: bool) -> PathBuf {
            let path = RepositoryPath::parse(path).unwrap();
            self.cache.place(&self.repository, COMMIT, &path, &self.hash, is_new).unwrap()
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_is_a_relative_link_to_its_blob_and_a_broken_one_is_replaced() {
        let f = fixture(true);
        let file = f.place(f.path.as_str(), true);
        assert_eq!(std::fs::read_link(&file).unwrap(), Path::new("../../../blobs").join("a".repeat(64)));
        assert_eq!(std::fs::read(&file).unwrap(), b"weights");
        std::fs::remove_file(&file).unwrap();
        std::os::unix::fs::symlink("../../../blobs/gone", &file).unwrap();
        assert!(!f.cache.has(&f.repository, COMMIT, &f.path));
        f.place(f.path.as_str(), true);
        assert!(f.cache.has(&f.repository, COMMIT, &f.path));
    }

    #[test]
    fn without_links_a_new_blob_is_moved_and_a_used_one_copied() {
        let f = fixture(false);
        let copy = f.place("unet/copy.safetensors", false);
        assert!(f.cache.blob(&f.repository, &f.hash).is_file());
        let moved = f.place(f.path.as_str(), true);
        assert!(!f.cache.blob(&f.repository, &f.hash).exists());
        assert_eq!(
            (std::fs::read(copy).unwrap(), std::fs::read(moved).unwrap()),
            (b"weights".into(), b"weights".into())
        );
    }

    #[test]
    fn a_revision_is_noted_and_a_commit_is_not() {
        let f = fixture(true);
        let refs = f.cache.repository(&f.repository).join("refs");
        f.cache.note_revision(&f.repository, COMMIT, COMMIT).unwrap();
        assert!(!refs.exists());
        for revision in ["main", "refs/pr/1"] {
            f.cache.note_revision(&f.repository, revision, COMMIT).unwrap();
            assert_eq!(std::fs::read_to_string(refs.join(revision)).unwrap(), COMMIT);
        }
    }
}
