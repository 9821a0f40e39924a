//! Tokens that a tokenizer's folder adds to its base vocabulary: special tokens and learned ones (textual inversion).
//!
//! Source: transformers' `from_pretrained`. `added_tokens_decoder` in `tokenizer_config.json` is authoritative; without
//! it the older files `special_tokens_map.json`, `added_tokens.json` and `tokenizer.json` are read.

use serde_json::{Map, Value};
use tokenizers::AddedToken;

use super::ModelError;
use crate::store::ModelFiles;

/// Default start and end tokens, CLIP's.
const START: &str = "<|startoftext|>";
const END: &str = "<|endoftext|>";
/// Configuration keys that name one special token each.
const NAMED: [&str; 7] =
    ["bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token"];
/// Configuration keys that list additional special tokens.
const LISTED: [&str; 2] = ["additional_special_tokens", "extra_special_tokens"];

/// The added and special tokens of a tokenizer.
pub(super) struct AddedTokens {
    /// Each token with its id, ordered by id; `None` means the next free id.
    pub(super) tokens: Vec<(AddedToken, Option<u32>)>,
    /// The start token.
    pub(super) start: String,
    /// The end token.
    pub(super) end: String,
    /// The padding token; SD 2's is `!`.
    pub(super) pad: String,
}

impl AddedTokens {
    /// Reads the files of a tokenizer's `folder`; a missing file adds nothing.
    pub(super) fn read(files: &ModelFiles, folder: &str) -> Result<Self, ModelError> {
        let object = |file: &str| object(files, &format!("{folder}/{file}"));
        let mut config = object("tokenizer_config.json")?;
        let special = object("special_tokens_map.json")?;
        let decoder = config.remove("added_tokens_decoder");
        for (key, value) in special {
            // With `added_tokens_decoder`, the older map only supplies missing keys.
            if decoder.is_none() || !config.contains_key(&key) {
                config.insert(key, value);
            }
        }
        let mut tokens: Vec<(AddedToken, Option<u32>)> = Vec::new();
        if let Some(Value::Object(decoder)) = &decoder {
            let entries = decoder.iter().filter_map(|(id, token)| Some((id.parse().ok()?, token)));
            tokens.extend(entries.filter_map(|(id, value)| Some((token(value, false)?, Some(id)))));
        } else {
            let is_special = |content: &str| NAMED.iter().any(|key| name(config.get(*key)) == Some(content));
            for (content, id) in object("added_tokens.json")? {
                let Some(id) = id.as_u64().and_then(|id| u32::try_from(id).ok()) else { continue };
                let special = is_special(&content);
                tokens.push((AddedToken::from(content, special), Some(id)));
            }
            let mut whole = object("tokenizer.json")?;
            if let Some(Value::Array(added)) = whole.remove("added_tokens") {
                let id = |value: &Value| value.get("id")?.as_u64().and_then(|id| u32::try_from(id).ok());
                tokens
                    .extend(added.iter().filter_map(|value| Some((token(value, false)?, Some(id(value)?)))));
            }
        }
        tokens.sort_by_key(|(_, id)| *id);
        let named = |key: &str, otherwise: &str| name(config.get(key)).unwrap_or(otherwise).to_owned();
        let (start, end) = (named("bos_token", START), named("eos_token", END));
        let pad = named("pad_token", &end);
        let listed = LISTED.iter().filter_map(|key| config.get(*key)?.as_array()).flatten();
        let defaults = [Value::from(start.as_str()), Value::from(end.as_str())];
        for value in NAMED.iter().filter_map(|key| config.get(*key)).chain(listed).chain(&defaults) {
            if let Some(token) = token(value, true)
                && tokens.iter().all(|(known, _)| known.content != token.content)
            {
                tokens.push((token, None));
            }
        }
        Ok(Self { tokens, start, end, pad })
    }

    /// The tokens that are not special, ordered by id: words learned by textual inversion.
    pub(super) fn learned(&self) -> impl Iterator<Item = &str> {
        self.tokens.iter().filter(|(token, _)| !token.special).map(|(token, _)| token.content.as_str())
    }
}

/// A JSON object, empty if there is no such file.
fn object(files: &ModelFiles, file: &str) -> Result<Map<String, Value>, ModelError> {
    Ok(if files.contains(file) { files.json(file)? } else { Map::new() })
}

/// A token's content, from a JSON string or from an object.
fn name(value: Option<&Value>) -> Option<&str> {
    value?.as_str().or_else(|| value?.get("content")?.as_str())
}

/// A token from a JSON string or from an object with flags. Tokens named in the configuration are matched in the raw
/// text whatever their flags, as in transformers. Others follow their `normalized` flag, by default off for special
/// tokens and on for the rest.
fn token(value: &Value, is_named: bool) -> Option<AddedToken> {
    let flag = |key: &str, otherwise: bool| value.get(key).and_then(Value::as_bool).unwrap_or(otherwise);
    let content = name(Some(value)).filter(|content| !content.is_empty())?;
    let special = is_named || flag("special", false);
    let token = AddedToken::from(content, special)
        .single_word(flag("single_word", false))
        .lstrip(flag("lstrip", false))
        .rstrip(flag("rstrip", false))
        .normalized(!is_named && flag("normalized", !special));
    Some(token)
}
