//! The arguments that name a model and say how it is computed.

use std::cell::OnceCell;
use std::path::PathBuf;

use anyhow::bail;
use clap::Args;

use super::{library, numbers};
use crate::catalog::{ModelParts, ModelSource, PredictionType};
use crate::engine::EngineSettings;
use crate::request::{DeviceChoice, DtypeChoice, TileChoice};

/// Where and how the networks are computed.
#[derive(Clone, Debug, Args)]
pub(super) struct ComputeArguments {
    /// auto, cpu, cuda, cuda:N or metal.
    #[arg(long, default_value = "auto")]
    pub(super) device: DeviceChoice,
    /// auto, f32, f16 or bf16.
    #[arg(long, default_value = "auto")]
    pub(super) dtype: DtypeChoice,
    /// Encode and decode in tiles, which takes less memory: auto (large pictures), always or never.
    #[arg(long, default_value = "auto")]
    pub(super) tiles: TileChoice,
    /// Number of CPU threads [default: one per core].
    #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = numbers::threads)]
    pub(super) threads: Option<usize>,
}

impl ComputeArguments {
    pub(super) fn settings(&self) -> EngineSettings {
        EngineSettings {
            device: self.device,
            dtype: self.dtype,
            tiles: self.tiles,
            threads: self.threads,
            instructions: None,
            memory: None,
        }
    }
}

/// The model, and how it is computed.
#[derive(Clone, Debug, Args)]
pub(super) struct EngineArguments {
    /// The model: `builtin`, a folder in diffusers' layout, a file of weights, or a name in the library (`safelight models list`).
    #[arg(long, default_value = "builtin", value_name = "builtin|PATH|NAME")]
    pub(super) model: String,
    /// The model that `model` names, once it was found: the library is searched once.
    #[arg(skip)]
    named: OnceCell<ModelSource>,
    /// Use the UNet or transformer of this file instead of the model's.
    #[arg(long, value_name = "FILE")]
    pub(super) diffusion_model: Option<PathBuf>,
    /// Use the text encoder of this file, the first of models with several (CLIP-L).
    #[arg(long, value_name = "FILE")]
    pub(super) text_encoder: Option<PathBuf>,
    /// Use the second text encoder of this file (SDXL: OpenCLIP bigG, FLUX.1: T5).
    #[arg(long, value_name = "FILE")]
    pub(super) text_encoder_2: Option<PathBuf>,
    /// Use the third text encoder of this file (SD3: T5).
    #[arg(long, value_name = "FILE")]
    pub(super) text_encoder_3: Option<PathBuf>,
    /// Use the VAE of this file.
    #[arg(long, value_name = "FILE")]
    pub(super) vae: Option<PathBuf>,
    /// Take configurations and tokenizers from this folder in diffusers' layout; its weights are not used.
    #[arg(long, value_name = "FOLDER")]
    pub(super) config: Option<PathBuf>,
    /// What the network predicts, if its files do not say: epsilon, v or flow.
    #[arg(long, value_name = "KIND", value_parser = prediction)]
    pub(super) prediction: Option<PredictionType>,
    #[command(flatten)]
    pub(super) compute: ComputeArguments,
}

/// Parses a prediction type.
fn prediction(text: &str) -> Result<PredictionType, String> {
    match text {
        "epsilon" => Ok(PredictionType::Epsilon),
        "v" => Ok(PredictionType::V),
        "flow" => Ok(PredictionType::Flow),
        _ => Err("it is epsilon, v or flow".to_owned()),
    }
}

impl EngineArguments {
    /// The model that `--model` names.
    fn named(&self) -> anyhow::Result<ModelSource> {
        if let Some(named) = self.named.get() {
            return Ok(named.clone());
        }
        let named = library::model(&self.model)?;
        Ok(self.named.get_or_init(|| named).clone())
    }

    /// The chosen model.
    ///
    /// # Errors
    /// If files for parts are given without a model they belong to, or the library does not have the model.
    pub(super) fn source(&self) -> anyhow::Result<ModelSource> {
        self.with_parts(self.named()?)
    }

    /// Another model than the chosen one: `builtin`, a path, or a name in the library.
    ///
    /// # Errors
    /// As for [`Self::source`].
    pub(super) fn other(&self, name: &str) -> anyhow::Result<ModelSource> {
        self.with_parts(library::model(name)?)
    }

    /// A model with the files that are given for parts.
    fn with_parts(&self, named: ModelSource) -> anyhow::Result<ModelSource> {
        let given = ModelParts {
            model: PathBuf::new(),
            diffusion_model: self.diffusion_model.clone(),
            text_encoders: [&self.text_encoder, &self.text_encoder_2, &self.text_encoder_3].map(Clone::clone),
            vae: self.vae.clone(),
            configuration: self.config.clone(),
            prediction: self.prediction,
        };
        let parts = match named {
            named if given.has_no_others() => return Ok(named),
            ModelSource::Builtin => {
                // `--diffusion-model` without `--model`: the other files complete it.
                let Some(model) = given.diffusion_model else {
                    bail!(
                        "the built-in model takes no parts from other files and no other prediction; name the model that they belong to with \
                         --model or --diffusion-model"
                    );
                };
                ModelParts { model, diffusion_model: None, ..given }
            }
            ModelSource::Folder(model) => ModelParts { model, ..given },
            // Given files count before those of the library.
            ModelSource::Parts(of_library) => {
                let ModelParts { model, text_encoders: [first, second, third], vae, .. } = *of_library;
                let [given_first, given_second, given_third] = given.text_encoders;
                ModelParts {
                    model,
                    text_encoders: [given_first.or(first), given_second.or(second), given_third.or(third)],
                    vae: given.vae.or(vae),
                    ..given
                }
            }
        };
        Ok(if parts.has_no_others() {
            ModelSource::Folder(parts.model)
        } else {
            ModelSource::Parts(Box::new(parts))
        })
    }

    pub(super) fn settings(&self) -> EngineSettings {
        self.compute.settings()
    }
}
