//! Memory checks, and tiling of the VAE where memory is short.

use super::ModelError;
use super::available_memory::available_bytes;
use crate::networks::autoencoder::MemoryLimits;
use crate::networks::{NetworkError, Runtime};
use crate::request::TileChoice;

/// The main memory that the program may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct MemoryBudget {
    /// Bytes that the user allows, `None` for what the system has.
    limit: Option<u64>,
    /// Bytes of it that loaded networks hold.
    held: u64,
}

impl MemoryBudget {
    pub(super) fn new(limit: Option<u64>) -> Self {
        Self { limit, held: 0 }
    }

    /// The budget once networks of this many bytes are loaded.
    pub(super) fn holding(self, held: u64) -> Self {
        Self { held, ..self }
    }

    /// Bytes that are left of the user's limit.
    ///
    /// The loaded networks are counted by their estimate and not by what the system says of the process: there the
    /// freed pages that the allocator keeps for the next step would count against that step.
    fn left_of_limit(self) -> Option<u64> {
        Some(self.limit?.saturating_sub(self.held))
    }

    /// Bytes that can still be allocated, `None` where neither the user nor the system gives a limit.
    fn available(self) -> Option<u64> {
        self.left_of_limit().into_iter().chain(available_bytes()).min()
    }

    /// The memory limits of the VAE's encoder and decoder.
    pub(super) fn limits(self, choice: TileChoice, runtime: &Runtime) -> MemoryLimits {
        match choice {
            TileChoice::Never => MemoryLimits::UNLIMITED,
            TileChoice::Always => MemoryLimits::TILES,
            // Running out of main memory ends the program, so it is checked beforehand; a GPU reports an error.
            TileChoice::Auto if runtime.is_on_processor() => {
                self.available().map_or_else(MemoryLimits::default, MemoryLimits::within)
            }
            // Convolutions of larger maps were silently wrong on Apple's GPUs, in other programs that candle computes for.
            TileChoice::Auto if runtime.device().is_apple() => {
                MemoryLimits::for_values_of(runtime.dtype().size_in_bytes())
            }
            TileChoice::Auto => MemoryLimits::default(),
        }
    }

    /// Checks that main memory can hold `needed` bytes more: a failed allocation would abort the program, and
    /// overcommitted memory would end with the kernel killing it. `what`: the subject of the message.
    ///
    /// # Errors
    /// [`ModelError::TooLittleMemory`] if it cannot, [`ModelError::AboveMemoryLimit`] if it may not.
    pub(super) fn check(self, what: impl Into<String>, needed: u64) -> Result<(), ModelError> {
        let available = available_bytes().unwrap_or(u64::MAX);
        if needed > available || !can_be_reserved(needed) {
            return Err(ModelError::TooLittleMemory { what: what.into(), needed, available });
        }
        match (self.limit, self.left_of_limit()) {
            (Some(limit), Some(left)) if needed > left => {
                Err(ModelError::AboveMemoryLimit { what: what.into(), needed, left, limit })
            }
            _ => Ok(()),
        }
    }
}

/// Whether the allocator grants this many bytes at once, which a limit on the process may forbid. They are never
/// touched and freed at once.
fn can_be_reserved(bytes: u64) -> bool {
    usize::try_from(bytes).is_ok_and(|bytes| Vec::<u8>::new().try_reserve_exact(bytes).is_ok())
}

/// Runs within `limits`, and again in tiles if the device runs out of memory. The second value says whether it was run
/// again.
pub(super) fn in_tiles_if_short<T>(
    limits: MemoryLimits,
    mut run: impl FnMut(MemoryLimits) -> Result<T, NetworkError>,
) -> Result<(T, bool), NetworkError> {
    match run(limits) {
        Err(NetworkError::Tensor(error)) if is_out_of_memory(&error.to_string()) => {
            log::warn!("out of memory, running again in tiles: {error}");
            Ok((run(MemoryLimits::TILES)?, true))
        }
        result => Ok((result?, false)),
    }
}

/// Whether a device's error means that it is out of memory. candle passes the drivers' texts on: the status names of
/// CUDA, cuBLAS and cuDNN, and Metal's failure to create a buffer.
pub(super) fn is_out_of_memory(error: &str) -> bool {
    let error = error.to_lowercase();
    ["out of memory", "out_of_memory", "alloc_failed", "failed to create metal resource: buffer"]
        .iter()
        .any(|words| error.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_values_allow_as_many_in_every_format() {
        let usual = MemoryLimits::default();
        assert_eq!(MemoryLimits::for_values_of(4), usual);
        let half = MemoryLimits::for_values_of(2);
        assert_eq!((2 * half.whole, 2 * half.tile), (usual.whole, usual.tile));
    }

    fn failed(words: &str) -> NetworkError {
        NetworkError::Tensor(crate::networks::backend::Error::Msg(words.to_owned()))
    }

    #[test]
    fn what_does_not_fit_is_refused_with_figures() {
        let budget = MemoryBudget::default();
        assert!(budget.check("the model", 1 << 20).is_ok());
        if cfg!(target_os = "linux") {
            let error = budget.check("the model", 1 << 60).unwrap_err().to_string();
            assert!(error.starts_with("the model needs about 1073741824.0 GiB of memory, and "), "{error}");
        }
    }

    #[test]
    fn a_limit_counts_the_networks_that_are_loaded() {
        const MIB: u64 = 1 << 20;
        let budget = MemoryBudget::new(Some(65 * MIB));
        assert!(budget.check("the model", 65 * MIB).is_ok());
        assert!(budget.check("the model", 66 * MIB).is_err(), "more than the whole limit");
        let loaded = budget.holding(64 * MIB);
        assert!(loaded.check("a picture", MIB).is_ok());
        let error = loaded.check("a picture", 2 * MIB).unwrap_err().to_string();
        let said = "a picture needs about 2 MiB of memory, and 1 MiB are left of the 65 MiB that the program may use";
        assert_eq!(error, said);
        let limits = loaded.limits(TileChoice::Auto, &Runtime::processor(Some(1)));
        assert_eq!((limits.whole, limits.tile), (MIB / 2, MIB / 4));
        assert_eq!(MemoryBudget::new(None).holding(1 << 60).left_of_limit(), None, "only the system limits");
        assert!(MemoryBudget::new(Some(MIB)).holding(2 * MIB).check("a picture", 1).is_err());
    }

    #[test]
    fn running_out_of_memory_is_retried_in_tiles() {
        let mut asked = Vec::new();
        let oom = "DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")";
        let (value, short) = in_tiles_if_short(MemoryLimits::default(), |limits| {
            asked.push(limits);
            if limits == MemoryLimits::TILES { Ok(7) } else { Err(failed(oom)) }
        })
        .unwrap();
        assert_eq!((value, short), (7, true));
        assert_eq!(asked, [MemoryLimits::default(), MemoryLimits::TILES]);
    }

    #[test]
    fn other_errors_and_results_are_not_repeated() {
        let mut calls = 0;
        let mut run = |result: Result<u8, NetworkError>| {
            let mut result = Some(result);
            in_tiles_if_short(MemoryLimits::default(), |_| {
                calls += 1;
                result.take().unwrap()
            })
        };
        assert!(run(Err(failed("shape mismatch"))).is_err());
        assert!(matches!(run(Err(NetworkError::Cancelled)), Err(NetworkError::Cancelled)));
        assert_eq!(run(Ok(3)).unwrap(), (3, false));
        assert_eq!(calls, 3);
    }

    #[test]
    fn little_memory_means_small_tiles() {
        let usual = MemoryLimits::default();
        assert_eq!(MemoryLimits::within(u64::MAX), usual);
        let little = MemoryLimits::within(600 << 20);
        assert!(little.whole == 300 << 20 && little.tile == 150 << 20);
    }
}
