//! The real program, without its window.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use std::process::{Command, Output};

fn safelight(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_safelight")).args(arguments).output().unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[track_caller]
fn fails_with(arguments: &[&str], sentence: &str) {
    let output = safelight(arguments);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && output.stdout.is_empty(), "{arguments:?}");
    assert!(error.contains(sentence), "{error}");
    assert!(!error.contains("panicked"), "{error}");
}

#[test]
fn the_same_seed_is_the_same_file_and_its_latent_decodes_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second, again] = ["a.png", "b.png", "c.png"].map(|name| folder.path().join(name));
    let latent = folder.path().join("a.latent");
    let run = |output: &Path, more: &[&str]| {
        let mut arguments =
            vec!["generate", "--prompt", "green hills", "--steps", "3", "--seed", "5", "--json"];
        arguments.extend(["--output", text(output)]);
        arguments.extend(more);
        let output = safelight(&arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let answer: serde_json::Value =
        serde_json::from_slice(&run(&first, &["--save-latent", text(&latent)])).unwrap();
    assert_eq!((answer["seed"].as_u64(), answer["width"].as_u64()), (Some(5), Some(128)));
    run(&second, &[]);
    assert_eq!(std::fs::read(&first).unwrap(), std::fs::read(&second).unwrap());
    let facts = safelight::formats::metadata::read_facts(&first).unwrap();
    assert_eq!((facts.prompt.as_deref(), facts.steps), (Some("green hills"), Some(3)));

    assert!(safelight(&["decode", text(&latent), "--output", text(&again)]).status.success());
    let pixels = |path: &Path| image::open(path).unwrap().to_rgb8();
    assert_eq!(pixels(&again), pixels(&first));
}

#[test]
fn a_picture_is_encoded_and_everything_is_inspected() {
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("p.png");
    image::RgbImage::from_fn(70, 64, |x, y| image::Rgb([x as u8 * 3, y as u8 * 3, 90]))
        .save(&picture)
        .unwrap();
    let latent = folder.path().join("p.latent");
    let encoded = safelight(&["encode", text(&picture), "--output", text(&latent), "--json"]);
    assert!(encoded.status.success(), "{}", String::from_utf8_lossy(&encoded.stderr));
    let answer: serde_json::Value = serde_json::from_slice(&encoded.stdout).unwrap();
    assert_eq!(answer["shape"], serde_json::json!([4, 8, 8]));
    let inspected = safelight(&["inspect", "--json", "builtin", text(&picture), text(&latent)]);
    let kinds: Vec<String> = String::from_utf8(inspected.stdout)
        .unwrap()
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["kind"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(kinds, ["model", "picture", "latent"]);
}

#[test]
fn the_channels_of_a_latent_and_of_a_picture_become_the_same_sheet() {
    let folder = tempfile::tempdir().unwrap();
    let [picture, latent, sheet, again] =
        ["p.png", "p.latent", "sheet.png", "again.png"].map(|name| folder.path().join(name));
    image::RgbImage::from_fn(64, 64, |x, y| image::Rgb([x as u8 * 3, y as u8 * 3, 90]))
        .save(&picture)
        .unwrap();
    assert!(safelight(&["encode", text(&picture), "--output", text(&latent)]).status.success());
    let drawn = safelight(&["channels", text(&picture), "--output", text(&sheet), "--json"]);
    assert!(drawn.status.success(), "{}", String::from_utf8_lossy(&drawn.stderr));
    let answer: serde_json::Value = serde_json::from_slice(&drawn.stdout).unwrap();
    assert_eq!(answer["shape"], serde_json::json!([4, 8, 8]));
    assert!(safelight(&["channels", text(&latent), "--output", text(&again)]).status.success());
    let [sheet, again] = [sheet, again].map(|path| image::open(path).unwrap().to_rgb8());
    assert_eq!(answer["width"].as_u64(), Some(u64::from(sheet.width())));
    // Under the titles, which are the files' names.
    let body = |sheet: &image::RgbImage| sheet.rows().skip(100).flatten().copied().collect::<Vec<_>>();
    assert_eq!(body(&sheet), body(&again));
}

#[test]
fn bf16_matrices_draw_nearly_the_same_picture() {
    let folder = tempfile::tempdir().unwrap();
    let drawn = ["f32", "bf16"].map(|dtype| {
        let path = folder.path().join(format!("{dtype}.png"));
        let mut arguments =
            vec!["generate", "--prompt", "green hills at noon", "--steps", "6", "--seed", "5"];
        arguments.extend(["--dtype", dtype, "--output", text(&path)]);
        assert!(safelight(&arguments).status.success());
        image::open(&path).unwrap().to_rgb8()
    });
    let distance = |a: &u8, b: &u8| f64::from(a.abs_diff(*b));
    let mean = drawn[0].iter().zip(drawn[1].iter()).map(|(a, b)| distance(a, b)).sum::<f64>()
        / drawn[0].len() as f64;
    // Equal where the processor has no bf16 products.
    assert!(mean < 6.0, "{mean}");
}

#[test]
fn image_to_image_begins_at_the_source() {
    let folder = tempfile::tempdir().unwrap();
    let (source, output) = (folder.path().join("s.png"), folder.path().join("o.png"));
    image::RgbImage::from_pixel(128, 128, image::Rgb([210, 40, 40])).save(&source).unwrap();
    let mut arguments =
        vec!["generate", "--prompt", "", "--steps", "10", "--seed", "1", "--guidance-scale", "1"];
    arguments.extend(["--init-image", text(&source), "--strength", "0.2", "--output", text(&output)]);
    assert!(safelight(&arguments).status.success());
    let drawn = image::open(&output).unwrap().to_rgb8();
    let mean = |k: usize| drawn.pixels().map(|p| f64::from(p.0[k])).sum::<f64>() / (128.0 * 128.0);
    assert!(mean(0) > mean(1) + 40.0 && mean(0) > mean(2) + 40.0, "{} {} {}", mean(0), mean(1), mean(2));
}

#[test]
fn what_cannot_be_done_is_said_in_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("x.png");
    let generate = |more: &[&'static str]| {
        let mut arguments = vec!["generate", "--prompt", "x", "--steps", "1", "--output"];
        arguments.push(Box::leak(text(&output).to_owned().into_boxed_str()));
        arguments.extend(more);
        arguments
    };
    fails_with(&generate(&["--model", "/nowhere"]), "there is no folder /nowhere");
    fails_with(&generate(&["--width", "100"]), "must be multiples of");
    fails_with(&generate(&["--sampler", "magic"]), "is not a sampler");
    fails_with(&generate(&["--device", "cuda"]), "this build has no CUDA");
    fails_with(&["generate", "--prompt", "x", "--output", "x.gif"], "use .png, .jpg or .webp");
    fails_with(
        &["generate", "--prompt", "x", "--steps", "1", "--output", "/nowhere/x.png"],
        "/nowhere/x.png",
    );
    fails_with(&["inspect", "/nowhere"], "No such file or folder: /nowhere");
    assert!(!output.exists());
}

/// A small Stable Diffusion 1, whose pictures take milliseconds.
const SMALL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/sd1");

/// `generate` with the small model and one step.
fn generate<'a>(output: &'a Path, more: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec!["generate", "--output", text(output)];
    for (option, value) in [("--model", SMALL), ("--prompt", "a fox"), ("--steps", "1"), ("--seed", "3")] {
        if !more.contains(&option) {
            arguments.extend([option, value]);
        }
    }
    arguments.extend(more);
    arguments
}

fn error_of(output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!error.contains("panicked") && !error.contains(".safelight-"), "{error}");
    error
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The small model with a value of a part's weights that is no number: `tensor` of `part`.
fn small_model_with_nan(folder: &Path, part: &str, tensor: &str) -> std::path::PathBuf {
    fn copy(from: &Path, to: &Path) {
        std::fs::create_dir(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path()) {
            let target = to.join(entry.file_name().unwrap());
            if entry.is_dir() {
                copy(&entry, &target)
            } else {
                std::fs::copy(&entry, &target).map(drop).unwrap()
            }
        }
    }
    let model = folder.join("model");
    copy(Path::new(SMALL), &model);
    let weights = model.join(part).join("diffusion_pytorch_model.safetensors");
    let mut bytes = std::fs::read(&weights).unwrap();
    let (offset, length) = {
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let data = tensors.tensor(tensor).unwrap().data();
        (data.as_ptr() as usize - bytes.as_ptr() as usize, data.len())
    };
    bytes[offset..offset + length].fill(0xff);
    std::fs::write(&weights, bytes).unwrap();
    model
}

#[test]
fn outputs_are_checked_before_the_model_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::create_dir(folder.path().join("sub")).unwrap();
    std::fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/files/plain.bmp"), path("in.png"))
        .unwrap();
    std::fs::write(folder.path().join("old"), "old").unwrap();
    let before = names_in(folder.path());
    let nowhere = path("nowhere/a.png");
    let generated: [(&[&str], &str); 13] = [
        (&["--output", &nowhere], &nowhere),
        (&["--output", &path("in.png/a.png")], "in.png/a.png"),
        (&["--output", &path("sub")], "not a folder"),
        (&["--output", &path("sub/")], "not a folder"),
        (&["--output", &path("sub/.png")], "sub/.png"),
        (&["--output", "-"], "‘-’"),
        (&["--output", &path("old")], "is there already"),
        (&["--output", &path("a.png"), "--save-latent", &path("sub")], "not a folder"),
        (&["--output", &path("a.png"), "--save-latent", &path("a.png")], "use the extension .latent"),
        (&["--output", &path("a.png"), "--save-latent", &path("b.npy")], "use the extension .latent"),
        (&["--output", &path("in.png"), "--init-image", &path("in.png")], "is read"),
        (&["--output", &path("./sub/../in.png"), "--init-image", &path("in.png")], "is read"),
        (&["--output", &path("x.gif")], "use .png, .jpg or .webp"),
    ];
    for (more, sentence) in generated {
        let mut arguments = vec!["generate", "--model", "/no model", "--prompt", "x"];
        arguments.extend(more);
        fails_with(&arguments, sentence);
    }
    for (command, to) in
        [("encode", "in.png"), ("encode", "nowhere/x.latent"), ("channels", "in.png"), ("encode", "x.png")]
    {
        let (input, to) = (path("in.png"), path(to));
        fails_with(&[command, &input, "--model", "/no model", "--output", &to], &to);
    }
    fails_with(&["decode", "/no latent", "--output", &nowhere], &nowhere);
    assert_eq!(names_in(folder.path()), before);
    assert_eq!(names_in(&folder.path().join("sub")), [""; 0]);
}

#[test]
fn a_failed_decode_leaves_the_latent_and_a_batch_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let model = small_model_with_nan(folder.path(), "vae", "decoder.conv_out.bias");
    let (picture, latent) = (folder.path().join("a.png"), folder.path().join("l.latent"));
    let more = ["--model", text(&model), "--batch", "2", "--save-latent", text(&latent), "--json"];
    let output = safelight(&generate(&picture, &more));
    let error = error_of(&output);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{error}");
    assert!(error.contains("l-1.latent") && error.contains("l-2.latent"), "{error}");
    assert!(error.ends_with("2 of 2 pictures failed\n"), "{error}");
    assert_eq!(names_in(folder.path()), ["l-1.latent", "l-2.latent", "model"]);

    // Without a name for it, it is kept beside the picture.
    let output = safelight(&generate(&picture, &["--model", text(&model)]));
    let error = error_of(&output);
    assert!(output.status.code() == Some(1) && error.contains("a.latent"), "{error}");
    let kept = folder.path().join("a.latent");
    let decoded = safelight(&["decode", text(&kept), "--model", SMALL, "--output", text(&picture)]);
    assert!(decoded.status.success(), "{}", error_of(&decoded));
    let direct = folder.path().join("direct.png");
    assert!(safelight(&generate(&direct, &[])).status.success());
    let pixels = |path: &Path| image::open(path).unwrap().to_rgb8();
    assert_eq!(pixels(&picture), pixels(&direct));
}

#[test]
fn a_latent_that_cannot_be_saved_takes_no_picture_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let (picture, latent) = (folder.path().join("a.png"), folder.path().join("nowhere").join("l.latent"));
    let output = safelight(&generate(&picture, &["--save-latent", text(&latent), "--json"]));
    let error = error_of(&output);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains(text(&latent)) && error.lines().count() == 1, "{error}");
    assert_eq!(names_in(folder.path()), ["a.latent", "a.png"]);
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["latent"], text(&folder.path().join("a.latent")));
}

#[test]
fn every_latent_of_a_file_is_decoded() {
    let folder = tempfile::tempdir().unwrap();
    let shape = vec![3, 4, 8, 8];
    let values: Vec<u8> = (0..3 * 4 * 8 * 8).flat_map(|i| (i as f32 / 400.0).to_le_bytes()).collect();
    let batch = folder.path().join("batch.latent");
    let write = |values: &[u8]| {
        let view =
            safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.clone(), values).unwrap();
        std::fs::write(&batch, safetensors::serialize([("latent_tensor", view)], None).unwrap()).unwrap();
    };
    write(&values);
    let picture = folder.path().join("a.png");
    let decode = ["decode", text(&batch), "--model", SMALL, "--output", text(&picture), "--json"];
    let output = safelight(&decode);
    assert!(output.status.success(), "{}", error_of(&output));
    assert_eq!(names_in(folder.path()), ["a-1.png", "a-2.png", "a-3.png", "batch.latent"]);
    let answers: Vec<serde_json::Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let told: Vec<_> = answers.iter().map(|a| (a["latent"].as_u64(), a["latents"].as_u64())).collect();
    assert_eq!(told, [1, 2, 3].map(|number| (Some(number), Some(3))));
    assert_eq!(answers[2]["output"], text(&folder.path().join("a-3.png")));
    let [first, last] = ["a-1.png", "a-3.png"].map(|name| std::fs::read(folder.path().join(name)).unwrap());
    assert_ne!(first, last);

    // One that is damaged takes no other with it, and is told by its file's name.
    let mut damaged = values;
    damaged[4 * 8 * 8 * 4..4 * 8 * 8 * 4 + 4].fill(0xff);
    write(&damaged);
    for name in ["a-1.png", "a-2.png", "a-3.png"] {
        std::fs::remove_file(folder.path().join(name)).unwrap();
    }
    let output = safelight(&decode);
    let error = error_of(&output);
    assert_eq!((output.status.code(), names_in(folder.path()).len()), (Some(1), 3), "{error}");
    assert!(error.contains("batch.latent: latent 2 of 3: ") && error.contains("1 of 3 latents"), "{error}");
    assert!(!folder.path().join("a-2.png").exists());

    // The figures are of every latent, and name the one that is damaged.
    let output = safelight(&["inspect", "--json", text(&batch)]);
    let facts: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = facts["channels"].as_array().unwrap();
    let damaged: Vec<_> = rows.iter().filter(|row| row["not finite"] != 0).collect();
    assert_eq!((rows.len(), damaged.len()), (12, 1));
    assert_eq!((&damaged[0]["latent"], &damaged[0]["channel"]), (&2.into(), &0.into()));
    // Its channels are drawn, and what is no number in them is said.
    let values = [&[0xff; 4][..], &[0; 4 * 8 * 8 * 4 - 4]].concat();
    let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![1, 4, 8, 8], &values);
    let one = safetensors::serialize([("latent_tensor", view.unwrap())], None).unwrap();
    std::fs::write(&batch, one).unwrap();
    let output = safelight(&["channels", text(&batch), "--model", SMALL, "--output", text(&picture)]);
    let error = error_of(&output);
    assert!(output.status.success() && error.contains("1 of the latent's 256 values are NaN"), "{error}");
}

#[test]
fn every_input_is_reported_and_one_that_failed_is_in_the_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let [good, broken, other] = ["good.png", "broken.png", "other.png"].map(|name| folder.path().join(name));
    image::RgbImage::new(8, 8).save(&good).unwrap();
    image::RgbImage::new(8, 8).save(&other).unwrap();
    let whole = std::fs::read(&good).unwrap();
    std::fs::write(&broken, &whole[..40]).unwrap();
    let absent = folder.path().join("absent.latent");
    let output = safelight(&["inspect", text(&good), text(&broken), text(&absent), SMALL, text(&other)]);
    let (printed, error) = (String::from_utf8(output.stdout.clone()).unwrap(), error_of(&output));
    assert_eq!(output.status.code(), Some(1));
    for name in [text(&good), text(&other), SMALL] {
        assert!(printed.contains(name) && !error.contains(name), "{name}: {printed}{error}");
    }
    for path in [&broken, &absent] {
        assert!(error.contains(text(path)) && !printed.contains(text(path)), "{printed}{error}");
    }
    assert!(error.ends_with("2 of 5 inputs could not be read\n"), "{error}");
    // Each only by its own sentence.
    assert_eq!(error.matches(text(&broken)).count(), 1, "{error}");
}

#[cfg(unix)]
#[test]
fn a_reader_that_goes_away_ends_nothing_but_the_printing() {
    use std::process::Stdio;
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("p.png");
    let closed = |arguments: &[&str], errors_too: bool| {
        let (stdin, out) = std::io::pipe().unwrap();
        let (other, err) = std::io::pipe().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_safelight"));
        command.args(arguments).stdout(out).stderr(if errors_too {
            Stdio::from(err)
        } else {
            Stdio::piped()
        });
        drop((stdin, other));
        command.spawn().unwrap().wait_with_output().unwrap()
    };
    let output = closed(&generate(&picture, &["--batch", "3", "--json"]), false);
    assert_eq!((output.status.code(), error_of(&output).as_str()), (Some(0), ""));
    assert_eq!(names_in(folder.path()), ["p-1.png", "p-2.png", "p-3.png"]);
    let first = folder.path().join("p-1.png");
    for arguments in
        [&["inspect", text(&first), text(&first)][..], &["--help"], &["--version"], &["generate", "--help"]]
    {
        let output = closed(arguments, false);
        assert_eq!((output.status.code(), error_of(&output).as_str()), (Some(0), ""), "{arguments:?}");
    }
    // Nobody listens at all.
    assert_eq!(closed(&["inspect", "/no such file"], true).status.code(), Some(1));
    assert_eq!(closed(&["inspect", text(&first)], true).status.code(), Some(0));
    assert_eq!(closed(&["generate", "--nonsense"], true).status.code(), Some(2));
    let model = small_model_with_nan(folder.path(), "vae", "decoder.conv_out.bias");
    let arguments = generate(&picture, &["--model", text(&model)]);
    assert_eq!(closed(&arguments, true).status.code(), Some(1));
}

#[cfg(target_os = "linux")]
#[test]
fn standard_output_that_is_full_is_told_in_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("p.png");
    let full = |arguments: &[&str]| {
        let out = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let output =
            Command::new(env!("CARGO_BIN_EXE_safelight")).args(arguments).stdout(out).output().unwrap();
        let error = error_of(&output);
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains("standard output") && error.lines().count() == 1, "{error}");
    };
    full(&generate(&picture, &["--batch", "2", "--json"]));
    assert_eq!(names_in(folder.path()), ["p-1.png", "p-2.png"]);
    full(&["inspect", text(&folder.path().join("p-1.png"))]);
    full(&["--help"]);
}

#[test]
fn numbers_are_checked_by_value() {
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("p.png");
    for (option, values, sentence) in [
        ("--steps", &["-1", "0", "2.5", "99999999999999999999", "NaN"][..], "a whole number from 1 on"),
        ("--width", &["-64", "0", "8193", "inf"], "a whole number from 1 to 8192"),
        ("--height", &["-64", "x"], "a whole number from 1 to 8192"),
        ("--batch", &["-1", "0", "10001"], "a whole number from 1 to 10000"),
        ("--threads", &["-1", "0"], "a whole number from 1 to 1024"),
        ("--guidance-scale", &["-1", "NaN", "-inf", "1e400", "51"], "a number from 0 to 50"),
        ("--guidance-scale", &["7,5"], "with a point: 7.5"),
        ("--strength", &["-0.1", "1.5", "nan", "1e400"], "a number from 0 to 1"),
        ("--seed", &["x", "1.5", "-", "99999999999999999999"], "a whole number from 0"),
    ] {
        for value in values {
            let output = safelight(&generate(&picture, &[option, value]));
            let error = error_of(&output);
            assert_eq!(output.status.code(), Some(2), "{option} {value}: {error}");
            assert!(error.contains(sentence) && error.contains(value) && error.contains(option), "{error}");
            assert!(!error.contains("unexpected argument"), "{error}");
        }
    }
    assert_eq!(names_in(folder.path()), [""; 0]);
    let more = ["--prompt", "- a fox", "--negative-prompt", "-1", "--seed", "-1", "--json"];
    let random = generate(&picture, &more);
    let seeds: Vec<_> = [(); 2]
        .iter()
        .map(|()| {
            let output = safelight(&random);
            assert!(output.status.success(), "{}", error_of(&output));
            serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()["seed"].as_u64().unwrap()
        })
        .collect();
    assert_ne!(seeds[0], seeds[1]);
    let facts = safelight::formats::metadata::read_facts(&picture).unwrap();
    assert_eq!(facts.prompt.as_deref(), Some("- a fox"));
}

/// The program with its signals' usual effects, also where the tests themselves were started by nohup.
#[cfg(unix)]
fn program_with_default_signals() -> Command {
    if cfg!(target_os = "linux") {
        let mut command = Command::new("env");
        command.args(["--default-signal=HUP,INT,TERM", env!("CARGO_BIN_EXE_safelight")]);
        command
    } else {
        Command::new(env!("CARGO_BIN_EXE_safelight"))
    }
}

#[cfg(unix)]
#[test]
fn a_signal_ends_the_program_between_two_files() {
    use std::time::{Duration, Instant};
    let folder = tempfile::tempdir().unwrap();
    for (signal, code) in [("TERM", 143), ("INT", 130), ("HUP", 129)] {
        let picture = folder.path().join(format!("{signal}.png"));
        let arguments = generate(&picture, &["--batch", "10000", "--save-latent", "unused"]);
        let latent = folder.path().join(format!("{signal}.latent"));
        let arguments: Vec<_> =
            arguments.into_iter().map(|a| if a == "unused" { text(&latent) } else { a }).collect();
        let child = program_with_default_signals()
            .args(arguments)
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let since = Instant::now();
        let second = folder.path().join(format!("{signal}-2.png"));
        while !second.exists() {
            assert!(since.elapsed() < Duration::from_mins(1), "no picture");
            std::thread::sleep(Duration::from_millis(5));
        }
        let kill = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap();
        assert!(kill.success());
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), error_of(&output).as_str()), (Some(code), ""));
    }
    let names = names_in(folder.path());
    assert!(names.iter().all(|name| !name.contains("tmp")), "{names:?}");
    for name in &names {
        let path = folder.path().join(name);
        if path.extension().is_some_and(|extension| extension == "png") {
            image::open(&path).unwrap();
            assert!(path.with_extension("latent").exists(), "the latent is written first: {names:?}");
        } else {
            safelight::formats::latent_file::read_latent(&path).unwrap();
        }
    }
}
