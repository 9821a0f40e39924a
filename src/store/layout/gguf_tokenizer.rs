//! Conversion of the tokenizers in GGUF files to `tokenizer.json`.
//!
//! Source: llama.cpp's keys `tokenizer.ggml.*`, <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>, and the
//! structure of T5's and Qwen's tokenizers in transformers.

use std::borrow::Cow;

use base64::Engine as _;
use serde_json::{Value, json};

use crate::weights::{GgufMetadata, GgufNumbers, GgufTexts, GgufValue};

/// Token types of llama.cpp that are matched literally in a text.
const CONTROL: u64 = 3;
const USER_DEFINED: u64 = 4;
/// SentencePiece's replacement for a space.
const SPACE: &str = "▁";

/// The tokenizer of a file; `None` if it has none or one of an unsupported type. The error says how it is damaged.
pub(super) fn tokenizer_json(metadata: &GgufMetadata) -> Option<Result<Value, String>> {
    let tokens = texts(metadata, "tokenizer.ggml.tokens")?;
    for key in ["tokenizer.ggml.scores", "tokenizer.ggml.token_type"] {
        match numbers(metadata, key) {
            Some(numbers) if numbers.len() != tokens.len() => {
                return Some(Err(format!(
                    "its tokenizer has {} tokens, and {} numbers in ‘{key}’",
                    tokens.len(),
                    numbers.len()
                )));
            }
            _ => {}
        }
    }
    match metadata.get("tokenizer.ggml.model")?.as_str()? {
        "t5" => unigram(metadata, tokens),
        "gpt2" => byte_pairs(metadata, tokens),
        _ => None,
    }
}

fn texts<'a>(metadata: &'a GgufMetadata, key: &str) -> Option<&'a GgufTexts> {
    if let GgufValue::Texts(texts) = metadata.get(key)? { Some(texts) } else { None }
}

/// Texts as strings; invalid UTF-8 becomes replacement characters.
fn words(texts: &GgufTexts) -> impl Iterator<Item = Cow<'_, str>> {
    texts.iter().map(String::from_utf8_lossy)
}

fn numbers<'a>(metadata: &'a GgufMetadata, key: &str) -> Option<&'a GgufNumbers> {
    if let GgufValue::Numbers(numbers) = metadata.get(key)? { Some(numbers) } else { None }
}

/// The tokens that are matched before the tokenization of the rest.
fn added_tokens(metadata: &GgufMetadata, tokens: &GgufTexts) -> Vec<Value> {
    let kinds = numbers(metadata, "tokenizer.ggml.token_type");
    let kinds = kinds.into_iter().flat_map(GgufNumbers::iter).map(|kind| kind.as_u64().unwrap_or_default());
    let all = words(tokens).zip(kinds).enumerate();
    all.filter(|(_, (_, kind))| matches!(*kind, CONTROL | USER_DEFINED))
        .map(|(id, (content, kind))| {
            json!({
                "id": id, "content": content, "special": kind == CONTROL, "single_word": false, "lstrip": false,
                "rstrip": false, "normalized": false,
            })
        })
        .collect()
}

/// T5's tokenizer: SentencePiece's unigram model.
fn unigram(metadata: &GgufMetadata, tokens: &GgufTexts) -> Option<Result<Value, String>> {
    let scores = numbers(metadata, "tokenizer.ggml.scores")?;
    if scores.iter().any(|score| !score.as_f64().is_finite()) {
        return Some(Err("a score of its tokenizer is not a finite number".to_owned()));
    }
    let vocabulary: Vec<Value> =
        words(tokens).zip(scores.iter()).map(|(token, score)| json!([token, score.as_f64()])).collect();
    let unknown = metadata.get("tokenizer.ggml.unknown_token_id").and_then(GgufValue::as_u64).unwrap_or(2);
    if unknown >= tokens.len() as u64 {
        let count = tokens.len();
        return Some(Err(format!(
            "its tokenizer's unknown token has the number {unknown}, and it has {count} tokens"
        )));
    }
    let charsmap = numbers(metadata, "tokenizer.ggml.precompiled_charsmap").map(|map| {
        let bytes: Vec<u8> = map.iter().map(|byte| byte.as_u64().unwrap_or_default() as u8).collect();
        json!({ "type": "Precompiled", "precompiled_charsmap": base64::engine::general_purpose::STANDARD.encode(bytes) })
    });
    Some(Ok(json!({
        "version": "1.0",
        "added_tokens": added_tokens(metadata, tokens),
        "normalizer": charsmap,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                { "type": "WhitespaceSplit" },
                { "type": "Metaspace", "replacement": SPACE, "prepend_scheme": "always", "split": true },
            ],
        },
        "model": { "type": "Unigram", "unk_id": unknown, "vocab": vocabulary, "byte_fallback": false },
    })))
}

/// Qwen's tokenizer: byte-pair encoding.
fn byte_pairs(metadata: &GgufMetadata, tokens: &GgufTexts) -> Option<Result<Value, String>> {
    /// Qwen2's pre-tokenizer: contractions, letters, single digits, other symbols, whitespace.
    const WORDS: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    // Other models use other pre-tokenizers.
    if metadata.get("tokenizer.ggml.pre")?.as_str()? != "qwen2" {
        return None;
    }
    let merges: Vec<_> = words(texts(metadata, "tokenizer.ggml.merges")?).collect();
    let added = added_tokens(metadata, tokens);
    let vocabulary: serde_json::Map<String, Value> =
        words(tokens).enumerate().map(|(id, token)| (token.into_owned(), id.into())).collect();
    Some(Ok(json!({
        "version": "1.0",
        "added_tokens": added,
        "normalizer": { "type": "NFC" },
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                { "type": "Split", "pattern": { "Regex": WORDS }, "behavior": "Isolated", "invert": false },
                { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false },
            ],
        },
        "model": {
            "type": "BPE", "vocab": vocabulary, "merges": merges, "dropout": null, "unk_token": null,
            "continuing_subword_prefix": "", "end_of_word_suffix": "", "fuse_unk": false, "byte_fallback": false,
        },
    })))
}
