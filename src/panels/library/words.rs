//! The words of the page of models.

use crate::catalog::PartRole;
use crate::panels::Text;
use crate::reason::Reason;
use crate::session::Session;
use crate::session::library::{Entry, EntryGroup, EntryKind, MissingPart};

/// A size in KiB, MiB or GiB.
pub(in crate::panels) fn size_words(bytes: u64) -> String {
    match bytes {
        0..0x10_0000 => format!("{} KiB", bytes.div_ceil(1 << 10)),
        0x10_0000..0x4000_0000 => format!("{} MiB", bytes >> 20),
        _ => format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30)),
    }
}

/// A number of parameters in thousands, millions or billions.
pub(super) fn count_words(count: u64) -> String {
    match count {
        0..1_000 => count.to_string(),
        1_000..1_000_000 => format!("{} K", count / 1_000),
        1_000_000..1_000_000_000 => format!("{} M", count / 1_000_000),
        _ => format!("{:.1} B", count as f64 / 1e9),
    }
}

pub(super) fn kind_words(kind: EntryKind, text: &Text) -> &'static str {
    match kind {
        EntryKind::Checkpoint => text.kind_checkpoint,
        EntryKind::Folder => text.kind_folder,
        EntryKind::DiffusionModel => text.kind_diffusion,
        EntryKind::TextEncoder => text.kind_text_encoder,
        EntryKind::Vae => text.kind_vae,
        EntryKind::TinyDecoder => text.kind_tiny,
        EntryKind::Lora => text.kind_lora,
        EntryKind::ControlNet => text.kind_controlnet,
        EntryKind::Upscaler => text.kind_upscaler,
        EntryKind::PictureSearch => text.kind_picture_search,
        EntryKind::PictureDescription => text.kind_picture_description,
        EntryKind::Embedding => text.kind_embedding,
        EntryKind::Unknown => text.kind_unknown,
    }
}

pub(super) fn group_words(group: Option<EntryGroup>, text: &Text) -> &'static str {
    match group {
        None => text.group_all,
        Some(EntryGroup::Models) => text.group_models,
        Some(EntryGroup::Parts) => text.group_parts,
        Some(EntryGroup::Adapters) => text.group_adapters,
        Some(EntryGroup::Others) => text.group_others,
    }
}

/// Kind, families and number format, in one line.
pub(super) fn summary_words(entry: &Entry, text: &Text) -> String {
    let families: Vec<&str> = entry.facts.families.iter().map(|family| family.name()).collect();
    let families =
        if families.len() > 2 { format!("{}, …", families[..2].join(", ")) } else { families.join(", ") };
    let all = [kind_words(entry.facts.kind, text), &families, &entry.facts.precision];
    all.iter().filter(|word| !word.is_empty()).copied().collect::<Vec<_>>().join(" · ")
}

/// The name of a part that a model lacks.
pub(super) fn part_words(part: &MissingPart, text: &Text) -> String {
    match part.role {
        Some(PartRole::Vae) => text.kind_vae.to_owned(),
        Some(PartRole::TextEncoder(_)) => text.kind_text_encoder.to_owned(),
        None => part.what.clone(),
    }
}

/// What stands in the way of opening an entry.
pub(super) enum State {
    /// It is loaded.
    InUse,
    /// It can be opened, or belongs to others.
    Usable,
    /// This is wrong with it.
    Problem(Reason),
    /// It lacks these parts.
    Lacks(Vec<String>),
}

impl State {
    pub(super) fn of(session: &Session, entry: &Entry, text: &Text) -> Self {
        if session.draft().model.path() == Some(entry.path.as_path()) && session.is_ready() {
            return Self::InUse;
        }
        if let Some(problem) = &entry.facts.problem {
            return Self::Problem(problem.clone());
        }
        if !entry.facts.kind.is_model() || session.model_of(entry).is_some() {
            return Self::Usable;
        }
        let is_lacking = |part: &&MissingPart| {
            part.is_wanting() && part.role.is_none_or(|role| session.file_of_part(entry, role).is_none())
        };
        Self::Lacks(entry.missing.iter().filter(is_lacking).map(|part| part_words(part, text)).collect())
    }

    /// In a few words, and whether it is a warning.
    pub(super) fn short(&self, text: &Text) -> (String, bool) {
        match self {
            Self::InUse => (text.in_use_now.to_owned(), false),
            Self::Usable => (String::new(), false),
            Self::Problem(_) => (text.cannot_open.to_owned(), true),
            Self::Lacks(parts) => {
                // Two text encoders are one word here.
                let mut parts: Vec<&str> = parts.iter().map(String::as_str).collect();
                parts.dedup();
                (text.lacks_part.replace("{}", &parts.join(", ")), true)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_counts_are_short() {
        for (bytes, wanted) in [(0, "0 KiB"), (1, "1 KiB"), (5 << 20, "5 MiB"), (6_938_040_682, "6.5 GiB")] {
            assert_eq!(size_words(bytes), wanted);
        }
        for (count, wanted) in
            [(7, "7"), (49_408, "49 K"), (859_520_964, "859 M"), (11_901_408_320, "11.9 B")]
        {
            assert_eq!(count_words(count), wanted);
        }
    }
}
