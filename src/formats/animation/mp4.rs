//! MP4 by the program ffmpeg, which gets the frames through a pipe.

use std::io::{BufRead, BufReader, ErrorKind, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::{AnimationError, AnimationFrame, AnimationSettings, Frames};
use crate::formats::atomic::write_atomically_by_path;
use crate::formats::metadata::a1111;

/// The name of the program.
const FFMPEG: &str = if cfg!(windows) { "ffmpeg.exe" } else { "ffmpeg" };
/// Quality of the video, 0 (lossless) to 51: 18 is said to be hard to tell from the source.
const QUALITY: &str = "18";
/// Letters of what ffmpeg says that a message takes over.
const MAX_SAID: usize = 300;

/// Whether ffmpeg is on the `PATH`.
pub fn has_ffmpeg() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| !folder.as_os_str().is_empty() && folder.join(FFMPEG).is_file())
}

pub(super) fn write(
    path: &Path,
    settings: &AnimationSettings<'_>,
    frames: &mut Frames<'_>,
) -> Result<(), AnimationError> {
    let mut failed = None;
    let written = write_atomically_by_path(path, |temporary| {
        encode(temporary, settings, frames).map_err(|error| match error {
            AnimationError::Io(error) => error,
            error => {
                failed = Some(error);
                ErrorKind::Other.into()
            }
        })
    });
    match failed {
        Some(error) => Err(error),
        None => Ok(written?),
    }
}

/// The process, which does not outlive an error of the frames.
struct Encoder {
    process: Child,
    has_ended: bool,
}

impl Drop for Encoder {
    fn drop(&mut self) {
        if !self.has_ended {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}

fn encode(
    path: &Path,
    settings: &AnimationSettings<'_>,
    frames: &mut Frames<'_>,
) -> Result<(), AnimationError> {
    let process = command(path, settings).spawn().map_err(|error| match error.kind() {
        ErrorKind::NotFound => AnimationError::NoFfmpeg,
        _ => AnimationError::Ffmpeg { reason: error.to_string() },
    })?;
    let mut encoder = Encoder { process, has_ended: false };
    let reads = std::thread::Builder::new().name("safelight-ffmpeg".to_owned());
    let said = encoder.process.stderr.take().map(|said| reads.spawn(|| last_line(BufReader::new(said))));
    let said = said.transpose()?;
    let mut input = encoder.process.stdin.take();
    let (mut shown_millis, mut shown_frames) = (0u64, 0u64);
    for frame in frames {
        let AnimationFrame { picture, millis } = frame?;
        shown_millis += u64::from(millis);
        // Rounded from the beginning, so that the whole takes as long as it should.
        let until = (shown_millis * u64::from(settings.frames_per_second) + 500) / 1000;
        let count = until.saturating_sub(shown_frames).max(1);
        shown_frames += count;
        let mut write =
            || (0..count).try_for_each(|_| input.as_mut().map_or(Ok(()), |i| i.write_all(picture.rgb())));
        if write().is_err() {
            // It has ended, and has said why.
            break;
        }
    }
    // The end of the frames.
    drop(input);
    let status = encoder.process.wait()?;
    encoder.has_ended = true;
    if status.success() {
        return Ok(());
    }
    let said = said.and_then(|thread| thread.join().ok()).unwrap_or_default();
    let reason = if said.is_empty() { status.to_string() } else { said };
    Err(AnimationError::Ffmpeg { reason })
}

fn command(path: &Path, settings: &AnimationSettings<'_>) -> Command {
    let [width, height] = settings.size;
    let mut command = Command::new(FFMPEG);
    command.args(["-hide_banner", "-loglevel", "error", "-nostats", "-y"]);
    command.args(["-f", "rawvideo", "-pix_fmt", "rgb24"]);
    command.args(["-s", &format!("{width}x{height}"), "-r", &settings.frames_per_second.to_string()]);
    command.args(["-i", "pipe:0", "-an", "-c:v", "libx264", "-preset", "medium", "-crf", QUALITY]);
    // Four colours of two by two pixels become one: every player can show it.
    command.args(["-vf", "scale=out_color_matrix=bt709:out_range=tv", "-pix_fmt", "yuv420p"]);
    command.args(["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"]);
    // The index before the frames, so that a player begins before it has the whole file.
    command.args(["-movflags", "+faststart"]);
    if let Some(facts) = settings.facts {
        command.args(["-metadata", &format!("comment={}", a1111::write(facts).replace('\0', " "))]);
    }
    // The name of the temporary file says nothing of its format, and a protocol keeps odd names from being options.
    let mut file = std::ffi::OsString::from("file:");
    file.push(path);
    command.args(["-f", "mp4"]).arg(file);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// The last line that is not empty; all are read, so that the process does not wait.
fn last_line(mut said: impl BufRead) -> String {
    let (mut last, mut line) = (String::new(), Vec::new());
    while said.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        let text = String::from_utf8_lossy(&line);
        if !text.trim().is_empty() {
            last = text.trim().chars().take(MAX_SAID).collect();
        }
        line.clear();
    }
    last
}
