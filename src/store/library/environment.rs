//! What the system says of a person's folders.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The home folder and the variables of the environment that matter here; tests make up their own.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// The home folder.
    pub home: Option<PathBuf>,
    /// Variables by name.
    pub variables: BTreeMap<String, String>,
}

impl Environment {
    /// This process's.
    pub fn of_process() -> Self {
        let home = directories::BaseDirs::new().map(|folders| folders.home_dir().to_owned());
        let texts = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self { home, variables: texts.collect() }
    }

    /// The value of a variable, if it is not empty.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A path as a person writes it: `~` at its start is the home folder, and `$NAME`, `${NAME}` or `%NAME%` a variable,
    /// if there is one of this name.
    pub(super) fn expanded(&self, text: &str) -> PathBuf {
        let mut path = text.to_owned();
        for (name, value) in &self.variables {
            for form in [format!("${{{name}}}"), format!("%{name}%")] {
                if path.contains(&form) {
                    path = path.replace(&form, value);
                }
            }
            // A longer name that begins with this one is another variable.
            let form = format!("${name}");
            while let Some(at) = path.find(&form).filter(|at| {
                let after = path[at + form.len()..].chars().next();
                !after.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_')
            }) {
                path.replace_range(at..at + form.len(), value);
                if value.contains(&form) {
                    break;
                }
            }
        }
        match (path.strip_prefix('~'), &self.home) {
            (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with(['/', '\\']) => {
                home.join(rest.trim_start_matches(['/', '\\']))
            }
            _ => path.into(),
        }
    }

    /// The folder of the Hugging Face cache: <https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables>.
    pub(super) fn hugging_face_cache(&self) -> Option<PathBuf> {
        if let Some(folder) = self.variable("HF_HUB_CACHE").or_else(|| self.variable("HUGGINGFACE_HUB_CACHE"))
        {
            return Some(self.expanded(folder));
        }
        if let Some(folder) = self.variable("HF_HOME") {
            return Some(self.expanded(folder).join("hub"));
        }
        let cache = self.variable("XDG_CACHE_HOME").map(|folder| self.expanded(folder));
        Some(cache.or_else(|| Some(self.home.as_deref()?.join(".cache")))?.join("huggingface/hub"))
    }

    /// Folders in which people install programs.
    pub(super) fn usual_places(&self) -> Vec<PathBuf> {
        let Some(home) = &self.home else { return Vec::new() };
        let inside = ["", "Documents", "Desktop", "Downloads", "AI", "ai", "apps", "src"];
        let mut places: Vec<PathBuf> = inside.iter().map(|name| home.join(name)).collect();
        if cfg!(windows) {
            places.extend(["C:\\", "D:\\"].map(PathBuf::from));
        } else {
            places.push(Path::new("/opt").to_owned());
        }
        places
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Environment { home: Some("/home/a".into()), variables: variables.collect() }
    }

    #[test]
    fn the_hub_s_cache_is_where_its_variables_say() {
        for (variables, wanted) in [
            (&[][..], "/home/a/.cache/huggingface/hub"),
            (&[("XDG_CACHE_HOME", "/x")], "/x/huggingface/hub"),
            (&[("HF_HOME", "~/hf"), ("XDG_CACHE_HOME", "/x")], "/home/a/hf/hub"),
            (&[("HF_HUB_CACHE", "/c"), ("HF_HOME", "/h")], "/c"),
            (&[("HF_HUB_CACHE", ""), ("HF_HOME", "/h")], "/h/hub"),
        ] {
            assert_eq!(environment(variables).hugging_face_cache(), Some(wanted.into()), "{variables:?}");
        }
    }

    #[test]
    fn paths_are_expanded_as_a_shell_does() {
        let environment = environment(&[("A", "/a"), ("AB", "/ab"), ("SELF", "x$SELF")]);
        for (text, wanted) in [
            ("~", "/home/a"),
            ("~/models", "/home/a/models"),
            ("~other/models", "~other/models"),
            ("$A/m", "/a/m"),
            ("${A}b", "/ab"),
            ("$AB/m", "/ab/m"),
            ("%A%/m", "/a/m"),
            ("$UNKNOWN/m", "$UNKNOWN/m"),
            ("$SELF", "x$SELF"),
        ] {
            assert_eq!(environment.expanded(text), Path::new(wanted), "{text}");
        }
    }
}
