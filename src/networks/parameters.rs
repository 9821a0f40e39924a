//! What networks are built from.

use std::fmt::Display;
use std::sync::Arc;

use candle_core::{DType, Error, Result, Shape, Tensor};

use super::{Runtime, ops};
use crate::weights::{StoredTensor, TensorSource, WeightError};

/// The tensors under a name, and what the network that takes them will run on.
#[derive(Clone)]
pub struct Parameters {
    source: Arc<dyn TensorSource>,
    /// What the names of these tensors begin with: nothing, or names that each end in a dot.
    prefix: String,
    runtime: Runtime,
}

impl Parameters {
    /// All tensors of a source.
    pub fn new(source: Arc<dyn TensorSource>, runtime: &Runtime) -> Self {
        Self { source, prefix: String::new(), runtime: runtime.clone() }
    }

    /// Those under a longer name.
    #[must_use]
    pub fn pp(&self, name: impl Display) -> Self {
        Self { prefix: format!("{}{name}.", self.prefix), ..self.clone() }
    }

    /// A tensor on the runtime's device in its number format: for vectors and what else is used value by value.
    ///
    /// # Errors
    /// If it is missing, has another shape or cannot be read.
    pub fn get(&self, shape: impl Into<Shape>, name: &str) -> Result<Tensor> {
        ops::tensor(&self.runtime, &self.stored(shape, name)?)
    }

    /// A tensor as it is stored: what [`ops::Linear`], [`ops::Conv2d`] and [`ops::Embedding`] are built from.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn stored(&self, shape: impl Into<Shape>, name: &str) -> Result<StoredTensor> {
        let (expected, name) = (shape.into().into_dims(), format!("{}{name}", self.prefix));
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

    /// The number format of values.
    pub fn dtype(&self) -> DType {
        self.runtime.dtype()
    }

    /// What the network will run on.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }
}
