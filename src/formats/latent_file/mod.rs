//! Latent files: ComfyUI's `.latent`, single tensors in safetensors, and numpy's `.npy`.

mod comfy;
mod npy;

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::formats::metadata::GenerationFacts;
use crate::latent::{Latent, LatentShape, LatentSpace};

pub use comfy::{latent_from_safetensors, write_latent};
pub use npy::{latent_from_npy, write_channel_npy, write_npy};

/// The longest latent file that is read: a 16-channel latent of 8192² pixels takes 64 MiB.
const MAX_FILE_BYTES: u64 = 512 << 20;
/// The most channels: packed FLUX.2 latents have 128.
const MAX_CHANNELS: usize = 1024;
/// The longest edge: a latent of 32 768 pixels.
const MAX_EDGE: usize = 4096;

/// What the values of a latent are.
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

    /// The word in files.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Denoised => "x0",
            Self::Noisy => "xt",
            Self::Encoded => "encoded",
        }
    }
}

/// What a latent file says beside its values. Everything is optional.
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

/// A latent as a file holds it.
#[derive(Clone, Debug)]
pub struct ReadLatent {
    /// The values of the first latent in the file.
    pub latent: Latent,
    /// The space of the values, `None` where the file does not say: ask.
    pub space: Option<LatentSpace>,
    /// How many latents the file holds; only the first is read.
    pub batch: usize,
    /// What else it says.
    pub facts: LatentFacts,
}

/// A latent file that cannot be read. Each says why and what to try.
#[derive(Debug, thiserror::Error)]
pub enum LatentFileError {
    /// The file cannot be opened or read.
    #[error("could not read the latent: {source}: {}", path.display())]
    Read {
        /// What the operating system said.
        source: std::io::Error,
        /// Which file.
        path: PathBuf,
    },
    /// Longer than any latent.
    #[error("the file has {bytes} bytes, more than a latent can have ({limit}): it may be a model's weights")]
    TooManyBytes {
        /// The file's length.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// A pickle, which would run code.
    #[error(
        "this is a pickle (.pt, .ckpt), which can run any program when opened, so it is not read: save the tensor with safetensors or numpy.save"
    )]
    Pickle,
    /// An archive of arrays.
    #[error("this is a ZIP archive (.npz, .pt): save the one array with numpy.save or safetensors")]
    Archive,
    /// The bytes are not what their start promises.
    #[error("the {format} file is damaged: {reason} (copy or save it again)")]
    Damaged {
        /// The file's format.
        format: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// Several tensors and none of them named as a latent.
    #[error("no tensor in it is a latent: found {found} (a latent is the only tensor of 3 or 4 dimensions)")]
    NoLatent {
        /// What is there.
        found: String,
    },
    /// A tensor of the wrong shape.
    #[error(
        "a latent has 3 or 4 dimensions [channels, height, width], up to {MAX_CHANNELS} channels and {MAX_EDGE} at an edge; this one is {shape:?}"
    )]
    Shape {
        /// The tensor's shape.
        shape: Vec<usize>,
    },
    /// Numbers of another kind.
    #[error("a latent has f16, bf16, f32 or f64 values; this one has {found}: convert it first")]
    Dtype {
        /// The number format.
        found: String,
    },
}

/// Reads a latent file; its content counts, not its name.
pub fn read_latent(path: &Path) -> Result<ReadLatent, LatentFileError> {
    let failed = |source| LatentFileError::Read { source, path: path.to_owned() };
    let file = std::fs::File::open(path).map_err(failed)?;
    let len = file.metadata().map_err(failed)?.len();
    if len > MAX_FILE_BYTES {
        return Err(LatentFileError::TooManyBytes { bytes: len, limit: MAX_FILE_BYTES });
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES).read_to_end(&mut bytes).map_err(failed)?;
    latent_from_bytes(&bytes)
}

/// Reads a latent from a file's bytes.
pub fn latent_from_bytes(bytes: &[u8]) -> Result<ReadLatent, LatentFileError> {
    match bytes {
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => latent_from_npy(bytes),
        // Pickle protocols 2 to 5 start with PROTO and the number.
        [0x80, 2..=5, ..] => Err(LatentFileError::Pickle),
        [b'P', b'K', 3, 4, ..] => Err(LatentFileError::Archive),
        _ => latent_from_safetensors(bytes),
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

/// The first latent of these values, whose bytes are little-endian numbers of `size` bytes each.
fn first_latent<const N: usize>(
    shape: LatentShape,
    bytes: &[u8],
    number: impl Fn([u8; N]) -> f32,
) -> Option<Latent> {
    let bytes = bytes.get(..shape.len().checked_mul(N)?)?;
    let values: Vec<f32> = bytes.as_chunks::<N>().0.iter().map(|&b| number(b)).collect();
    Latent::new(shape, values).ok()
}
