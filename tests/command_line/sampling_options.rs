//! Options of the sampling: each has an effect on the picture, or says why it has none.

use std::path::Path;

use crate::common::program::{safelight, text};
use crate::small_model::{SMALL, error_of, fails_with};

const FLUX: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/flux");

const XL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/sdxl");

/// The pixels of a small picture that `model` makes with these options.
fn pixels(model: &str, options: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.png");
    let output = safelight(&arguments(model, &file, options));
    assert!(output.status.success(), "{options:?}: {}", error_of(&output));
    image::open(&file).unwrap().to_rgb8().into_raw()
}

fn arguments<'a>(model: &'a str, file: &'a Path, options: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec!["generate", "--model", model, "--prompt", "a fox", "--seed", "3"];
    arguments.extend(["--width", "32", "--height", "32", "--output", text(file)]);
    arguments.extend(options);
    arguments
}

#[test]
fn every_option_has_an_effect() {
    let plain = pixels(SMALL, &["--steps", "4"]);
    assert!(pixels(SMALL, &["--steps", "4", "--eta", "0"]) == plain, "0 is the default");
    let options: [&[&str]; 6] = [
        &["--steps", "4", "--clip-skip", "2"],
        &["--steps", "4", "--eta", "1"],
        &["--steps", "4", "--guidance-rescale", "0.7"],
        &["--steps", "4", "--schedule", "karras"],
        &["--sigmas", "14.6,5,1.5,0.4"],
        &["--timesteps", "999,700,500,250"],
    ];
    for options in options {
        assert!(pixels(SMALL, options) != plain, "{options:?}");
    }
    let shifted = pixels(FLUX, &["--steps", "2", "--shift", "5"]);
    let plain = pixels(FLUX, &["--steps", "2"]);
    assert!(shifted != plain, "--shift");
    for options in [["--max-tokens", "8"], ["--true-guidance-scale", "3"]] {
        assert!(pixels(FLUX, &[&["--steps", "2"], &options[..]].concat()) != plain, "{options:?}");
    }
    let plain = pixels(XL, &["--steps", "2"]);
    for options in [["--original-size", "64x48"], ["--crop", "8,4"], ["--target-size", "48x64"]] {
        assert!(pixels(XL, &[&["--steps", "2"], &options[..]].concat()) != plain, "{options:?}");
    }
}

#[test]
fn the_noise_levels_of_a_schedule_can_be_named_one_by_one() {
    let even = ["--schedule", "trailing", "--steps", "4"];
    let named = ["--timesteps", "999,749,499,249"];
    // A schedule may end a little above no noise, as this model's does; noise levels that are named end at none.
    let [even, named] = [pixels(SMALL, &even), pixels(SMALL, &named)];
    let furthest = even.iter().zip(&named).map(|(a, b)| a.abs_diff(*b)).max();
    assert!(furthest <= Some(2), "{furthest:?} levels of 255");
}

#[test]
fn values_that_cannot_be_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.png");
    let refusals: [(&[&str], &str); 15] = [
        (&["--sigmas", "1,5"], "use falling numbers"),
        (&["--sigmas", "a"], "is not a number"),
        (&["--sigmas", "5,1", "--steps", "2"], "cannot be used with"),
        (&["--timesteps", "1200,3"], "1200 is not a timestep of this model: choose from 0 to 999"),
        (&["--eta=-1"], "use a number from 0 to 1"),
        (&["--shift", "nan"], "use a number from 0.01 to 100"),
        (&["--shift", "3"], "this model's noise has no shift"),
        (&["--clip-skip", "3"], "choose from 1, the last layer, to 2"),
        (&["--max-tokens", "64"], "this model has no limit of tokens"),
        (&["--true-guidance-scale", "3"], "this model has no true guidance scale"),
        (&["--original-size", "64"], "use a width and a height"),
        (&["--crop", "1,1"], "this model has no size conditioning"),
        (&["--skip-layers", "7"], "this model has no skip-layer guidance"),
        (&["--skip-layers", "x"], "‘x’ is not a layer"),
        (&["--skip-scale", "2"], "--skip-layers"),
    ];
    for (options, sentence) in refusals {
        fails_with(&arguments(SMALL, &file, options), sentence);
        assert!(!file.exists(), "{options:?}");
    }
}
