//! Input that is refused in one sentence before any work.

use crate::common::program::{safelight, text};
use crate::small_model::{error_of, fails_with, generate, names_in};

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
    fails_with(&generate(&["--model", "/nowhere"]), "there is no folder or file /nowhere");
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
        (&["--output", &path("old")], "exists already"),
        (&["--output", &path("a.png"), "--save-latent", &path("sub")], "not a folder"),
        (&["--output", &path("a.png"), "--save-latent", &path("a.png")], "use the extension .latent"),
        (&["--output", &path("a.png"), "--save-latent", &path("b.npy")], "use the extension .latent"),
        (&["--output", &path("in.png"), "--init-image", &path("in.png")], "is an input"),
        (&["--output", &path("./sub/../in.png"), "--init-image", &path("in.png")], "is an input"),
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
fn numbers_are_checked_by_value() {
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("p.png");
    for (option, values, sentence) in [
        ("--steps", &["-1", "0", "2.5", "99999999999999999999", "NaN"][..], "a whole number of at least 1"),
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
