//! Damaged files of models that find and describe pictures: one sentence that names the file, or a model.

use std::path::{Path, PathBuf};

use safelight::models::meaning::{PictureDescriber, PictureSearch};
use safelight::request::CancelToken;
use safelight::weights::{StoredTensor, TensorMap, TensorSource as _, open_weights};

use crate::common::fixtures::fixture;
use crate::common::model_folders::copied_model;
use crate::common::recorded_pictures::recorded_pictures;

const FILES: [&str; 4] = ["model.safetensors", "config.json", "preprocessor_config.json", "tokenizer.json"];

fn open(folder: &Path, finds: bool) -> Result<(), String> {
    let weights = folder.join("model.safetensors");
    let picture = &recorded_pictures("clip")[0];
    let used = if finds {
        PictureSearch::open(&weights, None).and_then(|search| search.picture(picture).map(|_| ()))
    } else {
        PictureDescriber::open(&weights, None)
            .and_then(|mut describer| describer.describe(picture, &CancelToken::new()).map(|_| ()))
    };
    used.map_err(|error| error.to_string())
}

#[test]
fn files_that_are_cut_replaced_or_missing_are_named() {
    for (name, finds) in [("clip", true), ("siglip", true), ("blip", false)] {
        let model = copied_model(name);
        assert_eq!(open(model.path(), finds), Ok(()));
        for file in FILES {
            let path = model.path().join(file);
            let Ok(whole) = std::fs::read(&path) else { continue };
            let damaged: [&[u8]; 5] =
                [b"", b"<!DOCTYPE html>", b"[]", b"{\"a\": ", &whole[..whole.len() * 2 / 3]];
            for bytes in damaged {
                std::fs::write(&path, bytes).unwrap();
                let said = open(model.path(), finds);
                // Rules of preparation that say nothing are the usual ones.
                if file != "preprocessor_config.json" || bytes != b"[]" {
                    let said = said.unwrap_err();
                    assert!(said.contains(file) && !said.contains('\n'), "{name}/{file} {bytes:?}: {said}");
                }
            }
            std::fs::remove_file(&path).unwrap();
            match open(model.path(), finds) {
                Ok(()) => assert_eq!(file, "preprocessor_config.json"),
                Err(said) => assert!(said.contains(file), "{name}: {said}"),
            }
            std::fs::write(&path, whole).unwrap();
        }
    }
}

/// A copy of the weights with one tensor changed, or left out.
fn changed(name: &str, tensor: &str, change: Option<&StoredTensor>) -> (tempfile::TempDir, PathBuf) {
    let model = copied_model(name);
    let weights = model.path().join("model.safetensors");
    let source = open_weights(&fixture(name).join("model.safetensors")).unwrap();
    let mut tensors = TensorMap::default();
    for known in source.names() {
        match (known == tensor, change) {
            (true, Some(change)) => tensors.insert(known, change.clone()),
            (true, None) => {}
            (false, _) => tensors.insert(known, source.read(known).unwrap()),
        }
    }
    let stored: Vec<(String, StoredTensor)> =
        tensors.names().into_iter().map(|name| (name.to_owned(), tensors.read(name).unwrap())).collect();
    let views = stored.iter().map(|(name, tensor)| {
        let dtype = match tensor.dtype().name() {
            "f16" => safetensors::Dtype::F16,
            _ => safetensors::Dtype::F32,
        };
        let view = tensor.view();
        (name, safetensors::tensor::TensorView::new(dtype, view.shape.to_vec(), view.bytes).unwrap())
    });
    safetensors::serialize_to_file(views, None, &weights).unwrap();
    (model, weights)
}

/// What is said once this part of a file of SigLIP is another.
fn said_of_siglip(file: &str, from: &str, to: &str) -> String {
    let model = copied_model("siglip");
    let path = model.path().join(file);
    let whole = std::fs::read_to_string(&path).unwrap();
    assert!(whole.contains(from), "{from}");
    std::fs::write(&path, whole.replace(from, to)).unwrap();
    let search = PictureSearch::open(&model.path().join("model.safetensors"), None);
    let found = search.and_then(|search| search.words("a fox in the snow").map(|_| ()));
    found.unwrap_err().to_string()
}

#[test]
fn siglip_files_that_do_not_belong_together_are_told_in_one_sentence() {
    let config = |from: &str, to: &str| said_of_siglip("config.json", from, to);
    let naflex = config("\"siglip\"", "\"siglip2\"");
    assert!(naflex.contains("‘model_type’ is siglip2") && naflex.contains("NaFlex"), "{naflex}");
    // Pictures of another edge than the table of positions has, and rules for such ones.
    let edge = config("\"image_size\": 32", "\"image_size\": 64");
    assert!(edge.contains("‘size’ is 32 × 32"), "{edge}");
    let patches = config("\"patch_size\": 7", "\"patch_size\": 8");
    assert!(patches.contains("position_embedding") || patches.contains("patch_embedding"), "{patches}");
    let rules = said_of_siglip("preprocessor_config.json", "\"height\": 32", "\"height\": 48");
    assert!(rules.contains("‘size’ is 32 × 48"), "{rules}");
    let rows = config("\"vocab_size\": 72", "\"vocab_size\": 71");
    assert!(rows.contains("text_model.embeddings.token_embedding.weight"), "{rows}");
    // A tokenizer without the token that ends a text.
    let end = said_of_siglip("tokenizer.json", "</s>", "<end>");
    assert!(end.contains("tokenizer.json") && end.contains("no token </s>"), "{end}");
    // The tokenizer of a model with more tokens.
    let model = copied_model("siglip2");
    std::fs::copy(fixture("siglip/tokenizer.json"), model.path().join("tokenizer.json")).unwrap();
    let search = PictureSearch::open(&model.path().join("model.safetensors"), None).unwrap();
    let more = search.words("a boat").unwrap_err().to_string();
    assert!(more.contains("‘▁boat’") && more.contains("57 tokens"), "{more}");
    for said in [naflex, edge, patches, rules, rows, end, more] {
        assert!(!said.contains('\n'), "{said}");
    }
}

#[test]
fn a_missing_tokenizer_says_where_to_get_it() {
    for (name, finds) in [("siglip", true), ("blip", false)] {
        let model = copied_model(name);
        std::fs::remove_file(model.path().join("tokenizer.json")).unwrap();
        let said = open(model.path(), finds).unwrap_err();
        assert!(said.contains("put it beside the file of weights"), "{said}");
    }
}

#[test]
fn tensors_that_are_missing_misshapen_or_no_numbers_are_refused() {
    for (name, finds, tensor) in [
        ("clip", true, "vision_model.embeddings.class_embedding"),
        ("clip", true, "logit_scale"),
        ("clip", true, "visual_projection.weight"),
        ("siglip", true, "vision_model.head.probe"),
        ("siglip", true, "vision_model.head.attention.in_proj_weight"),
        ("siglip", true, "text_model.head.bias"),
        ("siglip", true, "logit_bias"),
        ("blip", false, "text_decoder.bert.embeddings.word_embeddings.weight"),
        ("blip", false, "vision_model.embeddings.position_embedding"),
    ] {
        let (model, _) = changed(name, tensor, None);
        match open(model.path(), finds) {
            // Scale and bias are not used where pictures are compared by their angles.
            Ok(()) => assert!(tensor.starts_with("logit_"), "{tensor}"),
            Err(said) => assert!(said.contains(tensor) && said.contains("model.safetensors"), "{said}"),
        }
        if tensor.starts_with("logit_") {
            continue;
        }
        let (model, _) = changed(name, tensor, Some(&StoredTensor::from_f32(&[3], &[0.0; 3])));
        let said = open(model.path(), finds).unwrap_err();
        assert!(said.contains(tensor), "{said}");
    }
    let nothing = StoredTensor::from_f32(&[6, 12], &[f32::NAN; 72]);
    let (model, _) = changed("clip", "visual_projection.weight", Some(&nothing));
    let said = open(model.path(), true).unwrap_err();
    assert!(said.contains("picture search") && said.contains("not numbers"), "{said}");
}
