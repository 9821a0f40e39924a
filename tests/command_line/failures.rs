//! A failure during the work is reported, and other results are not lost.

use std::path::Path;

use crate::common::program::{safelight, text};
use crate::small_model::{SMALL, error_of, generate, names_in, small_model_with_nan};

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

    // Without `--save-latent` it is kept beside the picture.
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

    // A damaged latent does not affect the others, and its error names the file.
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

    // `inspect` prints the statistics of every latent, including the damaged one.
    let output = safelight(&["inspect", "--json", text(&batch)]);
    let facts: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = facts["channels"].as_array().unwrap();
    let damaged: Vec<_> = rows.iter().filter(|row| row["not finite"] != 0).collect();
    assert_eq!((rows.len(), damaged.len()), (12, 1));
    assert_eq!((&damaged[0]["latent"], &damaged[0]["channel"]), (&2.into(), &0.into()));
    // Its channels are drawn, and the NaN values are reported.
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
    // Each path is in one message only.
    assert_eq!(error.matches(text(&broken)).count(), 1, "{error}");
}
