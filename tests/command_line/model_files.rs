//! Models from single files and from files for each part.

use crate::common::fixtures::fixture;
use crate::common::program::{safelight, text};

/// The arguments of a small picture.
fn generate<'a>(model: &[&'a str], output: &'a str) -> Vec<&'a str> {
    let start = [
        "generate",
        "--prompt",
        "a red fox",
        "--seed",
        "7",
        "--steps",
        "2",
        "--width",
        "16",
        "--height",
        "16",
    ];
    [&start[..], model, &["--device", "cpu", "--output", output]].concat()
}

#[test]
fn a_file_draws_the_picture_of_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let [of_folder, of_file] = ["folder.png", "file.png"].map(|name| folder.path().join(name));
    let [model, file] = [fixture("sdxl"), fixture("single/sdxl.safetensors")];
    let drawn = safelight(&generate(&["--model", text(&model)], text(&of_folder)));
    assert!(drawn.status.success(), "{}", String::from_utf8_lossy(&drawn.stderr));
    let drawn = safelight(&generate(&["--model", text(&file), "--config", text(&model)], text(&of_file)));
    assert!(drawn.status.success(), "{}", String::from_utf8_lossy(&drawn.stderr));
    let pixels = |path| image::open(path).unwrap().into_rgb8();
    assert_eq!(pixels(of_folder), pixels(of_file));
}

#[test]
fn a_transformer_is_completed_by_files_for_its_parts() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("flux.png");
    let transformer = fixture("single/flux_transformer.gguf");
    let [clip, t5, vae] = ["text_encoder/model", "text_encoder_2/model", "vae/diffusion_pytorch_model"]
        .map(|name| fixture(&format!("flux/{name}.safetensors")));
    let configuration = fixture("flux");
    let parts = [
        "--diffusion-model",
        text(&transformer),
        "--text-encoder",
        text(&clip),
        "--text-encoder-2",
        text(&t5),
        "--vae",
        text(&vae),
        "--config",
        text(&configuration),
    ];
    let drawn = safelight(&generate(&parts, text(&output)));
    assert!(drawn.status.success(), "{}", String::from_utf8_lossy(&drawn.stderr));
    assert_eq!(image::image_dimensions(output).unwrap(), (16, 16));
}

#[test]
fn parts_need_a_model_that_they_belong_to() {
    let folder = tempfile::tempdir().unwrap();
    let (output, vae) = (folder.path().join("a.png"), fixture("single/sd1.safetensors"));
    let refused = safelight(&generate(&["--vae", text(&vae)], text(&output)));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(
        !refused.status.success()
            && said.contains("the built-in model takes no parts from other files and no other"),
        "{said}"
    );
}

#[test]
fn inspect_says_what_a_file_of_weights_holds_and_lacks() {
    let inspect = |name: &str| {
        let output = safelight(&["inspect", text(&fixture(name))]);
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let model = inspect("single/sd2.safetensors");
    assert!(model.contains("kind: model") && model.contains("family: Stable Diffusion"), "{model}");
    let folder = tempfile::tempdir().unwrap();
    let alone = folder.path().join("transformer.gguf");
    std::fs::copy(fixture("single/flux_transformer.gguf"), &alone).unwrap();
    let output = safelight(&["inspect", text(&alone)]);
    let said = String::from_utf8_lossy(&output.stdout);
    for part in ["holds: a FLUX.1 model", "formats: bf16 (", "missing: the model has no CLIP-L text encoder"]
    {
        assert!(said.contains(part), "‘{part}’ in {said}");
    }
    let encoder = inspect("single/t5.gguf");
    assert!(encoder.contains("holds: a T5 text encoder alone") && !encoder.contains("missing"), "{encoder}");
}
