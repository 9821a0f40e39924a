//! Networks that find pictures by words and describe them, which candle-transformers builds.
//!
//! Their weights come through the same door as those of our own networks ([`TensorSource`]), so that every format of
//! file is read and a damaged one is named. They run on candle's operations, in f32.

mod clip;
mod description;
mod siglip;

use std::sync::Arc;

use candle_core::{DType, Device, Result, Shape, Tensor};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};

use super::{NetworkError, Parameters, Runtime};
use crate::weights::TensorSource;

pub use clip::{ClipConfig, ClipNetwork};
pub use description::{BlipConfig, BlipNetwork};
pub use siglip::{SigLipConfig, SigLipNetwork, SigLipText, SigLipVision};

/// More layers than any such network has.
const MAX_LAYERS: usize = 256;
/// The longest edge of the pictures that such networks see, pixels.
const MAX_EDGE: usize = 1024;

/// The tensors of a source as candle-transformers asks for them. `shared`: names of tensors that a file may leave out,
/// and those that have the same values.
fn var_builder(
    source: Arc<dyn TensorSource>,
    shared: &'static [[&'static str; 2]],
    runtime: &Runtime,
) -> VarBuilder<'static> {
    let (dtype, device) = (runtime.dtype().candle(), runtime.device().candle());
    let door = Door { parameters: Parameters::new(source, runtime), shared };
    VarBuilder::from_backend(Box::new(door), dtype, device)
}

/// Pixels of a square picture `[3, S, S]` as these networks take them: `[1, 3, S, S]`.
fn picture_tensor(runtime: &Runtime, pixels: &[f32], edge: usize) -> Result<Tensor> {
    Tensor::from_slice(pixels, (1, 3, edge, edge), &runtime.device().candle())
}

/// Ids of tokens as these networks take them: `[1, N]`.
fn id_tensor(runtime: &Runtime, ids: &[u32]) -> Result<Tensor> {
    Tensor::from_slice(ids, (1, ids.len()), &runtime.device().candle())
}

/// The features that a network computes, as values.
fn features(
    runtime: &Runtime,
    compute: impl FnOnce() -> Result<Tensor> + Send,
) -> std::result::Result<Vec<f32>, NetworkError> {
    Ok(runtime.run(compute)?.flatten_all()?.to_vec1()?)
}

impl From<candle_core::Error> for NetworkError {
    fn from(error: candle_core::Error) -> Self {
        Self::Tensor(error.into())
    }
}

struct Door {
    parameters: Parameters,
    shared: &'static [[&'static str; 2]],
}

impl Door {
    /// The name under which the file has a tensor.
    fn stored_name<'a>(&self, name: &'a str) -> &'a str {
        let other = self.shared.iter().find(|[left_out, _]| *left_out == name);
        match other {
            Some([_, other]) if !self.parameters.contains_tensor(name) => other,
            _ => name,
        }
    }
}

/// Device and dtype are those of the runtime, with which the builder was made.
impl SimpleBackend for Door {
    fn get(&self, shape: Shape, name: &str, _: Init, _: DType, _: &Device) -> Result<Tensor> {
        Ok(self
            .parameters
            .get(shape.into_dims(), self.stored_name(name))
            .map_err(candle_core::Error::wrap)?
            .candle()
            .clone())
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> Result<Tensor> {
        let name = self.stored_name(name);
        let shape = self.parameters.shape_of(name).unwrap_or_default();
        Ok(self.parameters.get(shape, name).map_err(candle_core::Error::wrap)?.candle().clone())
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.parameters.contains_tensor(self.stored_name(name))
    }
}

/// The refusal of a value of a configuration.
fn refused<T>(
    key: &'static str,
    value: &impl ToString,
    supported: &'static str,
) -> std::result::Result<T, NetworkError> {
    Err(NetworkError::Unsupported { key, value: value.to_string(), supported })
}

/// Checks what all transformers have in common.
fn check_transformer(width: usize, heads: usize, layers: usize) -> std::result::Result<(), NetworkError> {
    if heads == 0 || width == 0 || !width.is_multiple_of(heads) {
        return refused("num_attention_heads", &heads, "a divisor of hidden_size");
    }
    if layers == 0 || layers > MAX_LAYERS {
        return refused("num_hidden_layers", &layers, "1 to 256");
    }
    Ok(())
}

/// Checks the edges of the pictures and of their patches.
fn check_edges(image: usize, patch: usize) -> std::result::Result<(), NetworkError> {
    if !(1..=MAX_EDGE).contains(&image) {
        return refused("image_size", &image, "1 to 1024");
    }
    if patch == 0 || patch > image {
        return refused("patch_size", &patch, "1 to image_size");
    }
    Ok(())
}
