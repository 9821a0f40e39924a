//! Errors of operations.

/// Why an operation on tensors failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Sizes or formats do not fit.
    #[error("{0}")]
    Msg(String),
    /// The library or the device failed.
    #[error(transparent)]
    Backend(#[from] Failure),
}

/// The result of an operation on tensors.
pub type Result<T> = std::result::Result<T, Error>;

/// An error of the library that computes, said without its backtrace.
#[derive(Debug, thiserror::Error)]
#[error("{}", first_line(.0))]
pub struct Failure(candle_core::Error);

impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Self {
        Self::Backend(Failure(error))
    }
}

/// The first line of what an error says.
fn first_line(error: &candle_core::Error) -> String {
    innermost(error).to_string().lines().next().unwrap_or_default().to_owned()
}

/// An error of candle without what was added to it on its way.
fn innermost(error: &candle_core::Error) -> &candle_core::Error {
    use candle_core::Error;
    match error {
        Error::Context { inner, .. } | Error::WithPath { inner, .. } | Error::WithBacktrace { inner, .. } => {
            innermost(inner)
        }
        error => error,
    }
}

impl Error {
    /// What the error says: the name of the driver's status if there is one, without the names of the library around
    /// it, and otherwise its first line.
    pub fn words(&self) -> String {
        let said = match self {
            Self::Msg(said) => said.clone(),
            Self::Backend(Failure(error)) => first_line(error),
        };
        let is_of_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        let status = said.split(|c: char| !is_of_name(c)).find(|word| {
            ["CUDA_ERROR_", "CUBLAS_STATUS_", "CUDNN_STATUS_"].iter().any(|of| word.starts_with(of))
        });
        status.map_or_else(|| said.lines().next().unwrap_or_default().to_owned(), str::to_owned)
    }

    /// Whether it comes from a GPU or its driver.
    pub fn is_of_gpu(&self) -> bool {
        use candle_core::Error;
        matches!(self, Self::Backend(Failure(error)) if matches!(innermost(error), Error::Cuda(_) | Error::Metal(_)))
    }

    /// Whether the device has no kernel for the format.
    pub fn is_of_missing_kernel(&self) -> bool {
        use candle_core::Error;
        let is_unsupported = matches!(
            self,
            Self::Backend(Failure(error)) if matches!(innermost(error), Error::UnsupportedDTypeForOp(..))
        );
        is_unsupported || self.words() == "CUDA_ERROR_NOT_FOUND"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cuda(words: &str) -> candle_core::Error {
        candle_core::Error::Cuda(words.to_owned().into())
    }

    #[test]
    fn a_drivers_status_is_said_without_the_names_of_its_bindings() {
        let words = |error: candle_core::Error| Error::from(error).words();
        let lost = cuda("DriverError(CUDA_ERROR_ILLEGAL_ADDRESS, \"an illegal memory access\")");
        assert_eq!(words(lost), "CUDA_ERROR_ILLEGAL_ADDRESS");
        let full = cuda("DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")").context("conv2d");
        assert_eq!(words(full), "CUDA_ERROR_OUT_OF_MEMORY");
        assert_eq!(words(cuda("the fan stopped\nbacktrace").bt()), "the fan stopped");
        assert_eq!(Error::from(cuda("the fan stopped").bt()).to_string(), "the fan stopped");
        assert_eq!(Error::Msg("sizes\nmore".into()).words(), "sizes");
    }

    #[test]
    fn errors_of_gpus_are_told_from_others() {
        assert!(Error::from(cuda("DriverError(CUDA_ERROR_LAUNCH_FAILED)").context("matmul")).is_of_gpu());
        assert!(!Error::Msg("a residual does not fit".into()).is_of_gpu());
        let missing = candle_core::Error::UnsupportedDTypeForOp(candle_core::DType::BF16, "matmul").bt();
        assert!(Error::from(missing).is_of_missing_kernel());
        assert!(Error::from(cuda("DriverError(CUDA_ERROR_NOT_FOUND, \"no symbol\")")).is_of_missing_kernel());
    }
}
