//! Prompt encoding with one CLIP text encoder, or with Stable Diffusion XL's two.
//!
//! Source: Podell et al. 2023, <https://arxiv.org/abs/2307.01952>, and diffusers' pipelines.

use std::sync::Arc;

use super::profile::{Configs, ENCODERS};
use crate::models::added_tokens::AddedTokens;
use crate::models::embeddings::{self, LearnedWord};
use crate::models::finite::finite;
use crate::models::prompt::{Chunk, chunks, empty_chunk, prompt_length, weighted};
use crate::models::tokenizer::guarded;
use crate::models::{ModelError, PromptTokenizer};
use crate::networks::backend::{self, D, Tensor};
use crate::networks::clip::{ClipText, ClipTextConfig};
use crate::networks::{Parameters, Runtime};
use crate::request::{CancelToken, PromptLength, PromptTokens};
use crate::store::ModelFiles;
use crate::weights::TensorSource;

/// A text encoder with its tokenizer.
struct Encoder {
    tokenizer: PromptTokenizer,
    network: ClipText,
    config: ClipTextConfig,
}

/// The text encoders of a model, one or two.
pub(super) struct TextEncoders {
    encoders: Vec<Encoder>,
    files: ModelFiles,
    /// Whether the embeddings of an empty negative prompt are replaced by zeros.
    zeros_for_empty: bool,
}

/// The text encoders' output for several prompts.
pub(super) struct Embedded {
    /// Hidden states `[prompts, M, C]`, those of two encoders concatenated by channel.
    pub(super) context: Tensor,
    /// Pooled embeddings of the second encoder, `[prompts, P]`; `None` with one encoder.
    pub(super) pooled: Option<Tensor>,
}

/// The words that a model's folder adds to its vocabulary.
pub(super) fn added_words(files: &ModelFiles, words: &[LearnedWord]) -> Result<Vec<String>, ModelError> {
    let added = AddedTokens::read(files, ENCODERS[0].1)?;
    Ok(added.learned().chain(words.iter().map(|learned| learned.word.as_str())).map(str::to_owned).collect())
}

impl TextEncoders {
    /// Builds the encoders and adds learned words (textual inversion). `begin` is called before each part; `sources`
    /// are the parts' tensors. Also gives the words added to the vocabulary, and remarks.
    pub(super) fn load(
        files: &ModelFiles,
        configs: &Configs,
        runtime: &Runtime,
        begin: &mut dyn FnMut() -> Result<(), ModelError>,
        sources: &mut dyn Iterator<Item = Arc<dyn TensorSource>>,
    ) -> Result<(Self, Vec<String>, Vec<String>), ModelError> {
        let mut encoders = Vec::new();
        for (((part, folder), config), source) in ENCODERS.into_iter().zip(&configs.text).zip(sources) {
            begin()?;
            let tokenizer = guarded(files, || PromptTokenizer::open(files, folder))?;
            let parameters = Parameters::new(source, runtime);
            let network = runtime
                .run(|| ClipText::new(&parameters, config.clone()))
                .map_err(ModelError::in_part(part))?;
            encoders.push(Encoder { tokenizer, network, config: config.clone() });
        }
        let (words, mut remarks) = embeddings::read(files, &configs.text_widths())?;
        let added = added_words(files, &words)?;
        let each = encoders.iter_mut().map(|Encoder { tokenizer, network, .. }| (tokenizer, network));
        remarks.extend(embeddings::add(words, &mut each.collect::<Vec<_>>())?);
        let zeros_for_empty = configs.zeros_for_empty;
        Ok((Self { encoders, files: files.clone(), zeros_for_empty }, added, remarks))
    }

    /// How long a prompt is for the first encoder; the other one has the same vocabulary.
    pub(super) fn prompt_length(&self, prompt: &str) -> Option<PromptLength> {
        let Encoder { tokenizer, config, .. } = self.encoders.first()?;
        let length = config.max_position_embeddings;
        guarded(&self.files, || prompt_length(prompt, tokenizer, length)).ok()
    }

    /// The tokens of a prompt in its chunks; those of the first encoder, which the other one shares.
    pub(super) fn prompt_tokens(&self, prompt: &str) -> Option<PromptTokens> {
        let Encoder { tokenizer, config, .. } = self.encoders.first()?;
        let read = || chunks(prompt, tokenizer, config.max_position_embeddings);
        let chunks = guarded(&self.files, read).ok()?.into_iter().map(|chunk| chunk.tokens).collect();
        Some(PromptTokens { chunks })
    }

    /// Encodes a negative prompt and a prompt, in this order. `clip_skip`: [`PromptOptions::clip_skip`]; without it the
    /// last layer of a single encoder is used, and the penultimate one of two.
    ///
    /// [`PromptOptions::clip_skip`]: crate::request::PromptOptions::clip_skip
    pub(super) fn embed(
        &self,
        runtime: &Runtime,
        negative: &str,
        prompt: &str,
        clip_skip: Option<usize>,
        cancel: &CancelToken,
    ) -> Result<Embedded, ModelError> {
        let is_single = self.encoders.len() == 1;
        let skipped = clip_skip.map_or(usize::from(!is_single), |skip| skip.saturating_sub(1));
        let mut tokens = Vec::new();
        for encoder in &self.encoders {
            tokens.push(encoder.chunks(&self.files, [negative, prompt])?);
        }
        // All encoders get the same number of chunks of each prompt, so that their hidden states can be concatenated.
        let most = tokens.iter().flatten().map(Vec::len).max().unwrap_or_default();
        let mut states = Vec::new();
        let mut pooled = None;
        for (index, (encoder, mut prompts)) in self.encoders.iter().zip(tokens).enumerate() {
            if cancel.is_stopped() {
                return Err(ModelError::Cancelled);
            }
            for prompt in &mut prompts {
                let length = encoder.config.max_position_embeddings;
                prompt.resize_with(most, || empty_chunk(&encoder.tokenizer, length));
            }
            let is_last = index + 1 == self.encoders.len();
            let (context, of_prompts) = runtime.run(|| encoder.embed(&prompts, skipped, is_single))?;
            states.push(finite(ENCODERS[index].0)(context)?);
            pooled = Some(of_prompts).filter(|_| is_last && index > 0);
        }
        let mut context = Tensor::cat(&states, D::Minus1)?;
        if self.zeros_for_empty && negative.trim().is_empty() {
            let keep = Tensor::from_slice(&[0.0_f32, 1.0], 2, context.device())?.to_dtype(context.dtype())?;
            context = context.broadcast_mul(&keep.reshape((2, 1, 1))?)?;
            pooled = pooled.map(|pooled| pooled.broadcast_mul(&keep.reshape((2, 1))?)).transpose()?;
        }
        Ok(Embedded { context, pooled })
    }
}

impl Encoder {
    /// Tokenizes each prompt into chunks.
    ///
    /// # Errors
    /// [`ModelError::TokenWithoutRow`] for a token outside the embedding table.
    fn chunks(&self, files: &ModelFiles, prompts: [&str; 2]) -> Result<Vec<Vec<Chunk>>, ModelError> {
        let length = self.config.max_position_embeddings;
        let prompts: Vec<Vec<Chunk>> = guarded(files, || {
            prompts.into_iter().map(|text| chunks(text, &self.tokenizer, length)).collect()
        })?;
        let rows = self.network.rows();
        let mut ids = prompts.iter().flatten().flat_map(|chunk| &chunk.ids);
        match ids.find(|id| **id as usize >= rows) {
            Some(id) => {
                let word = self.tokenizer.word(*id).unwrap_or_default();
                Err(ModelError::TokenWithoutRow { word, id: *id, rows })
            }
            None => Ok(prompts),
        }
    }

    /// The weighted hidden states of prompts with equal numbers of chunks, `[prompts, chunks · N, C]`, and the pooled
    /// embeddings of their first chunks, `[prompts, P]`.
    ///
    /// `skipped`: layers at the end whose hidden states are not used; `is_normed`: whether the final norm is applied.
    /// All chunks are encoded as one batch, so that the weights are read once.
    fn embed(
        &self,
        prompts: &[Vec<Chunk>],
        skipped: usize,
        is_normed: bool,
    ) -> backend::Result<(Tensor, Tensor)> {
        let chunks: Vec<&Chunk> = prompts.iter().flatten().collect();
        let ids: Vec<u32> = chunks.iter().flat_map(|chunk| chunk.ids.iter().copied()).collect();
        let states = self.network.forward(&ids, self.config.max_position_embeddings, skipped)?;
        let end =
            |chunk: &&Chunk| chunk.ids.iter().position(|id| *id == self.tokenizer.end).unwrap_or_default();
        let ends: Vec<usize> = chunks.iter().map(end).collect();
        let pooled = self.network.pooled(&states.last, &ends)?;
        let first_chunks: Vec<u32> =
            (0..prompts.len()).map(|prompt| (prompt * chunks.len() / prompts.len()) as u32).collect();
        let hidden = match (skipped, is_normed) {
            (0, true) => states.last,
            (_, true) => self.network.final_norm(&states.hidden)?,
            (_, false) => states.hidden,
        };
        let hidden = weighted(hidden, &chunks)?;
        let hidden = hidden.reshape((prompts.len(), (), self.config.hidden_size))?;
        Ok((hidden, pooled.rows(&first_chunks)?))
    }
}
