//! CLIP's tokenizer from a model's files.

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
use crate::store::ModelFiles;

const UNKNOWN: &str = "<|endoftext|>";
/// What CLIP takes for a word: contractions, letters, one digit, other signs.
const WORDS: &str = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";

/// A tokenizer and its special tokens.
pub struct PromptTokenizer {
    tokenizer: Tokenizer,
    /// Words that stand for several rows of the text encoder, by the id the tokenizer gives them.
    expansions: HashMap<u32, Vec<u32>>,
    /// The token before a prompt.
    pub start: u32,
    /// The token after a prompt.
    pub end: u32,
    /// The token that fills a chunk.
    pub pad: u32,
}

impl PromptTokenizer {
    /// Reads `merges.txt` of a model's `folder` and `vocab.json`, or `tokenizer.json` where only that exists, with
    /// every token that the folder adds. Merges without a vocabulary have CLIP's own.
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

    /// Whether the vocabulary has this word already.
    pub(super) fn knows(&self, word: &str) -> bool {
        self.tokenizer.token_to_id(word).is_some()
    }

    /// Adds a word that stands for `rows` of the text encoder.
    pub(super) fn learn(&mut self, word: &str, rows: Vec<u32>) -> Result<(), ModelError> {
        // A name of letters is a word of its own; one with signs around it may stand anywhere.
        let is_plain = word.chars().all(|c| c.is_alphanumeric() || c == '_');
        let token = AddedToken::from(word, false).single_word(is_plain);
        let failed = |reason: String| ModelError::Tokenizer { reason, path: word.into() };
        self.tokenizer.add_tokens([token]).map_err(|error| failed(error.to_string()))?;
        let id = self.tokenizer.token_to_id(word);
        let id = id.ok_or_else(|| failed("the word could not be added".to_owned()))?;
        self.expansions.insert(id, rows);
        Ok(())
    }

    /// The ids of a text's words, without start and end.
    pub fn ids(&self, text: &str) -> Result<Vec<u32>, ModelError> {
        let encoding = self
            .tokenizer
            .encode(text, false)
            .map_err(|error| ModelError::Tokenizer { reason: error.to_string(), path: "tokenizer".into() })?;
        let ids = encoding.get_ids();
        if self.expansions.is_empty() {
            return Ok(ids.to_vec());
        }
        let expand = |id: &u32| self.expansions.get(id).cloned().unwrap_or_else(|| vec![*id]);
        Ok(ids.iter().flat_map(expand).collect())
    }

    /// The word of an id, for messages.
    pub(super) fn word(&self, id: u32) -> Option<String> {
        self.tokenizer.id_to_token(id)
    }
}

/// Runs code that reads a tokenizer's files. The library that reads them panics on some damaged ones: that is a
/// model that cannot be loaded, not a fault of this program.
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
    // A word of the vocabulary keeps its id when it is added; so added ones get theirs.
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
    let pattern = SplitPattern::Regex(WORDS.to_owned());
    let split = Split::new(pattern, SplitDelimiterBehavior::Removed, true).map_err(failed)?;
    let _ = tokenizer.with_pre_tokenizer(Some(PreSequence::new(vec![
        PreTokenizerWrapper::Split(split),
        PreTokenizerWrapper::ByteLevel(ByteLevel::new(false, true, false)),
    ])));
    Ok(tokenizer)
}

/// CLIP's vocabulary: the letters of the 256 bytes, the same at the end of a word, what each merge makes, and the tokens of
/// start and end. Source: <https://github.com/openai/CLIP>, `simple_tokenizer.py`.
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
    // Chunks are cut and filled by us.
    let _ = tokenizer.with_truncation(None);
    tokenizer.with_padding(None);
    Ok(tokenizer)
}
