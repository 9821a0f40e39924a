//! Safelight's program: chooses between the window and the command line.

use std::process::ExitCode;

use clap::Parser;
use safelight::cli::Arguments;

// The networks allocate every activation: the system's allocator would map and unmap each.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("warn")).init();
    let arguments = Arguments::parse();
    if !arguments.wants_window() {
        return arguments.run();
    }
    match safelight::app::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
