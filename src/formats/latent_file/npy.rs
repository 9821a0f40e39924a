//! numpy's `.npy`: one array after a header that is a Python dictionary.
//!
//! Source: numpy's `numpy.lib.format` (versions 1.0 to 3.0).

use std::io::Write;
use std::path::Path;

use super::{LatentFacts, LatentFileError, ReadLatent, latent_shape, latents_of, read_latents};
use crate::formats::atomic::{WriteFileError, write_atomically};
use crate::latent::Latent;

const MAGIC: &[u8] = b"\x93NUMPY";
/// The longest header, bytes, which is numpy's own limit; headers of arrays are usually below 128 bytes.
const MAX_HEADER_LEN: usize = 10_000;

/// Writes a latent as an array `[C, H, W]` of f32, completely or not at all.
///
/// # Errors
/// [`WriteFileError`] with the path.
pub fn write_npy(path: &Path, latent: &Latent) -> Result<(), WriteFileError> {
    let shape = latent.shape();
    write_array(path, &[shape.channels, shape.height, shape.width], latent.values())
}

/// Writes one channel as an array `[H, W]` of f32, completely or not at all.
///
/// # Errors
/// [`WriteFileError`] with the path.
///
/// # Panics
/// If the latent has no such channel.
pub fn write_channel_npy(path: &Path, latent: &Latent, channel: usize) -> Result<(), WriteFileError> {
    let shape = latent.shape();
    write_array(path, &[shape.height, shape.width], latent.channel(channel))
}

fn write_array(path: &Path, shape: &[usize], values: &[f32]) -> Result<(), WriteFileError> {
    let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}), }}", sizes.join(", "));
    // The header is padded so that the values start at a multiple of 64 bytes, after a line break.
    let before = MAGIC.len() + 4;
    let padding = (before + header.len() + 1).next_multiple_of(64) - before - header.len() - 1;
    header.push_str(&" ".repeat(padding));
    header.push('\n');
    write_atomically(path, |file| {
        file.write_all(MAGIC)?;
        file.write_all(&[1, 0])?;
        file.write_all(&(header.len() as u16).to_le_bytes())?;
        file.write_all(header.as_bytes())?;
        values.iter().try_for_each(|v| file.write_all(&v.to_le_bytes()))
    })
}

/// Reads the latents in an array of 3 or 4 dimensions, f16, f32 or f64, in C order.
///
/// # Errors
/// [`LatentFileError`] if the file is damaged or the array is not a latent.
pub fn latent_from_npy(bytes: &[u8]) -> Result<ReadLatent, LatentFileError> {
    let damaged = |reason: &str| LatentFileError::Damaged { format: ".npy", reason: reason.to_owned() };
    let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| damaged("it does not begin like one"))?;
    let (len, rest) = match *rest {
        [1, _, a, b, ref rest @ ..] => (usize::from(u16::from_le_bytes([a, b])), rest),
        [2 | 3, _, a, b, c, d, ref rest @ ..] => (u32::from_le_bytes([a, b, c, d]) as usize, rest),
        _ => return Err(damaged("its version is unknown")),
    };
    if len > MAX_HEADER_LEN {
        return Err(damaged("its header is too long"));
    }
    let (header, values) = rest.split_at_checked(len).ok_or_else(|| damaged("it ends within its header"))?;
    let header = std::str::from_utf8(header).map_err(|_| damaged("its header is not text"))?;
    let entry = |key: &str| dictionary_value(header, key).ok_or_else(|| damaged("its header is incomplete"));
    let dtype = entry("descr")?.trim_matches(['\'', '"']);
    if entry("fortran_order")? != "False" {
        return Err(damaged("it is in Fortran order: save it with numpy.ascontiguousarray"));
    }
    let shape = shape_of(entry("shape")?).ok_or_else(|| damaged("its shape is not a list of sizes"))?;
    let (shape, batch) = latent_shape(&shape)?;
    let latents = match dtype {
        "<f2" => latents_of(shape, batch, values, |b| half::f16::from_le_bytes(b).to_f32()),
        "<f4" => latents_of(shape, batch, values, f32::from_le_bytes),
        "<f8" => latents_of(shape, batch, values, |b| f64::from_le_bytes(b) as f32),
        ">f2" => latents_of(shape, batch, values, |b| half::f16::from_be_bytes(b).to_f32()),
        ">f4" => latents_of(shape, batch, values, f32::from_be_bytes),
        ">f8" => latents_of(shape, batch, values, |b| f64::from_be_bytes(b) as f32),
        other => return Err(LatentFileError::Dtype { found: other.chars().take(40).collect() }),
    };
    let latents = latents.map_err(|reason| damaged(&reason))?;
    read_latents(latents, None, LatentFacts::default(), Vec::new()).ok_or_else(|| damaged("it has no values"))
}

/// The value of a key in numpy's header: the text up to the next comma outside parentheses.
fn dictionary_value<'a>(header: &'a str, key: &str) -> Option<&'a str> {
    let at = [format!("'{key}'"), format!("\"{key}\"")]
        .iter()
        .find_map(|quoted| Some(header.find(quoted)? + quoted.len()))?;
    let value = header[at..].trim_start().strip_prefix(':')?.trim_start();
    let end = if value.starts_with('(') { value.find(')')? + 1 } else { value.find([',', '}'])? };
    Some(value[..end].trim())
}

/// `(1, 4, 8, 8)` as sizes.
fn shape_of(tuple: &str) -> Option<Vec<usize>> {
    let inner = tuple.strip_prefix('(')?.strip_suffix(')')?;
    inner.split(',').map(str::trim).filter(|s| !s.is_empty()).map(|s| s.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_read_as_numpy_writes_it_and_as_others_do() {
        let header = "{\"shape\":(1,4, 8, 8,), 'fortran_order' : False, 'descr': '<f4'}  \n";
        assert_eq!(dictionary_value(header, "descr"), Some("'<f4'"));
        assert_eq!(dictionary_value(header, "fortran_order"), Some("False"));
        assert_eq!(shape_of(dictionary_value(header, "shape").unwrap()), Some(vec![1, 4, 8, 8]));
        assert_eq!(dictionary_value(header, "absent"), None);
        assert_eq!(shape_of("(x,)"), None);
    }
}
