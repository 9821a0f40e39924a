//! Stable Diffusion 1, 2 and XL in CompVis' and Stability's layout, in one file or one per part.

use serde_json::{Value, json};

use super::super::StoreError;
use super::super::names::{UnetShape, unet_names, unet_shape};
use super::Assembled;
use super::need::{PartKind, PartNeed};
use super::part::{self, Part};
use super::sources::PartSources;
use crate::catalog::PartRole;
use crate::latent::LatentFormat;
use crate::weights::{TensorSource, WeightDtype};

/// CLIP's merges: <https://github.com/openai/CLIP>, MIT licence.
static MERGES: &[u8] = include_bytes!("../../../assets/clip-tokenizer/merges.txt");

/// The width of OpenCLIP-H's embeddings, which Stable Diffusion 2 reads.
const SD2_CONTEXT: usize = 1024;
/// Channels of an attention head in Stable Diffusion 2 and XL.
const HEAD: usize = 64;
/// Number of attention heads at every level of Stable Diffusion 1.
const SD1_HEADS: usize = 8;

/// The three architectures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Design {
    Sd1,
    Sd2,
    Xl,
}

impl Design {
    /// Determined by the UNet and by the text encoder in the same file.
    fn of(shape: &UnetShape, source: &dyn TensorSource) -> Self {
        let has_open_clip = source.info("cond_stage_model.model.ln_final.weight").is_some();
        if shape.addition.is_some() {
            Self::Xl
        } else if shape.context == SD2_CONTEXT || has_open_clip {
            Self::Sd2
        } else {
            Self::Sd1
        }
    }
}

/// The architecture that the tensors of a UNet, or of a ControlNet for one, have, in the original layout or in diffusers'.
pub(in super::super) fn design_of(source: &dyn TensorSource) -> Design {
    let has = |part: &str| source.names().iter().any(|name| name.contains(part));
    let keys = source.names().into_iter().find(|name| name.ends_with("attn2.to_k.weight"));
    let context = keys.and_then(|name| source.info(name)?.shape.get(1).copied());
    if has("label_emb.0.0.weight") || has("add_embedding.linear_1.weight") {
        Design::Xl
    } else if context == Some(SD2_CONTEXT) || has("cond_stage_model.model.ln_final.weight") {
        Design::Sd2
    } else {
        Design::Sd1
    }
}

/// Assembles a model. Configurations are derived from the shapes of the tensors.
pub(super) fn assemble(sources: &PartSources) -> Result<Assembled, StoreError> {
    let path = &sources.origin;
    let unknown = |part: &str| StoreError::Damaged {
        reason: format!("it is a Stable Diffusion model, and its {part} is not one that this program knows"),
        path: path.clone(),
    };
    let shape = unet_shape(&*sources.own).ok_or_else(|| unknown("UNet"))?;
    let design = Design::of(&shape, &*sources.own);
    let mut model = Assembled::new(path.clone());
    let names = unet_names(&*sources.own, shape.layers);
    model.add("unet", &sources.own, Part { names, config: unet_config(&shape, design) });
    let statistics = latent_statistics(&*sources.own).filter(|_| design == Design::Xl);
    let format = match design {
        Design::Xl if statistics.is_some() => LatentFormat::PLAYGROUND,
        Design::Xl => LatentFormat::SDXL,
        Design::Sd1 | Design::Sd2 => LatentFormat::STABLE_DIFFUSION,
    };
    let (vae_need, first_need, second_need) = needs_of(&shape, design);
    let (source, mut vae) =
        sources.part(&vae_need, |source| part::vae(source, format.scale, format.shift))?;
    if let Some([means, deviations]) = statistics {
        vae.config["latents_mean"] = means.into();
        vae.config["latents_std"] = deviations.into();
    }
    model.add("vae", &source, vae);
    let (source, mut first) = sources.part(&first_need, |source| {
        // Stable Diffusion 2 uses the hidden states before the last layer, followed by the final norm, so that layer is
        // dropped.
        if design == Design::Sd2 { part::open_clip(source, 1) } else { part::clip(source) }
    })?;
    first.names.remove("text_projection.weight");
    model.add("text_encoder", &source, first);
    add_tokenizer(&mut model, "tokenizer", design == Design::Sd2);
    if let Some(need) = second_need {
        let (source, second) = sources.part(&need, |source| part::open_clip(source, 0))?;
        model.add("text_encoder_2", &source, second);
        add_tokenizer(&mut model, "tokenizer_2", true);
    }
    model.add_json("scheduler/scheduler_config.json", &scheduler_config(&*sources.own, design));
    model.add_json("model_index.json", &index(design));
    Ok(model)
}

/// The parts that a UNet needs: a VAE, and one text encoder or two.
fn needs_of(shape: &UnetShape, design: Design) -> (PartNeed, PartNeed, Option<PartNeed>) {
    let format = if design == Design::Xl { LatentFormat::SDXL } else { LatentFormat::STABLE_DIFFUSION };
    let text = |index, what, kind, sizes| PartNeed::of_sizes(PartRole::TextEncoder(index), what, kind, sizes);
    let kind = if design == Design::Sd2 { PartKind::OpenClip } else { PartKind::Clip };
    // The UNet of Stable Diffusion XL reads the states of CLIP-L and of the larger bigG side by side.
    let half = shape.context / 2;
    let sizes = if design == Design::Xl { [0, half] } else { [shape.context; 2] };
    (
        PartNeed::of_size(PartRole::Vae, "VAE", PartKind::Vae, format.channels),
        text(0, "CLIP text encoder", kind, sizes),
        (design == Design::Xl)
            .then(|| text(1, "OpenCLIP text encoder", PartKind::OpenClip, [half, usize::MAX])),
    )
}

/// What the UNet of a file needs; `None` if it is not one that this program knows.
pub(super) fn needs(source: &dyn TensorSource) -> Option<Vec<PartNeed>> {
    let shape = unet_shape(source)?;
    let (vae, first, second) = needs_of(&shape, Design::of(&shape, source));
    Some([vae, first].into_iter().chain(second).collect())
}

/// The UNet in a file; `None` if there is none.
pub(super) fn unet(source: &dyn TensorSource) -> Option<Part> {
    let shape = unet_shape(source)?;
    let design = Design::of(&shape, source);
    Some(Part { names: unet_names(source, shape.layers), config: unet_config(&shape, design) })
}

/// Adds CLIP's tokenizer. OpenCLIP text encoders were trained with another padding token.
pub(super) fn add_tokenizer(model: &mut Assembled, folder: &str, of_open_clip: bool) {
    model.add_bytes(&format!("{folder}/merges.txt"), MERGES);
    let pad = if of_open_clip { "!" } else { "<|endoftext|>" };
    model.add_json(&format!("{folder}/tokenizer_config.json"), &json!({ "pad_token": pad }));
}

fn index(design: Design) -> Value {
    let is_xl = design == Design::Xl;
    let mut index = json!({
        "_class_name": if is_xl { "StableDiffusionXLPipeline" } else { "StableDiffusionPipeline" },
        "text_encoder": ["transformers", "CLIPTextModel"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    });
    if is_xl {
        index["text_encoder_2"] = json!(["transformers", "CLIPTextModelWithProjection"]);
    }
    index
}

fn unet_config(shape: &UnetShape, design: Design) -> Value {
    let UnetShape { channels, transformers, .. } = shape;
    let level_types = |attention: &str, plain: &str| -> Vec<String> {
        let kind = |depth: &usize| if *depth > 0 { attention } else { plain }.to_owned();
        transformers.iter().map(kind).collect()
    };
    let down = level_types("CrossAttnDownBlock2D", "DownBlock2D");
    let mut up = level_types("CrossAttnUpBlock2D", "UpBlock2D");
    up.reverse();
    let heads = |channels: &usize| if design == Design::Sd1 { SD1_HEADS } else { (channels / HEAD).max(1) };
    let heads: Vec<usize> = channels.iter().map(heads).collect();
    // diffusers takes the depth of the middle block from the last level, which may have no attention itself.
    let mut depths: Vec<usize> = transformers.iter().map(|depth| (*depth).max(1)).collect();
    if let (Some(last), depth @ 1..) = (depths.last_mut(), shape.middle_transformers) {
        *last = depth;
    }
    let mut config = json!({
        "in_channels": shape.in_channels,
        "out_channels": shape.out_channels,
        "sample_size": if design == Design::Xl { 128 } else { 64 },
        "block_out_channels": channels,
        "layers_per_block": shape.layers,
        "down_block_types": down,
        "up_block_types": up,
        "cross_attention_dim": shape.context,
        "attention_head_dim": heads,
        "transformer_layers_per_block": depths,
        "use_linear_projection": shape.linear_projections,
    });
    if let Some(width) = shape.addition {
        config["addition_embed_type"] = "text_time".into();
        config["addition_time_embed_dim"] = 256.into();
        config["projection_class_embeddings_input_dim"] = width.into();
    }
    config
}

/// Tensors that mark a model of EDM that predicts v, such as CosXL, and hold its largest and its smallest sigma.
const EDM_SIGMAS: [&str; 2] = ["edm_vpred.sigma_max", "edm_vpred.sigma_min"];

/// The means and deviations of the latent's channels in a file of Playground v2.5.
fn latent_statistics(source: &dyn TensorSource) -> Option<[Vec<f64>; 2]> {
    Some([numbers(source, "edm_mean")?, numbers(source, "edm_std")?])
}

/// The scheduler configuration of the released models, adjusted by markers in the file.
fn scheduler_config(source: &dyn TensorSource, design: Design) -> Value {
    let marked = |name: &str| source.info(name).is_some();
    if design == Design::Xl && latent_statistics(source).is_some() {
        return json!({ "_class_name": "EDMDPMSolverMultistepScheduler", "prediction_type": "epsilon" });
    }
    if design == Design::Xl && marked(EDM_SIGMAS[0]) {
        let [sigma_max, sigma_min] = EDM_SIGMAS.map(|name| numbers(source, name)?.first().copied());
        return json!({
            "_class_name": "EDMEulerScheduler",
            "prediction_type": "v_prediction",
            "sigma_schedule": "exponential",
            "sigma_data": 1.0,
            "sigma_max": sigma_max,
            "sigma_min": sigma_min,
        });
    }
    let is_v = marked("v_pred") || (design == Design::Sd2 && predicts_v(source));
    let mut config = json!({
        "_class_name": match design {
            Design::Sd1 => "PNDMScheduler",
            Design::Sd2 => "DDIMScheduler",
            Design::Xl => "EulerDiscreteScheduler",
        },
        "skip_prk_steps": true,
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "steps_offset": 1,
        "clip_sample": false,
        "set_alpha_to_one": false,
        "timestep_spacing": "leading",
    });
    if is_v {
        // Without a marker it is the noise, diffusers' default, and a person may know better.
        config["prediction_type"] = "v_prediction".into();
    }
    if marked("ztsnr") {
        config["rescale_betas_zero_snr"] = true.into();
        config["timestep_spacing"] = "trailing".into();
    }
    config
}

/// Whether a Stable Diffusion 2 network predicts v rather than the noise. Names and shapes are the same; as in ComfyUI,
/// the standard deviation of one norm's bias distinguishes them: above 0.09 for v.
fn predicts_v(source: &dyn TensorSource) -> bool {
    const BIAS: &str = "model.diffusion_model.output_blocks.11.1.transformer_blocks.0.norm1.bias";
    let Some(values) = numbers(source, BIAS) else { return false };
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64;
    variance.sqrt() > 0.09
}

/// The values of a small tensor in f32 or f16; `None` if there is none, or none in these formats.
fn numbers(source: &dyn TensorSource, name: &str) -> Option<Vec<f64>> {
    source.info(name)?;
    let tensor = source.read(name).ok()?;
    let view = tensor.view();
    match view.dtype {
        WeightDtype::F32 => {
            Some(bytemuck::cast_slice::<u8, f32>(view.bytes).iter().map(|v| f64::from(*v)).collect())
        }
        WeightDtype::F16 => {
            let bits = bytemuck::cast_slice::<u8, u16>(view.bytes).iter();
            Some(bits.map(|bits| half::f16::from_bits(*bits).to_f64()).collect())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::{Path, PathBuf};
    use std::sync::Arc;

    use super::*;
    use crate::weights::{StoredTensor, TensorInfo, TensorMap, WeightError};

    /// Tensors with names and shapes but without values.
    struct Shapes(BTreeMap<String, Vec<usize>>);

    /// The same with some small tensors that have values.
    struct Marked(Arc<dyn TensorSource>, TensorMap);

    impl TensorSource for Marked {
        fn names(&self) -> Vec<&str> {
            self.0.names().into_iter().chain(self.1.names()).collect()
        }
        fn info(&self, name: &str) -> Option<TensorInfo> {
            self.1.info(name).or_else(|| self.0.info(name))
        }
        fn path(&self, name: &str) -> PathBuf {
            self.0.path(name)
        }
        fn read(&self, name: &str) -> Result<StoredTensor, WeightError> {
            self.1.read(name)
        }
    }

    impl TensorSource for Shapes {
        fn names(&self) -> Vec<&str> {
            self.0.keys().map(String::as_str).collect()
        }
        fn info(&self, name: &str) -> Option<TensorInfo> {
            Some(TensorInfo { dtype: WeightDtype::F16, shape: self.0.get(name)?.clone() })
        }
        fn path(&self, _: &str) -> PathBuf {
            PathBuf::new()
        }
        fn read(&self, name: &str) -> Result<StoredTensor, WeightError> {
            Err(WeightError::Missing { name: name.into(), shape: Vec::new(), path: PathBuf::new() })
        }
    }

    fn released(name: &str) -> Arc<dyn TensorSource> {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/single/shapes.json");
        let mut all: BTreeMap<String, BTreeMap<String, Vec<usize>>> =
            serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        Arc::new(Shapes(all.remove(name).unwrap()))
    }

    /// A value of a configuration derived from a released model's file.
    fn config(name: &str, file: &str, key: &str) -> Value {
        config_of(released(name), file, key)
    }

    fn config_of(source: Arc<dyn TensorSource>, file: &str, key: &str) -> Value {
        let sources = PartSources::of_one(source);
        let model = assemble(&sources).unwrap();
        let config: Value =
            serde_json::from_slice(model.small_files[file].content.as_ref().unwrap()).unwrap();
        config[key].clone()
    }

    #[test]
    fn configurations_are_those_of_the_released_models() {
        let [unet, vae] = ["unet/config.json", "vae/config.json"];
        let [text, text_2] = ["text_encoder/config.json", "text_encoder_2/config.json"];
        for (name, file, key, wanted) in [
            ("sd1", unet, "block_out_channels", json!([320, 640, 1280, 1280])),
            ("sd1", unet, "layers_per_block", json!(2)),
            ("sd1", unet, "cross_attention_dim", json!(768)),
            ("sd1", unet, "attention_head_dim", json!([8, 8, 8, 8])),
            ("sd1", unet, "transformer_layers_per_block", json!([1, 1, 1, 1])),
            (
                "sd1",
                unet,
                "down_block_types",
                json!([
                    "CrossAttnDownBlock2D",
                    "CrossAttnDownBlock2D",
                    "CrossAttnDownBlock2D",
                    "DownBlock2D"
                ]),
            ),
            (
                "sd1",
                unet,
                "up_block_types",
                json!(["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"]),
            ),
            ("sd1", vae, "block_out_channels", json!([128, 256, 512, 512])),
            ("sd1", vae, "layers_per_block", json!(2)),
            ("sd1", vae, "latent_channels", json!(4)),
            ("sd1", vae, "use_quant_conv", json!(true)),
            ("sd1", vae, "scaling_factor", json!(0.18215)),
            ("sd1", text, "hidden_size", json!(768)),
            ("sd1", text, "num_hidden_layers", json!(12)),
            ("sd1", text, "num_attention_heads", json!(12)),
            ("sd1", text, "intermediate_size", json!(3072)),
            ("sd1", text, "hidden_act", json!("quick_gelu")),
            ("sd1", "scheduler/scheduler_config.json", "_class_name", json!("PNDMScheduler")),
            ("sd2", unet, "attention_head_dim", json!([5, 10, 20, 20])),
            ("sd2", unet, "cross_attention_dim", json!(1024)),
            ("sd2", text, "num_hidden_layers", json!(23)),
            ("sd2", text, "num_attention_heads", json!(16)),
            ("sd2", text, "hidden_act", json!("gelu")),
            ("sd2", "tokenizer/tokenizer_config.json", "pad_token", json!("!")),
            ("sdxl", unet, "block_out_channels", json!([320, 640, 1280])),
            ("sdxl", unet, "attention_head_dim", json!([5, 10, 20])),
            ("sdxl", unet, "transformer_layers_per_block", json!([1, 2, 10])),
            (
                "sdxl",
                unet,
                "down_block_types",
                json!(["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"]),
            ),
            ("sdxl", unet, "projection_class_embeddings_input_dim", json!(2816)),
            ("sdxl", unet, "sample_size", json!(128)),
            ("sdxl", vae, "scaling_factor", json!(0.13025)),
            ("sdxl", text, "hidden_size", json!(768)),
            ("sdxl", text_2, "hidden_size", json!(1280)),
            ("sdxl", text_2, "num_hidden_layers", json!(32)),
            ("sdxl", text_2, "num_attention_heads", json!(20)),
            ("sdxl", text_2, "projection_dim", json!(1280)),
            ("sdxl", "tokenizer/tokenizer_config.json", "pad_token", json!("<|endoftext|>")),
            ("sdxl", "tokenizer_2/tokenizer_config.json", "pad_token", json!("!")),
            ("sdxl", "scheduler/scheduler_config.json", "_class_name", json!("EulerDiscreteScheduler")),
        ] {
            assert_eq!(config(name, file, key), wanted, "{name} {file} {key}");
        }
    }

    #[test]
    fn edm_s_models_are_told_by_the_tensors_that_mark_them() {
        let marked = |tensors: &[(&str, &[f32])]| -> Arc<dyn TensorSource> {
            let mut marks = TensorMap::default();
            for (name, values) in tensors {
                marks.insert(*name, StoredTensor::from_f32(&[values.len()], values));
            }
            Arc::new(Marked(released("sdxl"), marks))
        };
        let [vae, scheduler] = ["vae/config.json", "scheduler/scheduler_config.json"];
        let playground =
            marked(&[("edm_mean", &[-1.5, 2.0, -1.0, 2.5]), ("edm_std", &[8.5, 6.0, 6.5, 5.25])]);
        let cosxl = marked(&[("edm_vpred.sigma_max", &[120.0]), ("edm_vpred.sigma_min", &[0.25])]);
        for (source, file, key, wanted) in [
            (&playground, vae, "latents_mean", json!([-1.5, 2.0, -1.0, 2.5])),
            (&playground, vae, "latents_std", json!([8.5, 6.0, 6.5, 5.25])),
            (&playground, vae, "scaling_factor", json!(0.5)),
            (&playground, scheduler, "_class_name", json!("EDMDPMSolverMultistepScheduler")),
            (&playground, scheduler, "prediction_type", json!("epsilon")),
            (&cosxl, vae, "scaling_factor", json!(0.13025)),
            (&cosxl, vae, "latents_mean", Value::Null),
            (&cosxl, scheduler, "_class_name", json!("EDMEulerScheduler")),
            (&cosxl, scheduler, "prediction_type", json!("v_prediction")),
            (&cosxl, scheduler, "sigma_schedule", json!("exponential")),
            (&cosxl, scheduler, "sigma_max", json!(120.0)),
            (&cosxl, scheduler, "sigma_min", json!(0.25)),
        ] {
            assert_eq!(config_of(source.clone(), file, key), wanted, "{file} {key}");
        }
    }

    #[test]
    fn a_missing_part_is_named_in_the_error() {
        // Without the second text encoder.
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/single/shapes.json");
        let all: BTreeMap<String, BTreeMap<String, Vec<usize>>> =
            serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        let of_unet = all["sdxl"].iter().filter(|(name, _)| !name.starts_with("conditioner.embedders.1."));
        let shapes = of_unet.map(|(name, shape)| (name.clone(), shape.clone())).collect();
        let sources = PartSources::of_one(Arc::new(Shapes(shapes)));
        let error = assemble(&sources).unwrap_err().to_string();
        assert_eq!(
            error,
            "the model has no OpenCLIP text encoder, and no file for it was named (--text-encoder-2 FILE): model.safetensors"
        );
    }
}
