//! Pictures, what is embedded in them, and latents.

use safelight::content::{Content, json};
use safelight::formats::latent_file::latent_from_bytes;
use safelight::formats::metadata::{embedded_texts, facts_from_bytes};
use safelight::formats::picture::{ReadOptions, picture_from_bytes};
use safelight::store::preview_cache;

use super::Target;

/// A file that claims more pixels is refused: decoding them is in proportion to the picture, not to the file.
const MAX_PIXELS: u64 = 1 << 18;

const FILES: &str = "files";

pub(crate) const TARGETS: &[Target] = &[
    Target { name: "png", run: picture, seeds: &[(FILES, "png")] },
    Target { name: "jpeg", run: picture, seeds: &[(FILES, "jpg")] },
    Target { name: "webp", run: picture, seeds: &[(FILES, "webp")] },
    Target { name: "tiff", run: picture, seeds: &[(FILES, "tiff")] },
    Target { name: "gif", run: picture, seeds: &[(FILES, "gif")] },
    Target { name: "bmp", run: picture, seeds: &[(FILES, "bmp")] },
    Target { name: "embedded", run: embedded, seeds: &[(FILES, "png"), (FILES, "jpg"), (FILES, "webp")] },
    Target {
        name: "latent",
        run: latent,
        seeds: &[(FILES, "latent"), (FILES, "safetensors"), (FILES, "npy")],
    },
    Target { name: "content", run: content, seeds: &[(FILES, "png"), (FILES, "npy"), (FILES, "gif")] },
    Target { name: "json", run: document, seeds: &[("sd1", "json"), ("sd1/unet", "json"), (FILES, "json")] },
    Target { name: "preview-cache", run: cache, seeds: &[] },
];

fn picture(data: &[u8]) {
    let options = ReadOptions { max_pixels: MAX_PIXELS, ..ReadOptions::default() };
    if let Ok(read) = picture_from_bytes(data, &options) {
        let (width, height) = (read.picture.width(), read.picture.height());
        assert!((width * height) as u64 <= MAX_PIXELS);
        assert_eq!(read.picture.rgb().len(), width * height * 3);
    }
}

fn embedded(data: &[u8]) {
    let _ = facts_from_bytes(data);
    let _ = embedded_texts(data);
}

fn latent(data: &[u8]) {
    if let Ok(read) = latent_from_bytes(data) {
        let bytes: usize = read.latents().map(safelight::latent::Latent::byte_len).sum();
        assert!(bytes <= 4 * data.len(), "{bytes} bytes of values from {}", data.len());
    }
}

fn content(data: &[u8]) {
    let _ = Content::of(data).to_string();
}

fn document(data: &[u8]) {
    let strict = serde_json::from_slice::<serde_json::Value>(data);
    let lenient = json::value_from_slice(data);
    // What is JSON to the standard is the same here, but for numbers beyond f64 and keys that stand twice.
    if let (Ok(strict), Ok(lenient)) = (&strict, &lenient)
        && strict.is_string()
    {
        assert_eq!(strict, lenient);
    }
}

fn cache(data: &[u8]) {
    if let Some(fit) = preview_cache::from_bytes(data) {
        let bytes = preview_cache::to_bytes(&fit).unwrap();
        assert_eq!(preview_cache::from_bytes(&bytes).as_ref(), Some(&fit));
    }
}
