//! `safelight decode --tiny`: latents decoded by a tiny decoder.

use std::path::Path;

use safelight::catalog::ModelSource;
use safelight::latent::{Latent, LatentShape};
use safelight::models::{ModelSettings, TinyDecoder};
use safelight::request::CancelToken;

use crate::common::fixtures::{fixture, json};
use crate::common::model_folders::copy_folder;
use crate::common::numbers;
use crate::common::program::{safelight, text};
use crate::small_model::{SMALL, error_of, fails_with};

/// A latent file, VAE space, of 4 channels.
fn write_latent(path: &Path) -> Latent {
    let latent = Latent::new(LatentShape::new(4, 5, 6), numbers::made_up(120, 5)).unwrap();
    let bytes: Vec<u8> = latent.values().iter().flat_map(|value| value.to_le_bytes()).collect();
    let shape = vec![1, 4, 5, 6];
    let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape, &bytes).unwrap();
    let marker = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![0], &[]).unwrap();
    let tensors = [("latent_tensor", view), ("latent_format_version_0", marker)];
    std::fs::write(path, safetensors::serialize(tensors, None).unwrap()).unwrap();
    latent
}

#[test]
fn a_latent_is_decoded_quickly_without_its_model() {
    let folder = tempfile::tempdir().unwrap();
    let [latent_file, picture] = ["a.latent", "a.png"].map(|name| folder.path().join(name));
    let latent = write_latent(&latent_file);
    let tiny = fixture("tiny/taesd_decoder.safetensors");
    let option = format!("--tiny={}", text(&tiny));
    let output = safelight(&["decode", text(&latent_file), &option, "--output", text(&picture), "--json"]);
    assert!(output.status.success(), "{}", error_of(&output));
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((answer["width"].as_u64(), answer["height"].as_u64()), (Some(48), Some(40)));
    let format = safelight::models::profile(&ModelSource::Builtin).unwrap().format;
    let decoder = TinyDecoder::open(&tiny, ModelSettings::default()).unwrap();
    let expected = decoder.decode(&format.model_from_vae(&latent), &CancelToken::new()).unwrap();
    assert_eq!(image::open(&picture).unwrap().into_rgb8().as_raw(), expected.rgb());

    // Files of other kinds, and a model whose latents are of another size.
    for (file, sentence) in [
        (
            "tiny/taesd_encoder.safetensors",
            "this is no tiny decoder but a tiny encoder without its decoder: ",
        ),
        ("sd1/vae/diffusion_pytorch_model.safetensors", "this is no tiny decoder but a VAE alone"),
        ("noise.json", "this is no tiny decoder but a JSON text"),
        ("gone.safetensors", "there is no folder or file "),
        ("tiny/taef1.safetensors", "a latent of 4 channels does not fit this tiny decoder, which takes 16"),
    ] {
        let option = format!("--tiny={}", text(&fixture(file)));
        fails_with(&["decode", text(&latent_file), &option, "--output", text(&picture)], sentence);
    }
    let of_builtin = ["decode", text(&latent_file), "--tiny", "--output", text(&picture)];
    fails_with(&of_builtin, "no tiny decoder is of the built-in model's VAE");
    let of_small = ["decode", text(&latent_file), &option, "--model", SMALL, "--output", text(&picture)];
    fails_with(&of_small, "a latent pixel of this model is 2×2 pixels, and of a tiny decoder's 8×8");
}

#[test]
fn a_tiny_decoder_is_inspected() {
    for (file, belongs) in [
        ("taesd", "Stable Diffusion 1 and 2 (TAESD) or XL (TAESDXL)"),
        ("taesd_decoder", "Stable Diffusion 1 and 2 (TAESD) or XL (TAESDXL)"),
        ("taef1", "FLUX.1, Chroma and Z-Image (TAEF1)"),
        ("taef2", "FLUX.2 and FLUX.3 (TAEF2)"),
    ] {
        let output = safelight(&["inspect", text(&fixture(&format!("tiny/{file}.safetensors")))]);
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains("holds: a tiny decoder of latents, for quick previews"), "{said}");
        assert!(said.contains(&format!("may belong to: {belongs}")), "{said}");
    }
}

/// Windows takes the home folder from no variable.
#[cfg(unix)]
#[test]
fn the_library_has_the_decoder_of_a_models_latents() {
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name);
    // A model of which only the configuration is read, with the latents of Stable Diffusion.
    let model = path("model");
    copy_folder(Path::new(SMALL), &model);
    let config = model.join("vae/config.json");
    let mut wider = json(&config);
    wider["block_out_channels"] = serde_json::json!([8, 16, 16, 16]);
    wider["down_block_types"] = serde_json::json!(vec!["DownEncoderBlock2D"; 4]);
    wider["up_block_types"] = serde_json::json!(vec!["UpDecoderBlock2D"; 4]);
    std::fs::write(&config, wider.to_string()).unwrap();
    let latent = path("a.latent");
    write_latent(&latent);
    let decode = || {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_safelight"));
        for name in ["HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "COMFYUI_PATH", "INVOKEAI_ROOT"] {
            command.env_remove(name);
        }
        for (name, folder) in [
            ("XDG_DATA_HOME", "data"),
            ("XDG_CONFIG_HOME", "config"),
            ("XDG_CACHE_HOME", "cache"),
            ("HOME", ""),
        ] {
            command.env(name, path(folder));
        }
        let arguments =
            ["decode", text(&latent), "--tiny", "--model", text(&model), "--output", "a.png", "--json"];
        let output = command.args(arguments).current_dir(home.path()).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (_, said) = decode();
    assert!(said.contains("fetch one with ‘safelight models get taesd’"), "{said}");
    let models = path("data/safelight/models");
    std::fs::create_dir_all(&models).unwrap();
    // Of the same shapes, but its name says that it is of another VAE; and one that says nothing.
    std::fs::copy(fixture("tiny/taesd.safetensors"), models.join("taesdxl.safetensors")).unwrap();
    assert!(decode().1.contains("safelight models get taesd"));
    std::fs::copy(fixture("tiny/taesd.safetensors"), models.join("mine.safetensors")).unwrap();
    let (_, said) = decode();
    assert!(said.contains("says that it is taesd") && said.contains("mine.safetensors"), "{said}");
    std::fs::copy(fixture("tiny/taesd.safetensors"), models.join("taesd_decoder.safetensors")).unwrap();
    let (is_done, said) = decode();
    assert!(is_done, "{said}");
    let picture = image::open(path("a.png")).unwrap();
    assert_eq!((picture.width(), picture.height()), (48, 40));
}
