//! Textual inversion embeddings (Gal et al. 2022, <https://arxiv.org/abs/2208.01618>) in a model's folder.
//!
//! Read are `learned_embeds.safetensors` and `embeddings/*.safetensors`, in diffusers' format (each tensor is named
//! after its word) or AUTOMATIC1111's (a tensor `emb_params`; the file is named after its word). For models with two
//! text encoders a file has one tensor for each, `clip_l` and `clip_g`. An embedding that cannot be used is left out
//! with a remark.

use safetensors::SafeTensors;

use super::{ModelError, PromptTokenizer};
use crate::networks::backend::{DType, Tensor};
use crate::networks::clip::ClipText;
use crate::store::{ModelFiles, StoreError};

const FOLDER: &str = "embeddings";
const STEM: &str = "learned_embeds";
/// Name of the tensor in AUTOMATIC1111's format.
const A1111_TENSOR: &str = "emb_params";
/// Names of the tensors for Stable Diffusion XL's two text encoders.
const SDXL_TENSORS: [&str; 2] = ["clip_l", "clip_g"];
/// Most vectors of one word: the tokens of a chunk.
const MAX_VECTORS: usize = 75;

/// A learned word and its embedding vectors.
pub(super) struct LearnedWord {
    /// The word in a prompt.
    pub(super) word: String,
    /// For each text encoder `[vectors, C]`, f32.
    rows: Vec<Tensor>,
}

/// Reads the learned words of a model whose text encoders have these widths. Also gives remarks on embeddings
/// that are left out, one sentence each.
///
/// # Errors
/// [`ModelError::Store`] for errors other than a damaged or unreadable file.
pub(super) fn read(
    files: &ModelFiles,
    widths: &[usize],
) -> Result<(Vec<LearnedWord>, Vec<String>), ModelError> {
    let (mut words, mut remarks): (Vec<LearnedWord>, Vec<String>) = (Vec::new(), Vec::new());
    let candidates = ["safetensors", "bin"].map(|extension| format!("{STEM}.{extension}"));
    let of_folder = files.names_in(FOLDER).into_iter().map(|name| format!("{FOLDER}/{name}"));
    for file in candidates.into_iter().filter(|file| files.contains(file)).chain(of_folder) {
        let (stem, extension) = file.rsplit_once('.').unwrap_or((&file, ""));
        let stem = stem.rsplit_once('/').map_or(stem, |(_, stem)| stem);
        let mut leave_out = |why: &str| remarks.push(format!("The embedding {file} is left out: {why}."));
        match extension.to_ascii_lowercase().as_str() {
            "safetensors" => {}
            "bin" | "pt" => {
                leave_out(
                    "it is pickled, and opening a pickle can run anybody's code; convert it to safetensors",
                );
                continue;
            }
            _ => continue,
        }
        let bytes = match files.read(&file) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => continue,
            Err(StoreError::Damaged { reason, .. } | StoreError::Read { reason, .. }) => {
                leave_out(&reason);
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let tensors = match SafeTensors::deserialize(&bytes) {
            Ok(tensors) => tensors,
            Err(error) => {
                leave_out(&format!("it is damaged ({error})"));
                continue;
            }
        };
        let mut names = tensors.names();
        names.sort_unstable();
        let is_of_two = SDXL_TENSORS.iter().all(|name| names.contains(name));
        if is_of_two != (widths.len() == 2) {
            leave_out(if is_of_two {
                "it was made for models with two text encoders, such as Stable Diffusion XL"
            } else {
                "it was made for models with one text encoder, and this one has two"
            });
            continue;
        }
        if is_of_two {
            names.truncate(1);
        }
        for name in names {
            let word = if name == A1111_TENSOR || is_of_two { stem } else { name };
            if word.trim().is_empty() {
                leave_out("it does not name the word that stands for it");
                continue;
            }
            let of_encoder = |(encoder, width): (usize, &usize)| {
                rows(&tensors, if is_of_two { SDXL_TENSORS[encoder] } else { name }, *width)
            };
            match widths.iter().enumerate().map(of_encoder).collect::<Result<Vec<_>, _>>() {
                Ok(rows) if rows.iter().any(|other| other.dims()[0] != rows[0].dims()[0]) => {
                    leave_out("its two tensors have different numbers of vectors");
                }
                Ok(_) if words.iter().any(|known| known.word == word) => {
                    leave_out(&format!("‘{word}’ stands for another embedding already"));
                }
                Ok(rows) => words.push(LearnedWord { word: word.to_owned(), rows }),
                Err(why) => leave_out(&why),
            }
        }
    }
    Ok((words, remarks))
}

/// A tensor as `[vectors, width]` in f32, or why it cannot be used.
fn rows(tensors: &SafeTensors<'_>, name: &str, width: usize) -> Result<Tensor, String> {
    let view = tensors.tensor(name).map_err(|error| error.to_string())?;
    let (count, found) = match view.shape() {
        [found] => (1, *found),
        [count, found] => (*count, *found),
        _ => return Err(format!("‘{name}’ has {} dimensions", view.shape().len())),
    };
    if found != width {
        return Err(format!("its vectors have {found} values, and the text encoder's have {width}"));
    }
    if !(1..=MAX_VECTORS).contains(&count) {
        return Err(format!("it has {count} vectors, and 1 to {MAX_VECTORS} are possible"));
    }
    let dtype = match view.dtype() {
        safetensors::Dtype::F32 => DType::F32,
        safetensors::Dtype::F16 => DType::F16,
        safetensors::Dtype::BF16 => DType::BF16,
        _ => return Err("its numbers are neither f32, f16 nor bf16".to_owned()),
    };
    let rows = Tensor::from_bytes(view.data(), dtype, &[count, width])
        .and_then(|rows| rows.to_dtype(DType::F32))
        .map_err(|error| error.to_string())?;
    let sum: f32 =
        rows.abs().and_then(|rows| rows.sum_all()?.to_scalar()).map_err(|error| error.to_string())?;
    if !sum.is_finite() {
        return Err(format!("‘{name}’ holds values that are not numbers"));
    }
    Ok(rows)
}

/// Adds learned words to text encoders and their tokenizers. Gives remarks on words that are left out.
pub(super) fn add(
    words: Vec<LearnedWord>,
    encoders: &mut [(&mut PromptTokenizer, &mut ClipText)],
) -> Result<Vec<String>, ModelError> {
    let mut remarks = Vec::new();
    for LearnedWord { word, rows } in words {
        if encoders.iter().any(|(tokenizer, _)| tokenizer.knows(&word)) {
            remarks.push(format!(
                "The embedding of ‘{word}’ is left out: the vocabulary has that word. Rename the file to use it."
            ));
            continue;
        }
        for ((tokenizer, text), rows) in encoders.iter_mut().zip(&rows) {
            let ids = text.add_rows(rows)?;
            tokenizer.learn(&word, ids.collect())?;
        }
    }
    Ok(remarks)
}

#[cfg(test)]
mod tests {
    use safetensors::tensor::{TensorView, serialize};

    use super::*;
    use crate::catalog::ModelSource;

    #[test]
    fn an_embedding_that_cannot_be_used_is_left_out_and_named() {
        let of = |name: &str, value: f32| {
            let data: Vec<u8> = [value; 4].iter().flat_map(|value| value.to_le_bytes()).collect();
            let view = TensorView::new(safetensors::Dtype::F32, vec![4], &data).unwrap();
            serialize([(name, view)], None).unwrap()
        };
        let pointer = b"version https://git-lfs.github.com/spec/v1\n".to_vec();
        for (file, bytes, why) in [
            ("a.safetensors", pointer, "it is a Git LFS pointer"),
            ("b.safetensors", of("", 1.0), "it does not name the word"),
            ("c.safetensors", of("<c>", f32::NAN), "‘<c>’ holds values that are not numbers"),
            ("d.safetensors", of("<d>", f32::INFINITY), "‘<d>’ holds values that are not numbers"),
        ] {
            let root = tempfile::tempdir().unwrap();
            std::fs::create_dir(root.path().join(FOLDER)).unwrap();
            std::fs::write(root.path().join(FOLDER).join(file), bytes).unwrap();
            std::fs::write(root.path().join("learned_embeds.safetensors"), of("<ok>", 1.0)).unwrap();
            let files = ModelFiles::open(&ModelSource::Folder(root.path().to_owned())).unwrap();
            let (words, remarks) = read(&files, &[4]).unwrap();
            assert_eq!(words.len(), 1, "{file}");
            assert!(matches!(&remarks[..], [one] if one.contains(file) && one.contains(why)), "{remarks:?}");
        }
    }
}
