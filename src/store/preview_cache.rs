//! File format of cached preview fits: a safetensors file with the sums of the regressions and the held-out latents,
//! named by the hash of the VAE.

use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::latent::{Latent, LatentShape};
use crate::projection::{PreviewFitData, RidgeRegression};

// Values above these limits, which no VAE reaches, mean that the file is damaged.
const MAX_CHANNELS: usize = 1024;
const MAX_DOWNSCALE: usize = 64;

/// The folder of the cache of this user; `None` if the system names none for caches.
pub fn folder_of_system() -> Option<PathBuf> {
    Some(directories::ProjectDirs::from("", "", "safelight")?.cache_dir().join("previews"))
}

/// The path of the cache file of a VAE.
pub fn path(folder: &Path, vae_hash: &str) -> PathBuf {
    folder.join(format!("preview-{vae_hash}.safetensors"))
}

/// Serialises the data of a fit as a safetensors file.
///
/// # Errors
/// Errors of the serialiser, which do not occur for valid data.
pub fn to_bytes(fit: &PreviewFitData) -> Result<Vec<u8>, safetensors::SafeTensorError> {
    let mut tensors: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = Vec::new();
    let sizes = [fit.channels as u64, fit.downscale as u64, fit.linear.rows(), fit.patch.rows()];
    let bytes = sizes.iter().flat_map(|v| v.to_le_bytes()).collect();
    tensors.push(("sizes".to_owned(), Dtype::U64, vec![4], bytes));
    for (name, regression) in [("linear", &fit.linear), ("patch", &fit.patch)] {
        let (gram, moment, _) = regression.sums();
        for (part, values) in [("gram", gram), ("moment", moment)] {
            let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            tensors.push((format!("{name}.{part}"), Dtype::F64, vec![values.len()], bytes));
        }
    }
    for (index, (latent, rgb)) in fit.held_out.iter().enumerate() {
        let shape = latent.shape();
        let bytes = latent.values().iter().flat_map(|v| v.to_le_bytes()).collect();
        let dims = vec![shape.channels, shape.height, shape.width];
        tensors.push((format!("held_out.{index}.latent"), Dtype::F32, dims, bytes));
        let dims = vec![shape.height * fit.downscale, shape.width * fit.downscale, 3];
        tensors.push((format!("held_out.{index}.picture"), Dtype::U8, dims, rgb.clone()));
    }
    let views = tensors
        .iter()
        .map(|(name, dtype, shape, bytes)| Ok((name, TensorView::new(*dtype, shape.clone(), bytes)?)))
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()?;
    safetensors::serialize(views, None)
}

/// Deserialises the data of a fit; `None` if the bytes are not valid output of [`to_bytes`].
pub fn from_bytes(bytes: &[u8]) -> Option<PreviewFitData> {
    let tensors = SafeTensors::deserialize(bytes).ok()?;
    let data = |name: &str, dtype: Dtype| {
        let view = tensors.tensor(name).ok().filter(|view| view.dtype() == dtype)?;
        Some((view.shape().to_vec(), view.data().to_vec()))
    };
    let sizes: Vec<u64> = data("sizes", Dtype::U64)?
        .1
        .chunks_exact(8)
        .map(|b| u64::from_le_bytes(b.try_into().unwrap_or_default()))
        .collect();
    let [channels, downscale, linear_rows, patch_rows] = sizes[..] else { return None };
    let (channels, downscale) = (channels as usize, downscale as usize);
    if !(1..=MAX_CHANNELS).contains(&channels) || !(1..=MAX_DOWNSCALE).contains(&downscale) {
        return None;
    }
    let sums = |name: &str| -> Option<Vec<f64>> {
        let (_, bytes) = data(name, Dtype::F64)?;
        Some(bytes.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap_or_default())).collect())
    };
    let linear =
        RidgeRegression::from_sums(channels, 3, sums("linear.gram")?, sums("linear.moment")?, linear_rows)?;
    let patch = RidgeRegression::from_sums(
        9 * channels,
        downscale * downscale * 3,
        sums("patch.gram")?,
        sums("patch.moment")?,
        patch_rows,
    )?;
    let mut held_out = Vec::new();
    while let Some((shape, values)) = data(&format!("held_out.{}.latent", held_out.len()), Dtype::F32) {
        let (size, rgb) = data(&format!("held_out.{}.picture", held_out.len()), Dtype::U8)?;
        let [c, h, w] = shape[..] else { return None };
        let [height, width, 3] = size[..] else { return None };
        let values: Vec<f32> =
            values.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap_or_default())).collect();
        let fits = c == channels
            && height == h * downscale
            && width == w * downscale
            && rgb.len() == height * width * 3;
        let latent = Latent::new(LatentShape::new(c, h, w), values).ok().filter(|_| fits)?;
        held_out.push((latent, rgb));
    }
    Some(PreviewFitData { channels, downscale, linear, patch, held_out })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> PreviewFitData {
        let mut rows = PreviewFitData::new(2, 2);
        let latent = Latent::new(LatentShape::new(2, 1, 2), vec![1.0, 2.0, 3.0, 4.0]).unwrap();
        let rgb: Vec<u8> = (0..24).collect();
        rows.add(&latent, &rgb);
        rows.held_out.push((latent, rgb));
        rows
    }

    #[test]
    fn data_survive_a_round_trip() {
        assert_eq!(from_bytes(&to_bytes(&rows()).unwrap()), Some(rows()));
        assert_eq!(rows().patch.rows(), 2);
    }

    #[test]
    fn damaged_files_are_rejected_without_a_panic() {
        let bytes = to_bytes(&rows()).unwrap();
        for cut in [0, 7, 9, 80, bytes.len() - 1] {
            assert_eq!(from_bytes(&bytes[..cut]), None, "{cut}");
        }
        for at in (0..bytes.len()).step_by(3) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0xff;
            let _ = from_bytes(&damaged);
        }
    }
}
