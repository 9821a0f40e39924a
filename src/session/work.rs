//! Engine jobs of documents: encoding pictures and decoding edited latents.

use super::document::{Work, WorkKind};
use super::{Document, DocumentId, Effect, Session};
use crate::engine::{JobId, JobKind};
use crate::latent::{Latent, channel_statistics, kl_map, posterior_sigma};
use crate::request::{DecodeChoice, Picture};

impl Session {
    /// Encodes the picture of a document.
    pub(super) fn encode_picture(&mut self, id: DocumentId, picture: Picture) {
        let job = self.new_job();
        let model = self.recipe.draft.model.clone();
        let cancel = self.send(job, JobKind::Encode { model, picture });
        self.set_work(id, Work { job, cancel, kind: WorkKind::Encoding, since: now(), decoded: None });
    }

    /// Decodes the edited latent on the easel with the VAE.
    pub(super) fn decode_shown(&mut self, how: DecodeChoice) {
        let Some(document) = self.on_easel().filter(|document| !document.is_drawing()) else { return };
        let id = document.id();
        let (Some(latent), Some(as_it_came)) =
            (document.inspector.adjusted(), document.inspector.latent.clone())
        else {
            return;
        };
        let decoded = Some((as_it_came, document.inspector.adjustments.clone()));
        let job = self.new_job();
        let model = self.recipe.draft.model.clone();
        let cancel = self.send(job, JobKind::Decode { model, latent, how });
        self.set_work(id, Work { job, cancel, kind: WorkKind::Decoding, since: now(), decoded });
    }

    /// Sets a document's job and stops its previous one.
    pub(super) fn set_work(&mut self, id: DocumentId, work: Work) {
        if let Some(document) = self.documents.get_mut(id)
            && let Some(before) = document.work.replace(work)
        {
            before.cancel.stop();
        }
    }

    /// Stops a document's job.
    pub(super) fn stop_work(&mut self, id: DocumentId) {
        if let Some(work) = self.documents.get(id).and_then(Document::work) {
            work.cancel.stop();
        }
    }

    /// Handles an encoded picture: the posterior's mean (model space) and log-variance (VAE space).
    pub(super) fn encoded(&mut self, job: JobId, mean: Latent, log_variance: &Latent) {
        let Some(format) = self.model.profile.as_ref().map(|profile| profile.format) else { return };
        let Some(document) = self.documents.with_work(job) else { return };
        document.work = None;
        let id = document.id();
        if let Some(file) = document.file_mut() {
            file.divergence = Some(kl_map(&format.vae_from_model(&mean), log_variance));
            let sigma = channel_statistics(&posterior_sigma(log_variance));
            file.posterior_sigma = sigma.iter().map(|figures| figures.mean).collect();
            (file.latent, file.format) = (Some(mean), Some(format));
        }
        if self.documents.easel == Some(id) {
            self.documents.refresh();
            self.decode_shown(DecodeChoice::default());
        }
    }

    /// Handles a decoded latent. Returns whether the job belonged to a document.
    pub(super) fn decoded(&mut self, job: JobId, picture: &Picture) -> bool {
        let Some(document) = self.documents.with_work(job) else { return false };
        let Some(work) = document.work.take() else { return false };
        if work.kind == WorkKind::DecodingQuickly {
            document.set_quickly_decoded(work.decoded, picture.clone());
            return true;
        }
        document.set_decoded(work.decoded, picture.clone());
        self.compare(job, picture.clone());
        true
    }

    /// Requests the comparison of an unedited decode with its original.
    fn compare(&mut self, job: JobId, decoded: Picture) {
        let is_it = |document: &&mut Document| {
            let shown = document.file().and_then(|file| file.decoded.as_ref());
            shown.is_some_and(|shown| shown.rgb().as_ptr() == decoded.rgb().as_ptr())
        };
        let Some(file) = self.documents.list.iter_mut().find(is_it).and_then(Document::file_mut) else {
            return;
        };
        let (Some(original), Some(latent), Some(format)) = (&file.original, &file.latent, file.format) else {
            return;
        };
        file.compared = Some(job);
        self.outbox.effects.push(Effect::Compare {
            job,
            original: original.clone(),
            decoded,
            downscale: format.downscale,
            latent_bytes: latent.values().len() * 2,
        });
    }

    /// Stores the result of a comparison.
    pub(super) fn take_comparison(&mut self, job: JobId, comparison: Box<crate::formats::Comparison>) {
        let mut files = self.documents.list.iter_mut().filter_map(Document::file_mut);
        if let Some(file) = files.find(|file| file.compared == Some(job)) {
            file.comparison = Some(comparison);
        }
    }

    /// Handles a document's job that ended without a result.
    pub(super) fn work_ended(&mut self, job: JobId) {
        if let Some(document) = self.documents.with_work(job) {
            document.work = None;
        }
    }
}

fn now() -> std::time::Instant {
    std::time::Instant::now()
}
