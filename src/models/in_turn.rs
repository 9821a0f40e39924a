//! A text encoder and a denoiser that are loaded one at a time where memory cannot hold both.

use super::ModelError;
use super::memory::is_out_of_memory;
use crate::request::CancelToken;

/// Builds a network from its weights.
pub(super) type Loader<N> = Box<dyn Fn(&CancelToken) -> Result<N, ModelError> + Send>;

struct Part<N> {
    load: Loader<N>,
    network: Option<N>,
}

impl<N> Part<N> {
    /// The network, built if it is not loaded. The `other` one is freed first if memory holds only one of them, or once
    /// building this one runs out of memory.
    fn get<O>(
        &mut self,
        other: &mut Option<O>,
        one_at_a_time: &mut bool,
        cancel: &CancelToken,
    ) -> Result<&N, ModelError> {
        if self.network.is_none() {
            if *one_at_a_time {
                *other = None;
            }
            let built = match (self.load)(cancel) {
                Err(error) if other.is_some() && is_out_of_memory(&error.to_string()) => {
                    log::warn!(
                        "out of memory, text encoder and denoiser are loaded one at a time from now on: {error}"
                    );
                    *one_at_a_time = true;
                    *other = None;
                    (self.load)(cancel)?
                }
                built => built?,
            };
            self.network = Some(built);
        }
        match &self.network {
            Some(network) => Ok(network),
            None => unreachable!("it was just built"),
        }
    }
}

/// A text encoder and a denoiser: both stay loaded or, where they do not fit together, only the one in use.
pub(super) struct InTurn<E, D> {
    encoder: Part<E>,
    denoiser: Part<D>,
    one_at_a_time: bool,
}

impl<E, D> InTurn<E, D> {
    /// Builds neither yet. `one_at_a_time`: whether memory is known to hold only one. Where it is not known, as on a
    /// GPU, running out of memory while the second one is built decides.
    pub(super) fn new(encoder: Loader<E>, denoiser: Loader<D>, one_at_a_time: bool) -> Self {
        let (encoder, denoiser) =
            (Part { load: encoder, network: None }, Part { load: denoiser, network: None });
        Self { encoder, denoiser, one_at_a_time }
    }

    /// The text encoder.
    ///
    /// # Errors
    /// Those of its loader.
    pub(super) fn encoder(&mut self, cancel: &CancelToken) -> Result<&E, ModelError> {
        self.encoder.get(&mut self.denoiser.network, &mut self.one_at_a_time, cancel)
    }

    /// The denoiser.
    ///
    /// # Errors
    /// Those of its loader.
    pub(super) fn denoiser(&mut self, cancel: &CancelToken) -> Result<&D, ModelError> {
        self.denoiser.get(&mut self.encoder.network, &mut self.one_at_a_time, cancel)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// A network that counts how many are in memory.
    struct Counted(Arc<AtomicUsize>);

    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Two networks on a device that has room for `room` of them, and the number of those in memory.
    fn on_a_device(room: usize, one_at_a_time: bool) -> (InTurn<Counted, Counted>, Arc<AtomicUsize>) {
        let held = Arc::new(AtomicUsize::new(0));
        let loader = || -> Loader<Counted> {
            let held = Arc::clone(&held);
            Box::new(move |_| {
                if held.load(Ordering::SeqCst) == room {
                    return Err(ModelError::Device("CUDA_ERROR_OUT_OF_MEMORY".to_owned()));
                }
                held.fetch_add(1, Ordering::SeqCst);
                Ok(Counted(Arc::clone(&held)))
            })
        };
        (InTurn::new(loader(), loader(), one_at_a_time), held)
    }

    #[test]
    fn both_stay_loaded_where_they_fit_and_only_one_where_not() {
        let cancel = CancelToken::new();
        for (room, one_at_a_time, kept) in [(2, false, 2), (2, true, 1), (1, false, 1)] {
            let (mut networks, held) = on_a_device(room, one_at_a_time);
            for _ in 0..2 {
                networks.encoder(&cancel).unwrap();
                networks.denoiser(&cancel).unwrap();
                assert_eq!(held.load(Ordering::SeqCst), kept);
            }
            assert_eq!(networks.one_at_a_time, kept == 1);
        }
        let (mut networks, _) = on_a_device(0, false);
        assert!(networks.encoder(&cancel).is_err());
        assert!(!networks.one_at_a_time, "one alone does not fit either");
    }
}
