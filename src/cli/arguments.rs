//! The command line's arguments.

use std::cell::OnceCell;
use std::path::PathBuf;

use anyhow::bail;
use clap::{Args, Parser, Subcommand};

use super::models::ModelsCommand;
use super::{library, numbers};
use crate::catalog::{ImageSize, ModelParts, ModelSource, PredictionType, SamplerKind, ScheduleKind};
use crate::engine::EngineSettings;
use crate::request::{DeviceChoice, DtypeChoice, LayerSet, NoiseLevels, PromptOptions, Seed, TileChoice};

/// Safelight: watch a latent image develop. Without a command it opens its window.
#[derive(Debug, Parser)]
#[command(name = "safelight", version, about)]
pub struct Arguments {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Draw a picture.
    Generate(Box<GenerateArguments>),
    /// Encode a picture to a latent file.
    Encode(ConvertArguments),
    /// Decode a latent file to a picture.
    Decode(ConvertArguments),
    /// Draw every channel of a latent file, or of a picture's latent, as one labelled picture.
    Channels(ConvertArguments),
    /// Show what model folders, pictures and latent files contain.
    Inspect {
        /// Folders, files, and names in the library.
        #[arg(required = true)]
        paths: Vec<PathBuf>,
        /// Print JSON on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Find the models on this machine, choose the folders that are searched, and fetch models.
    Models {
        #[command(subcommand)]
        command: ModelsCommand,
    },
    /// Time every stage of a picture.
    Bench {
        #[command(flatten)]
        engine: EngineArguments,
        /// Steps to time.
        #[arg(long, default_value_t = 10, allow_hyphen_values = true, value_parser = numbers::positive)]
        steps: usize,
        /// Size of the picture in pixels [default: the model's, and 512x512 and 1024x1024 for the VAE alone].
        #[arg(long, value_name = "WxH", allow_hyphen_values = true, value_parser = PromptOptions::size_of)]
        size: Option<ImageSize>,
        /// Instruction set of the processor to use: baseline, avx2, avx512 or avx512-bf16 [default: the widest available].
        #[arg(long, value_name = "SET")]
        instructions: Option<String>,
        /// Print JSON on standard output.
        #[arg(long)]
        json: bool,
    },
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

/// Left and top pixels; a type of its own, as clap takes an array for a list of arguments.
pub(super) type Crop = [usize; 2];

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
        let given = ModelParts {
            model: PathBuf::new(),
            diffusion_model: self.diffusion_model.clone(),
            text_encoders: [&self.text_encoder, &self.text_encoder_2, &self.text_encoder_3].map(Clone::clone),
            vae: self.vae.clone(),
            configuration: self.config.clone(),
            prediction: self.prediction,
        };
        let parts = match self.named()? {
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

#[derive(Clone, Debug, Args)]
pub(super) struct GenerateArguments {
    /// What to draw.
    #[arg(long, allow_hyphen_values = true)]
    pub(super) prompt: String,
    /// What to avoid.
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    pub(super) negative_prompt: String,
    #[command(flatten)]
    pub(super) engine: EngineArguments,
    /// Width in pixels [default: the model's].
    #[arg(long, value_name = "PX", allow_hyphen_values = true, value_parser = numbers::edge)]
    pub(super) width: Option<usize>,
    /// Height in pixels [default: the model's].
    #[arg(long, value_name = "PX", allow_hyphen_values = true, value_parser = numbers::edge)]
    pub(super) height: Option<usize>,
    /// Sampling steps [default: the model's].
    #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = numbers::positive)]
    pub(super) steps: Option<usize>,
    /// Classifier-free guidance scale; 1 or less turns it off [default: the model's].
    #[arg(long, value_name = "F", allow_hyphen_values = true, value_parser = numbers::guidance_scale)]
    pub(super) guidance_scale: Option<f64>,
    /// The first picture's seed, -1 for a random one [default: random].
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub(super) seed: Option<Seed>,
    /// Number of pictures, with consecutive seeds and numbered names.
    #[arg(long, default_value_t = 1, value_name = "N", allow_hyphen_values = true, value_parser = numbers::batch)]
    pub(super) batch: usize,
    #[arg(long, help = sampler_help())]
    pub(super) sampler: Option<SamplerKind>,
    #[arg(long, default_value = ScheduleKind::default().id(), help = schedule_help())]
    pub(super) schedule: ScheduleKind,
    /// CLIP skip: the text encoder's layer whose states are used, counted from the last, which is 1 [default: the model's].
    #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = numbers::positive)]
    pub(super) clip_skip: Option<usize>,
    /// Tokens of the prompt that T5 or Qwen3 reads at most [default: the model's].
    #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = numbers::positive)]
    pub(super) max_tokens: Option<usize>,
    /// Classifier-free guidance of a guidance-distilled model (FLUX.1), with the negative prompt [default: off].
    #[arg(long, value_name = "F", allow_hyphen_values = true, value_parser = numbers::guidance_scale)]
    pub(super) true_guidance_scale: Option<f64>,
    /// Stable Diffusion XL: the size of the imagined original picture [default: the picture's].
    #[arg(long, value_name = "WxH", allow_hyphen_values = true, value_parser = PromptOptions::size_of)]
    pub(super) original_size: Option<ImageSize>,
    /// Stable Diffusion XL: the left and top pixels that its crop removed.
    #[arg(long, default_value = "0,0", value_name = "X,Y", allow_hyphen_values = true, value_parser = PromptOptions::crop_of)]
    pub(super) crop: Crop,
    /// Stable Diffusion XL: the size of the imagined result [default: the picture's].
    #[arg(long, value_name = "WxH", allow_hyphen_values = true, value_parser = PromptOptions::size_of)]
    pub(super) target_size: Option<ImageSize>,
    /// Stable Diffusion 3.5: lead away from a prediction without these layers, such as 7,8,9 (skip-layer guidance).
    #[arg(long, value_name = "LIST", allow_hyphen_values = true, value_parser = LayerSet::of_typed)]
    pub(super) skip_layers: Option<LayerSet>,
    /// Scale of skip-layer guidance.
    #[arg(long, default_value_t = 2.8, value_name = "F", allow_hyphen_values = true, value_parser = numbers::guidance_scale, requires = "skip_layers")]
    pub(super) skip_scale: f64,
    /// Fraction of the run after which skip-layer guidance begins.
    #[arg(long, default_value_t = 0.01, value_name = "F", allow_hyphen_values = true, value_parser = numbers::share, requires = "skip_layers")]
    pub(super) skip_start: f64,
    /// Fraction of the run after which skip-layer guidance ends.
    #[arg(long, default_value_t = 0.2, value_name = "F", allow_hyphen_values = true, value_parser = numbers::share, requires = "skip_layers")]
    pub(super) skip_end: f64,
    /// Fraction of the noise added again at each step, for samplers with this option [default: the sampler's].
    #[arg(long, value_name = "F", allow_hyphen_values = true, value_parser = numbers::share)]
    pub(super) eta: Option<f64>,
    /// Scale guidance back to the prediction's standard deviation, from 0 (not at all) to 1.
    #[arg(long, default_value_t = 0.0, value_name = "F", allow_hyphen_values = true, value_parser = numbers::share)]
    pub(super) guidance_rescale: f64,
    /// Shift of a flow model's times towards high noise [default: the model's].
    #[arg(long, value_name = "F", allow_hyphen_values = true, value_parser = numbers::shift)]
    pub(super) shift: Option<f64>,
    /// Use these sigmas instead of a schedule, such as 14.6,5,1.5,0.4.
    #[arg(long, value_name = "LIST", allow_hyphen_values = true, value_parser = NoiseLevels::of_sigmas)]
    #[arg(conflicts_with_all = ["steps", "schedule", "timesteps"])]
    pub(super) sigmas: Option<NoiseLevels>,
    /// Use these training timesteps instead of a schedule, such as 999,750,500,250.
    #[arg(long, value_name = "LIST", allow_hyphen_values = true, value_parser = NoiseLevels::of_timesteps)]
    #[arg(conflicts_with_all = ["steps", "schedule"])]
    pub(super) timesteps: Option<NoiseLevels>,
    /// Start from this picture.
    #[arg(long, value_name = "FILE")]
    pub(super) init_image: Option<PathBuf>,
    /// How much of the source picture is redrawn, from 0 (nothing) to 1 (everything).
    #[arg(long, default_value_t = 0.75, value_name = "F", allow_hyphen_values = true, value_parser = numbers::strength)]
    pub(super) strength: f64,
    /// Save the final latent too, in ComfyUI's format.
    #[arg(long, value_name = "FILE.latent")]
    pub(super) save_latent: Option<PathBuf>,
    /// Do not embed the settings in the picture.
    #[arg(long)]
    pub(super) no_metadata: bool,
    /// Print JSON on standard output.
    #[arg(long)]
    pub(super) json: bool,
    /// The picture to write: .png, .jpg or .webp.
    #[arg(long, value_name = "FILE")]
    pub(super) output: PathBuf,
}

#[derive(Clone, Debug, Args)]
pub(super) struct ConvertArguments {
    /// The file to read.
    pub(super) input: PathBuf,
    #[command(flatten)]
    pub(super) engine: EngineArguments,
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    pub(super) output: PathBuf,
    /// Print JSON on standard output.
    #[arg(long)]
    pub(super) json: bool,
}

/// Joins names as in a sentence: `a, b or c`.
fn any_of(names: impl IntoIterator<Item = &'static str>) -> String {
    let names: Vec<_> = names.into_iter().collect();
    match names.split_last() {
        Some((last, first)) if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => names.concat(),
    }
}

fn sampler_help() -> String {
    format!("Sampler: {} [default: the model's]", any_of(SamplerKind::ALL.map(SamplerKind::id)))
}

fn schedule_help() -> String {
    format!("Schedule of noise levels: {}", any_of(ScheduleKind::ALL.map(ScheduleKind::id)))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_help_names_every_sampler_and_schedule() {
        let mut command = Arguments::command();
        let help = command.find_subcommand_mut("generate").unwrap().render_help().to_string();
        let words: Vec<&str> = help.split(|c: char| c.is_whitespace() || c == ',').collect();
        for id in
            SamplerKind::ALL.map(SamplerKind::id).into_iter().chain(ScheduleKind::ALL.map(ScheduleKind::id))
        {
            assert!(words.contains(&id), "{id}: {help}");
        }
    }

    #[test]
    fn names_are_joined_as_in_a_sentence() {
        assert_eq!(any_of(["a", "b", "c"]), "a, b or c");
        assert_eq!((any_of(["a"]), any_of([])), ("a".to_owned(), String::new()));
    }
}
