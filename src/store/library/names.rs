//! Entries by the names that a person types, and models from entries.

use std::path::Path;

use super::{Entry, EntryKind, Library, LibraryError};
use crate::catalog::{ModelParts, ModelSource, PartRole};
use crate::reason::{Reason, ReasonKind};

/// Candidates that a message names at most.
const MAX_CANDIDATES: usize = 8;

/// The weights of the first entry of a kind with which nothing is wrong.
pub fn weights_of_kind(entries: &[Entry], kind: EntryKind) -> Option<&Path> {
    let is_it = |entry: &&Entry| entry.facts.kind == kind && entry.facts.problem.is_none();
    entries.iter().find(is_it).map(|entry| entry.path.as_path())
}

impl Library {
    /// The entry of a name: its own, that of its repository or its path; else one that is the same in other case; else
    /// the only one that begins with it, in any case.
    ///
    /// # Errors
    /// [`LibraryError::NotFound`] and [`LibraryError::Ambiguous`].
    pub fn find(&self, name: &str) -> Result<&Entry, LibraryError> {
        self.find_among(name, |_| true)
    }

    /// The model of a name, for drawing: entries of other kinds do not count, unless there is nothing else.
    ///
    /// # Errors
    /// As [`find`](Self::find), and [`LibraryError::NotReady`] for one that cannot be opened.
    pub fn model(&self, name: &str) -> Result<ModelSource, LibraryError> {
        let entry = match self.find_among(name, |entry| entry.facts.kind.is_model()) {
            Err(LibraryError::NotFound { .. }) => self.find(name),
            found => found,
        };
        source_of(entry?)
    }

    fn find_among(&self, name: &str, counts: impl Fn(&Entry) -> bool) -> Result<&Entry, LibraryError> {
        let lower = name.to_lowercase();
        let all: Vec<&Entry> = self.entries.iter().filter(|entry| counts(entry)).collect();
        let names =
            |entry: &Entry| [Some(entry.name.clone()), entry.repository.clone()].into_iter().flatten();
        let rules: [&dyn Fn(&Entry) -> bool; 3] = [
            &|entry| names(entry).any(|own| own == name) || entry.path == Path::new(name),
            &|entry| names(entry).any(|own| own.to_lowercase() == lower),
            &|entry| names(entry).any(|own| own.to_lowercase().starts_with(&lower)),
        ];
        for rule in rules.iter().filter(|_| !name.is_empty()) {
            let matching: Vec<&Entry> = all.iter().copied().filter(|entry| rule(entry)).collect();
            match matching[..] {
                [] => {}
                [entry] => return Ok(entry),
                _ => {
                    return Err(LibraryError::Ambiguous {
                        name: name.to_owned(),
                        candidates: candidates(&matching),
                    });
                }
            }
        }
        let contains = |entry: &&&Entry| entry.name.to_lowercase().contains(&lower);
        let close: Vec<&Entry> = all.iter().filter(contains).take(3).copied().collect();
        let close = if name.is_empty() { Vec::new() } else { candidates(&close) };
        Err(LibraryError::NotFound { name: name.to_owned(), close })
    }
}

/// The names of entries; where two have the same, their paths.
fn candidates(entries: &[&Entry]) -> Vec<String> {
    let is_unique = |entry: &Entry| entries.iter().filter(|other| other.name == entry.name).count() == 1;
    let text = |entry: &&Entry| {
        if is_unique(entry) { entry.name.clone() } else { entry.path.display().to_string() }
    };
    let mut texts: Vec<String> = entries.iter().take(MAX_CANDIDATES).map(text).collect();
    if entries.len() > MAX_CANDIDATES {
        texts.push("…".to_owned());
    }
    texts
}

/// The model of an entry, completed by the files of the library that it lacks.
///
/// # Errors
/// [`LibraryError::NotReady`] if it does not draw, if something is wrong with it, or if a part is wanting.
pub fn source_of(entry: &Entry) -> Result<ModelSource, LibraryError> {
    let refused = |why: Reason| {
        Err(LibraryError::NotReady { name: entry.name.clone(), why: why.into(), path: entry.path.clone() })
    };
    if let Some(problem) = &entry.facts.problem {
        return refused(problem.clone());
    }
    if !entry.facts.kind.is_model() {
        let kind = entry.facts.kind.id();
        let why = format!("it is no model but of the kind {kind}");
        return refused(Reason::new(ReasonKind::NoModelItself, why).with([&kind as _]));
    }
    let wanting: Vec<String> = entry
        .missing
        .iter()
        .filter(|part| part.is_wanting())
        .map(|part| match part.role {
            Some(role) => format!("{} ({} FILE)", part.what, role.option()),
            None => part.what.clone(),
        })
        .collect();
    if !wanting.is_empty() {
        let wanting = wanting.join(", ");
        let why = format!("the library has no file for what it lacks: {wanting}");
        return refused(Reason::new(ReasonKind::PartsLacking, why).with([&wanting as _]));
    }
    let mut parts = ModelParts { model: entry.path.clone(), ..ModelParts::default() };
    for part in &entry.missing {
        let Some(file) = part.completed_by.first().cloned() else { continue };
        match part.role {
            Some(PartRole::Vae) => parts.vae = Some(file),
            Some(PartRole::TextEncoder(index)) => {
                if let Some(slot) = parts.text_encoders.get_mut(index) {
                    *slot = Some(file);
                }
            }
            None => {}
        }
    }
    Ok(if parts.has_no_others() {
        ModelSource::Folder(parts.model)
    } else {
        ModelSource::Parts(Box::new(parts))
    })
}
