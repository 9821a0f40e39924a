//! The same engine without a window, for scripts and tests.

mod bench;
mod convert;
mod generate;
mod inspect;
mod output;
mod run;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::engine::EngineSettings;
use crate::request::{DeviceChoice, DtypeChoice, ModelChoice, SamplerKind, ScheduleKind, TileChoice};

/// Safelight: watch a latent image develop. Without a command it opens its window.
#[derive(Debug, Parser)]
#[command(name = "safelight", version, about)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Draw a picture.
    Generate(GenerateArguments),
    /// Encode a picture to a latent file.
    Encode(ConvertArguments),
    /// Decode a latent file to a picture.
    Decode(ConvertArguments),
    /// Draw every channel of a latent file, or of a picture's latent, as one labelled picture.
    Channels(ConvertArguments),
    /// Say what model folders, pictures and latent files hold.
    Inspect {
        /// Folders and files.
        #[arg(required = true)]
        paths: Vec<PathBuf>,
        /// Print JSON on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Time every stage of a picture.
    Bench {
        #[command(flatten)]
        engine: EngineArguments,
        /// Steps to time.
        #[arg(long, default_value_t = 10)]
        steps: usize,
        /// Keep to these instructions of a processor: baseline, avx2, avx512 or amx [default: the widest it has].
        #[arg(long, value_name = "SET")]
        instructions: Option<String>,
        /// Print JSON on standard output.
        #[arg(long)]
        json: bool,
    },
}

/// Model and machine.
#[derive(Clone, Debug, Args)]
struct EngineArguments {
    /// The model: `builtin` or a folder in diffusers' layout.
    #[arg(long, default_value = "builtin", value_name = "builtin|FOLDER")]
    model: String,
    /// auto, cpu, cuda, cuda:N or metal.
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    /// auto, f32, f16 or bf16.
    #[arg(long, default_value = "auto")]
    dtype: DtypeChoice,
    /// Encode and decode in tiles, with less memory: auto (large pictures), always or never.
    #[arg(long, default_value = "auto")]
    tiles: TileChoice,
    /// Threads on a processor [default: one for each core].
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

impl EngineArguments {
    fn choice(&self) -> ModelChoice {
        ModelChoice::from_argument(&self.model)
    }

    fn settings(&self) -> EngineSettings {
        EngineSettings { device: self.device, dtype: self.dtype, tiles: self.tiles, threads: self.threads }
    }
}

#[derive(Clone, Debug, Args)]
struct GenerateArguments {
    /// What to draw.
    #[arg(long)]
    prompt: String,
    /// What to avoid.
    #[arg(long, default_value = "")]
    negative_prompt: String,
    #[command(flatten)]
    engine: EngineArguments,
    /// Width [default: the model's].
    #[arg(long, value_name = "PX")]
    width: Option<usize>,
    /// Height [default: the model's].
    #[arg(long, value_name = "PX")]
    height: Option<usize>,
    /// Sampling steps [default: the model's].
    #[arg(long, value_name = "N")]
    steps: Option<usize>,
    /// Classifier-free guidance scale, 1 for none [default: the model's].
    #[arg(long, value_name = "F")]
    guidance_scale: Option<f64>,
    /// The first picture's seed [default: random].
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Pictures, with consecutive seeds.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    batch: u64,
    /// ddim, ddpm, euler, euler-ancestral, heun, lms, dpmpp-2m, unipc or lcm [default: the model's].
    #[arg(long)]
    sampler: Option<SamplerKind>,
    /// model, leading, trailing, linspace, karras or exponential.
    #[arg(long, default_value = "model")]
    schedule: ScheduleKind,
    /// Start from this picture.
    #[arg(long, value_name = "FILE")]
    init_image: Option<PathBuf>,
    /// How far to go from the source picture, 0 to 1.
    #[arg(long, default_value_t = 0.75, value_name = "F")]
    strength: f64,
    /// Save the final latent too, as ComfyUI does.
    #[arg(long, value_name = "FILE.latent")]
    save_latent: Option<PathBuf>,
    /// Leave settings out of the picture.
    #[arg(long)]
    no_metadata: bool,
    /// Print JSON on standard output.
    #[arg(long)]
    json: bool,
    /// The picture: .png, .jpg or .webp.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

#[derive(Clone, Debug, Args)]
struct ConvertArguments {
    /// The file to read.
    input: PathBuf,
    #[command(flatten)]
    engine: EngineArguments,
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// Print JSON on standard output.
    #[arg(long)]
    json: bool,
}

impl Arguments {
    /// Whether no command was given: the window is wanted.
    pub fn wants_window(&self) -> bool {
        self.command.is_none()
    }

    /// Carries the command out. The exit code is 0 only when it succeeded.
    pub fn run(self) -> ExitCode {
        let done = match self.command {
            None => Ok(()),
            Some(Command::Generate(arguments)) => generate::run(&arguments),
            Some(Command::Encode(arguments)) => convert::encode(&arguments),
            Some(Command::Decode(arguments)) => convert::decode(&arguments),
            Some(Command::Channels(arguments)) => convert::channels(&arguments),
            Some(Command::Inspect { paths, json }) => inspect::run(&paths, json),
            Some(Command::Bench { engine, steps, instructions, json }) => {
                bench::run(&engine, steps, instructions.as_deref(), json)
            }
        };
        match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                output::error(&error);
                ExitCode::FAILURE
            }
        }
    }
}
