//! Entries from what was found: their names, and which of them completes which.

use std::path::Path;

use super::super::layout::{PartNeed, PartOffer};
use super::entry::{Entry, EntryKind, MissingPart};
use super::scan::Found;
use super::walk::Shape;

/// Names of files that say nothing of their model.
const GENERIC: [&str; 4] = ["diffusion_pytorch_model", "model", "pytorch_model", "open_clip_pytorch_model"];
/// The endings that name a variant of a file.
const VARIANTS: [&str; 3] = [".fp16", ".bf16", ".fp32"];

/// The entries, sorted by their names. Each item comes with the folder of the library that it was found in.
pub(super) fn entries<'a>(found: impl IntoIterator<Item = (&'a Found, &'a Path)>) -> Vec<Entry> {
    let (mut entries, mut parts) = (Vec::new(), Vec::new());
    for (found, folder) in found {
        if let Some(offer) = found.facts.offer {
            parts.push(Candidate { found, offer, folder });
        }
        entries.push((entry(found), folder));
    }
    for (entry, folder) in &mut entries {
        complete(entry, folder, &parts);
    }
    let mut entries: Vec<Entry> = entries.into_iter().map(|(entry, _)| entry).collect();
    entries.sort_by_cached_key(|entry| (entry.name.to_lowercase(), entry.path.clone()));
    entries
}

/// A file that may complete a model.
struct Candidate<'a> {
    found: &'a Found,
    offer: PartOffer,
    folder: &'a Path,
}

fn entry(found: &Found) -> Entry {
    let Found { item, facts, sha256 } = found;
    let mut facts = facts.clone();
    // Without its configuration it cannot search, and its text encoder still belongs to models. Not cached: the
    // configuration may come after the weights.
    if facts.kind == EntryKind::PictureSearch
        && facts.offer.is_some()
        && !item.path.with_file_name("config.json").is_file()
    {
        facts.kind = EntryKind::TextEncoder;
    }
    Entry {
        name: name_of(found),
        repository: item.repository.clone(),
        path: item.path.clone(),
        files: item.files.clone(),
        bytes: item.fingerprint.bytes,
        missing: Vec::new(),
        bytes_with_parts: facts.weight_bytes,
        facts,
        sha256: sha256.clone(),
    }
}

/// Adds what an entry lacks, with what completes it.
fn complete(entry: &mut Entry, folder: &Path, parts: &[Candidate<'_>]) {
    for need in &entry.facts.needs {
        let mut fitting: Vec<&Candidate<'_>> = parts.iter().filter(|part| need.fits(&part.offer)).collect();
        fitting.sort_by_key(|part| rank(need, part, folder));
        let first = fitting.first();
        let lacks_tokenizer = first.is_some_and(|part| need.needs_tokenizer() && !part.offer.has_tokenizer);
        let bytes = first.map_or(0, |part| part.found.facts.weight_bytes);
        entry.bytes_with_parts = entry.bytes_with_parts.saturating_add(bytes);
        entry.missing.push(MissingPart {
            role: Some(need.role),
            what: need.what.clone(),
            is_optional: need.is_optional,
            completed_by: fitting.iter().map(|part| part.found.item.path.clone()).collect(),
            lacks_tokenizer,
        });
    }
    entry.missing.extend(entry.facts.absent.iter().map(|part| MissingPart {
        role: None,
        what: part.clone(),
        is_optional: false,
        completed_by: Vec::new(),
        lacks_tokenizer: false,
    }));
}

/// The order in which parts are taken: those that bring the tokenizer that the model needs, those of the model's own
/// folder, then by name.
fn rank<'a>(need: &PartNeed, part: &Candidate<'a>, folder: &Path) -> (bool, bool, &'a Path) {
    let lacks_tokenizer = need.needs_tokenizer() && !part.offer.has_tokenizer;
    (lacks_tokenizer, part.folder != folder, &part.found.item.path)
}

/// The name that a person knows a model by.
fn name_of(found: &Found) -> String {
    let item = &found.item;
    let of_repository = item.repository.as_deref().and_then(|name| name.rsplit('/').next());
    let own = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    if item.shape == Shape::Folder {
        let name = of_repository.map(str::to_owned).or_else(|| own(&item.path)).unwrap_or_default();
        return match &found.facts.title {
            Some(title) if is_random(&name) => title.clone(),
            _ => name,
        };
    }
    let stem = item.path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = if item.shape == Shape::Shards {
        stem.rsplitn(4, '-').nth(3).map_or(stem.clone(), str::to_owned)
    } else {
        stem
    };
    let plain = VARIANTS.iter().find_map(|variant| stem.strip_suffix(variant)).unwrap_or(&stem);
    if !GENERIC.contains(&plain) {
        return stem;
    }
    // A file such as `vae/diffusion_pytorch_model.safetensors` of a repository.
    let parent = item.path.parent().and_then(own).unwrap_or_default();
    match (of_repository, found.facts.kind) {
        (Some(repository), EntryKind::Folder) => repository.to_owned(),
        (Some(repository), _) if is_random(&parent) => repository.to_owned(),
        (Some(repository), _) => format!("{repository}/{parent}"),
        (None, _) if parent.is_empty() => stem,
        (None, _) => parent,
    }
}

/// Whether a folder's name is a hash or an identifier made by a program.
fn is_random(name: &str) -> bool {
    let digits = name.bytes().filter(u8::is_ascii_hexdigit).count();
    let others = name.len() - digits;
    digits >= 32 && (others == 0 || others == 4 && name.matches('-').count() == 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_and_identifiers_are_no_names() {
        assert!(is_random("b261bac6fd2cf515557d5d0707481eafa0485ec2"));
        assert!(is_random("7c1a9a1e-5d3b-4c11-9f0a-0123456789ab"));
        assert!(!is_random("deadbeef") && !is_random("stable-diffusion-v1-5") && !is_random(""));
    }
}
