//! A GPU that is the processor: candle computes on it without the kernels, and errors can be injected.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use safelight::models::{DeviceIdentity, DeviceSource, Devices, ModelError};
use safelight::networks::ComputeDevice;
use safelight::networks::backend::{Device, Error, Result, Tensor};
use safelight::networks::ops::Operation;
use safelight::request::DeviceChoice;

/// What is wrong with the device. Calls are counted over all that it was opened for, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// One value of each of its results is off by as much as a value.
    Wrong(Operation),
    /// The results of an operation are zeros from this number of values on.
    Zeros(Operation, usize),
    /// Memory is short at this call, and only at it.
    OutOfMemory(usize),
    /// It is lost at this call.
    Lost(usize),
    /// Its driver panics at this call.
    Panic(usize),
    /// It does not open.
    DoesNotOpen,
}

/// What the tests may look at and change while the device is in use.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) calls: AtomicUsize,
    pub(crate) opened: AtomicUsize,
    pub(crate) driver: std::sync::Mutex<String>,
    fault: std::sync::Mutex<Fault>,
    is_lost: AtomicBool,
}

impl State {
    /// From now on this is wrong. Calls are counted anew.
    pub(crate) fn set(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
        self.calls.store(0, Ordering::SeqCst);
    }
}

struct FakeDevice(Arc<State>);

impl fmt::Debug for FakeDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FakeDevice")
    }
}

/// As CUDA's bindings say it.
fn cuda(status: &str) -> Error {
    candle_core::Error::Cuda(format!("DriverError({status}, \"in the words of the driver\")").into()).into()
}

impl ComputeDevice for FakeDevice {
    fn name(&self) -> String {
        "Fake GPU".to_owned()
    }

    fn tensors(&self) -> &Device {
        &Device::Cpu
    }

    fn is_processor(&self) -> bool {
        false
    }

    fn computed(&self, operation: Operation, result: Tensor) -> Result<Tensor> {
        let call = self.0.calls.fetch_add(1, Ordering::SeqCst) + 1;
        if self.0.is_lost.load(Ordering::SeqCst) {
            return Err(cuda("CUDA_ERROR_ILLEGAL_ADDRESS"));
        }
        let fault = *self.0.fault.lock().unwrap();
        match fault {
            Fault::Wrong(wrong) if wrong == operation => {
                let mut spot = vec![0.0_f32; result.elem_count()];
                let middle = spot.len() / 2;
                spot[middle] = 1.0;
                let spot = Tensor::from_vec(spot, result.dims(), &Device::Cpu)?.to_dtype(result.dtype())?;
                result + spot
            }
            Fault::Zeros(wrong, from) if wrong == operation && result.elem_count() > from => {
                result.affine(0.0, 0.0)
            }
            Fault::OutOfMemory(at) if at == call => Err(cuda("CUDA_ERROR_OUT_OF_MEMORY")),
            Fault::Lost(at) if at == call => {
                self.0.is_lost.store(true, Ordering::SeqCst);
                Err(cuda("CUDA_ERROR_ILLEGAL_ADDRESS"))
            }
            Fault::Panic(at) if at == call => panic!("the driver's bindings gave up"),
            _ => Ok(result),
        }
    }
}

/// A machine with one such GPU, the first of NVIDIA's.
struct FakeMachine(Arc<State>);

impl DeviceSource for FakeMachine {
    fn gpus(&self) -> Vec<DeviceChoice> {
        vec![DeviceChoice::Cuda(0)]
    }

    fn identity(&self, choice: DeviceChoice) -> DeviceIdentity {
        match choice {
            DeviceChoice::Cuda(_) => {
                DeviceIdentity { name: "Fake GPU".into(), driver: self.0.driver.lock().unwrap().clone() }
            }
            _ => DeviceIdentity { name: "Processor".into(), driver: String::new() },
        }
    }

    fn open(&self, choice: DeviceChoice) -> std::result::Result<Arc<dyn ComputeDevice>, ModelError> {
        match choice {
            DeviceChoice::Cuda(0) if *self.0.fault.lock().unwrap() == Fault::DoesNotOpen => {
                Err(ModelError::Device("the NVIDIA GPU 0 could not be opened: CUDA_ERROR_NO_DEVICE".into()))
            }
            DeviceChoice::Cuda(0) => {
                self.0.opened.fetch_add(1, Ordering::SeqCst);
                Ok(Arc::new(FakeDevice(Arc::clone(&self.0))))
            }
            DeviceChoice::Auto | DeviceChoice::Cpu => Ok(Arc::new(Device::Cpu)),
            other => Err(ModelError::Device(format!("there is no {other}"))),
        }
    }
}

/// A machine with a GPU of which this is wrong.
pub(crate) fn machine_with(fault: Fault) -> (Devices, Arc<State>) {
    let state = Arc::new(State {
        calls: AtomicUsize::new(0),
        opened: AtomicUsize::new(0),
        driver: std::sync::Mutex::new("580.1".into()),
        fault: std::sync::Mutex::new(fault),
        is_lost: AtomicBool::new(false),
    });
    (Devices(Box::leak(Box::new(FakeMachine(Arc::clone(&state))))), state)
}
