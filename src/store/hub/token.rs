//! The access token of the hub: where it comes from and where it is kept.

use std::fmt;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::HubError;

/// The name under which the system's keyring keeps the token.
const SERVICE: &str = "safelight";
/// What the program's own file holds instead of a token that is in the keyring, so that the keyring, which may ask for
/// its password, is opened only by people who chose it.
const IN_KEYRING: &str = "keyring";
/// Upper limit of a file with a token, bytes.
const MAX_FILE: u64 = 4096;

/// An access token. It is shown nowhere: neither [`Debug`](fmt::Debug) nor an error contains it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A token from its text; `None` if it is empty or cannot stand in a header.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        plain.then(|| Self(text.to_owned()))
    }

    /// The value of the header `Authorization`.
    pub(super) fn authorization(&self) -> String {
        format!("Bearer {}", self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Where a token was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenPlace {
    /// The variable `HF_TOKEN`.
    Variable,
    /// The file of Hugging Face's own programs.
    HuggingFaceFile,
    /// The system's keyring.
    Keyring,
    /// The program's own file.
    OwnFile,
}

/// The places where a token is looked for, and where a new one is kept.
#[derive(Clone, Debug)]
pub struct TokenStore {
    /// The value of `HF_TOKEN`.
    pub variable: Option<Token>,
    /// The file of Hugging Face's own programs, which is only read.
    pub hugging_face_file: PathBuf,
    /// The program's own file; `None` keeps nothing.
    pub own_file: Option<PathBuf>,
    /// Whether the system's keyring is used.
    pub uses_keyring: bool,
}

impl TokenStore {
    /// The token, from the first place that has one.
    pub fn find(&self) -> Option<(Token, TokenPlace)> {
        if let Some(token) = &self.variable {
            return Some((token.clone(), TokenPlace::Variable));
        }
        if let Some(token) = read(&self.hugging_face_file).as_deref().and_then(Token::new) {
            return Some((token, TokenPlace::HuggingFaceFile));
        }
        let own = read(self.own_file.as_deref()?)?;
        if own.trim() != IN_KEYRING {
            return Some((Token::new(&own)?, TokenPlace::OwnFile));
        }
        let kept = self.uses_keyring.then(keyring_entry)?.and_then(|entry| entry.get_password());
        match kept {
            Ok(text) => Some((Token::new(&text)?, TokenPlace::Keyring)),
            Err(error) => {
                log::warn!("the token in the system's keyring cannot be read: {error}");
                None
            }
        }
    }

    /// Keeps a token: in the keyring where there is one, otherwise in a file that only its owner reads.
    ///
    /// # Errors
    /// [`HubError::Token`] if neither is possible.
    pub fn keep(&self, token: &Token) -> Result<TokenPlace, HubError> {
        let file = self.own_file.as_deref().ok_or_else(no_folder)?;
        let in_keyring =
            self.uses_keyring && keyring_entry().and_then(|entry| entry.set_password(&token.0)).is_ok();
        let (content, place) =
            if in_keyring { (IN_KEYRING, TokenPlace::Keyring) } else { (&*token.0, TokenPlace::OwnFile) };
        write_private(file, content)
            .map_err(|error| HubError::Token(format!("{error}: {}", file.display())))?;
        Ok(place)
    }

    /// Forgets the token that [`Self::keep`] kept.
    ///
    /// # Errors
    /// [`HubError::Token`] if the keyring or the file cannot be changed.
    pub fn forget(&self) -> Result<(), HubError> {
        let Some(file) = self.own_file.as_deref() else { return Ok(()) };
        if self.uses_keyring && read(file).is_some_and(|own| own.trim() == IN_KEYRING) {
            match keyring_entry().and_then(|entry| entry.delete_credential()) {
                Ok(()) | Err(keyring::Error::NoEntry) => {}
                Err(error) => return Err(HubError::Token(error.to_string())),
            }
        }
        match std::fs::remove_file(file) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(HubError::Token(format!("{error}: {}", file.display())))
            }
            _ => Ok(()),
        }
    }
}

fn no_folder() -> HubError {
    HubError::Token("this account has no folder for settings".to_owned())
}

fn keyring_entry() -> keyring::Result<keyring::Entry> {
    keyring::Entry::new(SERVICE, "hugging-face-token")
}

/// The text of a small file; `None` if there is none that can be read.
fn read(file: &Path) -> Option<String> {
    let data = std::fs::metadata(file).ok()?;
    if data.is_file() && data.len() <= MAX_FILE { std::fs::read_to_string(file).ok() } else { None }
}

/// Replaces a file by one that only its owner can read, which a temporary file is from its creation on.
fn write_private(file: &Path, content: &str) -> std::io::Result<()> {
    let folder = file.parent().ok_or(ErrorKind::InvalidInput)?;
    std::fs::create_dir_all(folder)?;
    let mut new = tempfile::NamedTempFile::new_in(folder).map_err(|error| error.kind())?;
    new.write_all(content.as_bytes())?;
    new.as_file().sync_all()?;
    new.persist(file).map_err(|error| error.error.kind())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(folder: &Path) -> TokenStore {
        TokenStore {
            variable: None,
            hugging_face_file: folder.join("token"),
            own_file: Some(folder.join("config/hub-token")),
            uses_keyring: false,
        }
    }

    #[test]
    fn a_token_is_shown_nowhere() {
        let token = Token::new(" hf_secret\n").unwrap();
        assert_eq!(token.authorization(), "Bearer hf_secret");
        assert!(!format!("{token:?} {:?}", Some(&token)).contains("secret"));
        assert!(Token::new(" ").is_none() && Token::new("a\nb").is_none() && Token::new("ä").is_none());
    }

    #[test]
    fn the_first_place_with_a_token_counts() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = store(folder.path());
        assert_eq!(store.find(), None);
        let own = Token::new("own").unwrap();
        assert_eq!(store.keep(&own).unwrap(), TokenPlace::OwnFile);
        assert_eq!(store.find(), Some((own, TokenPlace::OwnFile)));
        std::fs::write(&store.hugging_face_file, "theirs\n").unwrap();
        assert_eq!(store.find(), Some((Token::new("theirs").unwrap(), TokenPlace::HuggingFaceFile)));
        store.variable = Token::new("variable");
        assert_eq!(store.find().unwrap().1, TokenPlace::Variable);
        store.forget().unwrap();
        store.forget().unwrap();
        assert!(!store.own_file.as_ref().unwrap().exists() && store.hugging_face_file.exists());
    }

    #[test]
    fn a_token_that_is_said_to_be_in_the_keyring_is_not_taken_from_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        write_private(store.own_file.as_ref().unwrap(), IN_KEYRING).unwrap();
        assert_eq!(store.find(), None);
    }

    #[cfg(unix)]
    #[test]
    fn only_its_owner_reads_the_file() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        for text in ["first", "second"] {
            store.keep(&Token::new(text).unwrap()).unwrap();
            let mode = std::fs::metadata(store.own_file.as_ref().unwrap()).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}
