//! CLIP's BPE tokenizer from a model's files.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tokenizers::models::bpe::BPE;
use tokenizers::normalizers::{Lowercase, NFC, Replace, Sequence};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence as PreSequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{AddedToken, NormalizerWrapper, SplitDelimiterBehavior, Tokenizer};

use super::ModelError;
use super::added_tokens::AddedTokens;
use super::prompt_tokens::prompt_tokens;
use crate::request::PromptToken;
use crate::store::ModelFiles;

/// CLIP uses the end token for unknown ones.
const UNKNOWN: &str = "<|endoftext|>";
/// CLIP's pre-tokenization pattern: contractions, letters, single digits, other characters.
const WORD_PATTERN: &str = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";

/// CLIP's tokenizer with the ids of its special tokens.
pub struct PromptTokenizer {
    tokenizer: Tokenizer,
    /// Learned words (textual inversion): the tokenizer's id of a word → the ids of its rows in the embedding table.
    expansions: HashMap<u32, Vec<u32>>,
    /// Id of the start token.
    pub start: u32,
    /// Id of the end token.
    pub end: u32,
    /// Id of the padding token.
    pub pad: u32,
}

impl PromptTokenizer {
    /// Reads `merges.txt` and `vocab.json` in a model's `folder`, or `tokenizer.json` where only that exists, and the
    /// tokens that the folder adds. Without `vocab.json`, the vocabulary is derived from the merges as in OpenAI's
    /// CLIP.
    ///
    /// # Errors
    /// [`ModelError::Store`] for missing or unreadable files, [`ModelError::Tokenizer`] for damaged ones and for a
    /// vocabulary without the special tokens.
    pub fn open(files: &ModelFiles, folder: &str) -> Result<Self, ModelError> {
        let added = AddedTokens::read(files, folder)?;
        let has = |name: &str| files.contains(&format!("{folder}/{name}"));
        let mut tokenizer = if has("merges.txt") || (has("vocab.json") && !has("tokenizer.json")) {
            from_vocabulary(files, folder, &added)?
        } else {
            from_json(files, folder)?
        };
        let damaged = |reason: String| ModelError::Tokenizer { reason, path: files.path(folder) };
        tokenizer
            .add_tokens(added.tokens.iter().map(|(token, _)| token.clone()))
            .map_err(|error| damaged(error.to_string()))?;
        let id = |token: &str| {
            tokenizer.token_to_id(token).ok_or_else(|| damaged(format!("it has no token {token}")))
        };
        let (start, end, pad) = (id(&added.start)?, id(&added.end)?, id(&added.pad)?);
        Ok(Self { tokenizer, expansions: HashMap::new(), start, end, pad })
    }

    /// Whether the vocabulary contains this word.
    pub(super) fn knows(&self, word: &str) -> bool {
        self.tokenizer.token_to_id(word).is_some()
    }

    /// Adds a word that is encoded as `rows`, ids in the text encoder's embedding table.
    ///
    /// # Errors
    /// [`ModelError::Tokenizer`] if the tokenizer rejects the word.
    pub(super) fn learn(&mut self, word: &str, rows: Vec<u32>) -> Result<(), ModelError> {
        // An alphanumeric word matches only as a whole word; one with other characters (`<name>`) matches anywhere.
        let is_plain = word.chars().all(|c| c.is_alphanumeric() || c == '_');
        let token = AddedToken::from(word, false).single_word(is_plain);
        let failed = |reason: String| ModelError::Tokenizer { reason, path: word.into() };
        self.tokenizer.add_tokens([token]).map_err(|error| failed(error.to_string()))?;
        let id = self.tokenizer.token_to_id(word);
        let id = id.ok_or_else(|| failed("the word could not be added".to_owned()))?;
        self.expansions.insert(id, rows);
        Ok(())
    }

    /// The token ids of a text, without start and end tokens. A learned word gives an id for each of its vectors.
    ///
    /// # Errors
    /// [`ModelError::Tokenizer`] if the tokenizer fails.
    pub fn ids(&self, text: &str) -> Result<Vec<u32>, ModelError> {
        Ok(self.tokens(text)?.into_iter().map(|(id, _)| id).collect())
    }

    /// The same with the part of the text that each token stands for.
    ///
    /// # Errors
    /// As [`Self::ids`].
    pub(super) fn tokens(&self, text: &str) -> Result<Vec<(u32, PromptToken)>, ModelError> {
        let encoding = self
            .tokenizer
            .encode(text, false)
            .map_err(|error| ModelError::Tokenizer { reason: error.to_string(), path: "tokenizer".into() })?;
        let tokens = prompt_tokens(text, encoding.get_offsets(), &(0..text.len()));
        let mut all = Vec::with_capacity(tokens.len());
        for (id, token) in encoding.get_ids().iter().zip(tokens) {
            match self.expansions.get(id) {
                Some(rows) => all.extend(rows.iter().map(|row| (*row, token.clone()))),
                None => all.push((*id, token)),
            }
        }
        Ok(all)
    }

    /// The token of an id, for messages.
    pub(super) fn word(&self, id: u32) -> Option<String> {
        self.tokenizer.id_to_token(id)
    }
}

/// Runs code that calls the tokenizer library, which panics on some damaged files.
///
/// # Errors
/// [`ModelError::Tokenizer`] instead of a panic.
pub(super) fn guarded<T>(
    files: &ModelFiles,
    read: impl FnOnce() -> Result<T, ModelError>,
) -> Result<T, ModelError> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| {
        let reason = "its files are damaged in a way that the tokenizer cannot report".to_owned();
        Err(ModelError::Tokenizer { reason, path: files.path("tokenizer") })
    })
}

fn from_vocabulary(files: &ModelFiles, folder: &str, added: &AddedTokens) -> Result<Tokenizer, ModelError> {
    let damaged = |file: &str, reason: String| ModelError::Tokenizer { reason, path: files.path(file) };
    let merges_file = format!("{folder}/merges.txt");
    let merges = files.require(&merges_file)?;
    let merges = std::str::from_utf8(&merges).map_err(|error| damaged(&merges_file, error.to_string()))?;
    let merges = merges.trim_start_matches('\u{feff}');
    let mut pairs = Vec::new();
    for line in merges.lines().filter(|line| !line.starts_with("#version") && !line.trim().is_empty()) {
        let Some((left, right)) = line.trim_end().split_once(' ') else {
            return Err(damaged(&merges_file, format!("‘{line}’ is not a pair")));
        };
        pairs.push((left.to_owned(), right.to_owned()));
    }
    let vocab_file = format!("{folder}/vocab.json");
    let mut vocab: HashMap<String, u32> =
        if files.contains(&vocab_file) { files.json(&vocab_file)? } else { vocabulary_of(&pairs) };
    // `add_tokens` keeps the ids of tokens that are in the vocabulary: added tokens are inserted with their stored ids.
    for (token, id) in &added.tokens {
        if let Some(id) = id {
            vocab.entry(token.content.clone()).or_insert(*id);
        }
    }
    let bpe = BPE::builder()
        .vocab_and_merges(vocab.into_iter().collect::<tokenizers::models::bpe::Vocab>(), pairs)
        .unk_token(UNKNOWN.to_owned())
        .end_of_word_suffix("</w>".to_owned())
        .build()
        .map_err(|error| damaged(&merges_file, error.to_string()))?;
    let failed = |error: tokenizers::Error| damaged(folder, error.to_string());
    let mut tokenizer = Tokenizer::new(bpe);
    let spaces =
        Replace::new(tokenizers::normalizers::replace::ReplacePattern::Regex(r"\s+".to_owned()), " ");
    let normalizers = Sequence::new(vec![
        NormalizerWrapper::NFC(NFC),
        NormalizerWrapper::Replace(spaces.map_err(failed)?),
        NormalizerWrapper::Lowercase(Lowercase),
    ]);
    let _ = tokenizer.with_normalizer(Some(normalizers)).map_err(failed)?;
    let pattern = SplitPattern::Regex(WORD_PATTERN.to_owned());
    let split = Split::new(pattern, SplitDelimiterBehavior::Removed, true).map_err(failed)?;
    let _ = tokenizer.with_pre_tokenizer(Some(PreSequence::new(vec![
        PreTokenizerWrapper::Split(split),
        PreTokenizerWrapper::ByteLevel(ByteLevel::new(false, true, false)),
    ])));
    Ok(tokenizer)
}

/// CLIP's vocabulary in the order of its ids: a character for each of the 256 byte values, the same with the
/// end-of-word suffix, the result of each merge, and the start and end tokens. Source:
/// <https://github.com/openai/CLIP>, `simple_tokenizer.py`.
fn vocabulary_of(merges: &[(String, String)]) -> HashMap<String, u32> {
    let is_printable = |byte: &u32| matches!(byte, 33..=126 | 161..=172 | 174..=255);
    let printable = (0..256).filter(is_printable);
    let others = (0..256).filter(|byte| !is_printable(byte)).zip(256..).map(|(_, letter)| letter);
    let letters: Vec<String> =
        printable.chain(others).filter_map(char::from_u32).map(|letter| letter.to_string()).collect();
    let at_ends = letters.iter().map(|letter| format!("{letter}</w>"));
    let merged = merges.iter().map(|(left, right)| format!("{left}{right}"));
    let special = ["<|startoftext|>", UNKNOWN].map(str::to_owned);
    letters.iter().cloned().chain(at_ends).chain(merged).chain(special).zip(0..).collect()
}

fn from_json(files: &ModelFiles, folder: &str) -> Result<Tokenizer, ModelError> {
    let file = format!("{folder}/tokenizer.json");
    let bytes = files.require(&file)?;
    let mut tokenizer = Tokenizer::from_bytes(&bytes)
        .map_err(|error| ModelError::Tokenizer { reason: error.to_string(), path: files.path(&file) })?;
    // Truncation and padding are done when prompts are split into chunks.
    let _ = tokenizer.with_truncation(None);
    tokenizer.with_padding(None);
    Ok(tokenizer)
}
