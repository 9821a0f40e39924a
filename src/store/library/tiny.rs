//! Tiny decoders of the library that go with a VAE.
//!
//! The tensors say how many channels a latent has, and no more: TAESD and TAESDXL have the same shapes, and so have
//! TAESD3 and TAEF1. With the wrong one colours are wrong. So the name of the file or its repository decides, and where
//! it says nothing, a comparison with the VAE's own decodes.

use super::{Entry, EntryKind, Family};
use crate::latent::LatentFormat;

/// Published decoders by their names in the catalogue, the format of the latents that they decode, and one of the
/// families that have it.
const DECODERS: [(&str, LatentFormat, Family); 5] = [
    ("taesd", LatentFormat::STABLE_DIFFUSION, Family::StableDiffusion1),
    ("taesdxl", LatentFormat::SDXL, Family::StableDiffusionXl),
    ("taesd3", LatentFormat::SD3, Family::StableDiffusion3),
    ("taef1", LatentFormat::FLUX, Family::Flux1),
    ("taef2", LatentFormat::FLUX_2, Family::Flux2),
];

/// The decoder's name in the catalogue for latents of a format; `None` if none is known.
pub fn tiny_decoder_of(format: LatentFormat) -> Option<&'static str> {
    DECODERS.iter().find(|(_, own, _)| *own == format).map(|(name, ..)| *name)
}

/// A tiny decoder of the library for latents of one format.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TinyCandidate<'a> {
    /// The file.
    pub entry: &'a Entry,
    /// Whether its name or repository says that it is of this VAE.
    pub is_named: bool,
}

/// The tiny decoders among `entries` that may be for latents of this format, those that say so first. Those that say
/// that they are for others are left out.
pub fn tiny_decoders(entries: &[Entry], format: LatentFormat) -> Vec<TinyCandidate<'_>> {
    let Some((name, _, family)) = DECODERS.iter().find(|(_, own, _)| *own == format) else {
        return Vec::new();
    };
    let mut found: Vec<_> = entries
        .iter()
        .filter(|entry| {
            let facts = &entry.facts;
            facts.kind == EntryKind::TinyDecoder && facts.problem.is_none() && facts.families.contains(family)
        })
        .filter_map(|entry| match said(entry) {
            Some(said) if said != *name => None,
            said => Some(TinyCandidate { entry, is_named: said.is_some() }),
        })
        .collect();
    found.sort_by_key(|candidate| !candidate.is_named);
    found
}

/// The decoder that a file's repository, name or folder names.
fn said(entry: &Entry) -> Option<&'static str> {
    let folder = entry.path.parent().and_then(|folder| folder.file_name()).map(|name| name.to_string_lossy());
    let names = [entry.repository.as_deref(), Some(entry.name.as_str()), folder.as_deref()];
    names.into_iter().flatten().find_map(named)
}

/// The decoder that a name contains; the longest counts, since ‘taesdxl’ contains ‘taesd’.
fn named(name: &str) -> Option<&'static str> {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    let all = DECODERS.iter().map(|(name, ..)| *name);
    all.filter(|name| plain.contains(name)).max_by_key(|name| name.len())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::{Facts, FileFormat};
    use super::*;

    fn entry(name: &str, repository: Option<&str>, families: &[Family]) -> Entry {
        let facts = Facts {
            kind: EntryKind::TinyDecoder,
            families: families.to_vec(),
            format: FileFormat::Safetensors,
            precision: "f16".into(),
            parameters: 1,
            weight_bytes: 2,
            needs: Vec::new(),
            offer: None,
            absent: Vec::new(),
            problem: None,
            title: None,
        };
        let path = PathBuf::from(format!("/models/vae_approx/{name}.safetensors"));
        Entry {
            name: name.into(),
            repository: repository.map(str::to_owned),
            files: vec![path.clone()],
            path,
            bytes: 2,
            facts,
            missing: Vec::new(),
            bytes_with_parts: 2,
            sha256: None,
        }
    }

    #[test]
    fn decoders_of_the_same_shapes_are_told_by_their_names() {
        let four = [Family::StableDiffusion1, Family::StableDiffusion2, Family::StableDiffusionXl];
        let sixteen = [Family::StableDiffusion3, Family::Flux1];
        let entries = [
            entry("unnamed", None, &four),
            entry("TAESD_XL decoder", None, &four),
            entry("taesd_decoder", None, &four),
            entry("diffusion_pytorch_model", Some("madebyollin/taesdxl"), &four),
            entry("taesd3", None, &sixteen),
            entry("taef1_decoder", None, &sixteen),
        ];
        let names = |format| -> Vec<(String, bool)> {
            let found = tiny_decoders(&entries, format).into_iter();
            found.map(|found| (found.entry.name.clone(), found.is_named)).collect()
        };
        let pairs = |all: &[(&str, bool)]| -> Vec<(String, bool)> {
            all.iter().map(|(name, is)| ((*name).to_owned(), *is)).collect()
        };
        assert_eq!(
            names(LatentFormat::STABLE_DIFFUSION),
            pairs(&[("taesd_decoder", true), ("unnamed", false)])
        );
        assert_eq!(
            names(LatentFormat::SDXL),
            pairs(&[("TAESD_XL decoder", true), ("diffusion_pytorch_model", true), ("unnamed", false)])
        );
        assert_eq!(names(LatentFormat::SD3), pairs(&[("taesd3", true)]));
        assert_eq!(names(LatentFormat::FLUX), pairs(&[("taef1_decoder", true)]));
        // Latents that none decodes, though they have as many channels.
        assert_eq!(names(LatentFormat::PLAYGROUND), []);
        assert_eq!(tiny_decoder_of(LatentFormat::PLAYGROUND), None);
    }

    #[test]
    fn every_decoder_is_in_the_catalogue() {
        let catalogue = crate::store::hub::Catalogue::of_program();
        for (name, _, family) in DECODERS {
            let decoder = catalogue.tiny_decoders.iter().find(|decoder| decoder.id == name).unwrap();
            assert!(decoder.families.iter().any(|own| own.starts_with(family.name())), "{name}");
        }
    }
}
