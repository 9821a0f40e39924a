//! The device interface: what the operations ask of a device.

use std::fmt;

use super::ops::Operation;
use crate::networks::backend::{Device, Result, Tensor};

/// A device of the networks.
pub trait ComputeDevice: fmt::Debug + Send + Sync {
    /// Its name, for display.
    fn name(&self) -> String;

    /// What the tensors are on.
    fn tensors(&self) -> &Device;

    /// Whether it is the processor itself: the kernels compute its f32 values, and the main memory is its memory.
    fn is_processor(&self) -> bool;

    /// Whether its arithmetic knows bf16.
    fn has_bf16(&self) -> bool {
        self.tensors().has_bf16()
    }

    /// Takes what was computed for an operation, before the network goes on with it.
    ///
    /// # Errors
    /// If the device is out of memory or lost.
    fn computed(&self, operation: Operation, result: Tensor) -> Result<Tensor> {
        let _ = operation;
        Ok(result)
    }
}

impl ComputeDevice for Device {
    fn name(&self) -> String {
        self.kind().to_owned()
    }

    fn tensors(&self) -> &Device {
        self
    }

    fn is_processor(&self) -> bool {
        self.is_cpu()
    }
}

/// The processor without the kernels: candle computes everything. The kernels are checked against it.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlainProcessor;

impl ComputeDevice for PlainProcessor {
    fn name(&self) -> String {
        "Processor without kernels".to_owned()
    }

    fn tensors(&self) -> &Device {
        &Device::Cpu
    }

    fn is_processor(&self) -> bool {
        false
    }
}
