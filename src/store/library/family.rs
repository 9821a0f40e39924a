//! The families of models that a file belongs to, from the names and shapes of its tensors.

use serde::{Deserialize, Serialize};

use super::super::layout::{Design, PartKind, PartOffer, design_of};
use crate::weights::{TensorSource, WeightsKind};

/// A family of models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Family {
    /// Stable Diffusion 1.x.
    StableDiffusion1,
    /// Stable Diffusion 2.x.
    StableDiffusion2,
    /// Stable Diffusion XL.
    StableDiffusionXl,
    /// Stable Diffusion 3 and 3.5.
    StableDiffusion3,
    /// FLUX.1.
    Flux1,
    /// Chroma.
    Chroma,
    /// FLUX.2.
    Flux2,
    /// FLUX.3.
    Flux3,
    /// Z-Image.
    ZImage,
    /// Lumina, which this program does not open.
    Lumina,
    /// Qwen-Image, which this program does not open.
    QwenImage,
}

use Family::{
    Chroma, Flux1, Flux2, Flux3, Lumina, QwenImage, StableDiffusion1, StableDiffusion2, StableDiffusion3,
    StableDiffusionXl, ZImage,
};

/// Families with four latent channels, whose autoencoders differ in their values alone.
const FOUR_CHANNELS: [Family; 3] = [StableDiffusion1, StableDiffusion2, StableDiffusionXl];
/// Families with 16 latent channels.
const SIXTEEN_CHANNELS: [Family; 4] = [StableDiffusion3, Flux1, Chroma, ZImage];
/// Families with FLUX.2's latents.
const THIRTY_TWO_CHANNELS: [Family; 2] = [Flux2, Flux3];

impl Family {
    /// All of them.
    pub const ALL: [Self; 11] = [
        StableDiffusion1,
        StableDiffusion2,
        StableDiffusionXl,
        StableDiffusion3,
        Flux1,
        Chroma,
        Flux2,
        Flux3,
        ZImage,
        Lumina,
        QwenImage,
    ];

    /// Its short name, for filters and JSON.
    pub const fn id(self) -> &'static str {
        match self {
            StableDiffusion1 => "sd1",
            StableDiffusion2 => "sd2",
            StableDiffusionXl => "sdxl",
            StableDiffusion3 => "sd3",
            Flux1 => "flux1",
            Chroma => "chroma",
            Flux2 => "flux2",
            Flux3 => "flux3",
            ZImage => "z-image",
            Lumina => "lumina",
            QwenImage => "qwen-image",
        }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            StableDiffusion1 => "Stable Diffusion 1",
            StableDiffusion2 => "Stable Diffusion 2",
            StableDiffusionXl => "Stable Diffusion XL",
            StableDiffusion3 => "Stable Diffusion 3",
            Flux1 => "FLUX.1",
            Chroma => "Chroma",
            Flux2 => "FLUX.2",
            Flux3 => "FLUX.3",
            ZImage => "Z-Image",
            Lumina => "Lumina",
            QwenImage => "Qwen-Image",
        }
    }

    /// The family of this short name, in any case.
    pub fn of_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.id().eq_ignore_ascii_case(id))
    }

    /// The families that a file of this kind belongs to; none where the tensors do not say. `offer`: the part that it
    /// offers.
    pub fn of_weights(kind: WeightsKind, source: &dyn TensorSource, offer: Option<&PartOffer>) -> Vec<Self> {
        match kind {
            WeightsKind::StableDiffusion | WeightsKind::Unet => vec![of_design(source)],
            WeightsKind::Refiner => vec![StableDiffusionXl],
            WeightsKind::Flux => vec![Flux1],
            WeightsKind::Flux2 => vec![Flux2],
            WeightsKind::Flux3 => vec![Flux3],
            WeightsKind::Chroma => vec![Chroma],
            WeightsKind::StableDiffusion3 => vec![StableDiffusion3],
            WeightsKind::ZImage => vec![ZImage],
            WeightsKind::Lumina => vec![Lumina],
            WeightsKind::QwenImage => vec![QwenImage],
            WeightsKind::Lora => of_lora(source).into_iter().collect(),
            WeightsKind::ControlNet => of_control(source).into_iter().collect(),
            WeightsKind::TinyVae => of_tiny(source),
            WeightsKind::Embedding => of_embedding(source).into_iter().collect(),
            WeightsKind::Clip
            | WeightsKind::PictureSearch
            | WeightsKind::T5
            | WeightsKind::Qwen3
            | WeightsKind::LanguageModel
            | WeightsKind::Vae => offer.map(of_part).unwrap_or_default(),
            WeightsKind::SigLip
            | WeightsKind::SigLipOther
            | WeightsKind::PictureDescription
            | WeightsKind::Video
            | WeightsKind::Upscaler
            | WeightsKind::Unknown => Vec::new(),
        }
    }
}

fn of_design(source: &dyn TensorSource) -> Family {
    match design_of(source) {
        Design::Sd1 => StableDiffusion1,
        Design::Sd2 => StableDiffusion2,
        Design::Xl => StableDiffusionXl,
    }
}

/// The family whose UNet or text encoder reads or gives states of this width.
fn of_width(width: usize) -> Option<Family> {
    match width {
        768 => Some(StableDiffusion1),
        1024 => Some(StableDiffusion2),
        2048 => Some(StableDiffusionXl),
        _ => None,
    }
}

fn of_latent_channels(channels: usize) -> Vec<Family> {
    match channels {
        4 => FOUR_CHANNELS.into(),
        16 => SIXTEEN_CHANNELS.into(),
        32 => THIRTY_TWO_CHANNELS.into(),
        _ => Vec::new(),
    }
}

/// The families whose released models have such a part.
fn of_part(offer: &PartOffer) -> Vec<Family> {
    match (offer.kind, offer.size) {
        (PartKind::Clip, 768) => vec![StableDiffusion1, StableDiffusionXl, StableDiffusion3, Flux1],
        (PartKind::OpenClip, 1024) => vec![StableDiffusion2],
        (PartKind::OpenClip, 1280) => vec![StableDiffusionXl, StableDiffusion3],
        (PartKind::T5, 4096) => vec![StableDiffusion3, Flux1, Chroma],
        (PartKind::Qwen3, 2560) => vec![Flux2, ZImage],
        (PartKind::Qwen3, 4096) => vec![Flux2],
        (PartKind::Qwen3Vl, 2560) => vec![Flux3],
        (PartKind::PatchVae, _) => THIRTY_TWO_CHANNELS.into(),
        (PartKind::Vae, channels) => of_latent_channels(channels),
        _ => Vec::new(),
    }
}

/// The first tensor whose name has one of these parts.
fn first_with<'a>(source: &'a dyn TensorSource, parts: &[&str]) -> Option<&'a str> {
    source.names().into_iter().find(|name| parts.iter().any(|part| name.contains(part)))
}

/// Changes of a network have its names, with other punctuation.
fn of_lora(source: &dyn TensorSource) -> Option<Family> {
    let has = |parts: &[&str]| first_with(source, parts).is_some();
    if has(&["early_stream", "mode_blocks", "single_stream_modulations"]) {
        return Some(Flux3);
    }
    if has(&["to_qkv_mlp_proj", "double_stream_modulation", "single_stream_modulation"]) {
        return Some(Flux2);
    }
    if has(&["distilled_guidance_layer"]) {
        return Some(Chroma);
    }
    if has(&["double_blocks", "single_blocks", "single_transformer_blocks"]) {
        return Some(Flux1);
    }
    if has(&["joint_blocks", "attn.add_k_proj", "attn_add_k_proj"]) {
        return Some(StableDiffusion3);
    }
    if has(&["context_refiner", "noise_refiner", "layers.0.adaLN_modulation", "layers_0_adaLN_modulation"]) {
        return Some(ZImage);
    }
    // The width of the text that attention reads, which the first of the two matrices keeps.
    let reads_text = |name: &&str| {
        ["attn2_to_k", "attn2.to_k"].iter().any(|part| name.contains(part))
            && ["lora_down", "lora_A", "lora.down", "hada_w1_b", "hada_w2_b"]
                .iter()
                .any(|part| name.contains(part))
    };
    let by_width = source
        .names()
        .into_iter()
        .find(reads_text)
        .and_then(|name| of_width(*source.info(name)?.shape.get(1)?));
    by_width.or_else(|| has(&["lora_te2_", "text_encoder_2."]).then_some(StableDiffusionXl))
}

fn of_control(source: &dyn TensorSource) -> Option<Family> {
    if first_with(source, &["controlnet_x_embedder", "double_blocks", "single_transformer_blocks"]).is_some()
    {
        return Some(Flux1);
    }
    if first_with(source, &["norm1_context", "joint_blocks"]).is_some() {
        return Some(StableDiffusion3);
    }
    if first_with(source, &["control_layers.", "control_noise_refiner"]).is_some() {
        return Some(ZImage);
    }
    first_with(source, &["attn2.to_k.weight"]).map(|_| of_design(source))
}

fn of_tiny(source: &dyn TensorSource) -> Vec<Family> {
    let first = ["decoder.layers.0.weight", "decoder.1.weight", "1.weight"];
    let channels = first.iter().find_map(|name| source.info(name)?.shape.get(1).copied());
    channels.map(of_latent_channels).unwrap_or_default()
}

fn of_embedding(source: &dyn TensorSource) -> Option<Family> {
    if source.info("clip_g").is_some() {
        return Some(StableDiffusionXl);
    }
    let first = source.names().first().and_then(|name| source.info(name))?;
    of_width(*first.shape.last()?).filter(|family| *family != StableDiffusionXl)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::{StoredTensor, TensorMap};

    fn families(tensors: &[(&str, &[usize])]) -> Vec<Family> {
        let mut source = TensorMap::default();
        for (name, shape) in tensors {
            let values = vec![0.0; shape.iter().product()];
            source.insert(*name, StoredTensor::from_f32(shape, &values));
        }
        Family::of_weights(WeightsKind::of(&source), &source, None)
    }

    #[test]
    fn files_that_belong_to_a_model_say_to_which() {
        let down = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight";
        let peft = "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.lora_A.weight";
        for (tensors, wanted) in [
            (&[(down, &[4, 768][..])][..], &[StableDiffusion1][..]),
            (&[(down, &[4, 1024])], &[StableDiffusion2]),
            (&[(peft, &[4, 2048])], &[StableDiffusionXl]),
            (&[("lora_unet_mid_block.lora_down.weight", &[4, 4])], &[]),
            (&[("lora_te2_text_model.lora_down.weight", &[4, 4])], &[StableDiffusionXl]),
            (&[("transformer.single_transformer_blocks.0.attn.to_k.lora_A.weight", &[4, 8])], &[Flux1]),
            (
                &[("transformer.single_transformer_blocks.0.attn.to_qkv_mlp_proj.lora_A.weight", &[4, 8])],
                &[Flux2],
            ),
            (&[("diffusion_model.layers.0.adaLN_modulation.0.lora_A.weight", &[4, 8])], &[ZImage]),
            (
                &[("control_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight", &[8, 768])],
                &[StableDiffusion1],
            ),
            (
                &[
                    ("controlnet_cond_embedding.conv_in.weight", &[1]),
                    ("add_embedding.linear_1.weight", &[1]),
                    ("down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.weight", &[8, 2048]),
                ],
                &[StableDiffusionXl],
            ),
            (&[("controlnet_x_embedder.weight", &[1])], &[Flux1]),
            (&[("1.weight", &[64, 4, 3, 3]), ("3.conv.0.weight", &[1])], &FOUR_CHANNELS),
            (&[("decoder.1.weight", &[64, 16, 3, 3]), ("decoder.3.conv.0.weight", &[1])], &SIXTEEN_CHANNELS),
            (
                &[("decoder.layers.0.weight", &[64, 4, 3, 3]), ("decoder.layers.2.conv.0.weight", &[1])],
                &FOUR_CHANNELS,
            ),
            (&[("emb_params", &[2, 768])], &[StableDiffusion1]),
            (&[("clip_g", &[2, 1280]), ("clip_l", &[2, 768])], &[StableDiffusionXl]),
        ] {
            assert_eq!(families(tensors), wanted, "{tensors:?}");
        }
    }

    #[test]
    fn a_part_belongs_to_every_family_that_has_it() {
        let of = |kind, size| of_part(&PartOffer { kind, size, has_tokenizer: true });
        assert_eq!(of(PartKind::Vae, 4), FOUR_CHANNELS);
        assert_eq!(of(PartKind::PatchVae, 32), THIRTY_TWO_CHANNELS);
        assert_eq!(of(PartKind::Qwen3, 2560), [Flux2, ZImage]);
        assert_eq!(of(PartKind::T5, 512), []);
    }

    #[test]
    fn ids_are_unique_and_found_in_any_case() {
        for family in Family::ALL {
            assert_eq!(Family::of_id(&family.id().to_uppercase()), Some(family));
        }
        assert_eq!(Family::of_id("sd"), None);
    }
}
