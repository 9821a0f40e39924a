//! Which entries of the library are listed, and in which order.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Entry, EntryKind, Family};

/// Kinds of entries that are filtered together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EntryGroup {
    /// What draws.
    Models,
    /// Text encoders and decoders.
    Parts,
    /// What changes or steers a model.
    Adapters,
    /// What enlarges, finds or describes pictures, and what is not known.
    Others,
}

impl EntryGroup {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Models, Self::Parts, Self::Adapters, Self::Others];

    /// The group of a kind.
    pub const fn of(kind: EntryKind) -> Self {
        match kind {
            EntryKind::Checkpoint | EntryKind::Folder | EntryKind::DiffusionModel => Self::Models,
            EntryKind::TextEncoder | EntryKind::Vae | EntryKind::TinyDecoder => Self::Parts,
            EntryKind::Lora | EntryKind::ControlNet | EntryKind::Embedding => Self::Adapters,
            EntryKind::Upscaler
            | EntryKind::PictureSearch
            | EntryKind::PictureDescription
            | EntryKind::Unknown => Self::Others,
        }
    }
}

/// What is listed of the library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LibraryFilter {
    /// Words that the name, the repository or the path contains, in any case.
    pub words: String,
    /// Entries of these kinds; `None` for all.
    pub group: Option<EntryGroup>,
    /// Entries of this family; `None` for all.
    pub family: Option<Family>,
}

impl Default for LibraryFilter {
    fn default() -> Self {
        Self { words: String::new(), group: Some(EntryGroup::Models), family: None }
    }
}

impl LibraryFilter {
    fn takes(&self, entry: &Entry, words: &[String]) -> bool {
        let has_words = || {
            let repository = entry.repository.as_deref().unwrap_or_default();
            let text = format!("{} {repository} {}", entry.name, entry.path.display()).to_lowercase();
            words.iter().all(|word| text.contains(word))
        };
        self.group.is_none_or(|group| group == EntryGroup::of(entry.facts.kind))
            && self.family.is_none_or(|family| entry.facts.families.contains(&family))
            && (words.is_empty() || has_words())
    }

    /// The indices of the entries that are listed: those with a star first, then the `recent` ones, newest first, then
    /// the others, each as they are in the library.
    pub(super) fn listed(&self, entries: &[Entry], stars: &[PathBuf], recent: &[&Path]) -> Vec<usize> {
        let words: Vec<String> = self.words.split_whitespace().map(str::to_lowercase).collect();
        let recent: BTreeMap<&Path, usize> =
            recent.iter().enumerate().map(|(place, path)| (*path, place)).collect();
        let mut listed: Vec<usize> =
            (0..entries.len()).filter(|index| self.takes(&entries[*index], &words)).collect();
        listed.sort_by_key(|index| {
            let path = &entries[*index].path;
            let place = recent.get(path.as_path()).copied().unwrap_or(usize::MAX);
            (!stars.contains(path), place)
        });
        listed
    }
}
