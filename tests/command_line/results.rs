//! The results of commands: pictures, latents, channel sheets, reports.

use std::path::Path;

use crate::common::model_folders::builtin_size;
use crate::common::program::{safelight, text};

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
    assert_eq!((answer["seed"].as_u64(), answer["width"].as_u64()), (Some(5), Some(builtin_size().0.into())));
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
    // Below the titles, which are the names of the files.
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
    // The pictures are equal on processors without bf16 instructions.
    assert!(mean < 6.0, "{mean}");
}

#[test]
fn image_to_image_begins_at_the_source() {
    let folder = tempfile::tempdir().unwrap();
    let (source, output) = (folder.path().join("s.png"), folder.path().join("o.png"));
    image::RgbImage::from_pixel(64, 64, image::Rgb([210, 40, 40])).save(&source).unwrap();
    let mut arguments =
        vec!["generate", "--prompt", "", "--steps", "10", "--seed", "1", "--guidance-scale", "1"];
    arguments.extend(["--init-image", text(&source), "--strength", "0.2", "--output", text(&output)]);
    assert!(safelight(&arguments).status.success());
    let drawn = image::open(&output).unwrap().to_rgb8();
    let mean =
        |k: usize| drawn.pixels().map(|p| f64::from(p.0[k])).sum::<f64>() / drawn.pixels().len() as f64;
    assert!(mean(0) > mean(1) + 40.0 && mean(0) > mean(2) + 40.0, "{} {} {}", mean(0), mean(1), mean(2));
}
