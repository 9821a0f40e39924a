//! What a denoiser needs besides itself, and what a file offers, as data: the same when a model is opened and when a
//! library of files is searched for what completes a model.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::part::{PATCH_VAE, Part};
use crate::catalog::PartRole;

/// The kind of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PartKind {
    /// A CLIP text encoder in transformers' layout.
    Clip,
    /// An OpenCLIP text encoder.
    OpenClip,
    /// A T5 encoder.
    T5,
    /// A Qwen3 model.
    Qwen3,
    /// The text half of Qwen3-VL.
    Qwen3Vl,
    /// An autoencoder.
    Vae,
    /// An autoencoder that normalises its latents in patches (FLUX.2).
    PatchVae,
}

impl PartKind {
    /// Whether a configuration is that of an autoencoder which normalises its latents in patches.
    pub(super) fn is_patch_vae(config: &Value) -> bool {
        config["_class_name"] == PATCH_VAE
    }
}

/// A part that a denoiser needs, and that may be in a file of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartNeed {
    /// Its role.
    pub role: PartRole,
    /// Its name, with the usual name of its file, for messages.
    pub what: String,
    /// Whether the model works without it.
    pub is_optional: bool,
    kind: PartKind,
    /// The least and the largest size that fit: the width of hidden states, or the channels of a latent.
    sizes: [usize; 2],
}

/// A part that a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartOffer {
    /// Its kind.
    pub kind: PartKind,
    /// The width of its hidden states, or the channels of its latent.
    pub size: usize,
    /// Whether its tokenizer is with it, or is CLIP's, which the program has.
    pub has_tokenizer: bool,
}

impl PartNeed {
    /// A part of one size.
    pub(in super::super) fn of_size(role: PartRole, what: &str, kind: PartKind, size: usize) -> Self {
        Self::of_sizes(role, what, kind, [size, size])
    }

    /// A part whose size is in a range, its ends included.
    pub(super) fn of_sizes(role: PartRole, what: &str, kind: PartKind, sizes: [usize; 2]) -> Self {
        Self { role, what: what.to_owned(), is_optional: false, kind, sizes }
    }

    /// The kind of part.
    pub fn kind(&self) -> PartKind {
        self.kind
    }

    /// The same, but the model works without it.
    pub(super) fn optional(self) -> Self {
        Self { is_optional: true, ..self }
    }

    /// Whether a part that was found in a file has the right size, and normalises its latent as it should.
    pub(super) fn accepts(&self, part: &Part) -> bool {
        let patches = PartKind::is_patch_vae(&part.config);
        let has_right_class = match self.kind {
            PartKind::PatchVae => patches,
            PartKind::Vae => !patches,
            _ => true,
        };
        has_right_class && self.takes(size_of(&part.config))
    }

    /// Whether what a file offers is this part.
    pub fn fits(&self, offer: &PartOffer) -> bool {
        self.kind == offer.kind && self.takes(offer.size)
    }

    /// Whether the part needs a tokenizer that the program does not have.
    pub fn needs_tokenizer(&self) -> bool {
        matches!(self.kind, PartKind::T5 | PartKind::Qwen3 | PartKind::Qwen3Vl)
    }

    fn takes(&self, size: usize) -> bool {
        let [least, most] = self.sizes;
        (least..=most).contains(&size)
    }
}

/// The size by which parts of one kind are told apart; 0 if the configuration has none.
pub(super) fn size_of(config: &Value) -> usize {
    let sizes = ["hidden_size", "d_model", "latent_channels"].iter().find_map(|key| config[key].as_u64());
    sizes.unwrap_or_default() as usize
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_need_is_met_by_parts_of_its_kind_and_size() {
        let part = |config| Part { names: std::collections::BTreeMap::new(), config };
        let t5 = PartNeed::of_size(PartRole::TextEncoder(1), "T5", PartKind::T5, 4096);
        assert!(t5.accepts(&part(json!({ "d_model": 4096 }))));
        assert!(!t5.accepts(&part(json!({ "d_model": 2048 }))) && !t5.accepts(&part(json!({}))));
        let offer = |kind, size| PartOffer { kind, size, has_tokenizer: false };
        assert!(t5.fits(&offer(PartKind::T5, 4096)));
        assert!(!t5.fits(&offer(PartKind::Qwen3, 4096)) && !t5.fits(&offer(PartKind::T5, 512)));
        let larger =
            PartNeed::of_sizes(PartRole::TextEncoder(1), "G", PartKind::OpenClip, [1025, usize::MAX]);
        assert!(
            larger.fits(&offer(PartKind::OpenClip, 1280)) && !larger.fits(&offer(PartKind::OpenClip, 1024))
        );
        let [vae, patches] =
            [PartKind::Vae, PartKind::PatchVae].map(|kind| PartNeed::of_size(PartRole::Vae, "VAE", kind, 32));
        let plain = part(json!({ "_class_name": "AutoencoderKL", "latent_channels": 32 }));
        let flux2 = part(json!({ "_class_name": PATCH_VAE, "latent_channels": 32 }));
        assert!(vae.accepts(&plain) && !vae.accepts(&flux2));
        assert!(patches.accepts(&flux2) && !patches.accepts(&plain));
    }
}
