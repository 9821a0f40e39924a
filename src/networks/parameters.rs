//! What networks are built from.

use candle_core::{DType, Result, Shape, Tensor};
use candle_nn::VarBuilder;

use super::Runtime;

/// The tensors under a name, and what the network that takes them will run on.
#[derive(Clone)]
pub struct Parameters<'a> {
    tensors: VarBuilder<'a>,
    runtime: Runtime,
}

impl<'a> Parameters<'a> {
    /// The tensors are on the runtime's device, in its number format or, matrices on a processor, as they are stored.
    pub fn new(tensors: VarBuilder<'a>, runtime: &Runtime) -> Self {
        Self { tensors, runtime: runtime.clone() }
    }

    /// Those under a longer name.
    #[must_use]
    pub fn pp(&self, name: impl ToString) -> Self {
        Self { tensors: self.tensors.pp(name), runtime: self.runtime.clone() }
    }

    /// A tensor.
    ///
    /// # Errors
    /// If it is missing or has another shape.
    pub fn get(&self, shape: impl Into<Shape>, name: &str) -> Result<Tensor> {
        self.tensors.get(shape, name)
    }

    /// Whether there is a tensor of this name.
    pub fn contains_tensor(&self, name: &str) -> bool {
        self.tensors.contains_tensor(name)
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
