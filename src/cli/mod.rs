//! The same engine without a window, for scripts and tests.
//!
//! What cannot work is refused before the work: values by `numbers`, files by `outputs`. Then everything is written
//! as soon as it is there, and one failure takes nothing else with it: a batch goes on, every input is reported, and
//! the exit code is 1 if anything failed. Signals end the program between two files.

mod bench;
mod convert;
mod generate;
mod inspect;
mod numbers;
mod output;
mod outputs;
mod run;
mod signals;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::catalog::{ModelSource, SamplerKind, ScheduleKind};
use crate::engine::EngineSettings;
use crate::request::{DeviceChoice, DtypeChoice, Seed, TileChoice};
use output::Output;

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
        #[arg(long, default_value_t = 10, allow_hyphen_values = true, value_parser = numbers::steps)]
        steps: usize,
        /// Keep to these instructions of a processor: baseline, avx2, avx512 or avx512-bf16 [default: the widest it has].
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
    #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = numbers::threads)]
    threads: Option<usize>,
}

impl EngineArguments {
    fn choice(&self) -> ModelSource {
        ModelSource::from_argument(&self.model)
    }

    fn settings(&self) -> EngineSettings {
        EngineSettings {
            device: self.device,
            dtype: self.dtype,
            tiles: self.tiles,
            threads: self.threads,
            instructions: None,
        }
    }
}

#[derive(Clone, Debug, Args)]
struct GenerateArguments {
    /// What to draw.
    #[arg(long, allow_hyphen_values = true)]
    prompt: String,
    /// What to avoid.
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    negative_prompt: String,
    #[command(flatten)]
    engine: EngineArguments,
    /// Width [default: the model's].
    #[arg(long, value_name = "PX", allow_hyphen_values = true, value_parser = numbers::edge)]
    width: Option<usize>,
    /// Height [default: the model's].
    #[arg(long, value_name = "PX", allow_hyphen_values = true, value_parser = numbers::edge)]
    height: Option<usize>,
    /// Sampling steps [default: the model's].
    #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = numbers::steps)]
    steps: Option<usize>,
    /// Classifier-free guidance scale, 1 or less for none [default: the model's].
    #[arg(long, value_name = "F", allow_hyphen_values = true, value_parser = numbers::guidance_scale)]
    guidance_scale: Option<f64>,
    /// The first picture's seed, -1 for a random one [default: random].
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    seed: Option<Seed>,
    /// Pictures, with consecutive seeds; their names are numbered.
    #[arg(long, default_value_t = 1, value_name = "N", allow_hyphen_values = true, value_parser = numbers::batch)]
    batch: usize,
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
    #[arg(long, default_value_t = 0.75, value_name = "F", allow_hyphen_values = true, value_parser = numbers::strength)]
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

    /// What was typed. Otherwise the exit code: help and version were printed, or what is wrong was.
    pub fn from_command_line() -> Result<Self, ExitCode> {
        Self::try_parse().map_err(|typed| {
            let printed = typed.print();
            if typed.use_stderr() {
                return ExitCode::from(typed.exit_code() as u8);
            }
            let done = match printed {
                Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                    Err(anyhow::Error::from(error)
                        .context("the help could not be printed on standard output"))
                }
                _ => Ok(()),
            };
            Output::default().exit_code(done)
        })
    }

    /// Carries the command out. The exit code is 0 only when it succeeded.
    pub fn run(self) -> ExitCode {
        signals::watch();
        let mut output = Output::default();
        let done = match self.command {
            None => Ok(()),
            Some(Command::Generate(arguments)) => generate::run(&arguments, &mut output),
            Some(Command::Encode(arguments)) => convert::encode(&arguments, &mut output),
            Some(Command::Decode(arguments)) => convert::decode(&arguments, &mut output),
            Some(Command::Channels(arguments)) => convert::channels(&arguments, &mut output),
            Some(Command::Inspect { paths, json }) => inspect::run(&paths, json, &mut output),
            Some(Command::Bench { engine, steps, instructions, json }) => {
                bench::run(&engine, steps, instructions.as_deref(), json, &mut output)
            }
        };
        output.exit_code(done)
    }
}
