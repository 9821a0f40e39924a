//! Models from single files and from files for each part.

use std::path::Path;

use safelight::weights::{StoredTensor, WeightDtype, open_weights};

use crate::common::fixtures::fixture;
use crate::common::model_folders::copied_model;
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
    assert!(inspect("single/qwen3.gguf").contains("holds: a Qwen3 language model alone"));
    let vae = inspect("flux/vae/diffusion_pytorch_model.safetensors");
    for part in
        ["holds: a VAE alone", "FLUX.1, Chroma and Z-Image (scale 0.3611", "Stable Diffusion 3 (scale 1.5305"]
    {
        assert!(vae.contains(part), "‘{part}’ in {vae}");
    }
}

/// Rewrites a file of f32 weights with a NaN in one tensor.
fn damage(file: &Path, tensor: &str) {
    let source = open_weights(file).unwrap();
    let read: Vec<(&str, StoredTensor)> =
        source.names().into_iter().map(|name| (name, source.read(name).unwrap())).collect();
    let mut bytes = Vec::new();
    let views = read.iter().map(|(name, stored)| {
        assert_eq!(stored.dtype(), WeightDtype::F32);
        let mut values = stored.view().bytes.to_vec();
        if *name == tensor {
            values[..4].copy_from_slice(&f32::NAN.to_le_bytes());
        }
        (name.to_string(), stored.shape().to_vec(), values)
    });
    let views: Vec<_> = views.collect();
    assert!(views.iter().any(|(name, ..)| name == tensor), "{tensor}");
    let views = views.iter().map(|(name, shape, values)| {
        let view =
            safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.clone(), values).unwrap();
        (name.clone(), view)
    });
    bytes.extend(safetensors::serialize(views, None).unwrap());
    std::fs::write(file, bytes).unwrap();
}

#[test]
fn weights_that_are_no_numbers_are_named_with_their_part() {
    for (part, file, tensor, task, advice) in [
        (
            "text_encoder",
            "text_encoder/model.safetensors",
            "embeddings.position_embedding.weight",
            "The prompt could not be encoded: the text_encoder gave values that are not numbers: ",
            "Download the model again",
        ),
        (
            "unet",
            "unet/diffusion_pytorch_model.safetensors",
            "conv_in.weight",
            "Sampling failed: step 1 of 2 gave values that are not numbers (the network's prediction): ",
            "Download the model again",
        ),
        (
            "vae",
            "vae/diffusion_pytorch_model.safetensors",
            "decoder.conv_in.weight",
            "The latent could not be decoded: the VAE gave values that are not numbers, in f32 too: ",
            "can be decoded again",
        ),
    ] {
        let model = copied_model("sdxl");
        damage(&model.path().join(file), tensor);
        let output = model.path().join("a.png");
        let said = refusal(&generate(&["--model", text(model.path())], text(&output)));
        let why = format!("the weights of the {part} hold values that are not numbers (the tensor ‘");
        for says in [task, &why, tensor, file, advice] {
            assert!(said.contains(says), "‘{says}’ in {said}");
        }
    }
}

/// A folder of Stable Diffusion XL's refiner, which has the second text encoder alone.
#[test]
fn a_refiner_is_named() {
    let model = copied_model("sdxl");
    std::fs::remove_dir_all(model.path().join("text_encoder")).unwrap();
    let index = model.path().join("model_index.json");
    let mut entries: serde_json::Value = serde_json::from_slice(&std::fs::read(&index).unwrap()).unwrap();
    for part in ["text_encoder", "tokenizer"] {
        entries[part] = serde_json::json!([null, null]);
    }
    entries["requires_aesthetics_score"] = true.into();
    std::fs::write(&index, entries.to_string()).unwrap();
    let output = model.path().join("a.png");
    for command in
        [vec!["inspect", text(model.path())], generate(&["--model", text(model.path())], text(&output))]
    {
        let said = refusal(&command);
        assert!(
            said.contains("this is the refiner of Stable Diffusion XL, which goes over another"),
            "{said}"
        );
    }
}

#[test]
fn inspect_says_how_much_memory_a_model_needs() {
    let inspect = |path: &str| -> serde_json::Value {
        let output = safelight(&["inspect", "--json", path]);
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let flow = inspect(text(&fixture("flux")));
    assert!(flow["memory needed"].is_string() && flow["memory needed in turn"].is_string(), "{flow}");
    let unet = inspect("builtin");
    assert!(unet["memory needed"].is_string() && unet["memory needed in turn"].is_null(), "{unet}");
}

/// What the program says of a command that fails.
fn refusal(arguments: &[&str]) -> String {
    let refused = safelight(arguments);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{arguments:?}: {said}");
    assert!(!said.contains("panicked") && said.trim_end().lines().count() == 1, "{said}");
    said
}

#[test]
fn a_file_named_for_a_part_that_it_does_not_have_is_named_with_what_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("a.png");
    let alone = folder.path().join("transformer.gguf");
    std::fs::copy(fixture("single/flux_transformer.gguf"), &alone).unwrap();
    let [clip, t5, vae] = ["text_encoder/model", "text_encoder_2/model", "vae/diffusion_pytorch_model"]
        .map(|name| fixture(&format!("flux/{name}.safetensors")));
    let [clip, t5, vae, alone] = [&clip, &t5, &vae, &alone].map(|path| text(path));
    let [sd1, flux, vae_folder] = ["sd1", "flux", "flux/vae"].map(fixture);
    let [sd1, flux, vae_folder] = [&sd1, &flux, &vae_folder].map(|path| text(path));
    let of_flux = |first, second, vae| {
        let encoders = ["--text-encoder", first, "--text-encoder-2", second, "--vae", vae];
        [&["--diffusion-model", alone, "--config", flux], &encoders[..]].concat()
    };
    for (model, wanted) in [
        (
            of_flux(t5, t5, vae),
            "the model takes no CLIP-L text encoder from the file that was named for one, which holds a T5 text encoder",
        ),
        (
            of_flux(clip, t5, clip),
            "takes no VAE (ae.safetensors) from the file that was named for one, which holds a CLIP",
        ),
        (of_flux(clip, t5, vae_folder), "it is a folder; name the file of weights in it"),
        // What the model has no use for.
        (
            vec!["--model", sd1, "--diffusion-model", alone],
            "takes no transformer from the file that was named",
        ),
        (
            vec!["--model", sd1, "--text-encoder-2", t5],
            "takes no text_encoder_2 from the file that was named",
        ),
        (
            vec![
                "--diffusion-model",
                alone,
                "--text-encoder",
                clip,
                "--text-encoder-2",
                t5,
                "--text-encoder-3",
                vae,
                "--vae",
                vae,
            ],
            "takes no text encoder from the file that was named for one, which holds a VAE alone",
        ),
        (
            vec!["--model", sd1, "--config", vae],
            "the configurations of a model are a folder, and this is a file",
        ),
        (vec!["--model", "/dev/null"], "it is neither a file nor a folder: /dev/null"),
        (
            [&of_flux(clip, t5, vae)[..2], &["--config", sd1], &of_flux(clip, t5, vae)[4..]].concat(),
            "the configuration (--config) asks for the part ‘unet’, which this kind of model does not have",
        ),
    ] {
        let said = refusal(&generate(&model, text(&output)));
        assert!(said.contains(wanted), "‘{wanted}’ in {said}");
    }
}

#[test]
fn a_damaged_file_beside_a_transformer_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::copy(fixture("single/flux_transformer.gguf"), path("transformer.gguf")).unwrap();
    std::fs::copy(fixture("flux/text_encoder/model.safetensors"), path("clip.safetensors")).unwrap();
    std::fs::copy(fixture("flux/text_encoder_2/model.safetensors"), path("t5.safetensors")).unwrap();
    let vae = std::fs::read(fixture("flux/vae/diffusion_pytorch_model.safetensors")).unwrap();
    std::fs::write(path("vae.safetensors"), &vae[..vae.len() - 9]).unwrap();
    let said = refusal(&generate(&["--model", text(&path("transformer.gguf"))], text(&path("a.png"))));
    assert!(said.contains("the model has no VAE (ae.safetensors)"), "{said}");
    assert!(
        said.contains(&format!("‘{}’ beside it is damaged", path("vae.safetensors").display())),
        "{said}"
    );
}

#[test]
fn inspect_says_what_is_wrong_with_a_file_of_weights() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8], len: u64| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        std::fs::File::options().write(true).open(&path).unwrap().set_len(len).unwrap();
        path
    };
    let gguf = std::fs::read(fixture("single/flux_transformer.gguf")).unwrap();
    let model = std::fs::read(fixture("single/sd1.safetensors")).unwrap();
    let header = model.len() / 2;
    // A sparse file: longer than any picture or latent that is read.
    let long = 600 << 20;
    for (path, wanted) in [
        (write("cut.gguf", &gguf, gguf.len() as u64 - 1), "the file ends too early"),
        (
            write("version.gguf", &[&gguf[..4], &[9, 0, 0, 0], &gguf[8..]].concat(), gguf.len() as u64),
            "GGUF's version 9",
        ),
        (
            write("long.safetensors", &model[..header], long),
            "the file has 629145600 bytes and should have 1127424",
        ),
    ] {
        let said = refusal(&["inspect", text(&path)]);
        assert!(said.contains(wanted) && said.contains(text(&path)), "‘{wanted}’ in {said}");
    }
}

/// Sizes that a header claims for tensors of a format that is not read are not checked against the file.
#[test]
fn tensors_of_any_claimed_size_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("huge.gguf");
    let mut file = [&b"GGUF"[..], &3_u32.to_le_bytes(), &5_u64.to_le_bytes(), &0_u64.to_le_bytes()].concat();
    for name in ["double_blocks.0.img_attn.norm.key_norm.scale", "a", "b", "c", "d"] {
        file.extend((name.len() as u64).to_le_bytes());
        file.extend(name.as_bytes());
        file.extend(1_u32.to_le_bytes());
        file.extend((1_u64 << 62).to_le_bytes());
        // I64.
        file.extend(27_u32.to_le_bytes());
        file.extend(0_u64.to_le_bytes());
    }
    file.resize(file.len().next_multiple_of(32), 0);
    std::fs::write(&path, file).unwrap();
    let output = safelight(&["inspect", text(&path)]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(
        said.contains("holds: a FLUX.1 model") && said.contains("parameters: 18446744073709551615"),
        "{said}"
    );
}
