//! Models in single files and in files for each part.

use safelight::catalog::{ModelParts, ModelSource, PredictionType};
use safelight::diffusion::{Branch, NoiseSource};
use safelight::latent::LatentShape;
use safelight::request::{CancelToken, DecodeChoice, Seed};

use super::common::fixtures::fixture;
use super::common::model_folders::{copied_model, copy_folder, fixture_model, loaded, model_in};
use super::{both_outputs, close, prompts};

/// Files whose names diffusers reads as the folders they were made from, in the layout that model sites have.
#[test]
fn a_single_file_is_the_model_of_its_folder() {
    for name in ["sd1", "sd2", "sdxl"] {
        let file = fixture(&format!("single/{name}.safetensors"));
        let of_file = ModelSource::Parts(Box::new(ModelParts {
            model: file.clone(),
            configuration: Some(fixture(name)),
            ..ModelParts::default()
        }));
        let noisy = NoiseSource::new(Seed(3)).latent(LatentShape::new(4, 8, 8));
        let cancel = CancelToken::new();
        let answers = |choice: &ModelSource| {
            let mut model = loaded(choice);
            let picture = model.decode(&noisy, DecodeChoice::default(), &cancel).unwrap().picture;
            let encoded = model.encode(&picture, &cancel).unwrap();
            let mut network = model.condition(&prompts("two moons", "snow"), &cancel).unwrap();
            (both_outputs(&mut *network, &noisy, 801.0), picture, encoded.mean)
        };
        assert!(answers(&of_file) == answers(&fixture_model(name)), "{name}");
        // Alone a file says what it is; the small one of XL has other sinusoids than the released models.
        if name != "sdxl" {
            let alone = safelight::models::profile(&ModelSource::Folder(file)).unwrap();
            assert_eq!(alone.name, name);
        }
    }
}

/// Parts in files of their own, in both layouts.
#[test]
fn parts_from_other_files_complete_or_replace_a_model_s() {
    let part = |path: &str| Some(fixture(path));
    let noisy = NoiseSource::new(Seed(3)).latent(LatentShape::new(4, 8, 8));
    let cancel = CancelToken::new();
    let answers = |choice: &ModelSource| {
        let mut model = loaded(choice);
        let picture = model.decode(&noisy, DecodeChoice::default(), &cancel).unwrap().picture;
        let mut network = model.condition(&prompts("two moons", "snow"), &cancel).unwrap();
        (both_outputs(&mut *network, &noisy, 801.0), picture)
    };
    let own = answers(&fixture_model("sdxl"));
    let put_together = ModelParts {
        model: fixture("sdxl"),
        diffusion_model: part("single/sdxl.safetensors"),
        text_encoders: [part("sdxl/text_encoder/model.safetensors"), part("single/sdxl.safetensors"), None],
        vae: part("sdxl/vae/diffusion_pytorch_model.safetensors"),
        configuration: None,
        prediction: None,
    };
    assert!(answers(&ModelSource::Parts(Box::new(put_together))) == own);
    let with_other_vae =
        ModelParts { model: fixture("sdxl"), vae: part("single/sd1.safetensors"), ..ModelParts::default() };
    let other = answers(&ModelSource::Parts(Box::new(with_other_vae)));
    assert!(other.0 == own.0 && other.1 != own.1, "another VAE decodes another picture");
    let no_vae = ModelParts {
        model: fixture("sdxl"),
        vae: part("sdxl/text_encoder/model.safetensors"),
        ..ModelParts::default()
    };
    let error = safelight::models::profile(&ModelSource::Parts(Box::new(no_vae))).unwrap_err().to_string();
    let sentence =
        "the model takes no vae from the file that was named for one, which holds a CLIP text encoder alone";
    assert!(error.starts_with(sentence), "{error}");
}

/// A single file does not say what its network predicts.
#[test]
fn what_a_network_predicts_can_be_said() {
    let prediction = |said: Option<PredictionType>| {
        let parts = ModelParts {
            model: fixture("single/sd1.safetensors"),
            configuration: Some(fixture("sd1")),
            prediction: said,
            ..ModelParts::default()
        };
        safelight::models::profile(&ModelSource::Parts(Box::new(parts))).unwrap().prediction
    };
    assert_eq!(prediction(None), PredictionType::Epsilon);
    assert_eq!(prediction(Some(PredictionType::V)), PredictionType::V);
}

/// A transformer in Black Forest Labs' layout with its parts from other files, and all of it in one file.
#[test]
fn flux_in_files_is_the_model_of_its_folder() {
    let part = |path: &str| Some(fixture(path));
    let noisy = NoiseSource::new(Seed(3)).latent(LatentShape::new(16, 4, 6));
    let cancel = CancelToken::new();
    let answers = |choice: &ModelSource| {
        let mut model = loaded(choice);
        let picture = model.decode(&noisy, DecodeChoice::default(), &cancel).unwrap().picture;
        let conditioning = prompts("a red fox", "");
        let mut network = model.condition(&conditioning, &cancel).unwrap();
        let flow = network.predict(&noisy, 800.0, Branch::Conditional).unwrap().conditional;
        (flow.values().to_vec(), picture)
    };
    let own = answers(&fixture_model("flux"));
    let whole = ModelParts {
        model: fixture("single/flux_whole.safetensors"),
        configuration: part("flux"),
        ..ModelParts::default()
    };
    assert!(answers(&ModelSource::Parts(Box::new(whole))) == own);
    let put_together = ModelParts {
        model: fixture("single/flux_transformer.safetensors"),
        // Which is which is seen in the files.
        text_encoders: [
            part("flux/text_encoder_2/model.safetensors"),
            part("flux/text_encoder/model.safetensors"),
            None,
        ],
        vae: part("flux/vae/diffusion_pytorch_model.safetensors"),
        configuration: part("flux"),
        ..ModelParts::default()
    };
    assert!(answers(&ModelSource::Parts(Box::new(put_together))) == own);
    let stand_in = ModelParts {
        model: fixture("flux"),
        diffusion_model: part("single/flux_transformer.safetensors"),
        ..ModelParts::default()
    };
    assert!(answers(&ModelSource::Parts(Box::new(stand_in))) == own);
}

/// Chroma's transformer has FLUX's blocks and a network for their modulation.
#[test]
fn chroma_in_files_is_the_model_of_its_folder() {
    let folder = copied_model("chroma");
    for (from, to) in [("vae", "vae"), ("text_encoder_2", "text_encoder"), ("tokenizer_2", "tokenizer")] {
        copy_folder(&fixture("flux").join(from), &folder.path().join(to));
    }
    let noisy = NoiseSource::new(Seed(3)).latent(LatentShape::new(16, 4, 6));
    let cancel = CancelToken::new();
    let answers = |choice: &ModelSource| {
        let mut model = loaded(choice);
        let mut network = model.condition(&prompts("a red fox", "snow"), &cancel).unwrap();
        both_outputs(&mut *network, &noisy, 800.0)
    };
    let in_files = ModelParts {
        model: fixture("single/chroma_transformer.safetensors"),
        text_encoders: [Some(fixture("flux/text_encoder_2/model.safetensors")), None, None],
        vae: Some(fixture("flux/vae/diffusion_pytorch_model.safetensors")),
        configuration: Some(folder.path().to_owned()),
        ..ModelParts::default()
    };
    assert!(answers(&ModelSource::Parts(Box::new(in_files))) == answers(&model_in(&folder)));
}

/// Stability's own layout; without T5 the model draws, too.
#[test]
fn stable_diffusion_3_in_one_file_is_the_model_of_its_folder() {
    let noisy = NoiseSource::new(Seed(3)).latent(LatentShape::new(16, 4, 6));
    let cancel = CancelToken::new();
    let answers = |choice: &ModelSource| {
        let mut model = loaded(choice);
        let picture = model.decode(&noisy, DecodeChoice::default(), &cancel).unwrap().picture;
        let mut network = model.condition(&prompts("a red fox", "snow"), &cancel).unwrap();
        (both_outputs(&mut *network, &noisy, 800.0), picture)
    };
    let folder = copied_model("sd3");
    let weights = "vae/diffusion_pytorch_model.safetensors";
    std::fs::copy(fixture("flux").join(weights), folder.path().join(weights)).unwrap();
    let whole = ModelParts {
        model: fixture("single/sd3_whole.safetensors"),
        configuration: Some(fixture("sd3")),
        ..ModelParts::default()
    };
    assert!(answers(&ModelSource::Parts(Box::new(whole))) == answers(&model_in(&folder)));
}

/// GGUF files, T5's with its tokenizer inside.
#[test]
fn flux_in_gguf_files_is_the_model_of_its_folder() {
    let configuration = copied_model("flux");
    std::fs::remove_dir_all(configuration.path().join("tokenizer_2")).unwrap();
    let noisy = NoiseSource::new(Seed(3)).latent(LatentShape::new(16, 4, 6));
    let cancel = CancelToken::new();
    let answer = |choice: &ModelSource| {
        let mut model = loaded(choice);
        let mut network = model.condition(&prompts("a red fox in the snow", ""), &cancel).unwrap();
        network.predict(&noisy, 800.0, Branch::Conditional).unwrap().conditional
    };
    let in_gguf = ModelParts {
        model: fixture("single/flux_transformer.gguf"),
        text_encoders: [
            Some(fixture("flux/text_encoder/model.safetensors")),
            Some(fixture("single/t5.gguf")),
            None,
        ],
        vae: Some(fixture("flux/vae/diffusion_pytorch_model.safetensors")),
        configuration: Some(configuration.path().to_owned()),
        ..ModelParts::default()
    };
    let [own, found] =
        [fixture_model("flux"), ModelSource::Parts(Box::new(in_gguf))].map(|source| answer(&source));
    // T5's weights are f32 in one and bf16 in the other: the same numbers, multiplied in another way.
    close("GGUF", found.values(), own.values(), 1e-6);
}

/// Z-Image's transformer in its own layout, and Qwen3 in a GGUF file with its tokenizer inside.
#[test]
fn z_image_in_files_is_the_model_of_its_folder() {
    let with_vae = || {
        let folder = copied_model("z_image");
        // FLUX's.
        copy_folder(&fixture("flux/vae"), &folder.path().join("vae"));
        folder
    };
    let (own, configuration) = (with_vae(), with_vae());
    std::fs::remove_dir_all(configuration.path().join("tokenizer")).unwrap();
    let noisy = NoiseSource::new(Seed(3)).latent(LatentShape::new(16, 4, 6));
    let cancel = CancelToken::new();
    let answer = |choice: &ModelSource| {
        let mut model = loaded(choice);
        let mut network = model.condition(&prompts("a red fox in the snow, 42 times", ""), &cancel).unwrap();
        network.predict(&noisy, 800.0, Branch::Conditional).unwrap().conditional
    };
    let in_files = ModelParts {
        model: fixture("single/z_image_transformer.safetensors"),
        text_encoders: [Some(fixture("single/qwen3.gguf")), None, None],
        vae: Some(fixture("flux/vae/diffusion_pytorch_model.safetensors")),
        configuration: Some(configuration.path().to_owned()),
        ..ModelParts::default()
    };
    let [own, found] = [model_in(&own), ModelSource::Parts(Box::new(in_files))].map(|source| answer(&source));
    close("Z-Image in files", found.values(), own.values(), 1e-6);
}

/// FLUX.2's transformer and VAE in their own layouts, and Qwen3 in transformers'.
#[test]
fn flux2_in_files_is_the_model_of_its_folder() {
    let noisy = NoiseSource::new(Seed(3)).latent(LatentShape::new(4, 4, 6));
    let cancel = CancelToken::new();
    let answers = |choice: &ModelSource| {
        let mut model = loaded(choice);
        let picture = model.decode(&noisy, DecodeChoice::default(), &cancel).unwrap().picture;
        let mut network = model.condition(&prompts("a red fox in the snow", ""), &cancel).unwrap();
        (network.predict(&noisy, 800.0, Branch::Conditional).unwrap().conditional, picture)
    };
    let in_files = ModelParts {
        model: fixture("single/flux2_transformer.safetensors"),
        text_encoders: [Some(fixture("flux2/text_encoder/model.safetensors")), None, None],
        vae: Some(fixture("single/flux2_vae.safetensors")),
        configuration: Some(fixture("flux2")),
        ..ModelParts::default()
    };
    assert!(answers(&ModelSource::Parts(Box::new(in_files))) == answers(&fixture_model("flux2")));
}

/// FLUX.3's transformer in its own layout, and the text half of Qwen3-VL in transformers'.
#[test]
fn flux3_in_files_is_the_model_of_its_folder() {
    let folder = copied_model("flux3");
    copy_folder(&fixture("flux2/vae"), &folder.path().join("vae"));
    let noisy = NoiseSource::new(Seed(3)).latent(LatentShape::new(4, 4, 6));
    let cancel = CancelToken::new();
    let answer = |choice: &ModelSource| {
        let mut model = loaded(choice);
        let mut network = model.condition(&prompts("a red fox in the snow", ""), &cancel).unwrap();
        network.set_target(500.0);
        network.predict(&noisy, 800.0, Branch::Conditional).unwrap().conditional
    };
    let with_configuration = |configuration| ModelParts {
        model: fixture("single/flux3_transformer.safetensors"),
        text_encoders: [Some(fixture("flux3/text_encoder/model.safetensors")), None, None],
        vae: Some(fixture("single/flux2_vae.safetensors")),
        configuration: Some(configuration),
        ..ModelParts::default()
    };
    let own = answer(&model_in(&folder));
    let whole = with_configuration(folder.path().to_owned());
    assert!(answer(&ModelSource::Parts(Box::new(whole))) == own);
    // Configurations that the tensors tell, but for the number of the small VAE's norm groups.
    let tokenizer = tempfile::tempdir().unwrap();
    copy_folder(&fixture("flux3/tokenizer"), &tokenizer.path().join("tokenizer"));
    let vae = std::path::Path::new("vae/config.json");
    std::fs::create_dir(tokenizer.path().join("vae")).unwrap();
    std::fs::copy(fixture("flux2").join(vae), tokenizer.path().join(vae)).unwrap();
    let told = with_configuration(tokenizer.path().to_owned());
    assert!(answer(&ModelSource::Parts(Box::new(told))) == own);
}

/// The parts of a transformer alone are looked for beside it, as other programs keep them.
#[test]
fn parts_are_found_beside_a_transformer_or_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let place = |from: &str, to: &str| {
        let to = folder.path().join(to);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(fixture(from), to).unwrap();
    };
    let transformer = "diffusion_models/flux/dev.safetensors";
    place("single/flux_transformer.safetensors", transformer);
    let opened = || {
        let source = ModelSource::Parts(Box::new(ModelParts {
            model: folder.path().join(transformer),
            configuration: Some(fixture("flux")),
            ..ModelParts::default()
        }));
        safelight::models::profile(&source).map(|profile| profile.family).map_err(|error| error.to_string())
    };
    let missing = |what: &str| {
        let error = opened().unwrap_err();
        assert!(error.starts_with(&format!("the model has no {what}")), "{error}");
    };
    missing("CLIP-L text encoder, and no file for it was named (--text-encoder FILE)");
    place("flux/text_encoder/model.safetensors", "text_encoders/clip_l.safetensors");
    missing("T5 text encoder (t5xxl), and no file for it was named (--text-encoder-2 FILE)");
    place("flux/text_encoder_2/model.safetensors", "clip/t5xxl.safetensors");
    place("sd1/vae/diffusion_pytorch_model.safetensors", "vae/of another family.safetensors");
    missing("VAE (ae.safetensors), and no file for it was named (--vae FILE)");
    place("flux/vae/diffusion_pytorch_model.safetensors", "vae/ae.safetensors");
    assert_eq!(opened(), Ok("FLUX.1"));
}
