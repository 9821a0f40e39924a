//! Hashes of files as the hub lists them, computed while a file comes.

use sha1::{Digest as _, Sha1};
use sha2::Sha256;

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The hash by which the hub knows a file's content.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ContentHash {
    /// SHA-256 of a large file, 64 hexadecimal digits.
    Sha256(String),
    /// SHA-1 of a small file as git stores it, 40 hexadecimal digits.
    GitBlob(String),
}

impl ContentHash {
    /// A SHA-256 in hexadecimal digits.
    pub fn sha256(digits: &str) -> Option<Self> {
        (digits.len() == 64 && is_hex(digits)).then(|| Self::Sha256(digits.to_ascii_lowercase()))
    }

    /// The name of a git blob in hexadecimal digits.
    pub fn git_blob(digits: &str) -> Option<Self> {
        (digits.len() == 40 && is_hex(digits)).then(|| Self::GitBlob(digits.to_ascii_lowercase()))
    }

    /// The digits: the file's name in the cache.
    pub fn name(&self) -> &str {
        match self {
            Self::Sha256(digits) | Self::GitBlob(digits) => digits,
        }
    }

    /// The kind in words.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Sha256(_) => "SHA-256",
            Self::GitBlob(_) => "git blob",
        }
    }
}

impl TryFrom<String> for ContentHash {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::sha256(&text).or_else(|| Self::git_blob(&text)).ok_or_else(|| format!("‘{text}’ is no hash"))
    }
}

impl From<ContentHash> for String {
    fn from(hash: ContentHash) -> Self {
        hash.name().to_owned()
    }
}

/// Computes a hash piece by piece.
pub(super) enum Hasher {
    Sha256(Sha256),
    GitBlob(Sha1),
}

impl Hasher {
    /// A hasher for a file of `size` bytes that is listed with `hash`; SHA-256 where nothing is listed.
    pub(super) fn new(hash: Option<&ContentHash>, size: u64) -> Self {
        match hash {
            Some(ContentHash::GitBlob(_)) => {
                Self::GitBlob(Sha1::new().chain_update(format!("blob {size}\0").as_bytes()))
            }
            _ => Self::Sha256(Sha256::new()),
        }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::GitBlob(hasher) => hasher.update(bytes),
        }
    }

    pub(super) fn finish(self) -> ContentHash {
        match self {
            Self::Sha256(hasher) => ContentHash::Sha256(digits(&hasher.finalize())),
            Self::GitBlob(hasher) => ContentHash::GitBlob(digits(&hasher.finalize())),
        }
    }
}

fn digits(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_sha256sum_and_git() {
        // `printf 'hello\n' | sha256sum` and `printf 'hello\n' | git hash-object --stdin`.
        let sha256 = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
        let git = "ce013625030ba8dba906f756967f9e9ca394464a";
        for listed in [ContentHash::sha256(sha256), ContentHash::git_blob(git)] {
            let listed = listed.unwrap();
            let mut hasher = Hasher::new(Some(&listed), 6);
            hasher.update(b"hel");
            hasher.update(b"lo\n");
            assert_eq!(hasher.finish(), listed);
        }
        let mut hasher = Hasher::new(None, 0);
        hasher.update(b"hello\n");
        assert_eq!(hasher.finish().name(), sha256);
    }

    #[test]
    fn a_hash_is_a_safe_file_name() {
        for wrong in ["", "../x", &"g".repeat(64), &"a".repeat(63)] {
            assert!(ContentHash::sha256(wrong).is_none() && ContentHash::git_blob(wrong).is_none());
        }
        assert_eq!(ContentHash::sha256(&"AB".repeat(32)).unwrap().name(), "ab".repeat(32));
    }
}
