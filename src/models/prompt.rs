//! Prompts with weights, and prompts longer than the text encoder.

use candle_core::{DType, Tensor};

use super::{ModelError, PromptTokenizer};

/// A part of a prompt and how much it counts.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightedText {
    /// The words.
    pub text: String,
    /// 1 is as written.
    pub weight: f32,
}

/// What a bracket without a number does.
const BRACKET: f32 = 1.1;

/// Reads AUTOMATIC1111's weighting: `(more)`, `[less]`, `(words:1.3)`, nested, `\(` for a plain bracket.
///
/// Brackets that are never closed count to the end, as there; a closing one without an opening one is text.
pub fn parse_weights(prompt: &str) -> Vec<WeightedText> {
    let mut parts: Vec<WeightedText> = Vec::new();
    let (mut round, mut square): (Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new());
    let mut plain = String::new();
    let flush = |plain: &mut String, parts: &mut Vec<WeightedText>| {
        if !plain.is_empty() {
            parts.push(WeightedText { text: std::mem::take(plain), weight: 1.0 });
        }
    };
    let multiply =
        |parts: &mut [WeightedText], factor: f32| parts.iter_mut().for_each(|p| p.weight *= factor);
    let mut rest = prompt;
    while let Some(c) = rest.chars().next() {
        let mut used = c.len_utf8();
        match c {
            '\\' => match rest[1..].chars().next() {
                Some(next @ ('(' | ')' | '[' | ']' | '\\')) => {
                    plain.push(next);
                    used += next.len_utf8();
                }
                _ => plain.push(c),
            },
            '(' | '[' => {
                flush(&mut plain, &mut parts);
                if c == '(' { &mut round } else { &mut square }.push(parts.len());
            }
            ':' if !round.is_empty() => match closing_weight(&rest[1..]) {
                Some((weight, length)) => {
                    flush(&mut plain, &mut parts);
                    let from = round.pop().unwrap_or(parts.len());
                    multiply(&mut parts[from..], weight);
                    used += length;
                }
                None => plain.push(c),
            },
            ')' if !round.is_empty() => {
                flush(&mut plain, &mut parts);
                let from = round.pop().unwrap_or(parts.len());
                multiply(&mut parts[from..], BRACKET);
            }
            ']' if !square.is_empty() => {
                flush(&mut plain, &mut parts);
                let from = square.pop().unwrap_or(parts.len());
                multiply(&mut parts[from..], 1.0 / BRACKET);
            }
            _ => plain.push(c),
        }
        rest = &rest[used..];
    }
    flush(&mut plain, &mut parts);
    for from in round {
        multiply(&mut parts[from..], BRACKET);
    }
    for from in square {
        multiply(&mut parts[from..], 1.0 / BRACKET);
    }
    parts
}

/// The number before a closing bracket, and the bytes up to and with the bracket.
fn closing_weight(text: &str) -> Option<(f32, usize)> {
    let end = text.find(')')?;
    let number = text[..end].trim();
    let plain =
        !number.is_empty() && number.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '-' | '+'));
    let weight: f32 = plain.then(|| number.parse().ok())??;
    Some((weight, end + 1))
}

/// One pass through the text encoder: ids with start, end and padding, and each token's weight.
pub(super) struct Chunk {
    pub(super) ids: Vec<u32>,
    pub(super) weights: Vec<f32>,
}

/// Splits a prompt into chunks of `length` tokens, start and end included. An empty prompt is one chunk.
pub(super) fn chunks(
    prompt: &str,
    tokenizer: &PromptTokenizer,
    length: usize,
) -> Result<Vec<Chunk>, ModelError> {
    let mut tokens: Vec<(u32, f32)> = Vec::new();
    for part in parse_weights(prompt) {
        tokens.extend(tokenizer.ids(&part.text)?.into_iter().map(|id| (id, part.weight)));
    }
    let room = length - 2;
    let mut chunks: Vec<Chunk> = tokens.chunks(room).map(|words| filled(words, tokenizer, length)).collect();
    if chunks.is_empty() {
        chunks.push(filled(&[], tokenizer, length));
    }
    Ok(chunks)
}

/// A chunk of nothing.
pub(super) fn empty_chunk(tokenizer: &PromptTokenizer, length: usize) -> Chunk {
    filled(&[], tokenizer, length)
}

fn filled(words: &[(u32, f32)], tokenizer: &PromptTokenizer, length: usize) -> Chunk {
    let mut ids = vec![tokenizer.start];
    let mut weights = vec![1.0];
    for (id, weight) in words {
        ids.push(*id);
        weights.push(*weight);
    }
    ids.push(tokenizer.end);
    ids.resize(length, tokenizer.pad);
    weights.resize(length, 1.0);
    Chunk { ids, weights }
}

/// The hidden states `[chunks, N, C]` with their tokens' weights applied.
///
/// Source: AUTOMATIC1111: hidden states times weight, then scaled so that a chunk's mean is as before.
pub(super) fn weighted(hidden: Tensor, chunks: &[&Chunk]) -> candle_core::Result<Tensor> {
    let weights: Vec<f32> = chunks.iter().flat_map(|chunk| chunk.weights.iter().copied()).collect();
    if weights.iter().all(|weight| *weight == 1.0) {
        return Ok(hidden);
    }
    let (count, length, _) = hidden.dims3()?;
    let wide = hidden.to_dtype(DType::F32)?;
    let weights = Tensor::from_vec(weights, (count, length, 1), hidden.device())?;
    let weighted = wide.broadcast_mul(&weights)?;
    let means = |t: &Tensor| t.flatten_from(1)?.mean(1)?.to_vec1::<f32>();
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
        let chunk = |weights: [f32; 3]| Chunk { ids: vec![0; 3], weights: weights.to_vec() };
        let (plain, heavy) = (chunk([1.0; 3]), chunk([1.0, 2.0, 1.0]));
        let values: Vec<f32> = (1..13).map(|i| i as f32).collect();
        let hidden = Tensor::from_vec(values, (2, 3, 2), &candle_core::Device::Cpu).unwrap();
        let out = weighted(hidden.clone(), &[&plain, &heavy]).unwrap().to_vec3::<f32>().unwrap();
        assert_eq!(out[0], [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]);
        // Of mean 9.5 before; 7, 8, 18, 20, 11, 12 after the weights, of mean 76 / 6.
        let factor = 9.5 * 6.0 / 76.0;
        for (found, wanted) in out[1].iter().flatten().zip([7.0, 8.0, 18.0, 20.0, 11.0, 12.0]) {
            assert!((found - wanted * factor).abs() < 1e-5, "{found} for {}", wanted * factor);
        }
    }

    fn parsed(prompt: &str) -> Vec<(String, f32)> {
        parse_weights(prompt).into_iter().map(|p| (p.text, (p.weight * 1000.0).round() / 1000.0)).collect()
    }

    #[test]
    fn weights_are_read_as_automatic1111_reads_them() {
        let text = |s: &str, w: f32| (s.to_owned(), w);
        assert_eq!(parsed("a (red) fox"), [text("a ", 1.0), text("red", 1.1), text(" fox", 1.0)]);
        assert_eq!(parsed("(fox:1.3)"), [text("fox", 1.3)]);
        assert_eq!(parsed("((fox))"), [text("fox", 1.21)]);
        assert_eq!(parsed("[fox]"), [text("fox", 0.909)]);
        assert_eq!(parsed("(a (b:2) c)"), [text("a ", 1.1), text("b", 2.2), text(" c", 1.1)]);
        assert_eq!(parsed(r"a \(b\)"), [text("a (b)", 1.0)]);
    }

    #[test]
    fn brackets_that_do_not_match_are_harmless() {
        assert_eq!(parsed("a) b"), [("a) b".to_owned(), 1.0)]);
        assert_eq!(parsed("(a"), [("a".to_owned(), 1.1)]);
        assert_eq!(parsed("a: b"), [("a: b".to_owned(), 1.0)]);
        assert_eq!(parsed("(a:b)"), [("a:b".to_owned(), 1.1)]);
        assert!(parsed("").is_empty() && parsed("()").is_empty());
    }
}
