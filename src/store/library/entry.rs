//! What is known of one model, or of one file that belongs to models.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::super::layout::{PartNeed, PartOffer};
use super::family::Family;
use crate::catalog::PartRole;
use crate::reason::Reason;
use crate::weights::WeightsKind;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum EntryKind {
    /// A whole model in one file.
    Checkpoint,
    /// A model in a folder in diffusers' layout.
    Folder,
    /// A denoiser without the other parts of a model.
    DiffusionModel,
    /// A text encoder.
    TextEncoder,
    /// An autoencoder.
    Vae,
    /// A small decoder of latents.
    TinyDecoder,
    /// Low-rank changes of a model's weights.
    Lora,
    /// A network that steers a model.
    ControlNet,
    /// A network that enlarges pictures.
    Upscaler,
    /// CLIP or SigLIP, which finds pictures by words.
    PictureSearch,
    /// BLIP, which describes pictures.
    PictureDescription,
    /// Vectors for words.
    Embedding,
    /// None of these; [`Facts::problem`] says why.
    Unknown,
}

impl EntryKind {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Checkpoint,
        Self::Folder,
        Self::DiffusionModel,
        Self::TextEncoder,
        Self::Vae,
        Self::TinyDecoder,
        Self::Lora,
        Self::ControlNet,
        Self::Upscaler,
        Self::PictureSearch,
        Self::PictureDescription,
        Self::Embedding,
        Self::Unknown,
    ];

    /// Its short name, for filters, tables and JSON.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Checkpoint => "checkpoint",
            Self::Folder => "folder",
            Self::DiffusionModel => "diffusion-model",
            Self::TextEncoder => "text-encoder",
            Self::Vae => "vae",
            Self::TinyDecoder => "tiny-decoder",
            Self::Lora => "lora",
            Self::ControlNet => "controlnet",
            Self::Upscaler => "upscaler",
            Self::PictureSearch => "picture-search",
            Self::PictureDescription => "picture-description",
            Self::Embedding => "embedding",
            Self::Unknown => "unknown",
        }
    }

    /// The kind of this short name, in any case.
    pub fn of_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.id().eq_ignore_ascii_case(id))
    }

    /// Whether a picture can be drawn with it, once its parts are there.
    pub const fn is_model(self) -> bool {
        matches!(self, Self::Checkpoint | Self::Folder | Self::DiffusionModel)
    }

    /// The kind of a file that holds this. `is_whole`: whether a denoiser has all parts of a model beside it in the file.
    pub(super) fn of_weights(kind: WeightsKind, is_whole: bool) -> Self {
        match kind {
            WeightsKind::StableDiffusion | WeightsKind::Refiner => Self::Checkpoint,
            WeightsKind::Unet
            | WeightsKind::Flux
            | WeightsKind::Flux2
            | WeightsKind::Flux3
            | WeightsKind::Chroma
            | WeightsKind::StableDiffusion3
            | WeightsKind::ZImage => {
                if is_whole {
                    Self::Checkpoint
                } else {
                    Self::DiffusionModel
                }
            }
            WeightsKind::Lumina | WeightsKind::QwenImage | WeightsKind::Video => Self::DiffusionModel,
            WeightsKind::Lora => Self::Lora,
            WeightsKind::ControlNet => Self::ControlNet,
            WeightsKind::Vae => Self::Vae,
            WeightsKind::TinyVae => Self::TinyDecoder,
            WeightsKind::Clip | WeightsKind::T5 | WeightsKind::Qwen3 | WeightsKind::LanguageModel => {
                Self::TextEncoder
            }
            WeightsKind::PictureSearch | WeightsKind::SigLip | WeightsKind::SigLipOther => {
                Self::PictureSearch
            }
            WeightsKind::PictureDescription => Self::PictureDescription,
            WeightsKind::Embedding => Self::Embedding,
            WeightsKind::Upscaler => Self::Upscaler,
            WeightsKind::Unknown => Self::Unknown,
        }
    }
}

/// The format of an entry's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileFormat {
    /// Safetensors.
    Safetensors,
    /// GGUF.
    Gguf,
    /// A Python pickle, which is not read.
    Pickle,
    /// Something else, or unreadable.
    Other,
}

impl FileFormat {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Safetensors => "safetensors",
            Self::Gguf => "GGUF",
            Self::Pickle => "pickle",
            Self::Other => "other",
        }
    }
}

/// What the headers of an entry's files say. It does not depend on other files, so it is cached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// What it is.
    pub kind: EntryKind,
    /// The families that it belongs to; none where its tensors do not say.
    pub families: Vec<Family>,
    /// The format of its files.
    pub format: FileFormat,
    /// The number format of most of its values, such as `f16` or `Q4_K`; empty if no header was read.
    pub precision: String,
    /// The number of values in all tensors.
    pub parameters: u64,
    /// Bytes of all tensors as they are stored.
    pub weight_bytes: u64,
    /// The parts that its denoiser needs and that are not in it.
    pub needs: Vec<PartNeed>,
    /// The part that it offers to other models.
    pub offer: Option<PartOffer>,
    /// The parts that a folder's index lists and that the folder lacks, by their names.
    pub absent: Vec<String>,
    /// Why it cannot be used, as one clause: what it is, what is wrong with it and what to try.
    pub problem: Option<Reason>,
    /// The name that its files give it, where its place gives none.
    pub title: Option<String>,
}

/// A part that an entry lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingPart {
    /// Its role; `None` in a folder in diffusers' layout.
    pub role: Option<PartRole>,
    /// Its name, with the usual name of its file.
    pub what: String,
    /// Whether the model works without it.
    pub is_optional: bool,
    /// The files of the library that are this part, the most suitable first.
    pub completed_by: Vec<PathBuf>,
    /// Whether the first of them comes without the tokenizer that it needs.
    pub lacks_tokenizer: bool,
}

impl MissingPart {
    /// Whether the model cannot be opened for want of it.
    pub fn is_wanting(&self) -> bool {
        !self.is_optional && self.completed_by.is_empty()
    }
}

/// One model, or one file that belongs to models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name: that of its file without extension, or of its folder or repository.
    pub name: String,
    /// The repository it was downloaded from, `OWNER/NAME`, if its place says so.
    pub repository: Option<String>,
    /// Its file, its folder, or the first of several files.
    pub path: PathBuf,
    /// Its files, more than one for weights in several files; for a folder none are listed.
    pub files: Vec<PathBuf>,
    /// Bytes on the disk.
    pub bytes: u64,
    /// What its headers say.
    pub facts: Facts,
    /// What it lacks.
    pub missing: Vec<MissingPart>,
    /// Bytes of its weights with those of the parts that complete it.
    pub bytes_with_parts: u64,
    /// Its sha256, hexadecimal, if it was computed and the file has not changed since.
    pub sha256: Option<String>,
}

impl Entry {
    /// The short hash that other programs write into pictures (AutoV2): the first ten digits of the sha256.
    pub fn auto_v2(&self) -> Option<&str> {
        self.sha256.as_deref().and_then(|hash| hash.get(..10))
    }

    /// Whether a model can be opened: its kind draws, nothing is wrong with it, and no part is wanting.
    pub fn is_ready(&self) -> bool {
        self.facts.kind.is_model()
            && self.facts.problem.is_none()
            && self.missing.iter().all(|part| !part.is_wanting())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_found_by_their_ids() {
        for kind in EntryKind::ALL {
            assert_eq!(EntryKind::of_id(kind.id()), Some(kind));
        }
        assert_eq!(EntryKind::of_id("LoRA"), Some(EntryKind::Lora));
        assert_eq!(EntryKind::of_id("model"), None);
    }

    #[test]
    fn a_denoiser_with_all_parts_is_a_checkpoint() {
        for (kind, is_whole, wanted) in [
            (WeightsKind::Flux, true, EntryKind::Checkpoint),
            (WeightsKind::Flux, false, EntryKind::DiffusionModel),
            (WeightsKind::StableDiffusion, false, EntryKind::Checkpoint),
            (WeightsKind::Video, false, EntryKind::DiffusionModel),
            (WeightsKind::T5, false, EntryKind::TextEncoder),
        ] {
            assert_eq!(EntryKind::of_weights(kind, is_whole), wanted);
        }
    }
}
