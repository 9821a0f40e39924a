//! What files lack and offer, from their headers alone, without opening a model: for a library of many files.

use super::need::{PartKind, PartNeed, PartOffer, size_of};
use super::part::{self, Part};
use super::{flux, flux2, flux3, gguf_tokenizer, sd3, stable_diffusion, z_image};
use crate::weights::{TensorSource, WeightsKind};

/// The width of OpenCLIP-H's states, the smallest OpenCLIP text encoder of a model.
const SMALLEST_OPEN_CLIP: usize = 1024;

/// The parts that the denoiser in a file needs and that are not in the same file; `None` if the file holds no denoiser
/// that opens alone.
pub(in super::super) fn missing_parts(kind: WeightsKind, source: &dyn TensorSource) -> Option<Vec<PartNeed>> {
    let mut needs = match kind {
        WeightsKind::StableDiffusion | WeightsKind::Unet => stable_diffusion::needs(source),
        WeightsKind::Flux | WeightsKind::Chroma => flux::needs(source),
        WeightsKind::Flux2 => flux2::needs(source),
        WeightsKind::Flux3 => flux3::needs(source),
        WeightsKind::StableDiffusion3 => sd3::needs(source),
        WeightsKind::ZImage => z_image::needs(source),
        _ => None,
    }?;
    let is_here = |need: &PartNeed| found(need.kind(), source).is_some_and(|part| need.accepts(&part));
    needs.retain(|need| !is_here(need));
    Some(needs)
}

/// The part of a kind in a file, wherever in it.
fn found(kind: PartKind, source: &dyn TensorSource) -> Option<Part> {
    match kind {
        PartKind::Clip => part::clip(source),
        PartKind::OpenClip => part::open_clip(source, 0),
        PartKind::T5 => flux::t5(source),
        PartKind::Qwen3 | PartKind::Qwen3Vl => z_image::qwen3(source),
        // Scale and shift do not matter here.
        PartKind::Vae | PartKind::PatchVae => part::vae(source, 1.0, 0.0),
    }
}

/// The part that a file of one part offers; `None` if it is none that a model of this program has.
pub(in super::super) fn offers(kind: WeightsKind, source: &dyn TensorSource) -> Option<PartOffer> {
    let kind = match kind {
        // Both halves of CLIP: its text encoder is one that a model may have.
        WeightsKind::Clip | WeightsKind::PictureSearch => {
            let is_large = |part: &Part| size_of(&part.config) >= SMALLEST_OPEN_CLIP;
            // In transformers' layout both kinds have the same names.
            if found(PartKind::Clip, source).is_some_and(|part| !is_large(&part)) {
                PartKind::Clip
            } else {
                PartKind::OpenClip
            }
        }
        WeightsKind::T5 => PartKind::T5,
        WeightsKind::Qwen3 if is_of_vision(source) => PartKind::Qwen3Vl,
        WeightsKind::Qwen3 => PartKind::Qwen3,
        WeightsKind::Vae => PartKind::Vae,
        _ => return None,
    };
    let part = found(kind, source)?;
    let kind = if PartKind::is_patch_vae(&part.config) { PartKind::PatchVae } else { kind };
    let is_clip = matches!(kind, PartKind::Clip | PartKind::OpenClip);
    let inside = source.gguf_metadata().and_then(gguf_tokenizer::tokenizer_json);
    Some(PartOffer {
        kind,
        size: size_of(&part.config),
        has_tokenizer: is_clip || matches!(inside, Some(Ok(_))),
    })
}

/// Whether a language model is half of one for pictures, whose weights differ from those of the plain model.
fn is_of_vision(source: &dyn TensorSource) -> bool {
    let architecture = source.gguf_metadata().and_then(|metadata| metadata.get("general.architecture"));
    architecture.and_then(|value| value.as_str()).is_some_and(|name| name.ends_with("vl"))
        || source.names().iter().any(|name| name.contains("language_model.") || name.contains("visual."))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::weights::open_weights;

    fn surveyed(file: &str) -> (Option<Vec<String>>, Option<PartOffer>) {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        let source = open_weights(&fixtures.join(file)).unwrap();
        let kind = WeightsKind::of(&*source);
        let missing = missing_parts(kind, &*source);
        let names = missing.map(|needs| needs.into_iter().map(|need| need.what).collect());
        (names, offers(kind, &*source))
    }

    #[test]
    fn a_whole_model_lacks_nothing_and_a_transformer_lacks_its_parts() {
        for file in ["sd1", "sd2", "sdxl", "flux_whole", "sd3_whole"] {
            let (missing, offer) = surveyed(&format!("single/{file}.safetensors"));
            assert_eq!((missing, offer), (Some(Vec::new()), None), "{file}");
        }
        for (file, wanted) in [
            (
                "flux_transformer.gguf",
                &["CLIP-L text encoder", "T5 text encoder (t5xxl)", "VAE (ae.safetensors)"][..],
            ),
            ("chroma_transformer.safetensors", &["T5 text encoder (t5xxl)", "VAE (ae.safetensors)"]),
            (
                "flux2_transformer.safetensors",
                &["Qwen3 text encoder (qwen_3_4b or qwen_3_8b)", "VAE (flux2-vae.safetensors)"],
            ),
            (
                "flux3_transformer.safetensors",
                &["Qwen3-VL text encoder (qwen3vl_4b)", "VAE (flux2-vae.safetensors)"],
            ),
            ("z_image_transformer.safetensors", &["Qwen3 text encoder (qwen_3_4b)", "VAE (ae.safetensors)"]),
        ] {
            assert_eq!(surveyed(&format!("single/{file}")).0.unwrap(), wanted, "{file}");
        }
    }

    #[test]
    fn a_part_offers_itself_with_its_size_and_tokenizer() {
        let offer = |file| surveyed(file).1.map(|offer| (offer.kind, offer.has_tokenizer));
        assert_eq!(offer("single/t5.gguf"), Some((PartKind::T5, true)));
        assert_eq!(offer("single/qwen3.gguf"), Some((PartKind::Qwen3, true)));
        assert_eq!(offer("single/flux2_vae.safetensors"), Some((PartKind::PatchVae, false)));
        assert_eq!(offer("flux/text_encoder_2/model.safetensors"), Some((PartKind::T5, false)));
        assert_eq!(offer("flux/text_encoder/model.safetensors"), Some((PartKind::Clip, true)));
        assert_eq!(offer("flux/vae/diffusion_pytorch_model.safetensors"), Some((PartKind::Vae, false)));
    }
}
