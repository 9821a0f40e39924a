//! Messages for users: each cause is stated once, and no type of the program is named.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "common/mod.rs"]
mod common;

use std::error::Error;
use std::path::Path;

use safelight::catalog::ModelSource;
use safelight::content::json;
use safelight::engine::{Failure, Task};
use safelight::formats::animation::AnimationFormat;
use safelight::formats::atomic::write_atomically;
use safelight::formats::latent_file::{latent_from_bytes, read_latent, write_latent};
use safelight::formats::picture::{
    PictureFormat, ReadOptions, WriteOptions, picture_from_bytes, read_picture, write_picture,
};
use safelight::latent::{Latent, LatentShape};
use safelight::models::{ModelSettings, load, profile};
use safelight::request::{CancelToken, Picture};
use safelight::store::ModelFiles;

use common::fixtures::file_bytes;
use common::model_folders::{copied_model, model_in};

/// An error's text and those of its causes.
fn chain(error: &dyn Error) -> Vec<String> {
    let mut texts = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        texts.push(error.to_string());
        next = error.source();
    }
    texts
}

fn assert_told_once(error: &dyn Error) {
    let texts = chain(error);
    for (i, text) in texts.iter().enumerate() {
        assert!(!text.trim().is_empty(), "{texts:?}");
        for cause in &texts[i + 1..] {
            assert!(!text.contains(cause.as_str()), "told twice: {texts:?}");
        }
    }
    let all = texts.join(": ");
    for name in ["struct ", "enum ", "Error {", "Error(", "expected struct", "variant of", "usize", "Some("] {
        assert!(!all.contains(name), "a type's name: {all}");
    }
}

fn failed<T>(result: Result<T, impl Error + 'static>) -> Box<dyn Error> {
    match result {
        Ok(_) => panic!("this should have failed"),
        Err(error) => Box::new(error),
    }
}

/// A copy of a small model with one file changed.
fn model_with(file: &str, content: &str) -> tempfile::TempDir {
    let folder = copied_model("sd1");
    std::fs::write(folder.path().join(file), content).unwrap();
    folder
}

#[test]
fn errors_of_models_are_told_once() {
    let missing = ModelSource::Folder("/nowhere at all".into());
    assert_told_once(&*failed(ModelFiles::open(&missing)));
    for (file, content) in [
        ("model_index.json", "{\"_class_name\": \"StableDiffusionUpscalePipeline\"}"),
        ("model_index.json", "{\"_class_name\": 7"),
        ("unet/config.json", "{\"sample_size\": {}}"),
        ("unet/config.json", "{\"act_fn\": \"mish\"}"),
        ("unet/config.json", "[]"),
        ("unet/config.json", "{\"block_out_channels\": 7}"),
        ("vae/config.json", "{\"scaling_factor\": NaN}"),
        ("text_encoder/config.json", "{\"hidden_act\": \"relu\"}"),
        ("scheduler/scheduler_config.json", "{\"beta_schedule\": \"quartic\"}"),
        ("scheduler/scheduler_config.json", "{\"prediction_type\": 1}"),
        ("scheduler/scheduler_config.json", "{\"num_train_timesteps\": 1}"),
        ("unet/diffusion_pytorch_model.safetensors", "<html></html>"),
        ("unet/diffusion_pytorch_model.safetensors", "\u{2}\0\0\0\0\0\0\0{}"),
    ] {
        let folder = model_with(file, content);
        let source = model_in(&folder);
        let loaded = load(&source, ModelSettings::default(), &mut |_, _, _| {}, &CancelToken::new());
        assert!(loaded.is_err(), "{file} with {content} should not load");
        let error = failed(loaded.map(|_| ()));
        assert_told_once(&*error);
        let text = error.to_string();
        let part = file.split('/').next().unwrap();
        assert!(text.contains(part), "{file}, {content}: {text}");
        // The window and the command line show it after the task.
        let failure = Failure { task: Task::LoadModel, why: text.as_str().into(), advice: None };
        assert_eq!(failure.to_string().matches(&text).count(), 1);
        if let Err(error) = profile(&source) {
            assert_told_once(&error);
        }
    }
}

#[test]
fn errors_of_files_are_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("no such folder/file.png");
    let options = ReadOptions::default();
    let picture = Picture::new(2, 1, vec![0; 6]).unwrap();
    let latent = Latent::new(LatentShape::new(1, 1, 1), vec![0.0]).unwrap();
    let damaged = file_bytes("grey16.png");
    for error in [
        failed(read_picture(&nowhere, &options)),
        failed(read_picture(folder.path(), &options)),
        failed(picture_from_bytes(b"", &options)),
        failed(picture_from_bytes(b"hello", &options)),
        failed(picture_from_bytes(&damaged[..60], &options)),
        failed(read_latent(&nowhere)),
        failed(latent_from_bytes(b"\x10\0\0\0\0\0\0\0{\"x\":{}}")),
        failed(latent_from_bytes(&damaged)),
        failed(write_latent(&nowhere, &latent, &safelight::formats::latent_file::LatentFacts::default())),
        failed(write_picture(&nowhere, &picture, None, &WriteOptions::default())),
        failed(write_picture(&folder.path().join("a.xyz"), &picture, None, &WriteOptions::default())),
        failed(write_atomically(&nowhere, |_| Ok(()))),
        failed(PictureFormat::of_path(Path::new("a.xyz"))),
        failed(AnimationFormat::of_path(Path::new("a.mov"))),
        failed(AnimationFormat::Gif.check(&nowhere)),
        failed(AnimationFormat::Frames.check(folder.path().parent().unwrap())),
        failed(AnimationFormat::Frames.check(&nowhere)),
        failed(json::from_slice::<Vec<usize>>(b"{\"a\": 1}")),
        failed(json::from_slice::<Vec<usize>>(b"[1, -1]")),
    ] {
        assert_told_once(&*error);
    }
}

#[test]
fn the_command_line_tells_a_cause_once() {
    let folder = tempfile::tempdir().unwrap();
    let config = model_with("text_encoder/config.json", "{\"hidden_act\": \"relu\"}");
    let output = folder.path().join("x.latent");
    let nowhere = folder.path().join("nosuch.png");
    let pointer = folder.path().join("pointer.safetensors");
    std::fs::write(&pointer, "version https://git-lfs.github.com/spec/v1\n").unwrap();
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    for (arguments, cause) in [
        (vec!["inspect".to_owned(), text(config.path())], "hidden_act"),
        (vec!["encode".into(), text(&nowhere), "--output".into(), text(&output)], "No such file"),
        (vec!["inspect".into(), text(&pointer)], "Git LFS pointer"),
        (
            vec!["decode".into(), text(&pointer), "--output".into(), text(&folder.path().join("x.png"))],
            "Git LFS pointer",
        ),
        (vec!["encode".into(), text(&pointer), "--output".into(), text(&output)], "Git LFS pointer"),
    ] {
        let run = std::process::Command::new(env!("CARGO_BIN_EXE_safelight"))
            .args(&arguments)
            .env("HOME", folder.path())
            .output()
            .unwrap();
        let said = String::from_utf8(run.stderr).unwrap();
        assert!(!run.status.success(), "{arguments:?}");
        let found = said.matches(cause).count();
        // Windows has its own message for a missing file.
        assert!(found == 1 || (cfg!(windows) && cause == "No such file"), "{arguments:?}: {said}");
    }
}
