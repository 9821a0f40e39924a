//! The named weights that networks are built from.

use std::fmt::Display;
use std::sync::Arc;

use super::backend::{DType, Error, Result, Sizes, Tensor};
use super::{Runtime, ops};
use crate::weights::{StoredTensor, TensorSource, WeightError};

/// The tensors under a name prefix, and the runtime of the network built from them; as candle's `VarBuilder`.
#[derive(Clone)]
pub struct Parameters {
    source: Arc<dyn TensorSource>,
    /// Prefix of the tensors' names: empty, or ending in a dot.
    prefix: String,
    runtime: Runtime,
}

impl Parameters {
    /// All tensors of a source.
    pub fn new(source: Arc<dyn TensorSource>, runtime: &Runtime) -> Self {
        Self { source, prefix: String::new(), runtime: runtime.clone() }
    }

    /// The tensors under the prefix extended by `name`.
    #[must_use]
    pub fn pp(&self, name: impl Display) -> Self {
        Self { prefix: format!("{}{name}.", self.prefix), ..self.clone() }
    }

    /// A tensor on the runtime's device in its dtype: for biases, norm weights and the like.
    ///
    /// # Errors
    /// If it is missing, has another shape or cannot be read.
    pub fn get(&self, shape: impl Sizes, name: &str) -> Result<Tensor> {
        ops::tensor(&self.runtime, &self.stored(shape, name)?)
    }

    /// A tensor as it is stored: what [`ops::Linear`], [`ops::Conv2d`] and [`ops::Embedding`] are built from.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn stored(&self, shape: impl Sizes, name: &str) -> Result<StoredTensor> {
        let (expected, name) = (shape.closed()?, format!("{}{name}", self.prefix));
        let failed = |error: WeightError| Error::Msg(error.to_string());
        let Some(info) = self.source.info(&name) else {
            let path = self.source.path(&name);
            return Err(failed(WeightError::Missing { name, shape: expected, path }));
        };
        if info.shape != expected {
            let path = self.source.path(&name);
            return Err(failed(WeightError::Shape { name, expected, found: info.shape, path }));
        }
        self.source.read(&name).map_err(failed)
    }

    /// The shape of a tensor, `None` if there is none of this name.
    pub fn shape_of(&self, name: &str) -> Option<Vec<usize>> {
        self.source.info(&format!("{}{name}", self.prefix)).map(|info| info.shape)
    }

    /// Whether there is a tensor of this name.
    pub fn contains_tensor(&self, name: &str) -> bool {
        self.shape_of(name).is_some()
    }

    /// The dtype of activations.
    pub fn dtype(&self) -> DType {
        self.runtime.dtype()
    }

    /// The runtime of the network.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }
}
