//! The cache of preview fits on disk: one file per VAE.

use std::path::Path;

use crate::formats::atomic::write_atomically;
use crate::latent::LatentFormat;
use crate::projection::PreviewFitData;
use crate::store::preview_cache;

/// The cached data of a VAE; `None` if there is none, or its latent format differs.
pub(super) fn read(folder: &Path, vae_hash: &str, format: &LatentFormat) -> Option<PreviewFitData> {
    let bytes = std::fs::read(preview_cache::path(folder, vae_hash)).ok()?;
    preview_cache::from_bytes(&bytes)
        .filter(|data| (data.channels, data.downscale) == (format.channels, format.downscale))
}

/// Writes the data of a VAE. A failure is only logged, since it only costs another fit at the next start.
pub(super) fn write(folder: &Path, data: &PreviewFitData, vae_hash: &str) {
    if let Err(reason) = try_write(folder, data, vae_hash) {
        log::warn!("the fitted preview could not be saved: {reason}");
    }
}

fn try_write(folder: &Path, data: &PreviewFitData, vae_hash: &str) -> Result<(), Box<dyn std::error::Error>> {
    std::fs::create_dir_all(folder)?;
    let bytes = preview_cache::to_bytes(data)?;
    write_atomically(&preview_cache::path(folder, vae_hash), |file| std::io::Write::write_all(file, &bytes))?;
    Ok(())
}
