//! The catalogue beside what the program knows.

use std::collections::BTreeSet;

use safelight::models;
use safelight::store::hub::Catalogue;

use crate::common::fixtures::fixture;
use crate::common::model_folders::{copied_model, copy_folder, fixture_model, model_in};

/// A small model whose other parts are those of the small FLUX.1.
fn completed(name: &str, parts: &[(&str, &str)]) -> &'static str {
    let folder = tempfile::tempdir().unwrap();
    for (from, to) in parts {
        copy_folder(&fixture("flux").join(from), &folder.path().join(to));
    }
    copy_folder(&fixture(name), folder.path());
    models::profile(&model_in(&folder)).unwrap().family
}

/// Stable Diffusion 2 is known by the width of its text encoder, which the small model does not have.
fn stable_diffusion_2() -> &'static str {
    let folder = copied_model("sd2");
    for (part, key) in [("unet", "cross_attention_dim"), ("text_encoder", "hidden_size")] {
        let path = folder.path().join(part).join("config.json");
        let mut config: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        config[key] = 1024.into();
        std::fs::write(path, config.to_string()).unwrap();
    }
    models::profile(&model_in(&folder)).unwrap().family
}

#[test]
fn every_family_of_the_catalogue_is_one_that_opens() {
    let whole = ["sd1", "sdxl", "flux", "flux2"];
    let mut families: BTreeSet<&str> =
        whole.into_iter().map(|name| models::profile(&fixture_model(name)).unwrap().family).collect();
    families.insert(stable_diffusion_2());
    families.insert(completed("sd3", &[("vae", "vae")]));
    families.insert(completed("z_image", &[("vae", "vae")]));
    families.insert(completed(
        "chroma",
        &[("vae", "vae"), ("text_encoder_2", "text_encoder"), ("tokenizer_2", "tokenizer")],
    ));
    assert_eq!(families.len(), 8);
    let catalogue = Catalogue::of_program();
    let of_models = catalogue.models.iter().map(|model| &model.family);
    for family in of_models.chain(catalogue.tiny_decoders.iter().flat_map(|decoder| &decoder.families)) {
        assert!(families.contains(family.as_str()), "{family} is none of {families:?}");
    }
}
