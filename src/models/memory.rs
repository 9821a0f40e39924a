//! Memory for encoding and decoding: what is there, and what to do when it is short.

use candle_core::Device;

use crate::networks::NetworkError;
use crate::networks::autoencoder::MemoryLimits;
use crate::request::TileChoice;

/// What encoder and decoder may take.
pub(super) fn limits(choice: TileChoice, device: &Device) -> MemoryLimits {
    match choice {
        TileChoice::Never => MemoryLimits::UNLIMITED,
        TileChoice::Always => MemoryLimits::TILES,
        // A processor's memory that runs out ends the program, so it is looked at before; a GPU says so.
        TileChoice::Auto if device.is_cpu() => {
            available_bytes().map_or_else(MemoryLimits::default, MemoryLimits::within)
        }
        TileChoice::Auto => MemoryLimits::default(),
    }
}

/// Bytes that this machine can give without swapping, where it says so: on Linux.
fn available_bytes() -> Option<u64> {
    available_in(&std::fs::read_to_string("/proc/meminfo").ok()?)
}

/// `MemAvailable` of `/proc/meminfo`, bytes. Source: proc_meminfo(5).
fn available_in(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// Runs within `limits`, and once more in tiles if a device has no memory for that. The second value says
/// whether it came to this.
pub(super) fn in_tiles_if_short<T>(
    limits: MemoryLimits,
    mut run: impl FnMut(MemoryLimits) -> Result<T, NetworkError>,
) -> Result<(T, bool), NetworkError> {
    match run(limits) {
        Err(NetworkError::Tensor(error)) if is_out_of_memory(&error.to_string()) => {
            log::warn!("once more in tiles: {error}");
            Ok((run(MemoryLimits::TILES)?, true))
        }
        result => Ok((result?, false)),
    }
}

/// Whether a device's error means that it has no memory left. candle passes the drivers' own words on: CUDA's
/// and cuBLAS's and cuDNN's names of the status, Metal's missing buffer.
fn is_out_of_memory(error: &str) -> bool {
    let error = error.to_lowercase();
    ["out of memory", "out_of_memory", "alloc_failed", "failed to create metal resource: buffer"]
        .iter()
        .any(|words| error.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(words: &str) -> NetworkError {
        NetworkError::Tensor(candle_core::Error::Msg(words.to_owned()))
    }

    #[test]
    fn the_systems_figure_is_read() {
        let text = "MemTotal:       24684012 kB\nMemFree:          511236 kB\nMemAvailable:    2048000 kB\n";
        assert_eq!(available_in(text), Some(2_048_000 * 1024));
        assert_eq!(available_in("MemTotal: 1 kB"), None);
        if cfg!(target_os = "linux") {
            assert!(available_bytes().unwrap() > 1 << 20);
        }
    }

    #[test]
    fn a_device_without_memory_is_asked_again_in_tiles() {
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
