//! What a file of weights holds, by the names of its tensors. A file's own name says nothing.

use std::fmt;

use super::TensorSource;
use crate::reason::{Reason, ReasonKind};

/// What a file of weights holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightsKind {
    /// Stable Diffusion 1, 2 or XL: text encoders, UNet and VAE.
    StableDiffusion,
    /// Stable Diffusion XL's refiner.
    Refiner,
    /// A UNet of Stable Diffusion without the other parts.
    Unet,
    /// FLUX.1's transformer, with or without the other parts.
    Flux,
    /// FLUX.2's.
    Flux2,
    /// FLUX.3's.
    Flux3,
    /// Chroma's.
    Chroma,
    /// Stable Diffusion 3's.
    StableDiffusion3,
    /// Z-Image's.
    ZImage,
    /// Lumina's.
    Lumina,
    /// Qwen-Image's.
    QwenImage,
    /// A model that makes videos.
    Video,
    /// Low-rank changes of a model's weights.
    Lora,
    /// A ControlNet.
    ControlNet,
    /// An autoencoder.
    Vae,
    /// A tiny decoder of latents (TAESD).
    TinyVae,
    /// A CLIP text encoder.
    Clip,
    /// A T5 encoder.
    T5,
    /// Qwen3, the text encoder of FLUX.2, FLUX.3 and Z-Image.
    Qwen3,
    /// Another language model.
    LanguageModel,
    /// Vectors for words.
    Embedding,
    /// A network that enlarges pictures.
    Upscaler,
    /// CLIP with both encoders, which finds pictures by words.
    PictureSearch,
    /// SigLIP, or SigLIP 2 for one size of pictures, which does so, too.
    SigLip,
    /// SigLIP 2 for pictures of any shape, or with encoders of two widths.
    SigLipOther,
    /// BLIP, which describes pictures.
    PictureDescription,
    /// None of these.
    Unknown,
}

impl fmt::Display for WeightsKind {
    /// Completes "this is …", with what to do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StableDiffusion => "a Stable Diffusion model",
            Self::Refiner => {
                "the refiner of Stable Diffusion XL, which goes over another model's latents and draws none from a prompt; \
                 it is not supported: open the base model"
            }
            Self::Unet => "a UNet without text encoders and VAE",
            Self::Flux => "a FLUX.1 model",
            Self::Flux2 => "a FLUX.2 model",
            Self::Flux3 => "a FLUX.3 model",
            Self::Chroma => "a Chroma model",
            Self::StableDiffusion3 => "a Stable Diffusion 3 model",
            Self::ZImage => "a Z-Image model",
            Self::Lumina => "a Lumina model, which is not supported",
            Self::QwenImage => "a Qwen-Image model, which is not supported yet",
            Self::Video => "a model that makes videos, and this program makes pictures",
            Self::Lora => "a LoRA, which changes another model and draws nothing itself",
            Self::ControlNet => "a ControlNet, which steers another model and draws nothing itself",
            Self::Vae => "a VAE alone, one part of a model",
            Self::TinyVae => "a tiny decoder of latents, for quick previews; it draws nothing itself",
            Self::Clip => "a CLIP text encoder alone, one part of a model",
            Self::T5 => "a T5 text encoder alone, one part of a model",
            Self::Qwen3 => "a Qwen3 language model alone, the text encoder of FLUX.2 klein, FLUX.3 Image and Z-Image",
            Self::LanguageModel => "a language model, which draws nothing",
            Self::Embedding => {
                "vectors for words (textual inversion); put the file into the folder ‘embeddings’ of a model's folder"
            }
            Self::Upscaler => "a network that enlarges pictures and draws none",
            Self::PictureSearch => "picture search (CLIP), which finds pictures by words and draws none",
            Self::SigLip => "picture search (SigLIP), which finds pictures by words and draws none",
            Self::SigLipOther => {
                "a SigLIP 2 for pictures of any shape (NaFlex) or with encoders of two widths (giant), which is not \
                 supported: take one for one size of pictures, as google/siglip2-base-patch16-224"
            }
            Self::PictureDescription => "picture description (BLIP), which says what is in a picture and draws none",
            Self::Unknown => "a file of weights with none of the names that this program knows",
        })
    }
}

/// The prefix of the denoising network in a whole checkpoint; files of one part have it or not.
const PREFIX: &str = "model.diffusion_model.";

/// Parts of the names of low-rank and other small changes of weights: kohya's and PEFT's LoRA, LyCORIS' LoHa, LoKr,
/// (IA)³ and OFT, DoRA.
const ADAPTER: [&str; 10] = [
    ".lora_",
    "lora_A.",
    ".lora.",
    ".hada_w",
    ".lokr_w",
    ".oft_blocks",
    ".oft_diag",
    ".on_input",
    ".dora_scale",
    ".glora_",
];

/// The beginnings of names in ControlNets and T2I-Adapters.
const CONTROL: [&str; 6] = [
    "control_model.",
    "controlnet_blocks.",
    "controlnet_x_embedder.",
    "lllite_",
    "control_layers.",
    "adapter.body.",
];

/// The first convolution and the first block of a tiny decoder, or of a tiny encoder alone: in diffusers' layout, in the
/// original one, and in the original one under a prefix.
const TINY: [[&str; 2]; 5] = [
    ["decoder.layers.0.weight", "decoder.layers.2.conv.0.weight"],
    ["decoder.1.weight", "decoder.3.conv.0.weight"],
    ["1.weight", "3.conv.0.weight"],
    ["encoder.layers.0.weight", "encoder.layers.1.conv.0.weight"],
    ["0.weight", "1.conv.0.weight"],
];

/// Real-ESRGAN's compact network: convolutions and slopes of PReLU in turn.
fn is_compact_upscaler(is: &impl Fn(&str) -> bool) -> bool {
    ["body.0.weight", "body.0.bias", "body.1.weight", "body.2.bias"].into_iter().all(is) && !is("body.1.bias")
}

impl WeightsKind {
    /// Whether it is a network that denoises, with or without the other parts of a model.
    pub fn is_denoiser(self) -> bool {
        matches!(
            self,
            Self::StableDiffusion
                | Self::Unet
                | Self::Flux
                | Self::Flux2
                | Self::Flux3
                | Self::Chroma
                | Self::StableDiffusion3
                | Self::ZImage
        )
    }

    /// What the tensors of `source` are.
    ///
    /// The order matters: Chroma has FLUX's blocks, and a ControlNet has a UNet's.
    pub fn of(source: &dyn TensorSource) -> Self {
        let names = source.names();
        let is = |name: &str| source.info(name).is_some();
        let has = |name: &str| is(name) || is(&format!("{PREFIX}{name}"));
        let any = |part: &str| names.iter().any(|name| name.contains(part));
        let starts = |start: &str| names.iter().any(|name| name.starts_with(start));
        if ADAPTER.iter().any(|part| any(part))
            || names.iter().any(|name| name.rsplit('.').next() == Some("diff"))
        {
            return Self::Lora;
        }
        // Those of transformers have blocks of the model that they steer.
        if CONTROL.iter().any(|start| starts(start)) || any("controlnet_cond_embedding") || any("zero_convs.")
        {
            return Self::ControlNet;
        }
        if has("early_stream_modulations.image.lin.weight")
            || is("early_stream_modulations.image.linear.weight")
        {
            return Self::Flux3;
        }
        if has("double_stream_modulation_img.lin.weight")
            || is("single_transformer_blocks.0.attn.to_qkv_mlp_proj.weight")
        {
            return Self::Flux2;
        }
        if has("distilled_guidance_layer.in_proj.weight") {
            return Self::Chroma;
        }
        if has("double_blocks.0.img_attn.norm.key_norm.scale")
            || is("single_transformer_blocks.0.norm.linear.weight")
        {
            return Self::Flux;
        }
        if has("joint_blocks.0.context_block.adaLN_modulation.1.weight")
            || is("transformer_blocks.0.norm1_context.linear.weight")
        {
            return Self::StableDiffusion3;
        }
        if has("layers.0.adaLN_modulation.0.weight") {
            return Self::ZImage;
        }
        if has("cap_embedder.0.weight") {
            return Self::Lumina;
        }
        if has("transformer_blocks.0.img_mod.1.weight") {
            return Self::QwenImage;
        }
        if has("blocks.0.self_attn.q.weight")
            || any("temporal_")
            || any("time_stack.")
            || any("motion_modules.")
        {
            return Self::Video;
        }
        if has("input_blocks.0.0.weight") || is("down_blocks.0.resnets.0.conv1.weight") {
            return Self::of_unet(&is, &starts);
        }
        if TINY.iter().any(|[first, block]| is(first) && is(block)) {
            return Self::TinyVae;
        }
        if is("decoder.conv_in.weight") || starts("first_stage_model.decoder.") {
            return Self::Vae;
        }
        if any("enc.blk.") || any("encoder.block.0.layer.0.SelfAttention") {
            return Self::T5;
        }
        if is("visual_projection.weight")
            && is("text_projection.weight")
            && is("vision_model.embeddings.patch_embedding.weight")
        {
            return Self::PictureSearch;
        }
        if is("vision_model.head.probe") && is("text_model.head.weight") {
            return Self::of_siglip(source);
        }
        if starts("text_decoder.bert.") && is("vision_model.embeddings.patch_embedding.weight") {
            return Self::PictureDescription;
        }
        if any("encoder.layers.0.self_attn.q_proj") || any("resblocks.0.attn.in_proj_weight") {
            return Self::Clip;
        }
        if any("layers.0.self_attn.q_norm") || is("blk.0.attn_q_norm.weight") {
            return Self::Qwen3;
        }
        if any("layers.0.self_attn.q_proj") || is("blk.0.attn_q.weight") {
            return Self::LanguageModel;
        }
        if any("rdb1.conv1") || any("RDB1.conv1") || any("conv_first.weight") || is_compact_upscaler(&is) {
            return Self::Upscaler;
        }
        if is("emb_params") || is("clip_g") || (names.len() == 1 && any("<")) {
            return Self::Embedding;
        }
        Self::Unknown
    }

    /// Patches are taken by a convolution where pictures have one size, and texts and pictures have places of one width.
    fn of_siglip(source: &dyn TensorSource) -> Self {
        let dimensions = |name: &str| source.info(name).map_or(0, |info| info.shape.len());
        let is_square = |name: &str| source.info(name).is_some_and(|info| info.shape[0] == info.shape[1]);
        if dimensions("vision_model.embeddings.patch_embedding.weight") == 4
            && dimensions("text_model.head.weight") == 2
            && is_square("text_model.head.weight")
        {
            Self::SigLip
        } else {
            Self::SigLipOther
        }
    }

    fn of_unet(is: &impl Fn(&str) -> bool, starts: &impl Fn(&str) -> bool) -> Self {
        let text = starts("cond_stage_model.") || starts("conditioner.embedders.");
        if is("conditioner.embedders.0.model.ln_final.weight") {
            Self::Refiner
        } else if text && starts("first_stage_model.") {
            Self::StableDiffusion
        } else {
            Self::Unet
        }
    }
}

impl From<WeightsKind> for Reason {
    fn from(weights: WeightsKind) -> Self {
        use ReasonKind as Kind;
        let new = |kind| Self::new(kind, weights);
        let denoiser = |family: &str| new(Kind::WeightsDenoiser).with([&family as _]);
        match weights {
            WeightsKind::Lora => new(Kind::WeightsLora),
            WeightsKind::ControlNet => new(Kind::WeightsControlNet),
            WeightsKind::Vae | WeightsKind::TinyVae => new(Kind::WeightsVae),
            WeightsKind::Clip | WeightsKind::T5 | WeightsKind::Qwen3 => new(Kind::WeightsTextEncoder),
            WeightsKind::PictureSearch | WeightsKind::SigLip => new(Kind::WeightsPictureSearch),
            WeightsKind::SigLipOther => new(Kind::WeightsSigLipOther),
            WeightsKind::PictureDescription => new(Kind::WeightsPictureDescription),
            WeightsKind::LanguageModel => new(Kind::WeightsLanguageModel),
            WeightsKind::Embedding => new(Kind::WeightsEmbedding),
            WeightsKind::Upscaler => new(Kind::WeightsUpscaler),
            WeightsKind::Video => new(Kind::WeightsVideo),
            WeightsKind::Refiner => new(Kind::WeightsRefiner),
            WeightsKind::StableDiffusion | WeightsKind::Unet => denoiser("Stable Diffusion"),
            WeightsKind::Flux => denoiser("FLUX.1"),
            WeightsKind::Flux2 => denoiser("FLUX.2"),
            WeightsKind::Flux3 => denoiser("FLUX.3"),
            WeightsKind::Chroma => denoiser("Chroma"),
            WeightsKind::StableDiffusion3 => denoiser("Stable Diffusion 3"),
            WeightsKind::ZImage => denoiser("Z-Image"),
            WeightsKind::Lumina => denoiser("Lumina"),
            WeightsKind::QwenImage => denoiser("Qwen-Image"),
            WeightsKind::Unknown => new(Kind::WeightsUnknown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{StoredTensor, TensorMap};
    use super::*;

    fn kind(names: &[&str]) -> WeightsKind {
        let mut source = TensorMap::default();
        for name in names {
            source.insert(*name, StoredTensor::from_f32(&[1], &[0.0]));
        }
        WeightsKind::of(&source)
    }

    #[test]
    fn files_are_told_by_their_tensors() {
        let unet = "model.diffusion_model.input_blocks.0.0.weight";
        let [text, vae] =
            ["cond_stage_model.transformer.text_model.x", "first_stage_model.decoder.conv_in.weight"];
        for (names, wanted) in [
            (&[unet, text, vae][..], WeightsKind::StableDiffusion),
            (&[unet], WeightsKind::Unet),
            (&[unet, "conditioner.embedders.0.model.ln_final.weight", vae], WeightsKind::Refiner),
            (&[vae], WeightsKind::Vae),
            (&["control_model.input_blocks.0.0.weight"], WeightsKind::ControlNet),
            (&["lora_unet_down_blocks_0.lora_down.weight"], WeightsKind::Lora),
            (&["transformer.single_blocks.0.lora_A.weight"], WeightsKind::Lora),
            (&["lora_unet_mid_block_attentions_0_proj_in.hada_w1_a"], WeightsKind::Lora),
            (&["lora_te_text_model_encoder_layers_0_mlp_fc1.oft_blocks"], WeightsKind::Lora),
            (&["diffusion_model.input_blocks.0.0.diff"], WeightsKind::Lora),
            (
                &["controlnet_blocks.0.weight", "transformer_blocks.0.norm1_context.linear.weight"],
                WeightsKind::ControlNet,
            ),
            (
                &["controlnet_x_embedder.weight", "single_transformer_blocks.0.norm.linear.weight"],
                WeightsKind::ControlNet,
            ),
            (&["lllite_unet_input_blocks_4_1.conditioning1.0.weight"], WeightsKind::ControlNet),
            (&["adapter.body.0.resnets.0.block1.weight"], WeightsKind::ControlNet),
            (&["early_stream_modulations.image.linear.weight"], WeightsKind::Flux3),
            (&["decoder.layers.0.weight", "decoder.layers.2.conv.0.weight"], WeightsKind::TinyVae),
            (&["decoder.1.weight", "decoder.3.conv.0.weight"], WeightsKind::TinyVae),
            (&["1.weight", "3.conv.0.weight"], WeightsKind::TinyVae),
            (&["0.weight", "1.conv.0.weight"], WeightsKind::TinyVae),
            (&["model.0.weight", "model.1.sub.0.RDB1.conv1.0.weight"], WeightsKind::Upscaler),
            (&["conv_first.weight", "body.0.rdb1.conv1.weight"], WeightsKind::Upscaler),
            (
                &["body.0.weight", "body.0.bias", "body.1.weight", "body.2.weight", "body.2.bias"],
                WeightsKind::Upscaler,
            ),
            (
                &["double_blocks.0.img_attn.norm.key_norm.scale", "distilled_guidance_layer.in_proj.weight"],
                WeightsKind::Chroma,
            ),
            (&["model.diffusion_model.double_blocks.0.img_attn.norm.key_norm.scale", vae], WeightsKind::Flux),
            (&["joint_blocks.0.context_block.adaLN_modulation.1.weight"], WeightsKind::StableDiffusion3),
            (&["layers.0.adaLN_modulation.0.weight", "cap_embedder.0.weight"], WeightsKind::ZImage),
            (&["cap_embedder.0.weight"], WeightsKind::Lumina),
            (&["text_model.encoder.layers.0.self_attn.q_proj.weight"], WeightsKind::Clip),
            (&["encoder.block.0.layer.0.SelfAttention.q.weight", "shared.weight"], WeightsKind::T5),
            (&["model.layers.0.self_attn.q_proj.weight"], WeightsKind::LanguageModel),
            (&["blk.0.attn_q.weight", "blk.0.attn_q_norm.weight"], WeightsKind::Qwen3),
            (
                &["model.layers.0.self_attn.q_proj.weight", "model.layers.0.self_attn.q_norm.weight"],
                WeightsKind::Qwen3,
            ),
            (&["model.diffusion_model.blocks.0.self_attn.q.weight"], WeightsKind::Video),
            (
                &[
                    "text_model.encoder.layers.0.self_attn.q_proj.weight",
                    "text_projection.weight",
                    "vision_model.embeddings.patch_embedding.weight",
                    "visual_projection.weight",
                ],
                WeightsKind::PictureSearch,
            ),
            (
                &[
                    "text_model.encoder.layers.0.self_attn.q_proj.weight",
                    "vision_model.embeddings.patch_embedding.weight",
                ],
                WeightsKind::Clip,
            ),
            (
                &[
                    "text_decoder.bert.encoder.layer.0.attention.self.query.weight",
                    "vision_model.embeddings.patch_embedding.weight",
                ],
                WeightsKind::PictureDescription,
            ),
            (
                &[
                    "text_model.encoder.layers.0.self_attn.q_proj.weight",
                    "text_model.head.weight",
                    "vision_model.embeddings.patch_embedding.weight",
                    "vision_model.head.probe",
                ],
                WeightsKind::SigLipOther,
            ),
            (&["emb_params"], WeightsKind::Embedding),
            (&["weight"], WeightsKind::Unknown),
            (&[], WeightsKind::Unknown),
        ] {
            assert_eq!(kind(names), wanted, "{names:?}");
        }
    }

    #[test]
    fn siglip_of_one_size_and_width_is_told_from_its_relatives() {
        let kind = |head: &[usize], patches: &[usize]| {
            let mut source = TensorMap::default();
            for (name, shape) in [
                ("text_model.encoder.layers.0.self_attn.q_proj.weight", &[4, 4][..]),
                ("text_model.head.weight", head),
                ("vision_model.embeddings.patch_embedding.weight", patches),
                ("vision_model.head.probe", &[1, 1, 4]),
            ] {
                let values = vec![0.0; shape.iter().product()];
                source.insert(name, StoredTensor::from_f32(shape, &values));
            }
            WeightsKind::of(&source)
        };
        assert_eq!(kind(&[4, 4], &[4, 3, 2, 2]), WeightsKind::SigLip);
        assert_eq!(kind(&[4, 4], &[4, 12]), WeightsKind::SigLipOther, "NaFlex");
        assert_eq!(kind(&[6, 4], &[4, 3, 2, 2]), WeightsKind::SigLipOther, "giant");
        assert!(WeightsKind::SigLipOther.to_string().contains("siglip2-base-patch16-224"));
    }
}
