//! Safelight's program: chooses between the window and the command line.

use std::process::ExitCode;

use safelight::cli::Arguments;

// The networks allocate every activation: the system's allocator would map and unmap each.
#[cfg(not(target_vendor = "apple"))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // The fonts' library warns of every plain locale ("C"), which is none of the person's business; why no window
    // could be opened is said in our own words.
    let filter = "warn,egui_system_font_provider=error,eframe::native::run=off";
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or(filter)).init();
    let arguments = match Arguments::from_command_line() {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    let Some(files) = arguments.window_files() else {
        return arguments.run();
    };
    match safelight::app::run(files) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
