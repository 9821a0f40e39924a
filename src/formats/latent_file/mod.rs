//! Latent files: ComfyUI's `.latent`, single tensors in safetensors, and numpy's `.npy`.

mod comfy;
mod npy;

use std::path::Path;
use std::sync::Arc;

use crate::content::Content;
use crate::formats::input::{MAX_INPUT_BYTES, ReadFileError, Sources, read_bytes};
use crate::formats::metadata::GenerationFacts;
use crate::latent::{Latent, LatentShape, LatentSpace};
use crate::reason::{Reason, ReasonKind};

pub use comfy::{latent_from_safetensors, latent_from_tensor, write_latent, write_model_latent};
pub use npy::{latent_from_npy, write_channel_npy, write_npy};

/// The most channels: packed FLUX.2 latents have 128.
const MAX_CHANNELS: usize = 1024;
/// The longest edge: a latent of 32 768 pixels.
const MAX_EDGE: usize = 4096;

/// The quantity that a latent holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LatentQuantity {
    /// The denoised estimate or the final latent.
    Denoised,
    /// The noisy latent x_t, which decodes as noise.
    Noisy,
    /// A picture's encoding.
    Encoded,
}

impl LatentQuantity {
    const ALL: [Self; 3] = [Self::Denoised, Self::Noisy, Self::Encoded];

    /// The word for it in files.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Denoised => "x0",
            Self::Noisy => "xt",
            Self::Encoded => "encoded",
        }
    }
}

/// The metadata of a latent file. Everything is optional.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LatentFacts {
    /// The model family's name, such as "Stable Diffusion 1".
    pub family: Option<String>,
    /// The family's `scaling_factor`.
    pub scaling: Option<f64>,
    /// The family's `shift_factor`.
    pub shift: Option<f64>,
    /// Sampling steps done.
    pub step: Option<usize>,
    /// The noise level at that point.
    pub sigma: Option<f64>,
    /// What the values are.
    pub quantity: Option<LatentQuantity>,
    /// Hash of the VAE's weights (blake3, hex).
    pub vae_hash: Option<String>,
    /// The settings of the run.
    pub generation: Option<GenerationFacts>,
}

/// The latents of a file.
#[derive(Clone, Debug)]
pub struct ReadLatent {
    /// The first, or the only one.
    pub latent: Latent,
    /// The further ones of a batch, of the same shape.
    pub others: Vec<Latent>,
    /// The space of the values; `None` if the file does not say, so that the user must be asked.
    pub space: Option<LatentSpace>,
    /// The metadata.
    pub facts: LatentFacts,
    /// Names and shapes of the tensors that are not latents, which are not read.
    pub not_read: Vec<String>,
}

impl ReadLatent {
    /// Number of latents in the file.
    pub fn count(&self) -> usize {
        1 + self.others.len()
    }

    /// All of them, in order.
    pub fn latents(&self) -> impl Iterator<Item = &Latent> {
        std::iter::once(&self.latent).chain(&self.others)
    }
}

/// Why a latent file cannot be read. Each message says what to try.
#[derive(Debug, thiserror::Error)]
pub enum LatentFileError {
    /// The file cannot be opened or read.
    #[error(transparent)]
    File(#[from] ReadFileError),
    /// The file is of another kind.
    #[error("latents are safetensors files (.latent) and numpy arrays (.npy), and this is {0}")]
    NotALatent(Content),
    /// The file is damaged.
    #[error("the {format} file is damaged: {reason} (copy or save it again)")]
    Damaged {
        /// The file's format.
        format: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// There is no tensor, or several without one named as a latent.
    #[error(
        "no tensor in it is a latent: found {found} (a latent is the only tensor of 3 or 4 dimensions; if these are a model's weights, open the whole model)"
    )]
    NoLatent {
        /// The tensors in the file.
        found: String,
    },
    /// The tensor has the wrong shape.
    #[error(
        "a latent has 3 or 4 dimensions [channels, height, width], up to {MAX_CHANNELS} channels and {MAX_EDGE} at an edge; this one is {shape:?}"
    )]
    Shape {
        /// The tensor's shape.
        shape: Vec<usize>,
    },
    /// The values have another number format.
    #[error("a latent has f16, bf16, f32 or f64 values; this one has {found}: convert it first")]
    Dtype {
        /// The number format.
        found: String,
    },
}

/// Reads a latent file, recognised by content and not by name. A pipe is read once to its end.
///
/// # Errors
/// [`LatentFileError`] with the reason and what to try.
pub fn read_latent(path: &Path) -> Result<ReadLatent, LatentFileError> {
    latent_from_bytes(&read_bytes(path, MAX_INPUT_BYTES, Sources::Any)?)
}

/// Reads the latents in a file's bytes.
///
/// # Errors
/// [`LatentFileError`] with the reason and what to try.
pub fn latent_from_bytes(bytes: &[u8]) -> Result<ReadLatent, LatentFileError> {
    match Content::of(bytes) {
        Content::Npy => latent_from_npy(bytes),
        // Unknown bytes may be a safetensors file with a damaged header.
        Content::Safetensors | Content::Unknown => latent_from_safetensors(bytes),
        content => Err(LatentFileError::NotALatent(content)),
    }
}

/// `[C, H, W]` and the number of latents from a shape of 3, 4 or, with one frame, 5 dimensions.
fn latent_shape(shape: &[usize]) -> Result<(LatentShape, usize), LatentFileError> {
    let (batch, [channels, height, width]) = match *shape {
        [c, h, w] => (1, [c, h, w]),
        // Video latents: [B, C, T, H, W]; one frame is a picture.
        [b, c, h, w] | [b, c, 1, h, w] => (b, [c, h, w]),
        _ => return Err(LatentFileError::Shape { shape: shape.to_vec() }),
    };
    let fits = batch > 0
        && (1..=MAX_CHANNELS).contains(&channels)
        && (1..=MAX_EDGE).contains(&height)
        && (1..=MAX_EDGE).contains(&width);
    if fits {
        Ok((LatentShape::new(channels, height, width), batch))
    } else {
        Err(LatentFileError::Shape { shape: shape.to_vec() })
    }
}

/// All latents of a batch, `[B, C, H, W]`, from values of `N` bytes each. The number of bytes must match the shape, so
/// that memory stays in proportion to the file. The error is a part of a sentence.
fn latents_of<const N: usize>(
    shape: LatentShape,
    batch: usize,
    bytes: &[u8],
    number: impl Fn([u8; N]) -> f32,
) -> Result<Vec<Latent>, String> {
    let wanted = shape.len().checked_mul(N).and_then(|one| one.checked_mul(batch));
    match wanted.map(|wanted| bytes.len().cmp(&wanted)) {
        Some(std::cmp::Ordering::Equal) => {}
        Some(std::cmp::Ordering::Greater) => {
            return Err(format!("{} bytes follow its values", bytes.len() - wanted.unwrap_or_default()));
        }
        _ => {
            let rows = bytes.len() / (N * shape.width);
            let of = batch.saturating_mul(shape.channels * shape.height);
            return Err(format!("it ends before its values do: {rows} of {of} rows are present"));
        }
    }
    let values = |bytes: &[u8]| bytes.as_chunks::<N>().0.iter().map(|&b| number(b)).collect::<Arc<[f32]>>();
    let latents = bytes.chunks_exact(shape.len() * N).map(|one| Latent::new(shape, values(one)));
    latents.collect::<Result<_, _>>().map_err(|e| e.to_string())
}

/// The result for these latents; `None` if there are none.
fn read_latents(
    mut latents: Vec<Latent>,
    space: Option<LatentSpace>,
    facts: LatentFacts,
    not_read: Vec<String>,
) -> Option<ReadLatent> {
    if latents.is_empty() {
        return None;
    }
    let others = latents.split_off(1);
    Some(ReadLatent { latent: latents.pop()?, others, space, facts, not_read })
}

impl From<&LatentFileError> for Reason {
    fn from(error: &LatentFileError) -> Self {
        use ReasonKind as Kind;
        let new = |kind| Self::new(kind, error);
        match error {
            LatentFileError::File(error) => error.into(),
            LatentFileError::NotALatent(content) => new(Kind::NotALatent).because(content),
            LatentFileError::Damaged { format, reason } => {
                new(Kind::LatentDamaged).with([format as _, reason as _])
            }
            LatentFileError::NoLatent { found } => new(Kind::NoLatentTensor).with([found as _]),
            LatentFileError::Shape { shape } => new(Kind::LatentShape).with([&format!("{shape:?}") as _]),
            LatentFileError::Dtype { found } => new(Kind::LatentDtype).with([found as _]),
        }
    }
}
