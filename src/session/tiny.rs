//! The tiny decoder that goes with the loaded model: found in the library, opened and measured while the engine is idle.

use std::path::PathBuf;
use std::sync::Arc;

use super::document::{Work, WorkKind};
use super::downloads::{Catalogue, TinyDecoder as Published};
use super::{Effect, Session};
use crate::catalog::ModelProfile;
use crate::engine::{Command, Job, JobId, JobKind};
use crate::latent::LatentFormat;
use crate::projection::{ProjectionQuality, TinyNetwork};
use crate::request::CancelToken;
use crate::store::library::{tiny_decoder_of, tiny_decoders};

/// A tiny decoder that the engine has opened for the loaded model.
#[derive(Debug)]
pub struct OpenedTiny {
    /// Its file.
    pub path: PathBuf,
    /// The format of the latents that it decodes.
    pub format: LatentFormat,
    /// Its weights for the preview shader; `None` for a network that the shader does not draw (TAEF2).
    pub network: Option<Arc<TinyNetwork>>,
    /// How its pictures agree with the VAE's; `None` until it is measured.
    pub quality: Option<ProjectionQuality>,
    /// Whether its name or repository says that it is of this VAE.
    is_named: bool,
    is_measured: bool,
}

/// What there is of tiny decoders for the loaded model.
#[derive(Clone, Copy, Debug)]
pub enum TinyState<'a> {
    /// None is known for this VAE.
    Unknown,
    /// None is in the library; this one can be fetched.
    Missing(&'static Published),
    /// One is being opened or measured.
    Opening,
    /// The one of this name does not agree with this VAE, or could not be opened.
    Unfit(&'a str),
    /// One can be used.
    Open(&'a OpenedTiny),
}

/// The tiny decoder of the loaded model.
#[derive(Debug, Default)]
pub(super) struct Tiny {
    asked: Option<Asked>,
    opened: Option<OpenedTiny>,
    /// Files that are of another VAE or cannot be opened.
    unfit: Vec<PathBuf>,
}

/// A decoder that the engine opens and measures.
#[derive(Debug)]
struct Asked {
    job: JobId,
    cancel: CancelToken,
    path: PathBuf,
    is_named: bool,
}

impl Tiny {
    /// Whether the engine opens or measures one.
    pub(super) fn is_at_work(&self) -> bool {
        self.asked.is_some()
    }

    /// Stops that in favour of a job of the user. It is begun again later.
    pub(super) fn interrupt(&self) {
        if let Some(asked) = &self.asked {
            asked.cancel.stop();
        }
    }
}

impl Session {
    /// The loaded model's profile, unless it is the built-in one, whose VAE has no tiny decoder.
    fn tiny_profile(&self) -> Option<&ModelProfile> {
        self.profile().map(AsRef::as_ref).filter(|_| !self.is_builtin() && self.is_ready())
    }

    /// The candidate that is to be opened: the first that is not known to be unfit.
    fn tiny_candidate(&self, format: LatentFormat) -> Option<(PathBuf, bool)> {
        let all = tiny_decoders(&self.library().snapshot().entries, format).into_iter();
        let mut fit = all.filter(|candidate| !self.model.tiny.unfit.contains(&candidate.entry.path));
        fit.next().map(|candidate| (candidate.entry.path.clone(), candidate.is_named))
    }

    /// Opens the tiny decoder of the loaded model, or measures it once previews are fitted, if the engine is idle.
    pub fn open_tiny_decoder(&mut self) {
        let Some(format) = self.tiny_profile().map(|profile| profile.format) else { return };
        if self.model.tiny.is_at_work() || !self.engine_is_free() {
            return;
        }
        let Some((path, is_named)) = self.tiny_candidate(format) else {
            self.model.tiny.opened = None;
            return;
        };
        let has_fit = self.model.fit.is_some();
        let is_done = |opened: &OpenedTiny| opened.path == path && (opened.is_measured || !has_fit);
        if self.model.tiny.opened.as_ref().is_some_and(is_done) {
            return;
        }
        let job = self.new_job();
        let cancel = CancelToken::new();
        let (model, decoder) = (self.recipe.draft.model.clone(), path.clone());
        let kind = JobKind::OpenTinyDecoder { model, decoder };
        self.model.tiny.asked = Some(Asked { job, cancel: cancel.clone(), path, is_named });
        // Not by `send`: it is no work that the user waits for.
        self.outbox.effects.push(Effect::Send(Command::Run(Job { id: job, cancel, kind })));
    }

    /// Forgets the decoder of the model before.
    pub(super) fn close_tiny_decoder(&mut self) {
        self.model.tiny.interrupt();
        self.model.tiny = Tiny::default();
    }

    /// The engine has opened the decoder.
    pub(super) fn tiny_opened(&mut self, job: JobId, network: Option<Arc<TinyNetwork>>) {
        let Some(format) = self.tiny_profile().map(|profile| profile.format) else { return };
        let Some(asked) = self.model.tiny.asked.as_ref().filter(|asked| asked.job == job) else { return };
        // Opened again to be measured: textures are kept by the address of the weights.
        let known = self.model.tiny.opened.take().filter(|known| known.path == asked.path);
        self.model.tiny.opened = Some(OpenedTiny {
            path: asked.path.clone(),
            format,
            network: known.and_then(|known| known.network).or(network),
            quality: None,
            is_named: asked.is_named,
            is_measured: false,
        });
    }

    /// The engine has measured the decoder. One that agrees less with the VAE than the linear map is of another VAE.
    pub(super) fn tiny_measured(&mut self, job: JobId, quality: Option<ProjectionQuality>) {
        let Some(asked) = self.model.tiny.asked.take_if(|asked| asked.job == job) else { return };
        let linear = self.model.fit.as_ref().map(|fit| fit.linear_quality.psnr);
        let tiny = &mut self.model.tiny;
        let is_worse = quality.zip(linear).is_some_and(|(own, linear)| own.psnr < linear);
        if is_worse {
            (tiny.opened, ()) = (None, tiny.unfit.push(asked.path));
        } else if let Some(opened) = &mut tiny.opened {
            opened.quality = quality;
            opened.is_measured = linear.is_some();
        }
    }

    /// Handles the end of the decoder's job without a measurement. `is_unfit`: whether it failed; otherwise it was
    /// stopped, and is begun again later.
    pub(super) fn tiny_ended(&mut self, job: JobId, is_unfit: bool) {
        let Some(asked) = self.model.tiny.asked.take_if(|asked| asked.job == job) else { return };
        if is_unfit {
            self.model.tiny.opened = None;
            self.model.tiny.unfit.push(asked.path);
        }
    }

    /// The tiny decoder for the loaded model's latents, if one can be used: its name says that it is of this VAE, or
    /// its pictures agree with the VAE's.
    pub fn tiny_decoder(&self) -> Option<&OpenedTiny> {
        self.model.tiny.opened.as_ref().filter(|opened| opened.is_named || opened.quality.is_some())
    }

    /// What there is of tiny decoders for the loaded model.
    pub fn tiny_state(&self) -> TinyState<'_> {
        let Some(format) = self.tiny_profile().map(|profile| profile.format) else {
            return TinyState::Unknown;
        };
        if let Some(opened) = self.tiny_decoder() {
            return TinyState::Open(opened);
        }
        if self.model.tiny.is_at_work() || self.tiny_candidate(format).is_some() {
            return TinyState::Opening;
        }
        if let Some(unfit) = self.model.tiny.unfit.last() {
            let name = unfit.file_stem().and_then(|name| name.to_str());
            return TinyState::Unfit(name.unwrap_or_default());
        }
        let catalogue = Catalogue::of_program();
        let published = tiny_decoder_of(format)
            .and_then(|name| catalogue.tiny_decoders.iter().find(|decoder| decoder.id == name));
        published.map_or(TinyState::Unknown, TinyState::Missing)
    }

    /// Whether the latent on the easel can be decoded quickly: a tiny decoder is open, and nothing is being drawn, from
    /// which it would take time.
    pub fn can_decode_quickly(&self) -> bool {
        let format = self.on_easel().and_then(super::document::Document::format);
        let is_its = |opened: &OpenedTiny| Some(opened.format) == format;
        self.tiny_decoder().is_some_and(is_its)
            && self.queue.running.is_none()
            && self.on_easel().is_some_and(|document| {
                !document.is_drawing() && document.work().is_none() && document.inspector().latent.is_some()
            })
    }

    /// Decodes the latent on the easel with the tiny decoder, edits and selected step included.
    pub(super) fn decode_quickly(&mut self) {
        if !self.can_decode_quickly() {
            return;
        }
        let decoder = self.tiny_decoder().map(|opened| opened.path.clone());
        let (Some(document), Some(decoder)) = (self.on_easel(), decoder) else { return };
        let (id, inspector) = (document.id(), document.inspector());
        let (Some(latent), Some(as_it_came)) = (inspector.adjusted(), inspector.latent.clone()) else {
            return;
        };
        let decoded = Some((as_it_came, inspector.adjustments.clone()));
        let job = self.new_job();
        let cancel = self.send(job, JobKind::DecodeQuickly { decoder, latent });
        let since = std::time::Instant::now();
        self.set_work(id, Work { job, cancel, kind: WorkKind::DecodingQuickly, since, decoded });
    }
}
