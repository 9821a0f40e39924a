//! Safetensors files: the header is checked before any value is read.
//!
//! Weights of eight bits may have scales in a tensor of their own, as ComfyUI writes them: `scale_weight` or, since the
//! end of 2025, `weight_scale` beside `weight`.
//!
//! Sources: <https://huggingface.co/docs/safetensors>;
//! <https://github.com/comfyanonymous/ComfyUI/blob/master/QUANTIZATION.md>.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use safetensors::tensor::Metadata;

use super::error::{too_short, unreadable};
use super::{BlockFormat, StoredTensor, TensorInfo, TensorSource, WeightDtype, WeightError, WeightFile};
use crate::content::{Content, START_BYTES, json};

/// The format's own limit for a header, bytes.
const MAX_HEADER: u64 = 100_000_000;

struct Entry {
    file: usize,
    /// `None` in a format that this program does not read; it is named then.
    dtype: Result<WeightDtype, String>,
    shape: Vec<usize>,
    /// Where the values begin in the file.
    offset: u64,
    /// What the values are multiplied by, if they are of eight bits.
    scales: Option<Box<Entry>>,
}

/// All tensors of one file, or of the shards of one network.
pub struct SafetensorsFiles {
    files: Vec<WeightFile>,
    entries: BTreeMap<String, Entry>,
}

impl SafetensorsFiles {
    /// Reads the headers of `files`.
    ///
    /// # Errors
    /// [`WeightError::Damaged`] for what is no safetensors file, or ends before its last tensor.
    pub fn open(files: Vec<WeightFile>) -> Result<Self, WeightError> {
        let mut entries = BTreeMap::new();
        for (index, file) in files.iter().enumerate() {
            let damaged = |reason: String| WeightError::Damaged { reason, path: file.path.clone() };
            read_header(file, index, &mut entries).map_err(damaged)?;
        }
        join_scales(&mut entries);
        Ok(Self { files, entries })
    }

    /// The numbers of an entry for scales.
    fn scales(&self, scales: &Entry, rows: usize) -> Result<Vec<f32>, String> {
        let dtype = scales
            .dtype
            .clone()
            .map_err(|found| format!("its scales' number format {found} is not supported"))?;
        let count: usize = scales.shape.iter().product();
        if count != 1 && (count != rows || scales.shape.first() != Some(&rows)) {
            return Err(format!("its scales {:?} are neither one nor one for each row", scales.shape));
        }
        let file = &self.files[scales.file];
        let stored = StoredTensor::read(dtype, &[count], |bytes| file.read_exact_at(bytes, scales.offset))
            .map_err(|error| unreadable(&error))?;
        let bytes = stored.view().bytes;
        let halves = || bytemuck::cast_slice::<u8, u16>(bytes).iter();
        Ok(match dtype {
            WeightDtype::F32 => bytemuck::cast_slice(bytes).to_vec(),
            WeightDtype::F16 => halves().map(|bits| half::f16::from_bits(*bits).to_f32()).collect(),
            WeightDtype::Bf16 => halves().map(|bits| half::bf16::from_bits(*bits).to_f32()).collect(),
            other => return Err(format!("its scales' number format {} is not supported", other.name())),
        })
    }

    fn read_values(&self, name: &str, rows: Option<Range<usize>>) -> Result<StoredTensor, WeightError> {
        let path = self.path(name);
        let Some(entry) = self.entries.get(name) else {
            return Err(WeightError::Missing { name: name.into(), shape: Vec::new(), path });
        };
        let failed = |reason: String| WeightError::Tensor { name: name.into(), reason, path: path.clone() };
        let dtype = entry
            .dtype
            .clone()
            .map_err(|found| failed(format!("its number format {found} is not supported")))?;
        let (mut shape, mut offset) = (entry.shape.clone(), entry.offset);
        let all_rows = shape.first().copied().unwrap_or(1);
        let scales = entry.scales.as_ref().map(|scales| self.scales(scales, all_rows));
        let mut scales = scales.transpose().map_err(failed)?;
        if let Some(rows) = rows {
            assert!(rows.end <= shape[0], "rows of the tensor");
            offset += (dtype.bytes_of(&shape).unwrap_or_default() / shape[0].max(1) * rows.start) as u64;
            shape[0] = rows.len();
            if let Some(scales) = scales.as_mut().filter(|scales| scales.len() > 1) {
                *scales = scales[rows].to_vec();
            }
        }
        let file = &self.files[entry.file];
        let stored = StoredTensor::read(dtype, &shape, |bytes| file.read_exact_at(bytes, offset))
            .map_err(|error| failed(unreadable(&error)))?;
        Ok(match scales {
            Some(scales) => stored.with_scales(scales),
            None => stored,
        })
    }
}

impl TensorSource for SafetensorsFiles {
    fn names(&self) -> Vec<&str> {
        self.entries.keys().map(String::as_str).collect()
    }

    fn info(&self, name: &str) -> Option<TensorInfo> {
        let entry = self.entries.get(name)?;
        // What a format that is not read would take does not matter: reading it is an error.
        let dtype = *entry.dtype.as_ref().unwrap_or(&WeightDtype::F32);
        Some(TensorInfo { dtype, shape: entry.shape.clone() })
    }

    fn format_name(&self, name: &str) -> Option<Cow<'_, str>> {
        let entry = self.entries.get(name)?;
        Some(match &entry.dtype {
            Ok(dtype) => dtype.name().into(),
            Err(not_read) => not_read.into(),
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        let file = self.entries.get(name).map_or(0, |entry| entry.file);
        self.files.get(file).map(|file| file.path.clone()).unwrap_or_default()
    }

    fn read(&self, name: &str) -> Result<StoredTensor, WeightError> {
        self.read_values(name, None)
    }

    fn read_rows(&self, name: &str, rows: Range<usize>) -> Result<StoredTensor, WeightError> {
        self.read_values(name, Some(rows))
    }
}

/// What is wrong with a header that the format's own reader refuses, whose errors do not say of which tensor they are.
pub fn header_fault(header: &[u8]) -> String {
    /// What a header claims of a tensor; its key for the file's own data has none of these.
    #[derive(serde::Deserialize)]
    struct Claim {
        dtype: Option<safetensors::Dtype>,
        shape: Option<Vec<usize>>,
        data_offsets: Option<(u64, u64)>,
    }
    let claims: BTreeMap<String, Claim> = match json::from_slice(header) {
        Ok(claims) => claims,
        Err(error) => return error.to_string(),
    };
    for (name, claim) in &claims {
        let Claim { dtype: Some(dtype), shape: Some(shape), data_offsets: Some((from, to)) } = claim else {
            continue;
        };
        let values = shape.iter().try_fold(1_u64, |values, edge| values.checked_mul(*edge as u64));
        let Some(bits) = values.and_then(|values| values.checked_mul(dtype.bitsize() as u64)) else {
            return format!("the tensor ‘{name}’ {shape:?} is too large");
        };
        match to.checked_sub(*from) {
            None => return format!("the tensor ‘{name}’ lies from byte {from} to byte {to}"),
            Some(bytes) if bytes != bits.div_ceil(8) => {
                return format!(
                    "the tensor ‘{name}’ {shape:?} of {dtype:?} takes {} bytes and has {bytes}",
                    bits.div_ceil(8)
                );
            }
            Some(_) => {}
        }
    }
    match json::from_slice::<Metadata>(header) {
        Err(json::JsonError::Value { path, wrong }) if path.is_empty() => {
            wrong.trim_start_matches("is wrong: ").to_owned()
        }
        Err(error) => error.to_string(),
        Ok(_) => "its tensors do not fill the file".to_owned(),
    }
}

/// Adds a file's tensors to `entries`; what is wrong with the file otherwise.
fn read_header(file: &WeightFile, index: usize, entries: &mut BTreeMap<String, Entry>) -> Result<(), String> {
    let len = file.bytes_now().map_err(|error| unreadable(&error))?;
    let read = |from: u64, count: u64| {
        let mut bytes = vec![0; count as usize];
        file.read_exact_at(&mut bytes, from).map(|()| bytes).map_err(|error| unreadable(&error))
    };
    let start = read(0, len.min(START_BYTES as u64))?;
    let header_len = match (Content::of(&start), start.first_chunk::<8>()) {
        (Content::Safetensors | Content::Unknown, Some(bytes)) => u64::from_le_bytes(*bytes),
        (Content::Unknown, None) => return Err("the file is too short".to_owned()),
        (content, _) => return Err(format!("this is {content}, where a safetensors file should be")),
    };
    if header_len > MAX_HEADER {
        return Err(format!("its header claims {header_len} bytes, more than any header has"));
    }
    let data_start = 8 + header_len;
    if data_start > len {
        return Err(too_short(len, data_start));
    }
    let header = read(8, header_len)?;
    // Plain JSON is read faster by its own reader; what is not, or is wrong, by the one that says where.
    let metadata: Metadata = serde_json::from_slice(&header)
        .or_else(|_| json::from_slice(&header))
        .map_err(|_| format!("its header is wrong: {}", header_fault(&header)))?;
    let needed = data_start + metadata.data_len() as u64;
    if len < needed {
        return Err(too_short(len, needed));
    }
    if len > needed {
        return Err(format!("the file has {len} bytes and should have {needed}"));
    }
    for (name, info) in metadata.tensors() {
        let entry = Entry {
            file: index,
            dtype: dtype_of(info.dtype).ok_or_else(|| format!("{:?}", info.dtype)),
            shape: info.shape.clone(),
            offset: data_start + info.data_offsets.0 as u64,
            scales: None,
        };
        entries.insert(name, entry);
    }
    Ok(())
}

/// Gives weights of eight bits their scales, which are no tensors of their own then.
fn join_scales(entries: &mut BTreeMap<String, Entry>) {
    let is_short = |entry: &Entry| {
        matches!(entry.dtype, Ok(WeightDtype::Block(BlockFormat::F8E4m3 | BlockFormat::F8E5m2)))
    };
    let weights: Vec<String> = entries
        .iter()
        .filter(|(name, entry)| name.ends_with("weight") && is_short(entry))
        .map(|(name, _)| name.clone())
        .collect();
    for name in weights {
        let layer = &name[..name.len() - "weight".len()];
        let scales =
            ["scale_weight", "weight_scale"].map(|scales| entries.remove(&format!("{layer}{scales}")));
        if let (Some(entry), Some(scales)) = (entries.get_mut(&name), scales.into_iter().flatten().next()) {
            entry.scales = Some(Box::new(scales));
        }
    }
}

/// The number format in this program's terms, of those that weights are read in.
fn dtype_of(stored: safetensors::Dtype) -> Option<WeightDtype> {
    Some(match stored {
        safetensors::Dtype::F32 => WeightDtype::F32,
        safetensors::Dtype::F16 => WeightDtype::F16,
        safetensors::Dtype::BF16 => WeightDtype::Bf16,
        safetensors::Dtype::F64 => WeightDtype::F64,
        safetensors::Dtype::F8_E4M3 => WeightDtype::Block(BlockFormat::F8E4m3),
        safetensors::Dtype::F8_E5M2 => WeightDtype::Block(BlockFormat::F8E5m2),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use safetensors::tensor::TensorView;

    use super::*;

    fn open(tensors: &[(&str, safetensors::Dtype, &[usize], &[u8])]) -> SafetensorsFiles {
        let views = tensors.iter().map(|(name, dtype, shape, bytes)| {
            (*name, TensorView::new(*dtype, shape.to_vec(), bytes).unwrap())
        });
        let file = safetensors::serialize(views, None).unwrap();
        SafetensorsFiles::open(vec![WeightFile::embedded("made".into(), file.leak())]).unwrap()
    }

    #[test]
    fn what_is_wrong_with_a_header_is_said_of_its_tensor() {
        let of = |tensor: &str| header_fault(format!(r#"{{"a.b": {{{tensor}}}}}"#).as_bytes());
        for (tensor, wanted) in [
            (
                r#""dtype": "F32", "shape": [-3], "data_offsets": [0, 4]"#,
                "‘a.b.shape[0]’ should be a whole number from 0 up and is -3",
            ),
            (
                r#""dtype": "F32", "shape": [7], "data_offsets": [0, 4]"#,
                "the tensor ‘a.b’ [7] of F32 takes 28 bytes and has 4",
            ),
            (
                r#""dtype": "F32", "shape": [4294967296, 4294967296], "data_offsets": [0, 4]"#,
                "the tensor ‘a.b’ [4294967296, 4294967296] is too large",
            ),
            (
                r#""dtype": "F32", "shape": [1], "data_offsets": [9, 5]"#,
                "the tensor ‘a.b’ lies from byte 9 to byte 5",
            ),
        ] {
            assert_eq!(of(tensor), wanted);
        }
        assert!(
            of(r#""dtype": "Q4", "shape": [1], "data_offsets": [0, 4]"#).starts_with("‘a.b.dtype’ is ‘Q4’")
        );
        assert!(of(r#""dtype": "F32", "data_offsets": [0, 4]"#).contains("shape"));
        let gap = of(r#""dtype": "F32", "shape": [1], "data_offsets": [4, 8]"#);
        assert!(gap.contains("a.b") && !gap.contains("document"), "{gap}");
    }

    #[test]
    fn scales_go_with_their_weights() {
        use safetensors::Dtype::{BF16, F8_E4M3, F8_E5M2, F32};
        let (one, three) = (0.5_f32.to_le_bytes(), [1.0_f32, 2.0, 3.0].map(f32::to_le_bytes));
        let half = half::bf16::from_f32(0.25).to_le_bytes();
        let files = open(&[
            ("a.weight", F8_E4M3, &[3, 2], &[1, 2, 3, 4, 5, 6]),
            ("a.scale_weight", F32, &[], &one),
            ("a.scale_input", F32, &[], &one),
            ("b.weight", F8_E5M2, &[3, 1], &[1, 2, 3]),
            ("b.weight_scale", F32, &[3, 1], three.as_flattened()),
            ("c.weight", F8_E4M3, &[2], &[1, 2]),
            ("d.weight", F8_E4M3, &[2, 1], &[1, 2]),
            ("d.weight_scale", BF16, &[1], &half),
            ("e.weight", F8_E4M3, &[2, 1], &[1, 2]),
            ("e.weight_scale", F32, &[3], three.as_flattened()),
            ("f.weight_scale", F32, &[1], &one),
        ]);
        let names =
            ["a.scale_input", "a.weight", "b.weight", "c.weight", "d.weight", "e.weight", "f.weight_scale"];
        assert_eq!(files.names(), names);
        assert_eq!(files.read("a.weight").unwrap().view().scales, [0.5]);
        assert_eq!(files.read_rows("a.weight", 1..2).unwrap().view().scales, [0.5]);
        assert_eq!(files.read("b.weight").unwrap().view().scales, [1.0, 2.0, 3.0]);
        let rows = files.read_rows("b.weight", 1..3).unwrap();
        assert_eq!((rows.view().scales, rows.view().bytes), (&[2.0, 3.0][..], &[2, 3][..]));
        assert!(files.read("c.weight").unwrap().view().scales.is_empty());
        assert_eq!(files.read("d.weight").unwrap().view().scales, [0.25]);
        let error = files.read("e.weight").unwrap_err().to_string();
        assert_eq!(error, "the tensor ‘e.weight’: its scales [3] are neither one nor one for each row: made");
    }
}
