//! Finding and describing pictures against transformers, on small networks with random weights.

use safelight::models::meaning::{PictureDescriber, PictureSearch, PixelRules, ScalingFilter, scaled};
use safelight::request::CancelToken;
use safelight::store::ModelFiles;
use safelight::store::history::PictureMeaning;

use super::close;
use super::common::fixtures::{Tensors, fixture, json, tensors, token_ids};
use super::common::recorded_pictures::recorded_pictures as pictures;

/// The recorded tensors of f32.
fn recorded(folder: &str) -> Tensors {
    tensors(&fixture(folder).join("expected.safetensors"))
}

#[track_caller]
fn prepared(folder: &str, usual: PixelRules, filter: ScalingFilter) {
    let rules = usual.read(&ModelFiles::of_network(&fixture(folder))).unwrap();
    assert_eq!(rules.filter, filter, "{folder}");
    let (pictures, recorded) = (pictures(folder), recorded(folder));
    assert!(pictures.len() >= 3);
    for (i, picture) in pictures.iter().enumerate() {
        let (found, (_, expected)) = (rules.prepare(picture), &recorded[&format!("pixels.{i}")]);
        // A level of a byte is at least 0.007 here: every byte is the same.
        let worst = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-5, "{folder} {i}: {worst}");
        close(&format!("{folder} pixels {i}"), &found, expected, 1e-6);
    }
}

#[test]
fn pictures_are_prepared_as_by_transformers_with_pillow() {
    prepared("clip", PixelRules::of_clip(32), ScalingFilter::Bicubic);
    prepared("blip", PixelRules::of_blip(32), ScalingFilter::Bicubic);
    prepared("siglip", PixelRules::of_siglip(32), ScalingFilter::Bicubic);
    prepared("siglip2", PixelRules::of_siglip(32), ScalingFilter::Bilinear);
    let small = &pictures("clip")[3];
    assert_eq!(&scaled(small, 32, 32, ScalingFilter::Bicubic), small, "it has its size already");
}

/// The direction of recorded features is the one of ours.
#[track_caller]
fn same_direction(what: &str, found: &PictureMeaning, expected: &[f32], tolerance: f64) {
    let expected = PictureMeaning::new(found.model(), expected).unwrap();
    close(what, found.values(), expected.values(), tolerance);
}

/// The places of the recorded texts and pictures are those of transformers: relative L2 of the embeddings.
#[track_caller]
fn places(name: &str, tolerance: f64) {
    let search = PictureSearch::open(&fixture(name).join("model.safetensors"), None).unwrap();
    assert_eq!(search.hash().len(), 64);
    let (recorded, words) = (recorded(name), json(&fixture(name).join("expected.json")));
    for (i, text) in words["texts"].as_array().unwrap().iter().enumerate() {
        let text = text.as_str().unwrap();
        assert_eq!(search.ids(text).unwrap(), token_ids(&words["ids"][i]), "{name}: {text}");
        same_direction(text, &search.words(text).unwrap(), &recorded[&format!("text.{i}")].1, tolerance);
    }
    for (i, picture) in pictures(name).iter().enumerate() {
        let found = search.picture(picture).unwrap();
        let what = format!("{name} picture {i}");
        same_direction(&what, &found, &recorded[&format!("image.{i}")].1, tolerance);
        assert_eq!(found.model(), search.hash());
    }
}

#[test]
fn clip_places_pictures_and_words_where_transformers_does() {
    places("clip", 1e-4);
}

#[test]
fn siglip_places_pictures_and_words_where_transformers_does() {
    places("siglip", 2e-5);
    places("siglip2", 2e-5);
}

#[test]
fn siglip_ranks_pictures_by_words_as_transformers_does() {
    let search = PictureSearch::open(&fixture("siglip/model.safetensors"), None).unwrap();
    let (recorded, texts) = (recorded("siglip"), json(&fixture("siglip/expected.json")));
    let pictures = pictures("siglip");
    let ranked = |words: &PictureMeaning, places: &[PictureMeaning]| {
        let mut order: Vec<usize> = (0..places.len()).collect();
        order.sort_by(|a, b| words.similarity(&places[*b]).total_cmp(&words.similarity(&places[*a])));
        order
    };
    let known = |kind: &str, i: usize| {
        PictureMeaning::new(search.hash(), &recorded[&format!("{kind}.{i}")].1).unwrap()
    };
    let expected: Vec<_> = (0..pictures.len()).map(|i| known("image", i)).collect();
    let found: Vec<_> = pictures.iter().map(|picture| search.picture(picture).unwrap()).collect();
    let mut orders = std::collections::BTreeSet::new();
    for (i, text) in texts["texts"].as_array().unwrap().iter().enumerate() {
        let text = text.as_str().unwrap();
        let order = ranked(&search.words(text).unwrap(), &found);
        assert_eq!(order, ranked(&known("text", i), &expected), "{text}");
        orders.insert(order);
    }
    assert!(orders.len() > 1, "the words matter: {orders:?}");
}

#[test]
fn blip_describes_pictures_with_the_tokens_of_transformers() {
    let mut describer = PictureDescriber::open(&fixture("blip/model.safetensors"), None).unwrap();
    let expected = json(&fixture("blip/expected.json"));
    let mut longest = 0;
    for (i, picture) in pictures("blip").iter().enumerate() {
        let mut ids = token_ids(&expected["ids"][i]);
        // The tokens that begin and end it.
        assert_eq!((ids.remove(0), ids.pop()), (35, Some(3)));
        let found = describer.ids(picture, &CancelToken::new()).unwrap();
        assert_eq!(found, ids, "picture {i}");
        longest = longest.max(ids.len());
        let words = describer.describe(picture, &CancelToken::new()).unwrap();
        assert_eq!(words, expected["texts"][i].as_str().unwrap(), "picture {i}");
    }
    assert!(longest > 20, "a description of many tokens is among them");
    let cancel = CancelToken::new();
    cancel.stop();
    let stopped = describer.describe(&pictures("blip")[1], &cancel).unwrap_err();
    assert_eq!(stopped.to_string(), "stopped");
}

#[test]
fn files_of_half_precision_and_with_untied_weights_open_too() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["config.json", "tokenizer.json", "preprocessor_config.json"] {
        std::fs::copy(fixture("blip").join(name), folder.path().join(name)).unwrap();
    }
    // The weights in bf16, with the tensors that transformers leaves out because they are tied.
    let bytes = std::fs::read(fixture("blip/model.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let halved: Vec<(String, Vec<usize>, Vec<u8>)> = file
        .iter()
        .map(|(name, view)| {
            let data = view.data().chunks_exact(4).flat_map(|b| [b[2], b[3]]).collect();
            (name.to_owned(), view.shape().to_vec(), data)
        })
        .collect();
    let mut views = Vec::new();
    for (name, shape, data) in &halved {
        let view =
            safetensors::tensor::TensorView::new(safetensors::Dtype::BF16, shape.clone(), data).unwrap();
        if name.ends_with("word_embeddings.weight") {
            views.push(("text_decoder.cls.predictions.decoder.weight".to_owned(), view.clone()));
        }
        let name = name.replace("cls.predictions.bias", "cls.predictions.decoder.bias");
        views.push((name, view));
    }
    safetensors::serialize_to_file(views, None, &folder.path().join("model.safetensors")).unwrap();
    let mut describer = PictureDescriber::open(&folder.path().join("model.safetensors"), None).unwrap();
    let ids = describer.ids(&pictures("blip")[2], &CancelToken::new()).unwrap();
    let expected = token_ids(&json(&fixture("blip/expected.json"))["ids"][2]);
    assert_eq!(ids[..3], expected[1..4], "rounded weights say the same at first");
}
