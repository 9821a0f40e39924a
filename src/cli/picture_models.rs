//! The models that find and describe pictures, by their names on the command line.

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;

use super::{library, numbers, output};
use crate::store::library::{EntryKind, weights_of_kind};

/// The file of weights in a folder of transformers.
const WEIGHTS: &str = "model.safetensors";

#[derive(Clone, Debug, Args)]
pub(super) struct PictureModel {
    /// Its model: a file of weights, its folder, or a name in the library [default: the first in the library].
    #[arg(long, value_name = "MODEL", allow_hyphen_values = true)]
    model: Option<String>,
    /// Threads of the processor [default: one for each core].
    #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = numbers::positive)]
    pub(super) threads: Option<usize>,
}

impl PictureModel {
    /// The file of weights. `kind`: [`EntryKind::PictureSearch`] or [`EntryKind::PictureDescription`].
    ///
    /// # Errors
    /// If there is none, with what to get.
    pub(super) fn weights(&self, kind: EntryKind) -> anyhow::Result<PathBuf> {
        let (what, get) = match kind {
            EntryKind::PictureSearch => (
                "finds pictures by their meaning (CLIP or SigLIP)",
                "‘safelight models get clip-search’ or ‘safelight models get siglip-search’",
            ),
            _ => ("describes pictures (BLIP)", "‘safelight models get blip-description’"),
        };
        if let Some(named) = &self.model {
            let path = Path::new(named);
            if path.is_dir() {
                return Ok(path.join(WEIGHTS));
            }
            // A broken link exists, too, and so may a path that was mistyped.
            if path.is_file() || std::fs::symlink_metadata(path).is_ok() || path.is_absolute() {
                return Ok(path.to_owned());
            }
            let library = library::scanned(false)?;
            let entry = library.find(named)?;
            if entry.facts.kind != kind {
                bail!("‘{}’ is no model that {what}: {}", entry.name, output::text(&entry.path));
            }
            return Ok(entry.path.clone());
        }
        match weights_of_kind(&library::scanned(false)?.entries, kind) {
            Some(weights) => Ok(weights.to_owned()),
            None => bail!("no model that {what} is in the library; get one with {get}"),
        }
    }
}
