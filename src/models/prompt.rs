//! Prompts as chunks of tokens, and the weighting of their hidden states.

use super::prompt_syntax::parse_prompt;
use super::{ModelError, PromptTokenizer};
use crate::networks::backend::{self, DType, Tensor};
use crate::request::{GenerationDraft, PromptLength, PromptToken};

/// Most chunks of a prompt. Each adds to the keys and values of every cross-attention: 32 chunks are 2400 CLIP tokens
/// and take about half a gigabyte with Stable Diffusion 1.
const MAX_CHUNKS: usize = 32;

/// One sequence for the text encoder: token ids with start, end and padding, and what each of them stands for.
pub(super) struct Chunk {
    pub(super) ids: Vec<u32>,
    pub(super) tokens: Vec<PromptToken>,
}

/// Splits a prompt into chunks of `length` tokens, start and end included. An empty prompt is one chunk.
///
/// # Errors
/// [`ModelError::PromptTooLong`] for more text or more chunks than the limits.
pub(super) fn chunks(
    prompt: &str,
    tokenizer: &PromptTokenizer,
    length: usize,
) -> Result<Vec<Chunk>, ModelError> {
    let room = length - 2;
    let too_long = |found: String| ModelError::PromptTooLong { found, chunks: MAX_CHUNKS, room };
    if prompt.len() > GenerationDraft::MAX_PROMPT_BYTES {
        return Err(too_long(format!("{} bytes", prompt.len())));
    }
    let sections = parse_prompt(prompt).sections;
    if sections.len() > MAX_CHUNKS {
        return Err(too_long(format!("{} chunks", sections.len())));
    }
    let mut chunks: Vec<Chunk> = Vec::new();
    for section in sections {
        let mut tokens: Vec<(u32, PromptToken)> = Vec::new();
        for part in section {
            let weighted = |(id, token)| (id, PromptToken { weight: part.weight, ..token });
            tokens.extend(tokenizer.tokens(&part.text)?.into_iter().map(weighted));
        }
        let count = chunks.len() + tokens.len().div_ceil(room);
        if count > MAX_CHUNKS {
            return Err(too_long(format!("{count} chunks or more")));
        }
        if tokens.is_empty() {
            chunks.push(empty_chunk(tokenizer, length));
        }
        chunks.extend(tokens.chunks(room).map(|tokens| padded(tokens, tokenizer, length)));
    }
    Ok(chunks)
}

/// Tokens of a prompt in each of its chunks.
///
/// # Errors
/// As [`chunks`].
pub(super) fn prompt_length(
    prompt: &str,
    tokenizer: &PromptTokenizer,
    length: usize,
) -> Result<PromptLength, ModelError> {
    let words = |chunk: Chunk| {
        let end = chunk.ids.iter().position(|id| *id == tokenizer.end);
        end.unwrap_or(length - 1) - 1
    };
    let chunks = chunks(prompt, tokenizer, length)?.into_iter().map(words).collect();
    Ok(PromptLength { chunks, room: length - 2 })
}

/// The chunk of an empty prompt.
pub(super) fn empty_chunk(tokenizer: &PromptTokenizer, length: usize) -> Chunk {
    padded(&[], tokenizer, length)
}

/// A prompt without weight syntax in one chunk, truncated to `length` tokens.
pub(super) fn plain_chunk(
    prompt: &str,
    tokenizer: &PromptTokenizer,
    length: usize,
) -> Result<Chunk, ModelError> {
    let mut tokens = tokenizer.tokens(prompt)?;
    tokens.truncate(length - 2);
    Ok(padded(&tokens, tokenizer, length))
}

/// Tokens between start and end token, padded to `length`.
fn padded(of_prompt: &[(u32, PromptToken)], tokenizer: &PromptTokenizer, length: usize) -> Chunk {
    let mut ids = vec![tokenizer.start];
    let mut tokens = vec![PromptToken::added()];
    for (id, token) in of_prompt {
        ids.push(*id);
        tokens.push(token.clone());
    }
    ids.push(tokenizer.end);
    ids.resize(length, tokenizer.pad);
    tokens.resize_with(length, PromptToken::added);
    Chunk { ids, tokens }
}

/// The hidden states `[chunks, N, C]` with their tokens' weights applied.
///
/// Source: AUTOMATIC1111's web UI: hidden states are multiplied by the weights, then rescaled so that each chunk keeps
/// its mean.
pub(super) fn weighted(hidden: Tensor, chunks: &[&Chunk]) -> backend::Result<Tensor> {
    let weights: Vec<f32> =
        chunks.iter().flat_map(|chunk| chunk.tokens.iter().map(|token| token.weight)).collect();
    if weights.iter().all(|weight| *weight == 1.0) {
        return Ok(hidden);
    }
    let (count, length, _) = hidden.dims3()?;
    let wide = hidden.to_dtype(DType::F32)?;
    let weights = Tensor::from_vec(weights, (count, length, 1), hidden.device())?;
    let weighted = wide.broadcast_mul(&weights)?;
    let means = |t: &Tensor| t.reshape((count, ()))?.mean_keepdim(1)?.to_values::<f32>();
    let factors: Vec<f32> = means(&wide)?
        .into_iter()
        .zip(means(&weighted)?)
        .map(|(before, after)| if after.abs() > f32::EPSILON { before / after } else { 1.0 })
        .collect();
    let factors = Tensor::from_vec(factors, (count, 1, 1), hidden.device())?;
    weighted.broadcast_mul(&factors)?.to_dtype(hidden.dtype())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_keep_each_chunk_s_mean_and_leave_other_chunks_alone() {
        let chunk = |weights: [f32; 3]| {
            let tokens = weights.map(|weight| PromptToken { weight, ..PromptToken::added() });
            Chunk { ids: vec![0; 3], tokens: tokens.to_vec() }
        };
        let (plain, heavy) = (chunk([1.0; 3]), chunk([1.0, 2.0, 1.0]));
        let values: Vec<f32> = (1..13).map(|i| i as f32).collect();
        let hidden = Tensor::from_vec(values, (2, 3, 2), &backend::Device::Cpu).unwrap();
        let out = weighted(hidden.clone(), &[&plain, &heavy]).unwrap().to_values::<f32>().unwrap();
        assert_eq!(out[..6], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        // The mean is 9.5 before weighting; weighted values are 7, 8, 18, 20, 11, 12, of mean 76 / 6.
        let factor = 9.5 * 6.0 / 76.0;
        for (found, wanted) in out[6..].iter().zip([7.0, 8.0, 18.0, 20.0, 11.0, 12.0]) {
            assert!((found - wanted * factor).abs() < 1e-5, "{found} for {}", wanted * factor);
        }
    }
}
