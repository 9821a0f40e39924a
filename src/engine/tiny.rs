//! The tiny decoder that quick decodes and previews use.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::failure::{Advice, Failure, JobError, Task};
use super::outbox::Outbox;
use super::preview_fit::PreviewFitter;
use super::protocol::{Event, JobId, Stage};
use crate::catalog::ModelProfile;
use crate::latent::{Latent, check_finite};
use crate::models::{ModelError, ModelSettings, TinyDecoder};
use crate::projection::{ProjectionQuality, TinyConvolution, TinyNetwork};
use crate::request::CancelToken;

/// An open decoder, with what it was opened from and with.
struct Opened {
    path: PathBuf,
    settings: ModelSettings,
    decoder: TinyDecoder,
}

/// The decoder used last, which the next job probably uses, too.
#[derive(Default)]
pub(super) struct TinyDecoders {
    last: Option<Opened>,
}

impl TinyDecoders {
    /// Opens a decoder for a model's VAE anew, and sends its weights to the client.
    pub(super) fn open(
        &mut self,
        path: &Path,
        settings: ModelSettings,
        job: JobId,
        profile: &ModelProfile,
        outbox: &Outbox,
    ) -> Result<(), JobError> {
        self.last = None;
        let decoder = self.decoder(path, settings)?;
        let (found, wanted) = (decoder.channels(), profile.format.channels);
        if found != wanted {
            return Err(failed(
                Task::OpenTinyDecoder,
                &ModelError::Mismatch(format!(
                    "it decodes latents of {found} channels, and this model's have {wanted}: {}",
                    path.display()
                )),
            ));
        }
        let convolutions = decoder.convolutions().map_err(|error| failed(Task::OpenTinyDecoder, &error))?;
        let network = convolutions.and_then(|all| {
            let convolution = |own: crate::models::ConvolutionValues| TinyConvolution {
                inputs: own.inputs,
                outputs: own.outputs,
                weight: own.weight,
                bias: own.bias,
            };
            TinyNetwork::new(all.into_iter().map(convolution).collect())
        });
        outbox.send(Event::TinyDecoderOpened { job, network: network.map(Arc::new) });
        Ok(())
    }

    /// How the pictures of the decoder used last agree with the VAE's; `None` without a preview fit.
    pub(super) fn quality(
        &self,
        fitter: Option<&PreviewFitter>,
        cancel: &CancelToken,
    ) -> Result<Option<ProjectionQuality>, JobError> {
        match (&self.last, fitter) {
            (Some(opened), Some(fitter)) => fitter
                .quality_of(&opened.decoder, cancel)
                .map_err(|error| failed(Task::OpenTinyDecoder, &error)),
            _ => Ok(None),
        }
    }

    /// Decodes a latent (model space) and sends the client the picture.
    pub(super) fn decode(
        &mut self,
        path: &Path,
        settings: ModelSettings,
        job: JobId,
        latent: &Latent,
        cancel: &CancelToken,
        outbox: &Outbox,
    ) -> Result<(), JobError> {
        let clock = Instant::now();
        outbox.send(Event::StageChanged { job, stage: Stage::Decoding });
        check_finite(latent).map_err(|error| JobError::from_latent(&error))?;
        let decoder = self.decoder(path, settings)?;
        let picture = decoder.decode(latent, cancel).map_err(|error| failed(Task::Decode, &error))?;
        let elapsed_secs = clock.elapsed().as_secs_f64();
        outbox.send(Event::Decoded { job, picture, notice: None, elapsed_secs });
        Ok(())
    }

    fn decoder(&mut self, path: &Path, settings: ModelSettings) -> Result<&TinyDecoder, JobError> {
        let is_it = |opened: &Opened| opened.path == path && opened.settings == settings;
        let opened = if let Some(opened) = self.last.take().filter(is_it) {
            opened
        } else {
            let decoder =
                TinyDecoder::open(path, settings).map_err(|error| failed(Task::OpenTinyDecoder, &error))?;
            Opened { path: path.to_owned(), settings, decoder }
        };
        Ok(&self.last.insert(opened).decoder)
    }
}

/// The advice that goes with models is of no use here: what is wrong with the file is said, and the VAE is there.
fn failed(task: Task, error: &ModelError) -> JobError {
    let advice = match error {
        ModelError::Cancelled => return JobError::Cancelled,
        ModelError::TooLittleMemory { .. } => Some(Advice::LessMemory),
        ModelError::AboveMemoryLimit { .. } => Some(Advice::MemoryLimit),
        _ => None,
    };
    JobError::Failed(Failure { task, why: error.into(), advice })
}
