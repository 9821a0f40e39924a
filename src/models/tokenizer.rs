//! CLIP's tokenizer from a model's files.

use tokenizers::models::bpe::BPE;
use tokenizers::normalizers::{Lowercase, NFC, Replace, Sequence};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence as PreSequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{NormalizerWrapper, SplitDelimiterBehavior, Tokenizer};

use super::ModelError;
use crate::store::ModelFiles;

const START: &str = "<|startoftext|>";
const END: &str = "<|endoftext|>";
/// What CLIP takes for a word: contractions, letters, one digit, other signs.
const WORDS: &str = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";
/// Prompts are cut here before they reach the tokenizer, bytes: hundreds of chunks.
const MAX_PROMPT: usize = 64 << 10;

/// A tokenizer and its special tokens.
pub struct PromptTokenizer {
    tokenizer: Tokenizer,
    /// The token before a prompt.
    pub start: u32,
    /// The token after a prompt.
    pub end: u32,
    /// The token that fills a chunk.
    pub pad: u32,
}

impl PromptTokenizer {
    /// Reads `tokenizer/vocab.json` and `merges.txt`, or `tokenizer.json` where only that exists.
    pub fn open(files: &ModelFiles) -> Result<Self, ModelError> {
        let tokenizer =
            if files.contains("tokenizer/vocab.json") { from_vocabulary(files)? } else { from_json(files)? };
        let id = |token: &str| {
            tokenizer.token_to_id(token).ok_or_else(|| ModelError::Tokenizer {
                reason: format!("it has no token {token}"),
                path: files.path("tokenizer"),
            })
        };
        let (start, end) = (id(START)?, id(END)?);
        let pad = match pad_token(files) {
            Some(token) => id(&token)?,
            None => end,
        };
        Ok(Self { tokenizer, start, end, pad })
    }

    /// The ids of a text's words, without start and end.
    pub fn ids(&self, text: &str) -> Result<Vec<u32>, ModelError> {
        let mut end = text.len().min(MAX_PROMPT);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let encoding = self
            .tokenizer
            .encode(&text[..end], false)
            .map_err(|error| ModelError::Tokenizer { reason: error.to_string(), path: "tokenizer".into() })?;
        Ok(encoding.get_ids().to_vec())
    }
}

fn from_vocabulary(files: &ModelFiles) -> Result<Tokenizer, ModelError> {
    let damaged = |file: &str, reason: String| ModelError::Tokenizer { reason, path: files.path(file) };
    let vocab: std::collections::HashMap<String, u32> = files.json("tokenizer/vocab.json")?;
    let merges = files.require("tokenizer/merges.txt")?;
    let merges =
        std::str::from_utf8(&merges).map_err(|error| damaged("tokenizer/merges.txt", error.to_string()))?;
    let mut pairs = Vec::new();
    for line in merges.lines().filter(|line| !line.starts_with("#version") && !line.trim().is_empty()) {
        let Some((left, right)) = line.trim_end().split_once(' ') else {
            return Err(damaged("tokenizer/merges.txt", format!("‘{line}’ is not a pair")));
        };
        pairs.push((left.to_owned(), right.to_owned()));
    }
    let bpe = BPE::builder()
        .vocab_and_merges(vocab.into_iter().collect::<tokenizers::models::bpe::Vocab>(), pairs)
        .unk_token(END.to_owned())
        .end_of_word_suffix("</w>".to_owned())
        .build()
        .map_err(|error| damaged("tokenizer/merges.txt", error.to_string()))?;
    let failed = |error: tokenizers::Error| damaged("tokenizer", error.to_string());
    let mut tokenizer = Tokenizer::new(bpe);
    let spaces =
        Replace::new(tokenizers::normalizers::replace::ReplacePattern::Regex(r"\s+".to_owned()), " ");
    let normalizers = Sequence::new(vec![
        NormalizerWrapper::NFC(NFC),
        NormalizerWrapper::Replace(spaces.map_err(failed)?),
        NormalizerWrapper::Lowercase(Lowercase),
    ]);
    let _ = tokenizer.with_normalizer(Some(normalizers)).map_err(failed)?;
    let pattern = SplitPattern::Regex(WORDS.to_owned());
    let split = Split::new(pattern, SplitDelimiterBehavior::Removed, true).map_err(failed)?;
    let _ = tokenizer.with_pre_tokenizer(Some(PreSequence::new(vec![
        PreTokenizerWrapper::Split(split),
        PreTokenizerWrapper::ByteLevel(ByteLevel::new(false, true, false)),
    ])));
    Ok(tokenizer)
}

fn from_json(files: &ModelFiles) -> Result<Tokenizer, ModelError> {
    let bytes = files.require("tokenizer/tokenizer.json")?;
    let mut tokenizer = Tokenizer::from_bytes(&bytes).map_err(|error| ModelError::Tokenizer {
        reason: error.to_string(),
        path: files.path("tokenizer/tokenizer.json"),
    })?;
    // Chunks are cut and filled by us.
    let _ = tokenizer.with_truncation(None);
    tokenizer.with_padding(None);
    Ok(tokenizer)
}

/// The padding token's name: SD 2's is `!`.
fn pad_token(files: &ModelFiles) -> Option<String> {
    ["tokenizer/tokenizer_config.json", "tokenizer/special_tokens_map.json"].iter().find_map(|name| {
        let value: serde_json::Value = files.json(name).ok()?;
        let token = value.get("pad_token")?;
        token.as_str().or_else(|| token.get("content")?.as_str()).map(str::to_owned)
    })
}
