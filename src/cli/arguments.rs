//! The command line's arguments.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::compare::CompareArguments;
use super::describe::DescribeArguments;
use super::engine_arguments::EngineArguments;
use super::grid_arguments::GridArguments;
use super::models::ModelsCommand;
use super::numbers;
use super::runs::{ForkArguments, ReelArguments, RunsCommand};
use super::sampling_arguments::SamplingArguments;
use crate::catalog::ImageSize;
use crate::request::{PromptOptions, Seed};

/// Safelight: watch a latent image develop. Without a command it opens its window.
#[derive(Debug, Parser)]
#[command(name = "safelight", version, about)]
pub struct Arguments {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Open the window on pictures, latents and models; `safelight FILE` does the same.
    Open {
        /// Files and folders.
        #[arg(value_name = "FILE")]
        paths: Vec<PathBuf>,
    },
    /// Draw a picture.
    Generate(Box<GenerateArguments>),
    /// Encode a picture to a latent file.
    Encode(ConvertArguments),
    /// Decode a latent file to a picture.
    Decode(DecodeArguments),
    /// Draw every channel of a latent file, or of a picture's latent, as one labelled picture.
    Channels(ConvertArguments),
    /// Compare two pictures, latents, kept runs or steps of them: how far they are apart, and in which settings they differ.
    Compare(CompareArguments),
    /// Show what model folders, pictures and latent files contain.
    Inspect {
        /// Folders, files, and names in the library.
        #[arg(required = true)]
        paths: Vec<PathBuf>,
        /// Print JSON on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Say in words what is in pictures.
    Describe(DescribeArguments),
    /// Find the models on this machine, choose the folders that are searched, and fetch models.
    Models {
        #[command(subcommand)]
        command: ModelsCommand,
    },
    /// List the kept runs, look at them and at which came from which, take pictures out of them, replay them and go on with them.
    Runs {
        #[command(subcommand)]
        command: RunsCommand,
    },
    /// Go on from a step of a kept run with other settings. What is not given stays as it was at this step.
    Fork(Box<ForkArguments>),
    /// Write the development of a kept run as an animation, and all its steps on one sheet.
    Reel(Box<ReelArguments>),
    /// Look at the devices of this machine: what they have and lack, and whether they compute what they should.
    Doctor {
        /// Check small shapes only, in a few seconds.
        #[arg(long)]
        quick: bool,
        /// Number of CPU threads [default: one per core].
        #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = numbers::threads)]
        threads: Option<usize>,
        /// Print JSON on standard output.
        #[arg(long)]
        json: bool,
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
    /// Write the manual pages and the shells' completions of these arguments.
    #[command(hide = true)]
    PackagingFiles {
        /// The folder to write to.
        folder: PathBuf,
    },
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
    /// The first picture's seed, -1 for a random one [default: random].
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub(super) seed: Option<Seed>,
    /// Number of pictures, with consecutive seeds and numbered names.
    #[arg(long, default_value_t = 1, value_name = "N", allow_hyphen_values = true, value_parser = numbers::batch)]
    pub(super) batch: usize,
    #[command(flatten)]
    pub(super) sampling: SamplingArguments,
    #[command(flatten)]
    pub(super) grid: GridArguments,
    /// Start from this picture.
    #[arg(long, value_name = "FILE")]
    pub(super) init_image: Option<PathBuf>,
    /// How much of the source picture is redrawn, from 0 (nothing) to 1 (everything).
    #[arg(long, default_value_t = 0.75, value_name = "F", allow_hyphen_values = true, value_parser = numbers::strength)]
    pub(super) strength: f64,
    /// Save the final latent too, in ComfyUI's format.
    #[arg(long, value_name = "FILE.latent")]
    pub(super) save_latent: Option<PathBuf>,
    /// Keep the run in the history, with every step, as the window does.
    #[arg(long)]
    pub(super) keep: bool,
    /// Keep the run in this folder instead.
    #[arg(long, value_name = "FOLDER")]
    pub(super) keep_in: Option<PathBuf>,
    /// Do not embed the settings in the picture.
    #[arg(long)]
    pub(super) no_metadata: bool,
    /// Print JSON on standard output.
    #[arg(long)]
    pub(super) json: bool,
    /// The picture to write, or the grid: .png, .jpg or .webp.
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

#[derive(Clone, Debug, Args)]
pub(super) struct DecodeArguments {
    #[command(flatten)]
    pub(super) convert: ConvertArguments,
    /// Decode quickly, with a tiny decoder (TAESD) instead of the VAE: with this file, or the one in the library for the
    /// model's latents. The model itself is not loaded.
    #[arg(long, value_name = "FILE|NAME", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub(super) tiny: Option<String>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::catalog::{SamplerKind, ScheduleKind};

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
}
