//! Failures of a device, among the errors of operations.

use crate::models::memory::is_out_of_memory;
use crate::networks::backend::Error;

/// How a device failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceFault {
    /// Its memory is too short. It goes on working.
    OutOfMemory,
    /// It does not compute any more: it was reset, unplugged or hung, or its driver failed.
    Lost,
}

impl DeviceFault {
    /// The fault that an error tells of; `None` for errors of shapes and the like.
    pub(in crate::models) fn of(error: &Error) -> Option<Self> {
        if is_out_of_memory(&error.to_string()) {
            return Some(Self::OutOfMemory);
        }
        error.is_of_gpu().then_some(Self::Lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_of_devices_are_told_from_other_errors() {
        let full = Error::Msg("DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")".into());
        assert_eq!(DeviceFault::of(&full), Some(DeviceFault::OutOfMemory));
        let shape = Error::Msg("a residual does not fit".into());
        assert_eq!(DeviceFault::of(&shape), None);
    }
}
