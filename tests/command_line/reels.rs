//! `safelight reel`: the development of kept runs as animations and sheets.

use std::path::Path;
use std::process::Command;

use image::AnimationDecoder as _;
use safelight::formats::metadata::read_facts;
use safelight::request::Seed;
use safelight::store::history::RunId;

use crate::common::program::text;
use crate::kept_runs::{Kept, pixels};
use crate::small_model::{error_of, names_in};

/// The frames of an animated PNG, and their times in milliseconds.
fn frames_of(path: &Path) -> Vec<(Vec<u8>, u32)> {
    let file = std::io::BufReader::new(std::fs::File::open(path).unwrap());
    let decoder = image::codecs::png::PngDecoder::new(file).unwrap().apng().unwrap();
    let frame = |frame: image::Frame| {
        let (numerator, denominator) = frame.delay().numer_denom_ms();
        let rgb = image::DynamicImage::ImageRgba8(frame.into_buffer()).into_rgb8().into_raw();
        (rgb, numerator / denominator)
    };
    decoder.into_frames().collect_frames().unwrap().into_iter().map(frame).collect()
}

#[test]
fn the_development_of_a_run_ends_on_its_picture() {
    let kept = Kept::new();
    let run = kept.generate(&["--steps", "4"]);
    let file = |name: &str| kept.file(name);
    let picture = pixels(&file("generated.png"));
    let animation = file("a.png");
    let told = kept.run(&["reel", "last", "--output", text(&animation)]);
    assert_eq!((&told["run"], &told["steps"]), (&run.as_str().into(), &4.into()), "{told}");
    assert_eq!((&told["frames"], &told["size"]), (&81.into(), &serde_json::json!([32, 32])), "{told}");
    let frames = frames_of(&animation);
    assert_eq!((frames.len(), frames.iter().map(|(_, millis)| millis).sum::<u32>()), (81, 5500));
    assert_eq!((&frames[80].0, frames[80].1), (&picture, 1500));
    assert_eq!(read_facts(&animation).unwrap().seed, Some(Seed(3)));

    // Every other kind, and the sheet with one of them.
    for name in ["b.webp", "b.gif", "b.apng"] {
        kept.run(&["reel", run.as_str(), "--output", text(&file(name)), "--seconds", "1", "--hold", "0.2"]);
        assert!(image::open(file(name)).is_ok() || name == "b.apng");
    }
    assert_eq!(frames_of(&file("b.apng")).len(), 21);
    let (frames, sheet) = (file("frames"), file("sheet"));
    let told = kept.run(&[
        "reel",
        run.as_str(),
        "--output",
        text(&frames),
        "--sheet",
        text(&sheet),
        "--easing",
        "none",
        "--scale",
        "0.5",
        "--no-metadata",
    ]);
    assert_eq!((&told["frames"], &told["size"]), (&5.into(), &serde_json::json!([16, 16])), "{told}");
    assert_eq!(names_in(&frames).len(), 6);
    let sheet = file("sheet.png");
    assert_eq!(told["sheet"], text(&sheet));
    assert!(image::open(&sheet).unwrap().width() >= 512 && read_facts(&sheet).is_none());
    kept.run(&["reel", run.as_str(), "--sheet", text(&sheet)]);
    assert_eq!(read_facts(&sheet).unwrap().steps, Some(4));
}

#[test]
fn true_decodes_are_those_of_each_step() {
    let kept = Kept::new();
    let run = kept.generate(&["--steps", "3"]);
    let animation = kept.file("a.png");
    let arguments =
        ["reel", run.as_str(), "--output", text(&animation), "--show", "decoded", "--easing", "none"];
    kept.run(&arguments);
    let frames = frames_of(&animation);
    assert_eq!(frames.len(), 4);
    for step in 1..=3 {
        let file = kept.file("step.png");
        kept.run(&["runs", "export", run.as_str(), "--step", &step.to_string(), "--output", text(&file)]);
        assert_eq!(frames[step - 1].0, pixels(&file), "{step}");
    }
    assert_eq!(frames[3].0, pixels(&kept.file("generated.png")));
}

#[test]
fn what_cannot_be_saved_is_said_and_leaves_nothing() {
    let kept = Kept::new();
    let refused = |arguments: &[&str]| kept.refused(&[&["reel"], arguments].concat());
    assert!(refused(&["last", "--output", "a.gif"]).contains("no run is kept"));
    let run = kept.generate(&["--steps", "2"]);
    let before = names_in(kept.file("").as_path());
    let path = |name: &str| text(&kept.file(name)).to_owned();
    for (arguments, said) in [
        (vec!["--output".to_owned(), path("a.mov")], "use .webp, .gif, .png or .mp4"),
        (vec!["--output".into(), path("no/a.gif")], "choose a folder that exists"),
        (vec!["--output".into(), path("runs")], "is not empty: choose a new one"),
        (vec!["--output".into(), path(".gif")], "no name before the extension"),
        (vec!["--sheet".into(), path("a.gif")], "use .png, .jpg or .webp"),
        (vec!["--sheet".into(), path("a.png"), "--output".into(), path("a.png")], "written twice"),
        (
            vec!["--sheet".into(), path("a.png"), "--format".into(), "gif".into()],
            "name its file with --output",
        ),
        (vec!["--output".into(), path("a.gif"), "--preview".into(), "patch".into()], "use --preview linear"),
        (
            vec![
                "--output".into(),
                path("a.gif"),
                "--show".into(),
                "decoded".into(),
                "--model".into(),
                path("gone"),
            ],
            "gone",
        ),
    ] {
        let mut all = vec![run.as_str()];
        all.extend(arguments.iter().map(String::as_str));
        let error = refused(&all);
        assert!(error.contains(said), "{arguments:?}: {error}");
    }
    for (option, value) in [
        ("--seconds", "0"),
        ("--hold", "61"),
        ("--fps", "51"),
        ("--edge", "0"),
        ("--scale", "1.5"),
        ("--show", "x"),
    ] {
        let output = crate::common::program::safelight(&["reel", "last", "--output", "a.gif", option, value]);
        assert_eq!(output.status.code(), Some(2), "{option}: {}", error_of(&output));
    }
    assert_eq!(names_in(kept.file("").as_path()), before);
    std::fs::remove_file(kept.history().folder(&run).join("steps.bin")).unwrap();
    let error = refused(&[run.as_str(), "--output", &path("a.gif")]);
    assert!(error.contains("damaged") || error.contains("removed to save space"), "{error}");
}

/// A run with an animation of this command, with this `PATH` and this folder to record in.
#[cfg(unix)]
fn video(kept: &Kept, run: &RunId, path: &Path, record: &Path) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_safelight"))
        .args(["reel", run.as_str(), "--runs", text(&kept.root()), "--output", text(&kept.file("a.mp4"))])
        .args(["--seconds", "1", "--hold", "0.5", "--fps", "10", "--scale", "0.49"])
        .env("PATH", path)
        .env("RECORD", record)
        .output()
        .unwrap()
}

/// A program in the place of ffmpeg.
#[cfg(unix)]
fn fake_ffmpeg(folder: &Path, script: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let file = folder.join("ffmpeg");
    std::fs::write(&file, format!("#!/bin/sh\n{script}")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[cfg(unix)]
#[test]
fn a_video_is_what_ffmpeg_makes_of_the_frames() {
    let kept = Kept::new();
    let run = kept.generate(&["--steps", "2"]);
    let folder = tempfile::tempdir().unwrap();
    let output = video(&kept, &run, Path::new(""), folder.path());
    let error = error_of(&output);
    assert_eq!((output.status.code(), error.lines().count()), (Some(1), 1), "{error}");
    assert!(error.contains("ffmpeg, which is not installed") && error.contains("choose WebP"), "{error}");

    fake_ffmpeg(
        folder.path(),
        "printf '%s\\n' \"$@\" > \"$RECORD/arguments\"\n/bin/cat > \"$RECORD/input\"\n\
         for last; do :; done\nprintf video > \"${last#file:}\"\n",
    );
    let output = video(&kept, &run, folder.path(), folder.path());
    assert!(output.status.success(), "{}", error_of(&output));
    assert_eq!(std::fs::read(kept.file("a.mp4")).unwrap(), b"video");
    let arguments = std::fs::read_to_string(folder.path().join("arguments")).unwrap();
    let arguments: Vec<&str> = arguments.lines().collect();
    let value = |option: &str| arguments[arguments.iter().position(|word| *word == option).unwrap() + 1];
    // 32 pixels times 0.49 are 16, and an edge is even.
    assert_eq!((value("-s"), value("-r"), value("-i")), ("16x16", "10", "pipe:0"));
    assert_eq!((value("-c:v"), value("-movflags")), ("libx264", "+faststart"));
    assert!(arguments.windows(2).any(|pair| pair == ["-pix_fmt", "yuv420p"]), "{arguments:?}");
    assert!(arguments.iter().any(|word| word.starts_with("comment=a fox")), "{arguments:?}");
    // A second of ten frames, and the last picture for half a second.
    let input = std::fs::read(folder.path().join("input")).unwrap();
    let frame = 16 * 16 * 3;
    assert_eq!(input.len(), 15 * frame);
    let last = &input[14 * frame..];
    assert!((10..14).all(|at| &input[at * frame..][..frame] == last), "the last picture stands");
    assert_ne!(&input[9 * frame..][..frame], last);

    // One that fails says why, and the older file stays.
    fake_ffmpeg(folder.path(), "echo 'first line' >&2\necho \"Unknown encoder 'libx264'\" >&2\nexit 1\n");
    let output = video(&kept, &run, folder.path(), folder.path());
    let error = error_of(&output);
    assert_eq!((output.status.code(), error.lines().count()), (Some(1), 1), "{error}");
    assert!(error.contains("Unknown encoder 'libx264'") && !error.contains("first line"), "{error}");
    assert_eq!(std::fs::read(kept.file("a.mp4")).unwrap(), b"video");
    assert!(names_in(kept.file("").as_path()).iter().all(|name| !name.contains("tmp")));
}

#[cfg(unix)]
#[test]
fn a_signal_leaves_nothing_of_a_long_animation() {
    use std::time::{Duration, Instant};
    let kept = Kept::new();
    let run = kept.generate(&["--steps", "2"]);
    let folder = kept.file("reels");
    std::fs::create_dir(&folder).unwrap();
    let file = folder.join("a.gif");
    let child = crate::endings::program_with_default_signals()
        .args(["reel", run.as_str(), "--runs", text(&kept.root()), "--output", text(&file)])
        .args(["--seconds", "600", "--fps", "50"])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let since = Instant::now();
    while names_in(&folder).is_empty() {
        assert!(since.elapsed() < Duration::from_mins(1), "nothing is written");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(!file.exists());
    let kill = Command::new("kill").args(["-s", "INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", error_of(&output));
    assert!(names_in(&folder).is_empty(), "{:?}", names_in(&folder));
}
