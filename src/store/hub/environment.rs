//! What the environment says about the hub: the variables of Hugging Face's own programs.
//!
//! Source: <https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables>.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::HubError;
use super::token::{Token, TokenStore};
use super::web_address::WebAddress;

/// The public hub.
pub(super) const PUBLIC_HUB: &str = "https://huggingface.co";

/// Where the hub and its cache are, and how it may be asked.
#[derive(Clone, Debug)]
pub struct HubEnvironment {
    /// The hub, or a mirror of it (`HF_ENDPOINT`).
    pub endpoint: WebAddress,
    /// The cache that programs share (`HF_HUB_CACHE`, or `hub` in `HF_HOME`).
    pub cache: PathBuf,
    /// Whether nothing may be fetched (`HF_HUB_OFFLINE`).
    pub is_offline: bool,
    /// Whether files in the cache may be symbolic links (`HF_HUB_DISABLE_SYMLINKS`).
    pub has_symlinks: bool,
    /// Whether the proxies of the environment are used (`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`).
    pub uses_proxies: bool,
    /// Where a token is looked for.
    pub tokens: TokenStore,
}

impl HubEnvironment {
    /// Reads the process's environment. `config_folder`: the program's own, for a token that it keeps.
    ///
    /// # Errors
    /// [`HubError::Variable`] for an endpoint that is no address, or an account without a home.
    pub fn read(config_folder: Option<&Path>) -> Result<Self, HubError> {
        let home = directories::BaseDirs::new().map(|folders| folders.home_dir().to_owned());
        Self::from_variables(|name| std::env::var_os(name), home.as_deref(), config_folder)
    }

    /// As [`Self::read`], from the variables that `get` knows.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn from_variables(
        get: impl Fn(&str) -> Option<OsString>,
        home: Option<&Path>,
        config_folder: Option<&Path>,
    ) -> Result<Self, HubError> {
        let set = |name: &str| get(name).filter(|value| !value.is_empty());
        let text = |name: &str| set(name).and_then(|value| value.into_string().ok());
        let is_true = |name: &str| {
            text(name).is_some_and(|value| {
                ["1", "on", "yes", "true"].contains(&value.to_ascii_lowercase().as_str())
            })
        };
        let folder = |name: &str| set(name).map(|value| from_home(PathBuf::from(value), home));
        let cache_home = folder("XDG_CACHE_HOME").or_else(|| Some(home?.join(".cache")));
        let hugging_face = folder("HF_HOME").or_else(|| Some(cache_home?.join("huggingface")));
        let cache = folder("HF_HUB_CACHE")
            .or_else(|| folder("HUGGINGFACE_HUB_CACHE"))
            .or_else(|| Some(hugging_face.as_ref()?.join("hub")));
        let (Some(hugging_face), Some(cache)) = (hugging_face.clone().or_else(|| cache.clone()), cache)
        else {
            let reason = "this account has no home; set HF_HOME to a folder for downloads".to_owned();
            return Err(HubError::Variable { name: "HOME", reason });
        };
        let endpoint = text("HF_ENDPOINT").unwrap_or_else(|| PUBLIC_HUB.to_owned());
        let endpoint = WebAddress::parse(endpoint.trim_end_matches('/'))
            .map_err(|reason| HubError::Variable { name: "HF_ENDPOINT", reason: reason.to_owned() })?;
        Ok(Self {
            endpoint,
            cache,
            is_offline: is_true("HF_HUB_OFFLINE") || is_true("TRANSFORMERS_OFFLINE"),
            has_symlinks: !is_true("HF_HUB_DISABLE_SYMLINKS"),
            uses_proxies: true,
            tokens: TokenStore {
                variable: text("HF_TOKEN").as_deref().and_then(Token::new),
                hugging_face_file: folder("HF_TOKEN_PATH").unwrap_or_else(|| hugging_face.join("token")),
                own_file: config_folder.map(|folder| folder.join("hub-token")),
                uses_keyring: true,
            },
        })
    }
}

/// A path whose `~` is the home folder.
fn from_home(path: PathBuf, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix("~"), home) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::super::web_address::Scheme;
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Result<HubEnvironment, HubError> {
        let get = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
        };
        HubEnvironment::from_variables(get, Some(Path::new("/home/a")), Some(Path::new("/config")))
    }

    #[test]
    fn without_variables_it_is_the_public_hub_and_the_usual_cache() {
        let environment = environment(&[("HF_TOKEN", ""), ("HF_HUB_OFFLINE", "0")]).unwrap();
        assert_eq!(environment.endpoint.whole(), "https://huggingface.co/");
        assert_eq!(environment.cache, Path::new("/home/a/.cache/huggingface/hub"));
        assert_eq!(environment.tokens.hugging_face_file, Path::new("/home/a/.cache/huggingface/token"));
        assert_eq!(environment.tokens.own_file.as_deref(), Some(Path::new("/config/hub-token")));
        assert!(!environment.is_offline && environment.has_symlinks && environment.tokens.variable.is_none());
    }

    #[test]
    fn variables_count_in_the_order_of_the_official_programs() {
        let cache = |variables: &[(&str, &str)]| environment(variables).unwrap().cache;
        let (xdg, home, hub) = (("XDG_CACHE_HOME", "/x"), ("HF_HOME", "~/hf"), ("HF_HUB_CACHE", "/hub"));
        assert_eq!(cache(&[xdg]), Path::new("/x/huggingface/hub"));
        assert_eq!(cache(&[xdg, home]), Path::new("/home/a/hf/hub"));
        assert_eq!(cache(&[xdg, home, ("HUGGINGFACE_HUB_CACHE", "/old")]), Path::new("/old"));
        assert_eq!(cache(&[xdg, home, ("HUGGINGFACE_HUB_CACHE", "/old"), hub]), Path::new("/hub"));
        let tokens = environment(&[home, ("HF_TOKEN_PATH", "/t"), ("HF_TOKEN", "abc")]).unwrap().tokens;
        assert_eq!(tokens.hugging_face_file, Path::new("/t"));
        assert_eq!(tokens.variable, Token::new("abc"));
        for (name, value) in [("HF_HUB_OFFLINE", "1"), ("TRANSFORMERS_OFFLINE", "Yes")] {
            assert!(environment(&[(name, value)]).unwrap().is_offline);
        }
        assert!(!environment(&[("HF_HUB_DISABLE_SYMLINKS", "TRUE")]).unwrap().has_symlinks);
    }

    #[test]
    fn an_endpoint_may_be_a_mirror_and_must_be_an_address() {
        let mirror = environment(&[("HF_ENDPOINT", "http://mirror.example:8080/hub/")]).unwrap();
        assert_eq!(mirror.endpoint.whole(), "http://mirror.example:8080/hub");
        assert_eq!(mirror.endpoint.scheme(), Scheme::Http);
        let error = environment(&[("HF_ENDPOINT", "mirror.example")]).unwrap_err().to_string();
        assert!(error.contains("HF_ENDPOINT") && error.contains("https://"), "{error}");
    }

    #[test]
    fn an_account_without_a_home_is_told_what_to_set() {
        let error = HubEnvironment::from_variables(|_| None, None, None).unwrap_err().to_string();
        assert!(error.contains("HF_HOME"), "{error}");
        let get = |name: &str| (name == "HF_HUB_CACHE").then(|| OsString::from("/hub"));
        assert_eq!(HubEnvironment::from_variables(get, None, None).unwrap().cache, Path::new("/hub"));
    }
}
