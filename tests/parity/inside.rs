//! Where the tokens of a prompt act, against the attention that diffusers computes.

use safelight::diffusion::{Branch, DenoisingNetwork};
use safelight::latent::Latent;
use safelight::models::LatentDiffusionModel;
use safelight::request::CancelToken;

use super::common::fixtures::{fixture, tensors};
use super::common::model_folders::{fixture_model, loaded};
use super::flow::{conditioning, facts_of, opened, prompt_of, recorded};
use super::{NETWORK, close, latent, prompts, qwen3};

/// The maps of one call, and the words of the prompt that the first ones of the tokens make.
fn maps_of(
    network: &mut dyn DenoisingNetwork,
    noisy: &Latent,
    time: f64,
    branch: Branch,
) -> (Latent, Vec<String>) {
    let before = network.predict(noisy, time, branch).unwrap();
    assert_eq!(network.take_words(), None, "nothing was asked");
    network.watch_words();
    let watched = network.predict(noisy, time, branch).unwrap();
    assert_eq!(watched, before, "being watched changes nothing");
    let activity = network.take_words().unwrap();
    assert_eq!(network.take_words(), None, "it was asked once");
    let shape = activity.embeddings.shape();
    assert_eq!((shape.channels, shape.height), (1, activity.maps.shape().channels));
    assert!(activity.embeddings.values().iter().any(|value| *value != 0.0));
    (activity.maps, activity.tokens.words().into_iter().map(|word| word.text).collect())
}

fn expected(name: &str) -> Vec<f32> {
    tensors(&fixture("inside.safetensors"))[name].1.clone()
}

#[test]
fn cross_attention_of_sd1_is_that_of_diffusers() {
    let mut model = loaded(&fixture_model("sd1"));
    let noisy = latent(&recorded("sd1")["latent"]);
    let cancel = CancelToken::new();
    let mut network = model.condition(&prompts("a red fox in the snow", ""), &cancel).unwrap();
    // With the negative prompt in the same batch and without.
    for branch in [Branch::Both, Branch::Conditional] {
        let (maps, words) = maps_of(&mut *network, &noisy, 801.0, branch);
        assert_eq!(words, ["a", "red", "fox", "in", "the", "snow"]);
        close("sd1: maps", maps.values(), &expected("sd1"), NETWORK);
    }
}

fn joint(mut model: Box<dyn LatentDiffusionModel>, name: &str, facts: &serde_json::Value, guidance: f64) {
    let noisy = latent(&recorded(name)["latent"]);
    let cancel = CancelToken::new();
    let mut network = model.condition(&conditioning(prompt_of(facts), guidance), &cancel).unwrap();
    let (maps, words) = maps_of(&mut *network, &noisy, 800.0, Branch::Conditional);
    assert_eq!(words.join(" "), "A red fox in the snow , two moons over the lake");
    close(&format!("{name}: maps"), maps.values(), &expected(name), NETWORK);
}

#[test]
fn joint_attention_of_flux_is_that_of_diffusers() {
    joint(opened(&fixture("flux")), "flux", &facts_of("flux"), 3.5);
}

/// Its image tokens stand before the text, and are padded; the template's tokens are not the prompt's.
#[test]
fn joint_attention_of_z_image_is_that_of_diffusers() {
    joint(opened(qwen3::z_image().path()), "z_image", &facts_of("z_image"), 1.0);
}
