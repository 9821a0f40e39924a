//! Damaged tiny decoders: a clear sentence that names the file, never a panic.

use proptest::prelude::*;
use safelight::models::{ModelSettings, TinyDecoder};

use crate::common::fixtures::fixture;

/// What opening these bytes as a tiny decoder says, which begins with no temporary name.
fn opened(bytes: &[u8]) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("taesd.safetensors");
    std::fs::write(&path, bytes).unwrap();
    let decoder = TinyDecoder::open(&path, ModelSettings { threads: Some(1), ..ModelSettings::default() });
    let said = decoder.and_then(|decoder| decoder.convolutions()).map_err(|error| error.to_string());
    said.map(|_| ()).inspect_err(|said| {
        assert!(said.ends_with(&*path.to_string_lossy()) || said.contains("not supported"), "{said}");
    })
}

fn whole() -> Vec<u8> {
    std::fs::read(fixture("tiny/taesd_decoder.safetensors")).unwrap()
}

/// The file with its header changed.
fn with_header(change: impl FnOnce(&mut serde_json::Map<String, serde_json::Value>)) -> Vec<u8> {
    let bytes = whole();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    change(&mut header);
    let header = serde_json::to_vec(&header).unwrap();
    [&(header.len() as u64).to_le_bytes()[..], &header, &bytes[8 + length..]].concat()
}

#[test]
fn each_kind_of_damage_has_its_sentence() {
    assert_eq!(opened(&whole()), Ok(()));
    // Under another name, because the tensors of a file fill it.
    let renamed = |header: &mut serde_json::Map<String, serde_json::Value>, name: &str| {
        let tensor = header.remove(name).unwrap();
        header.insert("another".to_owned(), tensor);
    };
    let without = |name: &str| opened(&with_header(|header| renamed(header, name))).unwrap_err();
    let [half, last] = [whole().len() / 2, whole().len() - 1].map(|to| opened(&whole()[..to]).unwrap_err());
    for (said, sentence) in [
        (half, "the file ends too early"),
        (last, "the file ends too early"),
        (opened(b"").unwrap_err(), "this is no tiny decoder but an empty file"),
        (opened(b"<!DOCTYPE html>").unwrap_err(), "this is no tiny decoder but a web page"),
        (opened(b"\x80\x02}q\0.").unwrap_err(), "this is no tiny decoder but a Python pickle"),
        (without("1.weight"), "this is no tiny decoder but a file of weights"),
        (without("19.weight"), "tiny decoder: the tensor ‘decoder.layers.18.weight’ [3, 8, 3, 3] is missing"),
        (without("12.weight"), "tiny decoder: the tensor ‘decoder.layers.11.weight’ [8, 8, 3, 3] is missing"),
    ] {
        assert!(said.contains(sentence), "{said}");
    }
    let turned = with_header(|header| header["19.weight"]["shape"] = serde_json::json!([8, 3, 3, 3]));
    let said = opened(&turned).unwrap_err();
    assert!(said.contains("should be [3, 8, 3, 3] and is [8, 3, 3, 3]"), "{said}");
}

/// Other networks whose first layers have the same names.
#[test]
fn other_designs_are_refused() {
    for (shape, sentence) in [
        (serde_json::json!([4, 72, 1, 1]), "should be [64, 4, 3, 3] and is [4, 72, 1, 1]"),
        (
            serde_json::json!([1, 32, 3, 3]),
            "a tiny decoder of 1 inner channels for latents of 32 is not supported",
        ),
        (
            serde_json::json!([16, 2, 3, 3]),
            "the tensor ‘decoder.layers.2.conv.0.weight’ should be [16, 16, 3, 3]",
        ),
    ] {
        let said = opened(&with_header(|header| header["1.weight"]["shape"] = shape)).unwrap_err();
        assert!(said.contains(sentence), "{said}");
    }
    let encoder = std::fs::read(fixture("tiny/taesd_encoder.safetensors")).unwrap();
    assert!(opened(&encoder).unwrap_err().contains("a tiny encoder without its decoder"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_changed_byte_never_panics(at in 0_usize..6000, value: u8) {
        let mut bytes = whole();
        let at = at % bytes.len();
        bytes[at] = value;
        let _ = opened(&bytes);
    }
}
